//! Actions and their answers, as recorded.

use ringfence::asterisk::ami::{Action, AskError, Kind};
use ringfence_lab::asterisk::{Ami, Script};

use super::{connect, hasty, is_up, recording, until};

/// Asks one action of a server that plays a recording.
async fn ask(folder: &str, name: &str, action: Action) -> Result<Vec<String>, AskError> {
    let script = Script::default().answering(&recording(folder, name));
    let ami = Ami::play([Script { piece: 5, ..script }]).unwrap();
    let (link, _heard) = connect(&ami, hasty());
    let answer = link.ask(action).await?;
    Ok(answer
        .iter()
        .map(|message| match message.kind() {
            Kind::Response(response) => response.to_owned(),
            Kind::Event(event) => event.to_owned(),
            Kind::Rest => "rest".to_owned(),
        })
        .collect())
}

#[tokio::test]
async fn recorded_lists_are_gathered_whole() {
    for (folder, name, action, entry, count) in [
        ("ami", "iaxpeers", "IAXpeers", "PeerEntry", 2),
        (
            "ami",
            "pjsip-show-contacts",
            "PJSIPShowContacts",
            "ContactList",
            7,
        ),
        (
            "ami",
            "pjsip-show-endpoints",
            "PJSIPShowEndpoints",
            "EndpointList",
            21,
        ),
        ("ami", "core-show-channels-none", "CoreShowChannels", "", 0),
        ("ami-chan_sip-20", "sippeers", "SIPpeers", "PeerEntry", 21),
    ] {
        let answer = ask(folder, name, Action::new(action)).await.unwrap();
        assert_eq!(
            answer.first().map(String::as_str),
            Some("Success"),
            "{name}"
        );
        let entries = answer.iter().filter(|kind| *kind == entry).count();
        assert_eq!(
            (entries, answer.len()),
            (count, count + 1),
            "{name}: {answer:?}"
        );
    }
}

#[tokio::test]
async fn a_list_with_other_kinds_between_has_them_too() {
    let action = Action::new("PJSIPShowRegistrationsOutbound");
    let answer = ask("ami", "pjsip-show-registrations-outbound", action)
        .await
        .unwrap();
    for kind in ["OutboundRegistrationDetail", "AuthDetail"] {
        assert!(
            answer.iter().any(|found| found == kind),
            "{kind}: {answer:?}"
        );
    }
}

#[tokio::test]
async fn what_asterisk_does_not_have_or_permit_is_told_apart() {
    let command = || Action::new("Command").with("Command", "core show version");
    let done = ask("ami", "command-core-show-version", command()).await;
    assert_eq!(done.unwrap(), ["Success"]);
    let unknown = ask("ami", "command-unknown", command()).await;
    assert!(
        matches!(unknown, Err(AskError::Unavailable { .. })),
        "{unknown:?}"
    );
    let absent = ask("ami", "sippeers-unavailable-on-22", Action::new("SIPpeers")).await;
    assert!(
        matches!(absent, Err(AskError::Unavailable { .. })),
        "{absent:?}"
    );
    let denied = ask("ami", "action-not-allowed", command()).await;
    assert!(
        matches!(denied, Err(AskError::NotAllowed { .. })),
        "{denied:?}"
    );
    let injected = Action::new("Command").with("Command", "x\r\nAction: Originate");
    let injected = ask("ami", "command-core-show-version", injected).await;
    assert_eq!(injected, Err(AskError::LineEnd));
}

#[tokio::test]
async fn a_list_that_is_cut_is_no_list_and_can_be_asked_again() {
    let whole = Script::default().answering(&recording("ami", "iaxpeers"));
    let length = whole.answers["iaxpeers"].len();
    let (mut cuts, mut wholes) = (0, 0);
    // Over the last part of the login, the list, and what would follow it.
    for cut in (600..length + 1100).step_by(3) {
        let first = Script {
            cut: Some(cut),
            ..whole.clone()
        };
        let ami = Ami::play([first, whole.clone()]).unwrap();
        let (link, mut heard) = connect(&ami, hasty());
        until(&mut heard, is_up).await;
        loop {
            match link.ask(Action::new("IAXpeers")).await {
                Ok(answer) => {
                    assert_eq!(answer.len(), 3, "cut at {cut}: {answer:?}");
                    break;
                }
                Err(AskError::Down) => tokio::task::yield_now().await,
                Err(other) => panic!("cut at {cut}: {other}"),
            }
        }
        if ami.connections() > 1 {
            cuts += 1;
        } else {
            wholes += 1;
        }
    }
    assert!(cuts > 100 && wholes > 10, "{cuts} cut, {wholes} whole");
}

#[tokio::test]
async fn events_within_a_list_stay_events() {
    let mut script = Script::default().answering(&recording("ami", "iaxpeers"));
    let list = script.answers.get_mut("iaxpeers").unwrap();
    let event = "Event: PeerStatus\r\nPrivilege: system,all\r\nChannelType: IAX2\r\nPeer: IAX2/x\r\nPeerStatus: Registered\r\n\r\n";
    let at = String::from_utf8_lossy(list)
        .find("Event: PeerEntry")
        .unwrap();
    list.splice(at..at, event.bytes());
    let ami = Ami::play([script]).unwrap();
    let (link, mut heard) = connect(&ami, hasty());
    until(&mut heard, is_up).await;
    assert_eq!(link.ask(Action::new("IAXpeers")).await.unwrap().len(), 3);
    let heard = super::next(&mut heard).await;
    let super::Heard::Event(event) = heard else {
        panic!("{heard:?}");
    };
    assert_eq!(event.get("Peer"), Some("IAX2/x"));
}
