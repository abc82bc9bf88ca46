//! What callers and strangers forge, and all that could come: no innocent is accused, and what is remembered is bounded.

use proptest::prelude::*;

use super::*;

/// A whole block of another endpoint, as a caller could write it into its name.
fn forged(victim: &str, number: u32) -> String {
    format!(
        "1\r\n\r\nEvent: Newchannel\r\nChannel: {victim}-{number:08x}\r\nCallerIDNum: 1\r\n\
         Context: from-phones\r\nExten: {DEAR}\r\nUniqueid: 9.{number}\r\nLinkedid: 9.{number}\r\n\r\nX: y"
    )
}

#[test]
fn forged_blocks_are_not_held_against_an_innocent() {
    let mut guard = guard("expensive = 0\nattempts = 1\nconcurrent = 1");
    for number in 0..50 {
        let second = i64::from(number);
        let inside = forged("PJSIP/victim", number);
        let cut = event("Newchannel", "PJSIP/evil", 1000 + number, &inside, DEAR);
        assert!(cut.len() >= 3, "{cut:?}");
        let alarms: Vec<Alarm> = cut
            .iter()
            .filter_map(|m| guard.note(m, at(second)))
            .collect();
        assert_eq!(alarms, []);
        // An event that shows the forged channel is forged in the same way.
        let again = inside.replace("Event: Newchannel", "Event: Newstate");
        let cut = event("Newstate", "PJSIP/evil", 1000 + number, &again, DEAR);
        assert_eq!(note(&mut guard, &cut, second), None);
    }
    assert_eq!(call(&mut guard, "PJSIP/victim", 2000, "100", 60), None);
    // Without an account one can do the same.
    let security = format!(
        "Asterisk Call Manager/11\r\nEvent: InvalidAccountID\r\nAccountID: {}\r\n\
         RemoteAddress: IPV4/UDP/203.0.113.7/5060\r\n\r\n",
        forged("PJSIP/victim", 3000)
    );
    let cut = messages(security.as_bytes());
    assert_eq!(note(&mut guard, &cut, 100), None);
}

#[test]
fn a_call_that_begins_in_doubt_counts_once_it_shows_itself() {
    let mut guard = guard("expensive = 0");
    let cut = Message::from_lines(["Event: InvalidAccountID", "AccountID: x"]);
    assert_eq!(guard.note(&cut, at(0)), None);
    assert_eq!(call(&mut guard, "PJSIP/1", 1, DEAR, 0), None);
    let shows = event("Newstate", "PJSIP/1", 1, "1", DEAR);
    let alarm = note(&mut guard, &shows, 1).unwrap();
    assert_eq!(
        (alarm.endpoint.as_str(), alarm.destination.as_str()),
        ("PJSIP/1", DEAR)
    );
    assert_eq!(note(&mut guard, &shows, 100), None, "it counts once");
}

#[test]
fn an_alarm_shows_no_control_characters() {
    let mut guard = guard("expensive = 0");
    let alarm = call(&mut guard, "PJSIP/a\u{1b}[2J", 1, "0044\u{7}1", 0).unwrap();
    let shown = alarm.to_string();
    assert!(!shown.contains(char::is_control), "{shown:?}");
    assert!(shown.contains("another country"), "{shown}");
}

#[test]
fn what_is_remembered_is_bounded() {
    let mut guard = guard("concurrent = 500\nattempts = 500");
    assert_eq!(call(&mut guard, "PJSIP/first", 0, "112", 0), None);
    for number in 1..18_000 {
        let endpoint = format!("SIP/{}", number % 5000);
        let _ = call(
            &mut guard,
            &endpoint,
            number,
            "100",
            i64::from(number / 1000),
        );
    }
    let (endpoints, calls) = guard.remembered();
    assert!(endpoints <= 4096 && calls <= 16_384, "{endpoints} {calls}");
    assert!(
        guard.in_emergency("PJSIP/first"),
        "an emergency is not forgotten for others"
    );
}

/// Something that happens.
#[derive(Debug, Clone)]
enum Step {
    Call(u8, u32, String),
    Hangup(u8, u32),
    Emergency(u8, u32, usize),
    Forged(u8, u32),
    Cut,
}

fn step() -> impl Strategy<Value = Step> {
    let number = "(100|112|000|00[1-9]{6}|[+]44[0-9]{5}|9?911|0?000)";
    prop_oneof![
        4 => (0..3_u8, 0..40_u32, number).prop_map(|(e, n, x)| Step::Call(e, n, x)),
        2 => (0..3_u8, 0..40_u32).prop_map(|(e, n)| Step::Hangup(e, n)),
        2 => (0..3_u8, 0..40_u32, 0..8_usize).prop_map(|(e, n, i)| Step::Emergency(e, n, i)),
        1 => (0..3_u8, 0..40_u32).prop_map(|(e, n)| Step::Forged(e, n)),
        1 => Just(Step::Cut),
    ]
}

proptest! {
    /// Whatever happened before, and however strict the limits are.
    #[test]
    fn an_emergency_number_never_makes_an_alarm(
        steps in prop::collection::vec((step(), 0..100_i64), 1..80),
        limits in prop::sample::select(vec![
            "attempts = 1\nconcurrent = 1\ndestinations = 1\nexpensive = 0\nprefixes = [\"0\", \"1\", \"9\"]",
            "mode = \"enforce\"\naction = [\"hangup\", \"ban\", \"remove\"]\nexpensive = 0\nconcurrent = 1",
            "outside = [\"9\", \"0\"]\nexpensive = 0\nattempts = 1\nhome = \"GB\"",
        ]),
    ) {
        let mut guard = guard(limits);
        let (mut second, outside) = (0, limits.contains("outside"));
        for (step, later) in steps {
            second += later;
            let endpoint = |number: u8| format!("PJSIP/100{number}");
            match step {
                Step::Call(e, n, exten) => {
                    let alarm = call(&mut guard, &endpoint(e), n, &exten, second);
                    if let Some(alarm) = alarm {
                        prop_assert!(!["112", "000", "911"].contains(&alarm.destination.as_str()));
                        let ends = [FraudAction::Ban, FraudAction::Remove];
                        let ends = alarm.action.iter().any(|action| ends.contains(action));
                        prop_assert!(!ends || !guard.in_emergency(&alarm.endpoint));
                    }
                }
                Step::Hangup(e, n) => hangup(&mut guard, &endpoint(e), n),
                Step::Emergency(e, n, which) => {
                    let numbers = ["112", "911", "999", "000", "9112", "0112", "9000", "0000"];
                    let usable = if outside { 8 } else { 4 };
                    let exten = numbers[which % usable];
                    prop_assert_eq!(call(&mut guard, &endpoint(e), n, exten, second), None);
                }
                Step::Forged(e, n) => {
                    let inside = forged(&endpoint(e), n);
                    let cut = event("Newstate", "PJSIP/evil", 99, &inside, "1");
                    prop_assert_eq!(note(&mut guard, &cut, second), None);
                }
                Step::Cut => {
                    let _ = guard.note(&Message::from_lines(["X: y"]), at(second));
                }
            }
        }
    }

    #[test]
    fn any_block_is_answered(lines in prop::collection::vec(
        "(Event: Newchannel|Event: Hangup|Channel: PJSIP/1-1|Exten: .{0,5}|Uniqueid: 1|Linkedid: 1|CallerIDNum: 1|.{0,10})",
        0..12,
    )) {
        let mut guard = guard("expensive = 0");
        let _ = guard.note(&Message::from_lines(lines.iter().map(String::as_str)), at(0));
    }
}
