//! A real registrar behind Ringfence, a real scanner in front of it, and phones that must not
//! notice: XDP in native mode, in enforce mode.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use ringfence_lab::{
    Kamailio, Lab, PBX_V4, PBX_V6, Packet, PacketCounter, Phone, Ringfence, Transport, attack,
    needs_root,
};

const ATTACKER_V4: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 10);
const ATTACKER_V6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0xbad, 0, 0, 0, 0, 0x10);
const PHONE_V4: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 10);

/// Phones and attackers are in the same allowed country; some attackers are in another.
const COUNTRIES: &str = "\
198.51.100.0,198.51.100.255,GB
203.0.113.0,203.0.113.127,GB
203.0.113.128,203.0.113.255,RU
2001:db8:51::,2001:db8:51:ffff:ffff:ffff:ffff:ffff,GB
2001:db8:bad::,2001:db8:bad:ffff:ffff:ffff:ffff:ffff,GB
";

const POLICY: &str = r#"
mode       = "enforce"
interfaces = ["eth0"]
countries  = ["GB"]

[[service]]
name    = "sip"
kind    = "sip"
ports   = ["udp/5060", "tcp/5060"]
from    = "countries"
domains = ["sip.example.com"]
"#;

/// A guarded laboratory.
fn guard<'lab>(lab: &'lab Lab, policy: &str) -> Ringfence<'lab> {
    let mut fence = Ringfence::prepare(lab).unwrap();
    let started = fence.guard(policy, COUNTRIES);
    if let Err(error) = started {
        panic!("{error}\n{}", fence.log().unwrap_or_default());
    }
    fence
}

/// Counts SIP that Kamailio's host gets from the attacker, behind XDP.
fn passed(lab: &Lab) -> PacketCounter {
    let attackers = |address: IpAddr| match address {
        IpAddr::V4(address) => address.octets()[..3] == [203, 0, 113],
        IpAddr::V6(address) => address.segments()[2] == 0xbad,
    };
    lab.count_packets(&lab.pbx, "eth0", move |packet: &Packet<'_>| {
        !packet.outgoing && packet.has_port(5060) && attackers(packet.src)
    })
    .unwrap()
}

/// Counts everything that the attacker hears from the telephone system.
fn heard(lab: &Lab) -> PacketCounter {
    let from_us = |address: IpAddr| [IpAddr::V4(PBX_V4), IpAddr::V6(PBX_V6)].contains(&address);
    lab.count_packets(&lab.attacker, "eth0", move |packet: &Packet<'_>| {
        !packet.outgoing && packet.protocol != 58 && from_us(packet.src)
    })
    .unwrap()
}

fn phone(user: u16, address: IpAddr, port: u16, transport: Transport) -> Phone {
    Phone {
        user,
        address,
        port,
        transport,
    }
}

#[test]
fn the_scanner_finds_nothing_and_the_phones_do_not_notice() {
    if needs_root() {
        return;
    }
    let lab = Lab::new().unwrap();
    let kamailio = Kamailio::start(&lab).unwrap();
    let mut fence = guard(&lab, POLICY);
    let status = fence.cli(&["status"]).unwrap();
    assert_eq!(status.code, 0, "{}", status.output());

    let passed = passed(&lab);
    let heard = heard(&lab);
    for (from, to) in [
        (IpAddr::V4(ATTACKER_V4), IpAddr::V4(PBX_V4)),
        (IpAddr::V6(ATTACKER_V6), IpAddr::V6(PBX_V6)),
    ] {
        let map = attack::svmap(&lab, from, to).unwrap();
        assert!(
            !map.answered && map.found.is_empty(),
            "{}",
            map.finished.output()
        );
        let war = attack::svwar(&lab, from, to, "1000-1010").unwrap();
        assert!(!war.answered, "{}", war.finished.output());
        let crack = attack::svcrack(&lab, from, to, 1001, &["1001", "pw-1001"]).unwrap();
        assert!(
            !crack.answered && crack.found.is_empty(),
            "{}",
            crack.finished.output()
        );
    }
    let ping = attack::sipsak(&lab, PBX_V4, Duration::from_secs(3)).unwrap();
    assert!(!ping.answered, "{}", ping.finished.output());
    let flood = attack::register_flood(
        &lab,
        SocketAddr::new(IpAddr::V4(Ipv4Addr::new(203, 0, 113, 20)), 5060),
        IpAddr::V4(PBX_V4),
        300,
        150,
        "Test phone",
    )
    .unwrap();
    assert_eq!(flood.answered, 0, "{:?}", flood.report);

    // After all that, phones of the same country register and call.
    for transport in [Transport::Udp, Transport::Tcp] {
        for address in [
            IpAddr::V4(PHONE_V4),
            IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0x51, 0, 0, 0, 0, 0x10)),
        ] {
            let callee = phone(1002, address, 5082, transport);
            let caller = phone(1001, address, 5081, transport);
            for phone in [&callee, &caller] {
                let report = phone.register(&lab, 1, 1).unwrap();
                assert!(
                    report.is_flawless(),
                    "{transport:?} {address}: {report:?}\n{}",
                    fence.cli(&["status"]).unwrap().output()
                );
            }
            let call = caller.call(&lab, &callee, 1, 1).unwrap();
            assert!(
                call.caller.is_flawless() && call.callee.is_flawless(),
                "{transport:?} {address}: {call:?}\n{}",
                fence.cli(&["events"]).unwrap().output()
            );
        }
    }

    assert_eq!(
        passed.stop().unwrap(),
        0,
        "of the attackers' packets, none passes"
    );
    assert_eq!(heard.stop().unwrap(), 0, "the attackers hear nothing");
    let from_attackers =
        kamailio.requests().unwrap().into_iter().filter(
            |request| matches!(request.src, IpAddr::V4(address) if address.octets()[0] == 203),
        );
    assert_eq!(from_attackers.count(), 0);
    let bans = fence.cli(&["bans"]).unwrap();
    assert!(bans.stdout.contains("203.0.113.10"), "{}", bans.output());
    fence.terminate().unwrap();
}

#[test]
fn a_country_is_silent_until_it_is_allowed() {
    if needs_root() {
        return;
    }
    let lab = Lab::new().unwrap();
    let _kamailio = Kamailio::start(&lab).unwrap();
    let abroad = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 200));
    lab.add_address(&lab.phone, abroad).unwrap();
    let fence = guard(&lab, POLICY);
    let phone = phone(1003, abroad, 5090, Transport::Udp);
    let silent = phone.register(&lab, 1, 1).unwrap();
    assert_eq!(silent.successful, 0, "{silent:?}");
    let allowed = fence.cli(&["country", "allow", "RU"]).unwrap();
    assert_eq!(allowed.code, 0, "{}", allowed.output());
    let answered = phone.register(&lab, 1, 1).unwrap();
    assert!(
        answered.is_flawless(),
        "{answered:?}\n{}",
        fence.cli(&["status"]).unwrap().output()
    );
}

#[test]
fn the_fence_stands_without_its_daemon() {
    if needs_root() {
        return;
    }
    let lab = Lab::new().unwrap();
    let _kamailio = Kamailio::start(&lab).unwrap();
    let mut fence = guard(&lab, POLICY);
    let address = IpAddr::V4(PHONE_V4);
    let from = IpAddr::V4(ATTACKER_V4);
    let map = attack::svmap(&lab, from, IpAddr::V4(PBX_V4)).unwrap();
    assert!(!map.answered, "{}", map.finished.output());

    let passed = passed(&lab);
    fence.kill9().unwrap();
    let map = attack::svmap(&lab, from, IpAddr::V4(PBX_V4)).unwrap();
    assert!(!map.answered, "{}", map.finished.output());
    let report = phone(1004, address, 5091, Transport::Udp)
        .register(&lab, 1, 1)
        .unwrap();
    assert!(report.is_flawless(), "{report:?}");
    assert_eq!(passed.stop().unwrap(), 0);

    fence.guard(POLICY, COUNTRIES).unwrap();
    let bans = fence.cli(&["bans"]).unwrap();
    assert!(
        bans.stdout.contains("203.0.113.10"),
        "bans go on: {}",
        bans.output()
    );
    let status = fence.cli(&["status"]).unwrap();
    assert!(
        status.stdout.contains("banned"),
        "counters go on: {}",
        status.output()
    );
}
