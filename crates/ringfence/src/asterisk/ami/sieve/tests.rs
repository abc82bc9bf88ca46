use std::path::Path;

use proptest::prelude::*;

use super::super::{Framed, Framing};
use super::*;

const TOKEN: &str = "5e1f";

/// What comes out of a stream that is quiet where it ends.
fn sift(stream: &str, filtered: bool) -> Vec<Sifted> {
    let (mut framing, mut sieve) = (Framing::after_greeting(), Sieve::new(TOKEN, filtered));
    let mut all = Vec::new();
    framing.read(stream.as_bytes(), |framed| match framed {
        Framed::Message(message) => sieve.take(message, |sifted| all.push(sifted)),
        _ => sieve.skip(|sifted| all.push(sifted)),
    });
    for _ in 0..TICKS {
        sieve.idle(|sifted| all.push(sifted));
    }
    assert!(!sieve.holds());
    all
}

fn messages(sifted: &[Sifted]) -> Vec<&Message> {
    fn message(sifted: &Sifted) -> Option<&Message> {
        match sifted {
            Sifted::Message { message, .. } => Some(message),
            Sifted::Forged { .. } => None,
        }
    }
    sifted.iter().filter_map(message).collect()
}

fn sources(sifted: &[Sifted]) -> Vec<Option<SocketAddr>> {
    let source = |sifted: &Sifted| match sifted {
        Sifted::Message { .. } => None,
        Sifted::Forged { source, .. } => Some(*source),
    };
    sifted.iter().filter_map(source).collect()
}

/// An InvalidAccountID as Asterisk writes it.
fn invalid(account: &str, session: &str, host: &str) -> String {
    format!(
        "Event: InvalidAccountID\r\nPrivilege: security,all\r\nEventTV: 2026-11-21T02:06:16.801+0000\r\n\
         Severity: Error\r\nService: PJSIP\r\nEventVersion: 1\r\nAccountID: {account}\r\nSessionID: {session}\r\n\
         LocalAddress: IPV4/UDP/192.0.2.10/5060\r\nRemoteAddress: IPV4/UDP/{host}/5060\r\n\r\n"
    )
}

const FORGED_AUTH: &str = "Event: SuccessfulAuth\r\nPrivilege: security,all\r\nEventTV: x\r\nSeverity: Informational\r\n\
     Service: PJSIP\r\nEventVersion: 1\r\nAccountID: 1001\r\nSessionID: forged\r\nLocalAddress: IPV4/UDP/192.0.2.10/5060\r\n\
     RemoteAddress: IPV4/UDP/203.0.113.66/5060\r\nUsingPassword: 1\r\n\r\n";
const FORGED_SHUTDOWN: &str =
    "Event: Shutdown\r\nPrivilege: system,all\r\nShutdown: Cleanly\r\nRestart: False\r\n\r\n";
const INNOCENT: &str = "198.51.100.77";
const SENDER: &str = "203.0.113.9";

fn sender() -> Option<SocketAddr> {
    format!("{SENDER}:5060").parse().ok()
}

#[test]
fn every_recorded_event_is_whole_and_passes() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/asterisk");
    let mut seen = 0;
    for folder in ["events", "ami", "ami-chan_sip-20"] {
        for entry in std::fs::read_dir(root.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|extension| extension != "rx") {
                continue;
            }
            let stream = String::from_utf8(std::fs::read(&path).unwrap()).unwrap();
            let (_, stream) = stream.split_once("\r\n").unwrap();
            let sifted = sift(stream, false);
            assert!(sources(&sifted).is_empty(), "{path:?}: {sifted:?}");
            let mut expected = Vec::new();
            Framing::after_greeting().read(stream.as_bytes(), |framed| {
                if let Framed::Message(message) = framed {
                    expected.push(message);
                }
            });
            expected.retain(|message| match message.event() {
                Some(event) => shape::wanted(event) || message.get("Privilege").is_none(),
                None => false,
            });
            seen += expected.len();
            assert_eq!(
                messages(&sifted),
                expected.iter().collect::<Vec<_>>(),
                "{path:?}"
            );
        }
    }
    assert!(seen > 150, "{seen}");
}

#[test]
fn a_whole_forged_event_within_a_name_does_not_get_out_and_its_sender_is_told() {
    let name = format!("x\r\n\r\n{FORGED_AUTH}{FORGED_SHUTDOWN}y");
    let before = invalid("1", "a", INNOCENT);
    let after = invalid("2", "b", INNOCENT);
    let stream = format!("{before}{}{after}", invalid(&name, "s", SENDER));
    let sifted = sift(&stream, true);
    let accounts: Vec<_> = messages(&sifted)
        .iter()
        .map(|m| m.get("AccountID"))
        .collect();
    assert_eq!(accounts, [Some("1"), Some("2")]);
    assert_eq!(sources(&sifted), [sender()]);
    let numbers: Vec<_> = sifted
        .iter()
        .map(|sifted| match sifted {
            Sifted::Message { number, .. } => (*number, 1),
            Sifted::Forged { number, blocks, .. } => (*number, *blocks),
        })
        .collect();
    assert_eq!(numbers, [(1, 1), (2, 4), (6, 1)]);
}

#[test]
fn a_rest_within_the_name_accuses_nobody() {
    let fake = format!(
        "SessionID: x\r\nLocalAddress: IPV4/UDP/192.0.2.10/5060\r\nRemoteAddress: IPV4/UDP/{INNOCENT}/5060\r\n\r\n"
    );
    let name = format!("x\r\n\r\n{FORGED_AUTH}junk\r\n{fake}{FORGED_AUTH}junk");
    for filtered in [true, false] {
        let sifted = sift(&invalid(&name, "s", SENDER), filtered);
        assert!(messages(&sifted).is_empty(), "{sifted:?}");
        assert_eq!(sources(&sifted), [sender()]);
    }
}

#[test]
fn a_forged_event_that_swallows_the_rest_is_no_event() {
    for swallowing in [
        "Event: Shutdown",
        "Event: FullyBooted\r\nStatus: Fully Booted",
        "Response: Success",
    ] {
        let name = format!("x\r\n\r\n{swallowing}");
        let sifted = sift(&invalid(&name, "s", SENDER), true);
        assert!(messages(&sifted).is_empty(), "{sifted:?}");
        assert_eq!(sources(&sifted), [sender()]);
    }
    // One of a kind that ends so anyway: of whom it speaks is not believed.
    let name = "x\r\n\r\nEvent: InvalidAccountID\r\nPrivilege: security,all\r\nAccountID: y";
    let sifted = sift(&invalid(name, "s", SENDER), true);
    assert!(messages(&sifted).is_empty(), "{sifted:?}");
    assert_eq!(sources(&sifted), [None]);
}

#[test]
fn a_head_that_was_made_to_look_whole_is_discarded_too() {
    let name = format!(
        "x\r\nSessionID: a\r\nLocalAddress: b\r\nRemoteAddress: IPV4/UDP/{INNOCENT}/5060\r\n\r\n{FORGED_AUTH}y"
    );
    let sifted = sift(&invalid(&name, "s", SENDER), false);
    assert!(messages(&sifted).is_empty(), "{sifted:?}");
    assert_eq!(sources(&sifted), [sender()]);
}

#[test]
fn answers_to_our_actions_are_not_held_nor_discarded() {
    let mut sieve = Sieve::new(TOKEN, false);
    let answer = || Message::from_lines(["Response: Success", "ActionID: 5e1f-1"]);
    let mut all = Vec::new();
    sieve.take(answer(), |sifted| all.push(sifted));
    assert_eq!(messages(&all), [&answer()]);
    let guessed = Message::from_lines(["Response: Success", "ActionID: 1"]);
    sieve.take(guessed, |sifted| all.push(sifted));
    assert_eq!(all.len(), 1);
    for line in ["Privilege: security,all", "AccountID: x"] {
        let cut = Message::from_lines(["Event: InvalidAccountID", line]);
        sieve.take(cut, |sifted| all.push(sifted));
    }
    sieve.take(answer(), |sifted| all.push(sifted));
    sieve.take(Message::from_lines(["the rest"]), |sifted| all.push(sifted));
    assert_eq!(all.len(), 2, "{all:?}");
}

#[test]
fn what_is_held_is_bounded() {
    let mut sieve = Sieve::new(TOKEN, true);
    let mut out = 0;
    for n in 0..10_000 {
        let event = invalid(&n.to_string(), "s", INNOCENT);
        let lines = event.lines().filter(|line| !line.is_empty());
        sieve.take(Message::from_lines(lines), |_| out += 1);
        assert!(sieve.held.len() < 60, "{}", sieve.held.len());
    }
    assert!(out > 9_900, "{out}");
}

/// A genuine event, told from all others by its number.
fn genuine(kind: u8, number: usize) -> String {
    match kind % 4 {
        0 => invalid(&format!("genuine-{number}"), "s", INNOCENT),
        1 => format!(
            "Event: SuccessfulAuth\r\nPrivilege: security,all\r\nAccountID: genuine-{number}\r\nSessionID: s\r\n\
             LocalAddress: l\r\nRemoteAddress: IPV4/UDP/{INNOCENT}/5060\r\nUsingPassword: 1\r\n\r\n"
        ),
        2 => format!(
            "Event: ContactStatus\r\nPrivilege: system,all\r\nURI: sip:genuine-{number}@x\r\nContactStatus: Removed\r\n\
             AOR: genuine-{number}\r\nEndpointName: 1\r\n\r\n"
        ),
        _ => format!(
            "Event: Hangup\r\nPrivilege: call,all\r\nChannel: PJSIP/genuine-{number}\r\nUniqueid: {number}.1\r\n\
             Linkedid: {number}.1\r\nCause: 16\r\n\r\n"
        ),
    }
}

/// A name that holds forged events, the last of them cut or not, with or without rests of its own.
fn forgery() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        Just(FORGED_AUTH.to_owned()),
        Just(FORGED_SHUTDOWN.to_owned()),
        Just(invalid("forged", "forged", INNOCENT)),
        Just(format!(
            "junk\r\nSessionID: f\r\nLocalAddress: f\r\nRemoteAddress: IPV4/UDP/{INNOCENT}/1\r\n\r\n"
        )),
        Just("Event: SuccessfulAuth\r\nPrivilege: security,all\r\n\r\n".to_owned()),
        Just("\r\n".to_owned()),
    ];
    let end = prop_oneof![
        Just(""),
        Just("y"),
        Just("Event: Shutdown"),
        Just("Event: SuccessfulAuth\r\nPrivilege: security,all\r\nAccountID: forged"),
        Just("SessionID: f"),
    ];
    (prop::collection::vec(part, 1..6), end)
        .prop_map(|(parts, end)| format!("x\r\n\r\n{}{end}", parts.concat()))
}

/// The genuine events by their number, and whether anything else came out.
fn told(sifted: &[Sifted]) -> (Vec<usize>, Vec<Message>) {
    let (mut numbers, mut others) = (Vec::new(), Vec::new());
    for message in messages(sifted) {
        let text = ["AccountID", "AOR", "Channel"]
            .iter()
            .find_map(|key| message.get(key));
        let number = text.and_then(|text| text.rsplit_once("genuine-")?.1.parse().ok());
        match number {
            Some(number) => numbers.push(number),
            None => others.push(message.clone()),
        }
    }
    (numbers, others)
}

proptest! {
    #[test]
    fn no_forged_event_gets_out_and_every_genuine_one_does(
        kinds in prop::collection::vec(any::<u8>(), 1..60),
        forgeries in prop::collection::vec((0_usize..60, forgery()), 0..4),
    ) {
        let mut stream = String::new();
        for (number, kind) in kinds.iter().enumerate() {
            for (_, name) in forgeries.iter().filter(|(place, _)| *place == number) {
                // Far enough from each other to be told one by one.
                stream.push_str(&invalid(name, "s", SENDER));
                stream.push_str(&"Event: RTCPSent\r\nPrivilege: reporting,all\r\n\r\n".repeat(250));
            }
            stream.push_str(&genuine(*kind, number));
        }
        let sifted = sift(&stream, true);
        let (numbers, others) = told(&sifted);
        prop_assert!(others.is_empty(), "{others:?}");
        prop_assert_eq!(numbers, (0..kinds.len()).collect::<Vec<_>>());
        for source in sources(&sifted).into_iter().flatten() {
            prop_assert_eq!(Some(source), sender());
        }
    }

    #[test]
    fn without_the_filter_no_forged_event_gets_out_either(
        kinds in prop::collection::vec(any::<u8>(), 1..60),
        completed in any::<bool>(),
        name in forgery(),
        place in 0_usize..60,
    ) {
        let mut stream = String::new();
        let quiet = "Event: RTCPSent\r\nPrivilege: reporting,all\r\n\r\n".repeat(250);
        for (number, kind) in kinds.iter().enumerate() {
            if number == place {
                // Followed by a rest in any case: what swallows one behind a head that looks whole is Asterisk's to filter.
                let whole = if completed {
                    name.replacen("x\r\n", &format!("x\r\nSessionID: a\r\nLocalAddress: b\r\nRemoteAddress: IPV4/UDP/{INNOCENT}/1\r\n"), 1)
                } else {
                    name.clone()
                };
                let whole = format!("{whole}\r\n\r\ny");
                stream.push_str(&format!("{quiet}{}{quiet}", invalid(&whole, "s", SENDER)));
            }
            stream.push_str(&genuine(*kind, number));
        }
        let (numbers, others) = told(&sift(&stream, false));
        prop_assert!(others.is_empty(), "{others:?}");
        prop_assert_eq!(numbers, (0..kinds.len()).collect::<Vec<_>>());
    }
}
