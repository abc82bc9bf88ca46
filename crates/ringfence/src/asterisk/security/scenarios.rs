//! What each recorded scenario leads to, told by the manager interface and by the security log.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::{Attempts, Event, Finding};
use crate::asterisk::ami::{Framed, Framing};

fn folder(name: &str) -> PathBuf {
    let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/asterisk/");
    PathBuf::from(fixtures).join(name)
}

fn of_stream(bytes: &[u8]) -> Vec<Event> {
    let (mut framing, mut events) = (Framing::default(), Vec::new());
    framing.read(bytes, |framed| {
        if let Framed::Message(message) = framed {
            events.extend(Event::of_message(&message).unwrap());
        }
    });
    events
}

fn of_log(text: &str) -> Vec<Event> {
    let lines = text
        .lines()
        .filter_map(|line| line.split_once("res_security_log.c: "));
    lines
        .filter_map(|(_, text)| Event::of_log(text).unwrap())
        .collect()
}

/// What the events come to, as it is written below: how many of what, from where, on which account.
fn outcome(events: &[Event]) -> String {
    let (mut attempts, start) = (Attempts::default(), Instant::now());
    let first = events[0].time.unwrap();
    let mut findings: Vec<Finding> = Vec::new();
    for event in events {
        let since = event.time.unwrap().duration_since(first);
        let now = start + Duration::try_from(since).unwrap_or_default();
        findings.extend(attempts.settled(now));
        findings.extend(attempts.note(event, now));
    }
    findings.extend(attempts.finish());
    let mut all: BTreeMap<String, u32> = BTreeMap::new();
    for f in findings {
        assert!(f.local.is_some() && f.transport.is_some() && f.session.is_some());
        let account = f.account.as_deref().unwrap_or("-");
        let line = format!("{} {} {account}", f.counts_as.as_str(), f.source.ip());
        *all.entry(line).or_default() += 1;
    }
    let lines = all.iter().map(|(line, n)| format!("{n} {line}"));
    lines.collect::<Vec<_>>().join("; ")
}

fn check(name: &str, expected: &[(&str, &str)]) {
    let mut files: Vec<String> = fs::read_dir(folder(name))
        .unwrap()
        .filter_map(|entry| {
            let file = entry.unwrap().file_name().into_string().unwrap();
            file.strip_suffix(".rx").map(str::to_owned)
        })
        .collect();
    files.sort();
    let named: Vec<&str> = expected.iter().map(|(scenario, _)| *scenario).collect();
    assert_eq!(files, named, "every scenario is named");
    for (scenario, outcome_of_both) in expected {
        let bytes = fs::read(folder(name).join(format!("{scenario}.rx"))).unwrap();
        let stream = of_stream(&bytes);
        let log = fs::read_to_string(folder(name).join(format!("{scenario}.security.log")));
        let log = of_log(&log.unwrap());
        assert_eq!(stream.len(), log.len(), "{name} {scenario}");
        for events in [&stream, &log] {
            assert_eq!(outcome(events), *outcome_of_both, "{name} {scenario}");
        }
    }
}

#[test]
fn pjsip_iax2_and_the_manager_interface() {
    check(
        "events",
        &[
            ("01-register-ok-udp", "1 authenticated 198.51.100.11 1001"),
            ("02-register-ok-tcp", "1 authenticated 198.51.100.12 1012"),
            (
                "03-register-ok-ipv6-udp",
                "1 authenticated 2001:db8:51::1 1013",
            ),
            ("04-register-wrong-password", "1 failure 203.0.113.6 1006"),
            ("05-register-unknown-account", "1 failure 203.0.113.7 9999"),
            (
                "06-register-endpoint-acl-denied",
                "1 refused 203.0.113.19 1019",
            ),
            (
                "07-register-contact-acl-denied",
                "1 refused 203.0.113.20 1020",
            ),
            (
                "08-register-max-contacts-exceeded",
                "1 authenticated 198.51.100.118 1018; 1 authenticated 198.51.100.18 1018",
            ),
            (
                "09-register-other-aor",
                "1 authenticated 203.0.113.9 1007; 1 suspicious 203.0.113.9 1007",
            ),
            (
                "10-invite-unknown-account-toll-fraud",
                "3 probe 203.0.113.30 100",
            ),
            ("11-invite-known-account-no-credentials", ""),
            ("12-call-ok", "1 authenticated 198.51.100.11 1001"),
            ("13-call-agi-allow", "1 authenticated 198.51.100.11 1001"),
            ("14-call-agi-deny", "1 authenticated 198.51.100.11 1001"),
            ("15-call-agi-hangup", "1 authenticated 198.51.100.11 1001"),
            (
                "16-call-agi-no-server",
                "1 authenticated 198.51.100.11 1001",
            ),
            (
                "17-options-unknown",
                "1 failure 203.0.113.40 sipsak; 1 probe 203.0.113.40 100",
            ),
            (
                "18-register-then-unregister",
                "2 authenticated 198.51.100.15 1005; 2 authenticated 198.51.100.21 1011",
            ),
            (
                "19-contact-reachable-unreachable",
                "1 authenticated 198.51.100.13 1003",
            ),
            (
                "20-stale-nonce-reuse-after-40s",
                "1 authenticated 198.51.100.24 1008",
            ),
            ("21-bogus-nonce-good-password", ""),
            (
                "22-right-then-wrong-auth-user",
                "1 failure 203.0.113.22 1010",
            ),
            ("23-ami-bad-secret", ""),
            ("24-ami-unknown-user", ""),
            ("25-ami-acl-denied", ""),
            ("26-ami-md5-bad", ""),
            ("27-ami-login-ok-and-not-allowed", ""),
            ("28-malformed-packets", ""),
            ("29-svmap", "1 probe 203.0.113.60 100"),
            (
                "30-svwar",
                "1 probe 203.0.113.61 1000; 1 probe 203.0.113.61 2785152035",
            ),
            (
                "31-svwar-invite",
                "1 probe 203.0.113.62 3084091664; 1 probe 203.0.113.62 998",
            ),
            ("32-svcrack", "10 failure 203.0.113.63 1014"),
            (
                "33-register-flood-wrong-password-300",
                "300 failure 203.0.113.70 1015",
            ),
            ("34-iax2-register-ok", ""),
            ("35-iax2-register-wrong-secret", ""),
            ("36-iax2-register-unknown-peer", ""),
            ("37-iax2-peer-lost", ""),
            (
                "38-register-wrong-password-tcp",
                "1 failure 203.0.113.71 1016",
            ),
            (
                "39-register-wrong-password-ipv6",
                "1 failure 2001:db8:bad::5 1016",
            ),
            (
                "40-bogus-nonce-guessing-from-attacker",
                "3 failure 203.0.113.72 1017",
            ),
        ],
    );
}

#[test]
fn chan_sip() {
    check(
        "chan_sip-events",
        &[
            ("01-register-ok-udp", "1 authenticated 198.51.100.11 1001"),
            ("02-register-ok-tcp", ""),
            ("03-register-ok-ipv6-udp", ""),
            ("04-register-wrong-password", "1 failure 203.0.113.6 1006"),
            ("05-register-unknown-account", "1 failure 203.0.113.7 9999"),
            (
                "06-register-endpoint-acl-denied",
                "1 refused 203.0.113.19 1019",
            ),
            ("10-invite-unknown-account-toll-fraud", ""),
            ("11-invite-known-account-no-credentials", ""),
            ("12-call-ok", ""),
            ("17-options-unknown", ""),
            (
                "18-register-then-unregister",
                "2 authenticated 198.51.100.15 1005; 2 authenticated 198.51.100.21 1011",
            ),
            ("28-malformed-packets", ""),
            ("29-svmap", ""),
            ("30-svwar", ""),
            ("31-svwar-invite", ""),
            ("32-svcrack", "10 failure 203.0.113.63 1014"),
            (
                "38-register-wrong-password-tcp",
                "1 failure 203.0.113.71 1016",
            ),
        ],
    );
}

/// The recorded attempts on the manager interface come from the machine itself and count for nothing; from elsewhere
/// they would.
#[test]
fn the_manager_interface_from_elsewhere() {
    for (scenario, expected) in [
        ("23-ami-bad-secret", "1 failure 203.0.113.9 fw"),
        ("24-ami-unknown-user", "1 failure 203.0.113.9 nosuch"),
        ("25-ami-acl-denied", "1 refused 203.0.113.9 denied"),
        ("26-ami-md5-bad", "1 failure 203.0.113.9 -"),
        ("27-ami-login-ok-and-not-allowed", ""),
    ] {
        let bytes = fs::read(folder("events").join(format!("{scenario}.rx"))).unwrap();
        let mut events = of_stream(&bytes);
        for event in &mut events {
            event.remote.address.set_ip([203, 0, 113, 9].into());
        }
        assert_eq!(outcome(&events), expected, "{scenario}");
    }
}
