//! Phones register and call while floods and scanners run: they do not notice, and the telephone
//! system does not notice the attackers.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use ringfence_lab::{
    Kamailio, Lab, PBX_V4, PBX_V6, Packet, PacketCounter, Phone, Ringfence, SippReport, Transport,
    attack, needs_root,
};

/// Attackers are in an admitted country too, so that more than that has to tell them apart.
const COUNTRIES: &str = "\
198.51.100.0,198.51.100.255,IE
203.0.113.0,203.0.113.255,GB
2001:db8:51::,2001:db8:51:ffff:ffff:ffff:ffff:ffff,IE
2001:db8:bad::,2001:db8:bad:ffff:ffff:ffff:ffff:ffff,GB
";

const POLICY: &str = r#"
mode       = "enforce"
interfaces = ["eth0"]
countries  = ["GB", "IE"]

[[service]]
name    = "sip"
kind    = "sip"
ports   = ["udp/5060", "tcp/5060"]
from    = "countries"
domains = ["sip.example.com"]
"#;

/// A busy machine answers late now and then, and a phone asks again after half a second.
const TRIES: usize = 4;

fn phone_v6(host: u16) -> IpAddr {
    Ipv6Addr::new(0x2001, 0xdb8, 0x51, 0, 0, 0, 0, host).into()
}

/// An address of the attacker's place, of which 10 is the first.
fn attacker(v4: bool, host: u8) -> IpAddr {
    if v4 {
        Ipv4Addr::new(203, 0, 113, host).into()
    } else {
        let host = u16::from_str_radix(&host.to_string(), 16).unwrap();
        Ipv6Addr::new(0x2001, 0xdb8, 0xbad, 0, 0, 0, 0, host).into()
    }
}

fn is_attacker(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.octets()[..3] == [203, 0, 113],
        IpAddr::V6(address) => address.segments()[2] == 0xbad,
    }
}

/// Counts SIP that the attackers send, and SIP of theirs behind XDP.
fn watched(lab: &Lab) -> (PacketCounter, PacketCounter) {
    let sip = |packet: &Packet<'_>| packet.has_port(5060) && is_attacker(packet.src);
    let sent = lab.count_packets(&lab.attacker, "eth0", move |packet| {
        packet.outgoing && sip(packet)
    });
    let passed = lab.count_packets(&lab.pbx, "eth0", move |packet| {
        !packet.outgoing && sip(packet)
    });
    (sent.unwrap(), passed.unwrap())
}

/// The packets of the phones' country that were dropped.
fn drops(fence: &Ringfence<'_>) -> u64 {
    let status = fence.cli(&["status", "--format", "json"]).unwrap();
    let status: serde_json::Value = serde_json::from_str(&status.stdout).unwrap();
    let countries = status["countries"].as_array().unwrap();
    let ours = countries.iter().find(|country| country["code"] == "IE");
    ours.expect("the phones were counted")["dropped"]
        .as_u64()
        .unwrap()
}

/// Goes on until nothing was sent twice, while attackers send: all must succeed each time.
fn calmly(sent: &PacketCounter, what: &str, mut run: impl FnMut() -> Vec<SippReport>) {
    for _ in 0..TRIES {
        let before = sent.count();
        let reports = run();
        assert!(sent.count() > before, "{what}: nobody attacked meanwhile");
        for report in &reports {
            let faults = (report.finished.code, report.failed, report.unexpected);
            assert_eq!(faults, (0, 0, 0), "{what}: {report:?}");
        }
        if reports.iter().all(SippReport::is_flawless) {
            return;
        }
    }
    panic!("{what}: something was sent twice in each of {TRIES} runs");
}

fn phones(lab: &Lab, sent: &PacketCounter) {
    for address in [IpAddr::V4(Ipv4Addr::new(198, 51, 100, 10)), phone_v6(0x10)] {
        for transport in [Transport::Udp, Transport::Tcp] {
            let what = format!("{transport:?} {address}");
            let phone = |user, port| Phone {
                user,
                address,
                port,
                transport,
            };
            let (caller, callee) = (phone(1001, 5081), phone(1002, 5082));
            for phone in [callee, caller] {
                calmly(sent, &what, || vec![phone.register(lab, 1, 1).unwrap()]);
            }
            calmly(sent, &what, || {
                let call = caller.call(lab, &callee, 2, 5).unwrap();
                assert_eq!(call.caller.successful, 2, "{what}: {call:?}");
                vec![call.caller, call.callee]
            });
        }
    }
}

#[test]
fn phones_call_while_attackers_run() {
    if needs_root() {
        return;
    }
    let lab = Lab::new().unwrap();
    let kamailio = Kamailio::start(&lab).unwrap();
    let mut fence = Ringfence::prepare(&lab).unwrap();
    fence.guard(POLICY, COUNTRIES).unwrap();
    let families = [(true, IpAddr::from(PBX_V4)), (false, PBX_V6.into())];
    for (v4, _) in families {
        lab.add_address(&lab.attacker, attacker(v4, 20)).unwrap();
    }
    let (sent, passed) = watched(&lab);

    let floods = families.map(|(v4, target)| {
        let from = SocketAddr::new(attacker(v4, 20), 5090);
        attack::begin_register_flood(&lab, from, target, 60_000, 100, "Test phone").unwrap()
    });
    let ended = AtomicBool::new(false);
    thread::scope(|scope| {
        for (v4, target) in families {
            let (lab, ended) = (&lab, &ended);
            scope.spawn(move || {
                while !ended.load(Ordering::Relaxed) {
                    let war = attack::svwar(lab, attacker(v4, 10), target, "1000-1020").unwrap();
                    assert!(!war.answered, "{}", war.finished.output());
                    let words = ["1001", "pw-1001"];
                    let crack =
                        attack::svcrack(lab, attacker(v4, 10), target, 1001, &words).unwrap();
                    assert!(!crack.answered, "{}", crack.finished.output());
                }
            });
        }
        let quiet = scope.spawn(|| phones(&lab, &sent)).join();
        ended.store(true, Ordering::Relaxed);
        quiet.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    });
    for flood in &floods {
        assert!(!flood.has_ended().unwrap(), "it goes on to the end");
    }
    drop(floods);

    let sent = sent.stop().unwrap();
    println!("{sent} packets of the attackers");
    assert_eq!(passed.stop().unwrap(), 0, "of {sent} packets, none passes");
    let requests = kamailio.requests().unwrap();
    let ours = requests.iter().filter(|request| !is_attacker(request.src));
    assert!(!requests.is_empty() && ours.count() == requests.len());
    assert_eq!(drops(&fence), 0, "{}", fence.log().unwrap());
}
