//! The daemon and its fence, with packets made by hand: under load, and from its start to its end.

mod capped;
mod counted;
mod fed;
#[path = "../../../crates/ringfence/tests/kernel/frames.rs"]
mod frames;
mod lists;
mod named;
mod reloaded;
mod renewed;
mod signals;
mod starts;
mod trial;

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

use aya::maps::{Map, MapData, PerCpuArray};
use ringfence::engine::xdp::Pins;
use ringfence_lab::{Lab, Ringfence, Wire, without_signatures};

/// Not a measure: nothing here takes so long, however busy the machine is.
const LIMIT: Duration = Duration::from_secs(30);

/// The stranger is of this country.
const COUNTRIES: &str = "203.0.113.0,203.0.113.255,RU\n";

/// A policy for an interface that admits the countries given, such as `"GB"`.
fn policy(interfaces: &str, countries: &str) -> String {
    format!(
        "mode = \"enforce\"\ninterfaces = [{interfaces}]\ncountries = [{countries}]\n{}\
         [[service]]\nname = \"sip\"\nkind = \"plain\"\nports = [\"udp/5060\"]\nfrom = \"countries\"\n",
        without_signatures()
    )
}

/// Whether a packet of the stranger passes the fence at the other end of the wire.
fn passes(lab: &Lab, wire: &Wire, interface: &str) -> bool {
    let stranger = |packet: &ringfence_lab::Packet<'_>| packet.has_port(4999);
    let passed = lab.count_packets(&lab.pbx, interface, stranger).unwrap();
    let before = wire.received().unwrap();
    let (from, to) = ("203.0.113.9:4999", "192.0.2.10:5060");
    let mut frame = frames::udp(from.parse().unwrap(), to.parse().unwrap(), b"x");
    // A bridge hands up what is for all, and may look at the checksum (RFC 1071) of the header.
    frame[..6].fill(0xff);
    let words = frame[14..34].chunks_exact(2);
    let sum: u32 = words
        .map(|word| u32::from(word[0]) << 8 | u32::from(word[1]))
        .sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    frame[24..26].copy_from_slice(&(!(folded as u16)).to_be_bytes());
    wire.send(&frame).unwrap();
    until("the packet is received", || {
        wire.received().unwrap() > before
    });
    passed.stop().unwrap() == 1
}

fn until(what: &str, mut ready: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !ready() {
        assert!(begun.elapsed() < LIMIT, "{what}: not so");
        thread::sleep(Duration::from_millis(20));
    }
}

/// What the system says of an interface of the telephone system, from its XDP program on.
fn xdp(lab: &Lab, interface: &str) -> String {
    let mut command = lab.pbx.command("ip");
    let output = command
        .args(["-d", "link", "show", interface])
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let programs = text.lines().filter(|line| line.contains("prog/xdp"));
    programs.map(str::trim).collect::<Vec<_>>().join("; ")
}

/// A laboratory with one guarded interface, `eth1`.
fn guarded(lab: &Lab) -> (Wire, Ringfence<'_>) {
    let wire = Wire::lay(&lab.attacker, &lab.pbx, "eth1").unwrap();
    let mut fence = Ringfence::prepare(lab).unwrap();
    fence
        .guard(&policy("\"eth1\"", "\"GB\""), COUNTRIES)
        .unwrap();
    (wire, fence)
}

/// A map of one number for each CPU: the CPUs' numbers by index, where they are not all 0.
fn numbers(fence: &Ringfence<'_>, name: &str) -> BTreeMap<usize, Vec<u64>> {
    let map = MapData::from_pin(Pins::below(&fence.bpffs()).map(name)).unwrap();
    let map: PerCpuArray<_, u64> = Map::PerCpuArray(map).try_into().unwrap();
    let all = (0..map.len()).map(|index| (index as usize, map.get(&index, 0).unwrap().to_vec()));
    all.filter(|(_, each)| each.iter().any(|count| *count != 0))
        .collect()
}
