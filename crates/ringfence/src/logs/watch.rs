//! Follows the configured logs and tells what they say.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc;

use super::follow::Tail;
use super::journal::{Entries, Journal};
use super::pattern::{Patterns, Says};
use super::pattern_error::PatternError;
use super::pattern_file::Of;
use super::reading::{Counts, Reading, Told};
use crate::asterisk::security::Sight;

/// Sights that wait for whoever takes them; the logs wait when there are more.
const WAITING: usize = 1024;
/// How often a file is looked at.
const TURN: Duration = Duration::from_millis(250);

/// A log to follow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Where it is.
    pub from: Source,
    /// How it is read.
    pub by: By,
}

/// Where a log is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A file.
    File(PathBuf),
    /// The journal of a unit.
    Journal(String),
}

impl Source {
    /// As people know it.
    pub fn name(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Journal(unit) => format!("journal of {unit}"),
        }
    }
}

/// How the lines of a log are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum By {
    /// By patterns that ship.
    Of(Of),
    /// By patterns of a file.
    File(PathBuf),
}

impl By {
    /// The patterns.
    ///
    /// # Errors
    /// When the user's file cannot be read or has mistakes.
    pub fn patterns(&self) -> Result<Patterns, PatternError> {
        match self {
            Self::Of(of) => Patterns::of(*of),
            Self::File(path) => Patterns::load(path),
        }
    }
}

/// What a log said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    /// Which log, as people know it.
    pub log: Arc<str>,
    /// What it said. Several logs and the manager interface tell of one attempt: they go into one
    /// [`Attempts`](crate::asterisk::security::Attempts).
    pub sight: Sight,
}

/// How a log does.
#[derive(Debug, Clone)]
pub struct Gauge {
    /// Which log.
    pub log: Arc<str>,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    counts: Counts,
    trouble: Option<String>,
}

impl Gauge {
    /// How many lines were what since the start.
    pub fn counts(&self) -> Counts {
        self.with(|state| state.counts)
    }

    /// Why it cannot be followed now, if it cannot; it is tried again and again.
    pub fn trouble(&self) -> Option<String> {
        self.with(|state| state.trouble.clone())
    }

    fn with<T>(&self, use_it: impl FnOnce(&mut State) -> T) -> T {
        use_it(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Follows the logs, from their ends on, until the receiver is dropped. Files are read in threads of their own, since a disk
/// can keep one waiting; journals in tasks of the runtime that this is called in.
///
/// # Errors
/// When patterns cannot be read.
pub fn follow(logs: &[Settings]) -> Result<(mpsc::Receiver<Heard>, Vec<Gauge>), PatternError> {
    let readings: Vec<Reading> = logs
        .iter()
        .map(|log| log.by.patterns().map(Reading::live))
        .collect::<Result<_, _>>()?;
    let (sender, receiver) = mpsc::channel(WAITING);
    let mut gauges = Vec::new();
    for (log, reading) in logs.iter().zip(readings) {
        let gauge = Gauge {
            log: log.from.name().into(),
            state: Arc::default(),
        };
        gauges.push(gauge.clone());
        let sender = sender.clone();
        match &log.from {
            Source::File(path) => {
                let tail = Tail::new(path);
                let failed = gauge.clone();
                let thread = std::thread::Builder::new().name("log".into());
                let run = move || file(tail, reading, &gauge, &sender);
                if let Err(error) = thread.spawn(run) {
                    failed.with(|state| state.trouble = Some(error.to_string()));
                }
            }
            Source::Journal(unit) => {
                let journal = Journal::new(unit, reading.patterns().syslog());
                tokio::spawn(entries(journal, reading, gauge, sender));
            }
        }
    }
    Ok((receiver, gauges))
}

fn file(mut tail: Tail, mut reading: Reading, gauge: &Gauge, sender: &mpsc::Sender<Heard>) {
    while !sender.is_closed() {
        // It fails only when nobody listens any more, and then the loop ends.
        let send = |told: Told<'_>| {
            if let Some(heard) = heard(&gauge.log, told) {
                let _ = sender.blocking_send(heard);
            }
        };
        let turn = tail.turn(|line| reading.line(line, send));
        if !matches!(turn, Ok(true)) {
            reading.pause(send);
        }
        gauge.with(|state| {
            state.counts = reading.counts();
            state.trouble = turn.as_ref().err().map(ToString::to_string);
        });
        if !matches!(turn, Ok(true)) {
            std::thread::sleep(TURN);
        }
    }
}

async fn entries(
    mut journal: Journal,
    mut reading: Reading,
    gauge: Gauge,
    sender: mpsc::Sender<Heard>,
) {
    loop {
        let next = tokio::select! {
            next = journal.next() => next,
            () = sender.closed() => return,
        };
        let (mut all, mut trouble) = (Vec::new(), None);
        let mut take = |told: Told<'_>| all.extend(heard(&gauge.log, told));
        match next {
            Entries::Messages(messages) => {
                for message in &messages {
                    reading.line(message, &mut take);
                }
            }
            Entries::Quiet => reading.pause(&mut take),
            Entries::Down(why) => {
                reading.pause(&mut take);
                trouble = Some(why);
            }
        }
        gauge.with(|state| {
            state.counts = reading.counts();
            state.trouble = trouble;
        });
        for heard in all {
            if sender.send(heard).await.is_err() {
                return;
            }
        }
    }
}

fn heard(log: &Arc<str>, told: Told<'_>) -> Option<Heard> {
    match told {
        Told::Line {
            says: Says::Sight { sight, .. },
            ..
        } => Some(Heard {
            log: Arc::clone(log),
            sight,
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[tokio::test]
    async fn a_line_that_is_written_is_told_and_counted() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("messages");
        let settings = Settings {
            from: Source::File(path.clone()),
            by: By::Of(Of::Asterisk),
        };
        let (mut receiver, gauges) = follow(&[settings]).unwrap();
        let absent = async {
            while gauges[0].trouble().is_none() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let patience = Duration::from_secs(30);
        tokio::time::timeout(patience, absent).await.unwrap();
        let line = "[Nov 21 02:27:29] NOTICE[18560] chan_sip.c: Registration from '<sip:1006@192.0.2.10>' failed for \
                    '203.0.113.6:5060' - Wrong password\n";
        fs::write(&path, line).unwrap();
        let heard = tokio::time::timeout(patience, receiver.recv()).await;
        let heard = heard.unwrap().unwrap();
        assert_eq!(heard.sight.source.to_string(), "203.0.113.6:5060");
        assert_eq!(*heard.log, *path.display().to_string());
        let counted = async {
            while gauges[0].counts().counted != 1 || gauges[0].trouble().is_some() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(patience, counted).await.unwrap();
    }
}
