use std::fs;

use jiff::Timestamp;

use super::*;
use crate::asterisk::inventory::recorded::{Recorded, asked};
use crate::asterisk::inventory::{Learned, SipSettings};
use crate::config::Config;
use crate::country::CountryData;
use crate::store::{Name, Registration, Trust};
use crate::tables::Inputs;
use crate::trust::Known;

const POLICY: &str = "countries = [\"GB\"]\n[[service]]\nname = \"sip\"\n[[service]]\nname = \"iax\"\nkind = \"iax2\"\n";

/// 198.51.100.0/25 and 2001:db8:51::/48 are British, the rest of 198.51.100.0/24 is German.
fn opinions(policy: &str, inputs: &Inputs) -> Opinions {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("countries.csv");
    let rows = "198.51.100.0,198.51.100.127,GB\n198.51.100.128,198.51.100.255,DE\n\
                2001:db8:51::,2001:db8:51:ffff:ffff:ffff:ffff:ffff,GB\n";
    fs::write(&path, rows).unwrap();
    let countries = CountryData::open(&path).unwrap().compile().unwrap();
    let config = Config::parse(policy, "policy").unwrap();
    Opinions::new(&config, inputs, countries).unwrap()
}

fn row<'a>(audit: &'a Audit, name: &str) -> &'a Row {
    audit.rows.iter().find(|row| row.name == name).unwrap()
}

fn said(row: &Row) -> (Verdict, &str, &str) {
    let remedy = row.remedy.as_deref().unwrap_or("");
    (row.verdict, row.reason, remedy)
}

#[test]
fn the_recorded_pbx_is_audited_whole() {
    let inventory = asked(&Recorded::new_pbx());
    let audit = audit(&inventory, &mut opinions(POLICY, &Inputs::default()));
    assert_eq!(said(row(&audit, "1001")), (Verdict::Ok, "clean", ""));
    assert_eq!(said(row(&audit, "1013")), (Verdict::Ok, "clean", ""));
    assert_eq!(row(&audit, "iaxpeer1").service, "iax");
    assert_eq!(row(&audit, "1005").what, What::Absent);
    assert_eq!(
        said(row(&audit, "1005")),
        (Verdict::Unknown, "not registered", "")
    );
    // The contact has a private address, and Via a public one.
    let nat = row(&audit, "1006");
    assert_eq!(nat.address, Some([198, 51, 100, 46].into()));
    assert!(!nat.learned);
    let proposed = "add the [[trunk]] that is proposed below";
    for name in ["trunk1", "reg-trunk1", "reg-trunk2"] {
        let row = row(&audit, name);
        assert_eq!(said(row), (Verdict::Ko, "country", proposed), "{name}");
        assert_eq!(row.kind, Kind::Trunk);
        assert_eq!(row.country.unwrap().code(), "DE");
    }
    let count = Count {
        ok: 8,
        ko: 3,
        unknown: 0,
        absent: 15,
    };
    assert_eq!(audit.count(), count);
    let kinds: Vec<_> = audit.rows.iter().map(|row| row.kind).collect();
    assert!(kinds.is_sorted());
    let proposals: Vec<_> = audit.proposals.iter().map(ToString::to_string).collect();
    assert_eq!(
        proposals,
        [
            "[[trunk]]\nname = \"trunk1\"\nhosts = [\"198.51.100.200\"]",
            "[[trunk]]\nname = \"reg-trunk2\"\nhosts = [\"198.51.100.201\"]",
        ]
    );
    assert_eq!(audit.strangers().count(), 0);
}

/// With what is proposed, nothing is ko any more.
#[test]
fn what_is_proposed_lets_the_trunks_in() {
    let inventory = asked(&Recorded::new_pbx());
    let before = audit(&inventory, &mut opinions(POLICY, &Inputs::default()));
    let trunks: Vec<_> = before.proposals.iter().map(ToString::to_string).collect();
    let policy = POLICY.replacen("[[", &format!("{}\n[[", trunks.join("\n")), 1);
    let after = audit(&inventory, &mut opinions(&policy, &Inputs::default()));
    assert_eq!((after.count().ko, after.proposals.len()), (0, 0));
    assert_eq!(said(row(&after, "trunk1")), (Verdict::Ok, "trunk", ""));
}

fn registered(account: &str, source: &str) -> Registration {
    let source: std::net::SocketAddr = source.parse().unwrap();
    let (name, now) = (Name::new(account), Timestamp::now());
    let account = name.digest().unwrap();
    Registration {
        address: source.ip(),
        found_by: account,
        account,
        name,
        protocol: 17,
        port: source.port(),
        service: "sip".into(),
        since: now,
        until: now + jiff::SignedDuration::from_mins(10),
        granted: 600,
    }
}

#[test]
fn a_registered_phone_passes_and_what_waits_for_it_is_told() {
    let mut inventory = asked(&Recorded::new_pbx());
    let rows = vec![registered("1001", "198.51.100.141:5060")];
    inventory.fill_sources(&Learned::new(&rows, Timestamp::now()));
    let mut opinions = opinions(POLICY, &Inputs::default());
    let learned = audit(&inventory, &mut opinions);
    let stranger = row(&learned, "1001");
    assert_eq!(stranger.verdict, Verdict::Ko);
    assert_eq!(stranger.address, Some([198, 51, 100, 141].into()));
    assert_eq!(
        learned.strangers().map(|row| &row.name).collect::<Vec<_>>(),
        ["1001"]
    );
    assert_eq!(
        stranger.contact_key.as_deref(),
        Some("1001;@0154273dcf0e6298fb270477124c00df")
    );
    let trust = Trust {
        registrations: rows,
        ..Trust::default()
    };
    opinions.set_known(&Known::new(trust), Timestamp::now());
    let known = audit(&inventory, &mut opinions);
    let phone = row(&known, "1001");
    assert_eq!(
        said(phone),
        (Verdict::Ok, "registered", "ringfence country allow DE")
    );
    assert_eq!(phone.stranger, Some("country"));
    assert!(phone.trusted);
    assert_eq!(known.strangers().count(), 0);
}

/// A Contact may name anybody's address: nobody is removed or banned for it.
#[test]
fn what_a_contact_says_of_itself_makes_no_stranger() {
    let contacts = "Event: ContactList\nObjectName: 1001;@a\nEndpoint: 1001\nUri: sip:1001@198.51.100.250:5060\n\n\
                    Event: ContactList\nObjectName: 1002;@b\nEndpoint: 1002\nUri: sip:1002@10.9.9.9:5060\nViaAddr: 192.168.1.5\n\n\
                    Event: ContactList\nObjectName: 1003;@c\nEndpoint: 1003\nUri: sip:1003@phone.example\n\n\
                    Event: ContactList\nObjectName: 1004;@d\nEndpoint: 1004\nUri: sip:1004@127.0.0.1\n\n";
    let pbx = Recorded::new_pbx().with("PJSIPShowContacts", "", contacts);
    let inventory = asked(&pbx);
    let found = audit(&inventory, &mut opinions(POLICY, &Inputs::default()));
    assert_eq!(row(&found, "1001").verdict, Verdict::Ko);
    assert_eq!(found.strangers().count(), 0);
    for (name, reason) in [("1002", "unknown source"), ("1003", "unknown source")] {
        assert_eq!(
            said(row(&found, name)),
            (Verdict::Unknown, reason, ""),
            "{name}"
        );
    }
    assert_eq!(said(row(&found, "1004")), (Verdict::Ok, "local", ""));
    let lan = Inputs {
        neighbours: vec![(0, "10.0.0.0/8".parse().unwrap())],
        ..Inputs::default()
    };
    let found = audit(&inventory, &mut opinions(POLICY, &lan));
    assert_eq!(said(row(&found, "1002")), (Verdict::Ok, "permitted", ""));
}

#[test]
fn names_are_looked_up_and_covered_hosts_are_not_proposed() {
    let registrations = "Event: OutboundRegistrationDetail\nObjectName: a b\nServerUri: sip:sip.a.example\n\n\
                         Event: OutboundRegistrationDetail\nObjectName: b\nServerUri: sip:sip.b.example\nOutboundProxy: sip:sbc.b.example\\;lr\n\n\
                         Event: OutboundRegistrationDetail\nObjectName: c\nServerUri: sip:198.51.100.130\n\n\
                         Event: OutboundRegistrationDetail\nObjectName: d\nServerUri: tel:1\n\n";
    let pbx = Recorded::new_pbx().with("PJSIPShowRegistrationsOutbound", "", registrations);
    let inventory = asked(&pbx);
    let inputs = Inputs {
        resolved: [("sip.a.example".to_owned(), vec![[198, 51, 100, 201].into()])].into(),
        ..Inputs::default()
    };
    let policy = format!(
        "permit = [\"198.51.100.128/26\"]\n{POLICY}[[trunk]]\nname = \"a-b\"\nhosts = [\"sip.b.example\"]\n"
    );
    let found = audit(&inventory, &mut opinions(&policy, &inputs));
    assert_eq!(row(&found, "a b").verdict, Verdict::Ko);
    assert_eq!(row(&found, "b").reason, "not looked up");
    assert_eq!(said(row(&found, "c")), (Verdict::Ok, "permitted", ""));
    assert_eq!(row(&found, "d").reason, "no address");
    let named: Vec<_> = found
        .proposals
        .iter()
        .map(|of| (of.name.as_str(), of.hosts[0].to_string()))
        .collect();
    assert_eq!(
        named,
        [
            ("trunk1", "198.51.100.200".to_owned()),
            ("a-b-2", "sip.a.example".to_owned()),
            ("b", "sbc.b.example".to_owned()),
        ]
    );
    for proposal in &found.proposals {
        Config::parse(&proposal.to_string(), "proposal").unwrap();
    }
}

#[test]
fn each_weakness_is_told_with_what_to_write() {
    let list = "Event: EndpointList\nObjectName: anonymous\nContacts: \n\n\
                Event: EndpointList\nObjectName: carrier\nAuths: \nContacts: \n\n";
    let carrier = "Event: EndpointDetail\nObjectName: carrier\nAuth: \nIdentifyBy: username,ip\n\n\
                   Event: IdentifyDetail\nObjectName: all\nMatch: 0.0.0.0/0.0.0.0\n\n\
                   Event: AuthDetail\nObjectName: one\nUsername: carrier\nPassword: carrier\n\n\
                   Event: AuthDetail\nObjectName: two\nUsername: carrier\nPassword: 123456789\n\n\
                   Event: AuthDetail\nObjectName: three\nUsername: carrier\nPassword: \n\n";
    let peer = "Response: Success\nOutput:   Calltoken req: No\n\n";
    let pbx = Recorded::new_pbx()
        .with("PJSIPShowEndpoints", "", list)
        .with("PJSIPShowEndpoint", "carrier", carrier)
        .with("Command", "iax2 show peer iaxpeer2", peer);
    let mut inventory = asked(&pbx);
    inventory.sip = Some(SipSettings {
        guests: true,
        always_reject: false,
    });
    let found = weaknesses::weaknesses(&inventory);
    let told: Vec<_> = found
        .iter()
        .map(|of| {
            (
                of.what,
                of.names.join(" "),
                of.write.split(':').next().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("anonymous", "anonymous".to_owned(), "pjsip.conf"),
            ("allowguest", String::new(), "sip.conf, [general]"),
            (
                "identify",
                "carrier".to_owned(),
                "pjsip.conf, type=identify"
            ),
            (
                "no password",
                "carrier".to_owned(),
                "pjsip.conf, in each endpoint"
            ),
            (
                "password",
                "three".to_owned(),
                "pjsip.conf, in each section"
            ),
            ("password", "one".to_owned(), "pjsip.conf, in each section"),
            ("password", "two".to_owned(), "pjsip.conf, in each section"),
            (
                "password",
                "auth1001".to_owned(),
                "pjsip.conf, in each section"
            ),
            ("alwaysauthreject", String::new(), "sip.conf, [general]"),
            (
                "call tokens",
                "iaxpeer2".to_owned(),
                "iax.conf, in each peer"
            ),
            ("acl", String::new(), "pjsip.conf, in those that never move"),
        ]
    );
    assert!(
        found
            .last()
            .unwrap()
            .says
            .starts_with("PJSIP: 1 may register")
    );
    let chan_sip = weaknesses::weaknesses(&asked(&Recorded::old_pbx()));
    assert_eq!(chan_sip.len(), 1);
    assert!(chan_sip[0].says.starts_with("SIP: 19 may register"));
}
