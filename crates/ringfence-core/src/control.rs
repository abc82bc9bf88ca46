//! What the kernel program reads before anything else: which tables are in force, the secret of
//! this boot, the guarded interfaces. One element of one map; each word is written at once.

use crate::hash::Key;
use crate::limit::Limit;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Version of all layouts that kernel and daemon share. Pinned maps of another version are not
/// opened: their contents are copied into new ones.
pub const LAYOUT: u32 = 4;

/// Interfaces that one fence may guard.
pub const INTERFACES: usize = 16;

/// A guarded interface.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct Interface {
    /// Its index, or 0.
    pub index: u32,
    /// Number of a [`crate::packet::Link`].
    pub link: u32,
}

/// The control word and what goes with it.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Control {
    /// Bit 0: which of two policies is in force; bit 1: which of two country tables.
    pub selector: u32,
    /// [`LAYOUT`].
    pub layout: u32,
    /// Boot time less monotonic time, in ns.
    pub boot_offset: u64,
    /// The time itself, for tests of a program that was loaded to take it from here.
    pub clock: u64,
    /// The secret of this boot.
    pub key: Key,
    /// Events that one CPU may report.
    pub events: Limit,
    /// The guarded interfaces; their place is the number that lists name them by.
    pub interfaces: [Interface; INTERFACES],
}

const _: () = assert!(
    size_of::<Control>() == 24 + 16 + 16 + 8 * INTERFACES,
    "a map value"
);

impl Control {
    /// The element of the policy map that is in force.
    #[inline(always)]
    pub const fn policy(&self) -> u32 {
        policy_of(self.selector)
    }

    /// The element of the country map that is in force.
    #[inline(always)]
    pub const fn countries(&self) -> u32 {
        countries_of(self.selector)
    }
}

/// The element of the policy map that a selector names.
#[inline(always)]
pub const fn policy_of(selector: u32) -> u32 {
    selector & 1
}

/// The element of the country map that a selector names.
#[inline(always)]
pub const fn countries_of(selector: u32) -> u32 {
    selector >> 1 & 1
}

/// Counts of what became of events, by index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum EventCount {
    /// Written to the ring buffer.
    Reported = 0,
    /// Of a source and reason that were reported a moment ago.
    Sampled = 1,
    /// Above the number that may be reported in a second.
    Limited = 2,
    /// There was no room in the ring buffer.
    Lost = 3,
    /// Bans that found no room in their table.
    BansLost = 4,
    /// Packets of dropped connections that this host did not send.
    Silenced = 5,
    /// What was learned and found no room in its table.
    TrustLost = 6,
    /// Answers that were too long or in too many pieces to learn from.
    Unread = 7,
    /// Responses that answer nothing and passed, since too little is remembered to be sure.
    Unsolicited = 8,
    /// Lessons that were not told: too many, or no room.
    LessonsLost = 9,
}

/// Slots for [`EventCount`].
pub const EVENT_COUNTS: u32 = 16;
