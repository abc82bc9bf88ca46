//! `ringfence install`: the program and all that belongs to it, where there is no package.

use std::env;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::CommandFactory;
use serde_json::{Value, json};

use super::{Cli, Format, Global, Usage};
use crate::install::{self, Outcome, Service};
use crate::terminal;

/// Put Ringfence onto this system where there is no package
///
/// Copies this program, and writes the systemd unit, a configuration (shadow mode:
/// it drops nothing), man pages and completions; a configuration that was changed
/// stays as it is. Where systemd runs, the daemon is enabled and started. Run again
/// with a newer program, it upgrades: the fence stands meanwhile.
#[derive(Debug, clap::Args)]
#[command(
    after_long_help = "Examples:\n  ringfence install --dry-run\n  ringfence install\n  \
    ringfence install --prefix /opt/ringfence"
)]
pub struct Args {
    #[command(flatten)]
    place: Place,
    /// Write the files, and neither enable nor start the daemon
    #[arg(long)]
    no_start: bool,
}

/// Where it is put, and whether at all.
#[derive(Debug, clap::Args)]
pub(super) struct Place {
    /// Below which directory the program, man pages and completions stand
    #[arg(long, value_name = "DIR", default_value = "/usr/local")]
    pub(super) prefix: PathBuf,
    /// Another root than this system's, such as that of an image
    #[arg(long, value_name = "DIR", default_value = "/")]
    pub(super) root: PathBuf,
    /// Tell what would be done, and do nothing
    #[arg(long)]
    pub(super) dry_run: bool,
}

impl Place {
    /// Refuses what cannot be meant.
    pub(super) fn check(&self) -> anyhow::Result<()> {
        let plain = self.prefix.to_str().is_some_and(|prefix| {
            let fine = |c: char| c.is_ascii_alphanumeric() || "/._+-".contains(c);
            prefix.starts_with('/') && prefix.chars().all(fine)
        });
        if !plain {
            let text = "--prefix takes an absolute path of letters, digits and ._+-, as /usr/local";
            return Err(Usage(text.into()).into());
        }
        if self.is_this_host() && install::packaged(&self.prefix) {
            let text =
                "--prefix /usr is that of packages; take another, or the --root of another system";
            return Err(Usage(text.into()).into());
        }
        let unit = Path::new("/usr/lib/systemd/system").join(install::UNIT);
        if self.is_this_host() && unit.exists() {
            bail!(
                "Ringfence is installed from a package here ({}); upgrade or remove that, with apt or dnf",
                unit.display()
            );
        }
        Ok(())
    }

    pub(super) fn is_this_host(&self) -> bool {
        self.root == Path::new("/")
    }

    /// Where the program stands.
    pub(super) fn program(&self) -> PathBuf {
        self.prefix.join("bin/ringfence")
    }

    /// Everything but the program.
    pub(super) fn files(&self) -> anyhow::Result<Vec<install::File>> {
        install::files(&self.prefix, &Cli::command()).context("cannot make the man pages")
    }
}

/// Does it.
///
/// # Errors
/// When a file cannot be written, or systemd refuses the unit.
pub fn run(args: Args, global: &Global) -> anyhow::Result<ExitCode> {
    let place = &args.place;
    place.check()?;
    let told = Told::new(global.format);
    let own = env::current_exe().context("cannot find this program's own file")?;
    let program = place.program();
    let done = install::copy_program(&place.root, &own, &program, place.dry_run)
        .with_context(|| format!("cannot write {}; run it as root", program.display()))?;
    told.file(&program, done);
    for file in place.files()? {
        let done = install::put(&place.root, &file, place.dry_run)
            .with_context(|| format!("cannot write {}; run it as root", file.path.display()))?;
        told.file(&file.path, done);
    }
    if place.dry_run {
        told.line("a dry run: nothing was written");
        return Ok(ExitCode::SUCCESS);
    }
    let start = !args.no_start && place.is_this_host();
    match start.then(Service::of_this_host).flatten() {
        Some(service) => {
            service.start().context(
                "the files are there, but the daemon does not start; `journalctl -u ringfence` and \
                 `ringfence doctor` say why",
            )?;
            told.line("the daemon is enabled and runs; `ringfence status` shows the fence");
        }
        None => told.line(&format!(
            "the daemon was not started; do it with: {} run",
            program.display()
        )),
    }
    Ok(ExitCode::SUCCESS)
}

/// Tells what is done, in the format that was asked for. Who does not listen does not stop the work half-way.
pub(super) struct Told(Format);

impl Told {
    pub(super) fn new(format: Format) -> Self {
        Self(format)
    }

    pub(super) fn file(&self, path: &Path, outcome: Outcome) {
        let path = path.display().to_string();
        let word = outcome.word();
        let data = json!({ "file": path, "done": word });
        self.tell(&format!("{path}: {word}"), &data);
    }

    pub(super) fn line(&self, text: &str) {
        self.tell(text, &json!({ "text": text }));
    }

    fn tell(&self, text: &str, data: &Value) {
        let mut out = io::stdout().lock();
        let _ = match self.0 {
            Format::Text => writeln!(out, "{}", terminal::text(text)),
            Format::Json => writeln!(out, "{data}"),
        };
    }
}
