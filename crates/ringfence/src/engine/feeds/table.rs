//! The table, and how it is changed while packets are judged by it.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

use ringfence_core::feed::{Head, Level, NEAR, listed, near, parts, places};
use ringfence_core::limit::{Bucket, WAYS};

use super::Blocks;
use crate::engine::xdp::Mapping;

/// A bucket that several threads, or the kernel, read meanwhile.
pub type SharedBucket = [AtomicU64; WAYS];

/// So many of a hundred places of the table are to be filled: beyond that, both buckets of a block may be full.
const FILLED: usize = 70;

/// Buckets before those of blocks: the head, and the bits of all /24s.
const BEFORE: usize = 1 + NEAR as usize;

/// The table of threat lists of a fence.
pub struct FeedTable {
    buckets: Buckets,
    /// Held by who changes the table.
    writer: Mutex<()>,
}

/// Where it lies.
enum Buckets {
    /// In this process.
    Own(Box<[SharedBucket]>),
    /// In a map of the kernel.
    Mapped(Mapping),
}

/// What became of lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placed {
    /// Blocks in the table.
    pub blocks: usize,
    /// Blocks that found no room.
    pub left_out: usize,
}

impl FeedTable {
    /// The number of buckets of a table with room for so many blocks, all others among them.
    pub fn buckets_for(room: usize) -> usize {
        if room == 0 {
            return 1;
        }
        let places = room.saturating_mul(100) / FILLED;
        let buckets = places.div_ceil(WAYS).next_power_of_two();
        buckets.min(1 << 27) + BEFORE
    }

    /// An empty one in this process, with room for so many blocks. The order of its buckets depends on the secret.
    pub fn new(room: usize, secret: u64) -> Self {
        let bucket = || SharedBucket::default();
        let buckets = std::iter::repeat_with(bucket).take(Self::buckets_for(room));
        Self::begin(Buckets::Own(buckets.collect()), secret)
    }

    /// An empty one in a new map of the kernel.
    pub fn mapped(mapping: Mapping, secret: u64) -> Self {
        Self::begin(Buckets::Mapped(mapping), secret)
    }

    fn begin(buckets: Buckets, secret: u64) -> Self {
        let table = Self {
            buckets,
            writer: Mutex::new(()),
        };
        table.set_head(&Head {
            mask: table.count().saturating_sub(1) as u32,
            levels: 0,
            secret,
        });
        table
    }

    fn all(&self) -> &[SharedBucket] {
        match &self.buckets {
            Buckets::Own(buckets) => buckets,
            Buckets::Mapped(mapping) => mapping.buckets(),
        }
    }

    /// Buckets of blocks.
    fn count(&self) -> usize {
        self.all().len().saturating_sub(BEFORE)
    }

    /// Blocks that it has room for.
    pub fn room(&self) -> usize {
        self.count() * WAYS * FILLED / 100
    }

    /// Bytes of memory.
    pub fn memory(&self) -> usize {
        size_of_val(self.all())
    }

    /// How it is read.
    pub fn head(&self) -> Option<Head> {
        self.bucket(0).map(|bucket| Head::read(&bucket))
    }

    fn set_head(&self, head: &Head) {
        if let Some(bucket) = self.all().first() {
            let [first, second] = head.words();
            bucket[1].store(second, Relaxed);
            bucket[0].store(first, Relaxed);
        }
    }

    /// A bucket as it is now.
    fn bucket(&self, place: u32) -> Option<Bucket> {
        let bucket = self.all().get(place as usize)?;
        Some(bucket.each_ref().map(|word| word.load(Relaxed)))
    }

    /// Whether anything in the /24 of an address is listed.
    pub fn near(&self, address: u32) -> bool {
        let (place, word, bit) = near(address);
        let bucket = self.all().get(place as usize);
        bucket.is_some_and(|bucket| bucket[word].load(Relaxed) >> bit & 1 == 1)
    }

    /// The actions ([`ringfence_core::feed::FeedAction::bit`]) that a bucket has for a bit of a block.
    pub fn listed(&self, place: u32, tag: u32, bit: u32) -> u8 {
        self.bucket(place)
            .map_or(0, |bucket| listed(&bucket, tag, bit))
    }

    /// Puts these blocks in the place of all others. A packet that is judged meanwhile meets, of each block, what was
    /// said before or what is said now; of one whose action changes, for an instant neither.
    ///
    /// It takes about 100 ns a block: not for a loop that others wait for.
    pub fn replace(&self, blocks: &Blocks) -> Placed {
        let _writing = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(mut head) = self.head() else {
            return Placed {
                blocks: 0,
                left_out: blocks.len(),
            };
        };
        // What others take the place of goes first: there is room for one of both.
        self.keep(|word| parts(word).is_some_and(|(tag, ..)| blocks.has_tag(tag)));
        let (near, levels) = nets(blocks);
        for (bits, now) in near.iter().zip(self.bits()) {
            now.fetch_or(*bits, Relaxed);
        }
        head.levels |= levels;
        self.set_head(&head);
        let mut placed = Placed {
            blocks: 0,
            left_out: 0,
        };
        for word in blocks.words() {
            if self.count() > 0 && self.place(&head, *word) {
                placed.blocks += 1;
            } else {
                placed.left_out += 1;
            }
        }
        self.keep(|word| blocks.has(word));
        head.levels = levels;
        self.set_head(&head);
        for (bits, now) in near.iter().zip(self.bits()) {
            now.store(*bits, Relaxed);
        }
        placed
    }

    /// The bits of all /24s.
    fn bits(&self) -> impl Iterator<Item = &AtomicU64> {
        self.all().iter().skip(1).take(NEAR as usize).flatten()
    }

    /// Empties the words that are not to be kept.
    fn keep(&self, keep: impl Fn(u64) -> bool) {
        for bucket in self.all().iter().skip(BEFORE) {
            for word in bucket {
                let now = word.load(Relaxed);
                if now != 0 && !keep(now) {
                    word.store(0, Relaxed);
                }
            }
        }
    }

    /// Puts a word into one of the two buckets of its block; whether there was room.
    fn place(&self, head: &Head, word: u64) -> bool {
        let Some((tag, ..)) = parts(word) else {
            return true;
        };
        let places = places(tag, head.mask, head.secret);
        let buckets = places.map(|place| self.all().get(place as usize));
        let [Some(one), Some(other)] = buckets else {
            return false;
        };
        let same = |place: &&AtomicU64| place.load(Relaxed) >> 32 == word >> 32;
        if let Some(place) = one.iter().chain(other).find(same) {
            place.store(word, Relaxed);
            return true;
        }
        // The emptier one: few of a bucket's neighbours in the other are ever pushed out.
        let free = |bucket: &SharedBucket| bucket.iter().filter(|it| it.load(Relaxed) == 0).count();
        let emptier = if free(one) >= free(other) { one } else { other };
        let place = empty(emptier).or_else(|| self.make_room(head, places));
        if let Some(place) = place {
            place.store(word, Relaxed);
        }
        place.is_some()
    }

    /// Moves one of two full buckets' words to its other bucket, where that has room. Both have it for an instant.
    fn make_room(&self, head: &Head, full: [u32; 2]) -> Option<&AtomicU64> {
        for place in full {
            for word in self.all().get(place as usize)? {
                let moved = word.load(Relaxed);
                let Some((tag, ..)) = parts(moved) else {
                    continue;
                };
                let others = places(tag, head.mask, head.secret);
                let other = others.into_iter().find(|other| *other != place);
                let room = other.and_then(|other| empty(self.all().get(other as usize)?));
                if let Some(room) = room {
                    room.store(moved, Relaxed);
                    return Some(word);
                }
            }
        }
        None
    }
}

/// The /24s in which anything is listed, as the table has their bits, and the levels that are used.
fn nets(blocks: &Blocks) -> (Vec<u64>, u8) {
    let mut bits = vec![0u64; NEAR as usize * WAYS];
    let mut levels = 0;
    let mut mark = |net: u32| {
        if let Some(word) = bits.get_mut((net >> 6) as usize) {
            *word |= 1 << (net & 63);
        }
    };
    for (tag, map, _) in blocks.words().iter().filter_map(|word| parts(*word)) {
        levels |= 1 << (tag >> 27 & 1);
        let block = tag & ((1 << 27) - 1);
        if tag >> 27 == Level::Net as u32 {
            (0..32)
                .filter(|bit| map >> bit & 1 == 1)
                .for_each(|bit| mark(block << 5 | bit));
        } else {
            mark(block >> 3);
        }
    }
    (bits, levels)
}

/// An empty place of a bucket.
fn empty(bucket: &SharedBucket) -> Option<&AtomicU64> {
    bucket.iter().find(|word| word.load(Relaxed) == 0)
}

impl std::fmt::Debug for FeedTable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FeedTable")
            .field("room", &self.room())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use ringfence_core::feed::FeedAction;

    use super::*;

    /// What the table says of an address.
    fn says(table: &FeedTable, address: u32) -> u8 {
        let head = table.head().unwrap();
        if !table.near(address) {
            return 0;
        }
        let mut found = 0;
        for level in Level::ALL {
            let (tag, bit) = level.split(address);
            if head.levels >> level as u8 & 1 == 1 {
                for place in places(tag, head.mask, head.secret) {
                    found |= table.listed(place, tag, bit);
                }
            }
        }
        found
    }

    fn single(address: u32) -> (u32, u32, FeedAction) {
        (address, address, FeedAction::Ban)
    }

    #[test]
    fn without_room_nothing_is_listed_and_it_is_told() {
        let table = FeedTable::new(0, 1);
        let placed = table.replace(&Blocks::new([single(7)]));
        assert_eq!((placed.blocks, placed.left_out), (0, 1));
        assert_eq!(says(&table, 7), 0);
        assert_eq!(table.room(), 0);
    }

    #[test]
    fn as_many_blocks_as_there_is_room_for_are_placed() {
        for room in [1, 5, 1_000, 100_000] {
            let table = FeedTable::new(room, 0x1234_5678_9abc_def1);
            // Scattered, so that each is a block of its own.
            let addresses = (0..table.room() as u32).map(|n| n.wrapping_mul(0x9e37_79b1));
            let blocks = Blocks::new(addresses.clone().map(single));
            assert!(blocks.len() >= room);
            let placed = table.replace(&blocks);
            assert_eq!(
                (placed.blocks, placed.left_out),
                (blocks.len(), 0),
                "{room}"
            );
            assert!(
                addresses
                    .clone()
                    .all(|it| says(&table, it) == FeedAction::Ban.bit())
            );
        }
    }

    #[test]
    fn what_finds_no_room_is_counted() {
        let table = FeedTable::new(100, 3);
        let blocks = Blocks::new((0..10_000u32).map(|n| single(n << 8)));
        let placed = table.replace(&blocks);
        assert!(placed.blocks >= 100 && placed.left_out > 0);
        assert_eq!(placed.blocks + placed.left_out, blocks.len());
        assert_eq!(
            table.replace(&Blocks::default()),
            Placed {
                blocks: 0,
                left_out: 0
            }
        );
        assert!((0..10_000u32).all(|n| says(&table, n << 8) == 0));
    }

    proptest! {
        #[test]
        fn a_table_says_what_was_put_there_last(
            turns in prop::collection::vec(
                prop::collection::vec((0u32..50_000, 0u32..2_000, 0usize..3), 0..20), 1..4,
            ),
            secret: u64,
        ) {
            let table = FeedTable::new(4_000, secret);
            for ranges in turns {
                let ranges: Vec<_> = ranges
                    .into_iter()
                    .map(|(first, more, action)| (first, first + more, FeedAction::ALL[action]))
                    .collect();
                let blocks = Blocks::new(ranges.iter().copied());
                prop_assert_eq!(table.replace(&blocks).left_out, 0);
                for address in (0..52_000).step_by(37) {
                    let wanted = ranges
                        .iter()
                        .filter(|(first, last, _)| (*first..=*last).contains(&address))
                        .fold(0, |bits, (_, _, action)| bits | action.bit());
                    prop_assert_eq!(says(&table, address), wanted, "{}", address);
                }
            }
        }
    }
}
