//! The judge over plain memory: for replay, explanations and tests. Tables have the sizes of the
//! kernel's, so that the same packets collide or do not.

mod learned;
mod live;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::Hash;
use std::sync::Arc;

use ringfence_core::address::Address;
use ringfence_core::bench::{Ban, Bench, Buckets, Cells, Listed, Store, Tables, Trace, Turn, room};
use ringfence_core::control::{EVENT_COUNTS, EventCount};
use ringfence_core::country::{Country, CountryTable};
use ringfence_core::feed::Head;
use ringfence_core::hash::Key;
use ringfence_core::judge::{judge, mark_banned, outgoing};
use ringfence_core::limit::{Bucket, WAYS};
use ringfence_core::packet::{Bytes, Link};
use ringfence_core::policy::Policy;
use ringfence_core::reason::Action;
use ringfence_core::scan::{Scan, Step, WINDOW};
use ringfence_core::trust::{Account, Contact, ContactKey, Lesson, Standing};
use ringfence_core::verdict::Verdict;
use zerocopy::{FromBytes, FromZeros, IntoBytes};

use super::feeds::FeedTable;
use crate::tables::{Generation, Names, Prefix};
use crate::trust::Snapshot;

/// A fence in plain memory.
pub struct Memory {
    generation: Generation,
    /// The lengths of listed prefixes, the longest first.
    lengths: Vec<u8>,
    countries: Box<CountryTable>,
    feeds: Option<Arc<FeedTable>>,
    key: Key,
    state: State,
    scan: Box<Scan>,
    /// That of frames that leave, as the kernel has another for them.
    leaving: Box<Scan>,
}

/// What packets change.
struct State {
    bans: HashMap<Address, Ban>,
    standings: HashMap<Address, Standing>,
    contacts: HashMap<ContactKey, Contact>,
    accounts: HashMap<u64, Account>,
    lessons: Vec<Lesson>,
    counts: [u64; EVENT_COUNTS as usize],
    cells: [Vec<u64>; Cells::ALL.len()],
    buckets: [Vec<Bucket>; Buckets::ALL.len()],
}

impl State {
    fn new() -> Self {
        Self {
            bans: HashMap::new(),
            standings: HashMap::new(),
            contacts: HashMap::new(),
            accounts: HashMap::new(),
            lessons: Vec::new(),
            counts: [0; EVENT_COUNTS as usize],
            cells: Cells::ALL.map(|table| vec![0; table.words() as usize]),
            buckets: Buckets::ALL.map(|table| vec![[0; WAYS]; table.buckets() as usize]),
        }
    }
}

/// The lengths of the listed prefixes, the longest first.
fn lengths(lists: &BTreeMap<Prefix, Listed>) -> Vec<u8> {
    let lengths: BTreeSet<u8> = lists.keys().map(|prefix| prefix.length).collect();
    lengths.into_iter().rev().collect()
}

/// Puts an entry into a table of so much room.
fn put<K: Eq + Hash, V>(table: &mut HashMap<K, V>, room: u32, key: K, value: V) {
    if table.len() < room as usize || table.contains_key(&key) {
        table.insert(key, value);
    }
}

impl Memory {
    /// A fence that has seen nothing. `key` decides which slots sources fall in.
    pub fn new(generation: Generation, countries: Box<CountryTable>, key: Key) -> Self {
        let scan = || {
            Scan::new_box_zeroed().unwrap_or_else(|_| {
                std::alloc::handle_alloc_error(std::alloc::Layout::new::<Scan>())
            })
        };
        Self {
            lengths: lengths(&generation.lists),
            generation,
            countries,
            feeds: None,
            key,
            state: State::new(),
            scan: scan(),
            leaving: scan(),
        }
    }

    /// Judges a frame that came in at `now` (boot time in ns, or any clock that never goes back) on
    /// the `interface`-th guarded interface.
    pub fn judge(&mut self, now: u64, interface: u32, link: Link, frame: &[u8]) -> Verdict {
        self.run(now, interface, link, frame, None)
    }

    /// The same, and appends each step with what it found.
    pub fn judge_traced(
        &mut self,
        now: u64,
        interface: u32,
        link: Link,
        frame: &[u8],
        trace: &mut Vec<Trace>,
    ) -> Verdict {
        self.run(now, interface, link, frame, Some(trace))
    }

    fn run(
        &mut self,
        now: u64,
        interface: u32,
        link: Link,
        bytes: &[u8],
        trace: Option<&mut Vec<Trace>>,
    ) -> Verdict {
        let mut frame = Frame {
            bytes,
            now,
            lists: &self.generation.lists,
            lengths: &self.lengths,
            feeds: self.feeds.as_deref(),
            state: &mut self.state,
            trace,
        };
        let tables = Tables {
            policy: &self.generation.policy,
            countries: &self.countries,
            key: &self.key,
        };
        judge(&mut frame, tables, &mut self.scan, interface, link);
        self.scan.verdict
    }

    /// Judges a frame that leaves this host at `now`, and learns from it.
    pub fn judge_leaving(&mut self, now: u64, link: Link, bytes: &[u8]) -> Action {
        let mut frame = Frame {
            bytes,
            now,
            lists: &self.generation.lists,
            lengths: &self.lengths,
            feeds: self.feeds.as_deref(),
            state: &mut self.state,
            trace: None,
        };
        let tables = Tables {
            policy: &self.generation.policy,
            countries: &self.countries,
            key: &self.key,
        };
        outgoing(&mut frame, tables, &mut self.leaving, link)
    }

    /// Puts another policy in force; what is known of sources stays.
    pub fn set_generation(&mut self, generation: Generation) {
        self.lengths = lengths(&generation.lists);
        self.generation = generation;
    }

    /// Judges by these threat lists.
    pub fn set_feeds(&mut self, feeds: Arc<FeedTable>) {
        self.feeds = Some(feeds);
    }

    /// Bans an IPv4 address or an IPv6 address's /64.
    pub fn ban(&mut self, address: Address, ban: &Ban) {
        self.ban_subject(address.subject(), ban);
    }

    /// Bans a subject: that of an address, a net ([`Address::net`]) or a flow ([`Address::flow`]).
    pub fn ban_subject(&mut self, subject: Address, ban: &Ban) {
        let mut frame = Frame {
            bytes: &[],
            now: 0,
            lists: &self.generation.lists,
            lengths: &self.lengths,
            feeds: self.feeds.as_deref(),
            state: &mut self.state,
            trace: None,
        };
        frame.set_ban(&subject, ban);
        mark_banned(&mut frame, &self.key, subject);
    }

    /// Forgets who is banned and who is trusted. What packets have spent stays spent.
    pub fn forget_sources(&mut self) {
        let state = &mut self.state;
        state.bans.clear();
        state.standings.clear();
        state.contacts.clear();
        state.accounts.clear();
        state.lessons.clear();
    }

    /// Takes in who is trusted, as the kernel is given it after a reboot.
    pub fn trust(&mut self, snapshot: &Snapshot) {
        let state = &mut self.state;
        for (address, standing) in &snapshot.standings {
            put(&mut state.standings, room::STANDINGS, *address, *standing);
        }
        for (key, contact) in &snapshot.contacts {
            put(&mut state.contacts, room::CONTACTS, *key, *contact);
        }
        for (digest, account) in &snapshot.accounts {
            put(&mut state.accounts, room::ACCOUNTS, *digest, *account);
        }
    }

    /// What the numbers in verdicts stand for.
    pub fn names(&self) -> &Names {
        &self.generation.names
    }

    /// The policy in force.
    pub fn policy(&self) -> &Policy {
        &self.generation.policy
    }

    /// The country of an address.
    pub fn country(&self, address: Address) -> Country {
        match address.as_v4() {
            Some(v4) => self.countries.v4(v4),
            None => self.countries.v6(address.network()),
        }
    }
}

/// A frame and the tables that it meets.
struct Frame<'a> {
    bytes: &'a [u8],
    now: u64,
    lists: &'a BTreeMap<Prefix, Listed>,
    lengths: &'a [u8],
    feeds: Option<&'a FeedTable>,
    state: &'a mut State,
    trace: Option<&'a mut Vec<Trace>>,
}

impl Frame<'_> {
    fn read<T: FromBytes>(&self, offset: u32) -> Option<T> {
        // The kernel's bench looks for no header further on either.
        if offset > 0x3fff {
            return None;
        }
        let rest = self.bytes.get(offset as usize..)?;
        T::read_from_prefix(rest).ok().map(|(value, _)| value)
    }
}

fn swap(word: Option<&mut u64>, old: u64, new: u64) -> bool {
    match word {
        Some(word) if *word == old => {
            *word = new;
            true
        }
        _ => false,
    }
}

impl Bytes for Frame<'_> {
    fn frame_length(&self) -> u32 {
        u32::try_from(self.bytes.len()).unwrap_or(u32::MAX)
    }

    fn short(&self, offset: u32) -> Option<u16> {
        self.read(offset)
    }

    fn words<const N: usize>(&self, offset: u32) -> Option<[u32; N]> {
        self.read(offset)
    }
}

impl Store for Frame<'_> {
    fn now(&mut self) -> u64 {
        self.now
    }

    fn listed(&self, address: &Address, _: u32) -> Listed {
        let of = |length: &u8| self.lists.get(&Prefix::new(*address, *length));
        self.lengths
            .iter()
            .find_map(of)
            .copied()
            .unwrap_or_default()
    }

    fn feed_head(&self) -> Option<Head> {
        self.feeds?.head()
    }

    fn feed_near(&self, address: u32) -> bool {
        self.feeds.is_some_and(|feeds| feeds.near(address))
    }

    fn feed_listed(&self, place: u32, tag: u32, bit: u32) -> u8 {
        self.feeds.map_or(0, |feeds| feeds.listed(place, tag, bit))
    }

    fn ban(&self, subject: &Address) -> Option<Ban> {
        self.state.bans.get(subject).copied()
    }

    fn set_ban(&mut self, subject: &Address, ban: &Ban) {
        put(&mut self.state.bans, room::BANS, *subject, *ban);
    }

    fn standing(&self, address: &Address) -> Option<&Standing> {
        self.state.standings.get(address)
    }

    fn set_standing(&mut self, address: &Address, standing: &Standing) {
        put(
            &mut self.state.standings,
            room::STANDINGS,
            *address,
            *standing,
        );
    }

    fn contact(&self, key: &ContactKey) -> Option<&Contact> {
        self.state.contacts.get(key)
    }

    fn set_contact(&mut self, key: &ContactKey, contact: &Contact) {
        put(&mut self.state.contacts, room::CONTACTS, *key, *contact);
    }

    fn account(&self, digest: u64) -> Option<&Account> {
        self.state.accounts.get(&digest)
    }

    fn set_account(&mut self, digest: u64, account: &Account) {
        put(&mut self.state.accounts, room::ACCOUNTS, digest, *account);
    }

    fn tell(&mut self, lesson: &Lesson) {
        self.state.lessons.push(*lesson);
    }

    fn count(&mut self, what: EventCount) {
        if let Some(count) = self.state.counts.get_mut(what as usize) {
            *count += 1;
        }
    }

    fn cell(&self, table: Cells, index: u32) -> u64 {
        let word = self.state.cells[table as usize].get(index as usize);
        word.copied().unwrap_or(0)
    }

    fn swap_cell(&mut self, table: Cells, index: u32, old: u64, new: u64) -> bool {
        let cells = &mut self.state.cells[table as usize];
        swap(cells.get_mut(index as usize), old, new)
    }

    fn bucket(&self, table: Buckets, index: u32) -> Option<&Bucket> {
        self.state.buckets[table as usize].get(index as usize)
    }

    fn swap_word(&mut self, table: Buckets, index: u32, way: usize, old: u64, new: u64) -> bool {
        let bucket = self.state.buckets[table as usize].get_mut(index as usize);
        swap(bucket.map(|bucket| &mut bucket[way & (WAYS - 1)]), old, new)
    }

    fn trace(&mut self, step: Trace) {
        if let Some(trace) = &mut self.trace {
            trace.push(step);
        }
    }
}

impl Bench for Frame<'_> {
    fn fill(&self, offset: u32, length: u32, scan: &mut Scan) -> bool {
        if length == 0 || length > WINDOW {
            return false;
        }
        let (from, length) = (offset as usize, length as usize);
        let Some(bytes) = self.bytes.get(from..).and_then(|rest| rest.get(..length)) else {
            return false;
        };
        scan.window.as_mut_bytes()[..length].copy_from_slice(bytes);
        true
    }

    fn repeat<S: Step>(scan: &mut Scan, policy: &Policy, most: u32) {
        for _ in 0..most {
            if S::step(scan, policy) {
                return;
            }
        }
    }

    fn turns<T: Turn<Self>>(&mut self, tables: Tables<'_>, scan: &mut Scan, most: u32) {
        for _ in 0..most {
            if T::turn(self, tables, scan) {
                return;
            }
        }
    }
}
