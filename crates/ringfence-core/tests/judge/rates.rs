//! Rates, retransmissions, bans and the budget.

use super::bench::packet::{SOURCE, Udp, ethernet, ipv4, ipv6, register, request, tcp, udp};
use super::bench::{SECOND, World, port};
use ringfence_core::address::Address;
use ringfence_core::bench::{Cause, list_flags};
use ringfence_core::class::Class;
use ringfence_core::limit::Limit;
use ringfence_core::packet::Link;
use ringfence_core::policy::Admission;
use ringfence_core::reason::Reason;

const LIMIT: Limit = Limit::new(10, 10 * SECOND, 20);

fn limited(class: Class) -> World {
    let mut world = World::new();
    world.rate(port::SIP, class, LIMIT);
    world
}

#[test]
fn burst_and_refill_by_class() {
    let cases: [(&str, Class); 8] = [
        ("REGISTER", Class::Register),
        ("INVITE", Class::Invite),
        ("OPTIONS", Class::Options),
        ("SUBSCRIBE", Class::Subscribe),
        ("PUBLISH", Class::Publish),
        ("MESSAGE", Class::Message),
        ("BYE", Class::Other),
        ("ACK", Class::InDialogue),
    ];
    for (method, class) in cases {
        let mut world = limited(class);
        let send = |world: &mut World, n: u32| {
            world.sip(&request(method, "sip:x@y", &format!("z9hG4bK-{n}"), ""))
        };
        for n in 0..20 {
            assert_eq!(send(&mut world, n), Reason::Clean, "{method} {n}");
        }
        assert_eq!(send(&mut world, 20), Reason::Rate, "{method}");
        // Another class, and another source, have their own.
        let other = if class == Class::Options {
            "INVITE"
        } else {
            "OPTIONS"
        };
        assert_eq!(
            world.sip(&request(other, "sip:x@y", "z9hG4bKo", "")),
            Reason::Clean
        );
        let elsewhere = Udp::to(port::SIP).source([198, 51, 100, 2]);
        let text = request(method, "sip:x@y", "z9hG4bKe", "");
        assert_eq!(world.reason(&elsewhere.frame(&text)), Reason::Clean);
        world.place.now += 60 * SECOND;
        for n in 30..50 {
            assert_eq!(send(&mut world, n), Reason::Clean, "{method} {n}");
        }
        assert_eq!(send(&mut world, 50), Reason::Rate, "{method}");
    }
}

#[test]
fn rates_of_what_is_no_request() {
    let mut world = World::new();
    for class in [Class::Response, Class::NotSip, Class::KeepAlive] {
        world.rate(port::SIP, class, Limit::new(5, 10 * SECOND, 5));
    }
    for n in 0..8 {
        let (fine, over) = if n < 5 {
            (true, Reason::Clean)
        } else {
            (false, Reason::Rate)
        };
        let response = format!("SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK{n}\r\n\r\n");
        assert_eq!(world.sip(response.as_bytes()), over, "{n}");
        let junk = world.sip(format!("junk number {n}").as_bytes());
        assert_eq!(
            junk,
            if fine {
                Reason::Malformed
            } else {
                Reason::Rate
            },
            "{n}"
        );
        let alive = world.sip(b"\r\n");
        assert_eq!(
            alive,
            if fine {
                Reason::KeepAlive
            } else {
                Reason::Rate
            },
            "{n}"
        );
    }
}

#[test]
fn a_network_of_ipv6_is_one_source() {
    let mut world = limited(Class::Register);
    for n in 0..=20u8 {
        let data = udp(5060, port::SIP, &register(&format!("z9hG4bK{n}")));
        let mut packet = ipv6(&[], 17, &data);
        packet[23] = n;
        let reason = world.reason(&ethernet(&[], &packet));
        assert_eq!(
            reason,
            if n < 20 { Reason::Clean } else { Reason::Rate },
            "{n}"
        );
    }
}

#[test]
fn a_retransmission_counts_once() {
    let mut world = limited(Class::Register);
    for n in 0..20 {
        for sending in 0..11 {
            let reason = world.sip(&register(&format!("z9hG4bK-{n}")));
            assert_eq!(reason, Reason::Clean, "{n} {sending}");
        }
    }
    assert_eq!(world.sip(&register("z9hG4bK-20")), Reason::Rate);
    assert_eq!(
        world.sip(&register("z9hG4bK-19")),
        Reason::Rate,
        "the twelfth sending"
    );
    // Without a branch, Call-ID and CSeq tell.
    let mut world = limited(Class::Register);
    let text =
        b"REGISTER sip:a SIP/2.0\r\nVia: SIP/2.0/UDP x\r\nCall-ID: 1@x\r\nCSeq: 1 REGISTER\r\n\r\n";
    for _ in 0..11 {
        assert_eq!(world.sip(text), Reason::Clean);
    }
    for n in 0..19 {
        assert_eq!(world.sip(&register(&format!("z9hG4bK-{n}"))), Reason::Clean);
    }
    assert_eq!(world.sip(&register("z9hG4bK-x")), Reason::Rate);
    // One method's branch is not another's.
    let mut world = limited(Class::Invite);
    for n in 0..21 {
        let branch = format!("z9hG4bK-{n}");
        assert_eq!(world.sip(&register(&branch)), Reason::Clean);
        let reason = world.sip(&request("INVITE", "sip:a@b", &branch, ""));
        assert_eq!(
            reason,
            if n < 20 { Reason::Clean } else { Reason::Rate },
            "{n}"
        );
    }
}

#[test]
fn another_password_under_the_same_branch_is_another_try() {
    let mut world = limited(Class::Register);
    for n in 0..21 {
        let password = format!("Authorization: Digest response=\"{n:032x}\"\r\n");
        let text = request("REGISTER", "sip:a@b", "z9hG4bK-one", &password);
        let wanted = if n < 20 { Reason::Clean } else { Reason::Rate };
        assert_eq!(world.sip(&text), wanted, "{n}");
    }
}

#[test]
fn going_from_service_to_service_renews_no_rate() {
    const SYN: u8 = 2;
    const PORTS: [u16; 5] = [port::SIP, port::SIPS, port::WS, port::WSS, port::IAX2];
    let mut world = World::new();
    world.policy.flags = 0;
    for at in PORTS {
        world.rate(at, Class::NewTcp, Limit::new(5, 1000 * SECOND, 5));
    }
    let mut open = |at: u16, sequence: u32| {
        let segment = tcp(5070, at, sequence, SYN, b"");
        world.reason(&ethernet(&[], &ipv4(SOURCE, 6, &[], 0, &segment)))
    };
    let mut passed = 0;
    for round in 0..20 {
        for at in PORTS {
            for n in 0..5 {
                passed += u32::from(open(at, round * 5 + n) == Reason::Clean);
            }
        }
    }
    assert_eq!(passed, 5 * 5);
}

#[test]
fn distinct_drops_ban_and_repeated_ones_do_not() {
    let mut world = World::new();
    world.rate(port::SIP, Class::Register, Limit::new(1, 1000 * SECOND, 1));
    assert_eq!(world.sip(&register("z9hG4bK-first")), Reason::Clean);
    for _ in 0..10 {
        let frame = Udp::to(port::SIP).frame(&register("z9hG4bK-again"));
        let verdict = world.verdict(Link::Ethernet, &frame);
        assert_eq!((verdict.reason(), verdict.banned()), (Reason::Rate, None));
    }
    for n in 0..29 {
        assert_eq!(world.sip(&register(&format!("z9hG4bK-{n}"))), Reason::Rate);
        assert!(world.place.bans.is_empty(), "{n}");
    }
    let frame = Udp::to(port::SIP).frame(&register("z9hG4bK-last"));
    let verdict = world.verdict(Link::Ethernet, &frame);
    assert_eq!(
        (verdict.reason(), verdict.banned()),
        (Reason::Rate, Some(Cause::Rate))
    );
    assert_eq!(world.sip(b"\r\n"), Reason::Banned);
    let until = world.place.bans[&Address::v4(SOURCE)].until;
    // Services that carry no calls are not covered, other sources neither.
    assert_eq!(
        world.reason(&Udp::to(port::PLAIN).frame(b"x")),
        Reason::Clean
    );
    assert_eq!(
        world.reason(&Udp::to(port::IAX2).frame(b"x")),
        Reason::Banned
    );
    let other = Udp::to(port::SIP).source([198, 51, 100, 9]);
    assert_eq!(world.reason(&other.frame(b"\r\n")), Reason::KeepAlive);
    world.place.now = until - 1;
    assert_eq!(world.sip(b"\r\n"), Reason::Banned);
    world.place.now = until;
    assert_eq!(world.sip(b"\r\n"), Reason::KeepAlive);
}

#[test]
fn trunks_and_proxies() {
    for flag in [list_flags::TRUNK, list_flags::PROXY] {
        let mut world = limited(Class::Options);
        let service = world.service(port::SIP);
        service.budget = Limit::new(1, 1000 * SECOND, 1);
        service.source_budget = Limit::new(1, 1000 * SECOND, 1);
        service.admissions = [Admission::Permitted as u8; 16];
        world.list(Address::v4(SOURCE), flag);
        let trunk = flag == list_flags::TRUNK;
        for n in 0..100 {
            let text = request("OPTIONS", "sip:x@y", &format!("z9hG4bK-{n}"), "");
            let fine = if trunk { Reason::Trunk } else { Reason::Clean };
            assert_eq!(world.sip(&text), fine);
            assert_eq!(world.sip(format!("junk {n}").as_bytes()), Reason::Malformed);
            let asked = world.sip(&register(&format!("z9hG4bK-{n}")));
            assert_eq!(
                asked,
                if trunk {
                    Reason::Refused
                } else {
                    Reason::Clean
                }
            );
        }
        assert!(world.place.bans.is_empty());
    }
}

#[test]
fn budgets() {
    let mut world = World::new();
    let service = world.service(port::SIP);
    service.budget = Limit::new(10, 1000 * SECOND, 10);
    service.source_budget = Limit::new(4, 1000 * SECOND, 4);
    let send = |world: &mut World, source: u8, n: u32| {
        let to = Udp::to(port::SIP).source([203, 0, 113, source]);
        world.reason(&to.frame(&register(&format!("z9hG4bK-{n}"))))
    };
    let mut passed = 0;
    for source in 0..5 {
        for n in 0..10 {
            match send(&mut world, source, n) {
                Reason::Clean => passed += 1,
                reason => assert_eq!(reason, Reason::Budget),
            }
        }
        assert!(passed <= 4 * (u32::from(source) + 1), "{source}: {passed}");
    }
    assert_eq!(passed, 10);
    // What paid is not charged again, and what did not is not let through for trying again.
    assert_eq!(send(&mut world, 0, 0), Reason::Clean);
    assert_eq!(send(&mut world, 4, 9), Reason::Budget);
    assert!(world.place.bans.is_empty());
}

#[test]
fn countries() {
    let mut world = World::new();
    world.load_countries();
    let gb = ringfence_core::country::Country::from_code("GB").unwrap();
    let service = world.service(port::SIP);
    service.admissions = [Admission::Countries as u8; 16];
    service.countries.insert(gb);
    let away = Udp::to(port::SIP).source([203, 0, 113, 1]);
    assert_eq!(world.sip(&register("z9hG4bK1")), Reason::Clean);
    let text = register("z9hG4bK1");
    let verdict = world.verdict(Link::Ethernet, &away.frame(&text));
    assert_eq!(verdict.reason(), Reason::Country);
    let six = ipv6(&[], 17, &udp(1, port::SIP, &text));
    assert_eq!(world.reason(&ethernet(&[], &six)), Reason::Clean);
    assert_eq!(world.reason(&away.frame(b"\r\n")), Reason::Country);
    assert_eq!(
        world.reason(&away.frame(b"junk and more of it")),
        Reason::Country
    );
}

#[test]
fn flows_to_plain_services_and_fragments() {
    let mut world = World::new();
    world.rate(port::PLAIN, Class::NewTcp, Limit::new(3, 1000 * SECOND, 3));
    let send =
        |world: &mut World, from: u16| world.reason(&Udp::to(port::PLAIN).from(from).frame(b"x"));
    for n in 0..1000 {
        assert_eq!(send(&mut world, 1), Reason::Clean, "packet {n} of one flow");
        world.place.now += SECOND / 10;
    }
    assert_eq!(send(&mut world, 2), Reason::Clean);
    assert_eq!(send(&mut world, 3), Reason::Clean);
    for _ in 0..100 {
        assert_eq!(send(&mut world, 4), Reason::Rate);
    }
    assert!(world.place.bans.is_empty());

    world.policy.fragments = Limit::new(5, 1000 * SECOND, 5);
    for n in 0..7 {
        let reason = world.reason(&ethernet(&[], &ipv4(SOURCE, 17, &[], 100, b"later")));
        assert_eq!(
            reason,
            if n < 5 {
                Reason::Fragment
            } else {
                Reason::Rate
            }
        );
    }
}
