//! Who got round the fence, and who calls as no phone does.

use std::time::Duration;

use ringfence_lab::asterisk::{Recording, Script};
use ringfence_lab::{Lab, needs_root};

use crate::{
    asterisk, banned, events, folder, guard, is_registered, play, policy, said, section, until,
};

/// A registration from a country that is not admitted, over a port that nobody guards.
#[test]
fn a_stranger_that_is_registered_is_removed_and_banned() {
    if needs_root() {
        return;
    }
    let lab = Lab::new().unwrap();
    let stranger = "203.0.113.200";
    // The call that made the recorded contact of 1001 comes from elsewhere.
    let mut told = String::from_utf8(events("01-register-ok-udp", true)).unwrap();
    let call = "7eb062b6bf5d4764";
    told = told
        .replace("1-16559@198.51.100.11", call)
        .replace("198.51.100.11", stranger);
    let ami = asterisk(&lab, told.into_bytes());
    let notices = tempfile::tempdir().unwrap();
    let script = notices.path().join("note");
    let kept = notices.path().join("kept");
    std::fs::write(&script, format!("#!/bin/sh\ncat >> {}\n", kept.display())).unwrap();
    std::process::Command::new("chmod")
        .arg("+x")
        .arg(&script)
        .status()
        .unwrap();
    let tables = format!(
        "{}[audit]\nevery = \"10s\"\nstrangers = \"ban\"\n[notify.command]\nrun = [{:?}]\n",
        section(&ami),
        script.to_str().unwrap()
    );
    let fence = guard(&lab, &policy(&tables));
    until(&fence, "the stranger is banned", || {
        banned(&fence, stranger).is_some()
    });
    assert!(!is_registered(&fence, stranger, "1001"));
    until(&fence, "its contact is removed", || {
        let removes = |block: &String| {
            block.contains("Action: DBDel")
                && block.contains("Family: registrar/contact")
                && block.contains("Key: 1001;@0154273dcf0e6298fb270477124c00df")
        };
        ami.asked().iter().any(removes)
    });
    let removed = ami.asked();
    let removed = removed
        .iter()
        .filter(|block| block.contains("Action: DBDel"));
    assert!(
        removed.clone().all(|block| block.contains("Key: 1001;")),
        "{removed:?}"
    );
    until(&fence, "people are told", || {
        let told = std::fs::read_to_string(&kept).unwrap_or_default();
        told.contains("\"audit\"") && told.contains("\"ban\"") && told.contains(stranger)
    });
}

/// Calls beyond what is allowed are hung up; an emergency call is not.
#[test]
fn toll_fraud_is_hung_up_and_emergency_calls_are_not() {
    if needs_root() {
        return;
    }
    let lab = Lab::new().unwrap();
    let one = String::from_utf8(events("12-call-ok", false)).unwrap();
    let mut told = String::new();
    for number in 0..6 {
        let exten = if number % 2 == 0 {
            "0088213000001"
        } else {
            "112"
        };
        told.push_str(
            &one.replace("Exten: 100", &format!("Exten: {exten}"))
                .replace(
                    "PJSIP/1001-00000000",
                    &format!("PJSIP/1001-0000000{number}"),
                )
                .replace("1795226809.0", &format!("1795226809.{number}")),
        );
    }
    let mut script = Script {
        events: told.into_bytes(),
        ..Script::default()
    };
    script.answers.insert(
        "hangup".into(),
        b"Response: Success\r\nMessage: Channel Hungup\r\n\r\n".to_vec(),
    );
    let settings = Recording::load(&folder("ami"), "core-settings").unwrap();
    let ami = play(&lab, script.answering(&settings));
    let tables = format!(
        "{}[fraud]\nmode = \"enforce\"\naction = [\"tell\", \"hangup\"]\nexpensive = 1\nhome = \"GB\"\n",
        section(&ami)
    );
    let fence = guard(&lab, &policy(&tables));
    let hung = |channel: &str| {
        let asked = ami.asked();
        asked
            .iter()
            .any(|block| block.contains("Action: Hangup") && block.contains(channel))
    };
    until(&fence, "the second expensive call is hung up", || {
        hung("PJSIP/1001-00000002")
    });
    until(&fence, "and so is the third", || {
        hung("PJSIP/1001-00000004")
    });
    std::thread::sleep(Duration::from_secs(1));
    for emergency in ["00000001", "00000003", "00000005"] {
        assert!(!hung(&format!("PJSIP/1001-{emergency}")), "{emergency}");
    }
    assert!(!hung("PJSIP/1001-00000000"));
    assert!(said(&fence, &["status"]).contains("Asterisk: connected"));
}
