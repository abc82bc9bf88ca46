//! The control experiment: without Ringfence every attack succeeds, every phone works, and the
//! laboratory counts what was sent. It proves that the tests with Ringfence can fail.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::unix::process::ExitStatusExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use ringfence_lab::{
    Kamailio, Lab, PBX_V4, PBX_V6, Packet, PacketCounter, Phone, Transport, attack, needs_root,
};

const ATTACKER_V4: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 10);
const ATTACKER_V6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0xbad, 0, 0, 0, 0, 0x10);
/// From and to whom, in both families.
const PATHS: [(IpAddr, IpAddr); 2] = [
    (IpAddr::V4(ATTACKER_V4), IpAddr::V4(PBX_V4)),
    (IpAddr::V6(ATTACKER_V6), IpAddr::V6(PBX_V6)),
];

/// Counts SIP that arrives at the telephone system's interface.
fn arriving(lab: &Lab) -> PacketCounter {
    let filter = |packet: &Packet<'_>| !packet.outgoing && packet.has_port(5060);
    lab.count_packets(&lab.pbx, "eth0", filter).unwrap()
}

fn from_attacker(kamailio: &Kamailio<'_>) -> u64 {
    let requests = kamailio.requests().unwrap();
    let scans = requests.iter().filter(|request| {
        [IpAddr::V4(ATTACKER_V4), IpAddr::V6(ATTACKER_V6)].contains(&request.src)
    });
    scans.count() as u64
}

#[test]
fn scanners_find_everything() {
    if needs_root() {
        return;
    }
    let lab = Lab::new().unwrap();
    let mut kamailio = Kamailio::start(&lab).unwrap();
    for (from, to) in PATHS {
        let arrived = arriving(&lab);
        let heard = lab
            .count_packets(&lab.attacker, "eth0", move |packet| {
                !packet.outgoing && packet.src == to
            })
            .unwrap();

        let map = attack::svmap(&lab, from, to).unwrap();
        assert!(map.answered, "{}", map.finished.output());
        assert_eq!(map.found, [(format!("{to}:5060"), "Kamailio".to_owned())]);

        let war = attack::svwar(&lab, from, to, "1000-1010").unwrap();
        assert!(war.answered, "{}", war.finished.output());

        let crack = attack::svcrack(&lab, from, to, 1001, &["1001", "secret", "pw-1001"]).unwrap();
        assert!(crack.answered, "{}", crack.finished.output());
        assert_eq!(crack.found, [("1001".to_owned(), "pw-1001".to_owned())]);

        let arrived = arrived.stop().unwrap();
        assert!(arrived >= 7, "{arrived}");
        assert_eq!(from_attacker(&kamailio), arrived);
        assert!(heard.stop().unwrap() >= arrived);
        let requests = kamailio.requests().unwrap();
        assert!(
            requests
                .iter()
                .all(|request| request.ua == "friendly-scanner"),
            "{requests:?}"
        );
        assert!(requests.iter().any(|request| request.method == "OPTIONS"));
        kamailio.forget().unwrap();
    }

    let ping = attack::sipsak(&lab, PBX_V4, Duration::from_secs(5)).unwrap();
    assert!(
        ping.answered && ping.finished.code == 0,
        "{}",
        ping.finished.output()
    );
    assert_eq!(from_attacker(&kamailio), 1);
}

#[test]
fn a_dead_address_stays_silent() {
    if needs_root() {
        return;
    }
    let lab = Lab::new().unwrap();
    let (from, nobody) = (ATTACKER_V4.into(), IpAddr::V4(Ipv4Addr::new(192, 0, 2, 11)));
    let map = attack::svmap(&lab, from, nobody).unwrap();
    assert!(
        !map.answered && map.found.is_empty(),
        "{}",
        map.finished.output()
    );
    let war = attack::svwar(&lab, from, nobody, "1000-1010").unwrap();
    assert!(
        !war.answered && war.found.is_empty(),
        "{}",
        war.finished.output()
    );
    let crack = attack::svcrack(&lab, from, nobody, 1001, &["pw-1001"]).unwrap();
    assert!(
        !crack.answered && crack.found.is_empty(),
        "{}",
        crack.finished.output()
    );
    let ping = attack::sipsak(&lab, Ipv4Addr::new(192, 0, 2, 11), Duration::from_secs(1)).unwrap();
    assert!(
        !ping.answered && ping.finished.timed_out,
        "{}",
        ping.finished.output()
    );
}

#[test]
fn a_flood_is_answered_to_the_last_request() {
    if needs_root() {
        return;
    }
    let lab = Lab::new().unwrap();
    let mut kamailio = Kamailio::start(&lab).unwrap();
    for (from, to) in PATHS {
        let arrived = arriving(&lab);
        let from = SocketAddr::new(from, 5080);
        let flood = attack::register_flood(&lab, from, to, 300, 150, "pplsip").unwrap();
        assert_eq!(
            (flood.sent, flood.answered),
            (300, 300),
            "{:?}",
            flood.report
        );
        assert_eq!(arrived.stop().unwrap(), 300);
        let requests = kamailio.requests().unwrap();
        assert_eq!(requests.len(), 300);
        assert!(requests.iter().all(|request| {
            request.method == "REGISTER" && request.ua == "pplsip" && request.src == from.ip()
        }));
        kamailio.forget().unwrap();
    }
}

#[test]
fn phones_register_and_call() {
    if needs_root() {
        return;
    }
    let lab = Lab::new().unwrap();
    let mut kamailio = Kamailio::start(&lab).unwrap();
    let v4 = |host| IpAddr::V4(Ipv4Addr::new(198, 51, 100, host));
    let v6 = |host| IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0x51, 0, 0, 0, 0, host));
    for address in [v4(11), v4(12), v6(11), v6(12)] {
        lab.add_address(&lab.phone, address).unwrap();
    }
    for (caller, callee) in [(v4(11), v4(12)), (v6(11), v6(12))] {
        for transport in [Transport::Udp, Transport::Tcp] {
            let caller = Phone {
                user: 1001,
                address: caller,
                port: 5062,
                transport,
            };
            let callee = Phone {
                user: 1002,
                address: callee,
                port: 5064,
                transport,
            };
            for phone in [caller, callee] {
                let registered = phone.register(&lab, 2, 10).unwrap();
                assert!(registered.is_flawless(), "{registered:#?}");
                assert_eq!(registered.successful, 2);
                assert_eq!(registered.response_times["register"].len(), 2);
            }
            let calls = caller.call(&lab, &callee, 3, 10).unwrap();
            assert!(calls.is_flawless(), "{calls:#?}");
            assert_eq!((calls.caller.successful, calls.callee.successful), (3, 3));

            let requests = kamailio.requests().unwrap();
            let count = |method: &str| {
                requests
                    .iter()
                    .filter(|request| request.method == method)
                    .count() as u64
            };
            // Two registrations each; the caller's challenged INVITE, its ACK and its INVITE.
            assert_eq!(count("REGISTER"), 8);
            for method in ["INVITE", "ACK", "BYE"] {
                assert_eq!(
                    count(method),
                    calls.caller.total(method, "Sent"),
                    "{method}"
                );
            }
            let wanted = if transport == Transport::Udp {
                "udp"
            } else {
                "tcp"
            };
            assert!(requests.iter().all(|request| request.transport == wanted));
            kamailio.forget().unwrap();
        }
    }
}

#[test]
fn a_wrong_password_does_not_register() {
    if needs_root() {
        return;
    }
    let lab = Lab::new().unwrap();
    let _kamailio = Kamailio::start(&lab).unwrap();
    let stranger = Phone {
        user: 1021,
        address: IpAddr::V4(Ipv4Addr::new(198, 51, 100, 10)),
        port: 5062,
        transport: Transport::Tcp,
    };
    let report = stranger.register(&lab, 1, 1).unwrap();
    assert_eq!((report.successful, report.failed), (0, 1), "{report:#?}");
    assert!(!report.is_flawless());
}

#[test]
fn nothing_is_left_behind_by_a_panic() {
    if needs_root() {
        return;
    }
    let (mut names, mut orphan) = (Vec::new(), None);
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let lab = Lab::new().unwrap();
        let _kamailio = Kamailio::start(&lab).unwrap();
        names.extend([&lab.pbx, &lab.phone, &lab.attacker].map(|place| place.name().to_owned()));
        orphan = Some(lab.pbx.command("sleep").arg("600").spawn().unwrap());
        panic!("on purpose");
    }));
    assert!(panicked.is_err());
    assert_eq!(names.len(), 3);
    for name in names {
        assert!(
            !std::path::Path::new("/run/netns").join(&name).exists(),
            "{name}"
        );
    }
    let ended = orphan.unwrap().wait().unwrap();
    assert_eq!(ended.signal(), Some(9));
}
