//! Programs that never outlive their test.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::Pid;

use crate::error::{During, Error, Result};

/// How long a program has to end after SIGTERM.
const GRACE: Duration = Duration::from_secs(10);
/// What `nsenter` and shells end with when the program does not exist.
const NOT_FOUND: i32 = 127;
const POLL: Duration = Duration::from_millis(10);

/// What a program that has ended left behind.
#[derive(Debug, Clone)]
pub struct Finished {
    /// The exit code; 128 + the signal where a signal ended it.
    pub code: i32,
    /// Whether its time was up and the laboratory killed it.
    pub timed_out: bool,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
}

impl Finished {
    /// Standard output, then standard error.
    pub fn output(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }
}

/// A program that runs in a process group of its own, which dies with this value.
#[derive(Debug)]
pub(crate) struct Running {
    command: String,
    child: Child,
    ended: Option<ExitStatus>,
    stdout: File,
    stderr: File,
}

impl Running {
    /// Starts a program with no standard input and its output in unnamed files, which never
    /// fill up and never block it.
    pub(crate) fn start(command: &mut Command) -> Result<Self> {
        let stdout = tempfile::tempfile().during("make a file for a program's output")?;
        let stderr = tempfile::tempfile().during("make a file for a program's errors")?;
        let child = command
            .stdin(Stdio::null())
            .stdout(stdout.try_clone().during("share a program's output")?)
            .stderr(stderr.try_clone().during("share a program's errors")?)
            .process_group(0)
            .spawn()
            .map_err(|source| Error::Start {
                program: command.get_program().to_string_lossy().into_owned(),
                source,
            })?;
        Ok(Self {
            command: format!("{command:?}"),
            child,
            ended: None,
            stdout,
            stderr,
        })
    }

    /// The process id, which is also that of its process group.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether the program has ended. It is not reaped yet, so that its process group stays its
    /// own until the group is killed.
    pub(crate) fn has_ended(&self) -> Result<bool> {
        if self.ended.is_some() {
            return Ok(true);
        }
        let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
        let status = waitid(Id::Pid(self.group()), flags).during("wait for a program")?;
        Ok(status != WaitStatus::StillAlive)
    }

    /// Waits for the end; kills the program when `limit` has passed.
    pub(crate) fn wait(self, limit: Duration) -> Result<Finished> {
        let timed_out = !self.ends_within(limit)?;
        self.finish(timed_out)
    }

    /// Asks the program to end with SIGTERM, and kills it when it does not.
    pub(crate) fn terminate(self) -> Result<Finished> {
        // A program that has ended has nothing left to signal.
        let _ = killpg(self.group(), Signal::SIGTERM);
        let timed_out = !self.ends_within(GRACE)?;
        self.finish(timed_out)
    }

    /// Kills the program with SIGKILL.
    pub(crate) fn kill(self) -> Result<Finished> {
        self.finish(false)
    }

    /// Everything printed so far: standard output, then standard error.
    pub(crate) fn output(&self) -> Result<String> {
        Ok(format!(
            "{}{}",
            read_all(&self.stdout)?,
            read_all(&self.stderr)?
        ))
    }

    fn ends_within(&self, limit: Duration) -> Result<bool> {
        let until = Instant::now() + limit;
        while !self.has_ended()? {
            if Instant::now() >= until {
                return Ok(false);
            }
            thread::sleep(POLL);
        }
        Ok(true)
    }

    fn finish(mut self, timed_out: bool) -> Result<Finished> {
        let status = self.reap().during("wait for a program")?;
        let code = status
            .code()
            .unwrap_or_else(|| 128 + status.signal().unwrap_or(0));
        // An attacker that is not installed must not pass for one that found nothing.
        if code == NOT_FOUND {
            let source = std::io::Error::other(read_all(&self.stderr)?.trim().to_owned());
            return Err(Error::Start {
                program: std::mem::take(&mut self.command),
                source,
            });
        }
        Ok(Finished {
            code,
            timed_out,
            stdout: read_all(&self.stdout)?,
            stderr: read_all(&self.stderr)?,
        })
    }

    /// Kills what is left of the group, children of the program included, once.
    fn reap(&mut self) -> std::io::Result<ExitStatus> {
        if let Some(status) = self.ended {
            return Ok(status);
        }
        // The group exists: its leader has not been waited for. It may consist of a zombie only.
        let _ = killpg(self.group(), Signal::SIGKILL);
        let status = self.child.wait()?;
        self.ended = Some(status);
        Ok(status)
    }

    fn group(&self) -> Pid {
        Pid::from_raw(self.child.id().cast_signed())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Nothing can be done about a process that cannot be waited for.
        let _ = self.reap();
    }
}

/// Runs a program to its end, for at most `limit`.
pub(crate) fn run(command: &mut Command, limit: Duration) -> Result<Finished> {
    Running::start(command)?.wait(limit)
}

/// Runs a program that must succeed within ten seconds.
pub(crate) fn must(command: &mut Command) -> Result<String> {
    let finished = run(command, Duration::from_secs(10))?;
    if finished.code == 0 && !finished.timed_out {
        return Ok(finished.stdout);
    }
    Err(Error::Failed {
        command: format!("{command:?}"),
        output: finished.output(),
    })
}

/// Asks again and again until the answer is yes; says whether it came within `limit`.
pub(crate) fn wait_until(limit: Duration, mut ready: impl FnMut() -> Result<bool>) -> Result<bool> {
    let until = Instant::now() + limit;
    loop {
        if ready()? {
            return Ok(true);
        }
        if Instant::now() >= until {
            return Ok(false);
        }
        thread::sleep(POLL);
    }
}

/// Reads from the beginning without moving the offset, which the program writes at.
fn read_all(file: &File) -> Result<String> {
    let length = file.metadata().during("look at a program's output")?.len();
    let mut bytes = vec![0; usize::try_from(length).unwrap_or(usize::MAX)];
    file.read_exact_at(&mut bytes, 0)
        .during("read a program's output")?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn tells_code_and_output() {
        let finished = run(
            &mut shell("echo out; echo err >&2; exit 3"),
            Duration::from_secs(5),
        )
        .unwrap();
        assert_eq!((finished.code, finished.timed_out), (3, false));
        assert_eq!(finished.output(), "out\nerr\n");
    }

    #[test]
    fn time_is_bounded_and_children_die_too() {
        let begun = Instant::now();
        let finished = run(
            &mut shell("sleep 60 & echo $!; sleep 60"),
            Duration::from_millis(200),
        )
        .unwrap();
        assert!(finished.timed_out && begun.elapsed() < Duration::from_secs(5));
        let child = finished.stdout.trim().to_owned();
        let gone = wait_until(Duration::from_secs(5), || {
            let stat = std::fs::read_to_string(format!("/proc/{child}/stat"));
            Ok(stat.map_or(true, |stat| stat.contains(") Z ")))
        });
        assert!(gone.unwrap());
    }

    #[test]
    fn a_missing_program_names_the_remedy() {
        let error = run(&mut Command::new("/nonexistent/program"), POLL).unwrap_err();
        assert!(error.to_string().contains("run lab/setup.sh"));
        let error = run(&mut shell("exec /nonexistent/program"), GRACE).unwrap_err();
        assert!(error.to_string().contains("run lab/setup.sh"), "{error}");
    }
}
