//! What the keeper has done beside the daemon's loop, and what people are told of it.

use std::sync::Arc;

use ipnet::IpNet;
use jiff::Timestamp;

use super::belongs::Belongings;
use super::filter::{Caught, LeftOut};
use super::merged::{Merged, Part, merge};
use super::{FeedError, Nets};
use crate::config::FeedAction;

/// Something that people are told once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// A feed cannot be had since then.
    Failing {
        /// Its name.
        name: String,
        /// Since when.
        since: Timestamp,
        /// Why.
        error: String,
    },
    /// Its last good state is over: none of it is used.
    Over {
        /// Its name.
        name: String,
        /// Why there is no newer one.
        error: String,
    },
    /// It lists what is ours, which is left out.
    Ours {
        /// Its name.
        name: String,
        /// The entries, some of them, each with why it is ours.
        entries: Vec<(IpNet, Caught)>,
    },
}

/// Lists to be merged, beside the daemon's loop.
#[derive(Debug)]
pub struct Work {
    pub(super) epoch: u64,
    pub(super) parts: Vec<(u16, FeedAction, Arc<Nets>)>,
}

/// What came of it.
#[derive(Debug)]
pub struct Finished {
    pub(super) epoch: u64,
    pub(super) merged: Merged,
    pub(super) reports: Vec<Result<LeftOut, FeedError>>,
}

impl Work {
    /// Merges; for a million entries it takes about a second.
    pub fn run(self, belongings: &Belongings) -> Finished {
        let part =
            |(feed, action, nets): &(u16, FeedAction, Arc<Nets>)| (*feed, *action, nets.clone());
        let parts: Vec<_> = self.parts.iter().map(part).collect();
        let parts: Vec<_> = parts
            .iter()
            .map(|(feed, action, nets)| Part {
                feed: *feed,
                action: *action,
                nets,
            })
            .collect();
        let (merged, reports) = merge(&parts, belongings);
        Finished {
            epoch: self.epoch,
            merged,
            reports,
        }
    }
}
