use std::fs;

use jiff::{SignedDuration, Timestamp};

use super::*;
use crate::asterisk::audit::Audit;
use crate::asterisk::inventory::recorded::{Recorded, asked};
use crate::country::CountryData;
use crate::store::{Name, Registration, Trust};
use crate::tables::Inputs;

const POLICY: &str = r#"
countries = ["GB"]
deny = ["198.51.100.44"]

[[service]]
name = "sip"

[[service]]
name = "iax"
kind = "iax2"
"#;

/// 1002 is registered from Germany, 1003 too, and the packets taught that of 1002 alone.
fn audited(pbx: &Recorded) -> (Audit, Inventory) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("countries.csv");
    let rows = "198.51.100.0,198.51.100.41,GB\n198.51.100.42,198.51.100.43,DE\n198.51.100.44,198.51.100.127,GB\n\
                2001:db8:51::,2001:db8:51:ffff:ffff:ffff:ffff:ffff,GB\n";
    fs::write(&path, rows).unwrap();
    let countries = CountryData::open(&path).unwrap().compile().unwrap();
    let config = Config::parse(POLICY, "policy").unwrap();
    let (name, now) = (Name::new("1002"), Timestamp::now());
    let account = name.digest().unwrap();
    let registration = Registration {
        address: [198, 51, 100, 42].into(),
        found_by: account,
        account,
        name,
        protocol: 17,
        port: 5060,
        service: "sip".into(),
        since: now,
        until: now + SignedDuration::from_mins(10),
        granted: 600,
    };
    let known = Known::new(Trust {
        registrations: vec![registration],
        ..Trust::default()
    });
    let mut inventory = asked(pbx);
    inventory.fill_sources(&Learned::new(known.registrations.values(), now));
    let mut opinions = Opinions::new(&config, &Inputs::default(), countries).unwrap();
    opinions.set_known(&known, now);
    (audit(&inventory, &mut opinions), inventory)
}

fn text(pbx: &Recorded) -> String {
    let (audit, inventory) = audited(pbx);
    let mut out = Vec::new();
    text::write(&audit, &inventory, &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    anstream::adapter::strip_str(&text).to_string()
}

#[test]
fn the_table_of_the_recorded_pbx() {
    let text = text(&Recorded::new_pbx());
    assert_eq!(text, include_str!("recorded.txt"));
    let widest = text.lines().map(|line| line.chars().count()).max();
    assert!(widest.unwrap() <= 100, "{widest:?}");
}

#[test]
fn each_line_of_json_is_an_object() {
    let (audit, inventory) = audited(&Recorded::new_pbx());
    let mut out = Vec::new();
    json::write(&audit, &inventory, &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    let lines: Vec<serde_json::Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines[0]["name"], "1001");
    assert_eq!(
        (&lines[1]["verdict"], &lines[1]["stranger"]),
        (&"ok".into(), &"country".into())
    );
    assert_eq!(lines[1]["remedy"], "ringfence country allow DE");
    let trunk = lines.iter().find(|line| line["trunk"] == "trunk1").unwrap();
    assert_eq!(trunk["hosts"][0], "198.51.100.200");
    assert!(lines.iter().any(|line| line["weakness"] == "password"));
    let last = lines.last().unwrap();
    assert_eq!(last["summary"]["ko"], audit.count().ko);
    assert!(!text.contains("pw-1001"));
}

/// Whatever an account or an agent is called, a terminal obeys none of it and a line stays one.
#[test]
fn hostile_names_are_shown_and_not_obeyed() {
    let evil = "a\u{1b}[2J\u{9b}31m\u{202e}\rb";
    let list = format!("Event: EndpointList\nObjectName: {evil}\nAuths: a\nContacts: \n\n");
    let contacts = format!(
        "Event: ContactList\nObjectName: {evil};@k\nEndpoint: {evil}\nUri: sip:{evil}@198.51.100.44\nUserAgent: {evil}\n\n"
    );
    let registrations =
        format!("Event: OutboundRegistrationDetail\nObjectName: {evil}\nServerUri: sip:{evil}\n\n");
    let pbx = Recorded::new_pbx()
        .with("PJSIPShowEndpoints", "", &list)
        .with("PJSIPShowContacts", "", &contacts)
        .with("PJSIPShowRegistrationsOutbound", "", &registrations);
    let (audit, inventory) = audited(&pbx);
    assert_eq!(audit.count().ko, 1);
    let mut lines = Vec::new();
    json::write(&audit, &inventory, &mut lines).unwrap();
    for shown in [text(&pbx), String::from_utf8(lines).unwrap()] {
        let obeyed = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
        assert!(!shown.contains(obeyed), "{shown:?}");
        assert!(shown.contains("1b") && shown.contains("[2J"), "{shown}");
    }
}

#[test]
fn long_names_and_many_of_them_fit() {
    let (mut audit, inventory) = audited(&Recorded::new_pbx());
    let ip = "2001:db8:1111:2222:3333:4444:5555:6666".parse().unwrap();
    for row in &mut audit.rows {
        row.name = "x".repeat(200);
        row.address = row.address.map(|_| ip);
    }
    audit.weaknesses[0].names = (0..100).map(|n| format!("section-{n}")).collect();
    let mut out = Vec::new();
    text::write(&audit, &inventory, &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    let text = anstream::adapter::strip_str(&text).to_string();
    for line in text.lines() {
        assert!(line.chars().count() <= 100, "{line}");
    }
    assert!(
        text.contains("section-1, section-2") && text.contains(" and 93 more"),
        "{text}"
    );
    audit.weaknesses[0].names.truncate(1);
    let mut out = Vec::new();
    text::write(&audit, &inventory, &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    assert!(text.contains("characters\n    section-0\n"), "{text}");
}

#[test]
fn names_to_look_up_are_those_of_trunks() {
    let registrations =
        "Event: OutboundRegistrationDetail\nObjectName: a\nServerUri: sip:sip.a.example\n\n";
    let pbx = Recorded::new_pbx().with("PJSIPShowRegistrationsOutbound", "", registrations);
    let policy = "[[trunk]]\nname = \"b\"\nhosts = [\"sip.b.example\", \"192.0.2.0/28\"]\n";
    let names = names(&Config::parse(policy, "policy").unwrap(), &asked(&pbx));
    assert_eq!(Vec::from_iter(names), ["sip.a.example", "sip.b.example"]);
}
