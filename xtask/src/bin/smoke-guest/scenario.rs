//! The daemon on a kernel: it attaches, judges, is killed, comes back, and takes changes over.

use std::fs;
use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;
use xtask::frames::{register, scan, udp_from};
use xtask::wire::Wire;

use crate::daemon::{CONFIG, COUNTRIES, Daemon, ask};
use crate::report::Report;
use crate::silence;
use crate::system::{self, Elsewhere};

pub const GUARDED: &str = "sip0";
const OUTSIDE: &str = "wire0";
const POLICY: &str = r#"
mode = "enforce"
interfaces = ["sip0"]
countries = ["GB"]
permit_private = false
permit = ["198.51.100.7"]
deny = ["203.0.113.66"]

[[service]]
name = "sip"
kind = "sip"
ports = ["udp/5060", "tcp/5060"]
from = "countries"
domains = ["sip.example.com"]
"#;
const RANGES: &str = "198.51.100.0,198.51.100.255,GB\n203.0.113.128,203.0.113.255,RU\n2001:db8:bad::,2001:db8:bad::ffff,RU\n";
const ABROAD: &str = "203.0.113.200";
const PHONE: &str = "198.51.100.20";
/// How long a frame that passes takes at most, and for how long one that is dropped is looked for.
const ARRIVES_WITHIN: Duration = Duration::from_secs(5);
const STAYS_AWAY: Duration = Duration::from_millis(300);

/// Both ends of the cable.
struct Cable {
    outside: Wire,
    inside: Wire,
}

/// Runs all of it.
pub fn run(report: &mut Report) -> Result<()> {
    system::load_modules()?;
    let elsewhere = Elsewhere::new()?;
    elsewhere.cable(GUARDED, OUTSIDE)?;
    let cable = Cable {
        outside: elsewhere.with(|| Ok(Wire::open(OUTSIDE)?))?,
        inside: Wire::open(GUARDED)?,
    };
    fs::write(CONFIG, POLICY)?;
    fs::write(COUNTRIES, RANGES)?;

    let (daemon, took) = Daemon::start()?;
    let status = ask(&["status"])?;
    let mode = status["interfaces"][0]["mode"].clone();
    let took = took.as_secs_f64();
    report.check(
        "starts and attaches in the driver",
        mode == "driver",
        format!("{mode} after {took:.1} s"),
    );
    verdicts(&cable, report)?;
    let filter = silence::filters()?;
    let found = format!("{filter:?}");
    report.check("sees what is sent by a filter", filter.len() == 1, found);
    silence::check("at first", &elsewhere, report)?;

    let before = reason(&ask(&["status"])?, "country");
    daemon.kill()?;
    cable.expect(
        "without the daemon, country",
        ABROAD,
        &phone_text(),
        false,
        report,
    )?;
    cable.expect(
        "without the daemon, clean",
        PHONE,
        &phone_text(),
        true,
        report,
    )?;
    let left = silence::filters()?;
    let found = format!("{left:?}");
    report.check("without the daemon, the filter", left == filter, found);

    let (_daemon, took) = Daemon::start()?;
    let status = ask(&["status"])?;
    let (mode, took) = (status["interfaces"][0]["mode"].clone(), took.as_secs_f64());
    report.check(
        "a second daemon takes over in place",
        mode == "driver, taken over",
        format!("{mode} after {took:.1} s"),
    );
    let after = reason(&status, "country");
    report.check(
        "counters go on over it",
        after == before + 1,
        format!("country {before}, then {after}"),
    );
    let taken = silence::filters()?;
    let replaced = taken.len() == 1 && taken != filter;
    let found = format!("{taken:?}");
    report.check("the one filter is replaced", replaced, found);
    silence::check("after it", &elsewhere, report)?;

    ask(&["country", "allow", "RU"])?;
    cable.expect(
        "after `country allow RU`",
        ABROAD,
        &phone_text(),
        true,
        report,
    )?;
    let stricter = POLICY.replace("\"203.0.113.66\"", "\"203.0.113.66\", \"198.51.100.20\"");
    fs::write(CONFIG, stricter)?;
    ask(&["reload"])?;
    cable.expect(
        "after a reload that denies it",
        PHONE,
        &phone_text(),
        false,
        report,
    )?;
    ask(&["stop"])?;
    let left = silence::filters()?;
    let found = format!("{left:?}");
    report.check("after `stop`, no filter", left.is_empty(), found);
    cable.expect("after `stop`", PHONE, &phone_text(), true, report)
}

/// One way through the judge after the other.
fn verdicts(cable: &Cable, report: &mut Report) -> Result<()> {
    let scan = scan(384);
    let stray = register("192.0.2.10", 600);
    let phone = phone_text();
    for (wanted, source, text, passes) in [
        ("denied", "203.0.113.66", &phone, false),
        ("permitted", "198.51.100.7", &scan, true),
        ("country", ABROAD, &phone, false),
        ("country", "2001:db8:bad::7", &phone, false),
        ("clean", PHONE, &phone, true),
        ("signature", "198.51.100.30", &scan, false),
        ("domain", "198.51.100.40", &stray, false),
    ] {
        let before = reason(&ask(&["status"])?, wanted);
        cable.expect(wanted, source, text, passes, report)?;
        let after = reason(&ask(&["status"])?, wanted);
        let found = format!("{before}, then {after}");
        report.check(
            format_args!("{wanted} is counted"),
            after == before + 1,
            found,
        );
    }
    Ok(())
}

impl Cable {
    /// Sends SIP from a source and looks whether it comes through.
    fn expect(
        &self,
        what: &str,
        source: &str,
        text: &[u8],
        passes: bool,
        report: &mut Report,
    ) -> Result<()> {
        let address: IpAddr = source.parse()?;
        let frame = udp_from(address, 5060, text);
        self.outside.send(&frame).context("cannot send a frame")?;
        let limit = if passes { ARRIVES_WITHIN } else { STAYS_AWAY };
        let came = self.inside.sees(&frame, limit)?;
        let found = if came { "passes" } else { "is dropped" };
        report.check(what, came == passes, format_args!("{source} {found}"));
        Ok(())
    }
}

fn phone_text() -> Vec<u8> {
    register("sip.example.com", 600)
}

/// How many packets met a reason, in what `status` answers.
fn reason(status: &Value, name: &str) -> u64 {
    let counts = &status["packets"]["reasons"][name];
    ["pass", "drop"]
        .iter()
        .filter_map(|action| counts[action].as_u64())
        .sum()
}
