//! Rates in single words: pure transitions from an old word and a time to a new word.
//!
//! A word holds a fingerprint of who it belongs to and the theoretical arrival time of GCRA (ITU-T
//! I.371, annex A) in ticks. Whoever holds the table applies the transition by compare and swap.

use crate::hash::mix;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Nanoseconds to ticks of about 16 microseconds.
const TICK_SHIFT: u32 = 14;
/// Bits of a word that hold a time; 13 days of ticks.
const TIME_BITS: u32 = 36;
const TIME_MASK: u64 = (1 << TIME_BITS) - 1;

/// Words in a bucket: one line of the processor's cache.
pub const WAYS: usize = 8;
/// Buckets of the table of rates: 4 MiB.
pub const BUCKETS: usize = 1 << 16;

/// A bucket of the table of rates.
pub type Bucket = [u64; WAYS];

/// A rate: one token each `interval`, and so many at once as fit in `tolerance`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Limit {
    /// Nanoseconds a token takes to come back; 0: no limit.
    pub interval: u64,
    /// Nanoseconds of tokens that may be spent at once, less one interval.
    pub tolerance: u64,
}

impl Limit {
    /// No limit at all.
    pub const NONE: Limit = Limit {
        interval: 0,
        tolerance: 0,
    };

    /// `count` in `per` nanoseconds, `burst` at once. A `count` of 0 is no limit.
    pub const fn new(count: u32, per: u64, burst: u32) -> Self {
        if count == 0 {
            return Self::NONE;
        }
        let interval = if per / count as u64 == 0 {
            1
        } else {
            per / count as u64
        };
        let more = if burst == 0 { 0 } else { burst as u64 - 1 };
        Self {
            interval,
            tolerance: interval.saturating_mul(more),
        }
    }

    /// Whether nothing is limited.
    #[inline(always)]
    pub const fn is_none(&self) -> bool {
        self.interval == 0
    }
}

/// Whose word it is, and where it lies.
#[derive(Clone, Copy)]
pub struct Owner {
    hash: u64,
}

impl Owner {
    /// As one word, for function calls.
    #[inline(always)]
    pub const fn word(self) -> u64 {
        self.hash
    }

    /// The owner that was made a word.
    #[inline(always)]
    pub const fn from_word(hash: u64) -> Self {
        Self { hash }
    }

    /// From a keyed hash of the source and what is counted (class and service).
    #[inline(always)]
    pub fn new(source: u64, what: u32) -> Self {
        Self {
            hash: mix(source, what as u64 + 1),
        }
    }

    /// Index of the bucket.
    #[inline(always)]
    pub fn bucket(&self) -> u32 {
        self.hash as u32 & (BUCKETS as u32 - 1)
    }

    /// The fingerprint as it stands in a word; never 0.
    #[inline(always)]
    fn mark(&self) -> u64 {
        (self.hash | 1 << 63) & !TIME_MASK
    }
}

/// How far a word is in debt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum State {
    /// A token is there.
    Within = 0,
    /// No token, for now.
    Over = 1,
    /// No token, and as many refused as the burst allows: not worth a closer look.
    FarOver = 2,
}

#[inline(always)]
fn ticks(ns: u64) -> u64 {
    ns >> TICK_SHIFT
}

/// How far the word's time lies ahead of `now`, in ticks; 0 where it lies behind, or so far ahead
/// that it can only be a leftover of the time before the clock's bits came round.
#[inline(always)]
fn ahead(word: u64, now: u64, most: u64) -> u64 {
    let distance = word.wrapping_sub(now) & TIME_MASK;
    if distance > most { 0 } else { distance }
}

/// The place in `bucket` of the word of `owner`, or of the one to take over. An owner has two
/// places; the one less in debt is taken over, so that whoever loses its word is forgiven.
#[inline(always)]
pub fn choose(bucket: &Bucket, owner: Owner, now_ns: u64) -> usize {
    let now = ticks(now_ns) & TIME_MASK;
    let mark = owner.mark();
    let one = (owner.hash >> 16) as usize & (WAYS - 1);
    // An odd distance, so another place. Linux 6.1 follows the bounds of no XOR.
    let other = (one + ((owner.hash >> 19) as usize & (WAYS - 1) | 1)) & (WAYS - 1);
    let (first, second) = (bucket[one], bucket[other]);
    if second & !TIME_MASK == mark {
        return other;
    }
    let most = TIME_MASK >> 1;
    if first & !TIME_MASK != mark && ahead(second, now, most) < ahead(first, now, most) {
        other
    } else {
        one
    }
}

/// One transition of the word `old` of `owner`: its state before, and the word after. `charge`
/// takes a token where there is one; a refused one is noted too, up to the burst.
#[inline(always)]
pub fn step(old: u64, owner: Owner, limit: &Limit, now_ns: u64, charge: bool) -> (u64, State) {
    let now = ticks(now_ns) & TIME_MASK;
    let interval = ticks(limit.interval).max(1);
    let tolerance = ticks(limit.tolerance);
    let deepest = tolerance
        .wrapping_mul(2)
        .wrapping_add(interval.wrapping_mul(2));
    let mark = owner.mark();
    let mut debt = 0;
    if old & !TIME_MASK == mark {
        debt = ahead(old, now, deepest);
    }
    let state = if debt <= tolerance {
        State::Within
    } else if debt <= tolerance.wrapping_mul(2).wrapping_add(interval) {
        State::Over
    } else {
        State::FarOver
    };
    if !charge {
        return (old, state);
    }
    let debt = (debt + interval).min(deepest);
    (mark | (now.wrapping_add(debt) & TIME_MASK), state)
}

/// One transition of a word that all strangers share: a theoretical arrival time in nanoseconds.
/// The new word, and whether there was a token.
#[inline(always)]
pub fn shared(old: u64, limit: &Limit, now_ns: u64) -> (u64, bool) {
    let from = old.max(now_ns);
    if from - now_ns > limit.tolerance {
        return (old, false);
    }
    (from.wrapping_add(limit.interval), true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: u64 = 1_000_000_000;

    fn spend(word: &mut u64, owner: Owner, limit: &Limit, now: u64) -> State {
        let (new, state) = step(*word, owner, limit, now, true);
        *word = new;
        state
    }

    #[test]
    fn burst_then_rate() {
        let limit = Limit::new(10, 10 * SECOND, 20);
        let owner = Owner::new(42, 0);
        let mut word = 0;
        let now = 1000 * SECOND;
        for _ in 0..20 {
            assert_eq!(spend(&mut word, owner, &limit, now), State::Within);
        }
        assert_eq!(spend(&mut word, owner, &limit, now), State::Over);
        // The refused one was noted too: two seconds and a bit until the next.
        assert_eq!(
            step(word, owner, &limit, now + SECOND, false).1,
            State::Over
        );
        assert_eq!(
            step(word, owner, &limit, now + 2 * SECOND + SECOND / 5, false).1,
            State::Within
        );
    }

    #[test]
    fn debt_is_bounded() {
        let limit = Limit::new(5, 10 * SECOND, 10);
        let owner = Owner::new(7, 3);
        let mut word = 0;
        for _ in 0..10_000 {
            spend(&mut word, owner, &limit, 50 * SECOND);
        }
        assert_eq!(
            step(word, owner, &limit, 50 * SECOND, false).1,
            State::FarOver
        );
        assert_eq!(
            step(word, owner, &limit, 50 * SECOND + 60 * SECOND, false).1,
            State::Within
        );
    }

    #[test]
    fn a_collision_forgives_the_one_less_in_debt() {
        let limit = Limit::new(1, SECOND, 100);
        let now = 77 * SECOND;
        let mut bucket: Bucket = [0; WAYS];
        // More owners than places, each deeper in debt than the one before.
        let owners: [Owner; 64] = core::array::from_fn(|n| Owner::new(n as u64 * 977, 0));
        for (n, owner) in owners.iter().enumerate() {
            for _ in 0..=n {
                let way = choose(&bucket, *owner, now);
                bucket[way] = step(bucket[way], *owner, &limit, now, true).0;
            }
        }
        let known = |owner: &Owner| bucket.iter().any(|word| word & !TIME_MASK == owner.mark());
        assert!(known(&owners[63]));
        for owner in owners.iter().filter(|owner| !known(owner)) {
            let way = choose(&bucket, *owner, now);
            assert_eq!(
                step(bucket[way], *owner, &limit, now, false).1,
                State::Within
            );
        }
    }

    proptest! {
        #[test]
        fn never_more_than_rate_and_burst(
            count in 1u32..100, burst in 1u32..100, start in 0u64..u64::MAX / 4,
            gaps in proptest::collection::vec(0u64..2 * SECOND, 1..300),
        ) {
            let limit = Limit::new(count, 10 * SECOND, burst);
            let owner = Owner::new(start, 1);
            let (mut word, mut now, mut passed) = (0, start, 0u64);
            for gap in gaps {
                now += gap;
                if spend(&mut word, owner, &limit, now) == State::Within {
                    passed += 1;
                }
            }
            let most = u64::from(burst) + (now - start) * u64::from(count) / (10 * SECOND) + 2;
            prop_assert!(passed <= most, "{passed} of at most {most}");
        }

        #[test]
        fn the_shared_word_keeps_its_rate(
            start in 0u64..u64::MAX / 4, gaps in proptest::collection::vec(0u64..SECOND, 1..300),
        ) {
            let limit = Limit::new(3, SECOND, 5);
            let (mut word, mut now, mut passed) = (0, start, 0u64);
            for gap in gaps {
                now += gap;
                let (new, fine) = shared(word, &limit, now);
                word = new;
                passed += u64::from(fine);
            }
            prop_assert!(passed <= 5 + (now - start) * 3 / SECOND + 2);
        }
    }
}
