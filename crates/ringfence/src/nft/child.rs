//! Runs `nft` within a time limit.

use std::ffi::OsStr;
use std::io::{self, ErrorKind, Read, Write};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::NftError;

/// Where `nft` is found, whatever the environment.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// The longest listing that is read, in bytes: the sets of all countries take about 30 MB.
const LISTING: u64 = 256 << 20;
/// The longest message that is read, in bytes.
const MESSAGE: u64 = 64 << 10;
/// How often it is looked whether it has ended.
const LOOK: Duration = Duration::from_millis(5);

/// Runs the program with `input` on its standard input, and gives what it wrote.
pub(super) fn run(
    program: &Path,
    words: &[&str],
    input: &str,
    limit: Duration,
) -> Result<String, NftError> {
    let mut child = Command::new(program)
        .args(words.iter().map(OsStr::new))
        .env_clear()
        .env("PATH", PATH)
        .env("LC_ALL", "C")
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| match error.kind() {
            ErrorKind::NotFound => NftError::Missing,
            _ => NftError::Run(error),
        })?;
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    // Each end has a thread of its own: `nft` may write before it has read everything. With the child they end, too.
    let (status, said, complaint) = thread::scope(|scope| {
        scope.spawn(move || {
            if let Some(mut stdin) = stdin {
                // Who does not read to the end says why.
                let _ = stdin.write_all(input.as_bytes());
            }
        });
        let said = scope.spawn(move || read(stdout, LISTING));
        let complaint = scope.spawn(move || read(stderr, MESSAGE));
        let status = wait(&mut child, limit);
        let gathered = |thread: thread::ScopedJoinHandle<'_, io::Result<Vec<u8>>>| {
            thread.join().unwrap_or_else(|_| Ok(Vec::new()))
        };
        (status, gathered(said), gathered(complaint))
    });
    let Some(status) = status? else {
        return Err(NftError::Late(limit));
    };
    if !status.success() {
        return Err(NftError::from_said(&String::from_utf8_lossy(&complaint?)));
    }
    String::from_utf8(said?)
        .map_err(|error| NftError::Run(io::Error::new(ErrorKind::InvalidData, error)))
}

/// Waits for the end; None where it had to be killed.
fn wait(child: &mut Child, limit: Duration) -> io::Result<Option<ExitStatus>> {
    let end = Instant::now() + limit;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() >= end {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        thread::sleep(LOOK);
    }
}

/// Reads to the end, and keeps so many bytes.
fn read(from: Option<impl Read>, most: u64) -> io::Result<Vec<u8>> {
    let mut kept = Vec::new();
    if let Some(mut from) = from {
        from.by_ref().take(most).read_to_end(&mut kept)?;
        io::copy(&mut from, &mut io::sink())?;
    }
    Ok(kept)
}
