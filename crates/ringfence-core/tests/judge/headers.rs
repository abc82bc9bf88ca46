//! From the link layer to the transport header.

use super::bench::packet::{
    HOME, MORE, SOURCE, SOURCE6, TCP, UDP, Udp, authentication, ethernet, extension, ipv4, ipv6,
    piece, register, tcp, udp,
};
use super::bench::{World, port};
use ringfence_core::address::Address;
use ringfence_core::bench::{Listed, list_flags};
use ringfence_core::packet::Link;
use ringfence_core::policy::policy_flags;
use ringfence_core::reason::{Action, Reason};

fn message() -> Vec<u8> {
    udp(5060, port::SIP, &register("z9hG4bK1"))
}

fn big() -> Vec<u8> {
    let mut text = register("z9hG4bK2");
    text.resize(1400, b'x');
    udp(5060, port::SIP, &text)
}

fn check(cases: Vec<(&str, Vec<u8>, Reason)>) {
    for (what, frame, reason) in cases {
        assert_eq!(World::new().reason(&frame), reason, "{what}");
    }
}

#[test]
fn link_layers() {
    let four = ipv4(SOURCE, UDP, &[], 0, &message());
    let six = ipv6(&[], UDP, &message());
    let mut arp = ethernet(&[], &four);
    arp[12..14].copy_from_slice(&[8, 6]);
    check(vec![
        ("no tag", ethernet(&[], &four), Reason::Clean),
        ("one tag", ethernet(&[0x8100], &four), Reason::Clean),
        (
            "two tags",
            ethernet(&[0x88a8, 0x8100], &four),
            Reason::Clean,
        ),
        (
            "three tags",
            ethernet(&[0x88a8, 0x8100, 0x8100], &four),
            Reason::Unprotected,
        ),
        (
            "IPv6 behind two tags",
            ethernet(&[0x8100, 0x8100], &six),
            Reason::Clean,
        ),
        ("ARP", arp, Reason::Unprotected),
        ("nothing", vec![], Reason::Malformed),
        ("thirteen bytes", vec![0; 13], Reason::Malformed),
        (
            "no type behind a tag",
            ethernet(&[0x8100], &[])[..17].to_vec(),
            Reason::Malformed,
        ),
    ]);
    let mut world = World::new();
    for (packet, reason) in [
        (&four[..], Reason::Clean),
        (&six[..], Reason::Clean),
        (b"\x45", Reason::Malformed),
        (b"\x00\x00\x00\x00", Reason::Unprotected),
        (b"", Reason::Malformed),
    ] {
        assert_eq!(world.verdict(Link::RawIp, packet).reason(), reason);
    }
}

#[test]
fn ipv4_headers() {
    let data = message();
    let change = |at: usize, byte: u8| {
        let mut packet = ipv4(SOURCE, UDP, &[], 0, &data);
        packet[at] = byte;
        ethernet(&[], &packet)
    };
    let mut padded = ethernet(&[], &ipv4(SOURCE, UDP, &[], 0, &udp(1, port::SIP, b"\r\n")));
    padded.resize(60, 0xff);
    let datagram_length = |length: u16| {
        let mut data = message();
        data[4..6].copy_from_slice(&length.to_be_bytes());
        ethernet(&[], &ipv4(SOURCE, UDP, &[], 0, &data))
    };
    check(vec![
        (
            "options",
            ethernet(&[], &ipv4(SOURCE, UDP, &[1; 4], 0, &data)),
            Reason::Clean,
        ),
        (
            "all options",
            ethernet(&[], &ipv4(SOURCE, UDP, &[1; 40], 0, &data)),
            Reason::Clean,
        ),
        ("version 5", change(0, 0x55), Reason::Malformed),
        ("a header of 16", change(0, 0x44), Reason::Malformed),
        (
            "a header beyond the packet",
            ethernet(&[], &{
                let mut packet = ipv4(SOURCE, UDP, &[], 0, b"");
                packet[0] = 0x4f;
                packet
            }),
            Reason::Malformed,
        ),
        ("longer than the frame", change(2, 0x7f), Reason::Malformed),
        (
            "shorter than its header",
            ethernet(&[], &{
                let mut packet = ipv4(SOURCE, UDP, &[], 0, &data);
                packet[2..4].copy_from_slice(&[0, 19]);
                packet
            }),
            Reason::Malformed,
        ),
        (
            "a length of 0: segmentation offload",
            ethernet(&[], &{
                let mut packet = ipv4(SOURCE, UDP, &[], 0, &data);
                packet[2..4].copy_from_slice(&[0, 0]);
                packet
            }),
            Reason::Clean,
        ),
        ("padding of the link", padded, Reason::KeepAlive),
        (
            "UDP longer than there is",
            datagram_length(2000),
            Reason::Malformed,
        ),
        (
            "UDP shorter than its header",
            datagram_length(7),
            Reason::Malformed,
        ),
        ("UDP of its header", datagram_length(8), Reason::KeepAlive),
        (
            "ICMP",
            ethernet(&[], &ipv4(SOURCE, 1, &[], 0, b"x")),
            Reason::Unprotected,
        ),
        (
            "another port",
            Udp::to(53).frame(b"anything"),
            Reason::Unprotected,
        ),
        (
            "TCP with a header of 16",
            ethernet(
                &[],
                &ipv4(SOURCE, TCP, &[], 0, &{
                    let mut data = tcp(1, port::SIP, 1, 0x10, b"");
                    data[12] = 0x40;
                    data
                }),
            ),
            Reason::Malformed,
        ),
        (
            "TCP with a header beyond its end",
            ethernet(
                &[],
                &ipv4(SOURCE, TCP, &[], 0, &{
                    let mut data = tcp(1, port::SIP, 1, 0x10, b"");
                    data[12] = 0x60;
                    data
                }),
            ),
            Reason::Malformed,
        ),
    ]);
}

#[test]
fn ipv6_extension_headers() {
    let data = message();
    let frame = |extensions: &[(u8, Vec<u8>)]| ethernet(&[], &ipv6(extensions, UDP, &data));
    for number in [0, 43, 60, 135, 139, 140] {
        for units in [0, 1, 5] {
            let packet = frame(&[extension(number, units)]);
            assert_eq!(World::new().reason(&packet), Reason::Clean, "{number}");
        }
    }
    let many = |count: usize| vec![extension(60, 0); count];
    check(vec![
        (
            "authentication of 12",
            frame(&[authentication(12)]),
            Reason::Clean,
        ),
        (
            "authentication of 24",
            frame(&[authentication(24)]),
            Reason::Clean,
        ),
        ("eight", frame(&many(8)), Reason::Clean),
        ("nine", frame(&many(9)), Reason::Malformed),
        ("fifty", frame(&many(50)), Reason::Malformed),
        (
            "an atomic fragment",
            frame(&[piece(0, false)]),
            Reason::Clean,
        ),
        (
            "options before and behind an atomic fragment",
            frame(&[extension(0, 1), piece(0, false), extension(60, 2)]),
            Reason::Clean,
        ),
        (
            "no next header",
            ethernet(&[], &ipv6(&[], 59, b"")),
            Reason::Unprotected,
        ),
        (
            "ESP",
            ethernet(&[], &ipv6(&[], 50, &data)),
            Reason::Unprotected,
        ),
        (
            "an extension beyond the end",
            ethernet(&[], &{
                let mut packet = ipv6(&[extension(60, 0)], UDP, &data);
                packet[41] = 255;
                packet
            }),
            Reason::Malformed,
        ),
        (
            "longer than the frame",
            ethernet(&[], &{
                let mut packet = ipv6(&[], UDP, &data);
                packet[4] = 0x7f;
                packet
            }),
            Reason::Malformed,
        ),
    ]);
}

#[test]
fn fragments() {
    let four = |pieces: u16, data: &[u8]| ethernet(&[], &ipv4(SOURCE, UDP, &[], pieces, data));
    let six =
        |extensions: &[(u8, Vec<u8>)], data: &[u8]| ethernet(&[], &ipv6(extensions, UDP, data));
    let first = &big()[..1208];
    let no_line = udp(1, port::SIP, &[b'I'; 600]);
    check(vec![
        ("first", four(MORE, first), Reason::Clean),
        ("first, tiny", four(MORE, &first[..64]), Reason::BadFragment),
        (
            "first, 511",
            four(MORE, &first[..8 + 511]),
            Reason::BadFragment,
        ),
        ("first, 512", four(MORE, &first[..8 + 512]), Reason::Clean),
        (
            "first, no start line",
            four(MORE, &no_line),
            Reason::BadFragment,
        ),
        (
            "first, to no service",
            four(MORE, &udp(1, 53, b"x")),
            Reason::Unprotected,
        ),
        ("later", four(MORE | 151, b"later"), Reason::Fragment),
        ("last", four(151, b"x"), Reason::Fragment),
        ("overlapping", four(63, b"x"), Reason::BadFragment),
        ("at 512", four(64, b"x"), Reason::Fragment),
        ("IPv6 first", six(&[piece(0, true)], first), Reason::Clean),
        (
            "IPv6 first, tiny",
            six(&[piece(0, true)], &first[..100]),
            Reason::BadFragment,
        ),
        (
            "IPv6 later",
            six(&[piece(1208, false)], b"x"),
            Reason::Fragment,
        ),
        (
            "IPv6 overlapping",
            six(&[piece(504, true)], b"x"),
            Reason::BadFragment,
        ),
        (
            "a first piece of a first piece",
            six(
                &[piece(0, true), piece(0, true)],
                &udp(1, port::SIP, b"\r\n"),
            ),
            Reason::BadFragment,
        ),
        (
            "a piece of ICMP",
            ethernet(&[], &ipv4(SOURCE, 1, &[], 8, b"x")),
            Reason::Unprotected,
        ),
    ]);
}

#[test]
fn cut_off_at_every_byte() {
    let frames = [
        ethernet(&[0x8100], &ipv4(SOURCE, UDP, &[1; 8], 0, &message())),
        ethernet(
            &[],
            &ipv6(&[extension(0, 1), piece(0, false)], UDP, &message()),
        ),
        ethernet(
            &[],
            &ipv4(
                SOURCE,
                TCP,
                &[],
                0,
                &tcp(1, port::SIP, 1, 0x10, &register("b")),
            ),
        ),
    ];
    for frame in frames {
        let mut world = World::new();
        for length in 0..frame.len() {
            assert_eq!(
                world.reason(&frame[..length]),
                Reason::Malformed,
                "{length}"
            );
        }
    }
}

#[test]
fn lists() {
    let source = Address::v4(SOURCE);
    let frame = Udp::to(port::SIP).frame(b"some junk that is no SIP");
    for (flags, reason) in [
        (list_flags::DENIED, Reason::Denied),
        (list_flags::PERMITTED, Reason::Permitted),
        (list_flags::DENIED | list_flags::PERMITTED, Reason::Denied),
        (list_flags::OWN | list_flags::PERMITTED, Reason::Spoofed),
        (list_flags::DENIED | list_flags::OWN, Reason::Denied),
        (list_flags::TRUNK, Reason::Malformed),
        (list_flags::PROXY, Reason::Malformed),
    ] {
        let mut world = World::new();
        world.list(source, flags);
        assert_eq!(world.reason(&frame), reason, "{flags}");
        // What is permitted is not doubted either.
        let cut = &frame[..frame.len() - 3];
        let doubted = if reason == Reason::Malformed {
            Reason::Malformed
        } else {
            reason
        };
        assert_eq!(world.reason(cut), doubted, "{flags}");
    }
    for (interfaces, reason) in [(1, Reason::Permitted), (2, Reason::Malformed)] {
        let mut world = World::new();
        let listed = Listed {
            neighbours: interfaces,
            ..Listed::default()
        };
        world.place.lists.insert(source, listed);
        assert_eq!(world.reason(&frame), reason);
    }
    let mut world = World::new();
    world.list(Address::v6(SOURCE6), list_flags::DENIED);
    assert_eq!(
        world.reason(&ethernet(&[], &ipv6(&[], 58, b"x"))),
        Reason::Denied
    );
}

#[test]
fn protected_destinations() {
    let mut world = World::new();
    world.policy.flags |= policy_flags::PROTECT;
    let frame = Udp::to(port::SIP).frame(b"some junk that is no SIP");
    assert_eq!(world.reason(&frame), Reason::Unprotected);
    world.list(Address::v4(HOME), list_flags::PROTECTED);
    assert_eq!(world.reason(&frame), Reason::Malformed);
}

#[test]
fn modes() {
    let frame = Udp::to(port::SIP).frame(b"some junk that is no SIP");
    let mut world = World::new();
    for (mode, until, action) in [
        (0, 0, Action::Pass),
        (1, 0, Action::Drop),
        (1, world.place.now + 1, Action::Drop),
        (1, world.place.now, Action::Pass),
    ] {
        world.policy.mode = mode;
        world.policy.enforce_until = until;
        let verdict = world.verdict(Link::Ethernet, &frame);
        assert_eq!(verdict.reason(), Reason::Malformed);
        assert_eq!(verdict.action(), action, "{mode} {until}");
    }
}
