//! The bans that others are given.

use ipnet::IpNet;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::known::{Known, is_public};
use crate::store::Ban;

/// A ban as others are given it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SharedBan {
    /// The address, IPv6 network of 64 bits, or whole net.
    pub net: IpNet,
    /// The public name of the reason.
    pub reason: String,
    /// When it began.
    pub since: Timestamp,
    /// When it ends.
    pub until: Timestamp,
    /// How many times the source has been banned, this one included.
    pub times: u32,
    /// Whether the source proved a return path, so that nobody forged what it was banned for.
    pub proved: bool,
    /// What an operator wrote about it; may be empty.
    pub note: String,
}

impl SharedBan {
    /// Whole seconds that it has left at `now`; 0 where it is over.
    pub fn left(&self, now: Timestamp) -> u64 {
        u64::try_from(self.until.as_second().saturating_sub(now.as_second())).unwrap_or(0)
    }

    /// The source as lists have it: an address alone without its length.
    pub fn source(&self) -> String {
        match self.is_address() {
            true => self.net.addr().to_string(),
            false => self.net.to_string(),
        }
    }

    /// Whether it is of one address.
    pub fn is_address(&self) -> bool {
        self.net.prefix_len() == self.net.max_prefix_len()
    }
}

/// Bans that others are not given, counted by the first reason that holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skipped {
    /// Of one port of an address: others belong behind it.
    pub flows: usize,
    /// Of addresses that nobody else has.
    pub private: usize,
    /// Of somebody who belongs here.
    pub known: usize,
    /// On evidence that may be forged.
    pub unproved: usize,
}

impl Skipped {
    /// All of them.
    pub fn all(self) -> usize {
        self.flows + self.private + self.known + self.unproved
    }
}

/// The whole second of a moment: no more is kept of a ban.
fn second(moment: Timestamp) -> Timestamp {
    Timestamp::from_second(moment.as_second()).unwrap_or(moment)
}

/// The bans in force that others are given, by address. With `proved_only` none that rests on evidence which a forger could
/// have made: shared, that would let him ban an innocent at the edge.
pub fn select<'b>(
    bans: impl IntoIterator<Item = &'b Ban>,
    known: &Known,
    proved_only: bool,
    now: Timestamp,
) -> (Vec<SharedBan>, Skipped) {
    let (mut shared, mut skipped) = (Vec::new(), Skipped::default());
    for ban in bans.into_iter().filter(|ban| ban.until > now) {
        let Ok(net) = IpNet::new(ban.address, ban.prefix_len) else {
            continue;
        };
        let why = if ban.port.is_some() {
            &mut skipped.flows
        } else if !is_public(ban.address) {
            &mut skipped.private
        } else if known.touches(net) {
            &mut skipped.known
        } else if proved_only && !ban.proved {
            &mut skipped.unproved
        } else {
            shared.push(SharedBan {
                net: net.trunc(),
                reason: ban.reason.clone(),
                since: second(ban.since),
                until: second(ban.until),
                times: ban.times,
                proved: ban.proved,
                note: ban.note.clone(),
            });
            continue;
        };
        *why += 1;
    }
    shared.sort_by_key(|ban| ban.net);
    (shared, skipped)
}
