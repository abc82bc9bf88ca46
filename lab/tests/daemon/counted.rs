//! With every CPU busy, the counters are the packets that were sent, to the last one.

use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;
use ringfence_core::country::Country;
use ringfence_core::reason::{Action, REASONS, Reason};
use ringfence_lab::{Lab, Ringfence, Wire, needs_root};

use crate::{frames, numbers};

/// Each sender sends every kind of packet so many times.
const ROUNDS: u64 = 8_000;

const COUNTRIES: &str = "\
198.51.100.0,198.51.100.255,GB
203.0.113.0,203.0.113.255,RU
192.0.2.128,192.0.2.255,IE
";

const POLICY: &str = r#"
mode           = "enforce"
interfaces     = ["eth1", "eth2"]
countries      = ["GB", "IE"]
permit         = ["198.51.100.7"]
deny           = ["198.51.100.66"]
permit_private = false

[ban]
enable = false

[[trunk]]
name  = "provider"
hosts = ["198.51.100.129"]

[[service]]
name    = "sip"
kind    = "sip"
ports   = ["udp/5060", "tcp/5060"]
from    = "countries"
domains = ["sip.example.com"]

[[service]]
name  = "door"
kind  = "plain"
ports = ["tcp/8443"]
from  = "permitted"

[[service]]
name  = "limited"
kind  = "sip"
ports = ["udp/5070"]
from  = "countries"
"#;

/// A kind of packet: the service that counts it, the reasons that it may meet, and its country,
/// where that is looked up.
struct Kind {
    frame: Vec<u8>,
    service: usize,
    reasons: &'static [Reason],
    country: Option<&'static str>,
}

fn kinds() -> Vec<Kind> {
    let at = |text: &str| -> SocketAddr { text.parse().unwrap() };
    let pbx = |port: u16| SocketAddr::new([192, 0, 2, 10].into(), port);
    let register = frames::request("REGISTER", "sip.example.com", "1001", "Phone", 1);
    let invite = frames::request("INVITE", "192.0.2.10", "0044", "SBC", 2);
    let scan = frames::request("OPTIONS", "192.0.2.10", "100", "friendly-scanner", 3);
    let mut kinds = Vec::new();
    let mut kind = |frame, service, reasons, country| {
        kinds.push(Kind {
            frame,
            service,
            reasons,
            country,
        });
    };
    let (gb, ru, ie) = (Some("GB"), Some("RU"), Some("IE"));
    let denied = frames::udp(at("198.51.100.66:5060"), pbx(5060), &register);
    kind(denied, 0, &[Reason::Denied], None);
    let permitted = frames::udp(at("198.51.100.7:5060"), pbx(5060), &scan);
    kind(permitted, 0, &[Reason::Permitted], None);
    let spoofed = frames::udp(at("127.0.0.1:5060"), pbx(5060), &register);
    kind(spoofed, 0, &[Reason::Spoofed], None);
    let elsewhere = frames::udp(at("198.51.100.20:53"), pbx(53), b"a question");
    kind(elsewhere, 0, &[Reason::Unprotected], None);
    let mut broken = frames::udp(at("198.51.100.20:53"), pbx(5060), b"cut");
    broken.truncate(30);
    kind(broken, 0, &[Reason::Malformed], None);
    let abroad = frames::udp(at("203.0.113.9:5060"), pbx(5060), &register);
    kind(abroad, 1, &[Reason::Country], ru);
    let door = frames::tcp(at("198.51.100.20:4000"), pbx(8443), 1, 2, b"");
    kind(door, 2, &[Reason::Country], gb);
    let trunk = |text: &[u8]| frames::udp(at("198.51.100.129:5060"), pbx(5060), text);
    kind(trunk(&invite), 1, &[Reason::Trunk], gb);
    kind(trunk(&register), 1, &[Reason::Refused], gb);
    kind(trunk(&scan), 1, &[Reason::Signature], gb);
    // Of two CPUs that charge the same source at once, one may win: which reason is not sure.
    let stranger = frames::udp(at("192.0.2.200:5060"), pbx(5070), &scan);
    let limited = &[Reason::Signature, Reason::Rate, Reason::Budget];
    kind(stranger, 3, limited, ie);
    kinds
}

/// Two CPUs that this process may run on.
pub fn two_cpus() -> Option<[usize; 2]> {
    let may = sched_getaffinity(Pid::from_raw(0)).unwrap();
    let mut cpus = (0..CpuSet::count()).filter(|cpu| may.is_set(*cpu).unwrap());
    Some([cpus.next()?, cpus.next()?])
}

/// Keeps the calling thread on one CPU.
pub fn stay_on(cpu: usize) {
    let mut cpus = CpuSet::new();
    cpus.set(cpu).unwrap();
    sched_setaffinity(Pid::from_raw(0), &cpus).unwrap();
}

fn send(wire: &Wire, cpu: usize, kinds: &[Kind]) {
    stay_on(cpu);
    for _ in 0..ROUNDS {
        for kind in kinds {
            wire.send(&kind.frame).unwrap();
        }
    }
}

#[test]
fn counters_are_the_packets_sent_with_two_cpus_busy() {
    if needs_root() {
        return;
    }
    let Some(cpus) = two_cpus() else {
        println!("skipped: needs two CPUs");
        return;
    };
    let lab = Lab::new().unwrap();
    let wires = [
        Wire::lay(&lab.phone, &lab.pbx, "eth1").unwrap(),
        Wire::lay(&lab.attacker, &lab.pbx, "eth2").unwrap(),
    ];
    let mut fence = Ringfence::prepare(&lab).unwrap();
    fence.guard(POLICY, COUNTRIES).unwrap();
    let before: Vec<_> = wires.iter().map(|wire| wire.received().unwrap()).collect();

    let kinds = kinds();
    thread::scope(|scope| {
        for (cpu, wire) in cpus.into_iter().zip(&wires) {
            let kinds = &kinds;
            scope.spawn(move || send(wire, cpu, kinds));
        }
    });
    let each = ROUNDS * kinds.len() as u64;
    let until = Instant::now() + Duration::from_secs(20);
    for (wire, before) in wires.iter().zip(before) {
        while wire.received().unwrap() - before < each && Instant::now() < until {
            thread::sleep(Duration::from_millis(50));
        }
        assert_eq!(wire.received().unwrap() - before, each, "{wire:?}");
    }

    let counters = numbers(&fence, "COUNTERS");
    let total = |index: usize| counters.get(&index).map_or(0, |each| each.iter().sum());
    let sent = 2 * ROUNDS;
    for kind in &kinds {
        let cells = kind.reasons.iter();
        let cells = cells.map(|reason| kind.service * REASONS + *reason as usize);
        let count: u64 = cells.map(total).sum();
        assert_eq!(count, sent, "service {}: {:?}", kind.service, kind.reasons);
    }
    let all: u64 = counters.values().flatten().sum();
    assert_eq!(all, 2 * each, "nothing else is counted: {counters:?}");
    for cpu in cpus {
        let by_cpu: u64 = counters.values().map(|each| each[cpu]).sum();
        assert!(by_cpu > each / 2, "CPU {cpu} was not busy: {counters:?}");
    }

    let countries = numbers(&fence, "COUNTRIES");
    for (code, passed, dropped) in [("GB", 1, 3), ("RU", 0, 1)] {
        let index = usize::from(Country::from_code(code).unwrap().number()) * 2;
        for (index, kinds) in [(index, passed), (index + 1, dropped)] {
            let count: u64 = countries.get(&index).into_iter().flatten().sum();
            assert_eq!(count, kinds * sent, "{code}: {countries:?}");
        }
    }
    let located = kinds.iter().filter(|kind| kind.country.is_some()).count();
    let all: u64 = countries.values().flatten().sum();
    assert_eq!(all, located as u64 * sent, "{countries:?}");

    // What the daemon says is the same.
    let status = fence.cli(&["status", "--format", "json"]).unwrap();
    let status: serde_json::Value = serde_json::from_str(&status.stdout).unwrap();
    let by_action = |wanted: Action| -> u64 {
        let of = counters.iter().filter(|(index, _)| {
            let reason = u8::try_from(*index % REASONS).unwrap();
            Reason::from_number(reason).unwrap().action() == wanted
        });
        of.flat_map(|(_, each)| each).sum()
    };
    let packets = &status["packets"];
    assert_eq!(packets["passed"], by_action(Action::Pass));
    assert_eq!(packets["dropped"], by_action(Action::Drop));
    let told = status["countries"].as_array().unwrap().iter();
    let told: u64 = told
        .flat_map(|country| [&country["passed"], &country["dropped"]])
        .map(|count| count.as_u64().unwrap())
        .sum();
    assert_eq!(told, all);
}
