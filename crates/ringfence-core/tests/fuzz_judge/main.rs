//! Mutated packets of every kind against the judge, for `RINGFENCE_FUZZ_SECONDS` (3 by default) a
//! test: nothing panics, and what is promised of every verdict holds.

#[path = "../bench/mod.rs"]
mod bench;
mod iax2;

use std::time::{Duration, Instant};

use bench::packet::{
    MORE, SOURCE, SOURCE6, TCP, UDP, authentication, ethernet, extension, ipv4, ipv6, piece,
    register, request, tcp, udp,
};
use bench::{SECOND, World, port};
use proptest::prelude::*;
use ringfence_core::address::Address;
use ringfence_core::bench::list_flags;
use ringfence_core::class::Class;
use ringfence_core::limit::Limit;
use ringfence_core::packet::Link;
use ringfence_core::policy::service_flags;
use ringfence_core::reason::Action;
use zerocopy::IntoBytes;

/// xorshift64*: the same mutations for the same seed.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, most: usize) -> usize {
        (self.next() >> 16) as usize % most.max(1)
    }

    /// Flips, cuts, repeats and inserts in `bytes`, from byte `from` on.
    fn mutate(&mut self, bytes: &mut Vec<u8>, from: usize) {
        const TEXTS: [&[u8]; 16] = [
            b"\r\n",
            b"\n",
            b"\"",
            b"<",
            b">",
            b";tag=",
            b"\\",
            b"@",
            b"SIP/2.0",
            b"l: 5",
            b"sip:",
            b"[",
            b"\0",
            b" ",
            b"\xff\xff",
            b";branch=",
        ];
        for _ in 0..=self.below(6) {
            if bytes.len() <= from {
                return;
            }
            let at = from + self.below(bytes.len() - from);
            match self.below(6) {
                0 => bytes[at] = self.next() as u8,
                1 => bytes[at] ^= 1 << self.below(8),
                2 => bytes.truncate(at),
                3 => {
                    let end = at + self.below(bytes.len() - at);
                    let part = bytes[at..end].to_vec();
                    bytes.splice(at..at, part);
                }
                4 => {
                    let text = TEXTS[self.below(TEXTS.len())];
                    bytes.splice(at..at, text.iter().copied());
                }
                _ => {
                    bytes.remove(at);
                }
            }
        }
        bytes.truncate(9000);
    }
}

fn busy() -> World {
    let mut world = World::new();
    world.load_countries();
    world.policy.strikes = Limit::new(500, SECOND, 500);
    world.policy.fragments = Limit::new(500, SECOND, 1000);
    for port in [port::SIP, port::SIPS, port::WS, port::PLAIN, port::IAX2] {
        for class in Class::ALL {
            world.rate(port, *class, Limit::new(5000, SECOND, 5000));
        }
        let service = world.service(port);
        service.flags = service_flags::DOMAINS;
        service.budget = Limit::new(100_000, SECOND, 100_000);
        service.source_budget = Limit::new(50_000, SECOND, 50_000);
    }
    // A table of noise: the judge may find anything with it, and must come to an end.
    let mut random = Random(99);
    for byte in world.policy.automaton.as_mut_bytes() {
        *byte = random.next() as u8;
    }
    world
}

/// How long to go on.
fn limit() -> Duration {
    let seconds = std::env::var("RINGFENCE_FUZZ_SECONDS").ok();
    let seconds = seconds.and_then(|text| text.parse().ok()).unwrap_or(3);
    Duration::from_secs(seconds)
}

/// Mutates copies of `seeds` until the time is over, and judges each.
fn run(world: &mut World, seeds: &[Vec<u8>], from: usize) {
    let end = Instant::now() + limit();
    let mut random = Random(0x5eed);
    let mut count = 0;
    while Instant::now() < end {
        for _ in 0..100 {
            let mut frame = seeds[random.below(seeds.len())].clone();
            random.mutate(&mut frame, from);
            let link = if random.below(16) == 0 {
                Link::RawIp
            } else {
                Link::Ethernet
            };
            world.policy.mode = (random.below(8) != 0).into();
            let verdict = world.verdict(link, &frame);
            let dropped = verdict.action() == Action::Drop;
            let wanted = verdict.reason().action() == Action::Drop;
            assert_eq!(dropped, wanted && world.policy.mode == 1);
            let end = verdict.payload + verdict.length;
            assert!(verdict.length == 0 || end <= frame.len() as u32);
            world.place.now += random.next() & 0xff_ffff;
            count += 1;
        }
        world.place.bans.clear();
    }
    println!("{count} packets");
}

#[test]
fn packets() {
    let data = udp(5060, port::SIP, &register("z9hG4bK1"));
    let fragment = udp(5060, port::SIP, &register("z9hG4bK1").repeat(3));
    run(
        &mut busy(),
        &[
            ethernet(&[], &ipv4(SOURCE, UDP, &[], 0, &data)),
            ethernet(&[0x88a8, 0x8100], &ipv4(SOURCE, UDP, &[1; 12], 0, &data)),
            ethernet(&[], &ipv4(SOURCE, UDP, &[], MORE, &fragment)),
            ethernet(&[], &ipv4(SOURCE, UDP, &[], 99, &data)),
            ethernet(
                &[],
                &ipv4(SOURCE, TCP, &[], 0, &tcp(1, port::SIP, 9, 2, b"")),
            ),
            ethernet(&[], &ipv6(&[extension(0, 2), piece(0, false)], UDP, &data)),
            ethernet(
                &[],
                &ipv6(&[authentication(24), piece(0, true)], UDP, &fragment),
            ),
            ethernet(&[], &ipv6(&[piece(800, true)], TCP, &data)),
        ],
        0,
    );
}

#[test]
fn texts() {
    let long = "X-Header: some value of a header\r\n".repeat(40);
    let texts = [
        register("z9hG4bK1"),
        request("INVITE", "sip:100@example.org;x=y", "z9hG4bK2", &long),
        request("ACK", "sips:[2001:db8::1]:5061", "z9hG4bK3", "Route: <sip:a;lr>,\r\n <sip:b>\r\n"),
        b"OPTIONS sip:a@b SIP/2.0\r\nt: \"a \\\" b\" <sip:c@d>;x=\"y\";tag=1\r\nf: e<sip:g@h>\r\n\r\n"
            .to_vec(),
        b"SIP/2.0 200 OK\r\nv: SIP/2.0/UDP a;branch=b\r\nServer: x\r\n\r\nv=0\r\no=a\r\ns=b\r\n".to_vec(),
        b"\r\n\r\n\r\n\r\n".to_vec(),
    ];
    let mut seeds = Vec::new();
    for text in &texts {
        seeds.push(ethernet(
            &[],
            &ipv4(SOURCE, UDP, &[], 0, &{
                // A length of 0 lets the mutated text be of any.
                let mut data = udp(5060, port::SIP, text);
                data[4..6].copy_from_slice(&[0, 0]);
                data
            }),
        ));
        for sequence in [8, 9, 40, 400] {
            let segment = tcp(1, port::SIP, sequence, 0x10, text);
            seeds.push(ethernet(&[], &ipv4(SOURCE, TCP, &[], 0, &segment)));
        }
    }
    seeds.push(ethernet(
        &[],
        &ipv4(SOURCE, TCP, &[], 0, &tcp(1, port::SIP, 8, 2, b"")),
    ));
    for seed in &mut seeds {
        seed[16..18].copy_from_slice(&[0, 0]);
    }
    run(&mut busy(), &seeds, 42);
}

#[test]
fn greetings() {
    let mut hello = b"\x16\x03\x01\x00\x51\x01\x00\x00\x4d\x03\x03".to_vec();
    hello.extend([7; 32]);
    hello.extend(b"\x00\x00\x02\x13\x01\x01\x00\x00\x1a\x00\x0a\x00\x02\x00\x1d\x00\x00\x00\x10\x00\x0e\x00\x00\x0bexample.org");
    let mut seeds = Vec::new();
    for (port, data) in [
        (port::SIPS, &hello[..]),
        (port::WSS, &hello),
        (
            port::WS,
            b"GET /ws HTTP/1.1\r\nHost: example.org:80\r\nUpgrade: websocket\r\n\r\n",
        ),
    ] {
        for (sequence, flags, data) in [(8, 2, &b""[..]), (9, 0x10, data)] {
            let segment = tcp(1, port, sequence, flags, data);
            let mut frame = ethernet(&[], &ipv4(SOURCE, TCP, &[], 0, &segment));
            frame[16..18].copy_from_slice(&[0, 0]);
            seeds.push(frame);
        }
    }
    run(&mut busy(), &seeds, 54);
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 2000, failure_persistence: None, ..ProptestConfig::default()
    })]

    #[test]
    fn permitted_sources_and_shadow_drop_nothing(
        bytes in proptest::collection::vec(any::<u8>(), 0..300), seed in 1u64.., port in any::<bool>(),
    ) {
        thread_local! {
            static WORLD: std::cell::RefCell<World> = std::cell::RefCell::new({
                let mut world = busy();
                for address in [Address::v4(SOURCE), Address::v6(SOURCE6)] {
                    world.list(address, list_flags::PERMITTED);
                }
                world
            });
        }
        WORLD.with_borrow_mut(|world| {
            let to = if port { port::SIP } else { port::SIPS };
            let mut data = udp(1, to, &bytes);
            Random(seed).mutate(&mut data, 0);
            let protocol = if seed & 1 == 0 { UDP } else { TCP };
            world.policy.mode = 1;
            for frame in [
                ethernet(&[], &ipv4(SOURCE, protocol, &[], seed as u16, &data)),
                ethernet(&[], &ipv6(&[piece(seed as u16, true)], protocol, &data)),
            ] {
                prop_assert_eq!(world.verdict(Link::Ethernet, &frame).action(), Action::Pass);
            }
            world.policy.mode = 0;
            let other = ethernet(&[], &ipv4([203, 0, 113, 5], protocol, &[], 0, &data));
            for frame in [&other[..], &bytes] {
                prop_assert_eq!(world.verdict(Link::Ethernet, frame).action(), Action::Pass);
                prop_assert_eq!(world.verdict(Link::RawIp, frame).action(), Action::Pass);
            }
            Ok(())
        })?;
    }
}
