use std::path::Path;

use nftables::types::NfFamily;
use serde_json::Value;

use super::*;
use crate::config::{Config, Protocol};
use crate::country::{Country, CountryData};
use crate::net::TcpSession;
use crate::net::testing::{ip, namespace};
use crate::nft::Nft;
use crate::store::ListKind;
use crate::tables::Inputs;

const COUNTRIES: &str = "198.51.100.0,198.51.100.255,GB\n203.0.113.0,203.0.113.255,RU\n\
    2001:db8:51::,2001:db8:51:ffff:ffff:ffff:ffff:ffff,GB\n2001:db8:bad::,2001:db8:bad:ffff:ffff:ffff:ffff:ffff,RU\n";

const POLICY: &str = r#"
mode      = "enforce"
countries = ["GB"]
permit    = ["203.0.113.77", "2001:db8:bad::77"]
deny      = ["198.51.100.66", "203.0.113.70-203.0.113.80"]

[[service]]
name = "sip"

[[service]]
name  = "web"
kind  = "plain"
ports = ["tcp/80", "tcp/443"]
from  = "anyone"

[[service]]
name  = "ssh"
kind  = "plain"
ports = ["tcp/22"]
from  = "permitted"

[[service]]
name  = "provisioning"
kind  = "plain"
ports = ["udp/69", "tcp/8000-8010"]
from  = "countries"

[host]
enable = true
rtp    = "10000-20000"
"#;

fn rules(policy: &str) -> Ruleset {
    let config = Config::parse(policy, "test").unwrap();
    let data = CountryData::decode(COUNTRIES.into(), Path::new("test")).unwrap();
    let facts = Facts {
        inputs: Inputs {
            operator: vec![
                (ListKind::Permit, "203.0.113.5".parse().unwrap()),
                (ListKind::Deny, "198.51.100.67".parse().unwrap()),
            ],
            ..Inputs::default()
        },
        neighbours: vec![
            ("eth1".into(), "10.1.0.0/16".parse().unwrap()),
            ("eth1".into(), "10.2.0.0/16".parse().unwrap()),
            ("eth1".into(), "fe80::/64".parse().unwrap()),
            ("a\"b".into(), "10.9.0.0/16".parse().unwrap()),
        ],
        sessions: vec![
            TcpSession {
                local: "192.0.2.10:22".parse().unwrap(),
                remote: "203.0.113.200:50000".parse().unwrap(),
            },
            TcpSession {
                local: "[2001:db8:1::10]:22".parse().unwrap(),
                remote: "[2001:db8:bad::20]:50000".parse().unwrap(),
            },
        ],
    };
    plan(&config, &facts, &data)
}

/// Asks about `SOURCE udp/5060 [DESTINATION] [at INTERFACE]`.
fn accepts(rules: &Ruleset, chain: &str, question: &str) -> bool {
    let words: Vec<_> = question.split(' ').collect();
    let (protocol, port) = words[1].split_once('/').unwrap();
    let from: std::net::IpAddr = words[0].parse().unwrap();
    let here = if from.is_ipv4() {
        "192.0.2.10"
    } else {
        "2001:db8:1::10"
    };
    let to = words.get(2).filter(|word| **word != "at").unwrap_or(&here);
    let at = words.iter().position(|word| *word == "at");
    let first = First {
        from: (from, 40000).into(),
        to: (
            to.parse::<std::net::IpAddr>().unwrap(),
            port.parse().unwrap(),
        )
            .into(),
        protocol: if protocol == "udp" {
            Protocol::Udp
        } else {
            Protocol::Tcp
        },
        interface: at.map(|at| words[at + 1]),
    };
    rules.accepts(chain, &first)
}

#[test]
fn each_source_reaches_what_it_may() {
    let rules = rules(POLICY);
    for (question, expected) in [
        // The fence has judged SIP.
        ("203.0.113.9 udp/5060", true),
        ("2001:db8:bad::9 tcp/5060", true),
        ("203.0.113.9 tcp/443", true),
        // Only permitted sources.
        ("198.51.100.9 tcp/22", false),
        ("203.0.113.5 tcp/22", true),
        ("2001:db8:bad::77 tcp/22", true),
        ("10.1.2.3 tcp/22 at eth1", true),
        ("10.2.255.255 tcp/22 at eth1", true),
        ("10.1.2.3 tcp/22 at eth0", false),
        ("10.1.2.3 tcp/22", true),
        ("10.9.0.1 tcp/22", false),
        // By country.
        ("198.51.100.9 tcp/8005", true),
        ("198.51.100.9 udp/69", true),
        ("203.0.113.9 udp/69", false),
        ("2001:db8:51::9 tcp/8010", true),
        ("2001:db8:bad::9 tcp/8010", false),
        ("192.0.2.99 udp/69", false),
        ("203.0.113.5 udp/69", true),
        // Media.
        ("203.0.113.9 udp/10000", true),
        ("203.0.113.9 tcp/10000", false),
        ("203.0.113.9 udp/20001", false),
        // No service, for nobody.
        ("203.0.113.5 tcp/3306", false),
        ("10.1.2.3 tcp/3306 at eth1", false),
        // Deny beats permit, and everything.
        ("203.0.113.77 tcp/443", false),
        ("198.51.100.66 udp/5060", false),
        ("198.51.100.67 udp/5060", false),
        // This host to itself.
        ("127.0.0.1 tcp/3306 at lo", true),
        ("198.51.100.66 tcp/3306 at lo", true),
    ] {
        assert_eq!(accepts(&rules, INPUT, question), expected, "{question}");
    }
}

#[test]
fn in_shadow_mode_nothing_is_refused() {
    let shadow = rules(&POLICY.replace("\"enforce\"", "\"shadow\""));
    for question in [
        "198.51.100.66 udp/5060",
        "203.0.113.9 tcp/22",
        "203.0.113.9 udp/9",
    ] {
        assert!(accepts(&shadow, INPUT, question), "{question}");
    }
    assert!(
        shadow
            .counters
            .iter()
            .all(|name| name.starts_with("would-"))
    );
    assert!(
        shadow
            .counters
            .iter()
            .any(|name| name == "would-refused-ssh")
    );
    let drops = shadow.chains.iter().flat_map(|chain| &chain.rules);
    let drops = drops.filter(|rule| matches!(rule.action, Action::Drop | Action::Reject));
    assert_eq!(drops.count(), 0);
    assert!(!shadow.text(false).contains("policy drop"));
}

#[test]
fn a_router_guards_what_is_protected_and_nothing_else() {
    let policy = format!("protect = [\"192.0.2.20\", \"2001:db8:1::20\"]\n{POLICY}");
    let rules = rules(&policy);
    for (question, expected) in [
        ("203.0.113.9 tcp/22 192.0.2.20", false),
        ("203.0.113.9 udp/5060 192.0.2.20", true),
        ("203.0.113.9 udp/69 192.0.2.20", false),
        ("198.51.100.9 udp/69 192.0.2.20", true),
        ("198.51.100.66 tcp/443 192.0.2.20", false),
        ("2001:db8:bad::9 tcp/22 2001:db8:1::20", false),
        ("203.0.113.9 tcp/22 192.0.2.21", true),
        ("198.51.100.66 tcp/22 192.0.2.21", true),
    ] {
        assert_eq!(accepts(&rules, FORWARD, question), expected, "{question}");
    }
    // SIP to an address of this host that the fence does not judge.
    assert!(!accepts(&rules, INPUT, "203.0.113.9 udp/5060 192.0.2.10"));
    assert!(accepts(&rules, INPUT, "203.0.113.9 udp/5060 192.0.2.20"));
    assert!(accepts(&rules, INPUT, "203.0.113.5 udp/5060 192.0.2.10"));
}

#[test]
fn countries_said_by_command_count() {
    let config = Config::parse(POLICY, "test").unwrap();
    let data = CountryData::decode(COUNTRIES.into(), Path::new("test")).unwrap();
    let mut facts = Facts::default();
    let country = |code| Country::from_code(code).unwrap();
    facts.inputs.countries = vec![(country("GB"), false), (country("RU"), true)];
    let rules = plan(&config, &facts, &data);
    assert!(accepts(&rules, INPUT, "203.0.113.9 udp/69"));
    assert!(!accepts(&rules, INPUT, "198.51.100.9 udp/69"));
}

/// What a table has, without what differs from one making to the next.
fn made(nft: &Nft) -> Vec<Value> {
    let mut objects = nft.table(NfFamily::INet, TABLE).unwrap().unwrap();
    for object in &mut objects {
        for (_, inner) in object.as_object_mut().unwrap() {
            inner.as_object_mut().unwrap().remove("handle");
        }
    }
    objects.sort_by_key(|object| {
        let kind = object.as_object().unwrap().keys().next().cloned();
        (kind != Some("rule".into())).then(|| object.to_string())
    });
    objects
}

#[test]
fn the_text_and_the_batch_make_the_same_table() {
    namespace(async || {
        ip("link set lo up");
        let nft = Nft::default();
        for policy in [
            POLICY.to_owned(),
            POLICY.replace("\"enforce\"", "\"shadow\""),
            POLICY.replace("rtp    =", "refuse = \"drop\"\nrtp ="),
            format!("protect = [\"192.0.2.20\"]\n{POLICY}"),
            format!("{POLICY}pinholes = true\n[[trunk]]\nname = \"t\"\nhosts = [\"198.51.100.4\"]"),
            format!("mode = \"shadow\"\nprotect = [\"192.0.2.20\"]\n{POLICY}pinholes = true")
                .replace("\nmode      = \"enforce\"", ""),
            "countries = [\"ZZ\"]\n[[service]]\nname = \"a\"\nkind = \"plain\"\nports = [\"tcp/1-65535\"]".into(),
            String::new(),
        ] {
            let rules = rules(&policy);
            nft.check(&rules.batch()).unwrap();
            nft.check_text(&rules.text(true)).unwrap();
            nft.check_text(&rules.text(false)).unwrap();
            nft.run(&rules.batch()).unwrap();
            let by_batch = made(&nft);
            let text = rules.text(false);
            let file = tempfile::NamedTempFile::new().unwrap();
            std::fs::write(file.path(), &text).unwrap();
            let done = std::process::Command::new("nft").arg("-f").arg(file.path()).status();
            assert!(done.unwrap().success(), "{text}");
            assert_eq!(made(&nft), by_batch, "{text}");
        }
        nft.run(&removal()).unwrap();
        assert_eq!(nft.tables().unwrap(), Vec::<Value>::new());
    });
}

#[test]
fn every_rule_says_why() {
    let text = rules(&format!("{POLICY}pinholes = true")).text(true);
    let rules = text.lines().filter(|line| {
        ["accept", "drop", "log ", "reject with", "jump ", "goto "]
            .iter()
            .any(|word| line.contains(word) && !line.contains("policy"))
    });
    for line in rules {
        assert!(line.contains(" comment \""), "{line}");
    }
    assert!(text.contains("# 1 ranges, left out here"), "{text}");
    assert!(
        text.contains("iifname \"eth1\" ip saddr 10.1.0.0-10.2.255.255 jump every_service"),
        "{text}"
    );
}
