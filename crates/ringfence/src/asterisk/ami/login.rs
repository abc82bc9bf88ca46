//! How the session begins: greeting, login, and what Asterisk is asked to send.

use std::fmt::Write as _;

use md5::{Digest as _, Md5};

use super::Action;
use crate::config::Secret;

/// The classes of events that are of use here. Those of the dial plan stay out: there a caller's text can stand last.
pub const EVENT_MASK: &str = "system,security,call";

/// Events that Asterisk itself is asked to drop, as basic regular expressions over the whole of an event.
///
/// They cover what cannot be told on this side: a security event that was completed within a name with another behind it,
/// and text of a phone that stands last in its event: what a call is dialled with, where a phone that was called sends
/// the call, and where a call is transferred to. No other event of [`EVENT_MASK`] ends in such a text.
pub const FILTERS: [&str; 4] = [
    "!^Event: .*RemoteAddress: .*[[:cntrl:]][Ee][Vv][Ee][Nn][Tt]:",
    "!^Event: DialBegin.*DialString: .*[[:cntrl:]][^[:cntrl:]]",
    "!^Event: DialEnd.*Forward: .*[[:cntrl:]][^[:cntrl:]]",
    "!^Event: BlindTransfer",
];

/// What Asterisk greets with, up to the version of the protocol.
pub(super) const GREETING: &[u8] = b"Asterisk Call Manager";

/// What proves that we know the secret: the MD5 digest of Asterisk's challenge and the secret, in hex.
pub(super) fn key(secret: &Secret, challenge: &str) -> String {
    let digest = Md5::new()
        .chain_update(challenge)
        .chain_update(secret.expose());
    hex(&digest.finalize())
}

/// Bytes as hex digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // A string takes everything.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Asks for a challenge.
pub(super) fn challenge() -> Action {
    Action::new("Challenge").with("AuthType", "MD5")
}

/// Answers it, and asks for no events yet.
pub(super) fn login(user: &str, key: String) -> Action {
    Action::new("Login")
        .with("AuthType", "MD5")
        .with("Username", user)
        .with("Key", key)
        .with("Events", "off")
}

/// Asks Asterisk to drop what `filter` matches.
pub(super) fn filter(filter: &str) -> Action {
    Action::new("Filter")
        .with("Operation", "Add")
        .with("Filter", filter)
}

/// Asks for the events.
pub(super) fn events() -> Action {
    Action::new("Events").with("EventMask", EVENT_MASK)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_what_a_real_asterisk_accepted() {
        // The recording login-md5-ok.
        let key = key(&Secret::new("fw-secret-1"), "25896573");
        assert_eq!(key, "eb6e0f9c086821a524f1a8c6c1d6d54e");
    }

    /// Whether Asterisk would drop an event.
    fn dropped(event: &str) -> bool {
        use regex_automata::meta::Regex;
        FILTERS.iter().any(|filter| {
            let pattern = filter.strip_prefix('!').unwrap();
            Regex::new(&format!("(?s){pattern}"))
                .unwrap()
                .is_match(event)
        })
    }

    #[test]
    fn the_filters_drop_what_is_forged_and_nothing_that_was_recorded() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
        let folder = root.join("tests/fixtures/asterisk/events");
        let mut seen = 0;
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "rx") {
                let stream = std::fs::read_to_string(path).unwrap();
                for event in stream.split_inclusive("\r\n\r\n") {
                    assert!(!dropped(event), "{event}");
                    seen += 1;
                }
            }
        }
        assert!(seen > 100, "{seen}");
        let head = "Event: InvalidAccountID\r\nPrivilege: security,all\r\nAccountID: x\r\n";
        let end = "SessionID: s\r\nLocalAddress: l\r\nRemoteAddress: r\r\n\r\n";
        assert!(!dropped(&format!("{head}{end}")));
        for event in ["Event: SuccessfulAuth", "EVENT: x"] {
            assert!(dropped(&format!(
                "{head}{end}{event}\r\nAccountID: y\r\n{end}"
            )));
        }
        let dial = |text: &str| {
            format!("Event: DialBegin\r\nDestUniqueid: 1\r\nDialString: {text}\r\n\r\n")
        };
        assert!(!dropped(&dial("PJSIP/100@trunk")));
        assert!(dropped(&dial("1\r\n\r\nEvent: SuccessfulAuth")));
        assert!(dropped(&dial("1\r\n\r\njunk\r\nRemoteAddress: r")));
        let forward =
            |text: &str| format!("Event: DialEnd\r\nDialStatus: X\r\nForward: {text}\r\n\r\n");
        assert!(!dropped(&forward("Local/100@phones")));
        assert!(dropped(&forward("1\r\n\r\nEvent: SuccessfulAuth")));
        let transfer = "Event: BlindTransfer\r\nResult: Success\r\nContext: phones\r\n";
        assert!(dropped(&format!(
            "{transfer}Extension: 1\r\n\r\nEvent: SuccessfulAuth\r\n{end}"
        )));
    }

    #[test]
    fn the_secret_is_not_shown() {
        let shown = format!("{:?}", Secret::new("fw-secret-1"));
        assert!(!shown.contains("secret-1"), "{shown}");
    }
}
