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
/// Buckets of the table of rates: 8 MiB.
pub const BUCKETS: usize = 1 << 17;

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

    /// The limit of `parts` such sources, and one more part for the address that they share.
    #[inline(always)]
    pub const fn shared_by(&self, parts: u32) -> Self {
        let interval = self.interval / (parts as u64 + 1);
        Self {
            interval,
            tolerance: self.interval + self.tolerance - interval,
        }
    }

    /// `factor` times as many tokens, also at once.
    #[inline(always)]
    pub const fn times(&self, factor: u32) -> Self {
        let interval = self.interval / factor as u64;
        Self {
            interval,
            tolerance: self.tolerance + self.interval - interval,
        }
    }

    /// Tokens that may be spent at once.
    #[inline(always)]
    pub const fn burst(&self) -> u32 {
        match self.tolerance.checked_div(self.interval) {
            Some(more) => more as u32 + 1,
            None => u32::MAX,
        }
    }
}

/// Whose word it is, and where it may lie.
#[derive(Clone, Copy)]
pub struct Owner {
    source: u64,
    hash: u64,
    slot: u32,
}

/// How far the places of two services lie apart: odd, and no pattern in any of its bits.
const APART: u64 = 0x9e37_79b9_7f4a_7c15;

/// Kinds of words that a source may have at a service: a power of two, and two buckets.
pub const SLOTS: u32 = 2 * WAYS as u32;

impl Owner {
    /// From a keyed hash of the source, and what is counted: `slot` (below [`SLOTS`]) of a service.
    /// All words of a source at a service lie side by side, those of the lower slots in one line of
    /// the cache. Each service has places of its own: who goes from one to the next pushes out none
    /// of its own words.
    #[inline(always)]
    pub fn new(source: u64, service: u8, slot: u32) -> Self {
        let source = source.wrapping_add(u64::from(service).wrapping_mul(APART));
        Self {
            source,
            hash: mix(source, u64::from(slot) | 1 << 31),
            slot,
        }
    }

    /// The bucket of the word's first place (`choice` 0) or of its second (1).
    #[inline(always)]
    pub fn bucket(&self, choice: u32) -> u32 {
        let pair = (self.source >> (choice * 20)) as u32;
        (pair.wrapping_mul(2).wrapping_add(self.slot >> 3)) & (BUCKETS as u32 - 1)
    }

    /// The place of the word in either bucket.
    #[inline(always)]
    pub fn way(&self) -> usize {
        self.slot as usize & (WAYS - 1)
    }

    /// Whether a word is the owner's.
    #[inline(always)]
    pub fn owns(&self, word: u64) -> bool {
        word & !TIME_MASK == self.mark()
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

/// Whether a word's owner is in debt. Of one that is not, nothing is lost with the word.
#[inline(always)]
pub fn in_debt(word: u64, now_ns: u64) -> bool {
    ahead(word, ticks(now_ns) & TIME_MASK, TIME_MASK >> 1) != 0
}

/// Whether `second` is less in debt than `first`: it is the one to take over by an owner of
/// neither, so that whoever loses its word is forgiven.
#[inline(always)]
pub fn yields(first: u64, second: u64, now_ns: u64) -> bool {
    let now = ticks(now_ns) & TIME_MASK;
    let most = TIME_MASK >> 1;
    ahead(second, now, most) < ahead(first, now, most)
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
    if owner.owns(old) {
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

/// Tokens of the owner that are spent and did not come back yet.
#[inline(always)]
pub fn spent(old: u64, owner: Owner, limit: &Limit, now_ns: u64) -> u32 {
    let interval = ticks(limit.interval).max(1);
    if !owner.owns(old) {
        return 0;
    }
    let debt = ahead(old, ticks(now_ns) & TIME_MASK, TIME_MASK >> 1);
    debt.div_ceil(interval) as u32
}

/// Gives tokens back to the owner of the word `old`: the word after.
#[inline(always)]
pub fn refund(old: u64, owner: Owner, limit: &Limit, now_ns: u64, tokens: u32) -> u64 {
    let now = ticks(now_ns) & TIME_MASK;
    if !owner.owns(old) {
        return old;
    }
    let debt = ahead(old, now, TIME_MASK >> 1);
    let back = ticks(limit.interval).max(1) * u64::from(tokens);
    let less = debt.saturating_sub(back);
    owner.mark() | (now.wrapping_add(less) & TIME_MASK)
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
        let owner = Owner::new(42, 1, 0);
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
        let owner = Owner::new(7, 1, 3);
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
        // More owners than places, each deeper in debt than the one before.
        let mut places = [0u64; 2];
        let owners: [Owner; 64] = core::array::from_fn(|n| Owner::new(n as u64 * 977, 1, 0));
        let place = |owner: &Owner, places: &[u64; 2]| {
            let second = owner.owns(places[1])
                || !owner.owns(places[0]) && yields(places[0], places[1], now);
            usize::from(second)
        };
        for (n, owner) in owners.iter().enumerate() {
            for _ in 0..=n {
                let at = place(owner, &places);
                places[at] = step(places[at], *owner, &limit, now, true).0;
            }
        }
        let known = |owner: &Owner| places.iter().any(|word| owner.owns(*word));
        assert!(known(&owners[63]));
        for owner in owners.iter().filter(|owner| !known(owner)) {
            let old = places[place(owner, &places)];
            assert_eq!(step(old, *owner, &limit, now, false).1, State::Within);
        }
    }

    #[test]
    fn words_of_one_source_lie_apart() {
        let places = |choice| {
            let mut places: [_; SLOTS as usize] = core::array::from_fn(|slot| {
                let owner = Owner::new(0x1234_5678_9abc_def1, 3, slot as u32);
                (owner.bucket(choice), owner.way())
            });
            places.sort_unstable();
            places
        };
        for choice in 0..2 {
            assert!(places(choice).windows(2).all(|two| two[0] != two[1]));
        }
        assert_ne!(places(0), places(1));
        // Nor do those of its services meet.
        let mut buckets: [u32; 32] = core::array::from_fn(|service| {
            Owner::new(0x1234_5678_9abc_def1, service as u8, 0).bucket(0)
        });
        buckets.sort_unstable();
        assert!(buckets.windows(2).all(|two| two[0] != two[1]));
    }

    proptest! {
        #[test]
        fn never_more_than_rate_and_burst(
            count in 1u32..100, burst in 1u32..100, start in 0u64..u64::MAX / 4,
            gaps in proptest::collection::vec(0u64..2 * SECOND, 1..300),
        ) {
            let limit = Limit::new(count, 10 * SECOND, burst);
            let owner = Owner::new(start, 1, 1);
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
