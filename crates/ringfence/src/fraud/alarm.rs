//! What is said of an endpoint that passed a limit.

use std::fmt;

use crate::config::FraudAction;

/// Which limit an endpoint passed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// It began more calls in a minute than this.
    Attempts(u32),
    /// It has more calls at once than this.
    Concurrent(u32),
    /// It called more different numbers in an hour than this.
    Destinations(u32),
    /// It called expensive numbers more often in an hour than this.
    Expensive {
        /// The limit.
        limit: u32,
        /// Why the last of them is expensive.
        range: String,
    },
}

impl Why {
    /// How many there are.
    pub(super) const ALL: usize = 4;

    /// A number from 0 for each.
    pub(super) fn number(&self) -> usize {
        match self {
            Self::Attempts(_) => 0,
            Self::Concurrent(_) => 1,
            Self::Destinations(_) => 2,
            Self::Expensive { .. } => 3,
        }
    }

    /// Its name in events and counters.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Attempts(_) => "attempts",
            Self::Concurrent(_) => "concurrent",
            Self::Destinations(_) => "destinations",
            Self::Expensive { .. } => "expensive",
        }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Attempts(limit) => write!(f, "more than {limit} calls begun in a minute"),
            Self::Concurrent(limit) => write!(f, "more than {limit} calls at once"),
            Self::Destinations(limit) => {
                write!(f, "more than {limit} different numbers in an hour")
            }
            Self::Expensive { limit: 0, range } => write!(f, "an expensive number ({range})"),
            Self::Expensive { limit, range } => {
                write!(
                    f,
                    "more than {limit} calls to expensive numbers in an hour, the last: {range}"
                )
            }
        }
    }
}

/// An endpoint has passed a limit with a call. Its names are as Asterisk said them and may hold what a terminal obeys;
/// its `Display` does not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alarm {
    /// The endpoint with its technology, such as `PJSIP/1001`.
    pub endpoint: String,
    /// The channel of the call, such as `PJSIP/1001-00000001`.
    pub channel: String,
    /// The number that was called.
    pub destination: String,
    /// The limit.
    pub why: Why,
    /// What is to be done; in shadow mode, what would be.
    pub action: Vec<FraudAction>,
    /// Nothing is to be done but to tell.
    pub shadow: bool,
}

impl fmt::Display for Alarm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} calls {}: {}",
            self.endpoint.escape_debug(),
            self.destination.escape_debug(),
            self.why
        )
    }
}
