//! What the manager interface says.

use std::thread;

use ringfence_lab::{Lab, needs_root};

use crate::{NEVER, asterisk, banned, events, guard, is_registered, policy, said, section, until};

/// A phone that packets say nothing of is known, and one that guesses passwords is shut out.
#[test]
fn phones_under_tls_are_learned_and_guessers_banned() {
    if needs_root() {
        return;
    }
    let lab = Lab::new().unwrap();
    let told = [
        events("02-register-ok-tcp", true),
        events("32-svcrack", true),
        events("08-register-max-contacts-exceeded", true),
        events("20-stale-nonce-reuse-after-40s", true),
    ];
    let ami = asterisk(&lab, told.concat());
    let fence = guard(&lab, &policy(&section(&ami)));
    until(&fence, "the phone is registered", || {
        is_registered(&fence, "198.51.100.12", "1012")
    });
    until(&fence, "the guesser is banned", || {
        banned(&fence, "203.0.113.63").as_deref() == Some("failures")
    });
    // One contact too many, and a nonce that was too old.
    for phone in ["198.51.100.118", "198.51.100.24"] {
        assert_eq!(banned(&fence, phone), None);
    }
    let status = said(&fence, &["status"]);
    assert!(status.contains("Asterisk: connected"), "{status}");
    let why = said(&fence, &["why", "203.0.113.63"]);
    assert!(why.contains("failures"), "{why}");
    let log = fence.log().unwrap();
    assert!(!log.contains("fw-secret-1"), "{log}");
}

/// What packets show is counted by packets: the recorded events alone say nothing new of it.
#[test]
fn what_packets_show_is_not_counted_again() {
    if needs_root() {
        return;
    }
    let lab = Lab::new().unwrap();
    let ami = asterisk(&lab, events("32-svcrack", false));
    let fence = guard(&lab, &policy(&section(&ami)));
    until(&fence, "Asterisk is connected", || {
        said(&fence, &["status"]).contains("Asterisk: connected")
    });
    thread::sleep(NEVER);
    assert_eq!(banned(&fence, "203.0.113.63"), None);
}

/// A name with line ends bans its sender and nobody else, and ends nothing.
#[test]
fn a_forged_event_misleads_nobody() {
    if needs_root() {
        return;
    }
    let lab = Lab::new().unwrap();
    let innocent = "198.51.100.12";
    let mut told = events("02-register-ok-tcp", true);
    let forged = |kind: &str, account: &str| {
        format!(
            "Event: {kind}\r\nPrivilege: security,all\r\nEventTV: 2026-11-21T02:06:11.714+0000\r\nSeverity: Error\r\n\
             Service: PJSIP\r\nEventVersion: 1\r\nAccountID: {account}\r\nSessionID: s1\r\n\
             LocalAddress: IPV4/TLS/192.0.2.10/5060\r\nRemoteAddress: IPV4/TLS/{innocent}/5060\r\n"
        )
    };
    for number in 0..10 {
        let head = "Event: InvalidAccountID\r\nPrivilege: security,all\r\n\
                    EventTV: 2026-11-21T02:06:16.801+0000\r\nSeverity: Error\r\nService: PJSIP\r\nEventVersion: 1\r\n";
        let name = format!(
            "x{number}\r\n\r\n{}\r\nEvent: Shutdown\r\nPrivilege: system,all\r\nShutdown: Cleanly\r\nRestart: False\r\n\r\ny",
            forged("InvalidPassword", "1012")
        );
        let rest = "SessionID: real\r\nLocalAddress: IPV4/TLS/192.0.2.10/5060\r\n\
                    RemoteAddress: IPV4/TLS/203.0.113.7/5060\r\n\r\n";
        told.extend(format!("{head}AccountID: {name}\r\n{rest}").into_bytes());
    }
    let ami = asterisk(&lab, told);
    let fence = guard(&lab, &policy(&section(&ami)));
    until(&fence, "the forger is banned", || {
        banned(&fence, "203.0.113.7").is_some()
    });
    until(&fence, "the phone is registered", || {
        is_registered(&fence, innocent, "1012")
    });
    thread::sleep(NEVER);
    assert_eq!(banned(&fence, innocent), None);
    let status = said(&fence, &["status"]);
    assert!(status.contains("Asterisk: connected"), "{status}");
}

/// Nothing of all this is there where nobody asked for it.
#[test]
fn without_the_sections_nothing_is_opened() {
    if needs_root() {
        return;
    }
    let lab = Lab::new().unwrap();
    let fence = guard(&lab, &policy(""));
    let sockets = lab.pbx.inside(|| {
        ["tcp", "tcp6"]
            .map(|kind| std::fs::read_to_string(format!("/proc/thread-self/net/{kind}")).unwrap())
    });
    for table in sockets.unwrap() {
        assert_eq!(table.lines().count(), 1, "{table}");
    }
    let status = said(&fence, &["status"]);
    assert!(!status.contains("Asterisk"), "{status}");
}

/// Asterisk goes away and comes back, and people are told.
#[test]
fn an_absent_asterisk_is_told_and_holds_up_nothing() {
    if needs_root() {
        return;
    }
    let lab = Lab::new().unwrap();
    let ami = asterisk(&lab, events("02-register-ok-tcp", true));
    let address = section(&ami);
    let fence = guard(&lab, &policy(&address));
    until(&fence, "Asterisk is connected", || {
        said(&fence, &["status"]).contains("Asterisk: connected")
    });
    until(&fence, "the phone is learned", || {
        is_registered(&fence, "198.51.100.12", "1012")
    });
    drop(ami);
    until(&fence, "its absence is told", || {
        !said(&fence, &["status"]).contains("Asterisk: connected")
    });
    assert!(is_registered(&fence, "198.51.100.12", "1012"));
}
