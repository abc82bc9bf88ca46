//! Ends a trial when its time is over, whatever becomes of who began it: a transient timer of systemd where it runs, else
//! a process of its own session.

use std::fs;
use std::io::{self, BufRead, BufReader};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

use super::{HostError, Keeper};

/// Has the trial of this id ended within a time, in the state directory.
pub(super) type Arm = fn(&Path, &str, Duration) -> io::Result<()>;

/// What the process says once nothing but itself can end it.
pub const ARMED: &str = "armed";
/// How often it tries to bring back what stood before.
const TRIES: u32 = 20;
const PAUSE: Duration = Duration::from_secs(1);

/// Arms whatever outlives this process.
pub(super) fn arm(state: &Path, id: &str, time: Duration) -> io::Result<()> {
    if manager_runs() && by_manager(state, id, time).is_ok() {
        return Ok(());
    }
    by_process(state, id)
}

/// Whether systemd runs, and its processes see the network that this one sees.
fn manager_runs() -> bool {
    let network = |process: &str| fs::metadata(format!("/proc/{process}/ns/net"));
    let same = match (network("1"), network("thread-self")) {
        (Ok(one), Ok(own)) => one.ino() == own.ino(),
        _ => false,
    };
    // sd_booted(3)
    same && Path::new("/run/systemd/system").is_dir()
}

fn by_manager(state: &Path, id: &str, time: Duration) -> io::Result<()> {
    let done = Command::new("systemd-run")
        .args(words(&program()?, state, id, time))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()?;
    match done.success() {
        true => Ok(()),
        false => Err(io::Error::other(format!("systemd-run ended with {done}"))),
    }
}

/// The arguments of systemd-run(1).
fn words(program: &Path, state: &Path, id: &str, time: Duration) -> Vec<String> {
    let mut words = vec![
        "--quiet".into(),
        "--collect".into(),
        format!("--unit=ringfence-host-{id}"),
        format!("--on-active={}ms", time.as_millis()),
        "--timer-property=AccuracySec=100ms".into(),
        program.display().to_string(),
    ];
    words.extend(arguments(state, id));
    words
}

/// Starts the process, and returns when nothing that ends this one ends it.
fn by_process(state: &Path, id: &str) -> io::Result<()> {
    let mut child = Command::new("/proc/self/exe")
        .args(arguments(state, id))
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let mut said = String::new();
    if let Some(stdout) = child.stdout.take() {
        BufReader::new(stdout).read_line(&mut said)?;
    }
    // Whoever begins a trial may live longer than it.
    thread::spawn(move || child.wait());
    match said.trim() == ARMED {
        true => Ok(()),
        false => Err(io::Error::other(
            "the process that would do it did not start",
        )),
    }
}

fn arguments(state: &Path, id: &str) -> Vec<String> {
    let state = state.display().to_string();
    ["host", "expire", "--state", &state, "--trial", id]
        .map(str::to_owned)
        .to_vec()
}

/// This program; its file may have been replaced since.
fn program() -> io::Result<PathBuf> {
    let path = std::env::current_exe()?.display().to_string();
    Ok(path.trim_end_matches(" (deleted)").into())
}

impl Keeper {
    /// Waits for the end of a trial and brings back what stood before, unless it is confirmed or replaced.
    ///
    /// # Errors
    /// When nftables went on refusing.
    pub fn wait_and_expire(&self, id: &str) -> Result<bool, HostError> {
        let Some(until) = self.ends(id)? else {
            return Ok(false);
        };
        // Boot time runs on while the machine sleeps, and the clock of `sleep` does not.
        while let Some(left) = until.checked_sub(now()?).filter(|left| *left > 0) {
            thread::sleep(Duration::from_nanos(left).min(PAUSE));
        }
        let mut tries = 1;
        loop {
            match self.expire(id) {
                Err(_) if tries < TRIES => thread::sleep(PAUSE),
                ended => return ended,
            }
            tries += 1;
        }
    }
}

/// Boot time in ns.
pub(super) fn now() -> Result<u64, HostError> {
    let time =
        clock_gettime(ClockId::CLOCK_BOOTTIME).map_err(|error| HostError::Timer(error.into()))?;
    Ok(time.tv_sec().cast_unsigned() * 1_000_000_000 + time.tv_nsec().cast_unsigned())
}

/// Boot time in ns when so much more time has passed.
pub(super) fn after(time: Duration) -> Result<u64, HostError> {
    let time = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
    Ok(now()?.saturating_add(time))
}

/// What tells this boot from others.
pub(super) fn boot() -> Result<String, HostError> {
    let path = "/proc/sys/kernel/random/boot_id";
    let id = fs::read_to_string(path).map_err(HostError::Timer)?;
    Ok(id.trim().to_owned())
}

/// A name for a trial, which no other has.
pub(super) fn id() -> Result<String, HostError> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes)
        .map_err(|error| HostError::Timer(io::Error::other(error.to_string())))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn systemd_is_told_the_time_and_the_command() {
        let words = words(
            Path::new("/usr/sbin/ringfence"),
            Path::new("/var/lib/ringfence"),
            "07",
            Duration::from_millis(60_500),
        );
        assert_eq!(
            words.join(" "),
            "--quiet --collect --unit=ringfence-host-07 --on-active=60500ms --timer-property=AccuracySec=100ms \
             /usr/sbin/ringfence host expire --state /var/lib/ringfence --trial 07"
        );
    }
}
