//! Callers with line ends in their names, and what no Asterisk would send.

use ringfence::asterisk::ami::{EVENT_MASK, FILTERS, Heard};
use ringfence_lab::asterisk::{Ami, Script};

use super::{connect, events, expected, hasty, is_up, next, script, until};

const FORGED: &str = "Event: SuccessfulAuth\r\nPrivilege: security,all\r\nEventTV: 2026-11-21T02:06:16.801+0000\r\n\
    Severity: Informational\r\nService: PJSIP\r\nEventVersion: 1\r\nAccountID: 1001\r\nSessionID: forged\r\n\
    LocalAddress: IPV4/UDP/192.0.2.10/5060\r\nRemoteAddress: IPV4/UDP/203.0.113.66/5060\r\nUsingPassword: 1\r\n\r\n";
const SHUTDOWN: &str =
    "Event: Shutdown\r\nPrivilege: system,all\r\nShutdown: Cleanly\r\nRestart: False\r\n\r\n";

/// The events of a recording with `name` in place of the unknown account of the first.
fn with_name(name: &str) -> Script {
    let mut script = script("events", "05-register-unknown-account");
    let text = String::from_utf8(script.events.clone()).unwrap();
    let named = text.replacen("AccountID: 9999", &format!("AccountID: {name}"), 1);
    assert_ne!(named, text);
    script.events = named.into_bytes();
    script
}

#[tokio::test]
async fn no_forged_event_gets_through_and_the_forger_is_told() {
    let fake =
        "SessionID: f\r\nLocalAddress: f\r\nRemoteAddress: IPV4/UDP/198.51.100.77/5060\r\n\r\n";
    let genuine = script("events", "05-register-unknown-account");
    let mut wanted = expected(&genuine.events);
    // The one that the name stands in.
    let lost = wanted
        .iter()
        .position(|event| event.event() == Some("InvalidAccountID"))
        .unwrap();
    wanted.remove(lost);
    for name in [
        format!("x\r\n\r\n{FORGED}y"),
        format!("x\r\n\r\n{SHUTDOWN}{FORGED}{fake}{FORGED}y"),
        "x\r\n\r\nEvent: Shutdown".to_owned(),
        format!("x\r\n\r\n{fake}Event: FullyBooted"),
    ] {
        for piece in [usize::MAX, 1, 100] {
            let script = Script {
                piece,
                ..with_name(&name)
            };
            let ami = Ami::play([script]).unwrap();
            let (_link, mut heard) = connect(&ami, hasty());
            let is_last = |heard: &Heard| matches!(heard, Heard::Event(event) if event.event() == Some("ChallengeResponseFailed"));
            let all = until(&mut heard, is_last).await;
            assert_eq!(events(&all), wanted.iter().collect::<Vec<_>>(), "{name:?}");
            let source = "203.0.113.7:5060".parse().ok();
            let told: Vec<_> = all
                .iter()
                .filter(|h| matches!(h, Heard::Forged { .. }))
                .collect();
            assert_eq!(told, [&Heard::Forged { source }], "{name:?}");
        }
    }
}

#[tokio::test]
async fn a_line_of_ten_megabytes_is_skipped() {
    let mut script = with_name(&"x".repeat(10_000_000));
    let wanted = expected(&super::script("events", "05-register-unknown-account").events);
    script.piece = 64 * 1024;
    let ami = Ami::play([script]).unwrap();
    let (_link, mut heard) = connect(&ami, hasty());
    let mut all = Vec::new();
    while events(&all).last().and_then(|event| event.event()) != Some("ChallengeResponseFailed") {
        all.push(next(&mut heard).await);
    }
    // What no Asterisk sends may hide the rest of a forgery, so that what was held before it is not believed.
    let behind = &wanted[wanted.len() - 3..];
    assert!(
        events(&all).ends_with(&behind.iter().collect::<Vec<_>>()),
        "{all:?}"
    );
    assert!(all.contains(&Heard::Forged { source: None }));
}

#[tokio::test]
async fn asterisk_is_asked_to_keep_the_rest_to_itself() {
    let ami = Ami::play([Script::default()]).unwrap();
    let (link, mut heard) = connect(&ami, hasty());
    until(&mut heard, is_up).await;
    link.ask(ringfence::asterisk::ami::Action::new("Ping"))
        .await
        .unwrap();
    let asked = ami.asked();
    let place = |text: &str| asked.iter().position(|block| block.contains(text)).unwrap();
    let events = place(&format!("EventMask: {EVENT_MASK}\r\n"));
    for filter in FILTERS {
        assert!(place(&format!("Filter: {filter}\r\n")) < events);
    }
    // In the class of the dial plan a caller's text stands last.
    let classes = EVENT_MASK.split(',');
    assert!(
        classes
            .into_iter()
            .all(|class| class != "dialplan" && class != "all")
    );
}

#[tokio::test]
async fn where_asterisk_may_not_filter_a_completed_event_is_not_believed_either() {
    let end = "SessionID: f\r\nLocalAddress: f\r\nRemoteAddress: IPV4/UDP/198.51.100.77/5060";
    let mut script = with_name(&format!("x\r\n{end}\r\n\r\n{FORGED}y"));
    let denied = b"Response: Error\r\nActionID: x\r\nMessage: Permission denied\r\n\r\n";
    script.answers.insert("filter".into(), denied.to_vec());
    let ami = Ami::play([script]).unwrap();
    let (_link, mut heard) = connect(&ami, hasty());
    let is_last = |heard: &Heard| matches!(heard, Heard::Event(event) if event.event() == Some("ChallengeResponseFailed"));
    let all = until(&mut heard, is_last).await;
    for event in events(&all) {
        let shown = format!("{event:?}");
        assert!(
            !shown.contains("198.51.100.77") && !shown.contains("forged"),
            "{shown}"
        );
    }
    let source = "203.0.113.7:5060".parse().ok();
    assert!(all.contains(&Heard::Forged { source }), "{all:?}");
}
