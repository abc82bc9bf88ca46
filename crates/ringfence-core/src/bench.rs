//! What the judge asks of the place that it works in: packet bytes, tables, a clock, loops.

use crate::address::Address;
use crate::control::EventCount;
use crate::country::{Country, CountryTable};
use crate::feed::Head;
use crate::hash::Key;
use crate::judge::{self, Part};
use crate::limit::{Bucket, State};
use crate::packet::Bytes;
use crate::policy::{Admission, Policy};
use crate::scan::{Scan, Step};
use crate::search::{self, Search};
use crate::trust::{Account, Contact, ContactKey, Lesson, Standing};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// What the lists say of an address. Every entry holds what all wider entries say too, so that
/// one look-up of the longest prefix answers all.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct Listed {
    /// Of [`list_flags`].
    pub flags: u32,
    /// Interfaces (bit n: the n-th guarded one) from which a private address is a neighbour.
    pub neighbours: u32,
    /// Services (bit n: the n-th) that admit its network, whatever its country.
    pub admits: u32,
    /// Services that do not admit its network, whatever its country.
    pub refuses: u32,
}

/// What an address is listed as.
pub mod list_flags {
    /// The operator denies it.
    pub const DENIED: u32 = 1;
    /// The operator permits it.
    pub const PERMITTED: u32 = 2;
    /// A provider.
    pub const TRUNK: u32 = 4;
    /// Carries others' traffic.
    pub const PROXY: u32 = 8;
    /// Ours, or loopback: no wire carries it.
    pub const OWN: u32 = 16;
    /// As a destination: behind the fence.
    pub const PROTECTED: u32 = 32;
    /// Where the actions of threat lists begin: a bit each ([`crate::feed::FeedAction::bit`]). IPv4 addresses have a
    /// table of their own for them.
    pub const FEEDS: u32 = 16;
}

/// Why a source was banned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Cause {
    /// By the operator.
    Manual = 1,
    /// By a signature.
    Signature = 2,
    /// By the number of its dropped transactions.
    Rate = 3,
    /// By refused credentials.
    Failures = 4,
    /// By the number of users, numbers or addresses that it asked for.
    Enumeration = 5,
    /// By asking for a user that nobody here has.
    Tripwire = 6,
}

impl Cause {
    /// The public name.
    pub const fn name(self) -> &'static str {
        match self {
            Cause::Manual => "manual",
            Cause::Signature => "signature",
            Cause::Rate => "rate",
            Cause::Failures => "failures",
            Cause::Enumeration => "enumeration",
            Cause::Tripwire => "tripwire",
        }
    }

    /// The cause with this number.
    pub const fn from_number(number: u8) -> Option<Self> {
        match number {
            1 => Some(Cause::Manual),
            2 => Some(Cause::Signature),
            3 => Some(Cause::Rate),
            4 => Some(Cause::Failures),
            5 => Some(Cause::Enumeration),
            6 => Some(Cause::Tripwire),
            _ => None,
        }
    }
}

/// A ban of an IPv4 address or an IPv6 /64, or of one flow of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Ban {
    /// Boot time (ns) at which it ends.
    pub until: u64,
    /// Number of a [`Cause`].
    pub cause: u8,
    /// 1: the source proved a return path: nobody forged what it was banned for.
    pub proved: u8,
    /// The signature that caused it, or 0.
    pub signature: u16,
    /// Seconds that it is renewed for while the source goes on above its rate; 0: it is not.
    pub renews: u32,
}

/// Tables of single words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cells {
    /// Transactions seen, by source and Via branch.
    Transactions,
    /// When an event of a source and reason was last reported.
    Samples,
    /// What strangers have spent of each service's budget.
    Budgets,
    /// One bit for each banned source.
    Filter,
    /// Users, numbers and addresses that a source asked for.
    Asked,
    /// Call-IDs that strangers brought.
    Strange,
    /// Nonces that this host gave out, by the address that they went to.
    Nonces,
    /// Single facts: see [`crate::trust`].
    Marks,
}

impl Cells {
    /// Every table, in the order of its number.
    pub const ALL: [Self; 8] = [
        Self::Transactions,
        Self::Samples,
        Self::Budgets,
        Self::Filter,
        Self::Asked,
        Self::Strange,
        Self::Nonces,
        Self::Marks,
    ];

    /// Words in the table: a power of two.
    pub const fn words(self) -> u32 {
        match self {
            Cells::Transactions => 1 << 18,
            Cells::Samples => 1 << 16,
            Cells::Budgets => 64,
            Cells::Filter => 1 << 14,
            Cells::Asked => 1 << 17,
            Cells::Strange => 1 << 16,
            Cells::Nonces => 1 << 15,
            Cells::Marks => 64,
        }
    }
}

/// Tables of buckets of eight words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Buckets {
    /// Rates: eight words of GCRA (`limit.rs`).
    Rates,
    /// TCP flows: two flows of four words (`flow.rs`).
    Flows,
    /// Requests of strangers that came in and passed: a record each (`trust/record.rs`).
    Strangers,
    /// Requests of those who belong.
    Trusted,
    /// Requests that this host sent.
    Sent,
    /// Dialogues: eight of one word.
    Dialogues,
}

impl Buckets {
    /// Every table, in the order of its number.
    pub const ALL: [Self; 6] = [
        Self::Rates,
        Self::Flows,
        Self::Strangers,
        Self::Trusted,
        Self::Sent,
        Self::Dialogues,
    ];

    /// Buckets in the table: a power of two.
    pub const fn buckets(self) -> u32 {
        match self {
            Buckets::Rates => crate::limit::BUCKETS as u32,
            Buckets::Flows => 1 << 15,
            Buckets::Strangers => 1 << 15,
            Buckets::Trusted => 1 << 14,
            Buckets::Sent => 1 << 14,
            Buckets::Dialogues => 1 << 14,
        }
    }
}

/// Entries that the tables have room for.
pub mod room {
    /// Bans.
    pub const BANS: u32 = 1 << 18;
    /// Addresses of which something is known.
    pub const STANDINGS: u32 = 1 << 16;
    /// Registrations, by account and by flow.
    pub const CONTACTS: u32 = 1 << 17;
    /// Accounts.
    pub const ACCOUNTS: u32 = 1 << 16;
}

/// What the judge reads that one packet does not change.
#[derive(Clone, Copy)]
pub struct Tables<'a> {
    /// The policy in force.
    pub policy: &'a Policy,
    /// The country table in force.
    pub countries: &'a CountryTable,
    /// The secret of this boot.
    pub key: &'a Key,
}

/// One turn of a loop that needs more than the window. In the kernel it is the callback of
/// `bpf_loop`.
pub trait Turn<B> {
    /// Takes the turn; `true` ends the loop.
    fn turn(bench: &mut B, tables: Tables<'_>, scan: &mut Scan) -> bool;
}

/// A clock, and the tables that packets change.
pub trait Store {
    /// Boot time in ns.
    fn now(&mut self) -> u64;

    /// What the lists say of an address; `set` is that of the policy.
    fn listed(&self, address: &Address, set: u32) -> Listed;

    /// The ban of a subject (see [`Address::subject`]), over or not.
    fn ban(&self, subject: &Address) -> Option<Ban>;

    /// Bans a subject. A table that is full counts it and bans nobody.
    fn set_ban(&mut self, subject: &Address, ban: &Ban);

    /// What is known of an address.
    fn standing(&self, address: &Address) -> Option<&Standing>;

    /// Keeps what is known of an address. A table that is full counts it and learns nothing.
    fn set_standing(&mut self, address: &Address, standing: &Standing);

    /// A registration, over or not.
    fn contact(&self, key: &ContactKey) -> Option<&Contact>;

    /// Keeps a registration; as [`Store::set_standing`].
    fn set_contact(&mut self, key: &ContactKey, contact: &Contact);

    /// An account by the digest of its name.
    fn account(&self, digest: u64) -> Option<&Account>;

    /// Keeps an account; as [`Store::set_standing`].
    fn set_account(&mut self, digest: u64, account: &Account);

    /// Tells the daemon what was learned, or, where there are too many such words, counts it.
    fn tell(&mut self, lesson: &Lesson);

    /// Counts what has no other trace.
    fn count(&mut self, what: EventCount);

    /// A word of a table; `index` is below [`Cells::words`].
    fn cell(&self, table: Cells, index: u32) -> u64;

    /// Replaces a word where it is still `old`; whether it was.
    fn swap_cell(&mut self, table: Cells, index: u32, old: u64, new: u64) -> bool;

    /// How the table of threat lists is read; None where there is none.
    fn feed_head(&self) -> Option<Head>;

    /// Whether threat lists have anything in the /24 of an IPv4 address.
    fn feed_near(&self, address: u32) -> bool;

    /// The actions that a bucket of the table of threat lists has for a bit of a block ([`crate::feed::listed`]).
    fn feed_listed(&self, place: u32, tag: u32, bit: u32) -> u8;

    /// A bucket as it is now; `index` is below [`Buckets::buckets`]. Each word is read once: others
    /// may replace it meanwhile.
    fn bucket(&self, table: Buckets, index: u32) -> Option<&Bucket>;

    /// Replaces a word of a bucket where it is still `old`; whether it was.
    fn swap_word(&mut self, table: Buckets, index: u32, way: usize, old: u64, new: u64) -> bool;

    /// Hears what was asked and found, for explanations.
    #[inline(always)]
    fn trace(&mut self, _: Trace) {}
}

/// A place that judges packets.
pub trait Bench: Bytes + Store {
    /// Copies `length` bytes (1 to [`crate::scan::WINDOW`]) of the frame from `offset` on into the
    /// window; whether they were there.
    fn fill(&self, offset: u32, length: u32, scan: &mut Scan) -> bool;

    /// Takes steps until one ends the loop, at most `most` of them.
    fn repeat<S: Step>(scan: &mut Scan, policy: &Policy, most: u32);

    /// Performs a search in the window.
    #[inline(always)]
    fn search(search: Search, scan: &mut Scan, one: u64, other: u64) -> u64
    where
        Self: Sized,
    {
        search::search::<Self>(search, scan, one, other)
    }

    /// Takes turns, each with the whole bench, until one ends the loop, at most `most` of them.
    fn turns<T: Turn<Self>>(&mut self, tables: Tables<'_>, scan: &mut Scan, most: u32)
    where
        Self: Sized;

    /// Runs a part of the judgement and gives its answer.
    #[inline(always)]
    fn part(&mut self, part: Part, tables: Tables<'_>, scan: &mut Scan) -> u32
    where
        Self: Sized,
    {
        judge::run(part, self, tables, scan)
    }
}

/// A step of the order of judgement and what it found.
#[derive(Clone, Copy, Debug)]
pub enum Trace {
    /// What the lists say of the source.
    Source(Listed),
    /// The service at the destination, 0 for none.
    Service(u8),
    /// What the source is trusted for, of [`crate::trust::level`].
    Trust(u8),
    /// The ban of the source.
    Ban(Option<Ban>),
    /// What lists of others say of the source, and whether that is heeded: of one that belongs it is not.
    Feed {
        /// Bits of actions ([`crate::feed::FeedAction::bit`]), and [`crate::feed::REFUSED`].
        said: u8,
        /// Whether it counts.
        heeded: bool,
    },
    /// The source's country and who is admitted.
    Country {
        /// The country of the source.
        country: Country,
        /// Who is admitted for the message.
        admission: Admission,
        /// Whether the source is.
        admitted: bool,
    },
    /// The message and its class.
    Message {
        /// The number of its class.
        class: u8,
        /// Whether the text is whole in what was seen.
        whole: bool,
    },
    /// The rate of the source for the class.
    Rate {
        /// The number of the class.
        class: u8,
        /// The state before this message.
        state: State,
        /// A transaction that was seen before.
        retransmission: bool,
    },
    /// What was found in the message.
    Inspection {
        /// The signature that hit, or 0.
        signature: u16,
        /// Whether one of the service's domains was named; `None` where none is asked for.
        domain: Option<bool>,
    },
    /// What the budgets said.
    Budget {
        /// The source's part.
        source: bool,
        /// What all strangers share.
        shared: bool,
    },
}
