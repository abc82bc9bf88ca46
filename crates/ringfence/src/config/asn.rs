//! Autonomous systems: their numbers, and what a service makes of them.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use super::wrong::{Wrong, quoted};

/// `[asn]`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Asn {
    /// The files that say which addresses belong to which system; none: nothing is known of systems.
    pub db: Vec<PathBuf>,
}

/// `asn` of a service: sources that are judged by their system. No number is in both lists.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AsnRule {
    /// Systems that are admitted where countries are, besides those; ascending, none twice.
    pub allow: Vec<AsNumber>,
    /// Systems that are not admitted whatever their country; ascending, none twice.
    pub deny: Vec<AsNumber>,
}

impl AsnRule {
    /// The most numbers of a list.
    pub const MOST: usize = 256;

    /// Whether nothing is asked of systems.
    pub fn is_empty(&self) -> bool {
        self.allow.is_empty() && self.deny.is_empty()
    }
}

/// The number of an autonomous system on the Internet: none that is reserved or private (RFC 6996, RFC 7300, RFC 7607).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AsNumber(pub u32);

impl FromStr for AsNumber {
    type Err = Wrong;

    /// Reads `680`, `AS680` and the form with a point, `1.10` (RFC 5396).
    fn from_str(text: &str) -> Result<Self, Wrong> {
        let wrong = |why: &str, fix: &str| Wrong::new(format!("{} {why}", quoted(text)), fix);
        let digits = match text.get(..2) {
            Some(begin) if begin.eq_ignore_ascii_case("AS") => text.get(2..).unwrap_or_default(),
            _ => text,
        };
        let number = match digits.split_once('.') {
            Some((high, low)) => plain(high).zip(plain(low)).and_then(|(high, low)| {
                let (high, low): (u16, u16) = (high.parse().ok()?, low.parse().ok()?);
                Some(u32::from(high) << 16 | u32::from(low))
            }),
            None => plain(digits).and_then(|digits| digits.parse().ok()),
        };
        let Some(number) = number else {
            return Err(wrong(
                "is no number of an autonomous system",
                "write it as 3320 or \"AS3320\"; `ringfence lookup ADDRESS` shows that of an address",
            ));
        };
        match number {
            0 | 23456 | 65535 | u32::MAX => Err(wrong(
                "is a reserved number, which no network has",
                "write that of the network",
            )),
            64512..=65534 | 4_200_000_000..=4_294_967_294 => Err(wrong(
                "is a private number, which is of nobody on the Internet",
                "write the addresses into `permit` or `deny`",
            )),
            _ => Ok(Self(number)),
        }
    }
}

impl fmt::Display for AsNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AS{}", self.0)
    }
}

/// A text of digits alone.
fn plain(text: &str) -> Option<&str> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then_some(text)
}
