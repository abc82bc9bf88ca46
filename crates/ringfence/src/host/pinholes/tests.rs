use std::collections::BTreeSet;
use std::path::Path;
use std::thread;

use super::*;
use crate::config::Protocol;
use crate::country::CountryData;
use crate::host::{Facts, First, INPUT, Keeper, Ready, Ruleset, Seen, plan};
use crate::net::testing::namespace;

const POLICY: &str = r#"
mode   = "enforce"
permit = ["203.0.113.77"]

[[trunk]]
name  = "provider"
hosts = ["198.51.100.4", "sip.provider.example"]

[[proxy]]
addresses = ["2001:db8:5::/64"]

[host]
enable   = true
rtp      = "10000-20000"
pinholes = true
"#;

fn facts() -> Facts {
    let mut facts = Facts {
        neighbours: vec![("eth1".into(), "10.1.0.0/16".parse().unwrap())],
        ..Facts::default()
    };
    let resolved = vec!["198.51.100.5".parse().unwrap()];
    facts
        .inputs
        .resolved
        .insert("sip.provider.example".into(), resolved);
    facts
}

fn data() -> CountryData {
    CountryData::decode("198.51.100.0,198.51.100.255,GB\n".into(), Path::new("test")).unwrap()
}

fn ruleset(policy: &str) -> Ruleset {
    plan(&Config::parse(policy, "test").unwrap(), &facts(), &data())
}

/// Whether the range of media is open for an address that no live set holds.
fn open(policy: &str, from: &str, interface: Option<&str>) -> bool {
    let from: IpAddr = from.parse().unwrap();
    let here: IpAddr = if from.is_ipv4() {
        "192.0.2.10"
    } else {
        "2001:db8::10"
    }
    .parse()
    .unwrap();
    let first = First {
        from: (from, 40_000).into(),
        to: (here, 10_000).into(),
        protocol: Protocol::Udp,
        interface,
    };
    ruleset(policy).accepts(INPUT, &first)
}

#[test]
fn the_range_is_open_for_who_is_listed_alone() {
    for from in [
        "203.0.113.77",
        "198.51.100.4",
        "198.51.100.5",
        "2001:db8:5::9",
    ] {
        assert!(open(POLICY, from, None), "{from}");
    }
    assert!(open(POLICY, "10.1.0.9", Some("eth1")));
    for (from, interface) in [
        ("10.1.0.9", Some("eth0")),
        ("198.51.100.6", None),
        ("2001:db8:6::9", None),
    ] {
        assert!(!open(POLICY, from, interface), "{from}");
    }
    let shadow = POLICY.replace("\"enforce\"", "\"shadow\"");
    assert!(open(&shadow, "198.51.100.6", None));
    assert!(
        ruleset(&shadow)
            .counters
            .contains(&"would-rtp-refused".to_owned())
    );
    assert!(open(
        &POLICY.replace("pinholes = true", ""),
        "198.51.100.6",
        None
    ));
}

#[test]
fn at_protected_addresses_alone_the_fence_has_judged_what_is_read() {
    let copied = |policy: &str| {
        let text = ruleset(policy).text(true);
        let lines = text.lines().filter(|line| line.contains("log group"));
        lines.map(|line| line.trim().to_owned()).collect::<Vec<_>>()
    };
    let all = copied(POLICY);
    assert_eq!(all.len(), 2, "{all:?}");
    assert!(
        all[0].starts_with("udp dport 5060 meta length 201-65535 limit rate 1000/second"),
        "{all:?}"
    );
    let protected = copied(&format!("protect = [\"192.0.2.20\"]\n{POLICY}"));
    assert_eq!(protected.len(), 8, "{protected:?}");
    assert!(
        protected
            .iter()
            .all(|line| line.contains("daddr @protected")),
        "{protected:?}"
    );
}

/// What a set of the table in force holds.
fn held(name: &str) -> BTreeSet<String> {
    let objects = Nft::default().table(NfFamily::INet, TABLE).unwrap();
    let objects = objects.unwrap_or_default();
    let set = objects.iter().map(|object| &object["set"]);
    let set = set.filter(|set| set["name"] == name);
    let elements = set.filter_map(|set| set["elem"].as_array()).flatten();
    elements
        .map(|element| element["elem"]["val"].to_string())
        .collect()
}

fn until(what: &str, ready: impl Fn() -> bool) {
    let begun = Instant::now();
    while !ready() {
        assert!(begun.elapsed() < Duration::from_secs(60), "{what}: not so");
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn the_sets_hold_who_is_known_whoever_makes_the_table_anew() {
    namespace(async || {
        let state = tempfile::tempdir().unwrap();
        let keeper = Keeper::new(state.path());
        let ready = |policy: &str| {
            Ready::new(&Config::parse(policy, "test").unwrap(), &facts(), &data()).unwrap()
        };
        keeper.apply(&ready(POLICY), None).unwrap();
        let intact = Intact::default();
        let look = || {
            let mut generation = intact.get();
            let seen = keeper.look(&mut generation).unwrap();
            intact.set(generation);
            seen
        };
        assert_eq!(look(), Seen::Intact);
        let pinholes = Pinholes::start(intact.clone());
        let tell = |addresses: &[&str]| {
            let addresses = addresses
                .iter()
                .map(|address| address.parse().unwrap())
                .collect();
            assert!(pinholes.tell(Sight::All {
                addresses,
                known: Vec::new(),
                own: Vec::new()
            }));
        };
        let four = BTreeSet::from(["\"203.0.113.9\"".to_owned()]);
        let six = BTreeSet::from(["\"2001:db8::9\"".to_owned()]);
        tell(&["203.0.113.9"]);
        assert!(pinholes.tell(Sight::Address("2001:db8::9".parse().unwrap())));
        until("they are told", || {
            held("media4") == four && held("media6") == six
        });
        // What the sets hold is no change of the table, nor a reason to look at it.
        until("it is moved on", || intact.get() == nft::generation().ok());
        assert_eq!(look(), Seen::Intact);
        // Other rules, and a table that somebody deleted.
        keeper
            .apply(&ready(&POLICY.replace("20000", "20001")), None)
            .unwrap();
        until("they are told again", || {
            held("media4") == four && held("media6") == six
        });
        Nft::default().delete_table(NfFamily::INet, TABLE).unwrap();
        assert_eq!(look(), Seen::Gone);
        until("they are told again", || {
            held("media4") == four && held("media6") == six
        });
        // Who went is taken away.
        tell(&["2001:db8::9"]);
        until("one is gone", || {
            held("media4").is_empty() && held("media6") == six
        });
        let expected = Holes {
            addresses: 1,
            ..Holes::default()
        };
        until("it is counted", || pinholes.holes() == expected);
    });
}

#[test]
fn what_an_sdp_named_is_shut_by_the_kernel_when_its_time_is_over() {
    namespace(async || {
        let nft = Nft::default();
        nft.run(&ruleset(POLICY).batch()).unwrap();
        let (mut book, now) = (Book::default(), Instant::now());
        let places =
            ["198.51.100.9:4000", "[2001:db8::7]:4000"].map(|place| place.parse().unwrap());
        let mut write = |at: Instant, now: Instant| {
            book.open("203.0.113.9".parse().unwrap(), &places, at);
            let commands = book.changes(now, false);
            nft.run_text(&json!({ "nftables": commands }).to_string())
                .unwrap();
        };
        let open = || (held("streams4").len(), held("streams6").len());
        // Named 298 s ago, then again.
        write(now, now + Duration::from_secs(298));
        assert_eq!(open(), (1, 1));
        until("it is shut", || open() == (0, 0));
        write(now + Duration::from_secs(60), now + Duration::from_secs(60));
        assert_eq!(open(), (1, 1));
        assert_eq!(
            held("streams4").first().unwrap(),
            "{\"concat\":[\"198.51.100.9\",4000]}"
        );
    });
}
