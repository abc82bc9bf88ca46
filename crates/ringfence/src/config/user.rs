//! Users as the file names them: tripwires and emergency numbers.

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

use super::wrong::{Wrong, quoted};

/// The longest user, in bytes.
const LONGEST: usize = 64;
/// The longest number of a range, in digits: it fits in 64 bits.
const DIGITS: usize = 18;

/// A user as it stands before the `@` of a SIP URI (RFC 3261, section 19.1.1); the case of its
/// letters counts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct User(String);

/// Users that nobody here has.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Tripwire {
    /// One user.
    Name(User),
    /// Every number from the first to the last. One written with leading zeros is in no range.
    Range(RangeInclusive<u64>),
}

impl User {
    /// A user that the program itself names.
    pub(super) fn fixed(name: &'static str) -> Self {
        Self(name.to_owned())
    }

    /// The user as it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Tripwire {
    /// Whether `user` is one of the users.
    pub fn catches(&self, user: &User) -> bool {
        match self {
            Self::Name(name) => name == user,
            Self::Range(range) => number(&user.0).is_some_and(|n| range.contains(&n)),
        }
    }
}

/// A number without leading zeros, of at most 18 digits.
fn number(text: &str) -> Option<u64> {
    let leading = text.len() > 1 && text.starts_with('0');
    if leading || text.len() > DIGITS || !digits(text) {
        return None;
    }
    text.parse().ok()
}

fn digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

/// The ends of a text that is written as a range: digits on both sides of its one `-`.
fn ends(text: &str) -> Option<(&str, &str)> {
    text.split_once('-')
        .filter(|(first, last)| digits(first) && digits(last))
}

/// Whether a user may not have the character, or has it escaped.
fn stray(c: char) -> bool {
    c.is_whitespace() || c.is_control() || "@<>;:\"".contains(c)
}

impl FromStr for User {
    type Err = Wrong;

    fn from_str(text: &str) -> Result<Self, Wrong> {
        let wrong =
            |why: &str, fix: String| Err(Wrong::new(format!("{} {why}", quoted(text)), fix));
        if text.is_empty() {
            return wrong("is not a user", "write one such as \"admin\"".into());
        }
        if text.contains(char::is_whitespace) {
            let joined: String = text.split_whitespace().collect();
            let fix = match ends(&joined) {
                Some(_) => format!("write {joined:?}"),
                None => "write each user as an entry of its own".into(),
            };
            return wrong("has a space in it", fix);
        }
        if text.contains(stray) {
            let bare = ["sip:", "sips:", "tel:"]
                .iter()
                .find_map(|scheme| text.strip_prefix(scheme))
                .unwrap_or(text);
            let bare = bare.split(['@', ':', ';']).next().unwrap_or(bare);
            let fix = match bare.is_empty() || bare.contains(stray) {
                true => "write it as it stands before the \"@\" of a SIP URI".into(),
                false => format!("write the user alone: {bare:?}"),
            };
            return wrong("is more than a user", fix);
        }
        if text.len() > LONGEST {
            return wrong(
                "is too long for a user",
                format!("write at most {LONGEST} bytes"),
            );
        }
        if ends(text).is_some() {
            return wrong(
                "is a range",
                "write each number as an entry of its own".into(),
            );
        }
        Ok(Self(text.to_owned()))
    }
}

impl FromStr for Tripwire {
    type Err = Wrong;

    fn from_str(text: &str) -> Result<Self, Wrong> {
        let Some((first, last)) = ends(text) else {
            return text.parse().map(Self::Name);
        };
        let wrong =
            |why: &str, fix: String| Err(Wrong::new(format!("{} {why}", quoted(text)), fix));
        match (number(first), number(last)) {
            (Some(from), Some(to)) if from <= to => Ok(Self::Range(from..=to)),
            (Some(_), Some(_)) => {
                wrong("ends before it begins", format!("write \"{last}-{first}\""))
            }
            _ if first.len().max(last.len()) > DIGITS => wrong(
                "has a number that is too long for a range",
                format!("write at most {DIGITS} digits"),
            ),
            _ => wrong(
                "has a number with leading zeros, which is in no range",
                "write it without them, or each user as an entry of its own".into(),
            ),
        }
    }
}

impl fmt::Display for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Display for Tripwire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(user) => user.fmt(f),
            Self::Range(range) => write!(f, "{}-{}", range.start(), range.end()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(text: &str) -> User {
        text.parse().unwrap()
    }

    #[test]
    fn tripwires_are_read_and_written_back() {
        for text in ["9000-9099", "0-9", "7-7", "1-999999999999999999"] {
            let tripwire: Tripwire = text.parse().unwrap();
            assert!(matches!(tripwire, Tripwire::Range(_)), "{text}");
            assert_eq!(tripwire.to_string(), text);
        }
        let longest = "x".repeat(64);
        for text in [
            "admin",
            "100",
            "007",
            "admin-2",
            "2-",
            "-2",
            "1-2-3",
            "+1-2",
            "jos\u{e9}",
            "%40",
            &longest,
        ] {
            let tripwire: Tripwire = text.parse().unwrap();
            assert_eq!(tripwire, Tripwire::Name(user(text)), "{text}");
            assert_eq!(tripwire.to_string(), text);
        }
    }

    #[test]
    fn a_range_catches_its_numbers_as_they_are_usually_written() {
        let range: Tripwire = "0-9099".parse().unwrap();
        for text in ["0", "1", "911", "9099"] {
            assert!(range.catches(&user(text)), "{text}");
        }
        for text in [
            "9100",
            "00",
            "0911",
            "+911",
            "admin",
            "99999999999999999999",
        ] {
            assert!(!range.catches(&user(text)), "{text}");
        }
        let name: Tripwire = "Admin".parse().unwrap();
        assert!(name.catches(&user("Admin")) && !name.catches(&user("admin")));
    }

    #[test]
    fn a_wrong_user_says_what_to_write() {
        let long = "x".repeat(65);
        for (text, expected) in [
            ("", "`` is not a user; write one such as \"admin\""),
            (
                "admin root",
                "`admin root` has a space in it; write each user as an entry of its own",
            ),
            ("9000 - 9099", "write \"9000-9099\""),
            (
                "sip:admin@example.com",
                "is more than a user; write the user alone: \"admin\"",
            ),
            ("admin;phone-context=x", "the user alone: \"admin\""),
            ("admin@", "the user alone: \"admin\""),
            ("<sip:admin>", "before the \"@\" of a SIP URI"),
            ("\"admin\"", "before the \"@\""),
            ("sip:@example.com", "before the \"@\""),
            ("ad\u{7}min", "`ad\\u{7}min` is more than a user"),
            (&long, "is too long for a user; write at most 64 bytes"),
            ("9099-9000", "ends before it begins; write \"9000-9099\""),
            ("0100-0199", "has a number with leading zeros"),
            ("1-09", "or each user as an entry of its own"),
            (
                "1-1000000000000000000",
                "too long for a range; write at most 18 digits",
            ),
        ] {
            let shown = text.parse::<Tripwire>().unwrap_err().to_string();
            assert!(shown.contains(expected), "{shown}");
        }
        let shown = "900-911".parse::<User>().unwrap_err().to_string();
        assert_eq!(
            shown,
            "`900-911` is a range; write each number as an entry of its own"
        );
    }
}
