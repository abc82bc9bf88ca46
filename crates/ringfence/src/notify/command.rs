//! Notices to a command of the user's.

use std::process::{ExitStatus, Stdio};
use std::sync::Mutex;
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use super::letter::Letter;
use super::way::Undelivered;
use crate::config::NotifyCommand;

/// How long a command may run.
const WHOLE: Duration = Duration::from_secs(30);
/// How long its output is waited for after its end: what it started may hold it open.
const GRACE: Duration = Duration::from_millis(500);
/// So much of what it says on standard error is kept, in bytes.
const KEPT: usize = 512;
/// Where it finds programs, whatever the daemon's own environment.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// One program.
#[derive(Debug)]
pub(super) struct CommandWay {
    config: NotifyCommand,
    whole: Duration,
}

impl CommandWay {
    pub(super) fn new(config: NotifyCommand) -> Self {
        Self {
            config,
            whole: WHOLE,
        }
    }

    /// The same with another time limit.
    #[cfg(test)]
    pub(super) fn within(config: NotifyCommand, whole: Duration) -> Self {
        Self { config, whole }
    }

    pub(super) fn name(&self) -> String {
        format!("command {}", self.program())
    }

    fn program(&self) -> &str {
        self.config.run.first().map_or("", String::as_str)
    }

    /// Runs the command with the letter on its standard input; an exit code of 0 takes it.
    pub(super) async fn deliver(&self, letter: &Letter) -> Result<(), Undelivered> {
        let program = self.program();
        let mut child = self.command(letter).spawn().map_err(|error| {
            Undelivered::for_good(format!("{program} cannot be started: {error}"))
        })?;
        let said = Mutex::new(Vec::new());
        match run(&mut child, letter.json.as_bytes(), self.whole, &said).await {
            Ok(Some(status)) if status.success() => Ok(()),
            Ok(Some(status)) => {
                let said = said.into_inner().unwrap_or_default();
                let said = String::from_utf8_lossy(&said).trim().to_owned();
                let joint = if said.is_empty() { "" } else { ": " };
                Err(Undelivered::for_now(format!(
                    "{program} ended with {status}{joint}{said}"
                )))
            }
            Ok(None) => {
                let limit = self.whole.as_secs();
                Err(Undelivered::for_now(format!(
                    "{program} ran for {limit} s and was killed"
                )))
            }
            Err(error) => Err(Undelivered::for_now(format!("{program}: {error}"))),
        }
    }

    /// The daemon's environment may hold secrets: none of it is handed on.
    fn command(&self, letter: &Letter) -> Command {
        let mut command = Command::new(self.program());
        command
            .args(self.config.run.iter().skip(1))
            .env_clear()
            .env("PATH", PATH)
            .env("RINGFENCE_KIND", &letter.kind)
            .env("RINGFENCE_HOST", &letter.host)
            .env("RINGFENCE_TIME", &letter.time)
            .env("RINGFENCE_SOURCE", &letter.source)
            .env("RINGFENCE_SUMMARY", &letter.summary)
            .env("RINGFENCE_TEXT", &letter.text)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        command
    }
}

/// Feeds a child and waits for its end; None when its time was over and it was killed with all that it started.
async fn run(
    child: &mut Child,
    input: &[u8],
    whole: Duration,
    said: &Mutex<Vec<u8>>,
) -> std::io::Result<Option<ExitStatus>> {
    let group = child.id().and_then(|id| i32::try_from(id).ok());
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let nothing = Mutex::new(Vec::new());
    let talk = async {
        let feed = async {
            if let Some(mut stdin) = stdin {
                // Who does not read has heard enough.
                let _ = stdin.write_all(input).await;
            }
        };
        tokio::join!(feed, drain(stdout, &nothing, 0), drain(stderr, said, KEPT));
    };
    tokio::pin!(talk);
    let mut silent = false;
    let ended = timeout(whole, async {
        loop {
            tokio::select! {
                status = child.wait() => break status,
                () = &mut talk, if !silent => silent = true,
            }
        }
    })
    .await;
    let Ok(status) = ended else {
        if let Some(group) = group {
            // It may have ended just now.
            let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
        }
        child.wait().await?;
        return Ok(None);
    };
    if !silent {
        let _ = timeout(GRACE, talk).await;
    }
    status.map(Some)
}

/// Reads to the end and keeps the first `most` bytes.
async fn drain(from: Option<impl AsyncRead + Unpin>, kept: &Mutex<Vec<u8>>, most: usize) {
    let Some(mut from) = from else { return };
    let mut buffer = [0; 4096];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        if let Ok(mut kept) = kept.lock() {
            let room = most.saturating_sub(kept.len());
            let read = buffer.get(..length.min(room)).unwrap_or_default();
            kept.extend_from_slice(read);
        }
    }
}
