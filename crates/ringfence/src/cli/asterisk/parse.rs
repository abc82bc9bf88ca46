//! `ringfence asterisk parse`: what is understood of a log or of a recorded manager stream.

use std::fs::File;
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;

use super::super::{Format, Global, Usage};
use super::parsed::Parsed;
use crate::asterisk::ami::{Framed, Framing, Sieve, Sifted};
use crate::asterisk::security::{Event, Sight, What};
use crate::logs::{By, Counts, LONGEST, Lines, Of, Reading, Says, Told};

/// Which log.
#[derive(Debug, clap::Args)]
#[command(
    after_long_help = "Examples:\n  ringfence asterisk parse --log /var/log/asterisk/security\n  \
    ringfence asterisk parse --log freeswitch.log --of freeswitch\n  \
    ringfence asterisk parse --log - --patterns my.toml --format json\n  \
    ringfence asterisk parse --ami stream.rx\n\n\
    Each attempt is shown once, however many lines tell of it. The whole is read\n\
    as if it came at once; the daemon forgets attempts after 64 seconds."
)]
pub struct Args {
    /// A log; - for standard input
    #[arg(long, value_name = "FILE", required_unless_present = "ami")]
    log: Option<PathBuf>,
    /// Bytes of a manager connection as they were received
    #[arg(long, value_name = "FILE", conflicts_with_all = ["log", "patterns"])]
    ami: Option<PathBuf>,
    /// Whose lines the log has
    #[arg(long, value_enum, default_value = "asterisk")]
    of: Of,
    /// Own patterns in place of those of --of
    #[arg(long, value_name = "FILE", conflicts_with = "of")]
    patterns: Option<PathBuf>,
}

/// Shows it.
///
/// # Errors
/// When the file or the patterns cannot be read.
pub fn run(args: Args, global: &Global) -> anyhow::Result<ExitCode> {
    let out = io::stdout().lock();
    if let Some(path) = &args.ami {
        stream(open(path)?, out, global.format)?;
    } else if let Some(path) = &args.log {
        let by = args.patterns.map_or(By::Of(args.of), By::File);
        let patterns = by.patterns().map_err(|e| Usage(e.to_string()))?;
        log(open(path)?, Reading::new(patterns), out, global.format)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn open(path: &Path) -> anyhow::Result<Box<dyn Read>> {
    if path.as_os_str() == "-" {
        return Ok(Box::new(io::stdin().lock()));
    }
    let file = File::open(path).with_context(|| {
        let path = path.display();
        format!("cannot read {path}; name a file that is there, or - for standard input")
    })?;
    Ok(Box::new(file))
}

/// Reads all of it in pieces.
fn pieces(
    mut from: impl Read,
    mut take: impl FnMut(&[u8]) -> io::Result<()>,
) -> anyhow::Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let count = match from.read(&mut buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            read => read.context("cannot read on")?,
        };
        match buffer.get(..count) {
            Some(bytes) if !bytes.is_empty() => take(bytes)?,
            _ => return Ok(()),
        }
    }
}

fn log(
    from: impl Read,
    mut reading: Reading,
    out: impl Write,
    format: Format,
) -> anyhow::Result<()> {
    let mut parsed = Parsed::new(out, format);
    let mut lines = Lines::new(LONGEST, true);
    // What a callback cannot give back.
    let mut failed = Ok(());
    let mut tell = |told: Told<'_>| match told {
        Told::Line { number, text, says } => match says {
            Says::Sight { id, sight } => {
                let told = parsed.sight(number, event_of(id, text), &sight);
                failed = std::mem::replace(&mut failed, Ok(())).and(told);
            }
            Says::Doubtful { .. } => parsed.doubtful(number, text),
            Says::Unknown => parsed.unknown(number, text),
            Says::Nothing { .. } => {}
        },
        Told::Forged {
            number,
            lines,
            source,
        } => {
            parsed.doubtful(number, &forged(lines, "lines", source));
        }
    };
    pieces(from, |bytes| {
        lines.read(bytes, |line| reading.line(line, &mut tell));
        Ok(())
    })?;
    lines.end(|line| reading.line(line, &mut tell));
    reading.pause(&mut tell);
    failed?;
    parsed.finish(reading.counts(), "lines")?;
    Ok(())
}

/// The name of the security event, or of the pattern.
fn event_of<'t>(id: &'t str, text: &'t str) -> &'t str {
    let event = text.split_once("SecurityEvent=\"");
    let name = event.and_then(|(_, rest)| rest.split_once('"'));
    match name {
        Some((name, _)) if id == "asterisk-security-event" => name,
        _ => id,
    }
}

/// A recording has no quiet spells: up to 8 KiB that stand before a forgery are discarded with it.
fn stream(from: impl Read, out: impl Write, format: Format) -> anyhow::Result<()> {
    let mut parsed = Parsed::new(out, format);
    let (mut framing, mut counts) = (Framing::default(), Counts::default());
    // Nobody knows whether Asterisk dropped events where this was recorded, nor what the answers were called.
    let mut sieve = Sieve::new("", false);
    let mut done = Ok(());
    let mut tell = |counts: &mut Counts, sifted| {
        let told = block(sifted, counts, &mut parsed);
        done = std::mem::replace(&mut done, Ok(())).and(told);
    };
    pieces(from, |bytes| {
        framing.read(bytes, |framed| {
            counts.lines += u64::from(!matches!(framed, Framed::Greeting(_)));
            match framed {
                Framed::Greeting(_) => {}
                Framed::Message(message) => sieve.take(message, |one| tell(&mut counts, one)),
                Framed::TooLong => sieve.skip(|one| tell(&mut counts, one)),
            }
        });
        Ok(())
    })?;
    sieve.finish(framing.within_rest(), |one| tell(&mut counts, one));
    done?;
    let told = counts.counted + counts.doubtful + counts.forged;
    counts.nothing = counts.lines.saturating_sub(told);
    parsed.finish(counts, "blocks")?;
    Ok(())
}

fn block(sifted: Sifted, counts: &mut Counts, parsed: &mut Parsed<impl Write>) -> io::Result<()> {
    let (number, message) = match sifted {
        Sifted::Message { number, message } => (number, message),
        Sifted::Forged {
            number,
            blocks,
            source,
        } => {
            counts.forged += blocks;
            parsed.doubtful(number, &forged(blocks, "blocks", source));
            return Ok(());
        }
    };
    let name = message.event().unwrap_or_default();
    match Event::of_message(&message) {
        Ok(event) => match event.and_then(|event| Sight::of_event(&event)) {
            Some(sight) => {
                counts.counted += u64::from(sight.what != What::Challenged);
                parsed.sight(number, name, &sight)
            }
            None => Ok(()),
        },
        Err(why) => {
            counts.doubtful += 1;
            parsed.doubtful(number, &format!("{name}: {why}"));
            Ok(())
        }
    }
}

/// So many lines or blocks were forged.
fn forged(count: u64, unit: &str, source: Option<SocketAddr>) -> String {
    let whose = source.map_or_else(|| "an unknown sender".into(), |s| s.to_string());
    format!("{count} {unit} forged by a name of {whose}")
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/asterisk/");

    fn asterisk() -> Reading {
        Reading::new(By::Of(Of::Asterisk).patterns().unwrap())
    }

    fn of_log(name: &str, format: Format) -> String {
        let mut out = Vec::new();
        let path = format!("{FIXTURES}{name}");
        log(
            open(Path::new(&path)).unwrap(),
            asterisk(),
            &mut out,
            format,
        )
        .unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn people_see_each_attempt_once_and_what_was_not_understood() {
        let shown = of_log("log-formats/iso-ms-messages-and-security.log", Format::Text);
        let failure = "failure        203.0.113.6:5060          pjsip-refused-answer";
        assert_eq!(shown.matches(failure).count(), 1, "{shown}");
        assert!(shown.contains("\nAttempts: 1 authenticated, 3 failure, 3 probe, 1 refused\n"));
        assert!(shown.contains("Not understood, the first"), "{shown}");
        assert!(shown.contains("Asterisk 22.10.1 built by root"), "{shown}");
    }

    #[test]
    fn programs_get_an_object_for_each_attempt_and_the_summary_last() {
        let shown = of_log(
            "events/05-register-unknown-account.security.log",
            Format::Json,
        );
        let objects: Vec<Value> = shown
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let [failure, summary] = objects.as_slice() else {
            panic!("{shown}")
        };
        assert_eq!(failure["counts_as"], "failure");
        assert_eq!(failure["event"], "ChallengeResponseFailed");
        assert_eq!(failure["source"], "203.0.113.7");
        assert_eq!(failure["account"], "9999");
        assert_eq!(failure["line"], 5);
        assert_eq!(summary["summary"]["counts"]["lines"], 5);
        assert_eq!(summary["summary"]["attempts"]["failure"], 1);
    }

    #[test]
    fn a_recorded_stream_is_read_as_a_log_is() {
        let path = format!("{FIXTURES}events/10-invite-unknown-account-toll-fraud.rx");
        let mut out = Vec::new();
        stream(open(Path::new(&path)).unwrap(), &mut out, Format::Text).unwrap();
        let shown = String::from_utf8(out).unwrap();
        assert!(shown.contains("Attempts: 3 probe\n"), "{shown}");
        assert_eq!(shown.matches("InvalidAccountID").count(), 3, "{shown}");
    }

    /// An event of a caller without an account, as Asterisk writes it.
    fn invalid(account: &str, source: &str) -> String {
        format!(
            "Event: InvalidAccountID\r\nPrivilege: security,all\r\nEventTV: 2026-11-21T02:06:16.801+0000\r\n\
             Severity: Error\r\nService: PJSIP\r\nEventVersion: 1\r\nAccountID: {account}\r\nSessionID: 5-1\r\n\
             LocalAddress: IPV4/UDP/192.0.2.10/5060\r\nRemoteAddress: IPV4/UDP/{source}/5060\r\n\r\n"
        )
    }

    #[test]
    fn what_a_name_forged_in_a_stream_is_counted_and_no_attempt() {
        let victim = invalid("1001", "198.51.100.77");
        let name = format!("x\r\nSessionID: s\r\n\r\n{victim}{victim}y");
        let before = invalid("1", "203.0.113.8").repeat(100);
        let recorded = format!("{before}{}{before}", invalid(&name, "203.0.113.9"));
        let mut out = Vec::new();
        stream(recorded.as_bytes(), &mut out, Format::Text).unwrap();
        let shown = String::from_utf8(out).unwrap();
        assert!(!shown.contains("198.51.100.77"), "{shown}");
        assert!(
            shown.contains("forged by a name of 203.0.113.9:5060"),
            "{shown}"
        );
        // The head, two forged events and the rest; what stands close before them cannot be told from forged.
        let close = 8 * 1024 / invalid("1", "203.0.113.8").len() as u64;
        let forged = shown.split_once(" are doubtful, ").unwrap().1;
        let forged: u64 = forged.split_once(" forged").unwrap().0.parse().unwrap();
        assert!((4..=5 + close).contains(&forged), "{shown}");
        let counted = 200 + 4 - forged;
        assert!(
            shown.contains(&format!(
                "\n204 blocks: {counted} say something that counts, 0 nothing"
            )),
            "{shown}"
        );
    }

    #[test]
    fn a_doubtful_event_does_not_show_the_answer() {
        let text = "[Nov 21 02:06:11] SECURITY[1] res_security_log.c: SecurityEvent=\"ChallengeResponseFailed\",\
                    Service=\"PJSIP\",AccountID=\"1006\",SessionID=\"s\",LocalAddress=\"\",Response=\"5bec\",\
                    RemoteAddress=\"IPV4/UDP/203.0.113.6/5060\"\n";
        let mut out = Vec::new();
        log(text.as_bytes(), asterisk(), &mut out, Format::Json).unwrap();
        let shown = String::from_utf8(out).unwrap();
        assert!(shown.contains("\"doubtful\":[{"), "{shown}");
        assert!(!shown.contains("5bec"), "{shown}");
    }

    #[test]
    fn a_terminal_obeys_nothing_of_a_log() {
        let text = "\u{1b}]0;x\u{7}\n[Nov 21 02:06:11] NOTICE[1] chan_iax2.c: No registration for peer \
                    '\u{1b}[2J' (from 203.0.113.7)\n";
        let mut out = Vec::new();
        log(text.as_bytes(), asterisk(), &mut out, Format::Text).unwrap();
        let shown = String::from_utf8(out).unwrap();
        assert!(shown.contains("iax2-unknown-peer"), "{shown}");
        assert!(!shown.contains(['\u{1b}', '\u{7}']), "{shown:?}");
    }
}
