//! The domain gate, over SIP, TLS and WebSocket, with an automaton compiled by the daemon.

#[path = "../../ringfence-core/tests/bench/mod.rs"]
mod bench;

use bench::packet::{SOURCE, TCP, Udp, ethernet, ipv4, tcp};
use bench::{World, port};
use ringfence::signature::{ServiceDomains, compile};
use ringfence_core::automaton::Automaton;
use ringfence_core::packet::Link;
use ringfence_core::policy::{Admission, service_flags};
use ringfence_core::reason::{Action, Reason};
use zerocopy::{FromBytes, IntoBytes};

/// Services 1 to 5 have the domains, service 1 may look anywhere.
fn world(anywhere: bool) -> World {
    let mut world = World::new();
    let domains: Vec<ServiceDomains> = (1..6)
        .map(|service| ServiceDomains {
            service,
            names: vec!["sip.example.org".into(), "*.example.net".into()],
            anywhere: anywhere && service == 1,
        })
        .collect();
    let compiled = compile(&[], &domains).unwrap();
    let automaton = Automaton::ref_from_bytes(compiled.automaton.as_bytes()).unwrap();
    world
        .policy
        .automaton
        .as_mut_bytes()
        .copy_from_slice(automaton.as_bytes());
    for service in &mut world.policy.services[1..6] {
        service.flags = service_flags::DOMAINS;
    }
    world
}

fn invite(uri: &str, to: &str, from: &str, more: &str) -> String {
    format!(
        "INVITE {uri} SIP/2.0\r\nVia: SIP/2.0/UDP x;branch=z9hG4bK1\r\nTo: {to}\r\nFrom: {from}\r\n\
         Call-ID: 1\r\nCSeq: 1 INVITE\r\n{more}\r\n"
    )
}

#[test]
fn where_the_name_may_stand() {
    let (ip, a, b) = (
        "sip:1@192.0.2.1",
        "<sip:1@192.0.2.1>",
        "<sip:2@192.0.2.9>;tag=1",
    );
    let fine = Reason::Clean;
    let gate = Reason::Domain;
    for (text, reason) in [
        (invite(ip, a, b, ""), gate),
        (invite("sip:1@sip.example.org", a, b, ""), fine),
        (invite("sip:sip.example.org", a, b, ""), fine),
        (
            invite("sips:1@SIP.Example.ORG:5061;transport=tls", a, b, ""),
            fine,
        ),
        (
            invite("sip:1:secret@sip.example.org?Subject=x", a, b, ""),
            fine,
        ),
        (invite("sip:1@phone.example.net", a, b, ""), fine),
        (invite("sip:1@a.b.example.net", a, b, ""), fine),
        (invite("sip:1@example.net", a, b, ""), gate),
        (invite("sip:1@notexample.net", a, b, ""), gate),
        (invite("sip:1@sip.example.org.evil.test", a, b, ""), gate),
        (invite("sip:1@xsip.example.org", a, b, ""), gate),
        (invite("sip:sip.example.org@192.0.2.1", a, b, ""), gate),
        (invite("sip:1@192.0.2.1;x=sip.example.org", a, b, ""), gate),
        (
            invite("tel:+1;phone-context=sip.example.org", a, b, ""),
            gate,
        ),
        (invite(ip, "<sip:1@sip.example.org>", b, ""), fine),
        (invite(ip, "sip:1@sip.example.org", b, ""), fine),
        (
            invite(ip, "\"a@b <sip:x@y>\" <sip:1@sip.example.org>", b, ""),
            fine,
        ),
        (
            invite(ip, "\"a \\\" <\\\\\" <sip:1@sip.example.org>", b, ""),
            fine,
        ),
        (
            invite(ip, "\"a \\\\\" <sip:1@sip.example.org>", b, ""),
            fine,
        ),
        (
            invite(ip, "\"<sip:1@sip.example.org>\" <sip:1@x>", b, ""),
            gate,
        ),
        (invite(ip, "Bob Smith <sip:1@sip.example.org>", b, ""), fine),
        (invite(ip, "\r\n <sip:1@sip.example.org>", b, ""), fine),
        (invite(ip, a, "<sip:2@sip.example.org>;tag=1", ""), fine),
        (invite(ip, a, "sip:2@sip.example.org;tag=1", ""), fine),
        (
            invite(ip, a, b, "Route: <sip:sip.example.org;lr>\r\n"),
            fine,
        ),
        (
            invite(ip, a, b, "Contact: <sip:a@sip.example.org>\r\n"),
            gate,
        ),
        (invite(ip, a, b, "Subject: sip.example.org\r\n"), gate),
        (invite(ip, a, b, "\r\nsip.example.org\r\n"), gate),
        // Within a dialogue the name is gone.
        (invite(ip, "<sip:1@192.0.2.1>;tag=9", b, ""), fine),
        (invite(ip, a, b, "").replace("INVITE", "ACK"), fine),
        (invite(ip, a, b, "").replace("INVITE", "CANCEL"), fine),
        (invite(ip, a, b, "").replace("INVITE", "REGISTER"), gate),
        (
            invite(ip, "<sip:1@192.0.2.1>;tag=9", b, "").replace("INVITE", "REGISTER"),
            gate,
        ),
        (invite(ip, "\">;tag=9\" <sip:1@192.0.2.1>", b, ""), gate),
        ("SIP/2.0 200 OK\r\nTo: <sip:x@y>\r\n\r\n".into(), fine),
    ] {
        assert_eq!(world(false).sip(text.as_bytes()), reason, "{text}");
    }
    for (text, reason) in [
        (
            invite(ip, a, b, "Contact: <sip:a@sip.example.org>\r\n"),
            fine,
        ),
        (invite(ip, a, b, ""), gate),
    ] {
        assert_eq!(world(true).sip(text.as_bytes()), reason, "{text}");
    }
}

#[test]
fn a_domain_opens_the_country() {
    let mut world = world(false);
    world.load_countries();
    let service = world.service(port::SIP);
    service.admissions = [Admission::Countries as u8; 16];
    let named = invite("sip:sip.example.org", "<sip:1@x>", "<sip:1@x>", "");
    let unnamed = invite("sip:192.0.2.1", "<sip:1@x>", "<sip:1@x>", "");
    let register = named.replace("INVITE", "REGISTER");
    assert_eq!(world.sip(register.as_bytes()), Reason::Country);
    world.service(port::SIP).flags |= service_flags::OPENS_COUNTRY;
    assert_eq!(world.sip(register.as_bytes()), Reason::Clean);
    for text in [&named, &unnamed, "\r\n", "junk and more junk"] {
        assert_eq!(world.sip(text.as_bytes()), Reason::Country, "{text}");
    }
    let unnamed = unnamed.replace("INVITE", "REGISTER");
    let reason = world.sip(unnamed.as_bytes());
    assert_eq!(reason.action(), Action::Drop);
    let other = Udp::to(port::SIP).source([203, 0, 113, 1]);
    assert_eq!(
        world.reason(&other.frame(register.as_bytes())),
        Reason::Clean
    );
}

/// A ClientHello with these server names, one an extension.
fn hello(names: &[&str]) -> Vec<u8> {
    let be16 = |n: usize| (n as u16).to_be_bytes();
    // An extension before the name and one behind it.
    let mut extensions = vec![0x00, 0x0a, 0, 4, 0, 2, 0, 0x1d];
    for name in names {
        extensions.extend([0, 0]);
        extensions.extend(be16(name.len() + 5));
        extensions.extend(be16(name.len() + 3));
        extensions.push(0);
        extensions.extend(be16(name.len()));
        extensions.extend(name.as_bytes());
    }
    extensions.extend([0x00, 0x2b, 0, 3, 2, 3, 4]);
    let mut body = vec![3, 3];
    body.extend([7; 32]);
    body.push(32);
    body.extend([8; 32]);
    body.extend([0, 4, 0x13, 1, 0x13, 2, 1, 0]);
    body.extend(be16(extensions.len()));
    body.extend(extensions);
    let mut record = vec![22, 3, 1];
    record.extend(be16(body.len() + 4));
    record.extend([1, 0]);
    record.extend(be16(body.len()));
    record.extend(body);
    record
}

/// The reason for the first data of a new connection.
fn greet(world: &mut World, from: u16, port: u16, data: &[u8]) -> Reason {
    let frame = |sequence, flags, data: &[u8]| {
        let segment = tcp(from, port, sequence, flags, data);
        ethernet(&[], &ipv4(SOURCE, TCP, &[], 0, &segment))
    };
    assert_eq!(world.reason(&frame(99, 2, b"")), Reason::Clean);
    world
        .verdict(Link::Ethernet, &frame(100, 0x10, data))
        .reason()
}

#[test]
fn server_names() {
    for (names, matched, required) in [
        (&["sip.example.org"][..], Reason::Clean, Reason::Clean),
        (&["SIP.EXAMPLE.ORG"], Reason::Clean, Reason::Clean),
        (&["phone.example.net"], Reason::Clean, Reason::Clean),
        (&["example.net"], Reason::Domain, Reason::Domain),
        (&["192.0.2.1"], Reason::Domain, Reason::Domain),
        (
            &["sip.example.org.evil.test"],
            Reason::Domain,
            Reason::Domain,
        ),
        (&[], Reason::Undecided, Reason::Domain),
    ] {
        for port in [port::SIPS, port::WSS] {
            let mut world = world(false);
            let text = hello(names);
            assert_eq!(greet(&mut world, 1, port, &text), matched, "{names:?}");
            world.service(port).flags |= service_flags::SNI_REQUIRED;
            assert_eq!(greet(&mut world, 2, port, &text), required, "{names:?}");
        }
    }
    let text = hello(&["sip.example.org"]);
    let wrong = hello(&["sip.example.com"]);
    let mut world = world(false);
    world.policy.flags = 0;
    let complete = text.len() - 7;
    for split in 1..text.len() {
        let wanted = if split < complete {
            Reason::Undecided
        } else {
            Reason::Clean
        };
        let from = split as u16;
        assert_eq!(
            greet(&mut world, from, port::SIPS, &text[..split]),
            wanted,
            "{split}"
        );
        let wanted = if split < complete {
            Reason::Undecided
        } else {
            Reason::Domain
        };
        let from = 1000 + split as u16;
        assert_eq!(
            greet(&mut world, from, port::SIPS, &wrong[..split]),
            wanted,
            "{split}"
        );
    }
}

#[test]
fn upgrades() {
    let mut world = world(false);
    world.policy.flags = 0;
    let text = b"GET /ws HTTP/1.1\r\nHost: sip.example.org:8088\r\nUpgrade: websocket\r\n\r\n";
    let host = b"GET /ws HTTP/1.1\r\nHost: sip.example.org:8088\r\n".len();
    for split in 1..=text.len() {
        let wanted = if split < host {
            Reason::Incomplete
        } else {
            Reason::Clean
        };
        let reason = greet(&mut world, split as u16, port::WS, &text[..split]);
        assert_eq!(reason, wanted, "{split}");
    }
    for (text, reason) in [
        (
            "GET /ws HTTP/1.1\r\nUpgrade: x\r\nhost:SIP.example.org\r\n\r\n",
            Reason::Clean,
        ),
        (
            "GET /ws HTTP/1.1\r\nHost: evil.test\r\n\r\n",
            Reason::Domain,
        ),
        (
            "GET /ws HTTP/1.1\r\nHost: 192.0.2.1:8088\r\n\r\n",
            Reason::Domain,
        ),
        (
            "GET /ws HTTP/1.1\r\nUpgrade: websocket\r\n\r\n",
            Reason::Domain,
        ),
    ] {
        assert_eq!(
            greet(&mut world, 5000, port::WS, text.as_bytes()),
            reason,
            "{text}"
        );
    }
}
