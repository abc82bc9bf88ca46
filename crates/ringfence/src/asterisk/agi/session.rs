//! One session: who calls, what is said of it, and the variables that tell the dial plan.

use std::net::IpAddr;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader, ReadHalf, WriteHalf};
use tokio::time::timeout;

use super::environment::Environment;
use super::judge::{Judge, Verdict};
use super::lines::{Cutter, NoLine};
use super::peer;
use super::reply::Reply;

/// How long a step may take: the opening block, a command with its answer, the judge.
const STEP: Duration = Duration::from_secs(2);
/// Bytes of a value that are sent at most; Asterisk reads lines of 2 KiB.
const VALUE: usize = 512;

/// How a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The dial plan was told a verdict: whether the caller may call.
    Told {
        /// False: a stranger.
        ok: bool,
    },
    /// The dial plan was told that there is no verdict.
    Undecided,
}

/// Why a session was given up.
#[derive(Debug, thiserror::Error)]
pub(super) enum Broken {
    /// The stream gave no line.
    #[error(transparent)]
    NoLine(#[from] NoLine),
    /// A step took longer than two seconds.
    #[error("nothing came for two seconds")]
    Late,
    /// The call was hung up meanwhile.
    #[error("the call was hung up")]
    HungUp,
    /// Asterisk refused to set a variable.
    #[error("Asterisk refused to set a variable")]
    Refused,
}

impl From<tokio::time::error::Elapsed> for Broken {
    fn from(_: tokio::time::error::Elapsed) -> Self {
        Self::Late
    }
}

/// A session with Asterisk.
pub(super) struct Session<S> {
    reader: BufReader<ReadHalf<S>>,
    writer: WriteHalf<S>,
    cutter: Cutter,
    /// Begins every value that is asked for.
    mark: String,
    environment: Environment,
}

impl<S: AsyncRead + AsyncWrite> Session<S> {
    /// A session over a stream. `mark` is random, so that no caller knows it.
    pub(super) fn new(stream: S, mark: u64) -> Self {
        let (reader, writer) = tokio::io::split(stream);
        Self {
            reader: BufReader::new(reader),
            writer,
            cutter: Cutter::default(),
            mark: format!("rf{mark:016x}:"),
            environment: Environment::default(),
        }
    }

    /// Does what the dial plan asks: looks the caller up and sets the variables. Of names only those of `names` count.
    ///
    /// # Errors
    /// When the session ends or has to be ended before the dial plan was told.
    pub(super) async fn serve<J: Judge>(
        mut self,
        judge: &J,
        names: &[String],
    ) -> Result<Outcome, Broken> {
        timeout(STEP, self.open()).await??;
        let Some(address) = self.address().await? else {
            let technology = match self.environment.technology.as_str() {
                "" => "unknown",
                technology => technology,
            };
            let reason = format!("no address: a channel of {technology}");
            self.undecided(&reason).await?;
            return Ok(Outcome::Undecided);
        };
        let name = self.name(names).await?;
        match timeout(STEP, judge.judge(address, name)).await {
            Ok(Some(verdict)) => {
                self.tell(&verdict).await?;
                Ok(Outcome::Told { ok: verdict.ok })
            }
            Ok(None) | Err(_) => {
                self.set("RINGFENCE_VERDICT", "").await?;
                Ok(Outcome::Undecided)
            }
        }
    }

    /// Reads the opening block.
    async fn open(&mut self) -> Result<(), Broken> {
        loop {
            let line = self.cutter.next(&mut self.reader).await?;
            if line.is_empty() {
                self.environment.forged = !self.environment.is_whole();
                return Ok(());
            }
            self.environment.line(&line);
        }
    }

    /// The address that the call comes from: the channel's own, else the first argument.
    async fn address(&mut self) -> Result<Option<IpAddr>, Broken> {
        let items: &[&str] = match self.environment.technology.as_str() {
            "PJSIP" => &["${CHANNEL(pjsip,remote_addr)}"],
            "SIP" => &["${CHANNEL(recvip)}", "${CHANNEL(peerip)}"],
            "IAX2" => &["${CHANNEL(peerip)}"],
            _ => &[],
        };
        for item in items {
            if let Some(address) = peer::address(&self.ask(item).await?) {
                return Ok(Some(address));
            }
        }
        if items.is_empty() && self.environment.address.is_some() {
            // A caller who ended the block early shows up before the first answer.
            self.ask("").await?;
        }
        let argument = self.environment.address.as_deref();
        let believed = argument.filter(|_| !self.environment.forged);
        Ok(believed.and_then(peer::address))
    }

    /// The configured name that the caller says to be, if it says one.
    async fn name(&mut self, names: &[String]) -> Result<Option<String>, Broken> {
        if names.is_empty() {
            return Ok(None);
        }
        let argument = self.environment.name.take();
        let said = match (argument, self.environment.technology.as_str()) {
            (Some(name), _) if !self.environment.forged => name,
            (_, "PJSIP") => self.ask("${CHANNEL(pjsip,remote_uri)}").await?,
            (_, "SIP") => self.ask("${SIP_HEADER(From)}").await?,
            _ => return Ok(None),
        };
        let host = peer::host(&said);
        Ok(host.filter(|host| names.contains(host)))
    }

    /// What Asterisk makes of an expression. Every line before the one with the mark is the caller's, a HANGUP too.
    async fn ask(&mut self, expression: &str) -> Result<String, Broken> {
        let command = format!("GET FULL VARIABLE {}{expression}\n", self.mark);
        timeout(STEP, async {
            self.writer.write_all(command.as_bytes()).await?;
            loop {
                let line = self.cutter.next(&mut self.reader).await?;
                if let Reply::Done {
                    value: Some(value), ..
                } = Reply::of(&line)
                    && let Some(value) = value.strip_prefix(&self.mark)
                {
                    return Ok(value.to_owned());
                }
                self.environment.forged = true;
            }
        })
        .await?
        .map_err(|error: NoLine| error.into())
    }

    async fn tell(&mut self, verdict: &Verdict) -> Result<(), Broken> {
        let (word, stranger) = match verdict.ok {
            true => ("ok", "false"),
            false => ("stranger", "true"),
        };
        self.set("RINGFENCE_VERDICT", word).await?;
        self.set("STRANGER", stranger).await?;
        self.set("RINGFENCE_REASON", &verdict.reason).await?;
        self.set("RINGFENCE_COUNTRY", &verdict.country).await?;
        self.set("RINGFENCE_COUNTRY_NAME", &verdict.country_name)
            .await
    }

    async fn undecided(&mut self, reason: &str) -> Result<(), Broken> {
        self.set("RINGFENCE_VERDICT", "").await?;
        self.set("RINGFENCE_REASON", reason).await
    }

    /// Sets a variable of the channel.
    async fn set(&mut self, name: &str, value: &str) -> Result<(), Broken> {
        let command = format!("SET VARIABLE {name} {}\n", quoted(value));
        timeout(STEP, async {
            self.writer
                .write_all(command.as_bytes())
                .await
                .map_err(NoLine::from)?;
            loop {
                let line = self.cutter.next(&mut self.reader).await?;
                match Reply::of(&line) {
                    Reply::Done { .. } => return Ok(()),
                    Reply::HangUp => return Err(Broken::HungUp),
                    Reply::Refused(_) => return Err(Broken::Refused),
                    Reply::RefusalBegins | Reply::Other => {}
                }
            }
        })
        .await?
    }
}

/// A value as an argument of a command: between quotes, without control characters, cut where it is long.
fn quoted(value: &str) -> String {
    let mut argument = String::from("\"");
    for c in value.chars() {
        if argument.len() > VALUE {
            break;
        }
        match c {
            '"' | '\\' => argument.extend(['\\', c]),
            c if c.is_control() => argument.push(' '),
            c => argument.push(c),
        }
    }
    argument.push('"');
    argument
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What Asterisk makes of an argument between quotes (`parse_args` of res_agi).
    fn unquoted(argument: &str) -> String {
        let (mut value, mut escaped) = (String::new(), false);
        for c in argument.chars() {
            match c {
                '"' if !escaped => {}
                '\\' if !escaped => escaped = true,
                c => {
                    value.push(c);
                    escaped = false;
                }
            }
        }
        value
    }

    #[test]
    fn a_value_is_one_argument_on_one_line() {
        assert_eq!(quoted(""), "\"\"");
        assert_eq!(quoted("a \"b\" \\c\n"), "\"a \\\"b\\\" \\\\c \"");
        assert!(quoted(&"x".repeat(10_000)).len() < 600);
    }

    proptest! {
        #[test]
        fn asterisk_reads_what_was_meant(value in "(.|\n|\"|\\\\){0,100}") {
            let argument = quoted(&value);
            prop_assert!(!argument.contains(|c: char| c.is_control()));
            let plain: String = value.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
            prop_assert_eq!(unquoted(&argument), plain);
        }
    }
}
