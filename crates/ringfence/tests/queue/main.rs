//! The judge over queues of nftables says what the judge over memory says, of every packet that the kernel's IP layer
//! accepts: put together from its fragments, from the IP header on.
//!
//! What is left out, by name: frames that the IP layer discards (a wrong length or checksum, another version), link layers,
//! pieces of a datagram by themselves, and transport headers too short to have ports.
//!
//! Needs root; without it each test says so and ends.

#[path = "../kernel/frames.rs"]
mod frames;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use proptest::test_runner::{Config as Cases, TestRunner};
use ringfence::config::Config;
use ringfence::country::CountryData;
use ringfence::engine::memory::Memory;
use ringfence::engine::nfqueue::{Fence, Settings};
use ringfence::engine::{Engine, boot_time};
use ringfence::tables::{self, Inputs};
use ringfence_core::control::Interface;
use ringfence_core::packet::Link;
use ringfence_core::reason::Reason;
use ringfence_lab::{Lab, Wire, needs_root};

/// Rates that no test reaches: each judge reads the clock for itself.
const POLICY: &str = r#"
mode      = "enforce"
countries = ["GB", "US"]
permit    = ["192.0.2.128/25"]
deny      = ["192.0.2.200", "203.0.113.0/26"]
permit_private = false

[ban]
enable = false

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
RATE
budget  = "100000/1s"

[[service]]
name  = "fenced"
kind  = "sip"
ports = ["udp/5070", "tcp/5070"]
from  = { REGISTER = "countries", INVITE = "anyone", default = "countries" }
RATE
budget  = "100000/1s"

[[service]]
name  = "iax"
kind  = "iax2"
ports = ["udp/4569"]
from  = "anyone"
RATE
budget  = "100000/1s"

[[service]]
name  = "ssh"
kind  = "plain"
ports = ["tcp/22"]
from  = "permitted"
"#;

/// For the word `RATE` in the policy.
const RATE: &str = r#"rate = { REGISTER = "10000/1s", INVITE = "10000/1s", OPTIONS = "10000/1s", SUBSCRIBE = "10000/1s",
    PUBLISH = "10000/1s", MESSAGE = "10000/1s", in-dialogue = "10000/1s", other = "10000/1s", responses = "10000/1s",
    not-sip = "10000/1s", new-tcp = "10000/1s" }"#;

const PORTS: [u16; 5] = [5060, 5070, 4569, 22, 9];
/// How long a packet may take to its verdict: nothing that is waited for takes so long.
const LIMIT: Duration = Duration::from_secs(10);

/// Both judges, with the same tables and the same secret.
struct Both {
    wire: Wire,
    fence: Fence,
    memory: Memory,
    judged: Vec<u64>,
}

impl Both {
    fn new(lab: &Lab) -> Self {
        let wire = Wire::lay(&lab.attacker, &lab.pbx, "queued").unwrap();
        let config = Config::parse(&POLICY.replace("RATE", RATE), "test.toml").unwrap();
        let compile = || tables::compile(&config, &Inputs::default()).unwrap();
        let countries = || {
            CountryData::builtin()
                .and_then(|data| data.compile())
                .unwrap()
        };
        let generation = compile();
        let lists = generation.lists.iter();
        let lists = lists.map(|(prefix, listed)| ((prefix.address, prefix.length), *listed));
        let settings = Settings {
            first: 700,
            queues: 2.try_into().ok(),
            length: 1024,
            closed: true,
        };
        let fence = lab.pbx.inside(|| {
            let mut fence = Fence::load(settings, "/nonexistent".into(), 0)?;
            let index = nix::net::if_::if_nametoindex("queued").unwrap();
            let link = Link::Ethernet as u32;
            fence.guard(&[Interface { index, link }], 1000)?;
            fence.put(&generation.policy, Some(&countries()), lists.collect())?;
            fence.attach("queued", index).map(|_| fence)
        });
        let fence = fence.unwrap().unwrap();
        let memory = Memory::new(compile(), countries(), fence.key());
        let judged = counts(&fence);
        Self {
            wire,
            fence,
            memory,
            judged,
        }
    }

    /// Sends frames that bring one packet; the verdict on it, which is that of the memory on the packet.
    fn judge(&mut self, frames: &[Vec<u8>], packet: &[u8]) -> Reason {
        let before = self.judged.clone();
        for frame in frames {
            let mut frame = frame.clone();
            // A cable without addresses hands up what is for all.
            frame[..6].fill(0xff);
            self.wire.send(&frame).unwrap();
        }
        let begun = Instant::now();
        while self.judged == before {
            assert!(begun.elapsed() < LIMIT, "not judged: {packet:02x?}");
            self.judged = counts(&self.fence);
        }
        let now = boot_time().unwrap();
        let verdict = self.memory.judge(now, 0, Link::RawIp, packet);
        let expected = usize::from(verdict.service) * ringfence_core::reason::REASONS
            + usize::from(verdict.reason_number());
        let moved: Vec<_> = (0..before.len())
            .filter(|at| before[*at] != self.judged[*at])
            .collect();
        assert_eq!(moved, [expected], "{:?}: {packet:02x?}", verdict.reason());
        verdict.reason()
    }
}

fn counts(fence: &Fence) -> Vec<u64> {
    fence.counts().unwrap().as_flattened().to_vec()
}

/// The packet of a frame over IPv4, with its length and checksum as the IP layer wants them; None where it would discard
/// it all the same, or nobody would queue it.
fn acceptable(frame: &mut [u8]) -> Option<Vec<u8>> {
    let length = u16::try_from(frame.len() - 14).ok()?;
    let packet = frame.get_mut(14..)?;
    if packet.len() < 28 || packet[0] != 0x45 || packet[6] & 0x3f != 0 || packet[7] != 0 {
        return None;
    }
    put_right(packet, length);
    let port = u16::from_be_bytes([packet[22], packet[23]]);
    let services: &[u16] = match packet[9] {
        17 => &[5060, 5070, 4569],
        6 => &[5060, 5070, 22],
        _ => return None,
    };
    let known = [
        "8.8.8.8",
        "77.88.8.8",
        "192.0.2.130",
        "198.51.100.130",
        "198.51.100.200",
    ];
    let is_known =
        |text: &&str| text.parse::<std::net::Ipv4Addr>().unwrap().octets() == packet[12..16];
    let ours = packet[16..20] == [192, 0, 2, 10] && packet[8] != 0;
    let whole = known.iter().any(is_known) && ours && services.contains(&port);
    whole.then(|| packet.to_vec())
}

fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let sources = prop::sample::select(vec![
        "8.8.8.8",
        "77.88.8.8",
        "192.0.2.130",
        "198.51.100.130",
        "198.51.100.200",
    ]);
    let methods = prop::sample::select(vec![
        "REGISTER", "INVITE", "OPTIONS", "BYE", "invite", "FOO",
    ]);
    let hosts = prop::sample::select(vec!["sip.example.com", "a.voip.example", "192.0.2.10"]);
    let agents = prop::sample::select(vec!["Yealink", "friendly-scanner", "PBX"]);
    let changes = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4);
    let ports = prop::sample::select(PORTS.to_vec());
    let cut = any::<Option<prop::sample::Index>>();
    (
        sources,
        ports,
        methods,
        hosts,
        agents,
        0u64..500,
        any::<bool>(),
        changes,
        cut,
    )
        .prop_map(
            |(source, port, method, host, agent, branch, stream, changes, cut)| {
                let text = frames::request(method, host, "1001", agent, branch);
                let from = SocketAddr::new(source.parse().unwrap(), 1024 + branch as u16);
                let to = SocketAddr::new("192.0.2.10".parse().unwrap(), port);
                let mut frame = match (stream, branch % 3) {
                    (false, _) => frames::udp(from, to, &text),
                    (true, 0) => frames::tcp(from, to, 99, 2, &[]),
                    (true, _) => frames::tcp(from, to, 100, 0x18, &text),
                };
                for (place, byte) in changes {
                    let at = 14 + place.index(frame.len() - 14);
                    frame[at] = byte;
                }
                if let Some(cut) = cut {
                    frame.truncate(42 + cut.index(frame.len() - 41));
                }
                frame
            },
        )
}

#[test]
fn generated_packets_get_the_same_verdict() {
    if needs_root() {
        return;
    }
    let lab = Lab::new().unwrap();
    let both = std::cell::RefCell::new(Both::new(&lab));
    let seen = std::cell::RefCell::new(std::collections::BTreeMap::new());
    let mut runner = TestRunner::new(Cases {
        cases: 1500,
        max_shrink_iters: 0,
        failure_persistence: None,
        ..Cases::default()
    });
    runner
        .run(&mutated(), |mut frame| {
            if let Some(packet) = acceptable(&mut frame) {
                let reason = both.borrow_mut().judge(&[frame], &packet);
                *seen
                    .borrow_mut()
                    .entry(format!("{reason:?}"))
                    .or_insert(0u32) += 1;
            }
            Ok(())
        })
        .expect("both judges agree");
    let seen = seen.into_inner();
    println!("{seen:?}");
    assert!(seen.len() >= 6, "{seen:?}");
}

#[test]
fn a_datagram_in_pieces_is_judged_whole() {
    if needs_root() {
        return;
    }
    let lab = Lab::new().unwrap();
    let mut both = Both::new(&lab);
    let from: SocketAddr = "8.8.8.8:5070".parse().unwrap();
    let to: SocketAddr = "192.0.2.10:5060".parse().unwrap();
    for (agent, reason) in [
        ("Yealink", Reason::Clean),
        ("friendly-scanner", Reason::Signature),
    ] {
        let text = frames::request("OPTIONS", "sip.example.com", "1001", agent, 5);
        let mut whole = frames::udp(from, to, &text);
        let packet = acceptable(&mut whole).unwrap();
        // The ports in the first piece, the name of the scanner in the second.
        let mut pieces = Vec::new();
        for (at, length, flags) in [(0, 104, 0x2000u16), (104, packet.len() - 124, 0)] {
            let mut piece = whole[..34].to_vec();
            piece.extend(&packet[20 + at..20 + at + length]);
            let place = (at / 8) as u16 | flags;
            piece[20..22].copy_from_slice(&place.to_be_bytes());
            let length = (piece.len() - 14) as u16;
            put_right(&mut piece[14..], length);
            pieces.push(piece);
        }
        assert_eq!(both.judge(&pieces, &packet), reason);
    }
}

/// Sets the length and the checksum (RFC 1071) of a header.
fn put_right(packet: &mut [u8], length: u16) {
    packet[2..4].copy_from_slice(&length.to_be_bytes());
    packet[10..12].fill(0);
    let words = packet[..20].chunks_exact(2);
    let sum: u32 = words
        .map(|word| u32::from(word[0]) << 8 | u32::from(word[1]))
        .sum();
    let sum = (sum & 0xffff) + (sum >> 16);
    let sum = !((sum & 0xffff) + (sum >> 16)) as u16;
    packet[10..12].copy_from_slice(&sum.to_be_bytes());
}
