//! Floods of forged sources while phones register again and call: no call fails, no registration
//! is lost.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use ringfence_lab::{
    CallReport, Forger, Kamailio, Lab, Office, PBX_V4, Phone, Ringfence, Setup, SippReport,
    needs_root,
};

use crate::{address, guard, passed, phone, policy, registers, said, sent, told, trust};

/// Registrations and calls a second, over all phones.
const RATE: u32 = 20;
/// What the tables in the kernel may take up, in bytes.
const MEMORY: u64 = 128 << 20;
/// Datagrams between two looks at the clock.
const BURST: u32 = 100;

/// Requests as any phone might write them, of the three kinds that cost most.
fn payloads() -> Vec<Vec<u8>> {
    let methods = ["REGISTER", "INVITE", "OPTIONS"];
    let text = methods.map(|method| {
        format!(
            "{method} sip:1001@sip.example.com SIP/2.0\r\n\
             Via: SIP/2.0/UDP 10.0.0.7:5060;rport;branch=z9hG4bKNUMBER__\r\n\
             Max-Forwards: 70\r\n\
             From: <sip:1001@sip.example.com>;tag=NUMBER__\r\n\
             To: <sip:1001@sip.example.com>\r\n\
             Call-ID: NUMBER__@10.0.0.7\r\nCSeq: 1 {method}\r\n\
             Contact: <sip:1001@10.0.0.7:5060>\r\n\
             User-Agent: Yealink SIP-T46S 66.86.0.15\r\nContent-Length: 0\r\n\r\n"
        )
        .into_bytes()
    });
    text.into()
}

/// Writes a number in the place of each `NUMBER__`, which `places` are the places of.
fn number(payload: &mut [u8], places: &[usize], n: u32) {
    let digits = format!("{n:08x}");
    for place in places {
        payload[*place..*place + 8].copy_from_slice(digits.as_bytes());
    }
}

/// Sends, each datagram from another source in 11.0.0.0/8, `rate` a second until it is told to end.
fn flood(lab: &Lab, rate: u32, ended: &AtomicBool, sent: &AtomicU64) {
    let mut forger = Forger::open(&lab.attacker).unwrap();
    let mut payloads: Vec<_> = payloads()
        .into_iter()
        .map(|payload| {
            let found = payload.windows(8).enumerate();
            let places = found.filter(|(_, it)| *it == b"NUMBER__").map(|(at, _)| at);
            let places: Vec<_> = places.collect();
            (payload, places)
        })
        .collect();
    let (begun, mut n) = (Instant::now(), 0u32);
    let target = SocketAddrV4::new(PBX_V4, 5060);
    while !ended.load(Ordering::Relaxed) {
        for _ in 0..BURST {
            // An odd factor visits each of the 2^24 sources before any comes again.
            let host = n.wrapping_mul(0x9e_3779) & 0xff_ffff;
            let source = Ipv4Addr::from_bits(0x0b00_0000 | host);
            let port = 1024 + (n % 60_000) as u16;
            let kind = n as usize % payloads.len();
            let (payload, places) = &mut payloads[kind];
            number(payload, places, n);
            forger
                .send(SocketAddrV4::new(source, port), target, payload)
                .unwrap();
            n += 1;
        }
        sent.store(n.into(), Ordering::Relaxed);
        let due = Duration::from_secs(1) * n / rate;
        thread::sleep(due.saturating_sub(begun.elapsed()));
    }
}

/// The middle and the slowest hundredth, in milliseconds.
fn latency(times: &[u64]) -> String {
    let mut times = times.to_vec();
    times.sort_unstable();
    let last = times.len().saturating_sub(1);
    let at = |part: usize| {
        times
            .get((times.len() * part / 100).min(last))
            .unwrap_or(&0)
    };
    format!("{} and {} ms of {}", at(50), at(99), times.len())
}

/// All phones register and call for a while; what SIPp saw.
fn work(
    lab: &Lab,
    office: &Office,
    called: &Phone,
    rounds: u32,
    rate: u32,
) -> (SippReport, CallReport) {
    thread::scope(|scope| {
        let registering = scope.spawn(|| office.register(lab, rounds, rate).unwrap());
        let calls = office.phones() * rounds / 2;
        let calling = office.call(lab, called, calls, rate / 2).unwrap();
        (registering.join().unwrap(), calling)
    })
}

fn print(what: &str, (registered, called): &(SippReport, CallReport)) {
    let of = |report: &SippReport, timer: &str| {
        let times = report.response_times.get(timer).cloned();
        latency(&times.unwrap_or_default())
    };
    println!(
        "{what}: register {}, invite {}, bye {}; sent again {}",
        of(registered, "register"),
        of(&called.caller, "invite"),
        of(&called.caller, "bye"),
        registered.retransmissions + called.caller.retransmissions
    );
}

/// What the tables in the kernel take up, in bytes.
fn kernel_memory(fence: &Ringfence<'_>) -> u64 {
    let status = said(fence, &["status", "--format", "json"]);
    let status: serde_json::Value = serde_json::from_str(&status).unwrap();
    status["trust"]["kernel_memory"].as_u64().unwrap()
}

/// Packets that the fence has judged so far.
fn judged(fence: &Ringfence<'_>) -> u64 {
    let status = said(fence, &["status", "--format", "json"]);
    let status: serde_json::Value = serde_json::from_str(&status).unwrap();
    let of = |what: &str| status["packets"][what].as_u64().unwrap();
    of("passed") + of("dropped")
}

/// No registration failed, and no call; what was sent again arrived.
fn flawless(
    fence: &Ringfence<'_>,
    (registered, calls): &(SippReport, CallReport),
    office: &Office,
    rounds: u32,
) {
    for report in [registered, &calls.caller, &calls.callee] {
        let faults = (report.failed, report.unexpected);
        assert_eq!(faults, (0, 0), "{report:?}\n{}", told(fence));
    }
    let wanted = u64::from(office.phones() * rounds);
    let made = (registered.successful, calls.caller.successful);
    assert_eq!(made, (wanted, wanted / 2), "{calls:?}\n{}", told(fence));
}

/// A flood at `rate` while a hundred phones do `rounds` of their work; how many datagrams it was.
fn survives(rate: u32, rounds: u32) -> u64 {
    let lab = Lab::new().unwrap();
    let setup = Setup {
        users: 1001..=1199,
        ..Setup::default()
    };
    let _kamailio = Kamailio::start_with(&lab, &setup).unwrap();
    let office = Office {
        users: 1100..=1199,
        address: address("198.51.100.10"),
    };
    let called = phone(1002, "198.51.100.12:5082");
    lab.add_address(&lab.phone, called.address).unwrap();
    let enforcing = policy("", "");
    let fence = guard(&lab, &enforcing.replace("\"enforce\"", "\"shadow\""));
    let before = office.register(&lab, 1, 3 * RATE).unwrap();
    assert_eq!((before.successful, before.failed), (100, 0), "{before:?}");
    registers(&lab, &fence, &called);
    fence.write("ringfence.toml", &enforcing).unwrap();
    said(&fence, &["reload"]);

    let calm = work(&lab, &office, &called, 1, RATE);
    flawless(&fence, &calm, &office, 1);
    let ours = [office.address, called.address];
    let is_ours = move |from: SocketAddr| ours.contains(&from.ip());
    let (left, arrived) = (sent(&lab, &lab.phone, is_ours), passed(&lab, is_ours));
    let (before, memory) = (judged(&fence), kernel_memory(&fence));
    let (ended, count) = (AtomicBool::new(false), AtomicU64::new(0));
    let begun = Instant::now();
    let busy = thread::scope(|scope| {
        scope.spawn(|| flood(&lab, rate, &ended, &count));
        let busy = work(&lab, &office, &called, rounds, RATE);
        ended.store(true, Ordering::Relaxed);
        busy
    });
    let (count, seconds) = (count.into_inner(), begun.elapsed().as_secs_f64());
    let seen = judged(&fence) - before;
    assert!(seen >= count, "{seen} of {count} reached the fence");
    println!(
        "{count} forged datagrams in {seconds:.1} s, {:.0} a second",
        count as f64 / seconds
    );
    print("without the flood", &calm);
    print("with the flood", &busy);

    flawless(&fence, &busy, &office, rounds);
    let left = left.stop().unwrap();
    assert_eq!(arrived.stop().unwrap(), left, "{}", told(&fence));
    let trust = trust(&fence, office.address).unwrap();
    let accounts = trust["accounts"].as_array().unwrap();
    assert_eq!(accounts.len() as u32, office.phones(), "{trust}");
    let memory_after = kernel_memory(&fence);
    println!("kernel memory: {memory} bytes, after the flood {memory_after}");
    // Phones that register from other ports take up more; of a forged source not a byte is kept.
    let more = memory_after.saturating_sub(memory);
    assert!(memory_after <= MEMORY && more < count / 4, "{more}");
    count
}

#[test]
fn phones_register_and_call_in_a_flood() {
    if needs_root() {
        return;
    }
    let sent = survives(20_000, 2);
    assert!(sent > 20_000, "{sent} are no flood");
}

#[test]
#[ignore = "takes two minutes; its figures are for the report"]
fn a_million_sources_for_a_minute() {
    if needs_root() {
        return;
    }
    let sent = survives(50_000, 12);
    assert!(sent > 1_000_000, "{sent} are no million");
}
