//! All feeds as one set for the judge, and the difference between two of them.

use std::cmp::Ordering;
use std::net::IpAddr;

use ipnet::{IpNet, Ipv6Net};

use super::belongs::Belongings;
use super::filter::{LeftOut, filter};
use super::packed::{
    LENGTH, Wide, action_of, entry_v4, entry_v6, feed_of, length_of, mask_v4, pack, rank_of,
    same_bits_v4, tag, unpack,
};
use super::{FeedError, Nets};
use crate::config::FeedAction;

/// An entry of the set that the judge reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FeedEntry {
    /// The addresses: of IPv4 one address, a /24 or a wider network, and no length between.
    pub range: IpNet,
    /// The feed it is of, from 1 in the order of the configuration.
    pub feed: u16,
    /// What it meets.
    pub action: FeedAction,
}

/// A list that takes part.
pub struct Part<'a> {
    /// Its number, from 1.
    pub feed: u16,
    /// What its entries meet.
    pub action: FeedAction,
    /// The list.
    pub nets: &'a Nets,
}

/// All feeds together: 8 bytes an IPv4 entry, 20 an IPv6 one.
///
/// Sorted by address and length. An entry that lies in another one has a stronger action than that, so that the
/// longest match is the strongest too. Of feeds with one action, the first that lists a range is named.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Merged {
    /// Address, length, rank of the action and feed in one word: see [`pack`].
    v4: Vec<u64>,
    v6: Vec<Wide>,
}

/// Makes one set of all lists, without what belongs here. With each list comes what was left out of it, or why none of
/// it is used.
pub fn merge(
    parts: &[Part<'_>],
    belongings: &Belongings,
) -> (Merged, Vec<Result<LeftOut, FeedError>>) {
    let mut merged = Merged::default();
    let mut reports = Vec::with_capacity(parts.len());
    merged
        .v4
        .reserve(parts.iter().map(|part| part.nets.hosts.len()).sum());
    for part in parts {
        let before = (merged.v4.len(), merged.v6.len());
        let report = filter(part.nets, belongings, |net| {
            merged.push(net, part.action, part.feed);
        });
        if report.is_err() {
            merged.v4.truncate(before.0);
            merged.v6.truncate(before.1);
        }
        reports.push(report);
    }
    merged.finish();
    (merged, reports)
}

impl Merged {
    fn push(&mut self, net: IpNet, action: FeedAction, feed: u16) {
        match net {
            // The judge has a table of addresses and one of /24s: nothing lies between.
            IpNet::V4(net) if net.prefix_len() > 24 => {
                let tag = tag(32, action, feed);
                let (first, last) = (net.network().to_bits(), net.broadcast().to_bits());
                self.v4.extend((first..=last).map(|bits| pack(bits, tag)));
            }
            IpNet::V4(net) => {
                let tag = tag(net.prefix_len(), action, feed);
                self.v4.push(pack(net.network().to_bits(), tag));
            }
            IpNet::V6(net) => self.v6.push(Wide {
                address: net.network().octets(),
                tag: tag(net.prefix_len(), action, feed),
            }),
        }
    }

    fn finish(&mut self) {
        self.v4.sort_unstable();
        sieve(
            &mut self.v4,
            |word| unpack(*word).1,
            |outer, inner| {
                let ((outer, tag), (inner, _)) = (unpack(*outer), unpack(*inner));
                same_bits_v4(outer, inner, length_of(tag))
            },
        );
        self.join();
        self.v6.sort_unstable();
        sieve(
            &mut self.v6,
            |wide| wide.tag,
            |outer, inner| {
                let bits = |wide: &Wide| u128::from_be_bytes(wide.address);
                let shift = 128 - u32::from(length_of(outer.tag)).min(128);
                let differ = bits(outer) ^ bits(inner);
                differ.checked_shr(shift).unwrap_or(0) == 0
            },
        );
        self.v4.shrink_to_fit();
        self.v6.shrink_to_fit();
    }

    /// Makes a /24 of its 256 addresses where all are of one feed and action.
    fn join(&mut self) {
        const ALL: usize = 256;
        let mut joined: Vec<u64> = Vec::new();
        let (mut read, mut write) = (0, 0);
        while let Some(word) = self.v4.get(read).copied() {
            let (address, tag) = unpack(word);
            let run = self.v4.get(read..read + ALL).unwrap_or_default();
            let whole = length_of(tag) == 32
                && address & 0xff == 0
                && run.last() == Some(&pack(address | 0xff, tag))
                && run.iter().all(|other| unpack(*other).1 == tag);
            if whole {
                joined.push(pack(address, self::tag(24, action_of(tag), feed_of(tag))));
                read += ALL;
            } else {
                if let Some(place) = self.v4.get_mut(write) {
                    *place = word;
                }
                write += 1;
                read += 1;
            }
        }
        if joined.is_empty() {
            return;
        }
        self.v4.truncate(write);
        // A /24 of a weaker action around all of the addresses is no more.
        let same = |word: &u64| *word >> LENGTH;
        self.v4
            .retain(|word| joined.binary_search_by_key(&same(word), same).is_err());
        self.v4.extend(joined);
        self.v4.sort_unstable();
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.v4.len() + self.v6.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of memory that the entries take.
    pub fn memory(&self) -> usize {
        self.v4.capacity() * size_of::<u64>() + self.v6.capacity() * size_of::<Wide>()
    }

    /// All entries, IPv4 first, by address; a wider one comes before those in it.
    pub fn iter(&self) -> impl Iterator<Item = FeedEntry> {
        let v4 = self.v4.iter().map(|word| entry_v4(*word));
        v4.chain(self.v6.iter().map(entry_v6))
    }

    /// Entries that are here and were not, or were with another feed or action: these are to be written.
    pub fn added<'a>(&'a self, before: &'a Self) -> impl Iterator<Item = FeedEntry> + 'a {
        let v4 = Difference::new(&self.v4, &before.v4, u64::cmp).map(|word| entry_v4(*word));
        let v6 = Difference::new(&self.v6, &before.v6, Wide::cmp).map(entry_v6);
        v4.chain(v6)
    }

    /// Entries whose range was here and is no more: these are to be taken away.
    pub fn removed<'a>(&'a self, before: &'a Self) -> impl Iterator<Item = FeedEntry> + 'a {
        // What follows the length is of no account: a range that only has another action is written over.
        let v4 = Difference::new(&before.v4, &self.v4, |one, other| {
            (one >> LENGTH).cmp(&(other >> LENGTH))
        });
        let v6 = Difference::new(&before.v6, &self.v6, |one: &Wide, other: &Wide| {
            let key = |wide: &Wide| (wide.address, length_of(wide.tag));
            key(one).cmp(&key(other))
        });
        v4.map(|word| entry_v4(*word)).chain(v6.map(entry_v6))
    }

    /// What an address meets: the longest entry that holds it.
    pub fn find(&self, address: IpAddr) -> Option<FeedEntry> {
        match address.to_canonical() {
            IpAddr::V4(v4) => (0..=32_u8).rev().find_map(|length| {
                let bits = v4.to_bits() & mask_v4(length);
                let key = pack(bits, u32::from(length) << LENGTH);
                let place = self.v4.partition_point(|word| *word < key);
                let word = *self.v4.get(place)?;
                (word >> LENGTH == key >> LENGTH).then(|| entry_v4(word))
            }),
            IpAddr::V6(v6) => (0..=128_u8).rev().find_map(|length| {
                let net = Ipv6Net::new(v6, length).ok()?.trunc();
                let key = Wide {
                    address: net.addr().octets(),
                    tag: u32::from(length) << LENGTH,
                };
                let place = self.v6.partition_point(|wide| *wide < key);
                let wide = self.v6.get(place)?;
                let same = wide.address == key.address && length_of(wide.tag) == length;
                same.then(|| entry_v6(wide))
            }),
        }
    }

    /// Whether an entry has an address in common with something that is ours.
    pub fn holds_ours(&self, belongings: &Belongings) -> bool {
        use super::belongs::address;
        belongings.ours().any(|(v4, one)| {
            let first = address(v4, one.first);
            self.find(first).is_some() || self.any_between(first, address(v4, one.last))
        })
    }

    /// Whether an entry begins from `first` to `last`.
    fn any_between(&self, first: IpAddr, last: IpAddr) -> bool {
        match (first, last) {
            (IpAddr::V4(first), IpAddr::V4(last)) => {
                let place = self
                    .v4
                    .partition_point(|word| *word < pack(first.to_bits(), 0));
                let found = self.v4.get(place);
                found.is_some_and(|word| unpack(*word).0 <= last.to_bits())
            }
            (IpAddr::V6(first), IpAddr::V6(last)) => {
                let from = Wide {
                    address: first.octets(),
                    tag: 0,
                };
                let place = self.v6.partition_point(|wide| *wide < from);
                let found = self.v6.get(place);
                found.is_some_and(|wide| wide.address <= last.octets())
            }
            _ => false,
        }
    }
}

/// Of sorted entries keeps those that say something that no earlier or wider one says: of one range the strongest, and
/// in a wider one only what is stronger.
fn sieve<T: Copy>(entries: &mut Vec<T>, tag: impl Fn(&T) -> u32, holds: impl Fn(&T, &T) -> bool) {
    let mut around: Vec<T> = Vec::new();
    entries.retain(|entry| {
        while around.last().is_some_and(|outer| !holds(outer, entry)) {
            around.pop();
        }
        let weaker = |outer: &T| rank_of(tag(outer)) <= rank_of(tag(entry));
        let said = around.last().is_some_and(weaker);
        if !said {
            around.push(*entry);
        }
        !said
    });
}

/// What the first of two sorted lists has and the second has not.
struct Difference<'a, T, C> {
    here: std::slice::Iter<'a, T>,
    there: std::iter::Peekable<std::slice::Iter<'a, T>>,
    compare: C,
}

impl<'a, T, C: Fn(&T, &T) -> Ordering> Difference<'a, T, C> {
    fn new(here: &'a [T], there: &'a [T], compare: C) -> Self {
        Self {
            here: here.iter(),
            there: there.iter().peekable(),
            compare,
        }
    }
}

impl<'a, T, C: Fn(&T, &T) -> Ordering> Iterator for Difference<'a, T, C> {
    type Item = &'a T;

    fn next(&mut self) -> Option<&'a T> {
        loop {
            let one = self.here.next()?;
            let before = |other: &&T| (self.compare)(other, one) == Ordering::Less;
            while self.there.next_if(before).is_some() {}
            match self.there.peek() {
                Some(other) if (self.compare)(other, one) == Ordering::Equal => {}
                _ => return Some(one),
            }
        }
    }
}

#[cfg(test)]
#[path = "merged_tests.rs"]
mod tests;
