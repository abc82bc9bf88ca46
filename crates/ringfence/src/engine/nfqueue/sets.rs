//! Sets of the table whose elements end by themselves: who is banned, and who is known. They hold without the daemon.

use std::collections::HashMap;

use ringfence_core::address::Address;
use serde_json::{Value, json};

use super::rules::{TABLE, of_ip};
use crate::tables::ip;

/// An element is written anew when it would end so much earlier than what it stands for, in ns.
const STEP: u64 = 30_000_000_000;

/// What a set is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Subjects {
    /// Banned IPv4 addresses.
    Banned4,
    /// Banned /24.
    BannedNets4,
    /// Banned /64.
    Banned6,
    /// Banned /48.
    BannedNets6,
    /// IPv4 addresses that phones are registered from.
    Known4,
    /// The /64 of such IPv6 addresses.
    Known6,
}

impl Subjects {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Banned4,
        Self::BannedNets4,
        Self::Banned6,
        Self::BannedNets6,
        Self::Known4,
        Self::Known6,
    ];

    /// The set's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Banned4 => "banned4",
            Self::BannedNets4 => "banned_nets4",
            Self::Banned6 => "banned6",
            Self::BannedNets6 => "banned_nets6",
            Self::Known4 => "known4",
            Self::Known6 => "known6",
        }
    }

    /// The type of its elements.
    pub fn kind(self) -> &'static str {
        match self {
            Self::Banned4 | Self::BannedNets4 | Self::Known4 => "ipv4_addr",
            Self::Banned6 | Self::BannedNets6 | Self::Known6 => "ipv6_addr",
        }
    }

    /// Elements that it has room for.
    pub fn room(self) -> u32 {
        131_072
    }

    /// Whether its elements are banned.
    pub fn are_banned(self) -> bool {
        !matches!(self, Self::Known4 | Self::Known6)
    }

    /// The part of a packet's source that is looked up.
    pub fn source(self) -> Value {
        let (protocol, mask) = match self {
            Self::Banned4 | Self::Known4 => return of_ip("ip", "saddr"),
            Self::BannedNets4 => ("ip", "255.255.255.0"),
            Self::Banned6 | Self::Known6 => ("ip6", "ffff:ffff:ffff:ffff::"),
            Self::BannedNets6 => ("ip6", "ffff:ffff:ffff::"),
        };
        json!({ "&": [of_ip(protocol, "saddr"), mask] })
    }

    /// The set that a banned subject is of, and its element. None for a flow: only the judge knows ports.
    pub fn of_ban(subject: Address) -> Option<(Self, Address)> {
        if subject.as_flow().is_some() {
            return None;
        }
        Some(match subject.as_net() {
            Some((first, _)) if first.is_v4() => (Self::BannedNets4, first),
            Some((first, _)) => (Self::BannedNets6, first),
            None if subject.is_v4() => (Self::Banned4, subject),
            None => (Self::Banned6, subject),
        })
    }

    /// The set of those who are known, and the element of an address.
    pub fn of_known(address: Address) -> (Self, Address) {
        match address.is_v4() {
            true => (Self::Known4, address),
            false => (Self::Known6, address.subject()),
        }
    }
}

/// Elements and when they end, boot time in ns.
pub type Elements = HashMap<(Subjects, Address), u64>;

/// What the sets hold.
#[derive(Debug, Default)]
pub struct Sets {
    held: Elements,
}

impl Sets {
    /// What makes the sets hold `wanted` at `now`, as a batch for nft; empty where nothing is to be done. It fails where an
    /// element ended a moment ago: then [`Sets::anew`] does it.
    pub fn changes(&self, wanted: &Elements, now: u64) -> Vec<Value> {
        let (mut gone, mut new) = (Vec::new(), Vec::new());
        for (key, until) in &self.held {
            let lasts = wanted.get(key).copied().unwrap_or(0);
            let is_there = *until > now;
            if is_there && (lasts.saturating_sub(STEP) > *until || lasts <= now) {
                gone.push(*key);
            }
        }
        for (key, until) in wanted.iter().filter(|(_, until)| **until > now) {
            let held = self.held.get(key).copied().unwrap_or(0);
            if until.saturating_sub(STEP) > held || held <= now {
                new.push((*key, *until));
            }
        }
        let mut batch = elements("delete", gone.into_iter().map(|key| (key, None)));
        batch.extend(elements(
            "add",
            new.into_iter().map(|(key, until)| (key, Some(until - now))),
        ));
        batch
    }

    /// What empties the sets and fills them again.
    pub fn anew(wanted: &Elements, now: u64) -> Vec<Value> {
        let flush = |subjects: Subjects| json!({ "flush": { "set": { "family": "inet", "table": TABLE, "name": subjects.name() } } });
        let mut batch: Vec<_> = Subjects::ALL.map(flush).into();
        let still = wanted.iter().filter(|(_, until)| **until > now);
        batch.extend(elements(
            "add",
            still.map(|(key, until)| (*key, Some(until - now))),
        ));
        batch
    }

    /// Notes that the sets were made to hold `wanted` at `now`.
    pub fn hold(&mut self, wanted: &Elements, now: u64, anew: bool) {
        if anew {
            self.held.clear();
        }
        self.held
            .retain(|key, until| *until > now && wanted.contains_key(key));
        for (key, until) in wanted {
            let held = self.held.entry(*key).or_insert(*until);
            if until.saturating_sub(STEP) > *held {
                *held = *until;
            }
        }
    }
}

/// Commands for elements, one a set.
fn elements(
    command: &str,
    all: impl Iterator<Item = ((Subjects, Address), Option<u64>)>,
) -> Vec<Value> {
    let mut by_set: HashMap<Subjects, Vec<Value>> = HashMap::new();
    for ((subjects, address), left) in all {
        let value = ip(address).to_string();
        by_set.entry(subjects).or_default().push(match left {
            // A set takes whole seconds, and none for no end at all.
            Some(left) => json!({ "elem": { "val": value, "timeout": left / 1_000_000_000 + 1 } }),
            None => json!(value),
        });
    }
    let one = |(subjects, values): (Subjects, Vec<Value>)| {
        json!({ command: { "element": {
            "family": "inet", "table": TABLE, "name": subjects.name(), "elem": values,
        } } })
    };
    by_set.into_iter().map(one).collect()
}
