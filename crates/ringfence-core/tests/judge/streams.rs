//! SIP over TCP: where messages begin, and what becomes of each.

use super::bench::packet::{MORE, SOURCE, TCP, ethernet, ipv4, register, request, tcp};
use super::bench::{SECOND, World, port};
use ringfence_core::address::Address;
use ringfence_core::bench::list_flags;
use ringfence_core::class::Class;
use ringfence_core::limit::Limit;
use ringfence_core::packet::Link;
use ringfence_core::reason::Reason;
use ringfence_core::verdict::Verdict;

const SYN: u8 = 0x02;
const ACK: u8 = 0x10;

/// A connection from one source port.
struct Stream {
    from: u16,
    port: u16,
    first: u32,
}

impl Stream {
    /// A connection whose SYN was passed.
    fn open(world: &mut World, from: u16, port: u16) -> Self {
        // The sequence numbers come round within the test.
        let stream = Self {
            from,
            port,
            first: u32::MAX - 20,
        };
        let syn = stream.send(world, u32::MAX, SYN, b"");
        assert_eq!(syn.reason(), Reason::Clean);
        stream
    }

    fn send(&self, world: &mut World, at: u32, flags: u8, data: &[u8]) -> Verdict {
        let segment = tcp(
            self.from,
            self.port,
            self.first.wrapping_add(at),
            flags,
            data,
        );
        world.verdict(
            Link::Ethernet,
            &ethernet(&[], &ipv4(SOURCE, TCP, &[], 0, &segment)),
        )
    }

    fn data(&self, world: &mut World, at: usize, data: &[u8]) -> Reason {
        self.send(world, at as u32, ACK, data).reason()
    }
}

fn with_body(branch: &str, body: &str) -> Vec<u8> {
    let text = String::from_utf8(register(branch)).unwrap();
    let length = format!("Content-Length: {}", body.len());
    (text.replace("Content-Length: 0", &length) + body).into_bytes()
}

fn dropped(reason: Reason) -> bool {
    reason.action() == ringfence_core::reason::Action::Drop
}

#[test]
fn two_segments_at_every_offset() {
    let mut world = World::new();
    world.policy.strikes = Limit::NONE;
    let text = with_body("z9hG4bK1", "v=0\r\no=x\r\n\r\nREGISTER\r\n");
    for before in ["", "\r\n\r\n", "\r\n"] {
        let text = [before.as_bytes(), &text].concat();
        for split in 1..text.len() {
            let stream = Stream::open(&mut world, split as u16, port::SIP);
            let first = stream.data(&mut world, 0, &text[..split]);
            let rest = if dropped(first) {
                assert_eq!(first, Reason::Incomplete, "{split}");
                // What lies behind the gap waits; the sender repeats all of it.
                assert_eq!(
                    stream.data(&mut world, split, &text[split..]),
                    Reason::Incomplete
                );
                stream.data(&mut world, 0, &text)
            } else {
                stream.data(&mut world, split, &text[split..])
            };
            assert!(!dropped(rest), "{split}: {rest:?}");
            // The next message is found where this one ended.
            let junk = stream.data(&mut world, text.len(), b"junk that is no message\r\n\r\n");
            assert_eq!(junk, Reason::Malformed, "{split}");
        }
    }
}

#[test]
fn three_segments() {
    let mut world = World::new();
    let text = with_body("z9hG4bK1", "some body");
    let line = text.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    for split in line..text.len() - 1 {
        for second in (split + 1..text.len()).step_by(7) {
            let stream = Stream::open(&mut world, split as u16, port::SIP);
            for (at, to) in [(0, split), (split, second), (second, text.len())] {
                assert_eq!(stream.data(&mut world, at, &text[at..to]), Reason::Clean);
                // A repetition changes nothing.
                let again = stream.data(&mut world, at, &text[at..to]);
                assert!(!dropped(again), "{at} {to}: {again:?}");
            }
            let next = stream.data(&mut world, text.len(), &register("z9hG4bK2"));
            assert_eq!(next, Reason::Clean);
        }
    }
}

#[test]
fn a_late_repetition_moves_nothing() {
    let text = with_body("z9hG4bK1", "some body");
    let line = text.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    for split in line..text.len() {
        // The acknowledgement came late: the first piece once more, or both in one.
        for again in [&text[..split], &text] {
            let mut world = World::new();
            let stream = Stream::open(&mut world, 1, port::SIP);
            for (at, piece) in [(0, &text[..split]), (split, &text[split..]), (0, again)] {
                assert_eq!(stream.data(&mut world, at, piece), Reason::Clean);
            }
            let next = stream.data(&mut world, text.len(), &register("z9hG4bK2"));
            assert_eq!(next, Reason::Clean, "{split}");
        }
    }
    // A piece that reaches further than the one before.
    for split in line..text.len() {
        let mut world = World::new();
        let stream = Stream::open(&mut world, 1, port::SIP);
        assert_eq!(stream.data(&mut world, 0, &text[..split]), Reason::Clean);
        let more = [&text[..], b"junk that is no message\r\n\r\n"].concat();
        assert_eq!(
            stream.data(&mut world, 0, &more),
            Reason::Malformed,
            "{split}"
        );
    }
}

#[test]
fn a_repetition_with_another_length_hides_nothing() {
    let text = String::from_utf8(register("z9hG4bK1")).unwrap();
    let longer = text
        .replace("Max-Forwards: 70\r\n", "")
        .replace("Length: 0", "Length: 900");
    let mut world = World::new();
    let stream = Stream::open(&mut world, 1, port::SIP);
    assert_eq!(stream.data(&mut world, 0, text.as_bytes()), Reason::Clean);
    assert_eq!(stream.data(&mut world, 0, longer.as_bytes()), Reason::Clean);
    let hidden = stream.data(&mut world, text.len(), b"junk that is no message\r\n\r\n");
    assert_eq!(hidden, Reason::Malformed);
}

#[test]
fn forged_old_bytes_end_no_connection() {
    let mut world = World::new();
    world.list(Address::v4(SOURCE), list_flags::TRUNK);
    let stream = Stream::open(&mut world, 1, port::SIP);
    let invite = request("INVITE", "sip:a@b", "z9hG4bK1", "");
    assert_eq!(stream.data(&mut world, 0, &invite), Reason::Trunk);
    let next = invite.len();
    // A trunk's REGISTER would end it.
    let forged = 0usize.wrapping_sub(1_000_000);
    let verdict = stream.send(&mut world, forged as u32, ACK, &register("z9hG4bK2"));
    assert_eq!(
        (verdict.reason(), verdict.destroy()),
        (Reason::Refused, false)
    );
    assert_eq!(stream.data(&mut world, next, &invite), Reason::Trunk);
}

#[test]
fn what_the_server_reads_otherwise_or_not_at_all() {
    const FIN: u8 = 0x01;
    const RST: u8 = 0x04;
    const PUSH: u8 = 0x08;
    const URGENT: u8 = 0x20;
    let text = register("z9hG4bK1");
    for (flags, data, reason) in [
        (ACK | PUSH, &text[..], Reason::Clean),
        (ACK | FIN, &text, Reason::Clean),
        (ACK | PUSH | URGENT, &text, Reason::Malformed),
        (ACK | URGENT, b"", Reason::Malformed),
        (PUSH, &text, Reason::Malformed),
        (SYN | ACK, &text, Reason::Malformed),
        (SYN | ACK, b"", Reason::Clean),
        (RST, b"", Reason::Clean),
    ] {
        let mut world = World::new();
        let stream = Stream::open(&mut world, 1, port::SIP);
        let verdict = stream.send(&mut world, 0, flags, data);
        assert_eq!(verdict.reason(), reason, "{flags:x}");
    }
    // Nothing of a reset is read: what follows is where it was.
    let mut world = World::new();
    let stream = Stream::open(&mut world, 1, port::SIP);
    assert_eq!(
        stream.send(&mut world, 0, RST | ACK, &text).reason(),
        Reason::Clean
    );
    assert_eq!(
        stream.data(&mut world, 0, b"junk that is no message\r\n\r\n"),
        Reason::Malformed
    );
    // The later pieces of a segment are not seen.
    let mut text = register("z9hG4bK2");
    text.resize(1400, b'x');
    let stream = Stream::open(&mut world, 2, port::SIP);
    let segment = tcp(2, port::SIP, stream.first, ACK, &text);
    let piece = ethernet(&[], &ipv4(SOURCE, TCP, &[], MORE, &segment));
    assert_eq!(world.reason(&piece), Reason::BadFragment);
}

#[test]
fn several_messages_in_a_segment() {
    let mut world = World::new();
    world.rate(port::SIP, Class::Invite, Limit::new(2, 1000 * SECOND, 2));
    let invite = |n: u32| request("INVITE", "sip:a@b", &format!("z9hG4bK{n}"), "");
    let stream = Stream::open(&mut world, 1, port::SIP);
    let both = [with_body("z9hG4bKa", "body"), invite(1), b"\r\n".to_vec()].concat();
    assert!(!dropped(stream.data(&mut world, 0, &both)));
    let more = [register("z9hG4bKb"), invite(2), invite(3)].concat();
    assert_eq!(stream.data(&mut world, both.len(), &more), Reason::Rate);
    // The rate mends with time: the connection goes on.
    world.place.now += 2000 * SECOND;
    assert_eq!(stream.data(&mut world, both.len(), &more), Reason::Clean);
    let hidden = [
        register("z9hG4bKc"),
        b"junk, and no message\r\n\r\n".to_vec(),
    ]
    .concat();
    let verdict = stream.send(&mut world, (both.len() + more.len()) as u32, ACK, &hidden);
    assert_eq!(
        (verdict.reason(), verdict.destroy()),
        (Reason::Malformed, true)
    );
    let stream = Stream::open(&mut world, 2, port::SIP);
    let many = register("z9hG4bKd").repeat(20);
    assert_eq!(stream.data(&mut world, 0, &many), Reason::Rate);
}

#[test]
fn what_one_message_paid_another_did_not() {
    let mut world = World::new();
    world.service(port::SIP).source_budget = Limit::new(1, 1000 * SECOND, 3);
    world.service(port::SIP).budget = Limit::new(1, SECOND, 100);
    let nameless = b"OPTIONS sip:a SIP/2.0\r\nTo: <sip:a>\r\n\r\n";
    let stream = Stream::open(&mut world, 1, port::SIP);
    let first = register("z9hG4bK1");
    assert_eq!(stream.data(&mut world, 0, &first), Reason::Clean);
    // The first of them is paid for; each of the others is charged.
    let more = [&first[..], nameless, nameless].concat();
    assert_eq!(stream.data(&mut world, first.len(), &more), Reason::Budget);
}

#[test]
fn lengths_that_hide_a_message() {
    for (line, fine) in [
        ("Content-Length: 0", true),
        ("Content-Length  :\t 0 ", true),
        ("Content-Length: 000", true),
        ("Content-Length:\r\n 0", true),
        ("l:0", true),
        ("Content-Length: 0\r\nContent-Length: 30", false),
        ("Content-Length: 30\r\nl: 0", false),
        ("Content-Length: +0", false),
        ("Content-Length: -1", false),
        ("Content-Length: 0x10", false),
        ("Content-Length: 0, 30", false),
        ("Content-Length: 3 0", false),
        ("Content-Length:", false),
        ("Content-Length:\r\n", false),
        ("Content-Length: 4294967296", false),
        ("Content-Length: 18446744073709551616", false),
        ("Content-Length: 9999999", false),
    ] {
        let mut world = World::new();
        let stream = Stream::open(&mut world, 1, port::SIP);
        let text = String::from_utf8(register("z9hG4bK1")).unwrap();
        let text = text.replace("Content-Length: 0", line) + "junk that is no message\r\n\r\n";
        let verdict = stream.send(&mut world, 0, ACK, text.as_bytes());
        assert_eq!(verdict.reason(), Reason::Malformed, "{line}");
        let head = text.len() - 27;
        let mut world = World::new();
        let stream = Stream::open(&mut world, 1, port::SIP);
        let alone = stream.data(&mut world, 0, &text.as_bytes()[..head]);
        assert_eq!(!dropped(alone), fine, "{line}");
    }
}

#[test]
fn keep_alives_and_empty_segments() {
    let mut world = World::new();
    let stream = Stream::open(&mut world, 1, port::SIP);
    assert_eq!(stream.data(&mut world, 0, b""), Reason::Clean);
    assert_eq!(stream.data(&mut world, 0, b"\r\n\r\n"), Reason::KeepAlive);
    assert_eq!(stream.data(&mut world, 4, b"\r"), Reason::KeepAlive);
    assert_eq!(stream.data(&mut world, 5, b"\n"), Reason::KeepAlive);
    assert_eq!(
        stream.data(&mut world, 6, &register("z9hG4bK1")),
        Reason::Clean
    );
}

#[test]
fn a_dropped_flow_stays_dropped() {
    let mut world = World::new();
    let stream = Stream::open(&mut world, 1, port::SIP);
    let other = Stream::open(&mut world, 2, port::SIP);
    let verdict = stream.send(&mut world, 0, ACK, b"junk that is no message\r\n\r\n");
    assert_eq!(
        (verdict.reason(), verdict.destroy()),
        (Reason::Malformed, true)
    );
    for n in 0..100 {
        let verdict = stream.send(&mut world, n, ACK, &register("z9hG4bK1"));
        assert_eq!(
            (verdict.reason(), verdict.destroy()),
            (Reason::Malformed, true)
        );
    }
    assert!(world.place.bans.is_empty(), "one offence is no thirty");
    assert_eq!(
        other.data(&mut world, 0, &register("z9hG4bK2")),
        Reason::Clean
    );
    // The port may come again.
    let again = Stream::open(&mut world, 1, port::SIP);
    assert_eq!(
        again.data(&mut world, 0, &register("z9hG4bK3")),
        Reason::Clean
    );
}

#[test]
fn flows_older_than_the_fence() {
    let mut world = World::new();
    let stream = Stream {
        from: 1,
        port: port::SIP,
        first: 77,
    };
    let middle = stream.data(&mut world, 0, b"the middle of some body");
    assert_eq!(middle, Reason::Undecided);
    assert_eq!(
        stream.data(&mut world, 23, &register("z9hG4bK1")),
        Reason::Clean
    );
    let junk = stream.data(
        &mut world,
        23 + register("z9hG4bK1").len(),
        b"junk\r\n\r\nmore",
    );
    assert_eq!(junk, Reason::Malformed);
    let tls = Stream {
        from: 1,
        port: port::SIPS,
        first: 77,
    };
    assert_eq!(tls.data(&mut world, 0, b"\x17\x03\x03"), Reason::Undecided);
}

#[test]
fn openings() {
    let mut world = World::new();
    for port in [port::SIP, port::SIPS, port::PLAIN] {
        world.rate(port, Class::NewTcp, Limit::new(3, 1000 * SECOND, 3));
        for n in 1..10u16 {
            let stream = Stream {
                from: n,
                port,
                first: 5,
            };
            for _ in 0..3 {
                let reason = stream.send(&mut world, u32::MAX, SYN, b"").reason();
                assert_eq!(
                    reason,
                    if n <= 3 { Reason::Clean } else { Reason::Rate },
                    "{n}"
                );
            }
        }
    }
    assert!(
        world.place.bans.is_empty(),
        "a repeated SYN is no new offence"
    );
    let stream = Stream {
        from: 1,
        port: port::SIP,
        first: 5,
    };
    let data = stream.send(&mut world, u32::MAX, SYN, &register("z9hG4bK1"));
    assert_eq!(data.reason(), Reason::Incomplete);
    let mut world = World::new();
    world.service(port::SIP).budget = Limit::new(1, 1000 * SECOND, 1);
    for n in 0..4 {
        let stream = Stream {
            from: 1 + n / 2,
            port: port::SIP,
            first: 5,
        };
        let reason = stream.send(&mut world, u32::MAX, SYN, b"").reason();
        assert_eq!(
            reason,
            if n < 2 { Reason::Clean } else { Reason::Budget },
            "{n}"
        );
    }
}

#[test]
fn greetings_of_other_services() {
    let mut world = World::new();
    for (port, data, reason) in [
        (port::SIPS, &b"\x16\x03\x01\x02\x00\x01"[..], Reason::Clean),
        (port::SIPS, b"\x16", Reason::Clean),
        (
            port::SIPS,
            b"REGISTER sip:a SIP/2.0\r\n\r\n",
            Reason::Malformed,
        ),
        (port::SIPS, b"\x16\x03\x01\x02\x00\x02", Reason::Malformed),
        (port::WSS, b"\x15\x03\x01", Reason::Malformed),
        (
            port::WS,
            b"GET /ws HTTP/1.1\r\nHost: x\r\n\r\n",
            Reason::Clean,
        ),
        (port::WS, b"GET /ws HT", Reason::Incomplete),
        (
            port::WS,
            b"GET /ws HTTP/1.0\r\nHost: x\r\n\r\n",
            Reason::Malformed,
        ),
        (port::WS, b"\x16\x03\x01\x02\x00\x01", Reason::Malformed),
        (port::PLAIN, b"SSH-2.0-x\r\n", Reason::Clean),
    ] {
        let stream = Stream::open(&mut world, 9, port);
        let verdict = stream.send(&mut world, 0, ACK, data);
        assert_eq!(verdict.reason(), reason, "{port} {data:x?}");
        assert_eq!(
            verdict.destroy(),
            reason == Reason::Malformed,
            "{port} {data:x?}"
        );
        if !dropped(reason) {
            let more = stream.data(&mut world, data.len(), b"\x17 anything that follows");
            assert_eq!(more, Reason::Clean);
        }
    }
}
