//! Rules on their way, and what became of them.

use super::{Facts, HostError, plan, print};
use crate::config::Config;
use crate::country::CountryData;
use crate::nft;

/// Rules that are ready to be put in force.
#[derive(Debug, Clone)]
pub struct Ready {
    pub(super) batch: String,
    pub(super) rules: String,
    pub(super) policy: String,
}

impl Ready {
    /// Makes them.
    ///
    /// # Errors
    /// When they cannot be written as JSON.
    pub fn new(config: &Config, facts: &Facts, data: &CountryData) -> Result<Self, HostError> {
        let rules = plan(config, facts, data);
        Ok(Self {
            batch: nft::text(&rules.batch())?,
            rules: print::rules(&rules),
            policy: print::policy(config),
        })
    }
}

/// What became of rules that were to be applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applied {
    /// They stand.
    Stand,
    /// They stood already.
    Stood,
    /// They stand until their time is over, unless they are confirmed.
    OnTrial,
    /// They were tried and not confirmed: what was confirmed last stands, if anything.
    Lapsed,
}

/// What a look at the table found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// Nothing is to stand.
    Nothing,
    /// It is as it was made.
    Intact,
    /// It was gone, and stands again.
    Gone,
    /// It was changed by somebody else, and is again as it was made.
    Changed,
    /// A trial was over and nobody had ended it: what stood before is back.
    Ended,
}

/// Whether rules are on trial.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnTrial {
    /// They are not.
    No,
    /// They are.
    Yes,
    /// They were, and nobody confirmed them.
    Lapsed,
}
