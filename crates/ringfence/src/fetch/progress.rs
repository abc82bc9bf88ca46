//! Long work, shown to who waits for it.

use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressStyle};

/// Who is told how far work is.
pub trait Progress: Send + Sync {
    /// Work begins: `all` bytes, if that is known.
    fn begin(&self, what: &str, all: Option<u64>);
    /// So many bytes are done.
    fn at(&self, done: u64);
    /// The work is over, well or not.
    fn end(&self);
    /// Whether it is to end now: asked now and then.
    fn stop(&self) -> bool {
        false
    }
}

/// Shows nothing: for daemons and cron.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {
    fn begin(&self, _what: &str, _all: Option<u64>) {}
    fn at(&self, _done: u64) {}
    fn end(&self) {}
}

/// A bar on standard error.
#[derive(Debug)]
pub struct Bar(ProgressBar);

impl Bar {
    /// A bar that shows as soon as work begins.
    pub fn new() -> Self {
        Self(ProgressBar::no_length())
    }
}

impl Default for Bar {
    fn default() -> Self {
        Self::new()
    }
}

impl Progress for Bar {
    fn begin(&self, what: &str, all: Option<u64>) {
        let template = match all {
            Some(_) => "{msg} [{bar:30}] {bytes}/{total_bytes} {bytes_per_sec}",
            None => "{msg} {spinner} {bytes} {bytes_per_sec}",
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            self.0.set_style(style);
        }
        match all {
            Some(all) => self.0.set_length(all),
            None => self.0.unset_length(),
        }
        self.0.reset();
        self.0.set_message(crate::terminal::line(what).into_owned());
    }

    fn at(&self, done: u64) {
        self.0.set_position(done);
    }

    fn end(&self) {
        self.0.finish_and_clear();
    }
}

/// A bar where standard error is a terminal, and otherwise silence.
pub fn progress() -> Box<dyn Progress> {
    match std::io::stderr().is_terminal() {
        true => Box::new(Bar::new()),
        false => Box::new(Silent),
    }
}
