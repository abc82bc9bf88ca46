//! What is kept of a stranger's TCP connection: where its next message begins, and what became
//! of the last one. Two flows to a bucket of four words each.

use crate::bench::{Buckets, Store};
use crate::hash::{Key, mix};
use crate::reason::Reason;
use crate::verdict::Verdict;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Where a flow is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Phase {
    /// Not known here: its beginning was before the fence, or its record was given away.
    Unknown = 0,
    /// The next message begins at `next`; what lies before belongs to an admitted one.
    Messages = 1,
    /// The headers of an admitted message go on at `next`.
    Headers = 2,
    /// Judged once and for all: the rest passes.
    Open = 3,
    /// Dropped, and so is all that follows.
    Dropped = 4,
}

/// The record of a flow, and where it lies.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Flow {
    /// Sequence number at which the message last judged begins.
    pub start: u32,
    /// Sequence number of the next message, or of more headers.
    pub next: u32,
    frame: u32,
    length: u32,
    bucket: u32,
    mark: u32,
    way: u32,
    phase: u8,
    reason: u8,
    reserved: [u8; 2],
}

/// Seconds without data after which a record may be another connection's.
const IDLE_SECONDS: u16 = 7200;
/// Words of a record.
const RECORD: u32 = 4;

#[inline(always)]
fn seconds(now: u64) -> u16 {
    (now / 1_000_000_000) as u16
}

impl Flow {
    /// Finds the record of the verdict's connection, and where it lies or would lie.
    #[inline(always)]
    pub fn find<B: Store>(bench: &B, key: &Key, ends: &Verdict, flow: &mut Flow, now: u64) {
        let [a, b] = ends.source.words();
        let [c, d] = ends.destination.words();
        let ports = u64::from(ends.source_port) << 16 | u64::from(ends.destination_port);
        let hash = mix(
            key.hash([a ^ c.rotate_left(32), b ^ d.rotate_left(24)]),
            ports,
        );
        flow.bucket = hash as u32 & (Buckets::Flows.buckets() - 1);
        flow.mark = (hash >> 32) as u32 | 1;
        flow.phase = Phase::Unknown as u8;
        flow.reason = 0;
        flow.way = 0;
        let Some(words) = bench.bucket(Buckets::Flows, flow.bucket) else {
            return;
        };
        let age = |word: u64| seconds(now).wrapping_sub((word >> 16) as u16);
        let ours = |first: u64, second: u64| {
            (first >> 32) as u32 == flow.mark && age(second) < IDLE_SECONDS
        };
        let known = if ours(words[0], words[1]) {
            true
        } else if ours(words[4], words[5]) {
            flow.way = RECORD;
            true
        } else {
            let second = words[0] != 0 && (words[4] == 0 || age(words[1]) <= age(words[5]));
            flow.way = if second { RECORD } else { 0 };
            false
        };
        if known {
            let at = (flow.way & RECORD) as usize;
            let second = words[at + 1];
            let third = words[at + 2];
            flow.start = words[at] as u32;
            flow.next = (second >> 32) as u32;
            flow.phase = (second >> 8) as u8;
            flow.reason = second as u8;
            flow.frame = (third >> 32) as u32;
            flow.length = third as u32;
        }
    }

    /// Writes the record. The words of one flow are written by the one CPU that its packets come
    /// to; a mixture of two flows in one place can only forget one of them.
    #[inline(always)]
    pub fn keep<B: Store>(&self, bench: &mut B, now: u64) {
        let Some(words) = bench.bucket(Buckets::Flows, self.bucket) else {
            return;
        };
        let way = (self.way & RECORD) as usize;
        let old = [words[way], words[way + 1], words[way + 2]];
        let first = u64::from(self.mark) << 32 | u64::from(self.start);
        let second = u64::from(self.next) << 32
            | u64::from(seconds(now)) << 16
            | u64::from(self.phase) << 8
            | u64::from(self.reason);
        let third = u64::from(self.frame) << 32 | u64::from(self.length);
        bench.swap_word(Buckets::Flows, self.bucket, way, old[0], first);
        bench.swap_word(Buckets::Flows, self.bucket, way + 1, old[1], second);
        bench.swap_word(Buckets::Flows, self.bucket, way + 2, old[2], third);
    }

    /// A flow whose next message begins at `next`.
    #[inline(always)]
    pub fn begin(&mut self, next: u32) {
        self.start = next;
        self.next = next;
        self.set_frame(0, 0);
        self.set_phase(Phase::Messages);
    }

    /// Where it is.
    #[inline(always)]
    pub fn phase(&self) -> Phase {
        match self.phase {
            1 => Phase::Messages,
            2 => Phase::Headers,
            3 => Phase::Open,
            4 => Phase::Dropped,
            _ => Phase::Unknown,
        }
    }

    /// Goes on to another phase.
    #[inline(always)]
    pub fn set_phase(&mut self, phase: Phase) {
        self.phase = phase as u8;
    }

    /// State and length of the framing of headers (see `framing.rs`).
    #[inline(always)]
    pub fn frame(&self) -> (u32, u32) {
        (self.frame, self.length)
    }

    /// Keeps the framing's state and length.
    #[inline(always)]
    pub fn set_frame(&mut self, state: u32, length: u32) {
        self.frame = state;
        self.length = length;
    }

    /// Number of the reason for which it was dropped.
    #[inline(always)]
    pub fn reason(&self) -> u8 {
        self.reason
    }

    /// Ends it.
    #[inline(always)]
    pub fn drop_for(&mut self, reason: Reason) {
        self.phase = Phase::Dropped as u8;
        self.reason = reason as u8;
    }
}
