//! `ringfence lookup`: what is known of an address, and what it would meet.

use std::io::{self, BufRead, Write};
use std::net::IpAddr;
use std::process::ExitCode;

use jiff::Timestamp;
use ringfence_core::packet::{Link, protocol};
use ringfence_core::verdict::Verdict;
use serde::Serialize;
use serde_json::{Value, json};

use super::offline::Said;
use super::trusted::Trusted;
use super::{FAILED, Format, Global, Usage, offline, replay, terminal};
use crate::asn::AsnData;
use crate::config::{AddressRange, Config, Host, Kind, Protocol, Service};
use crate::control::feeds::Stored;
use crate::control::trust;
use crate::control::why::{refusal_data, refusal_line};
use crate::country::{CountryData, country_name};
use crate::engine::memory::Memory;
use crate::store::ListKind;
use crate::synthesis;
use crate::tables::Inputs;

/// Refusals of an address that people are shown; programs are given all.
const REFUSALS: usize = 5;

/// Tell what is known of addresses.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:\n  ringfence lookup 192.0.2.7\n  \
    cut -d' ' -f1 access.log | ringfence lookup - --format json\n\n\
    Exit codes: 0 fine, 1 a line of standard input was no address, 2 usage.")]
pub struct Args {
    /// Addresses, or - for one a line on standard input
    #[arg(required = true, value_name = "ADDRESS")]
    pub addresses: Vec<String>,
}

/// Does it.
///
/// # Errors
/// When an argument is no address, or the configuration or country data cannot be read.
pub fn run(args: Args, global: &Global) -> anyhow::Result<ExitCode> {
    let config = offline::config(global)?;
    let said = Said::read(global, &config);
    let inputs = said.inputs(&config)?;
    let state = offline::state(global, &config);
    let data = offline::country_data(global, &config)?;
    let mut known = Known {
        memory: offline::memory_with(global, &config, &inputs, &data)?,
        country_data: CountryAge::of(&data),
        trusted: Trusted::read(global, &config),
        systems: offline::systems(&config)?,
        feeds: Stored::read(&config, state, Timestamp::now()),
        config,
        said,
        inputs,
        now: 0,
    };
    let mut code = ExitCode::SUCCESS;
    for text in &args.addresses {
        if text != "-" {
            let wrong = || {
                Usage(format!(
                    "`{text}` is no address; write one such as 192.0.2.7"
                ))
            };
            let ip = parse(text).ok_or_else(wrong)?;
            known.answer(ip, global.format)?;
            continue;
        }
        for line in io::stdin().lock().lines() {
            let line = line?;
            match parse(&line) {
                Some(ip) => known.answer(ip, global.format)?,
                None if line.trim().is_empty() => {}
                None => {
                    writeln!(
                        io::stderr(),
                        "ringfence: `{}` is no address",
                        line.escape_debug()
                    )?;
                    code = ExitCode::from(FAILED);
                }
            }
        }
    }
    Ok(code)
}

/// An address as people write it, brackets or not.
pub(super) fn parse(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let bare = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'));
    let ip: IpAddr = bare.unwrap_or(text).parse().ok()?;
    Some(ip.to_canonical())
}

/// A packet that is typical of a service: an OPTIONS request, or the SYN of a connection. It is for
/// the first protected address of its family, where addresses are protected.
pub(super) fn typical(config: &Config, service: &Service, source: IpAddr) -> Option<Vec<u8>> {
    let ports = service.ports.first()?;
    let ours = synthesis::destination(config, source);
    let text = match service.kind {
        Kind::Sip => synthesis::options(source, &synthesis::host(Some(service))),
        _ => vec![0x80; 12],
    };
    let number = match ports.protocol {
        Protocol::Udp => protocol::UDP,
        Protocol::Tcp => protocol::TCP,
    };
    Some(synthesis::packet(source, ours, number, ports.first, &text))
}

/// What is said of one address. The integer of an IPv6 address is written with all its digits.
#[derive(Serialize)]
struct Answer {
    address: IpAddr,
    integer: u128,
    country: &'static str,
    country_name: &'static str,
    country_data: CountryAge,
    #[serde(skip_serializing_if = "Option::is_none")]
    asn: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    as_name: Option<String>,
    lists: Vec<Value>,
    trust: Option<Value>,
    refused: Vec<Value>,
    services: Vec<Value>,
}

/// The country data that answered.
#[derive(Clone, Serialize)]
struct CountryAge {
    source: String,
    date: Option<jiff::civil::Date>,
    age_days: Option<i64>,
}

impl CountryAge {
    fn of(data: &CountryData) -> Self {
        Self {
            source: data.source.clone(),
            date: data.date,
            age_days: data.age(jiff::Zoned::now().date()),
        }
    }

    fn line(&self) -> String {
        match self.age_days {
            Some(days) => format!(" ({days} days old data)"),
            None => String::new(),
        }
    }
}

struct Known {
    config: Config,
    feeds: Stored,
    said: Said,
    inputs: Inputs,
    trusted: Trusted,
    systems: AsnData,
    memory: Memory,
    country_data: CountryAge,
    /// Each question is asked a day after the one before, so that none counts towards the next.
    now: u64,
}

impl Known {
    fn answer(&mut self, ip: IpAddr, format: Format) -> anyhow::Result<()> {
        let address = crate::tables::address(ip);
        let country = self.memory.country(address);
        let integer = match ip {
            IpAddr::V4(v4) => u128::from(v4.to_bits()),
            IpAddr::V6(v6) => v6.to_bits(),
        };
        let lists = self.lists(ip);
        let services = self.services(ip);
        let system = self.systems.lookup(ip);
        let mut out = io::stdout().lock();
        if format == Format::Json {
            let services: Vec<Value> = services
                .iter()
                .map(|(name, verdict)| {
                    let reason = verdict.reason();
                    json!({
                        "service": name, "verdict": replay::word(reason.action()),
                        "reason": reason.name(), "detail": reason.detail(),
                    })
                })
                .collect();
            let answer = Answer {
                address: ip,
                integer,
                country: country.code(),
                country_name: country_name(country),
                country_data: self.country_data.clone(),
                asn: system.map(|(number, _)| number),
                as_name: system.map(|(_, name)| name.to_owned()),
                lists,
                trust: self.trusted.holder(ip).map(trust::data),
                refused: self.trusted.refusals(ip).iter().map(refusal_data).collect(),
                services,
            };
            return Ok(writeln!(out, "{}", serde_json::to_string(&answer)?)?);
        }
        writeln!(out, "{ip}")?;
        writeln!(out, "  integer  {integer}")?;
        writeln!(
            out,
            "  country  {} {}{}",
            country.code(),
            country_name(country),
            self.country_data.line()
        )?;
        if let Some(system) = self.systems.shown(ip) {
            writeln!(out, "  network  {}", terminal::text(&system))?;
        }
        for list in &lists {
            let text = |key: &str| list.get(key).and_then(Value::as_str).unwrap_or("");
            write!(out, "  list     {} {}", text("list"), text("range"))?;
            for (key, before) in [("comment", " "), ("expires", " until ")] {
                if !text(key).is_empty() {
                    write!(out, "{before}{}", text(key))?;
                }
            }
            writeln!(out)?;
        }
        if let Some(holder) = self.trusted.holder(ip) {
            let line = trust::line(holder);
            writeln!(out, "  trust    {}", terminal::text(&line))?;
        }
        for refusal in self.trusted.refusals(ip).iter().take(REFUSALS) {
            let line = refusal_line(refusal);
            writeln!(out, "  refused  {}", terminal::text(&line))?;
        }
        for (name, verdict) in &services {
            let reason = verdict.reason();
            writeln!(
                out,
                "  service  {name}: {} {}, {}",
                replay::word(reason.action()),
                reason.name(),
                reason.detail()
            )?;
        }
        Ok(())
    }

    /// Every list that holds the address.
    fn lists(&self, ip: IpAddr) -> Vec<Value> {
        let mut found = Vec::new();
        let mut note = |list: &str, range: &AddressRange, comment: &str| {
            if range.contains(ip) {
                let range = range.to_string();
                found.push(json!({ "list": list, "range": range, "comment": comment }));
            }
        };
        for (list, entries) in [("permit", &self.config.permit), ("deny", &self.config.deny)] {
            for entry in entries {
                note(list, &entry.range, entry.comment.as_deref().unwrap_or(""));
            }
        }
        for trunk in &self.config.trunks {
            for host in &trunk.hosts {
                match host {
                    Host::Range(range) => note("trunk", range, &trunk.name),
                    Host::Name(name) => {
                        let addresses = self.inputs.resolved.get(name).into_iter().flatten();
                        for address in addresses {
                            let comment = format!("{} as {name}", trunk.name);
                            note("trunk", &AddressRange::from(*address), &comment);
                        }
                    }
                }
            }
        }
        for proxy in &self.config.proxies {
            for range in &proxy.addresses {
                note("proxy", range, proxy.name.as_deref().unwrap_or(""));
            }
        }
        for kind in [ListKind::Permit, ListKind::Deny] {
            for named in self.inputs.names_of(kind, ip) {
                found.push(json!({
                    "list": named.list_name(), "range": named.name, "comment": named.comment,
                }));
            }
        }
        for entry in &self.said.entries {
            let Ok(range) = AddressRange::new(entry.first, entry.last) else {
                continue;
            };
            if range.contains(ip) {
                let list = match entry.list {
                    ListKind::Permit => "permit",
                    ListKind::Deny => "deny",
                };
                found.push(json!({
                    "list": list, "range": range.to_string(), "comment": entry.comment,
                    "expires": entry.expires.map(|at| at.to_string()),
                }));
            }
        }
        for (name, net, action) in self.feeds.with(ip) {
            found.push(json!({
                "list": "feed", "range": net.to_string(), "comment": format!("{name} ({action})"),
            }));
        }
        for ban in &self.said.bans {
            let net = ipnet::IpNet::new(ban.address, ban.prefix_len);
            if let Ok(net) = net
                && net.contains(&ip)
            {
                let comment = match ban.port {
                    Some(port) => format!("{} port {port}", ban.reason),
                    None => ban.reason.clone(),
                };
                found.push(json!({
                    "list": "ban", "range": net.to_string(), "comment": comment,
                    "expires": ban.until.to_string(),
                }));
            }
        }
        found
    }

    /// What a typical packet of the address meets at each service.
    fn services(&mut self, ip: IpAddr) -> Vec<(String, Verdict)> {
        let mut answers = Vec::new();
        for service in &self.config.services {
            let Some(packet) = typical(&self.config, service, ip) else {
                continue;
            };
            self.now = self.now.saturating_add(86_400_000_000_000);
            let until = self.now.saturating_add(1_000_000_000);
            let address = crate::tables::address(ip);
            if self.said.bans(ip) {
                self.memory.ban(address, &offline::manual_ban(until));
            }
            let verdict = self.memory.judge(self.now, 31, Link::RawIp, &packet);
            answers.push((service.name.clone(), verdict));
        }
        answers
    }
}
