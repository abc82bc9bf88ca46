//! Dialogues (RFC 3261, section 12) that this host is part of, by Call-ID and its own tag: one word
//! each, eight to a bucket.

use crate::bench::{Buckets, Store};
use crate::hash::{Key, mix};
use core::hint::black_box;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// How far a dialogue has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Stage {
    /// None is known.
    None = 0,
    /// Ended; what is still on its way passes.
    Over = 1,
    /// Answered with 101 to 199 (RFC 3261, section 12.1).
    Early = 2,
    /// Answered with 200 to 299.
    Confirmed = 3,
}

/// Seconds that a dialogue of each stage is remembered for without a sign of life: what is left of
/// one that ended, a call that rings (RFC 3261, section 16.6, timer C is over 180), a call.
const SECONDS: [u64; 4] = [0, 64, 300, 12 * 3600];

/// Bits of a word: mark, expiry in seconds of boot time, stage.
const STAGE_BITS: u32 = 2;
const TIME_BITS: u32 = 26;
const TIME: u64 = ((1 << TIME_BITS) - 1) << STAGE_BITS;
const MARK: u64 = !(TIME | 3);

/// The word of a bucket to take, as far as it was looked through. In memory, so that the kernel's
/// verifier looks at one word and not at every choice among eight.
#[derive(Clone, Copy, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Least {
    rank: u64,
    word: u64,
    place: u64,
}

/// A dialogue by what it is found by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dialogue {
    hash: u64,
}

#[inline(always)]
const fn expiry(word: u64) -> u64 {
    (word & TIME) >> STAGE_BITS
}

#[inline(always)]
const fn stage(word: u64) -> Stage {
    match word & 3 {
        1 => Stage::Over,
        2 => Stage::Early,
        3 => Stage::Confirmed,
        _ => Stage::None,
    }
}

impl Dialogue {
    /// From the digests of its Call-ID and of this host's tag.
    #[inline(always)]
    pub fn new(key: &Key, call: u64, tag: u64) -> Self {
        Self {
            hash: mix(key.hash([call, tag]), 0xd1a1),
        }
    }

    /// The one that was kept as this number.
    #[inline(always)]
    pub fn from_hash(hash: u64) -> Self {
        Self { hash }
    }

    /// The number to keep it as.
    #[inline(always)]
    pub fn hash(self) -> u64 {
        self.hash
    }

    #[inline(always)]
    fn bucket(self) -> u32 {
        self.hash as u32 & (Buckets::Dialogues.buckets() - 1)
    }

    #[inline(always)]
    fn mark(self) -> u64 {
        (self.hash | 1 << 63) & MARK
    }

    /// How far it has come.
    #[inline(always)]
    pub fn stage<B: Store>(self, bench: &B, now: u64) -> Stage {
        let Some(words) = bench.bucket(Buckets::Dialogues, self.bucket()) else {
            return Stage::None;
        };
        let seconds = now / super::SECOND;
        let mut way = 0;
        while way < words.len() {
            let word = words[way];
            if word & MARK == self.mark() && expiry(word) > seconds {
                return stage(word);
            }
            way += 1;
        }
        Stage::None
    }

    /// Takes it to a stage, and gives the one before. A confirmed dialogue stays so until it ends,
    /// and what ended does not begin again.
    #[inline(always)]
    pub fn reach<B: Store>(self, bench: &mut B, now: u64, next: Stage, least: &mut Least) -> Stage {
        let Some(words) = bench.bucket(Buckets::Dialogues, self.bucket()) else {
            return Stage::None;
        };
        let seconds = now / super::SECOND;
        // Its own word, else one whose time is over, else the one that is over first.
        least.rank = u64::MAX;
        let mut way = 0;
        while way < words.len() {
            let word = words[way];
            let own = word & MARK == self.mark();
            let rank = (expiry(word) + 1) & u64::from(own).wrapping_sub(1);
            if rank < *black_box(&mut least.rank) {
                least.rank = rank;
                least.word = word;
                least.place = way as u64;
            }
            way += 1;
        }
        let (place, old) = (least.place as usize & 7, least.word);
        let before = if least.rank == 0 && expiry(old) > seconds {
            stage(old)
        } else {
            Stage::None
        };
        let known = before != Stage::None;
        let reached = if known && (before == Stage::Over || next == Stage::Early) {
            before
        } else if !known && next == Stage::Over {
            return before;
        } else {
            next
        };
        let time = seconds + SECONDS[reached as usize & 3];
        let new = self.mark() | time << STAGE_BITS & TIME | reached as u64;
        bench.swap_word(Buckets::Dialogues, self.bucket(), place, old, new);
        before
    }
}
