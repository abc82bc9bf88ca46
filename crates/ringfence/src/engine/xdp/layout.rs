//! What the maps of the kernel program must look like. A pinned map is opened only if it does.

use aya::maps::{MapInfo, MapType};
use ringfence_core::address::Address;
use ringfence_core::bench::{Ban, Buckets, Cells, Listed, room};
use ringfence_core::control::{Control, EVENT_COUNTS};
use ringfence_core::country::CountryTable;
use ringfence_core::limit::Bucket;
use ringfence_core::policy::{Policy, SERVICES};
use ringfence_core::reason::REASONS;
use ringfence_core::scan::Scan;
use ringfence_core::trust::{Account, Contact, ContactKey, Entry, Standing};
use zerocopy::{FromBytes, Immutable, IntoBytes};

/// The map needs no memory before it has elements.
const NO_PREALLOC: u32 = 1;

/// Entries that the lists have room for, both sets together.
pub const LISTS_ROOM: u32 = 1 << 18;

/// A key of the lists: a prefix trie wants the length before what it is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct ListKey {
    /// Bits of the prefix, those of the set among them: 32 to 160.
    pub length: u32,
    /// The set: 0 or 1.
    pub set: u32,
    /// The address, in network order.
    pub octets: [u8; 16],
}

/// The type, sizes and flags of a map.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shape {
    kind: MapType,
    key: usize,
    value: usize,
    entries: u32,
    flags: u32,
}

impl Shape {
    const fn new<K, V>(kind: MapType, entries: u32, flags: u32) -> Self {
        Self {
            kind,
            key: size_of::<K>(),
            value: size_of::<V>(),
            entries,
            flags,
        }
    }

    const fn array<V>(entries: u32) -> Self {
        Self::new::<u32, V>(MapType::Array, entries, 0)
    }

    const fn per_cpu<V>(entries: u32) -> Self {
        Self::new::<u32, V>(MapType::PerCpuArray, entries, 0)
    }

    /// Whether keys and values of both are of one kind and size; how many there may be can differ.
    pub fn holds_the_same(&self, other: &Self) -> bool {
        (self.kind, self.key, self.value) == (other.kind, other.key, other.value)
    }

    /// The shape of a map of the kernel; None for a type that is not known.
    pub fn of(info: &MapInfo) -> Option<Self> {
        Some(Self {
            kind: info.map_type().ok()?,
            key: info.key_size() as usize,
            value: info.value_size() as usize,
            entries: info.max_entries(),
            flags: info.map_flags(),
        })
    }
}

/// Every map by its name.
pub const MAPS: [(&str, Shape); 30] = [
    ("CONTROL", Shape::array::<Control>(1)),
    ("POLICY", Shape::array::<Policy>(2)),
    ("COUNTRY", Shape::array::<CountryTable>(2)),
    (
        "LISTS",
        Shape::new::<ListKey, Listed>(MapType::LpmTrie, LISTS_ROOM, NO_PREALLOC),
    ),
    (
        "BANS",
        Shape::new::<Address, Ban>(MapType::Hash, room::BANS, NO_PREALLOC),
    ),
    ("RATES", Shape::array::<Bucket>(Buckets::Rates.buckets())),
    ("FLOWS", Shape::array::<Bucket>(Buckets::Flows.buckets())),
    (
        "TRANSACTIONS",
        Shape::array::<u64>(Cells::Transactions.words()),
    ),
    ("SAMPLES", Shape::array::<u64>(Cells::Samples.words())),
    ("BUDGETS", Shape::array::<u64>(Cells::Budgets.words())),
    ("FILTER", Shape::array::<u64>(Cells::Filter.words())),
    ("ASKED", Shape::array::<u64>(Cells::Asked.words())),
    ("STRANGE", Shape::array::<u64>(Cells::Strange.words())),
    ("NONCES", Shape::array::<u64>(Cells::Nonces.words())),
    ("MARKS", Shape::array::<u64>(Cells::Marks.words())),
    (
        "STRANGERS",
        Shape::array::<Bucket>(Buckets::Strangers.buckets()),
    ),
    (
        "TRUSTED",
        Shape::array::<Bucket>(Buckets::Trusted.buckets()),
    ),
    ("SENT", Shape::array::<Bucket>(Buckets::Sent.buckets())),
    (
        "DIALOGUES",
        Shape::array::<Bucket>(Buckets::Dialogues.buckets()),
    ),
    (
        "STANDINGS",
        Shape::new::<Address, Standing>(MapType::Hash, room::STANDINGS, NO_PREALLOC),
    ),
    (
        "CONTACTS",
        Shape::new::<ContactKey, Contact>(MapType::Hash, room::CONTACTS, NO_PREALLOC),
    ),
    (
        "ACCOUNTS",
        Shape::new::<u64, Account>(MapType::Hash, room::ACCOUNTS, NO_PREALLOC),
    ),
    ("ENTRY", Shape::per_cpu::<Entry>(1)),
    ("SCAN", Shape::per_cpu::<Scan>(1)),
    ("OUTGOING", Shape::per_cpu::<Scan>(1)),
    (
        "COUNTERS",
        Shape::per_cpu::<u64>((SERVICES * REASONS) as u32),
    ),
    ("COUNTRIES", Shape::per_cpu::<u64>(512)),
    ("EVENT_STATS", Shape::per_cpu::<u64>(EVENT_COUNTS)),
    ("EVENT_LIMIT", Shape::per_cpu::<u64>(1)),
    ("LESSON_LIMIT", Shape::per_cpu::<u64>(1)),
];

/// The ring of lessons, which has neither keys nor values.
pub const LESSONS: (&str, Shape) = (
    "LESSONS",
    Shape {
        kind: MapType::RingBuf,
        key: 0,
        value: 0,
        entries: 1 << 18,
        flags: 0,
    },
);

/// The ring of events, as that of lessons.
pub const EVENTS: (&str, Shape) = (
    "EVENTS",
    Shape {
        kind: MapType::RingBuf,
        key: 0,
        value: 0,
        entries: 1 << 20,
        flags: 0,
    },
);
