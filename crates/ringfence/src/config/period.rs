//! Lengths of time as an administrator writes them: `90s`, `10m`, `1h30m`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::wrong::{Wrong, quoted};

/// A length of time, written as whole numbers with units, largest unit first: `250ms`, `90s`,
/// `10m`, `2h`, `1d`, `1w`, `1h30m`. At most ten years.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Period(Duration);

/// The units in milliseconds, largest first.
const UNITS: [(&str, u64); 6] = [
    ("w", 7 * 86_400_000),
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

const LONGEST_MS: u64 = 3_650 * 86_400_000;

impl Period {
    /// The length of time as the standard library has it.
    pub fn get(self) -> Duration {
        self.0
    }
}

impl From<Duration> for Period {
    /// Time below a millisecond is cut off when the value is written.
    fn from(time: Duration) -> Self {
        Self(time)
    }
}

impl FromStr for Period {
    type Err = Wrong;

    fn from_str(text: &str) -> Result<Self, Wrong> {
        let wrong = |why: &str| {
            Wrong::new(
                format!("{} is not a length of time: {why}", quoted(text)),
                "write whole numbers with a unit of ms, s, m, h, d or w, such as \"90s\" or \"1h30m\"",
            )
        };
        if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
            return Err(Wrong::new(
                format!("{} has no unit", quoted(text)),
                format!("write \"{text}s\" for seconds, or another unit of ms, m, h, d, w"),
            ));
        }
        if text.is_empty() {
            return Err(wrong("it is empty"));
        }
        let too_long = || {
            Wrong::new(
                format!("{} is longer than ten years", quoted(text)),
                "write at most \"3650d\"",
            )
        };
        let (mut rest, mut next_unit, mut total) = (text, 0, 0_u64);
        while !rest.is_empty() {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            let (number, tail) = rest.split_at(digits);
            let letters = tail.bytes().take_while(u8::is_ascii_alphabetic).count();
            let (unit, tail) = tail.split_at(letters);
            if number.is_empty() {
                return Err(wrong("a number is missing"));
            }
            let Some(index) = UNITS.iter().position(|(name, _)| *name == unit) else {
                return Err(wrong(&format!("{} is not a unit", quoted(unit))));
            };
            if index < next_unit {
                return Err(wrong("the larger unit comes first, and each only once"));
            }
            next_unit = index + 1;
            total = number
                .parse::<u64>()
                .ok()
                .and_then(|n| n.checked_mul(UNITS[index].1))
                .and_then(|ms| total.checked_add(ms))
                .filter(|ms| *ms <= LONGEST_MS)
                .ok_or_else(too_long)?;
            rest = tail;
        }
        Ok(Self(Duration::from_millis(total)))
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX);
        if rest == 0 {
            return f.write_str("0s");
        }
        for (name, size) in UNITS {
            if rest >= size {
                write!(f, "{}{name}", rest / size)?;
                rest %= size;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_are_read_and_written_back() {
        for (text, seconds) in [
            ("90s", 90),
            ("10m", 600),
            ("2h", 7200),
            ("1d", 86_400),
            ("1w", 604_800),
            ("1h30m", 5400),
        ] {
            assert_eq!(
                text.parse::<Period>().unwrap().get(),
                Duration::from_secs(seconds)
            );
        }
        for text in ["250ms", "1m30s", "1h30m", "1w1d", "1s1ms"] {
            assert_eq!(text.parse::<Period>().unwrap().to_string(), text);
        }
        assert_eq!(Period::from(Duration::ZERO).to_string(), "0s");
    }

    #[test]
    fn a_wrong_period_says_what_to_write() {
        for text in [
            "", "s", "10 m", "10M", "-5s", "1.5h", "30m1h", "1s1s", "5sec", "1h30", "é",
        ] {
            assert!(text.parse::<Period>().is_err(), "{text}");
        }
        assert!(
            "600"
                .parse::<Period>()
                .unwrap_err()
                .fix()
                .contains("\"600s\"")
        );
        assert!("9999999w".parse::<Period>().is_err());
        assert!("99999999999999999999999s".parse::<Period>().is_err());
    }
}
