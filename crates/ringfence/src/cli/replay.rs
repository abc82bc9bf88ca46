//! `ringfence replay`: what the policy says of each packet of a capture.

mod direction;
mod ends;
mod learned;

use std::collections::BTreeMap;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use jiff::Timestamp;
use ringfence_core::packet::Link;
use ringfence_core::reason::Action;
use ringfence_core::verdict::Verdict;
use serde::Serialize;
use serde_json::json;

pub(super) use direction::{Direction, Host};
pub(super) use learned::Learned;

use super::{FAILED, Format, Global, message, offline};
use crate::capture::{self, Capture, Packet};
use crate::engine::memory::Memory;
use crate::tables::Inputs;

/// Bytes of a capture above which a terminal is shown how far it is.
const LARGE: u64 = 8 << 20;

/// Judge the packets of a capture.
///
/// The verdict is the policy's, whatever the mode; the clock is the capture's. Whoever is trusted
/// now, as far as the store can be read, is so when the capture begins. Without an interface no
/// private address is a neighbour: each meets the policy as a stranger does. What the host itself
/// sends is learned from, as on its interfaces: who registers, who answers it, which calls are up.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:\n  ringfence replay attack.pcap\n  \
    ringfence replay attack.pcapng --config new.toml --format json\n  \
    ringfence replay day.pcap --host 198.51.100.5 --host 2001:db8::5\n\n\
    Exit codes: 0 all of it was read, 1 it is damaged or cut short, 2 usage.")]
pub struct Args {
    /// A pcap or pcapng file
    pub file: PathBuf,
    /// The host
    #[command(flatten)]
    pub host: Host,
}

/// What is said of one packet.
#[derive(Serialize)]
struct Line<'a> {
    n: u64,
    time: f64,
    src: Option<String>,
    src_port: Option<u16>,
    dst: Option<String>,
    dst_port: Option<u16>,
    proto: String,
    service: Option<&'a str>,
    message: String,
    country: Option<&'static str>,
    verdict: &'static str,
    reason: &'static str,
    detail: String,
    #[serde(skip)]
    nanoseconds: u64,
}

/// Does it.
///
/// # Errors
/// When the capture, the configuration or the country data cannot be read.
pub fn run(args: Args, global: &Global) -> anyhow::Result<ExitCode> {
    let config = offline::config(global)?;
    let inputs = Inputs {
        networks: Inputs::networks(&config, &offline::systems(&config)?),
        ..Inputs::default()
    };
    let mut memory = offline::memory(global, &config, &inputs)?;
    let mut trust = offline::Trust::read(global, &config);
    let mut capture = Capture::open(&args.file)?;
    let direction = Direction::new(&args.host, &args.file, memory.policy());
    let mut out = BufWriter::new(io::stdout().lock());
    let bar = progress(capture.progress().total);
    let mut counts = Counts::default();
    let mut damage = None;
    if global.format == Format::Text {
        heading(&mut out)?;
    }
    loop {
        if counts.packets.is_multiple_of(1024) {
            bar.set_position(capture.progress().read);
        }
        let packet = match capture.next_packet() {
            None => break,
            Some(Ok(packet)) => packet,
            Some(Err(error)) => {
                damage = Some(error);
                break;
            }
        };
        trust.give(&mut memory, packet.time);
        let line = line(&mut memory, &direction, &packet);
        counts.add(&line);
        if global.format == Format::Json {
            serde_json::to_writer(&mut out, &line).map_err(io::Error::from)?;
            writeln!(out)?;
        } else {
            row(&mut out, &line)?;
        }
    }
    bar.finish_and_clear();
    counts.write(&mut out, global.format, &Learned::of(&memory))?;
    out.flush()?;
    match damage {
        None => Ok(ExitCode::SUCCESS),
        Some(error) => {
            writeln!(io::stderr(), "ringfence: {}: {error}", args.file.display())?;
            Ok(ExitCode::from(FAILED))
        }
    }
}

/// What became of a packet.
pub(super) enum Outcome {
    /// It came in.
    Judged(Verdict),
    /// The host sent it: its ends, and whether it may leave.
    Sent(Verdict, Action),
}

/// Puts a packet of a capture before the judge, or lets it learn from it.
pub(super) fn judge(memory: &mut Memory, direction: &Direction, packet: &Packet<'_>) -> Outcome {
    let (link, frame) = frame(packet);
    match direction.leaves(link, frame) {
        Some(ends) => Outcome::Sent(ends, memory.judge_leaving(packet.time, link, frame)),
        None => Outcome::Judged(memory.judge(packet.time, 31, link, frame)),
    }
}

/// A packet in one of the two forms that the judge reads. Cooked headers are left out; one that
/// names no IP is given as an empty Ethernet header, which is no IP either.
pub(super) fn frame<'p>(packet: &Packet<'p>) -> (Link, &'p [u8]) {
    const NO_IP: &[u8] = &[0; 14];
    match packet.link {
        capture::Link::Ethernet => (Link::Ethernet, packet.data),
        capture::Link::RawIp => (Link::RawIp, packet.data),
        capture::Link::Cooked {
            protocol: 0x0800 | 0x86dd,
            ..
        } => (Link::RawIp, packet.after_link()),
        capture::Link::Cooked { .. } | capture::Link::Unsupported(_) => (Link::Ethernet, NO_IP),
    }
}

fn line<'a>(memory: &'a mut Memory, direction: &Direction, packet: &Packet<'_>) -> Line<'a> {
    let (_, frame) = frame(packet);
    let outcome = judge(memory, direction, packet);
    let memory = &*memory;
    let (verdict, action, reason, mut detail) = match outcome {
        Outcome::Judged(verdict) => {
            let reason = verdict.reason();
            let detail = reason.detail().to_owned();
            (verdict, reason.action(), reason.name(), detail)
        }
        Outcome::Sent(ends, action) => (ends, action, SENT, sent(action).to_owned()),
    };
    let source = message::ip(verdict.source).filter(|_| has_ip(&verdict));
    let port = |port: u16| (port != 0).then_some(port);
    let signature = memory.names().signature(verdict.signature);
    if !signature.is_empty() {
        detail = format!("{detail}: {signature}");
    }
    if packet.original_len as usize > packet.data.len() {
        detail.push_str(" (the capture holds a part of the packet)");
    }
    Line {
        n: packet.n,
        time: packet.time as f64 / 1e9,
        src: source.map(|ip| ip.to_string()),
        src_port: port(verdict.source_port),
        dst: message::ip(verdict.destination)
            .filter(|_| has_ip(&verdict))
            .map(|ip| ip.to_string()),
        dst_port: port(verdict.destination_port),
        proto: message::protocol(verdict.protocol),
        service: Some(memory.names().service(verdict.service)).filter(|name| !name.is_empty()),
        message: message::name(&verdict, frame),
        country: source.map(|_| memory.country(verdict.source).code()),
        verdict: word(action),
        reason,
        detail,
        nanoseconds: packet.time,
    }
}

/// In the place of a reason: the host sent it.
pub(super) const SENT: &str = "sent";

/// What is said of a packet that the host sends.
pub(super) fn sent(action: Action) -> &'static str {
    match action {
        Action::Pass => "the host sent it",
        Action::Drop => "the host sent it on a connection that was dropped",
    }
}

/// Whether an IP header was read at all.
fn has_ip(verdict: &Verdict) -> bool {
    verdict.source.words() != [0; 2] || verdict.destination.words() != [0; 2]
}

/// The word for what becomes of a packet.
pub(super) fn word(action: Action) -> &'static str {
    match action {
        Action::Pass => "pass",
        Action::Drop => "drop",
    }
}

fn heading(out: &mut impl Write) -> io::Result<()> {
    writeln!(
        out,
        "{:>6}  {:15}  {:>28}  {:5}  {:12}  {:2}  {:4}  {:11}  detail",
        "n", "time", "source", "proto", "message", "cc", "does", "reason"
    )
}

fn row(out: &mut impl Write, line: &Line<'_>) -> io::Result<()> {
    let time = Timestamp::from_nanosecond(i128::from(line.nanoseconds)).map_or_else(
        |_| String::new(),
        |time| time.strftime("%T.%6f").to_string(),
    );
    let source = match (&line.src, line.src_port) {
        (Some(src), Some(port)) if src.contains(':') => format!("[{src}]:{port}"),
        (Some(src), Some(port)) => format!("{src}:{port}"),
        (src, _) => src.clone().unwrap_or_default(),
    };
    writeln!(
        out,
        "{:>6}  {time:15}  {source:>28}  {:5}  {:12}  {:2}  {:4}  {:11}  {}",
        line.n,
        line.proto,
        line.message,
        line.country.unwrap_or("-"),
        line.verdict,
        line.reason,
        line.detail
    )
}

/// Packets by verdict and by reason.
#[derive(Default)]
struct Counts {
    packets: u64,
    verdicts: BTreeMap<&'static str, u64>,
    reasons: BTreeMap<&'static str, u64>,
}

impl Counts {
    fn add(&mut self, line: &Line<'_>) {
        self.packets += 1;
        *self.verdicts.entry(line.verdict).or_default() += 1;
        *self.reasons.entry(line.reason).or_default() += 1;
    }

    fn write(&self, out: &mut impl Write, format: Format, learned: &Learned) -> io::Result<()> {
        let of = |verdict| self.verdicts.get(verdict).copied().unwrap_or(0);
        let (pass, drop) = (of("pass"), of("drop"));
        if format == Format::Json {
            let summary = json!({ "summary": {
                "packets": self.packets,
                "verdict": { "pass": pass, "drop": drop },
                "reason": self.reasons,
                "learned": learned,
            }});
            return writeln!(out, "{summary}");
        }
        writeln!(out, "\n{} packets: {pass} pass, {drop} drop", self.packets)?;
        for (reason, count) in &self.reasons {
            writeln!(out, "{count:>10}  {reason}")?;
        }
        if self.reasons.contains_key(SENT) {
            writeln!(out, "learned from what the host sent: {learned}")?;
        }
        Ok(())
    }
}

/// A bar on standard error: for a large capture, on a terminal, where the rows go elsewhere.
fn progress(total: Option<u64>) -> ProgressBar {
    let Some(total) = total.filter(|total| *total >= LARGE) else {
        return ProgressBar::hidden();
    };
    if !io::stderr().is_terminal() || io::stdout().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr());
    if let Ok(style) = ProgressStyle::with_template("{wide_bar} {bytes}/{total_bytes} {eta}") {
        bar.set_style(style);
    }
    bar
}
