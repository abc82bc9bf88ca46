//! Ranges of addresses as the blocks of the table.

use ringfence_core::feed::{FeedAction, Level, word};

/// Blocks of listed IPv4 addresses, each tag and action once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Blocks {
    /// Words of the table, by tag and action.
    words: Vec<u64>,
}

/// The part of a word that names its block and action.
fn name(word: u64) -> u64 {
    word >> 32
}

impl Blocks {
    /// Out of ranges of IPv4 addresses in host order, first and last, in any order; they may overlap.
    pub fn new(ranges: impl IntoIterator<Item = (u32, u32, FeedAction)>) -> Self {
        let mut words = Vec::new();
        for (first, last, action) in ranges {
            add(&mut words, first, last, action);
        }
        words.sort_unstable();
        words.dedup_by(|next, kept| {
            let same = name(*next) == name(*kept);
            if same {
                *kept |= *next;
            }
            same
        });
        words.shrink_to_fit();
        Self { words }
    }

    /// Words of the table, ascending.
    pub fn words(&self) -> &[u64] {
        &self.words
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.words.len()
    }

    /// Whether nothing is listed.
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// Whether there is a block with the tag and the action of this word.
    pub fn has(&self, word: u64) -> bool {
        self.words
            .binary_search_by_key(&name(word), |it| name(*it))
            .is_ok()
    }

    /// Whether there is a block with this tag, whatever its action.
    pub fn has_tag(&self, tag: u32) -> bool {
        FeedAction::ALL
            .iter()
            .any(|action| self.has(word(tag, 0, *action)))
    }
}

/// Adds the blocks of a range.
fn add(words: &mut Vec<u64>, first: u32, last: u32, action: FeedAction) {
    if first > last {
        return;
    }
    // Whole nets of 256 addresses, and what is left on either side of them. One more than the last may be 2^32.
    let (begin, end) = (u64::from(first), u64::from(last) + 1);
    let (nets_begin, nets_end) = (begin.next_multiple_of(256), end / 256 * 256);
    if nets_begin < nets_end {
        put(words, begin, nets_begin, Level::Address, action);
        put(words, nets_begin >> 8, nets_end >> 8, Level::Net, action);
        put(words, nets_end, end, Level::Address, action);
    } else {
        put(words, begin, end, Level::Address, action);
    }
}

/// Adds the blocks from one number of a level to before another.
fn put(words: &mut Vec<u64>, mut begin: u64, end: u64, level: Level, action: FeedAction) {
    while begin < end {
        let until = (begin / 32 * 32 + 32).min(end);
        let count = until - begin;
        let ones = u32::MAX >> (32 - count);
        let (tag, bit) = level.split((begin << level.below()) as u32);
        words.push(word(tag, ones << bit, action));
        begin = until;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use ringfence_core::feed::parts;

    use super::*;

    /// What the blocks say of an address.
    fn says(blocks: &Blocks, address: u32) -> u8 {
        let mut found = 0;
        for level in Level::ALL {
            let (tag, bit) = level.split(address);
            for (other, map, action) in blocks.words().iter().filter_map(|it| parts(*it)) {
                if other == tag && map >> bit & 1 == 1 {
                    found |= action.bit();
                }
            }
        }
        found
    }

    #[test]
    fn the_whole_internet_is_nets() {
        let blocks = Blocks::new([(0, u32::MAX, FeedAction::Deny)]);
        assert_eq!(blocks.len(), 1 << 19);
        assert_eq!(says(&blocks, 0), FeedAction::Deny.bit());
        assert_eq!(says(&blocks, u32::MAX), FeedAction::Deny.bit());
    }

    proptest! {
        #[test]
        fn blocks_list_what_the_ranges_hold(
            ranges in prop::collection::vec((0u32..100_000, 0u32..3_000, 0usize..3), 0..12),
            asked in prop::collection::vec(0u32..110_000, 50),
        ) {
            let ranges: Vec<_> = ranges
                .into_iter()
                .map(|(first, more, action)| (first, first + more, FeedAction::ALL[action]))
                .collect();
            let blocks = Blocks::new(ranges.iter().copied());
            prop_assert!(blocks.words().is_sorted_by(|a, b| name(*a) < name(*b)));
            let edges = ranges.iter().flat_map(|(first, last, _)| [*first, *last, last + 1]);
            for address in asked.iter().copied().chain(edges) {
                let wanted = ranges
                    .iter()
                    .filter(|(first, last, _)| (*first..=*last).contains(&address))
                    .fold(0, |bits, (_, _, action)| bits | action.bit());
                prop_assert_eq!(says(&blocks, address), wanted, "{}", address);
            }
        }
    }
}
