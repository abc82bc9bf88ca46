//! What a signature is.

use ringfence_core::automaton::{Counted, Location};

/// A named pattern, or several that must all be found in one message, and what follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// The stable name that reports, `enable` and `disable` use.
    pub id: String,
    /// What must be found; never empty.
    pub conditions: Vec<Condition>,
    /// What happens to a message in which all of it is found.
    pub effect: Effect,
    /// Whether it is looked for.
    pub enabled: bool,
    /// How likely it is to hit a real phone or server.
    pub risk: Risk,
    /// What an administrator should know about it.
    pub note: Option<String>,
}

/// One thing that must be found.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Condition {
    /// A text in a part of the message.
    Text {
        /// The part.
        location: Location,
        /// How the value is compared.
        test: Test,
        /// The text, or the regular expression.
        value: String,
        /// Whether `a` and `A` differ.
        case_sensitive: bool,
    },
    /// A header that occurs more often than `limit` times.
    Over {
        /// The header.
        header: Counted,
        /// How often it may occur.
        limit: u16,
    },
}

/// Where a condition looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// At the text of a part of the message.
    Text(Location),
    /// At how often a header occurs.
    Count(Counted),
}

impl Place {
    /// The place of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        let text = Location::ALL
            .into_iter()
            .find(|at| at.name() == name)
            .map(Self::Text);
        text.or_else(|| {
            Counted::ALL
                .into_iter()
                .find(|at| at.name() == name)
                .map(Self::Count)
        })
    }

    /// The names of all places, in the order of the core's numbers.
    pub fn names() -> impl Iterator<Item = &'static str> {
        Location::ALL
            .into_iter()
            .map(Location::name)
            .chain(Counted::ALL.map(Counted::name))
    }
}

/// How a text is compared with a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Test {
    /// It is the whole value.
    Exact,
    /// The value begins with it.
    Prefix,
    /// The value does not begin with it. An empty value is no hit.
    NotPrefix,
    /// It is anywhere in the value.
    Contains,
    /// It is a regular expression over bytes that matches anywhere in the value.
    Regex,
}

impl Test {
    /// Every test with the name that lists use.
    pub const NAMED: [(&str, Self); 5] = [
        ("exact", Self::Exact),
        ("prefix", Self::Prefix),
        ("not-prefix", Self::NotPrefix),
        ("contains", Self::Contains),
        ("regex", Self::Regex),
    ];
}

/// What a hit does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The message is dropped.
    Drop,
    /// The message is dropped and its source banned.
    Ban,
    /// The message gets points; 100 of them drop it.
    Score(u16),
}

/// How likely a signature is to hit a real phone or server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Risk {
    /// Nothing that belongs on a telephone network sends this.
    None,
    /// A rare or badly configured product may.
    Low,
    /// Real software does in some places: such a signature may drop, and does not ban.
    Medium,
    /// Widespread products do: shipped switched off.
    High,
}

impl Risk {
    /// Every risk with the name that lists use.
    pub const NAMED: [(&str, Self); 4] = [
        ("none", Self::None),
        ("low", Self::Low),
        ("medium", Self::Medium),
        ("high", Self::High),
    ];
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_has_its_name() {
        for name in Place::names() {
            assert!(Place::from_name(name).is_some(), "{name}");
        }
        assert_eq!(
            Place::names().count(),
            Location::ALL.len() + Counted::ALL.len()
        );
    }
}
