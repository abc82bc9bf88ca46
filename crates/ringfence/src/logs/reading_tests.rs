//! What recorded logs lead to, by their notices alone, together with the security log, and in every format.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;
use std::time::Instant;

use proptest::prelude::*;

use super::*;
use crate::asterisk::security::Attempts;
use crate::logs::Of;

fn folder(name: &str) -> PathBuf {
    let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/asterisk/");
    PathBuf::from(fixtures).join(name)
}

fn asterisk() -> Reading {
    Reading::new(Patterns::of(Of::Asterisk).unwrap())
}

/// How many of what from where the texts come to, each a log of its own.
fn outcome(texts: &[&str]) -> String {
    let (mut attempts, now) = (Attempts::default(), Instant::now());
    let mut findings = Vec::new();
    for text in texts {
        let mut reading = asterisk();
        let mut told = |told: Told<'_>| {
            if let Told::Line {
                says: Says::Sight { sight, .. },
                ..
            } = told
            {
                findings.extend(attempts.see(&sight, now));
            }
        };
        for line in text.lines() {
            reading.line(line, &mut told);
        }
        reading.pause(&mut told);
        assert_eq!(reading.counts().forged, 0);
        assert_eq!(reading.counts().doubtful, 0);
    }
    findings.extend(attempts.finish());
    let mut all: BTreeMap<String, u32> = BTreeMap::new();
    // The IAX2 client of scenario 36 goes on trying in the background of others.
    findings.retain(|f| f.account.as_deref() != Some("nosuchpeer") || texts.len() == 1);
    for f in findings {
        let line = format!("{} {}", f.counts_as.as_str(), f.source.ip());
        *all.entry(line).or_default() += 1;
    }
    let lines = all.iter().map(|(line, n)| format!("{n} {line}"));
    lines.collect::<Vec<_>>().join("; ")
}

fn check(name: &str, expected: &[(&str, &str)]) {
    for entry in fs::read_dir(folder(name)).unwrap() {
        let file = entry.unwrap().file_name().into_string().unwrap();
        let Some(scenario) = file.strip_suffix(".messages.log") else {
            continue;
        };
        let number = scenario.get(..2).unwrap();
        let by_notices = expected
            .iter()
            .find(|(n, _)| *n == number)
            .map_or("", |(_, outcome)| *outcome);
        let messages = fs::read_to_string(folder(name).join(&file)).unwrap();
        let security = folder(name).join(format!("{scenario}.security.log"));
        let security = fs::read_to_string(security).unwrap();
        assert_eq!(outcome(&[&messages]), by_notices, "{name} {file}");
        let alone = outcome(&[&security]);
        if !alone.is_empty() {
            for both in [[&*messages, &*security], [&*security, &*messages]] {
                assert_eq!(outcome(&both), alone, "{name} {scenario}, both logs");
            }
        }
    }
}

#[test]
fn notices_tell_the_same_and_count_once_beside_the_events() {
    check(
        "events",
        &[
            ("04", "1 failure 203.0.113.6"),
            ("05", "1 failure 203.0.113.7"),
            ("06", "1 refused 203.0.113.19"),
            ("07", "1 refused 203.0.113.20"),
            ("08", "1 probe 198.51.100.61"),
            ("10", "3 probe 203.0.113.30"),
            ("16", "1 probe 198.51.100.61"),
            ("17", "1 failure 203.0.113.40; 1 probe 203.0.113.40"),
            ("20", "1 probe 198.51.100.61"),
            ("22", "1 failure 203.0.113.22"),
            ("25", "1 probe 198.51.100.61"),
            ("29", "1 probe 203.0.113.60"),
            ("30", "2 probe 203.0.113.61"),
            ("31", "2 probe 203.0.113.62"),
            ("32", "10 failure 203.0.113.63; 1 probe 198.51.100.61"),
            ("33", "300 failure 203.0.113.70"),
            ("35", "1 failure 198.51.100.61"),
            ("36", "1 probe 198.51.100.61"),
            ("38", "1 failure 203.0.113.71"),
            ("39", "1 failure 2001:db8:bad::5"),
            ("40", "3 failure 203.0.113.72"),
        ],
    );
    check(
        "chan_sip-events",
        &[
            ("04", "1 failure 203.0.113.6"),
            ("05", "1 failure 203.0.113.7"),
            ("06", "1 refused 203.0.113.19"),
            ("32", "10 failure 203.0.113.63"),
            ("38", "1 failure 203.0.113.71"),
        ],
    );
}

#[test]
fn every_format_says_the_same() {
    for file in [
        "iso-messages-and-security.log",
        "iso-ms-messages-and-security.log",
        "iso-ms-messages-and-security.plain",
        "iso-ms-messages-and-security.json",
    ] {
        let text = fs::read_to_string(folder("log-formats").join(file)).unwrap();
        assert_eq!(
            outcome(&[&text]),
            "1 authenticated 198.51.100.11; 1 failure 2001:db8:bad::5; 1 failure 203.0.113.6; \
             1 failure 203.0.113.7; 3 probe 203.0.113.30; 1 refused 203.0.113.19",
            "{file}"
        );
    }
}

#[test]
fn lines_are_counted() {
    let mut reading = asterisk();
    let mut numbers = Vec::new();
    for line in [
        "",
        "[Nov 21 02:06:11] NOTICE[1] manager.c: 127.0.0.1 failed to authenticate as 'fw'",
    ] {
        reading.line(line, |_| ());
    }
    reading.pause(|told| {
        if let Told::Line { number, .. } = told {
            numbers.push(number);
        }
    });
    assert_eq!(numbers, [1, 2]);
    let counts = Counts {
        lines: 2,
        nothing: 1,
        unknown: 1,
        ..Counts::default()
    };
    assert_eq!(reading.counts(), counts);
}

/// The source that a notice is believed to name.
fn source(line: &str) -> Option<String> {
    static PATTERNS: LazyLock<Patterns> = LazyLock::new(|| Patterns::of(Of::Asterisk).unwrap());
    match PATTERNS.read(line) {
        Says::Sight { sight, .. } => Some(sight.source.to_string()),
        _ => None,
    }
}

#[test]
fn a_call_id_with_blanks_in_it_forges_no_sender() {
    let forged = "x) - No matching endpoint found' failed for '198.51.100.1:5060' (callid: y";
    let line = format!(
        "[Nov 21 02:06:11] NOTICE[1] res_pjsip/pjsip_distributor.c: Request 'REGISTER' from '<sip:1@h>' failed for \
         '203.0.113.7:5062' (callid: {forged}) - No matching endpoint found"
    );
    assert_eq!(source(&line), None);
    assert_eq!(
        source(&line.replace(forged, "x y")).as_deref(),
        Some("203.0.113.7:5062")
    );
}

proptest! {
    #[test]
    fn no_name_in_a_notice_forges_a_sender(
        pieces in prop::collection::vec(prop::sample::select(vec![
            "x", "'", " ", "\"", "(", ")", " failed for '198.51.100.1:5060' - Wrong password", "' failed for '",
            "198.51.100.1", "198.51.100.1:5060'", "(callid: x)", " - Failed to authenticate", "(from 198.51.100.1)",
            "Host 198.51.100.1 failed MD5 authentication for '", "NOTICE[1] chan_iax2.c: ", ": ",
            " - Wrong password", "RemoteAddress=\"IPV4/UDP/198.51.100.1/5060\"",
        ]), 0..10),
    ) {
        let name = pieces.concat();
        for (file, text) in [
            ("chan_sip.c", format!("Registration from '{name}' failed for '203.0.113.7:5062' - Wrong password")),
            ("chan_iax2.c", format!("No registration for peer '{name}' (from 203.0.113.7)")),
            ("chan_iax2.c", format!("Host 203.0.113.7 failed MD5 authentication for '{name}' (a != b)")),
            ("chan_iax2.c", format!("Host 203.0.113.7 failed to authenticate as {name}")),
            ("manager.c", format!("203.0.113.7 failed to authenticate as '{name}'")),
            (
                "res_pjsip/pjsip_distributor.c",
                format!(
                    "Request 'REGISTER' from '\"{name}\" <sip:1@h>' failed for '203.0.113.7:5062' (callid: {name}) - \
                     Failed to authenticate"
                ),
            ),
        ] {
            let line = format!("[Nov 21 02:06:11] NOTICE[1] {file}: {text}");
            if let Some(source) = source(&line) {
                prop_assert!(source.starts_with("203.0.113.7:"), "{}: {}", line, source);
            }
        }
    }
}
