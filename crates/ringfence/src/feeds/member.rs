//! One feed as the keeper has it, and how long it waits.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use jiff::{SignedDuration, Timestamp};

use super::about::made_of;
use super::filter::{Caught, LeftOut};
use super::row::{Row, Standing};
use super::{About, FeedError, Nets};
use crate::config::Feed;

/// After a start nothing is asked for before this.
pub(super) const FIRST: Duration = Duration::from_secs(5);
/// Within so long after that the first ones are asked for.
pub(super) const SPREAD: Duration = Duration::from_secs(25);
/// The pause after a first failure; each further one doubles it, up to the interval.
const RETRY: Duration = Duration::from_secs(300);
/// A feed that fails for so long is told, or for half of its expiry.
pub(super) const LONG: Duration = Duration::from_secs(86_400);

/// One feed: what it holds, how it stands and when it is due.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) feed: Feed,
    pub(super) nets: Arc<Nets>,
    pub(super) about: Option<About>,
    pub(super) left_out: LeftOut,
    /// Why none of it is used, although it was fetched.
    pub(super) refused: Option<String>,
    pub(super) updating: bool,
    pub(super) force: bool,
    /// Whether somebody waits for it.
    pub(super) asked: bool,
    pub(super) due: Timestamp,
    pub(super) failures: u32,
    pub(super) failing_since: Option<Timestamp>,
    pub(super) error: Option<String>,
    pub(super) told_failing: bool,
    pub(super) over: bool,
    pub(super) told: BTreeSet<(IpNet, Caught)>,
}

impl Member {
    pub(super) fn new(feed: Feed, now: Timestamp) -> Self {
        let spread = part(SPREAD);
        Self {
            feed,
            nets: Arc::default(),
            about: None,
            left_out: LeftOut::default(),
            refused: None,
            updating: false,
            force: false,
            asked: false,
            due: after(now, FIRST.saturating_add(spread)),
            failures: 0,
            failing_since: None,
            error: None,
            told_failing: false,
            over: false,
            told: BTreeSet::new(),
        }
    }

    /// When what it holds last changed; None where it holds nothing.
    pub(super) fn holds(&self) -> Option<Timestamp> {
        let about = self.about.as_ref().filter(|_| !self.nets.is_empty());
        about.map(|about| about.changed)
    }

    /// Whether its entries are those of a feed that is configured otherwise.
    pub(super) fn serves(&self, feed: &Feed) -> bool {
        let fits = u32::try_from(self.nets.len()).is_ok_and(|entries| entries <= feed.max);
        !self.nets.is_empty() && fits && made_of(feed) == made_of(&self.feed)
    }

    /// Entries of ours that were not told yet.
    pub(super) fn untold(&mut self, left_out: &LeftOut) -> Vec<(IpNet, Caught)> {
        const MOST: usize = 1000;
        let ours = left_out
            .examples
            .iter()
            .filter(|(_, caught)| matches!(caught, Caught::Belongs(whose) if whose.is_ours()));
        let untold: Vec<_> = ours
            .filter(|entry| !self.told.contains(entry))
            .copied()
            .collect();
        if self.told.len() + untold.len() > MOST {
            self.told.clear();
        }
        self.told.extend(&untold);
        untold
    }

    pub(super) fn row(&self) -> Row {
        let standing = if self.refused.is_some() {
            Standing::Refused
        } else if self.over {
            Standing::Over
        } else if self.about.is_none() {
            Standing::Waiting
        } else if self.error.is_some() {
            Standing::Failing
        } else {
            Standing::Good
        };
        Row {
            standing,
            entries: self.nets.len(),
            updating: self.updating || self.asked,
            next: Some(self.due),
            error: self.refused.clone().or_else(|| self.error.clone()),
            ..Row::new(&self.feed, self.about.as_ref(), Some(&self.left_out))
        }
    }
}

/// The pause after so many failures: never shorter than the server asks, nor than the provider allows where it did
/// answer.
pub(super) fn pause(feed: &Feed, error: &FeedError, failures: u32) -> Duration {
    let doubled = RETRY.saturating_mul(1 << failures.saturating_sub(1).min(16));
    let pause = doubled.min(feed.interval);
    match error {
        FeedError::Fetch(_) => pause.max(error.after().unwrap_or_default()),
        _ => pause.max(feed.kind.terms().least),
    }
}

/// A time and up to a tenth of it more, so that hosts do not ask all at once.
pub(super) fn jittered(time: Duration) -> Duration {
    time.saturating_add(part(time / 10))
}

/// Some part of a time, by chance.
fn part(time: Duration) -> Duration {
    let chance = getrandom::u32().unwrap_or(0);
    time.mul_f64(f64::from(chance) / f64::from(u32::MAX))
}

pub(super) fn after(moment: Timestamp, time: Duration) -> Timestamp {
    let time = SignedDuration::try_from(time).unwrap_or(SignedDuration::MAX);
    moment.checked_add(time).unwrap_or(Timestamp::MAX)
}
