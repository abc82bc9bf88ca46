//! `ringfence explain`: each step of a judgement, as the judge itself took it.

use std::io::{self, Write};
use std::net::IpAddr;
use std::path::Path;
use std::process::ExitCode;

use ringfence_core::bench::{Cause, Listed, Trace, list_flags};
use ringfence_core::feed::FeedAction;
use ringfence_core::limit::State;
use ringfence_core::packet::Link;
use ringfence_core::policy::Admission;
use ringfence_core::trust::level;
use ringfence_core::verdict::Verdict;
use serde_json::json;

use super::offline::Said;
use super::{Format, Global, Usage, lookup, message, offline, replay};
use crate::capture::Capture;
use crate::country::country_name;
use crate::engine::memory::Memory;
use crate::store::ListKind;
use crate::tables::Inputs;
use replay::Direction;

/// Show each step of a judgement.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:\n  ringfence explain 192.0.2.7\n  \
    ringfence explain --pcap attack.pcap:17\n  ringfence explain --packet 4500002c...")]
#[command(group(clap::ArgGroup::new("what").required(true)))]
pub struct Args {
    /// What a typical packet of this address meets at each service
    #[arg(value_name = "ADDRESS", group = "what")]
    pub address: Option<String>,
    /// A packet as hexadecimal: an Ethernet frame or an IP packet
    #[arg(long, value_name = "HEX", group = "what")]
    pub packet: Option<String>,
    /// Packet N of a capture, with all before it already judged
    #[arg(long, value_name = "FILE:N", group = "what")]
    pub pcap: Option<String>,
    /// The host of the capture
    #[command(flatten)]
    pub host: replay::Host,
}

/// Does it.
///
/// # Errors
/// When there is no such packet, or the configuration or country data cannot be read.
pub fn run(args: Args, global: &Global) -> anyhow::Result<ExitCode> {
    let config = offline::config(global)?;
    let said = Said::read(global, &config);
    let inputs = said.inputs(&config)?;
    let mut memory = offline::memory(global, &config, &inputs)?;
    let mut trust = offline::Trust::read(global, &config);
    let explain = |memory: &mut Memory, now, link, frame: &[u8]| {
        let mut trace = Vec::new();
        let verdict = memory.judge_traced(now, 31, link, frame, &mut trace);
        tell(global.format, memory, &inputs, &verdict, frame, &trace)
    };
    let now = 86_400_000_000_000;
    if args.pcap.is_none() {
        trust.give(&mut memory, now);
    }
    if let Some(text) = &args.address {
        let wrong = || {
            Usage(format!(
                "`{text}` is no address; write one such as 192.0.2.7"
            ))
        };
        let ip: IpAddr = lookup::parse(text).ok_or_else(wrong)?;
        if said.bans(ip) {
            let ban = offline::manual_ban(u64::MAX);
            memory.ban(crate::tables::address(ip), &ban);
        }
        for service in &config.services {
            if let Some(packet) = lookup::typical(&config, service, ip) {
                explain(&mut memory, now, Link::RawIp, &packet)?;
            }
        }
    } else if let Some(text) = &args.packet {
        let bytes = hexadecimal(text)
            .ok_or_else(|| Usage("--packet takes pairs of hexadecimal digits".into()))?;
        explain(&mut memory, now, link(&bytes), &bytes)?;
    } else if let Some(text) = &args.pcap {
        let place = text.rsplit_once(':');
        let (file, wanted) = place
            .and_then(|(file, n)| Some((file, n.parse::<u64>().ok().filter(|n| *n > 0)?)))
            .ok_or_else(|| Usage("--pcap takes FILE:N, with N from 1".into()))?;
        let file = Path::new(file);
        let mut capture = Capture::open(file)?;
        let direction = Direction::new(&args.host, file, memory.policy());
        loop {
            let Some(packet) = capture.next_packet() else {
                anyhow::bail!("{} has no packet {wanted}", file.display());
            };
            let packet = packet?;
            trust.give(&mut memory, packet.time);
            if packet.n == wanted {
                let (link, frame) = replay::frame(&packet);
                if direction.leaves(link, frame).is_some() {
                    anyhow::bail!(
                        "packet {wanted} is one that the host sends: nothing is asked of it"
                    );
                }
                explain(&mut memory, packet.time, link, frame)?;
                break;
            }
            replay::judge(&mut memory, &direction, &packet);
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn hexadecimal(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> = text
        .chars()
        .filter(|c| !c.is_whitespace() && *c != ':')
        .map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
        .collect::<Option<_>>()?;
    let (pairs, rest) = digits.as_chunks::<2>();
    (rest.is_empty() && !pairs.is_empty())
        .then(|| pairs.iter().map(|[high, low]| high << 4 | low).collect())
}

/// Ethernet where the EtherType stands in its place; else what begins as an IP header is one.
fn link(bytes: &[u8]) -> Link {
    let ethernet = matches!(
        bytes.get(12..14),
        Some([0x08, 0x00] | [0x86, 0xdd] | [0x81, 0x00] | [0x88, 0xa8])
    );
    match bytes.first() {
        Some(first) if !ethernet && matches!(first >> 4, 4 | 6) => Link::RawIp,
        _ => Link::Ethernet,
    }
}

fn tell(
    format: Format,
    memory: &Memory,
    inputs: &Inputs,
    verdict: &Verdict,
    frame: &[u8],
    trace: &[Trace],
) -> io::Result<()> {
    let source = message::ip(verdict.source);
    let steps: Vec<_> = trace
        .iter()
        .map(|step| match step {
            Trace::Source(listed) => ("on a list?", listed_as(*listed, inputs, source)),
            step => say(memory, step),
        })
        .collect();
    let reason = verdict.reason();
    let ip = |address| message::ip(address).map_or_else(String::new, |ip| ip.to_string());
    let (source, destination) = (ip(verdict.source), ip(verdict.destination));
    let word = replay::word(reason.action());
    let signature = memory.names().signature(verdict.signature);
    let mut out = io::stdout().lock();
    if format == Format::Json {
        let steps: Vec<_> = steps
            .iter()
            .map(|(question, found)| json!({ "question": question, "found": found }))
            .collect();
        let answer = json!({
            "src": source, "src_port": verdict.source_port, "dst": destination,
            "dst_port": verdict.destination_port, "proto": message::protocol(verdict.protocol),
            "service": memory.names().service(verdict.service),
            "message": message::name(verdict, frame), "steps": steps,
            "verdict": word, "reason": reason.name(), "detail": reason.detail(),
            "signature": signature,
        });
        return writeln!(out, "{answer}");
    }
    writeln!(
        out,
        "{} {source} port {} to {destination} port {}  {}",
        message::protocol(verdict.protocol),
        verdict.source_port,
        verdict.destination_port,
        message::name(verdict, frame)
    )?;
    for (number, (question, found)) in (1..).zip(&steps) {
        writeln!(out, "  {number}. {question:24} {found}")?;
    }
    let mark = if signature.is_empty() { "" } else { ": " };
    writeln!(
        out,
        "  => {word} {}: {}{mark}{signature}",
        reason.name(),
        reason.detail()
    )?;
    if memory.policy().mode == 0 {
        writeln!(
            out,
            "     (the policy is in shadow mode: the packet passes all the same)"
        )?;
    }
    Ok(())
}

/// A step's question and what was found.
fn say(memory: &Memory, step: &Trace) -> (&'static str, String) {
    let names = memory.names();
    match step {
        Trace::Source(listed) => ("on a list?", listed_as(*listed, &Inputs::default(), None)),
        Trace::Service(0) => ("one of our services?", "no".into()),
        Trace::Service(number) => ("one of our services?", names.service(*number).to_owned()),
        Trace::Trust(bits) => ("known to us?", known_as(*bits)),
        Trace::Ban(None) => ("banned?", "no".into()),
        Trace::Ban(Some(ban)) => (
            "banned?",
            Cause::from_number(ban.cause)
                .map_or_else(|| "yes".into(), |cause| format!("yes, {}", cause.name())),
        ),
        Trace::Feed { said, heeded } => {
            let action =
                FeedAction::strictest(*said).map_or("network not admitted", FeedAction::name);
            let heeded = if *heeded {
                ""
            } else {
                ", which is not heeded: it belongs here"
            };
            ("on a threat list?", format!("yes, {action}{heeded}"))
        }
        Trace::Country {
            country,
            admission,
            admitted,
        } => {
            let who = match admission {
                Admission::Anyone => "anyone",
                Admission::Countries => "countries",
                Admission::Permitted => "permitted",
            };
            let answer = if *admitted {
                "admitted"
            } else {
                "not admitted"
            };
            let name = country_name(*country);
            (
                "country admitted?",
                format!("{} {name}: {answer} (from = \"{who}\")", country.code()),
            )
        }
        Trace::Message { class, whole } => {
            let whole = if *whole {
                "headers whole"
            } else {
                "headers go on beyond what was read"
            };
            ("what message?", format!("{}, {whole}", class_name(*class)))
        }
        Trace::Rate {
            class,
            state,
            retransmission,
        } => {
            let state = match state {
                State::Within => "no",
                State::Over => "yes",
                State::FarOver => "yes, by far",
            };
            let again = if *retransmission {
                ", a retransmission"
            } else {
                ""
            };
            (
                "over its rate?",
                format!("{state} ({}{again})", class_name(*class)),
            )
        }
        Trace::Inspection { signature, domain } => {
            let mark = match names.signature(*signature) {
                "" => "no signature".to_owned(),
                id => format!("signature {id}"),
            };
            let domain = match domain {
                None => "",
                Some(true) => ", names one of our domains",
                Some(false) => ", names none of our domains",
            };
            ("anything in the text?", format!("{mark}{domain}"))
        }
        Trace::Budget { source, shared } => {
            let found = match (source, shared) {
                (true, true) => "no",
                (false, _) => "yes, the source's part",
                (true, false) => "yes, by all strangers together",
            };
            ("strangers' budget spent?", found.into())
        }
    }
}

/// What a source is trusted for.
fn known_as(bits: u8) -> String {
    let words = [
        (level::REGISTERED, "registered"),
        (level::SOLICITED, "solicited"),
        (level::KNOWN, "registered within the last day"),
        (level::NEAR, "beside a registered address"),
        (level::CALL, "in a call"),
        (level::EMERGENCY, "in an emergency call"),
    ];
    // Who is registered was so within the last day.
    let known = |bit| bits & bit != 0 && (bit != level::KNOWN || bits & level::REGISTERED == 0);
    let said: Vec<_> = words
        .iter()
        .filter(|(bit, _)| known(*bit))
        .map(|(_, word)| *word)
        .collect();
    if said.is_empty() {
        "no".into()
    } else {
        said.join(", ")
    }
}

/// The lists that hold a source, each with the names that it is there as.
fn listed_as(listed: Listed, inputs: &Inputs, source: Option<IpAddr>) -> String {
    let word = |flag: u32, word: &str| {
        let list = match flag {
            list_flags::DENIED => ListKind::Deny,
            list_flags::PERMITTED => ListKind::Permit,
            _ => return word.to_owned(),
        };
        let names = source.into_iter().flat_map(|ip| inputs.names_of(list, ip));
        let names: Vec<_> = names.map(|named| named.name.as_str()).collect();
        match names.as_slice() {
            [] => word.to_owned(),
            names => format!("{word} as {}", names.join(", ")),
        }
    };
    let words: Vec<_> = [
        (list_flags::DENIED, "denied"),
        (list_flags::OWN, "our own or loopback"),
        (list_flags::PERMITTED, "permitted"),
        (list_flags::TRUNK, "trunk"),
        (list_flags::PROXY, "proxy"),
    ]
    .iter()
    .filter(|(flag, _)| listed.flags & flag != 0)
    .map(|(flag, text)| word(*flag, text))
    .collect();
    if words.is_empty() {
        "no".into()
    } else {
        words.join(", ")
    }
}

/// The name of a class by its number.
fn class_name(number: u8) -> &'static str {
    ringfence_core::class::Class::from_number(number).map_or("no class", |class| class.name())
}
