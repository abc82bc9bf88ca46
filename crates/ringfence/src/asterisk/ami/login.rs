//! How the session begins: greeting, login, and what Asterisk is asked to send.

use std::fmt::{self, Write as _};

use md5::{Digest as _, Md5};

use super::Action;

/// The classes of events that are of use here. Those of the dial plan stay out: there a caller's text can stand last.
pub const EVENT_MASK: &str = "system,security,call";

/// Events that Asterisk itself is asked to drop, as basic regular expressions over the whole of an event.
///
/// They cover what cannot be told on this side: a security event that was completed within a name with another behind it,
/// and text in what a call is dialled with, which stands last in its event.
pub const FILTERS: [&str; 2] = [
    "!^Event: .*RemoteAddress: .*[[:cntrl:]][Ee][Vv][Ee][Nn][Tt]:",
    "!^Event: DialBegin.*DialString: .*[[:cntrl:]][^[:cntrl:]]",
];

/// What Asterisk greets with, up to the version of the protocol.
pub(super) const GREETING: &[u8] = b"Asterisk Call Manager";

/// The secret of a user of the manager interface. It is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// From its text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What proves that we know it: the MD5 digest of Asterisk's challenge and the secret, in hex.
    pub(super) fn key(&self, challenge: &str) -> String {
        let digest = Md5::new().chain_update(challenge).chain_update(&self.0);
        hex(&digest.finalize())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(not shown)")
    }
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
        let key = Secret::new("fw-secret-1").key("25896573");
        assert_eq!(key, "eb6e0f9c086821a524f1a8c6c1d6d54e");
    }

    #[test]
    fn the_secret_is_not_shown() {
        let shown = format!("{:?}", Secret::new("fw-secret-1"));
        assert!(!shown.contains("secret-1"), "{shown}");
    }
}
