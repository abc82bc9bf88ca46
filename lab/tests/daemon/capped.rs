//! A flood of forged sources is told to the daemon no faster than the administrator wants to hear.

use std::net::{Ipv4Addr, SocketAddr};
use std::thread;
use std::time::{Duration, Instant};

use ringfence_lab::{Lab, Ringfence, Wire, needs_root, without_signatures};
use serde_json::Value;

use crate::counted::{stay_on, two_cpus};
use crate::{LIMIT, frames};

/// Events in a second, over all CPUs.
const EVENTS: u64 = 100;
const FLOOD: Duration = Duration::from_secs(4);
/// All of it is foreign.
const COUNTRIES: &str = "11.0.0.0,11.255.255.255,RU\n";

fn status(fence: &Ringfence<'_>) -> Value {
    let answer = fence.cli(&["status", "--format", "json"]).unwrap();
    serde_json::from_str(&answer.stdout).unwrap()
}

/// Sends for a while, from one source after the other from `first` on; how many.
fn flood(wire: &Wire, cpu: usize, first: u32) -> u64 {
    stay_on(cpu);
    let destination: SocketAddr = "192.0.2.10:5060".parse().unwrap();
    let (begun, mut sent) = (Instant::now(), 0u32);
    while begun.elapsed() < FLOOD {
        for _ in 0..100 {
            let source = Ipv4Addr::from(first + sent);
            let source = SocketAddr::new(source.into(), 5060);
            wire.send(&frames::udp(source, destination, b"x")).unwrap();
            sent += 1;
        }
        // Far more than may be told, and room for whoever else has work here.
        thread::sleep(Duration::from_millis(5));
    }
    u64::from(sent)
}

#[test]
fn no_more_events_are_reported_than_a_second_may_bring() {
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
    let policy = format!(
        "mode = \"enforce\"\ninterfaces = [\"eth1\", \"eth2\"]\ncountries = [\"GB\"]\n\
         events_per_second = {EVENTS}\n{}\
         [[service]]\nname = \"sip\"\nports = [\"udp/5060\"]\nfrom = \"countries\"\n",
        without_signatures()
    );
    fence.guard(&policy, COUNTRIES).unwrap();

    let begun = Instant::now();
    let sent: u64 = thread::scope(|scope| {
        let firsts = [0x0b00_0000, 0x0b80_0000];
        let floods = cpus.into_iter().zip(&wires).zip(firsts);
        let floods =
            floods.map(|((cpu, wire), first)| scope.spawn(move || flood(wire, cpu, first)));
        let floods: Vec<_> = floods.collect();
        floods.into_iter().map(|flood| flood.join().unwrap()).sum()
    });
    let mut told = status(&fence);
    while told["packets"]["dropped"].as_u64() < Some(sent) && begun.elapsed() < LIMIT {
        thread::sleep(Duration::from_millis(50));
        told = status(&fence);
    }
    let seconds = begun.elapsed().as_secs_f64();

    assert_eq!(told["packets"]["dropped"], sent, "{told}");
    let of = |what: &str| told["events"][what].as_u64().unwrap();
    let reported = of("reported");
    let all = reported + of("sampled") + of("limited") + of("lost");
    assert_eq!(all, sent, "each drop is one of the four: {told}");
    assert!(reported > 0 && of("limited") > 0, "{told}");
    // What one second may bring may come at once, before the seconds that were measured bring theirs.
    let most = EVENTS as f64 * (seconds + 1.0) * 1.1;
    assert!(
        (reported as f64) < most,
        "{reported} in {seconds:.1} s: {told}"
    );
}
