//! Five words kept under a keyed hash, in tables that a flood can only make forget.

use crate::bench::{Buckets, Store};
use crate::hash::mix;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// What is kept under a hash. Below, a record takes up a whole bucket: the hash, these words, when
/// it was written, and a seal over all.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct Record {
    /// The words.
    pub words: [u64; 5],
    /// Boot time at which it was written, in ns.
    pub time: u64,
}

/// The seal: two CPUs that write one bucket at a time make a mixture that nobody takes for a record.
#[inline(always)]
fn seal(mark: u64, record: &Record) -> u64 {
    let [a, b, c, d, e] = record.words;
    let one = mix(mark ^ a, b.rotate_left(23));
    let two = mix(c ^ d.rotate_left(31), e ^ record.time.rotate_left(7));
    one ^ two
}

/// Where a record may lie.
#[inline(always)]
fn places(table: Buckets, hash: u64) -> [u32; 2] {
    let mask = table.buckets() - 1;
    [hash as u32 & mask, (hash >> 32) as u32 & mask]
}

/// Reads the record in a bucket into `record`; whether it is that of `mark`.
#[inline(always)]
fn read<B: Store>(bench: &B, table: Buckets, index: u32, mark: u64, record: &mut Record) -> bool {
    let Some(words) = bench.bucket(table, index) else {
        return false;
    };
    if words[0] != mark {
        return false;
    }
    record.words = [words[1], words[2], words[3], words[4], words[5]];
    record.time = words[6];
    words[7] == seal(mark, record)
}

/// Finds what was kept under a hash at most `within` ns ago; whether there is any. The record is
/// written in any case.
#[inline(always)]
pub fn find<B: Store>(
    bench: &B,
    table: Buckets,
    hash: u64,
    record: &mut Record,
    now: u64,
    within: u64,
) -> bool {
    let mark = hash | 1;
    let [first, second] = places(table, hash);
    (read(bench, table, first, mark, record) || read(bench, table, second, mark, record))
        && now.wrapping_sub(record.time) <= within
}

/// Keeps a record under a hash, in the place of the older of two; whether that was no older than
/// `within` ns and another's.
#[inline(always)]
pub fn keep<B: Store>(
    bench: &mut B,
    table: Buckets,
    hash: u64,
    record: &Record,
    within: u64,
) -> bool {
    let mark = hash | 1;
    let [first, second] = places(table, hash);
    let (one, one_time) = mark_and_time(bench, table, first);
    let (other, other_time) = mark_and_time(bench, table, second);
    let (index, old, time) = if one == mark {
        (first, one, one_time)
    } else if other == mark || other_time < one_time {
        (second, other, other_time)
    } else {
        (first, one, one_time)
    };
    let [a, b, c, d, e] = record.words;
    let words = [mark, a, b, c, d, e, record.time, seal(mark, record)];
    let mut way = 0;
    while way < words.len() {
        let before = match bench.bucket(table, index) {
            Some(bucket) => bucket[way],
            None => return false,
        };
        bench.swap_word(table, index, way, before, words[way]);
        way += 1;
    }
    old != 0 && old != mark && record.time.wrapping_sub(time) <= within
}

#[inline(always)]
fn mark_and_time<B: Store>(bench: &B, table: Buckets, index: u32) -> (u64, u64) {
    match bench.bucket(table, index) {
        Some(words) => (words[0], words[6]),
        None => (0, 0),
    }
}
