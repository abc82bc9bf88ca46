//! The guard over recorded and made-up calls.

mod hostile;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::{Alarm, Guard, Why};
use crate::asterisk::ami::{Framed, Framing, Message};
use crate::config::{Config, FraudAction};

const RECORDINGS: [(&str, &[u8]); 5] = [
    (
        "100",
        include_bytes!("../../tests/fixtures/asterisk/events/12-call-ok.rx"),
    ),
    (
        "200",
        include_bytes!("../../tests/fixtures/asterisk/events/13-call-agi-allow.rx"),
    ),
    (
        "201",
        include_bytes!("../../tests/fixtures/asterisk/events/14-call-agi-deny.rx"),
    ),
    (
        "202",
        include_bytes!("../../tests/fixtures/asterisk/events/15-call-agi-hangup.rx"),
    ),
    (
        "203",
        include_bytes!("../../tests/fixtures/asterisk/events/16-call-agi-no-server.rx"),
    ),
];

fn guard(fraud: &str) -> Guard {
    let text = format!("[fraud]\n{fraud}");
    let config = Config::parse(&text, "r.toml").unwrap_or_else(|e| panic!("{e}"));
    Guard::new(&config.fraud, &config.emergency, TimeZone::UTC)
}

/// Seconds after midnight of Monday, 23 November 2026.
fn at(second: i64) -> Timestamp {
    let monday: Timestamp = "2026-11-23T00:00:00Z".parse().unwrap();
    monday + SignedDuration::from_secs(second)
}

fn messages(bytes: &[u8]) -> Vec<Message> {
    let (mut framing, mut all) = (Framing::default(), Vec::new());
    framing.read(bytes, |framed| {
        if let Framed::Message(message) = framed {
            all.push(message);
        }
    });
    all
}

/// An event of a channel, `number` making its name and unique id; `caller` may hold line ends.
fn event(event: &str, endpoint: &str, number: u32, caller: &str, exten: &str) -> Vec<Message> {
    let text = format!(
        "Asterisk Call Manager/11.0.0\r\nEvent: {event}\r\nPrivilege: call,all\r\n\
         Channel: {endpoint}-{number:08x}\r\nChannelState: 4\r\nChannelStateDesc: Ring\r\n\
         CallerIDNum: {caller}\r\nCallerIDName: <unknown>\r\nConnectedLineNum: <unknown>\r\n\
         ConnectedLineName: <unknown>\r\nLanguage: en\r\nAccountCode: \r\nContext: from-phones\r\n\
         Exten: {exten}\r\nPriority: 1\r\nUniqueid: 1795226810.{number}\r\n\
         Linkedid: 1795226810.{number}\r\n\r\n"
    );
    messages(text.as_bytes())
}

/// Notes them all at a second; the last alarm.
fn note(guard: &mut Guard, messages: &[Message], second: i64) -> Option<Alarm> {
    let alarms = messages.iter().filter_map(|m| guard.note(m, at(second)));
    alarms.last()
}

fn call(guard: &mut Guard, endpoint: &str, number: u32, exten: &str, second: i64) -> Option<Alarm> {
    let begins = event("Newchannel", endpoint, number, "1001", exten);
    note(guard, &begins, second)
}

fn hangup(guard: &mut Guard, endpoint: &str, number: u32) {
    let ends = event("Hangup", endpoint, number, "1001", "1");
    assert_eq!(note(guard, &ends, 0), None);
}

const DEAR: &str = "00442079460000";

#[test]
fn each_recorded_call_is_one_attempt_and_ends() {
    for (destination, recording) in RECORDINGS {
        let mut guard = guard("expensive = 0\nprefixes = [\"1\", \"2\"]");
        let alarms: Vec<Alarm> = messages(recording)
            .iter()
            .filter_map(|message| guard.note(message, at(0)))
            .collect();
        let [alarm] = alarms.as_slice() else {
            panic!("{destination}: {alarms:?}");
        };
        assert_eq!(alarm.endpoint, "PJSIP/1001");
        assert!(alarm.channel.starts_with("PJSIP/1001-0000000"), "{alarm:?}");
        assert_eq!(alarm.destination, destination);
        assert!(alarm.shadow && alarm.action == [FraudAction::Tell]);
        assert_eq!(guard.remembered(), (1, 0), "the call has ended");
    }
}

#[test]
fn a_call_whose_end_was_missed_ends_where_asterisk_has_it_no_more() {
    let recording =
        include_bytes!("../../tests/fixtures/asterisk/ami/core-show-channels-one-call.rx");
    let answer = messages(recording);
    let mut guard = guard("concurrent = 2");
    let emergency = |guard: &Guard| guard.in_emergency("PJSIP/1001");
    // The recording has the fifth.
    for (number, exten) in [(4, "101"), (5, "101"), (6, "112")] {
        assert_eq!(call(&mut guard, "PJSIP/1001", number, exten, 0), None);
    }
    guard.settle(&answer, at(0));
    assert_eq!(guard.remembered(), (1, 3), "they may have begun meanwhile");
    guard.forget_calls();
    assert!(emergency(&guard), "it may be up still");
    assert_eq!(call(&mut guard, "PJSIP/1001", 4, "101", 1), None);
    assert_eq!(call(&mut guard, "PJSIP/1001", 5, "101", 1), None);
    guard.settle(&answer, at(2));
    assert!(!emergency(&guard));
    assert_eq!(guard.remembered(), (1, 1));
    // One is up, so that this is the second and the next one too many.
    assert_eq!(call(&mut guard, "PJSIP/1001", 7, "102", 3), None);
    let alarm = call(&mut guard, "PJSIP/1001", 8, "103", 3).unwrap();
    assert_eq!(alarm.why, Why::Concurrent(2));
}

#[test]
fn an_endpoint_without_limits_is_protected_while_it_calls_for_help() {
    let mut guard = guard("exempt = [\"PJSIP/1001\"]");
    assert_eq!(call(&mut guard, "PJSIP/1001", 1, "112", 0), None);
    assert!(guard.in_emergency("PJSIP/1001"));
    hangup(&mut guard, "PJSIP/1001", 1);
    assert!(!guard.in_emergency("PJSIP/1001"));
}

#[test]
fn attempts_count_for_a_minute() {
    let mut guard = guard("attempts = 3\nconcurrent = 500");
    let mut calls = 0..;
    let mut next = |guard: &mut Guard, endpoint, second| {
        call(guard, endpoint, calls.next().unwrap(), "100", second)
    };
    for second in [0, 20, 40] {
        assert_eq!(next(&mut guard, "PJSIP/1001", second), None);
    }
    assert_eq!(next(&mut guard, "PJSIP/1002", 41), None, "by endpoint");
    assert_eq!(next(&mut guard, "PJSIP/1001", 60), None, "the first is old");
    let alarm = next(&mut guard, "PJSIP/1001", 61).unwrap();
    assert_eq!(alarm.why, Why::Attempts(3));
    assert_eq!(next(&mut guard, "PJSIP/1001", 62), None, "once a minute");
    for second in [100, 110, 120] {
        assert_eq!(next(&mut guard, "PJSIP/1001", second), None, "{second}");
    }
    assert!(next(&mut guard, "PJSIP/1001", 122).is_some());
}

#[test]
fn calls_at_once_count_until_they_end() {
    let mut guard = guard("concurrent = 2");
    for round in 0..4 {
        for number in [0, 1] {
            assert_eq!(
                call(&mut guard, "SIP/a", round * 2 + number, "100", 0),
                None
            );
        }
        for number in [0, 1] {
            hangup(&mut guard, "SIP/a", round * 2 + number);
        }
    }
    for number in 100..102 {
        assert_eq!(call(&mut guard, "SIP/a", number, "100", 0), None);
    }
    let alarm = call(&mut guard, "SIP/a", 102, "100", 0).unwrap();
    assert_eq!(alarm.why, Why::Concurrent(2));
    // A new connection to Asterisk knows of none.
    guard.forget_calls();
    assert_eq!(call(&mut guard, "SIP/a", 103, "100", 100), None);
    // A call whose end is never told does not count for ever.
    let later = 100 + 13 * 3600;
    for number in 200..202 {
        assert_eq!(call(&mut guard, "SIP/a", number, "100", later), None);
    }
}

#[test]
fn different_numbers_count_for_an_hour() {
    let mut guard = guard("destinations = 3\nconcurrent = 500\nattempts = 500");
    for number in 0..30 {
        let exten = format!("10{}", number % 3);
        assert_eq!(
            call(&mut guard, "IAX2/a", number, &exten, i64::from(number)),
            None
        );
    }
    let alarm = call(&mut guard, "IAX2/a", 50, "104", 60).unwrap();
    assert_eq!(alarm.why, Why::Destinations(3));
    assert_eq!(call(&mut guard, "IAX2/a", 51, "105", 60 + 3700), None);
}

#[test]
fn outside_office_hours_the_limits_are_others() {
    let mut guard =
        guard("hours = [\"Mon-Fri 08:00-18:00\"]\nexpensive = 1\n[fraud.closed]\nexpensive = 0");
    assert_eq!(call(&mut guard, "PJSIP/1", 1, DEAR, 8 * 3600), None);
    let alarm = call(&mut guard, "PJSIP/2", 2, DEAR, 18 * 3600).unwrap();
    assert!(
        matches!(alarm.why, Why::Expensive { limit: 0, .. }),
        "{alarm:?}"
    );
    let saturday = (5 * 24 + 12) * 3600;
    assert!(call(&mut guard, "PJSIP/3", 3, DEAR, saturday).is_some());
}

#[test]
fn where_calls_are_hung_up_each_is_and_it_is_told_once() {
    let mut guard = guard(
        "mode = \"enforce\"\naction = [\"tell\", \"hangup\", \"ban\", \"remove\"]\nexpensive = 0",
    );
    let first = call(&mut guard, "PJSIP/1", 1, DEAR, 0).unwrap();
    assert!(!first.shadow);
    assert_eq!(first.action.len(), 4);
    let second = call(&mut guard, "PJSIP/1", 2, DEAR, 1).unwrap();
    assert_eq!(second.action, [FraudAction::Hangup]);
    assert_eq!(second.channel, "PJSIP/1-00000002");
    assert_eq!(
        call(&mut guard, "PJSIP/1", 3, DEAR, 60)
            .unwrap()
            .action
            .len(),
        4
    );
}

#[test]
fn an_emergency_call_is_not_counted_and_its_endpoint_is_left_alone() {
    let mut guard = guard(
        "mode = \"enforce\"\naction = [\"hangup\", \"ban\", \"remove\"]\nexpensive = 0\nconcurrent = 1\nattempts = 1\ndestinations = 1\noutside = [\"0\"]",
    );
    for (number, exten) in (0..).zip(["112", "0112", "000", "0000", "911", "999", "0999"]) {
        assert_eq!(
            call(&mut guard, "PJSIP/1", number, exten, 0),
            None,
            "{exten}"
        );
    }
    assert!(guard.in_emergency("PJSIP/1"));
    let alarm = call(&mut guard, "PJSIP/1", 50, "00044123456", 0).unwrap();
    assert_eq!(alarm.action, [FraudAction::Hangup], "{alarm:?}");
    for number in 0..7 {
        hangup(&mut guard, "PJSIP/1", number);
    }
    assert!(!guard.in_emergency("PJSIP/1"));
    let alarm = call(&mut guard, "PJSIP/1", 51, "00044123456", 70).unwrap();
    assert_eq!(alarm.action.len(), 3);
}

#[test]
fn trunks_and_exempt_endpoints_have_no_limits() {
    let mut guard = guard("expensive = 0\nexempt = [\"PJSIP/fax\"]");
    assert_eq!(call(&mut guard, "PJSIP/fax", 1, DEAR, 0), None);
    for context in ["from-trunk", "from-trunk-provider", "from-pstn"] {
        let lines = event("Newchannel", "PJSIP/provider", 2, "1", DEAR);
        let lines: Vec<String> = lines[0]
            .fields()
            .map(|(key, value)| match key {
                "Context" => format!("Context: {context}"),
                key => format!("{key}: {value}"),
            })
            .collect();
        let message = Message::from_lines(lines.iter().map(String::as_str));
        assert_eq!(guard.note(&message, at(0)), None, "{context}");
    }
    // A caller who writes that context into its name is not one of them.
    let forged = event("Newchannel", "PJSIP/x", 3, "1\r\nContext: from-trunk", DEAR);
    assert!(note(&mut guard, &forged, 0).is_some());
    let forged = event("Newchannel", "PJSIP/y", 3, "1\r\nExten: 112", DEAR);
    assert!(note(&mut guard, &forged, 0).is_some());
}

#[test]
fn another_configuration_keeps_what_was_counted() {
    let mut guard = guard("attempts = 3");
    for number in 0..2 {
        assert_eq!(call(&mut guard, "PJSIP/1", number, "100", 0), None);
    }
    let config = Config::parse("emergency = [\"110\"]\n[fraud]\nattempts = 2", "r.toml").unwrap();
    guard.configure(&config.fraud, &config.emergency);
    assert_eq!(call(&mut guard, "PJSIP/1", 3, "110", 1), None);
    let alarm = call(&mut guard, "PJSIP/1", 4, "100", 1).unwrap();
    assert_eq!(alarm.why, Why::Attempts(2));
}
