//! A month of updates in a minute: nobody who is registered is cut off, and memory stays flat.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::process::Command;

use jiff::{SignedDuration, Timestamp};
use ringfence_core::hash::Key;
use ringfence_core::packet::{Link, protocol};
use ringfence_core::reason::Action;
use ringfence_lab::provider::{Page, Provider, gzip};

use super::*;
use crate::config::{AddressRange, Config};
use crate::engine::memory::Memory;
use crate::fetch::Silent;
use crate::store::{ListKind, Store};
use crate::synthesis;
use crate::tables::{self, Inputs};

/// In its own process, so that its memory is its own.
const ALONE: &str = "RINGFENCE_TEST_MONTH";
const DAYS: i64 = 30;
/// /16 networks of IPv4, a third of them British.
const NETWORKS: u32 = 3000;
/// Phones, one in every hundredth network.
const PHONES: u32 = NETWORKS / 100;
/// A day may bring so many more pages into use, each of 4 KiB.
const PAGES: u64 = 16 << 8;

#[test]
fn a_month_of_updates_cuts_nobody_off() {
    if std::env::var_os(ALONE).is_some() {
        return month();
    }
    let name = "country::month_tests::a_month_of_updates_cuts_nobody_off";
    let alone = Command::new(std::env::current_exe().unwrap())
        .args([name, "--exact", "--nocapture"])
        .env(ALONE, "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&alone.stdout);
    assert!(
        alone.status.success(),
        "{said}{}",
        String::from_utf8_lossy(&alone.stderr)
    );
    assert!(said.contains("a month went by"), "{said}");
}

/// The data of a day: every day twelve networks in which a phone may be change hands, and stay so.
fn data(day: i64) -> Vec<u8> {
    let mut csv = String::new();
    for n in 0..NETWORKS {
        let (a, b) = (1 + n / 30, n % 30);
        let moved = n % 100 == 50 && i64::from(n / 100 % 30) < day;
        let code = match (moved, n % 3) {
            (true, _) => "US",
            (_, 2) => "GB",
            (_, 1) => "FR",
            _ => "DE",
        };
        csv.push_str(&format!("{a}.{b}.0.0,{a}.{b}.255.255,{code}\n"));
        csv.push_str(&format!(
            "2a00:{n:x}::,2a00:{n:x}:ffff:ffff:ffff:ffff:ffff:ffff,{code}\n"
        ));
    }
    csv.into_bytes()
}

/// Phones in networks that are British on the first day, some of which change hands.
fn phones() -> Vec<IpAddr> {
    let phone = |k: u32| {
        let n = k * 100 + 50;
        Ipv4Addr::new((1 + n / 30) as u8, (n % 30) as u8, 7, 7).into()
    };
    let british = |k: &u32| (k * 100 + 50) % 3 == 2;
    (0..PHONES).filter(british).map(phone).collect()
}

fn month() {
    let server = Provider::start().unwrap();
    let state = tempfile::tempdir().unwrap();
    let text = format!(
        "mode = \"enforce\"\ncountries = [\"GB\"]\n[country]\nurl = \"{}\"\n\
         [[service]]\nname = \"sip\"\nfrom = \"countries\"\n",
        server.url("/data.csv.gz")
    );
    let config = Config::parse(&text, "r.toml").unwrap();
    let mut store = Store::open(state.path()).unwrap().store;
    let shelf = Shelf::of(state.path());
    let admitted = Admitted::of(&config, &Inputs::default());
    let start: Timestamp = "2026-11-01T03:00:00Z".parse().unwrap();
    let (mut permitted, mut pages, mut moved) = (BTreeSet::new(), 0, 0);
    for day in 0..=DAYS {
        let now = start + SignedDuration::from_hours(24 * day);
        server.put(
            "/data.csv.gz",
            Page::new(gzip(&data(day))).etag(&format!("\"{day}\"")),
        );
        let subjects: Vec<_> = phones()
            .into_iter()
            .map(|address| Subject {
                range: (address, address),
                who: Who::Registered("phone".into()),
                service: Some("sip".into()),
                until: Some(now + SignedDuration::from_hours(1)),
            })
            .collect();
        let task = Task {
            origin: &config.country,
            state: state.path(),
            admitted: &admitted,
            subjects: &subjects,
            // The first data is nothing like what ships.
            force: day == 0,
            dry_run: false,
            now,
            progress: &Silent,
        };
        assert!(matches!(update(&task), Ok(Outcome::New(_))), "day {day}");
        let expired = store.expire_entries(now).unwrap();
        assert!(expired.is_empty(), "day {day}");
        // As the daemon does it: first those are looked after whom it matters to, then the data holds.
        let care = care(&shelf, &admitted, &subjects, now).unwrap().unwrap();
        if day > 0 {
            moved += care.permits.len();
            for entry in &care.permits {
                store.add_entry(entry).unwrap();
                assert!(
                    permitted.insert(entry.first),
                    "once is enough: {}",
                    entry.first
                );
            }
        }
        shelf.settle(shelf.index().current.as_ref()).unwrap();
        judged(&config, &store, state.path(), day);
        if day == 5 {
            pages = resident();
        }
    }
    assert!(moved > 5, "the month would prove nothing: {moved}");
    let more = resident().saturating_sub(pages);
    assert!(more < PAGES, "{more} pages more than on the fifth day");
    println!("a month went by: {moved} phones moved and stayed, {more} pages more");
}

/// What the judge says to each phone, none of which is trusted.
fn judged(config: &Config, store: &Store, state: &std::path::Path, day: i64) {
    let operator = store.entries(ListKind::Permit).unwrap();
    let operator = operator.iter().map(|entry| {
        let range = AddressRange::new(entry.first, entry.last).unwrap();
        (ListKind::Permit, range)
    });
    let inputs = Inputs {
        operator: operator.collect(),
        ..Inputs::default()
    };
    let countries = in_force(&config.country, state)
        .unwrap()
        .data
        .compile()
        .unwrap();
    let generation = tables::compile(config, &inputs).unwrap();
    let mut memory = Memory::new(generation, countries, Key { words: [1, 2] });
    let service = &config.services[0];
    let mut judge = |from: IpAddr, seconds: u64| {
        let text = synthesis::options(from, &synthesis::host(Some(service)));
        let ours = synthesis::destination(config, from);
        let packet = synthesis::packet(from, ours, protocol::UDP, 5060, &text);
        memory
            .judge(seconds * 1_000_000_000, 31, Link::RawIp, &packet)
            .reason()
    };
    for (seconds, phone) in (100..).zip(phones()) {
        let reason = judge(phone, seconds);
        assert_eq!(
            reason.action(),
            Action::Pass,
            "day {day}: {phone} meets {}",
            reason.name()
        );
    }
    let stranger = judge([1, 1, 7, 7].into(), 10_000);
    assert_eq!(stranger.action(), Action::Drop, "the fence stands");
}

/// Pages of this process in memory.
fn resident() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split_whitespace().nth(1).unwrap().parse().unwrap()
}
