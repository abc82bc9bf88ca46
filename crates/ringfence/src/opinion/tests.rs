use std::fs;

use jiff::{SignedDuration, Timestamp};

use super::*;
use crate::config::AddressRange;
use crate::country::CountryData;
use crate::store::{ListKind, Name, Registration, Trust};

const POLICY: &str = r#"
countries = ["GB"]
deny = ["203.0.113.64/26"]

[[trunk]]
name = "provider"
hosts = ["192.0.2.200"]

[[service]]
name = "sip"
domains = ["sip.example.com"]

[[service]]
name = "tls"
kind = "sips"

[[service]]
name = "iax"
kind = "iax2"
"#;

/// 198.51.100.0/24 and 2001:db8:51::/48 are British, 203.0.113.0/24 is German.
fn countries() -> Box<CountryTable> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("countries.csv");
    let rows = "198.51.100.0,198.51.100.255,GB\n203.0.113.0,203.0.113.255,DE\n\
                2001:db8:51::,2001:db8:51:ffff:ffff:ffff:ffff:ffff,GB\n";
    fs::write(&path, rows).unwrap();
    CountryData::open(&path).unwrap().compile().unwrap()
}

fn opinions(policy: &str, inputs: &Inputs) -> Opinions {
    let config = Config::parse(policy, "policy").unwrap();
    Opinions::new(&config, inputs, countries()).unwrap()
}

fn question(source: &str) -> Question<'static> {
    Question {
        source: source.parse().unwrap(),
        port: None,
        transport: Transport::Udp,
        asks: Asks::Register,
        account: "1001",
        agent: "",
    }
}

fn ban(address: &str, prefix_len: u8) -> Ban {
    let now = Timestamp::now();
    Ban {
        address: address.parse().unwrap(),
        prefix_len,
        port: None,
        reason: "failures".into(),
        since: now,
        until: now + SignedDuration::from_mins(5),
        times: 1,
        proved: true,
        evidence: None,
        note: String::new(),
    }
}

fn known(address: &str, account: &str) -> Known {
    let (name, now) = (Name::new(account), Timestamp::now());
    let account = name.digest().unwrap();
    let address = address.parse().unwrap();
    let registration = Registration {
        address,
        found_by: account,
        account,
        name,
        protocol: 17,
        port: 5060,
        service: "sip".into(),
        since: now - SignedDuration::from_mins(5),
        until: now + SignedDuration::from_mins(5),
        granted: 600,
    };
    Known::new(Trust {
        registrations: vec![registration],
        ..Trust::default()
    })
}

/// The reason, whether it passes, and the remedy.
fn said(opinion: &Opinion) -> (&'static str, bool, &str) {
    let remedy = opinion.remedy.as_deref().unwrap_or("");
    (opinion.reason.name(), opinion.ok, remedy)
}

#[test]
fn the_judge_is_asked_and_the_remedy_is_told() {
    let mut asked = opinions(POLICY, &Inputs::default());
    let bans = [ban("198.51.100.66", 32), ban("198.51.101.0", 24)];
    asked.set_bans(&bans);
    for (source, expected) in [
        ("198.51.100.41", ("clean", true, "")),
        ("2001:db8:51::3", ("clean", true, "")),
        (
            "203.0.113.9",
            ("country", false, "ringfence country allow DE"),
        ),
        (
            "192.0.2.9",
            ("country", false, "ringfence permit add 192.0.2.9"),
        ),
        (
            "203.0.113.70",
            (
                "denied",
                false,
                "take 203.0.113.64/26 out of `deny` in the configuration",
            ),
        ),
        (
            "198.51.100.66",
            ("banned", false, "ringfence unban 198.51.100.66"),
        ),
        (
            "198.51.101.7",
            ("country", false, "ringfence permit add 198.51.101.7"),
        ),
        (
            "192.0.2.200",
            (
                "trunk",
                false,
                "take its address out of `hosts` of the [[trunk]]: no trunk registers",
            ),
        ),
    ] {
        let opinion = asked.opinion(&question(source));
        assert_eq!(said(&opinion), expected, "{source}");
    }
    let opinion = asked.opinion(&question("203.0.113.9"));
    assert_eq!(opinion.country.code(), "DE");
    assert_eq!(opinion.service, "sip");
}

#[test]
fn a_ban_of_a_net_is_lifted_as_one() {
    let mut asked = opinions(&format!("{POLICY}[ban]\nsubnet = 8\n"), &Inputs::default());
    asked.set_bans(&[ban("198.51.100.0", 24)]);
    let opinion = asked.opinion(&question("198.51.100.7"));
    assert_eq!(
        said(&opinion),
        ("banned", false, "ringfence unban 198.51.100.0/24")
    );
}

#[test]
fn a_provider_calls_and_each_transport_has_its_service() {
    let mut asked = opinions(POLICY, &Inputs::default());
    let call = Question {
        asks: Asks::Invite,
        ..question("192.0.2.200")
    };
    assert_eq!(said(&asked.opinion(&call)), ("trunk", true, ""));
    for (transport, service, foreign) in [
        (Transport::Udp, "sip", "country"),
        (Transport::Tcp, "sip", "country"),
        (Transport::Tls, "tls", "country"),
        (Transport::Iax2, "iax", "country"),
        (Transport::Wss, "", "unprotected"),
    ] {
        for asks in [Asks::Register, Asks::Invite] {
            let at = |source| Question {
                transport,
                asks,
                ..question(source)
            };
            let opinion = asked.opinion(&at("198.51.100.41"));
            assert!(opinion.ok, "{transport:?} {opinion:?}");
            assert_eq!(opinion.service, service, "{transport:?}");
            let opinion = asked.opinion(&at("203.0.113.9"));
            assert_eq!(opinion.reason.name(), foreign, "{transport:?}");
        }
    }
}

#[test]
fn a_text_over_tcp_is_judged_too() {
    let mut asked = opinions(POLICY, &Inputs::default());
    for transport in [Transport::Udp, Transport::Tcp] {
        let scanner = Question {
            transport,
            agent: "friendly-scanner",
            ..question("198.51.100.41")
        };
        let opinion = asked.opinion(&scanner);
        assert_eq!(opinion.reason, Reason::Signature, "{transport:?}");
    }
}

#[test]
fn who_is_registered_passes_and_what_holds_without_that_is_told() {
    let mut asked = opinions(POLICY, &Inputs::default());
    asked.set_known(&known("203.0.113.9", "1001"), Timestamp::now());
    for _ in 0..100 {
        let opinion = asked.opinion(&question("203.0.113.9"));
        assert_eq!(opinion.reason, Reason::Registered);
        assert_eq!(opinion.stranger, Some(Reason::Country));
        assert_eq!(
            said(&opinion),
            ("registered", true, "ringfence country allow DE")
        );
    }
    asked.set_known(&known("198.51.100.9", "1001"), Timestamp::now());
    let opinion = asked.opinion(&question("198.51.100.9"));
    assert_eq!((opinion.ok, opinion.stranger), (true, None));
    let over = Timestamp::now() + SignedDuration::from_hours(30);
    asked.set_known(&known("203.0.113.9", "1001"), over);
    let opinion = asked.opinion(&question("203.0.113.9"));
    assert_eq!(opinion.reason, Reason::Country);
}

/// The budget and the limits of one source hold for floods, not for questions.
#[test]
fn many_questions_get_the_same_answer() {
    let mut asked = opinions(POLICY, &Inputs::default());
    for _ in 0..1500 {
        let opinion = asked.opinion(&question("198.51.100.41"));
        assert_eq!(opinion.reason, Reason::Clean);
    }
}

#[test]
fn what_is_advised_lets_it_in() {
    let range = |text: &str| text.parse::<AddressRange>().unwrap();
    let denied = Inputs {
        operator: vec![(ListKind::Deny, range("198.51.100.7"))],
        ..Inputs::default()
    };
    let mut asked = opinions(POLICY, &denied);
    let opinion = asked.opinion(&question("198.51.100.7"));
    assert_eq!(
        said(&opinion),
        ("denied", false, "ringfence deny remove 198.51.100.7")
    );
    let permitted = Inputs {
        operator: vec![(ListKind::Permit, range("192.0.2.9"))],
        countries: vec![(Country::from_code("DE").unwrap(), true)],
        ..Inputs::default()
    };
    let mut asked = opinions(POLICY, &permitted);
    assert!(asked.opinion(&question("198.51.100.7")).ok);
    assert!(asked.opinion(&question("192.0.2.9")).ok);
    assert!(asked.opinion(&question("203.0.113.9")).ok);
    let own = "countries = [\"GB\"]\n[[service]]\nname = \"sip\"\ncountries = [\"IE\"]\n";
    let mut asked = opinions(own, &permitted);
    let opinion = asked.opinion(&question("203.0.113.9"));
    let remedy = "add \"DE\" to `countries` of [[service]] \"sip\"";
    assert_eq!(said(&opinion), ("country", false, remedy));
    let closed = "[[service]]\nname = \"sip\"\nfrom = \"permitted\"\n";
    let mut asked = opinions(closed, &Inputs::default());
    let opinion = asked.opinion(&question("203.0.113.9"));
    let remedy = "ringfence permit add 203.0.113.9";
    assert_eq!(said(&opinion), ("country", false, remedy));
}

#[test]
fn neighbours_and_own_addresses() {
    let inputs = Inputs {
        neighbours: vec![(3, "10.0.0.0/8".parse().unwrap())],
        own: vec![[192, 0, 2, 10].into()],
        ..Inputs::default()
    };
    let mut asked = opinions(POLICY, &inputs);
    let opinion = asked.opinion(&question("10.0.0.5"));
    assert_eq!(said(&opinion), ("permitted", true, ""));
    assert!(asked.is_own([192, 0, 2, 10].into()) && asked.is_own([127, 0, 0, 1].into()));
    assert!(!asked.is_own([10, 0, 0, 5].into()));
}
