//! Running other firewalls' own commands, those that only show something.

use std::ffi::OsStr;
use std::io::{self, Read};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// How long a command may take. FreePBX's needs seconds.
const PATIENCE: Duration = Duration::from_secs(60);
/// Bytes of its answer that are read.
const MOST: u64 = 16 << 20;

/// What a command prints on standard output, where it ends well.
///
/// # Errors
/// When it is not installed ([`io::ErrorKind::NotFound`]), fails, or takes longer than a minute.
pub fn output<S: AsRef<OsStr>>(
    program: &str,
    arguments: impl IntoIterator<Item = S>,
) -> io::Result<String> {
    let mut child = Command::new(program)
        .args(arguments)
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let Some(stdout) = child.stdout.take() else {
        return Err(io::ErrorKind::BrokenPipe.into());
    };
    let reader = thread::spawn(move || {
        let mut bytes = Vec::new();
        stdout.take(MOST).read_to_end(&mut bytes).map(|_| bytes)
    });
    let end = Instant::now() + PATIENCE;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if Instant::now() >= end {
            child.kill()?;
            child.wait()?;
            return Err(io::Error::new(
                io::ErrorKind::TimedOut,
                format!("{program} took longer than {} s", PATIENCE.as_secs()),
            ));
        }
        thread::sleep(Duration::from_millis(10));
    };
    if !status.success() {
        return Err(io::Error::other(format!("{program} failed: {status}")));
    }
    let bytes = reader
        .join()
        .unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_failures_and_what_is_missing() {
        assert_eq!(output("echo", ["a", "b"]).unwrap(), "a b\n");
        assert!(output("false", [""; 0]).is_err());
        let missing = output("/nonexistent/program", [""; 0]).unwrap_err();
        assert_eq!(missing.kind(), io::ErrorKind::NotFound);
    }
}
