//! Follows the journal of a systemd unit, through `journalctl`.

use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::io::AsyncReadExt as _;
use tokio::process::{Child, Command};

use super::lines::{LONGEST, Lines};

/// Bytes of an entry as JSON: a message as a list of numbers takes four for one.
const ENTRY: usize = 8 * LONGEST;
/// The first and the longest time between two starts.
const WAITS: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));
/// A run of this length was a good one: the next wait is the first again.
const GOOD: Duration = Duration::from_secs(30);

/// What the journal gives.
#[derive(Debug, PartialEq, Eq)]
pub enum Entries {
    /// Messages, in their order.
    Messages(Vec<String>),
    /// Nothing for a quarter of a second.
    Quiet,
    /// `journalctl` ended or could not be started; it is started again.
    Down(String),
}

/// The journal of a unit from now on.
#[derive(Debug)]
pub struct Journal {
    unit: String,
    syslog: bool,
    program: String,
    child: Option<Running>,
    wait: Duration,
}

#[derive(Debug)]
struct Running {
    child: Child,
    lines: Lines,
    since: Instant,
}

impl Journal {
    /// Of this unit, such as "asterisk.service". With `syslog`, without what it wrote to its standard output or error, where
    /// a message is as many entries as it has lines.
    pub fn new(unit: &str, syslog: bool) -> Self {
        Self::through("journalctl", unit, syslog)
    }

    /// Through another program that takes the arguments of `journalctl`.
    pub fn through(program: &str, unit: &str, syslog: bool) -> Self {
        Self {
            unit: unit.to_owned(),
            syslog,
            program: program.to_owned(),
            child: None,
            wait: WAITS.0,
        }
    }

    /// Waits for what comes next. After [`Entries::Down`] the next call waits before it starts the program again: one
    /// second, then twice as long each time, up to a minute. Dropped in between, it loses nothing.
    pub async fn next(&mut self) -> Entries {
        let Some(running) = &mut self.child else {
            return self.start().await;
        };
        let Some(out) = running.child.stdout.as_mut() else {
            return self.down("its output is closed".into());
        };
        let mut buffer = [0; 16 * 1024];
        let read = tokio::time::timeout(Duration::from_millis(250), out.read(&mut buffer));
        match read.await {
            Err(_) => Entries::Quiet,
            Ok(Err(error)) => self.down(error.to_string()),
            Ok(Ok(0)) => {
                let status = running.child.try_wait();
                let how = status.ok().flatten();
                self.down(how.map_or_else(|| "it ended".into(), |how| how.to_string()))
            }
            Ok(Ok(count)) => {
                let mut messages = Vec::new();
                let bytes = buffer.get(..count).unwrap_or_default();
                running
                    .lines
                    .read(bytes, |line| messages.extend(message(line)));
                Entries::Messages(messages)
            }
        }
    }

    fn down(&mut self, why: String) -> Entries {
        if let Some(running) = self.child.take()
            && running.since.elapsed() >= GOOD
        {
            self.wait = WAITS.0;
        }
        Entries::Down(format!(
            "{} of {}: {why}; see that the unit exists and that the journal can be read",
            self.program, self.unit
        ))
    }

    async fn start(&mut self) -> Entries {
        tokio::time::sleep(self.wait).await;
        self.wait = (self.wait * 2).min(WAITS.1);
        let child = Command::new(&self.program)
            .args(["--follow", "--lines=0", "--output=json", "--all", "--quiet"])
            .arg("--output-fields=MESSAGE")
            .arg(format!("--unit={}", self.unit))
            .args(self.syslog.then_some("_TRANSPORT=syslog"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn();
        match child {
            Err(error) => self.down(error.to_string()),
            Ok(child) => {
                self.child = Some(Running {
                    child,
                    lines: Lines::new(ENTRY, true),
                    since: Instant::now(),
                });
                Entries::Quiet
            }
        }
    }
}

/// The message of an entry: a text, or, where it is not UTF-8, a list of its bytes.
fn message(line: &str) -> Option<String> {
    let entry: Value = serde_json::from_str(line).ok()?;
    let text = match entry.get("MESSAGE")? {
        Value::String(text) => text.clone(),
        Value::Array(bytes) => {
            let byte = |value: &Value| value.as_u64().and_then(|n| u8::try_from(n).ok());
            let bytes: Option<Vec<u8>> = bytes.iter().map(byte).collect();
            String::from_utf8_lossy(&bytes?).into_owned()
        }
        _ => return None,
    };
    (text.len() <= LONGEST).then_some(text)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn messages_are_texts_or_bytes() {
        assert_eq!(message(r#"{"MESSAGE":"a\nb"}"#).as_deref(), Some("a\nb"));
        assert_eq!(
            message(r#"{"MESSAGE":[97,255]}"#).as_deref(),
            Some("a\u{fffd}")
        );
        for none in [
            "",
            "{}",
            r#"{"MESSAGE":null}"#,
            r#"{"MESSAGE":[256]}"#,
            "[1",
        ] {
            assert_eq!(message(none), None, "{none}");
        }
    }

    #[tokio::test]
    async fn what_the_program_writes_is_told_and_it_is_started_again() {
        let dir = tempfile::tempdir().unwrap();
        let program = dir.path().join("journal");
        let script = "#!/bin/sh\n[ \"$6\" = --output-fields=MESSAGE ] || exit 3\n\
                      echo \"{\\\"MESSAGE\\\":\\\"$7 $8\\\"}\"\n";
        fs::write(&program, script).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let mut journal = Journal::through(program.to_str().unwrap(), "pbx.service", true);
        let (mut messages, mut downs) = (Vec::new(), 0);
        while messages.len() < 2 {
            match journal.next().await {
                Entries::Messages(more) => messages.extend(more),
                Entries::Down(why) => {
                    assert!(why.contains("pbx.service"), "{why}");
                    downs += 1;
                }
                Entries::Quiet => {}
            }
        }
        assert_eq!(messages, ["--unit=pbx.service _TRANSPORT=syslog"; 2]);
        assert!(downs >= 1);
    }

    #[tokio::test]
    async fn a_program_that_is_not_there_is_told() {
        let mut journal = Journal::through("/nonexistent/journalctl", "pbx.service", false);
        let Entries::Down(why) = journal.next().await else {
            panic!("started")
        };
        assert!(why.contains("/nonexistent/journalctl"), "{why}");
    }
}
