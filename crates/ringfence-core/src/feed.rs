//! Threat lists: IPv4 addresses that others warn of, in a hashed table of bit maps.
//!
//! A word of the table stands for a block: 32 addresses (a /27), or 32 nets of 256 addresses (a
//! /19), with a bit for each of them that is listed. Buckets are lines of the processor's cache, and
//! a block lies in one of two: an address costs two looks where only single addresses are listed,
//! and four where nets are too. Words change one at a time, while packets are judged.
//!
//! Before them lies a bit for each of all /24s: whether anything in it is listed. It is small enough for the processor's
//! caches, and most sources end there, however long the lists are.
//!
//! Bucket 0 says how to read the others: how many there are, the secret of their order, and which
//! levels are used.

use core::hint::black_box;

use crate::hash::mix;
use crate::limit::Bucket;

/// What a list asks to be done with those on it. The numbers are those in the table's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum FeedAction {
    /// Nothing at first: what is held against the source bans it at once.
    Score = 1,
    /// Dropped at the services of telephony, but for a REGISTER that names our domain.
    Ban = 2,
    /// Dropped at every service.
    Deny = 3,
}

impl FeedAction {
    /// Every action, the mildest first.
    pub const ALL: [Self; 3] = [Self::Score, Self::Ban, Self::Deny];

    /// The public name.
    pub const fn name(self) -> &'static str {
        match self {
            FeedAction::Score => "score",
            FeedAction::Ban => "ban",
            FeedAction::Deny => "deny",
        }
    }

    /// Its bit in what the judge found.
    #[inline(always)]
    pub const fn bit(self) -> u8 {
        1 << self as u8
    }

    /// The strictest in what the judge found.
    pub const fn strictest(bits: u8) -> Option<Self> {
        if bits & Self::Deny.bit() != 0 {
            Some(Self::Deny)
        } else if bits & Self::Ban.bit() != 0 {
            Some(Self::Ban)
        } else if bits & Self::Score.bit() != 0 {
            Some(Self::Score)
        } else {
            None
        }
    }
}

/// Among the bits of actions: the service does not admit the source's network.
pub const REFUSED: u8 = 1;

/// How wide what a bit stands for is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Level {
    /// One address.
    Address = 0,
    /// The 256 addresses of a /24.
    Net = 1,
}

impl Level {
    /// Every level, in the order of its number.
    pub const ALL: [Self; 2] = [Self::Address, Self::Net];

    /// Bits of an address below what one bit stands for.
    pub const fn below(self) -> u32 {
        match self {
            Level::Address => 0,
            Level::Net => 8,
        }
    }

    /// The tag of the block that holds an IPv4 address (host order), and the address's bit in it.
    #[inline(always)]
    pub const fn split(self, address: u32) -> (u32, u32) {
        let at = address >> self.below();
        (at >> 5 | (self as u32) << 27, at & 31)
    }
}

/// Bits of a tag: 27 of the block, and the level.
const TAG: u32 = (1 << 28) - 1;
/// Where the action stands in a word: above the bit map and the tag.
const ACTION: u32 = 60;

/// The word of a block: which of it are listed, and for what.
#[inline(always)]
pub const fn word(tag: u32, listed: u32, action: FeedAction) -> u64 {
    (action as u64) << ACTION | ((tag & TAG) as u64) << 32 | listed as u64
}

/// The tag of a word, its bit map, and its action; None for an empty one.
pub const fn parts(word: u64) -> Option<(u32, u32, FeedAction)> {
    let action = match word >> ACTION {
        1 => FeedAction::Score,
        2 => FeedAction::Ban,
        3 => FeedAction::Deny,
        _ => return None,
    };
    Some(((word >> 32) as u32 & TAG, word as u32, action))
}

/// Buckets of the bits of all /24s, behind the head.
pub const NEAR: u32 = 1 << 15;

/// Where the bit of an IPv4 address's /24 is: the bucket, the word in it, and the bit.
#[inline(always)]
pub const fn near(address: u32) -> (u32, usize, u32) {
    let net = address >> 8;
    (1 + (net >> 9), (net >> 6 & 7) as usize, net & 63)
}

/// The two buckets of a block, among so many (a power of two, `mask` and 1 more), which lie behind the bits of all /24s.
#[inline(always)]
pub fn places(tag: u32, mask: u32, secret: u64) -> [u32; 2] {
    let hash = mix(tag as u64, secret);
    let place = |hash: u32| (hash & mask).wrapping_add(1 + NEAR);
    [place(hash as u32), place((hash >> 32) as u32)]
}

/// What bucket 0 says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Buckets of blocks, less one: all ones.
    pub mask: u32,
    /// Bit n: words of the n-th level may be there.
    pub levels: u8,
    /// What the order of the buckets depends on.
    pub secret: u64,
}

impl Head {
    /// Out of the bucket.
    #[inline(always)]
    pub fn read(bucket: &Bucket) -> Self {
        Self {
            mask: bucket[0] as u32,
            levels: (bucket[0] >> 32) as u8,
            secret: bucket[1],
        }
    }

    /// The first two words of the bucket.
    pub fn words(&self) -> [u64; 2] {
        [
            u64::from(self.levels) << 32 | u64::from(self.mask),
            self.secret,
        ]
    }
}

/// The actions ([`FeedAction::bit`]) that a bucket has for one of a block.
#[inline(always)]
pub fn listed(bucket: &Bucket, tag: u32, bit: u32) -> u8 {
    let mut found = 0u64;
    let mut way = 0;
    while way < bucket.len() {
        // In the kernel each branch here would be followed both ways, again and again.
        let word = black_box(bucket[way]);
        let other = (word >> 32 ^ u64::from(tag)) & u64::from(TAG);
        let same = other.wrapping_sub(1) >> 63;
        // An empty word has no bit set.
        found |= (same & word >> (bit & 31)) << (word >> ACTION & 3);
        way += 1;
    }
    found as u8
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_empty_word_lists_nothing() {
        assert_eq!(parts(0), None);
        assert_eq!(listed(&[0; 8], 0, 0), 0);
    }

    #[test]
    fn the_strictest_action_wins() {
        let all = FeedAction::ALL.iter().fold(0, |bits, it| bits | it.bit());
        assert_eq!(FeedAction::strictest(all), Some(FeedAction::Deny));
        assert_eq!(
            FeedAction::strictest(FeedAction::Score.bit()),
            Some(FeedAction::Score)
        );
        assert_eq!(FeedAction::strictest(0), None);
    }

    proptest! {
        #[test]
        fn words_are_read_as_they_were_written(
            address: u32, level in 0usize..2, action in 0usize..3, map: u32,
        ) {
            let (tag, bit) = Level::ALL[level].split(address);
            let action = FeedAction::ALL[action];
            let written = word(tag, map | 1 << bit, action);
            prop_assert_eq!(parts(written), Some((tag, map | 1 << bit, action)));
            let mut bucket = [0; 8];
            bucket[5] = written;
            prop_assert_eq!(listed(&bucket, tag, bit), action.bit());
            prop_assert_eq!(listed(&bucket, tag ^ 1, bit), 0);
            bucket[5] = word(tag, map & !(1 << bit), action);
            prop_assert_eq!(listed(&bucket, tag, bit), 0);
        }

        #[test]
        fn blocks_of_two_levels_differ(one: u32, other: u32) {
            prop_assert_ne!(Level::Address.split(one).0, Level::Net.split(other).0);
        }

        #[test]
        fn the_head_is_read_as_it_was_written(power in 0u32..28, levels in 0u8..4, secret: u64) {
            let head = Head { mask: (1 << power) - 1, levels, secret };
            let [first, second] = head.words();
            prop_assert_eq!(Head::read(&[first, second, 0, 0, 0, 0, 0, 0]), head);
            for place in places(7, head.mask, secret) {
                prop_assert!((1..=1u32 << power).contains(&(place - NEAR)));
            }
        }

        #[test]
        fn each_net_has_a_bit_of_its_own(one: u32, other: u32) {
            prop_assert_eq!(near(one) == near(other), one >> 8 == other >> 8);
            let (bucket, word, bit) = near(one);
            prop_assert!((1..=NEAR).contains(&bucket) && word < 8 && bit < 64);
        }
    }
}
