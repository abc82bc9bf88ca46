//! The kernel's programs and the judge over plain memory say the same of every packet.
//!
//! Needs root (CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON); without it each test says so and ends.

mod countries;
mod frames;
mod large;
mod learning;
mod warned;

use std::net::SocketAddr;
use std::sync::Arc;

use proptest::prelude::*;
use proptest::test_runner::{Config as Cases, TestRunner};
use ringfence::config::Config;
use ringfence::country::CountryData;
use ringfence::engine::feeds::{Blocks, FeedTable};
use ringfence::engine::memory::Memory;
use ringfence::engine::trial::Trial;
use ringfence::tables::{self, Inputs};
use ringfence_core::address::Address;
use ringfence_core::hash::Key;
use ringfence_core::packet::Link;
use ringfence_core::reason::{Action, Reason};

const KEY: Key = Key {
    words: [0x0123_4567_89ab_cdef, 0xfedc_ba98_7654_3210],
};
const START: u64 = 10_000_000_000_000;

/// A policy with every kind of service, and lists.
const POLICY: &str = r#"
mode      = "enforce"
countries = ["GB", "US"]
permit    = ["192.0.2.128/25", "2001:db8:7::/48"]
deny      = ["192.0.2.200", "203.0.113.0/26"]
permit_private = false

[[trunk]]
name  = "provider"
hosts = ["198.51.100.128/28"]

[[proxy]]
addresses = ["198.51.100.200"]

[[service]]
name    = "sip"
kind    = "sip"
ports   = ["udp/5060", "tcp/5060"]
from    = "anyone"
domains = ["sip.example.com", "*.voip.example"]

[[service]]
name  = "fenced"
kind  = "sip"
ports = ["udp/5070", "tcp/5070"]
from  = { REGISTER = "countries", INVITE = "anyone", default = "countries" }

[[service]]
name    = "tls"
kind    = "sips"
ports   = ["tcp/5061"]
from    = "anyone"
domains = ["sip.example.com"]

[[service]]
name  = "iax"
kind  = "iax2"
ports = ["udp/4569"]
from  = "anyone"

[[service]]
name  = "ssh"
kind  = "plain"
ports = ["tcp/22"]
from  = "permitted"
"#;

fn privileged() -> bool {
    let root = nix::unistd::geteuid().is_root();
    if !root {
        println!("skipped: needs root");
    }
    root
}

/// Both benches with the same tables, the same secret and the same clock.
struct Both {
    kernel: Trial,
    memory: Memory,
    now: u64,
    counters: Vec<(u8, u8, u64)>,
}

impl Both {
    fn new(policy: &str) -> Self {
        Self::with(policy, &Inputs::default(), &Blocks::default())
    }

    /// With what is known beside the file, and threat lists.
    fn with(policy: &str, inputs: &Inputs, feeds: &Blocks) -> Self {
        let config = Config::parse(policy, "test.toml").expect("the policy is valid");
        let generation = tables::compile(&config, inputs).expect("it compiles");
        let countries = CountryData::builtin()
            .and_then(|data| data.compile())
            .expect("country data");
        let mut kernel = Trial::with_feeds(&generation, &countries, KEY, true, feeds.len())
            .expect("the program loads");
        kernel.set_clock(START).expect("the clock is set");
        let mut memory = Memory::new(generation, countries, KEY);
        // The order of its buckets is another.
        let table = Arc::new(FeedTable::new(feeds.len(), 7));
        for table in [&table, kernel.feeds()] {
            assert_eq!(table.replace(feeds).left_out, 0);
        }
        memory.set_feeds(table);
        Self {
            kernel,
            memory,
            now: START,
            counters: vec![],
        }
    }

    fn wait(&mut self, milliseconds: u64) {
        self.now += milliseconds * 1_000_000;
        self.kernel.set_clock(self.now).expect("the clock is set");
    }

    /// Judges the frame on both; the service and reason that both agree on.
    fn judge(&mut self, frame: &[u8]) -> (u8, Reason) {
        self.judge_in_pieces(frame, None)
    }

    /// The same for a frame that the kernel has in pieces, the first of this length.
    fn judge_in_pieces(&mut self, frame: &[u8], linear: Option<u32>) -> (u8, Reason) {
        let verdict = self.memory.judge(self.now, 31, Link::Ethernet, frame);
        let dropped = match linear {
            None => self.kernel.run(frame, 1).map(|(dropped, _)| dropped),
            Some(linear) => self.kernel.run_in_pieces(frame, linear),
        };
        let dropped = dropped.expect("the program runs");
        let counters = self.kernel.counters().expect("counters are read");
        let moved: Vec<(u8, u8)> = counters
            .iter()
            .filter(|counter| !self.counters.contains(counter))
            .map(|(service, reason, _)| (*service, *reason))
            .collect();
        self.counters = counters;
        let expected = (verdict.service, verdict.reason_number());
        let shown = &frame[..frame.len().min(300)];
        assert_eq!(
            moved,
            [expected],
            "kernel against memory for {} bytes, the first piece {linear:?}: {shown:02x?}",
            frame.len()
        );
        assert_eq!(dropped, verdict.action() == Action::Drop);
        (verdict.service, verdict.reason())
    }
}

fn at(text: &str) -> SocketAddr {
    text.parse().expect("an address and port")
}

#[test]
fn the_verifier_is_not_strained() {
    if !privileged() {
        return;
    }
    // As it is shipped: with the kernel's own clock.
    let config = Config::parse(POLICY, "test.toml").expect("the policy is valid");
    let generation = tables::compile(&config, &Inputs::default()).expect("it compiles");
    let countries = CountryData::builtin()
        .and_then(|data| data.compile())
        .expect("country data");
    let mut kernel = Trial::load(&generation, &countries, KEY, false).expect("the program loads");
    let count = kernel.verified_instructions().expect("the kernel tells");
    println!("ingress: {count} verified instructions");
    assert!(
        count <= 250_000,
        "{count} verified instructions; Linux refuses a million"
    );
}

#[test]
fn every_step_of_the_order_of_judgement() {
    if !privileged() {
        return;
    }
    let mut both = Both::new(POLICY);
    let server = at("192.0.2.10:5060");
    let server6 = at("[2001:db8:1::10]:5060");
    let stranger = at("8.8.8.8:5060");
    let us = |port| SocketAddr::new(server.ip(), port);
    let good = frames::request("REGISTER", "sip.example.com", "1001", "Yealink SIP-T46S", 1);
    let ip = frames::request("REGISTER", "192.0.2.10", "1001", "Yealink SIP-T46S", 2);
    let options = frames::request("OPTIONS", "sip.example.com", "1001", "Yealink SIP-T46S", 4);
    let scanner = frames::request("OPTIONS", "sip.example.com", "100", "friendly-scanner", 3);
    // SIPVicious under another name: three shapes of its messages add up.
    let disguised = b"OPTIONS sip:100@sip.example.com SIP/2.0\r\n\
        Via: SIP/2.0/UDP 8.8.8.8:5060;branch=z9hG4bK-1234567890;rport\r\n\
        From: \"x\" <sip:100@sip.example.com>;tag=1\r\nTo: <sip:100@sip.example.com>\r\n\
        Call-ID: 123456789012345678901234\r\nCSeq: 1 OPTIONS\r\nContact: sip:100@8.8.8.8:5060\r\n\
        Accept: application/sdp\r\nUser-Agent: Phone\r\nContent-Length: 0\r\n\r\n";
    let plainer = String::from_utf8_lossy(disguised).replace("Accept: application/sdp\r\n", "");
    let good_text = String::from_utf8_lossy(&good).into_owned();
    let twice = good_text.replace("CSeq:", "To: <sip:2@sip.example.com>\r\nCSeq:");
    let large = good_text.replace("CSeq:", &format!("Subject: {}\r\nCSeq:", "x".repeat(1900)));
    let cases: Vec<(&str, Vec<u8>, Reason)> = vec![
        (
            "a scanner's shapes",
            frames::udp(at("4.4.4.1:5060"), server, disguised),
            Reason::Signature,
        ),
        (
            "too few of them",
            frames::udp(at("4.4.4.2:5060"), server, plainer.as_bytes()),
            Reason::Clean,
        ),
        (
            "two To headers",
            frames::udp(at("4.4.4.3:5060"), server, twice.as_bytes()),
            Reason::Signature,
        ),
        (
            "a large message",
            frames::udp(at("4.4.4.4:5060"), server, large.as_bytes()),
            Reason::Clean,
        ),
        (
            "denied inside permitted",
            frames::udp(at("192.0.2.200:5060"), server, &good),
            Reason::Denied,
        ),
        (
            "denied on any port",
            frames::tcp(at("203.0.113.9:999"), us(443), 7, 2, b""),
            Reason::Denied,
        ),
        (
            "permitted",
            frames::udp(at("192.0.2.201:5060"), server, &scanner),
            Reason::Permitted,
        ),
        (
            "permitted v6",
            frames::udp(at("[2001:db8:7::1]:5060"), server6, &ip),
            Reason::Permitted,
        ),
        (
            "loopback on a wire",
            frames::udp(at("127.0.0.1:5060"), server, &good),
            Reason::Spoofed,
        ),
        (
            "no service",
            frames::udp(stranger, us(53), b"dns"),
            Reason::Unprotected,
        ),
        (
            "a domain of ours",
            frames::udp(stranger, server, &good),
            Reason::Clean,
        ),
        (
            "its retransmission",
            frames::udp(stranger, server, &good),
            Reason::Clean,
        ),
        (
            "an address instead",
            frames::udp(at("8.8.4.4:5060"), server, &ip),
            Reason::Domain,
        ),
        (
            "v6",
            frames::udp(at("[2600::1]:5060"), server6, &good),
            Reason::Clean,
        ),
        (
            "scanner",
            frames::udp(at("9.9.9.9:5060"), server, &scanner),
            Reason::Signature,
        ),
        (
            "and banned",
            frames::udp(at("9.9.9.9:5061"), server, &options),
            Reason::Banned,
        ),
        (
            "but nobody proved who that was: a registration is heard",
            frames::udp(at("9.9.9.9:5061"), server, &good),
            Reason::Clean,
        ),
        (
            "no SIP",
            frames::udp(at("1.0.0.1:5060"), server, &[7; 40]),
            Reason::Malformed,
        ),
        (
            "keep-alive",
            frames::udp(at("1.0.0.2:5060"), server, b"\r\n\r\n"),
            Reason::KeepAlive,
        ),
        (
            "trunk",
            frames::udp(
                at("198.51.100.129:5060"),
                server,
                &frames::request("INVITE", "192.0.2.10", "0044", "SBC", 4),
            ),
            Reason::Trunk,
        ),
        (
            "trunk's REGISTER",
            frames::udp(at("198.51.100.129:5060"), server, &good),
            Reason::Refused,
        ),
        (
            "REGISTER from afar",
            frames::udp(at("77.88.8.8:5060"), us(5070), &good),
            Reason::Country,
        ),
        (
            "INVITE from afar",
            frames::udp(
                at("77.88.8.8:5060"),
                us(5070),
                &frames::request("INVITE", "x", "1", "A", 5),
            ),
            Reason::Clean,
        ),
        (
            "ssh",
            frames::tcp(stranger, us(22), 1, 2, b""),
            Reason::Country,
        ),
        (
            "SYN",
            frames::tcp(stranger, server, 1000, 2, b""),
            Reason::Clean,
        ),
        (
            "first data",
            frames::tcp(stranger, server, 1001, 0x18, &good),
            Reason::Clean,
        ),
        (
            "SYN 2",
            frames::tcp(at("8.8.8.8:7"), server, 1000, 2, b""),
            Reason::Clean,
        ),
        (
            "half a line",
            frames::tcp(at("8.8.8.8:7"), server, 1001, 0x18, b"REGIS"),
            Reason::Incomplete,
        ),
        (
            "junk",
            frames::tcp(at("8.8.8.8:7"), server, 1001, 0x18, b"\x16\x03\x01\x02"),
            Reason::Malformed,
        ),
        (
            "stays dropped",
            frames::tcp(at("8.8.8.8:7"), server, 1001, 0x18, &good),
            Reason::Malformed,
        ),
        (
            "half a header of IAX2",
            frames::udp(stranger, us(4569), &[0x80, 1, 0, 0, 0, 0, 0, 0]),
            Reason::Malformed,
        ),
        (
            "IAX2",
            frames::udp(
                stranger,
                us(4569),
                &[0x80, 1, 0, 0, 0, 0, 0, 0, 0, 0, 6, 0x1e],
            ),
            Reason::Clean,
        ),
    ];
    for (what, frame, reason) in cases {
        let (_, found) = both.judge(&frame);
        assert_eq!(found, reason, "{what}");
        both.wait(5);
    }
    let banned = Address::v4([9, 9, 9, 9]);
    let bans = both.kernel.bans().expect("bans are read");
    assert!(bans.contains_key(&banned));
}

#[test]
fn rates_are_kept_alike() {
    if !privileged() {
        return;
    }
    let mut both = Both::new(POLICY);
    let (source, server) = (at("8.8.8.8:5060"), at("192.0.2.10:5060"));
    let mut reasons = Vec::new();
    for n in 0..80 {
        let text = frames::request("REGISTER", "sip.example.com", "1001", "A phone", 1000 + n);
        reasons.push(both.judge(&frames::udp(source, server, &text)).1);
        both.wait(20);
    }
    let count = |reason| reasons.iter().filter(|found| **found == reason).count();
    assert!((20..=22).contains(&count(Reason::Clean)), "{reasons:?}");
    assert!(count(Reason::Rate) >= 30, "{reasons:?}");
    assert!(count(Reason::Banned) > 10, "{reasons:?}");
}

/// A frame with some bytes changed, cut or added.
fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let sources = prop_oneof![
        Just("8.8.8.8"),
        Just("77.88.8.8"),
        Just("192.0.2.130"),
        Just("198.51.100.130"),
        Just("198.51.100.200")
    ];
    let ports = prop_oneof![
        Just(5060u16),
        Just(5070),
        Just(5061),
        Just(4569),
        Just(22),
        Just(9)
    ];
    let methods = prop_oneof![
        Just("REGISTER"),
        Just("INVITE"),
        Just("OPTIONS"),
        Just("BYE"),
        Just("MESSAGE"),
        Just("invite"),
        Just("FOO")
    ];
    let hosts = prop_oneof![
        Just("sip.example.com"),
        Just("a.voip.example:5060"),
        Just("192.0.2.10"),
        Just("[2001:db8::1]")
    ];
    let agents = prop_oneof![
        Just("Yealink"),
        Just("friendly-scanner"),
        Just("sipvicious"),
        Just("PBX")
    ];
    (
        sources,
        ports,
        methods,
        hosts,
        agents,
        0u64..50,
        any::<bool>(),
        0usize..4,
        prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        any::<Option<prop::sample::Index>>(),
    )
        .prop_map(
            |(source, port, method, host, agent, branch, stream, kind, changes, cut)| {
                let text = match kind {
                    0 => vec![branch as u8; 30],
                    1 => [
                        frames::request(method, host, "7", agent, branch),
                        frames::request("OPTIONS", host, "8", agent, 1),
                    ]
                    .concat(),
                    _ => frames::request(method, host, "1001", agent, branch),
                };
                let from =
                    SocketAddr::new(source.parse().expect("an address"), 1024 + branch as u16);
                let to = SocketAddr::new("192.0.2.10".parse().expect("an address"), port);
                let mut frame = if stream {
                    let (flags, text) = if branch % 3 == 0 {
                        (2, Vec::new())
                    } else {
                        (0x18, text)
                    };
                    frames::tcp(from, to, if flags == 2 { 99 } else { 100 }, flags, &text)
                } else {
                    frames::udp(from, to, &text)
                };
                for (place, byte) in changes {
                    let at = place.index(frame.len());
                    frame[at] = byte;
                }
                if let Some(cut) = cut {
                    let length = 14 + cut.index(frame.len() - 13);
                    frame.truncate(length);
                }
                frame
            },
        )
}

#[test]
fn generated_packets_get_the_same_verdict() {
    if !privileged() {
        return;
    }
    let cases = std::env::var("RINGFENCE_CASES")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(3000);
    let both = std::cell::RefCell::new(Both::new(POLICY));
    let mut runner = TestRunner::new(Cases {
        cases,
        max_shrink_iters: 0,
        failure_persistence: None,
        ..Cases::default()
    });
    runner
        .run(&(mutated(), 0u64..400), |(frame, wait)| {
            let mut both = both.borrow_mut();
            both.wait(wait);
            both.judge(&frame);
            Ok(())
        })
        .expect("both benches agree");
}
