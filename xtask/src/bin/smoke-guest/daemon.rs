//! The real daemon, as an administrator starts, asks and loses it.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

const PROGRAM: &str = "/bin/ringfence";
const SOCKET: &str = "/run/ringfence/ringfence.sock";
const LOG: &str = "/tmp/ringfence.log";
pub const CONFIG: &str = "/tmp/ringfence.toml";
pub const COUNTRIES: &str = "/tmp/countries.csv";
/// The machine's own limit is shorter than a verifier that does not end.
const STARTS_WITHIN: Duration = Duration::from_secs(600);

/// A daemon that runs.
pub struct Daemon(Child);

impl Daemon {
    /// Starts it and waits until it answers; how long that took.
    pub fn start() -> Result<(Self, Duration)> {
        println!("starting `ringfence run`");
        let begun = Instant::now();
        let log = File::create(LOG)?;
        let child = Command::new(PROGRAM)
            .args(["run", "--config", CONFIG, "--country-db", COUNTRIES])
            .args([
                "--state",
                "/tmp/state",
                "--bpffs",
                "/sys/fs/bpf",
                "--socket",
                SOCKET,
            ])
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("cannot start {PROGRAM}"))?;
        let mut daemon = Self(child);
        while ask(&["status"]).is_err() {
            let ended = daemon.0.try_wait()?.is_some();
            if ended || begun.elapsed() > STARTS_WITHIN {
                bail!("`ringfence run` does not stand:\n{}", log_so_far());
            }
            thread::sleep(Duration::from_millis(100));
        }
        Ok((daemon, begun.elapsed()))
    }

    /// Ends it as nothing else can: it has no time for anything.
    pub fn kill(mut self) -> Result<()> {
        self.0.kill()?;
        self.0.wait()?;
        ensure!(
            ask(&["status"]).is_err(),
            "the daemon answers after it was killed"
        );
        Ok(())
    }
}

/// What the daemon has printed since it started.
fn log_so_far() -> String {
    fs::read_to_string(Path::new(LOG)).unwrap_or_default()
}

/// Runs a command of the command line; its answer.
pub fn ask(command: &[&str]) -> Result<Value> {
    let output = Command::new(PROGRAM)
        .args(command)
        .args(["--format", "json", "--socket", SOCKET])
        .output()
        .with_context(|| format!("cannot start {PROGRAM}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    ensure!(
        output.status.success(),
        "ringfence {}: {text}{}",
        command.join(" "),
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_str(&text).with_context(|| format!("no JSON: {text}"))
}
