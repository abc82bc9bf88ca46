//! One block of the stream: a response or an event.

use std::fmt;

/// Keys whose values are passwords, or can be turned into one: in `AuthDetail` of PJSIPShowEndpoint and
/// PJSIPShowRegistrationsOutbound, and in failed logins.
const SECRET: [&str; 9] = [
    "Password",
    "Md5Cred",
    "PasswordDigest",
    "OauthSecret",
    "RefreshToken",
    "Secret",
    "Key",
    "Response",
    "ExpectedResponse",
];

/// A block of `Key: value` lines as it was received, in its order, repeated keys included.
///
/// Whoever names an account or a caller can put line ends into a name (`%0d%0a`), and with them lines into a block: what
/// a key says is only known where the block is seen to be whole.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Message {
    fields: Vec<(String, String)>,
}

/// What a block is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind<'m> {
    /// An event of this name.
    Event(&'m str),
    /// A response to an action: "Success", "Error", "Goodbye", "Follows".
    Response(&'m str),
    /// Neither: the rest of a block that was cut in two by a forged name.
    Rest,
}

impl Message {
    /// From the lines of a block. A line without a colon is a key without a value.
    pub fn from_lines<'l>(lines: impl IntoIterator<Item = &'l str>) -> Self {
        let split = |line: &str| match line.split_once(':') {
            Some((key, value)) => (
                key.to_owned(),
                value.strip_prefix(' ').unwrap_or(value).to_owned(),
            ),
            None => (line.to_owned(), String::new()),
        };
        Self {
            fields: lines.into_iter().map(split).collect(),
        }
    }

    /// What it is: its first line says so.
    pub fn kind(&self) -> Kind<'_> {
        match self.fields.first() {
            Some((key, value)) if key.eq_ignore_ascii_case("Event") => Kind::Event(value),
            Some((key, value)) if key.eq_ignore_ascii_case("Response") => Kind::Response(value),
            _ => Kind::Rest,
        }
    }

    /// Its bytes in the stream.
    pub fn size(&self) -> u64 {
        let lines = self
            .fields
            .iter()
            .map(|(key, value)| key.len() + value.len() + 4);
        lines.sum::<usize>() as u64 + 2
    }

    /// The name of the event, if it is one.
    pub fn event(&self) -> Option<&str> {
        match self.kind() {
            Kind::Event(name) => Some(name),
            _ => None,
        }
    }

    /// Keys and values in the order of their lines.
    pub fn fields(&self) -> impl DoubleEndedIterator<Item = (&str, &str)> {
        self.fields
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// The value of the first line with this key.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.fields()
            .find(|(found, _)| found.eq_ignore_ascii_case(key))
            .map(|(_, value)| value)
    }

    /// The value of the first line with this key, unless it is empty.
    pub fn some(&self, key: &str) -> Option<&str> {
        self.get(key).filter(|value| !value.is_empty())
    }

    /// The value of the last line with this key.
    pub fn last(&self, key: &str) -> Option<&str> {
        self.fields()
            .rfind(|(found, _)| found.eq_ignore_ascii_case(key))
            .map(|(_, value)| value)
    }
}

/// Without what must be kept secret.
impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut first = true;
        let shown = self.fields().map(|(key, value)| {
            let secret = !std::mem::take(&mut first)
                && SECRET.iter().any(|name| key.eq_ignore_ascii_case(name));
            (key, if secret { "(not shown)" } else { value })
        });
        f.debug_map().entries(shown).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_found_whatever_their_case_and_the_first_line_says_what_it_is() {
        let message = Message::from_lines([
            "Event: InvalidAccountID",
            "AccountID: a:b",
            "RemoteAddress: forged",
            "remoteaddress: real",
            "Empty:",
            "Output",
        ]);
        assert_eq!(message.kind(), Kind::Event("InvalidAccountID"));
        assert_eq!(message.get("accountid"), Some("a:b"));
        assert_eq!(message.get("RemoteAddress"), Some("forged"));
        assert_eq!(message.last("RemoteAddress"), Some("real"));
        assert_eq!(
            (message.get("Empty"), message.some("Empty")),
            (Some(""), None)
        );
        assert_eq!(message.get("Output"), Some(""));
        assert_eq!(Message::from_lines(["SessionID: 1"]).kind(), Kind::Rest);
    }

    #[test]
    fn passwords_are_not_shown() {
        let message = Message::from_lines([
            "Response: Success",
            "Username: fwtest",
            "Password: trunk-secret",
            "md5cred: 5f4d",
        ]);
        let shown = format!("{message:?}");
        assert!(
            shown.contains("fwtest") && shown.contains("Success"),
            "{shown}"
        );
        assert!(
            !shown.contains("trunk-secret") && !shown.contains("5f4d"),
            "{shown}"
        );
    }
}
