use std::time::Duration;

use super::*;
use crate::store::{Account, Ban, ListEntry, ListKind, Registration, Store, Trust, TrustChange};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + second).unwrap()
}

fn dropped(address: &str, reason: &str) -> Dropped {
    Dropped {
        address: address.parse().unwrap(),
        service: "sip".into(),
        reason: reason.into(),
        country: "IE".into(),
        class: "REGISTER".into(),
        protocol: "udp".into(),
        port: 5060,
        first: at(-200),
        last: at(-100),
        count: 7,
        enforced: 1,
        invites: 0,
        evidence: b"REGISTER sip:pbx.example SIP/2.0\r\nVia: x".to_vec(),
        registered: None,
        account: None,
    }
}

fn refusal(address: &str, name: &str) -> Refusal {
    Refusal {
        address: address.parse().unwrap(),
        name: Name::new(name),
        first: at(-500),
        last: at(-50),
        count: 34,
        port: 5071,
        status: 401,
        class: "REGISTER".into(),
        nobody: false,
    }
}

fn ban(address: &str, until: i64) -> Ban {
    Ban {
        address: address.parse().unwrap(),
        prefix_len: 32,
        port: None,
        reason: "failures".into(),
        since: at(-60),
        until: at(until),
        times: 2,
        proved: true,
        evidence: Some(b"REGISTER sip:pbx.example SIP/2.0\r\n".to_vec()),
        note: String::new(),
    }
}

/// A store in which something became of every address.
fn store() -> (tempfile::TempDir, Store) {
    let directory = tempfile::tempdir().unwrap();
    let mut store = Store::open(directory.path()).unwrap().store;
    let month = Duration::from_secs(30 * 86_400);
    let rows = [
        dropped("192.0.2.1", "country"),
        dropped("192.0.2.2", "signature"),
        dropped("192.0.2.3", "country"),
    ];
    store.add_drops(&rows, at(0), month).unwrap();
    let registered = ([192, 0, 2, 3].into(), Name::new("1007"));
    store.note_registered(&[registered], at(-10)).unwrap();
    let refused = [refusal("192.0.2.4", "1007"), refusal("192.0.2.5", "1008")];
    store.add_refusals(&refused, at(0), month).unwrap();
    let bans = [ban("192.0.2.4", 600), ban("192.0.2.6", -1)];
    store.put_bans(&bans).unwrap();
    store.expire_bans(at(0), month).unwrap();
    for (list, last) in [(ListKind::Deny, 7), (ListKind::Permit, 8)] {
        let entry = ListEntry {
            list,
            first: [192, 0, 2, last].into(),
            last: [192, 0, 2, last].into(),
            comment: "why\u{1b}[2J".into(),
            added: at(-100),
            expires: None,
        };
        store.add_entry(&entry).unwrap();
    }
    let name = Name::new("1007");
    let account = name.digest().unwrap();
    let put = Trust {
        registrations: vec![Registration {
            address: [192, 0, 2, 3].into(),
            found_by: account,
            account,
            name: name.clone(),
            protocol: 17,
            port: 5060,
            service: "sip".into(),
            since: at(-10),
            until: at(100),
            granted: 60,
        }],
        accounts: vec![Account {
            digest: account,
            name,
            last: at(-10),
            address: [192, 0, 2, 3].into(),
        }],
        ..Trust::default()
    };
    let change = TrustChange {
        put,
        ..TrustChange::default()
    };
    store.change_trust(&change).unwrap();
    (directory, store)
}

#[test]
fn one_line_says_why_and_what_to_do() {
    let (_directory, store) = store();
    let config = Config::default();
    for (what, blocked, line) in [
        (
            "192.0.2.1",
            true,
            "192.0.2.1 was dropped as country at sip: 7 told of, first 2023-11-14T22:10:00Z, last \
             2023-11-14T22:11:40Z, `REGISTER sip:pbx.example SIP/2.0`; let it in with \
             `ringfence country allow IE` or `ringfence permit add 192.0.2.1`",
        ),
        (
            "::ffff:192.0.2.2",
            true,
            "192.0.2.2 was dropped as signature at sip: 7 told of, first 2023-11-14T22:10:00Z, last \
             2023-11-14T22:11:40Z, `REGISTER sip:pbx.example SIP/2.0`; let it in with \
             `ringfence permit add 192.0.2.2`",
        ),
        (
            "192.0.2.3",
            false,
            "192.0.2.3 is registered now; registered 2023-11-14T22:13:10Z; before, it was dropped as \
             country at sip: 7 told of, first 2023-11-14T22:10:00Z, last 2023-11-14T22:11:40Z, \
             `REGISTER sip:pbx.example SIP/2.0`",
        ),
        (
            "192.0.2.4",
            true,
            "192.0.2.4 is banned for `failures` until 2023-11-14T22:23:20Z, since \
             2023-11-14T22:12:20Z, ban no. 2; let it in with `ringfence unban 192.0.2.4`",
        ),
        (
            "192.0.2.5",
            false,
            "192.0.2.5 is let through and was refused by the server as 1008, 34 times, last \
             2023-11-14T22:12:30Z (401): its credentials are wrong",
        ),
        (
            "192.0.2.6",
            false,
            "192.0.2.6 is not banned; its last ban, for `failures`, ran out 2023-11-14T22:13:19Z",
        ),
        (
            "192.0.2.7",
            true,
            "192.0.2.7 is on the deny list (192.0.2.7, why\\u{1b}[2J): all that it sends is \
             dropped; let it in with `ringfence deny remove 192.0.2.7`",
        ),
        (
            "192.0.2.8",
            false,
            "192.0.2.8 is on the permit list (192.0.2.8, why\\u{1b}[2J): nothing of it is dropped",
        ),
        (
            "2001:db8::9",
            false,
            "2001:db8::9 is not blocked: no drop, ban or refusal of it is remembered",
        ),
    ] {
        let answer = why(&store, &config, what, at(0)).unwrap();
        assert_eq!(answer.text.lines().next().unwrap(), line, "{what}");
        assert_eq!(answer.data["blocked"], blocked, "{what}");
    }
}

#[test]
fn an_account_is_told_by_its_places() {
    let (_directory, store) = store();
    let answer = why(&store, &Config::default(), "1007", at(0)).unwrap();
    let lines: Vec<_> = answer.text.lines().collect();
    assert_eq!(
        lines[0],
        "1007 is registered from 192.0.2.3 until 2023-11-14T22:15:00Z; refused from 192.0.2.4 34 \
         times, last 2023-11-14T22:12:30Z: its credentials are wrong"
    );
    let unban = "ringfence unban 192.0.2.4";
    assert!(answer.text.contains(unban), "{}", answer.text);
    assert_eq!(answer.data["commands"][0], unban);
    let later = why(&store, &Config::default(), "1007", at(200)).unwrap();
    assert!(
        later
            .text
            .starts_with("1007 is not registered; it last was from 192.0.2.3")
    );
    let never = why(&store, &Config::default(), "9\u{1b}[2J", at(0)).unwrap();
    assert!(
        never
            .text
            .starts_with("9\\u{1b}[2J has not registered within 30 days")
    );
}
