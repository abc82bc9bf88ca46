//! The guard against toll fraud.

use std::fmt;
use std::str::FromStr;

use super::countries::CountryCode;
use super::hours::Hours;
use super::words::{Mode, words};
use super::wrong::{Wrong, quoted};

words! {
    /// What is done when a limit is passed.
    pub enum FraudAction {
        /// Say so.
        Tell = "tell",
        /// Hang the call up.
        Hangup = "hangup",
        /// Ban the endpoint's address.
        Ban = "ban",
        /// Remove the endpoint's contact, so that it has to register again.
        Remove = "remove",
    }
}

/// What an endpoint may do before it looks like fraud.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FraudLimits {
    /// Calls begun in a minute, 1 to 500.
    pub attempts: u32,
    /// Calls at once, 1 to 500.
    pub concurrent: u32,
    /// Different numbers called in an hour, 1 to 500.
    pub destinations: u32,
    /// Calls to expensive numbers in an hour, 0 to 500.
    pub expensive: u32,
}

/// The guard against toll fraud: `[fraud]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fraud {
    /// Whether more is done than to tell.
    pub mode: Mode,
    /// What is done when a limit is passed, none twice.
    pub action: Vec<FraudAction>,
    /// The limits, in office hours where there are any.
    pub open: FraudLimits,
    /// The limits outside of them.
    pub closed: FraudLimits,
    /// Office hours; none: always open.
    pub hours: Vec<Hours>,
    /// The country whose numbers are national here.
    pub home: Option<CountryCode>,
    /// What is dialled to get out; where there is any, a number without it is an extension.
    pub outside: Vec<Dialled>,
    /// Beginnings of numbers that are expensive, besides those that ship.
    pub expensive: Vec<Dialled>,
    /// Beginnings of numbers that are not.
    pub cheap: Vec<Dialled>,
    /// Endpoints that have no limits, such as `PJSIP/provider`.
    pub exempt: Vec<String>,
    /// Contexts in which calls come in; one stands also for those that go on with `-`.
    pub incoming: Vec<String>,
}

impl Default for Fraud {
    fn default() -> Self {
        let incoming = ["from-trunk", "from-pstn", "from-did", "from-sip-external"];
        Self {
            mode: Mode::Shadow,
            action: vec![FraudAction::Tell],
            open: FraudLimits {
                attempts: 20,
                concurrent: 5,
                destinations: 60,
                expensive: 10,
            },
            closed: FraudLimits {
                attempts: 5,
                concurrent: 2,
                destinations: 10,
                expensive: 0,
            },
            hours: Vec::new(),
            home: None,
            outside: Vec::new(),
            expensive: Vec::new(),
            cheap: Vec::new(),
            exempt: Vec::new(),
            incoming: incoming.map(str::to_owned).into(),
        }
    }
}

/// The beginning of a number as it is dialled: 1 to 15 digits, `+` before them or not.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Dialled(String);

impl Dialled {
    /// As it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Dialled {
    type Err = Wrong;

    fn from_str(text: &str) -> Result<Self, Wrong> {
        let digits = text.strip_prefix('+').unwrap_or(text);
        if (1..=15).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit()) {
            return Ok(Self(text.to_owned()));
        }
        Err(Wrong::new(
            format!("{} is not the beginning of a number", quoted(text)),
            "write 1 to 15 digits as they are dialled, such as \"0900\" or \"+44\"",
        ))
    }
}

impl fmt::Display for Dialled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}
