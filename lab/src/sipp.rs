//! One run of SIPp, bounded in count and time, and what it reported.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::error::{During, Error, Result};
use crate::netns::Netns;
use crate::process::{Finished, Running};
use crate::topology::Lab;

/// What a run is stopped after, beyond the time that its calls need at their rate.
const SLACK: Duration = Duration::from_secs(15);

/// What SIPp reported at the end of a run.
#[derive(Clone)]
pub struct SippReport {
    /// Calls that went as the scenario says. A registration is a call, too.
    pub successful: u64,
    /// Calls that did not.
    pub failed: u64,
    /// Messages sent again or received again.
    pub retransmissions: u64,
    /// Messages that the scenario did not expect.
    pub unexpected: u64,
    /// Each timer's measurements, in milliseconds: `register`, `invite`, `bye`.
    pub response_times: BTreeMap<String, Vec<u64>>,
    /// Messages by SIPp's column name, as in `0_REGISTER_Sent`.
    pub messages: BTreeMap<String, u64>,
    /// How the program ended, with what it printed and its error log.
    pub finished: Finished,
}

/// What happened, without the columns of zeros and the screens.
impl fmt::Debug for SippReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seen = self.messages.iter().filter(|(_, count)| **count > 0);
        f.debug_struct("SippReport")
            .field("code", &self.finished.code)
            .field("successful", &self.successful)
            .field("failed", &self.failed)
            .field("retransmissions", &self.retransmissions)
            .field("unexpected", &self.unexpected)
            .field("messages", &BTreeMap::from_iter(seen))
            .field("errors", &self.finished.stderr)
            .finish_non_exhaustive()
    }
}

impl SippReport {
    /// Whether every call succeeded without a retransmission and none was unexpected.
    pub fn is_flawless(&self) -> bool {
        self.finished.code == 0 && (self.failed, self.retransmissions, self.unexpected) == (0, 0, 0)
    }

    /// Messages over all steps of a scenario, by method or status code and by `Sent` or `Recv`.
    pub fn total(&self, message: &str, direction: &str) -> u64 {
        let end = format!("_{message}_{direction}");
        sum(&self.messages, |column| column.ends_with(&end))
    }
}

/// What a run is to do.
#[derive(Debug)]
pub(crate) struct Plan<'a> {
    pub(crate) scenario: &'a str,
    pub(crate) place: &'a Netns,
    pub(crate) transport: &'a str,
    pub(crate) local: SocketAddr,
    /// Absent where the scenario waits to be called.
    pub(crate) remote: Option<IpAddr>,
    pub(crate) calls: u32,
    /// Calls a second.
    pub(crate) rate: u32,
    pub(crate) keys: &'a [(&'a str, &'a str)],
    /// How long a pause of the scenario lasts.
    pub(crate) pause: Duration,
    /// Lines of the injection file; each call takes the next, and begins again after the last.
    pub(crate) fields: Option<String>,
}

/// A run that has begun.
#[derive(Debug)]
pub(crate) struct Run {
    running: Running,
    scenario: String,
    directory: PathBuf,
    limit: Duration,
}

impl Plan<'_> {
    pub(crate) fn run(&self, lab: &Lab) -> Result<SippReport> {
        self.start(lab)?.report()
    }

    pub(crate) fn start(&self, lab: &Lab) -> Result<Run> {
        let directory = lab.directory("sipp-")?;
        let scenario = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("scenarios")
            .join(self.scenario);
        let sending = Duration::from_secs((self.calls / self.rate.max(1)).into());
        let limit = SLACK + sending + self.pause;
        let mut command = self.place.command("sipp");
        command
            .current_dir(&directory)
            .arg("-sf")
            .arg(scenario.with_extension("xml"));
        command.args([
            "-t",
            self.transport,
            "-nostdin",
            "-default_behaviors",
            "all,-bye",
        ]);
        command.args([
            "-i",
            &self.local.ip().to_string(),
            "-p",
            &self.local.port().to_string(),
        ]);
        command.args(["-m", &self.calls.to_string(), "-r", &self.rate.to_string()]);
        if self.transport == "un" {
            // Fewer than a process may open files.
            command.args(["-max_socket", "500"]);
        }
        command.args(["-d", &self.pause.as_millis().to_string()]);
        command.args(["-timeout", &limit.as_secs().to_string(), "-timeout_error"]);
        command.args([
            "-trace_stat",
            "-stf",
            "stat.csv",
            "-fd",
            "1",
            "-trace_counts",
        ]);
        command.args([
            "-trace_rtt",
            "-rtt_freq",
            "1",
            "-trace_err",
            "-error_file",
            "errors.log",
        ]);
        for (key, value) in self.keys {
            command.args(["-key", key, value]);
        }
        if let Some(fields) = &self.fields {
            let path = directory.join("fields.csv");
            fs::write(&path, format!("SEQUENTIAL\n{fields}\n")).during("write SIPp's fields")?;
            command.arg("-inf").arg(path);
        }
        if let Some(remote) = self.remote {
            command.arg(SocketAddr::new(remote, 5060).to_string());
        }
        let running = Running::start(&mut command)?;
        Ok(Run {
            running,
            scenario: self.scenario.to_owned(),
            directory,
            limit,
        })
    }
}

impl Run {
    pub(crate) fn has_ended(&self) -> Result<bool> {
        self.running.has_ended()
    }

    /// Waits for the end and reads what SIPp wrote.
    pub(crate) fn report(self) -> Result<SippReport> {
        let file = |name: &str| self.directory.join(name);
        let traced = |kind: &str| {
            file(&format!(
                "{}_{}_{kind}.csv",
                self.scenario,
                self.running.pid()
            ))
        };
        let (counts, times) = (traced("counts"), traced("rtt"));
        let (stat, errors) = (file("stat.csv"), file("errors.log"));

        let mut finished = self.running.wait(self.limit + SLACK)?;
        // A run without an error has no such file.
        finished
            .stderr
            .push_str(&fs::read_to_string(errors).unwrap_or_default());
        let table = |path: &Path| match fs::read_to_string(path) {
            Ok(text) => Ok(last_row(&text)),
            Err(_) => Err(Error::Failed {
                command: format!("sipp -sf {}.xml", self.scenario),
                output: finished.output(),
            }),
        };
        let (stat, messages) = (table(&stat)?, table(&counts)?);
        // A run without a completed call has no such file.
        let times = fs::read_to_string(times).unwrap_or_default();
        Ok(SippReport {
            successful: sum(&stat, |column| column == "SuccessfulCall(C)"),
            failed: sum(&stat, |column| column == "FailedCall(C)"),
            retransmissions: sum(&messages, |column| column.ends_with("_Retrans")),
            unexpected: sum(&messages, |column| column.ends_with("_Unexp"))
                + sum(&stat, |column| column == "OutOfCallMsgs(C)"),
            response_times: response_times(&times),
            messages,
            finished,
        })
    }
}

/// The columns of SIPp's last row that hold plain numbers: all are totals since the start.
fn last_row(text: &str) -> BTreeMap<String, u64> {
    let mut lines = text.lines();
    let (Some(names), Some(values)) = (lines.next(), lines.next_back()) else {
        return BTreeMap::new();
    };
    let numbers = names.split(';').zip(values.split(';'));
    numbers
        .filter_map(|(name, value)| Some((name.to_owned(), value.parse().ok()?)))
        .collect()
}

fn sum(row: &BTreeMap<String, u64>, wanted: impl Fn(&str) -> bool) -> u64 {
    row.iter()
        .filter(|(column, _)| wanted(column))
        .map(|(_, value)| value)
        .sum()
}

fn response_times(text: &str) -> BTreeMap<String, Vec<u64>> {
    let mut times = BTreeMap::<_, Vec<u64>>::new();
    for line in text.lines().skip(1) {
        let mut fields = line.split(';').skip(1);
        if let (Some(Ok(time)), Some(name)) = (fields.next().map(str::parse), fields.next()) {
            times.entry(name.to_owned()).or_default().push(time);
        }
    }
    times
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_totals_from_the_last_row() {
        let row = last_row("Time;0_A_Sent;1_200_Recv;1_200_Retrans;\nx;1;0;0;\ny;2;1;3;\n");
        assert_eq!(sum(&row, |column| column.ends_with("_Retrans")), 3);
        assert_eq!((row["0_A_Sent"], row["1_200_Recv"]), (2, 1));
        assert!(last_row("").is_empty() && last_row("only;names").is_empty());
    }

    #[test]
    fn reads_response_times() {
        let times = response_times("Date_ms;response_time_ms;rtd_no\n1.5;7;invite\n2.5;9;invite\n");
        assert_eq!(times["invite"], [7, 9]);
    }
}
