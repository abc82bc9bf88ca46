//! Who reaches what, over both families.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ringfence_lab::{Lab, Ringfence, Subnets, needs_root};

use crate::{Met, PBX, answer, done, nft, tcp, udp, write};

const POLICY: &str = r#"
mode      = "enforce"
countries = ["GB"]
permit    = ["198.18.1.0/24", "2001:db8:77::/64"]
deny      = ["198.18.2.0/24", "2001:db8:66::/64"]

[[service]]
name = "sip"

[[service]]
name  = "web"
kind  = "plain"
ports = ["tcp/443"]
from  = "anyone"

[[service]]
name  = "provisioning"
kind  = "plain"
ports = ["tcp/8080", "udp/69"]
from  = "countries"

[[service]]
name  = "manager"
kind  = "plain"
ports = ["udp/7000", "tcp/7000"]
from  = "permitted"

[host]
rtp = "10000-10010"
"#;

const TCP: [u16; 5] = [5060, 443, 8080, 7000, 3306];
const UDP: [u16; 5] = [5060, 69, 7000, 10005, 10011];

/// Silence takes its time: with "drop" some of it is enough.
fn skipped(refuse: &str, expected: Met, port: u16) -> bool {
    refuse == "drop" && expected == Met::Silent && ![8080, 69].contains(&port)
}

fn ping(place: &ringfence_lab::Netns, to: IpAddr) -> bool {
    let mut command = place.command("ping");
    let command = command.args(["-c", "1", "-W", "2", &to.to_string()]);
    command.output().unwrap().status.success()
}

#[test]
fn each_service_is_open_to_whom_it_admits_and_shut_to_all_others() {
    if needs_root() {
        return;
    }
    let lab = Lab::new().unwrap();
    let fence = Ringfence::prepare(&lab).unwrap();
    answer(&lab.pbx, &TCP, &UDP);
    let place = |name: &str, third: u8, net: u16| {
        let v4 = Ipv4Addr::new(198, 18, third, 0);
        let v6 = Ipv6Addr::new(0x2001, 0xdb8, net, 0, 0, 0, 0, 0);
        lab.add_place(name, Subnets { v4, v6 }).unwrap()
    };
    let (permitted, denied) = (&place("permitted", 1, 0x77), &place("denied", 2, 0x66));
    for to in PBX {
        for port in TCP {
            assert_eq!(
                tcp(&lab.attacker, to, port),
                Met::Open,
                "{to} {port} before"
            );
        }
    }
    for (refuse, shut) in [("reject", Met::Refused), ("drop", Met::Silent)] {
        write(
            &fence,
            &POLICY.replace("rtp =", &format!("refuse = \"{refuse}\"\nrtp =")),
        );
        done(&fence, &["apply"]);
        // With ICMPv6 shut, nobody would be found any more.
        nft(&lab.pbx, "list table inet ringfence_host");
        let flush = lab
            .pbx
            .command("ip")
            .args(["-6", "neigh", "flush", "dev", "eth0"])
            .status();
        assert!(flush.unwrap().success());
        for to in PBX {
            let (phone, attacker) = (&lab.phone, &lab.attacker);
            for (place, port, expected) in [
                (phone, 5060, Met::Open),
                (attacker, 5060, Met::Open),
                (phone, 443, Met::Open),
                (attacker, 443, Met::Open),
                (phone, 8080, Met::Open),
                (attacker, 8080, shut),
                (phone, 7000, shut),
                (attacker, 7000, shut),
                (phone, 3306, shut),
                (permitted, 7000, Met::Open),
                (permitted, 8080, Met::Open),
                (permitted, 3306, shut),
                (denied, 443, Met::Silent),
                (attacker, 3306, shut),
            ] {
                if skipped(refuse, expected, port) {
                    continue;
                }
                let met = tcp(place, to, port);
                assert_eq!(
                    met,
                    expected,
                    "{refuse}: {} to {to} tcp/{port}",
                    place.name()
                );
            }
            for (place, port, expected) in [
                (attacker, 5060, Met::Open),
                (phone, 69, Met::Open),
                (attacker, 69, shut),
                (permitted, 69, Met::Open),
                (permitted, 7000, Met::Open),
                (phone, 7000, shut),
                (attacker, 10005, Met::Open),
                (attacker, 10011, shut),
                (permitted, 10011, shut),
                // Denied sources hear nothing, ever.
                (denied, 5060, Met::Silent),
                (denied, 10005, Met::Silent),
            ] {
                if skipped(refuse, expected, port) {
                    continue;
                }
                let met = udp(place, to, port);
                assert_eq!(
                    met,
                    expected,
                    "{refuse}: {} to {to} udp/{port}",
                    place.name()
                );
            }
            assert!(ping(attacker, to), "{to} answers a ping");
        }
        // What this host begins itself comes back, and it reaches itself.
        let out = lab
            .phone
            .inside(|| std::net::TcpListener::bind("198.51.100.10:3307"));
        let _out = out.unwrap().unwrap();
        assert_eq!(tcp(&lab.pbx, [198, 51, 100, 10].into(), 3307), Met::Open);
        assert_eq!(tcp(&lab.pbx, [127, 0, 0, 1].into(), 3306), Met::Open);
    }
}

#[test]
fn in_shadow_mode_everything_passes_and_is_counted() {
    if needs_root() {
        return;
    }
    let lab = Lab::new().unwrap();
    let fence = Ringfence::prepare(&lab).unwrap();
    answer(&lab.pbx, &TCP, &UDP);
    write(&fence, &POLICY.replace("\"enforce\"", "\"shadow\""));
    done(&fence, &["apply"]);
    for to in PBX {
        for port in TCP {
            assert_eq!(tcp(&lab.attacker, to, port), Met::Open, "{to} {port}");
        }
    }
    let counted = |name: &str| {
        let listed = nft(
            &lab.pbx,
            &format!("list counter inet ringfence_host {name}"),
        );
        let words = listed.split("packets ").nth(1).unwrap().to_owned();
        words.split(' ').next().unwrap().parse::<u32>().unwrap()
    };
    // One new connection of each family each.
    assert_eq!(counted("would-refused-provisioning"), 2);
    assert_eq!(counted("would-refused-manager"), 2);
    assert_eq!(counted("would-refused"), 2);
}

#[test]
fn a_router_guards_the_addresses_that_are_protected_behind_it() {
    if needs_root() {
        return;
    }
    let lab = Lab::new().unwrap();
    let fence = Ringfence::prepare(&lab).unwrap();
    // Behind the telephone system stands another host with two addresses.
    let behind = ringfence_lab::Netns::create(77, "behind").unwrap();
    let ip = |place: &ringfence_lab::Netns, words: &str| {
        let status = place.command("ip").args(words.split(' ')).status();
        assert!(status.unwrap().success(), "{words}");
    };
    ip(
        &lab.pbx,
        &format!(
            "link add inner type veth peer name eth0 netns {}",
            behind.name()
        ),
    );
    ip(&lab.pbx, "link set inner up");
    ip(&lab.pbx, "addr add 192.0.2.129/25 dev inner");
    ip(&behind, "link set eth0 up");
    for address in ["192.0.2.130/25", "192.0.2.131/25"] {
        ip(&behind, &format!("addr add {address} dev eth0"));
    }
    ip(&behind, "route add default via 192.0.2.129");
    lab.pbx.set("net/ipv4/ip_forward", "1").unwrap();
    lab.pbx.set("net/ipv4/conf/eth0/proxy_arp", "1").unwrap();
    answer(&behind, &TCP, &[]);
    write(&fence, &format!("protect = [\"192.0.2.130\"]\n{POLICY}"));
    done(&fence, &["apply"]);
    let (guarded, other): (IpAddr, IpAddr) = ([192, 0, 2, 130].into(), [192, 0, 2, 131].into());
    for (place, to, port, expected) in [
        (&lab.attacker, guarded, 5060, Met::Open),
        (&lab.attacker, guarded, 8080, Met::Refused),
        (&lab.phone, guarded, 8080, Met::Open),
        (&lab.phone, guarded, 3306, Met::Refused),
        (&lab.attacker, other, 8080, Met::Open),
        (&lab.attacker, other, 3306, Met::Open),
    ] {
        assert_eq!(
            tcp(place, to, port),
            expected,
            "{} to {to}:{port}",
            place.name()
        );
    }
}
