//! Rates (`5/10s burst 10`), thresholds (`30/60s`) and the classes of message that have a rate.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::period::Period;
use super::words::words;
use super::wrong::{Wrong, quoted};

/// So many in so long, and how many at once: `"5/10s burst 10"`. The burst is `count` when it is
/// not written; a unit alone is one of it (`"1000/s"`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Rate {
    /// How many, 1 to 1,000,000.
    pub count: u32,
    /// In how long, one millisecond to one day.
    pub per: Duration,
    /// How many at once before the rate holds, 1 to 1,000,000.
    pub burst: u32,
}

/// So many within a window of time: `"30/60s"`. Limits as for [`Rate`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Threshold {
    /// How many, 1 to 1,000,000.
    pub count: u32,
    /// In how long, one millisecond to one day.
    pub within: Duration,
}

words! {
    /// The classes of message that a service counts apart. The names are those of `rate` and
    /// `from` in the file.
    pub enum MessageClass {
        /// REGISTER.
        Register = "REGISTER",
        /// INVITE.
        Invite = "INVITE",
        /// OPTIONS.
        Options = "OPTIONS",
        /// SUBSCRIBE.
        Subscribe = "SUBSCRIBE",
        /// PUBLISH.
        Publish = "PUBLISH",
        /// MESSAGE.
        Message = "MESSAGE",
        /// Any other request with a To tag.
        InDialogue = "in-dialogue",
        /// Any other request.
        Other = "other",
        /// Responses.
        Responses = "responses",
        /// What is no SIP.
        NotSip = "not-sip",
        /// A new TCP connection.
        NewTcp = "new-tcp",
    }
}

/// A rate for each [`MessageClass`], for a source that is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rates([Rate; MessageClass::ALL.len()]);

impl Rates {
    /// The rate of a class.
    pub fn of(&self, class: MessageClass) -> Rate {
        self.0[class as usize]
    }

    /// Sets the rate of a class.
    pub fn set(&mut self, class: MessageClass, rate: Rate) {
        self.0[class as usize] = rate;
    }
}

impl Default for Rates {
    fn default() -> Self {
        Self(MessageClass::ALL.map(default_rate))
    }
}

const fn per_10s(count: u32, burst: u32) -> Rate {
    Rate {
        count,
        per: Duration::from_secs(10),
        burst,
    }
}

const fn default_rate(class: MessageClass) -> Rate {
    match class {
        MessageClass::Register => per_10s(10, 20),
        MessageClass::Invite => per_10s(5, 10),
        MessageClass::Subscribe | MessageClass::Publish | MessageClass::NewTcp => per_10s(10, 10),
        MessageClass::InDialogue => per_10s(50, 50),
        MessageClass::Responses => Rate {
            count: 50,
            per: Duration::from_secs(1),
            burst: 50,
        },
        MessageClass::Options
        | MessageClass::Message
        | MessageClass::Other
        | MessageClass::NotSip => per_10s(5, 5),
    }
}

const MOST: u32 = 1_000_000;
const SHORTEST: Duration = Duration::from_millis(1);
const LONGEST: Duration = Duration::from_secs(86_400);

/// Reads a count of 1 to 1,000,000; `whole` is the text it stands in.
fn count(text: &str, whole: &str) -> Result<u32, Wrong> {
    // `parse` would take a sign.
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !digits {
        return Err(form(whole));
    }
    text.parse()
        .ok()
        .filter(|n| (1..=MOST).contains(n))
        .ok_or_else(|| {
            Wrong::new(
                format!("{} in {} is out of range", quoted(text), quoted(whole)),
                "write a number from 1 to 1000000",
            )
        })
}

fn form(whole: &str) -> Wrong {
    Wrong::new(
        format!("{} is not a rate", quoted(whole)),
        "write how many in how long, such as \"5/10s\" or \"5/10s burst 10\"",
    )
}

fn count_per_time(text: &str, whole: &str) -> Result<(u32, Duration), Wrong> {
    let (number, time) = text.split_once('/').ok_or_else(|| form(whole))?;
    let number = count(number.trim(), whole)?;
    let time = time.trim();
    let period: Period = if time.bytes().all(|b| b.is_ascii_alphabetic()) && !time.is_empty() {
        format!("1{time}").parse()
    } else {
        time.parse()
    }
    .map_err(|e: Wrong| {
        Wrong::new(
            format!("in the rate {}: {}", quoted(whole), e.message()),
            e.fix(),
        )
    })?;
    if !(SHORTEST..=LONGEST).contains(&period.get()) {
        return Err(Wrong::new(
            format!("the time in {} is out of range", quoted(whole)),
            "write a time from \"1ms\" to \"1d\"",
        ));
    }
    Ok((number, period.get()))
}

impl FromStr for Rate {
    type Err = Wrong;

    fn from_str(text: &str) -> Result<Self, Wrong> {
        let (rate, burst) = match text.split_once(" burst ") {
            Some((rate, burst)) => (rate, Some(count(burst.trim(), text)?)),
            None => (text, None),
        };
        let (count, per) = count_per_time(rate, text)?;
        Ok(Self {
            count,
            per,
            burst: burst.unwrap_or(count),
        })
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.count, Period::from(self.per))?;
        if self.burst != self.count {
            write!(f, " burst {}", self.burst)?;
        }
        Ok(())
    }
}

impl FromStr for Threshold {
    type Err = Wrong;

    fn from_str(text: &str) -> Result<Self, Wrong> {
        count_per_time(text, text)
            .map(|(count, within)| Self { count, within })
            .map_err(|e| match text.contains("burst") {
                true => Wrong::new(
                    format!(
                        "{} names a burst, which a threshold does not have",
                        quoted(text)
                    ),
                    "write how many within how long, such as \"30/60s\"",
                ),
                false => e,
            })
    }
}

impl fmt::Display for Threshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.count, Period::from(self.within))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_read_and_written_back() {
        let rate: Rate = "5/10s burst 10".parse().unwrap();
        assert_eq!(rate, per_10s(5, 10));
        assert_eq!("5/10s".parse::<Rate>().unwrap().burst, 5);
        assert_eq!(
            "1000/s".parse::<Rate>().unwrap().per,
            Duration::from_secs(1)
        );
        for text in ["5/10s burst 10", "50/1s", "1/1d", "1000000/1ms"] {
            assert_eq!(text.parse::<Rate>().unwrap().to_string(), text);
        }
        let threshold: Threshold = "30/60s".parse().unwrap();
        assert_eq!(
            (threshold.count, threshold.within),
            (30, Duration::from_secs(60))
        );
    }

    #[test]
    fn wrong_rates_are_refused() {
        for text in [
            "",
            "5",
            "5/",
            "/10s",
            "5/10",
            "5/10x",
            "0/10s",
            "1000001/1s",
            "5/2d",
            "5/0s",
            "+5/1s",
            "5/10s burst",
            "5/10s burst 0",
            "5/10s burst x",
            "5 per 10s",
            "99999999999/1s",
            "5/1s/2",
        ] {
            assert!(text.parse::<Rate>().is_err(), "{text}");
        }
        assert!(
            "30/60s burst 4"
                .parse::<Threshold>()
                .unwrap_err()
                .message()
                .contains("burst")
        );
    }

    #[test]
    fn each_class_keeps_its_own_rate() {
        let mut rates = Rates::default();
        assert_eq!(
            rates.of(MessageClass::Register).to_string(),
            "10/10s burst 20"
        );
        assert_eq!(rates.of(MessageClass::Responses).to_string(), "50/1s");
        rates.set(MessageClass::NotSip, per_10s(1, 2));
        assert_eq!(rates.of(MessageClass::NotSip), per_10s(1, 2));
        assert_eq!(rates.of(MessageClass::NewTcp), per_10s(10, 10));
    }
}
