//! Threat lists and networks of autonomous systems.

use ipnet::IpNet;
use ringfence::engine::feeds::Blocks;
use ringfence::tables::Inputs;
use ringfence_core::feed::FeedAction::{self, Ban, Deny, Score};
use ringfence_core::reason::Reason;

use super::{Both, POLICY, at, frames, privileged};

/// A range of addresses for an action.
fn listed(net: &str, action: FeedAction) -> (u32, u32, FeedAction) {
    let net: ipnet::Ipv4Net = net.parse().expect("a network");
    (net.network().into(), net.broadcast().into(), action)
}

fn feeds() -> Blocks {
    Blocks::new([
        listed("8.8.8.1/32", Deny),
        listed("8.8.9.0/24", Deny),
        listed("8.8.10.1/32", Ban),
        listed("8.8.11.1/32", Score),
        listed("8.8.12.0/23", Ban),
        listed("8.8.12.7/32", Deny),
        listed("192.0.2.128/25", Deny),
        listed("198.51.100.129/32", Deny),
        listed("198.51.100.200/32", Deny),
    ])
}

/// `POLICY`, and what two services make of autonomous systems.
fn policy() -> String {
    let ssh = "from  = \"permitted\"";
    let with = POLICY
        .replace(
            "name  = \"fenced\"",
            "name  = \"fenced\"\nasn = { allow = [13238], deny = [\"AS15169\"] }",
        )
        .replace(ssh, "from  = \"anyone\"\nasn = { deny = [15169] }");
    assert_eq!(with.matches("asn = ").count(), 2);
    format!("{with}\n[asn]\ndb = \"/asn.csv\"\n")
}

fn inputs() -> Inputs {
    let nets = |nets: &[&str]| -> Vec<IpNet> {
        nets.iter()
            .map(|net| net.parse().expect("a network"))
            .collect()
    };
    Inputs {
        warned: nets(&["2600:bad::/32", "2600:bad:1::/48"])
            .into_iter()
            .zip([Ban, Deny])
            .collect(),
        networks: [
            (13_238, nets(&["77.88.0.0/18", "2a02:6b8::/32"])),
            (15_169, nets(&["8.8.20.0/24", "2600:600d::/32"])),
        ]
        .into_iter()
        .map(|(number, nets)| (ringfence::config::AsNumber(number), nets))
        .collect(),
        ..Inputs::default()
    }
}

#[test]
fn what_others_say_of_a_source_is_heeded() {
    if !privileged() {
        return;
    }
    let mut both = Both::with(&policy(), &inputs(), &feeds());
    let named = |user| frames::request("REGISTER", "sip.example.com", user, "Yealink", 1);
    let bare = frames::request("REGISTER", "192.0.2.10", "1001", "Yealink", 2);
    let options = frames::request("OPTIONS", "sip.example.com", "1001", "Yealink", 3);
    let scan = frames::request("OPTIONS", "sip.example.com", "100", "friendly-scanner", 4);
    let udp = |from: &str, port: u16, text: &[u8]| {
        let to = if from.starts_with('[') {
            "[2001:db8:1::10]"
        } else {
            "192.0.2.10"
        };
        frames::udp(at(from), at(&format!("{to}:{port}")), text)
    };
    let syn =
        |from: &str, port: u16| frames::tcp(at(from), at(&format!("192.0.2.10:{port}")), 1, 2, b"");
    let cases = [
        (
            "beside what is listed",
            udp("8.8.8.2:5060", 5060, &named("1")),
            Reason::Clean,
        ),
        (
            "denied, whatever it says",
            udp("8.8.8.1:5060", 5060, &named("1")),
            Reason::Feed,
        ),
        (
            "denied on every service",
            syn("8.8.8.1:5060", 22),
            Reason::Feed,
        ),
        (
            "but for what is no service",
            syn("8.8.8.1:5060", 80),
            Reason::Unprotected,
        ),
        (
            "the first of a net",
            udp("8.8.9.0:5060", 5060, &named("2")),
            Reason::Feed,
        ),
        (
            "the last of a net",
            udp("8.8.9.255:5060", 5060, &named("3")),
            Reason::Feed,
        ),
        (
            "behind a net",
            udp("8.8.14.0:5060", 5060, &named("4")),
            Reason::Clean,
        ),
        ("banned", udp("8.8.10.1:5060", 5060, &options), Reason::Feed),
        (
            "which it must name",
            udp("8.8.10.1:5060", 5060, &bare),
            Reason::Domain,
        ),
        (
            "but a registration at the domain is heard",
            udp("8.8.10.1:5060", 5060, &named("5")),
            Reason::Clean,
        ),
        (
            "banned is banned from calls alone",
            syn("8.8.10.1:5060", 22),
            Reason::Clean,
        ),
        (
            "two /24 in one range",
            udp("8.8.13.9:5060", 5060, &options),
            Reason::Feed,
        ),
        (
            "the stricter of two",
            udp("8.8.12.7:5060", 5060, &named("6")),
            Reason::Feed,
        ),
        (
            "a score does nothing at first",
            udp("8.8.11.1:5060", 5060, &named("7")),
            Reason::Clean,
        ),
        (
            "permitted is permitted",
            udp("192.0.2.201:5060", 5060, &scan),
            Reason::Permitted,
        ),
        (
            "a trunk is a trunk",
            udp("198.51.100.129:5060", 5060, &options),
            Reason::Trunk,
        ),
        (
            "a proxy is judged by what it sends",
            udp("198.51.100.200:5060", 5060, &options),
            Reason::Clean,
        ),
        (
            "IPv6, banned",
            udp("[2600:bad::1]:5060", 5060, &options),
            Reason::Feed,
        ),
        (
            "IPv6, a registration at the domain",
            udp("[2600:bad::1]:5060", 5060, &named("8")),
            Reason::Clean,
        ),
        (
            "IPv6, denied within",
            udp("[2600:bad:1::1]:5060", 5060, &named("9")),
            Reason::Feed,
        ),
        (
            "a country that is not admitted",
            udp("77.87.8.8:5060", 5070, &bare),
            Reason::Country,
        ),
        (
            "a network that is",
            udp("77.88.8.8:5060", 5070, &bare),
            Reason::Clean,
        ),
        (
            "a network that is not",
            udp("8.8.20.1:5060", 5070, &bare),
            Reason::Network,
        ),
        (
            "at that service",
            udp("8.8.20.1:5060", 5060, &named("10")),
            Reason::Clean,
        ),
        (
            "nor at the plain one",
            syn("8.8.20.1:5060", 22),
            Reason::Network,
        ),
        (
            "IPv6, a network that is not",
            udp("[2600:600d::1]:5060", 5070, &bare),
            Reason::Network,
        ),
    ];
    for (what, frame, reason) in cases {
        assert_eq!(both.judge(&frame).1, reason, "{what}");
    }
}

#[test]
fn the_first_offence_of_a_suspect_bans_it() {
    if !privileged() {
        return;
    }
    let mut both = Both::with(&policy(), &inputs(), &feeds());
    let server = at("192.0.2.10:5060");
    let malformed = |from| frames::udp(at(from), server, &[7; 40]);
    let options = frames::request("OPTIONS", "sip.example.com", "1001", "Yealink", 3);
    let options = |from| frames::udp(at(from), server, &options);
    assert_eq!(both.judge(&malformed("8.8.11.1:5060")).1, Reason::Malformed);
    assert_eq!(both.judge(&options("8.8.11.1:5060")).1, Reason::Banned);
    assert_eq!(both.judge(&malformed("8.8.11.2:5060")).1, Reason::Malformed);
    assert_eq!(both.judge(&options("8.8.11.2:5060")).1, Reason::Clean);
}

#[test]
fn in_shadow_mode_what_is_listed_is_told_and_passes() {
    if !privileged() {
        return;
    }
    let shadow = policy().replace("mode      = \"enforce\"", "mode = \"shadow\"");
    let mut both = Both::with(&shadow, &inputs(), &feeds());
    let named = frames::request("REGISTER", "sip.example.com", "1", "Yealink", 1);
    let frame = frames::udp(at("8.8.8.1:5060"), at("192.0.2.10:5060"), &named);
    assert_eq!(both.judge(&frame).1, Reason::Feed);
    let (dropped, _) = both.kernel.run(&frame, 1).expect("it runs");
    assert!(!dropped);
}
