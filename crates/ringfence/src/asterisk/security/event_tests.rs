//! What is read of an event, and that a name forges no address.

use proptest::prelude::*;

use super::*;

const TAIL: &str = "SessionID: 1-2@203.0.113.7\nLocalAddress: IPV4/UDP/192.0.2.10/5060\n\
                    RemoteAddress: IPV4/UDP/203.0.113.7/5062";

fn message(kind: &str, service: &str, account: &str, after: &str) -> Message {
    let text = format!(
        "Event: {kind}\nPrivilege: security,all\nEventTV: 2026-11-21T02:06:11.713+0000\nSeverity: Error\n\
         Service: {service}\nEventVersion: 1\nAccountID: {account}\n{TAIL}{after}"
    );
    Message::from_lines(text.split(['\n']).map(|line| line.trim_end_matches('\r')))
}

fn line(kind: &str, account: &str, after: &str) -> String {
    format!(
        "SecurityEvent=\"{kind}\",EventTV=\"2026-11-21T02:06:11.713+0000\",Severity=\"Error\",Service=\"PJSIP\",\
         EventVersion=\"1\",AccountID=\"{account}\",SessionID=\"1-2@203.0.113.7\",\
         LocalAddress=\"IPV4/UDP/192.0.2.10/5060\",RemoteAddress=\"IPV4/UDP/203.0.113.7/5062\"{after}"
    )
}

#[test]
fn block_and_line_say_the_same() {
    let after = "\nChallenge: x/y\nResponse: 5bec\nExpectedResponse: ";
    let block = message("ChallengeResponseFailed", "PJSIP", "1006", after);
    let event = Event::of_message(&block).unwrap().unwrap();
    assert_eq!(event.kind, Kind::ChallengeResponseFailed);
    assert_eq!(event.service, Service::Pjsip);
    assert_eq!(event.account.as_deref(), Some("1006"));
    assert_eq!(event.session, "1-2@203.0.113.7");
    assert_eq!(event.local.address.to_string(), "192.0.2.10:5060");
    assert_eq!(event.remote.address.to_string(), "203.0.113.7:5062");
    assert_eq!(event.time.unwrap().to_string(), "2026-11-21T02:06:11.713Z");
    assert_eq!(event.response, Some(Proof::of("5bec")));
    assert!(!format!("{event:?}").contains("5bec"));
    let after = ",Challenge=\"x/y\",Response=\"5bec\",ExpectedResponse=\"\"";
    let text = line("ChallengeResponseFailed", "1006", after);
    assert_eq!(Event::of_log(&text), Ok(Some(event)));
}

#[test]
fn other_blocks_and_lines_are_none_and_cut_ones_are_told() {
    let other = Message::from_lines(["Event: PeerStatus"]);
    assert_eq!(Event::of_message(&other), Ok(None));
    assert_eq!(Event::of_log("Peer '1005' is now UNREACHABLE!"), Ok(None));
    assert_eq!(Event::of_log("SecurityEvent=\"NewKind\",A=\"b\""), Ok(None));
    let cut = Message::from_lines(["Event: InvalidAccountID", "Service: PJSIP", "AccountID: x"]);
    assert_eq!(
        Event::of_message(&cut),
        Err(Unreadable::Missing("SessionID"))
    );
    let whole = line("InvalidAccountID", "9999", "");
    assert!(Event::of_log(&whole).unwrap().is_some());
    for end in 1..whole.len() {
        let text = &whole[..end];
        assert!(!matches!(Event::of_log(text), Ok(Some(_))), "{text}");
    }
}

#[test]
fn a_sip_uri_gives_its_user_and_the_unknown_account_is_none() {
    let account = |service: &str, name: &str| {
        let event = Event::of_message(&message("ChallengeSent", service, name, "")).unwrap();
        event.unwrap().account
    };
    assert_eq!(account("SIP", "sip:100@192.0.2.10").as_deref(), Some("100"));
    assert_eq!(account("SIP", "1001").as_deref(), Some("1001"));
    assert_eq!(account("SIP", "sip:192.0.2.10"), None);
    assert_eq!(account("PJSIP", "<unknown>"), None);
    assert_eq!(account("AMI", ""), None);
    assert_eq!(account("PJSIP", "sip:x@y").as_deref(), Some("sip:x@y"));
}

#[test]
fn a_name_that_forges_a_sender_gives_the_real_one_and_no_account() {
    let forged = "x\r\nRemoteAddress: IPV4/UDP/198.51.100.1/1";
    let event = Event::of_message(&message("InvalidAccountID", "PJSIP", forged, ""));
    let event = event.unwrap().unwrap();
    assert_eq!(event.remote.address.to_string(), "203.0.113.7:5062");
    assert_eq!(event.account, None);
    let forged = "x\",RemoteAddress=\"IPV4/UDP/198.51.100.1/1";
    let event = Event::of_log(&line("InvalidAccountID", forged, ""));
    let event = event.unwrap().unwrap();
    assert_eq!(event.remote.address.to_string(), "203.0.113.7:5062");
    assert_eq!(event.account, None);
    // The action of a manager session stands behind the addresses.
    let request = ",RequestType=\"Action: x\",RemoteAddress=\"IPV4/TCP/198.51.100.1/1\"";
    let event = Event::of_log(&line("RequestNotAllowed", "", request));
    let event = event.unwrap().unwrap();
    assert_eq!(event.remote.address.to_string(), "203.0.113.7:5062");
    let answer = ",Response=\"x\",RemoteAddress=\"IPV4/TCP/198.51.100.1/1\"";
    assert_eq!(
        Event::of_log(&line("ChallengeResponseFailed", "1006", answer)),
        Err(Unreadable::Repeated("RemoteAddress"))
    );
}

#[test]
fn where_the_account_stands_last_the_first_address_is_real() {
    let account = "x\nRemoteAddress: IPV4/UDP/198.51.100.1/1";
    let text = format!(
        "Event: RequestBadFormat\nService: AMI\n{TAIL}\nRequestType: Action: NONE\nAccountID: {account}"
    );
    let event = Event::of_message(&Message::from_lines(text.split('\n')));
    let event = event.unwrap().unwrap();
    assert_eq!(event.remote.address.to_string(), "203.0.113.7:5062");
    assert_eq!(event.request_type.as_deref(), Some("Action: NONE"));
}

proptest! {
    #[test]
    fn no_name_gives_another_address(
        pieces in prop::collection::vec(prop::sample::select(vec![
            "a", "\"", "\",", ",", "=", "=\"", ": ", "\r\n", "\n", "RemoteAddress", "LocalAddress", "SessionID",
            "Event", "AccountID", "Service", "IPV4/UDP/198.51.100.1/1", "\"\"", "<unknown>", "ü",
        ]), 0..24),
    ) {
        let name: String = pieces.concat();
        let sender = "203.0.113.7:5062";
        let block = message("InvalidAccountID", "PJSIP", &name, "");
        if let Ok(Some(event)) = Event::of_message(&block) {
            prop_assert_eq!(event.remote.address.to_string(), sender);
            prop_assert_eq!(event.session, "1-2@203.0.113.7");
            prop_assert_eq!(event.service, Service::Pjsip);
        } else {
            prop_assert!(false, "not read");
        }
        let text = line("InvalidAccountID", &name, "");
        if let Ok(Some(event)) = Event::of_log(&text) {
            prop_assert_eq!(event.remote.address.to_string(), sender);
        } else {
            prop_assert!(false, "not read: {}", text);
        }
    }

    #[test]
    fn any_text_is_read_without_panic(text in "\\PC{0,200}") {
        let _ = Event::of_log(&format!("SecurityEvent=\"InvalidPassword\",{text}"));
        let _ = Event::of_message(&Message::from_lines(text.lines()));
    }
}
