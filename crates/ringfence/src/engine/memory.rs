//! The judge over plain memory: for replay, explanations and tests. Tables have the sizes of the
//! kernel's, so that the same packets collide or do not.

use std::collections::{BTreeMap, HashMap};

use ringfence_core::address::Address;
use ringfence_core::bench::{Ban, Bench, Buckets, Cells, Listed, Store, Tables, Trace, Turn};
use ringfence_core::country::{Country, CountryTable};
use ringfence_core::hash::Key;
use ringfence_core::judge::{judge, mark_banned};
use ringfence_core::limit::{Bucket, WAYS};
use ringfence_core::packet::{Bytes, Link};
use ringfence_core::policy::Policy;
use ringfence_core::scan::{Scan, Step, WINDOW};
use ringfence_core::verdict::Verdict;
use zerocopy::{FromBytes, FromZeros, IntoBytes};

use crate::tables::{Generation, Names, Prefix, longest};

/// Most bans at once, as in the kernel.
const BANS: usize = 1 << 18;

/// A fence in plain memory.
pub struct Memory {
    generation: Generation,
    countries: Box<CountryTable>,
    key: Key,
    state: State,
    scan: Box<Scan>,
}

/// What packets change.
struct State {
    bans: HashMap<Address, Ban>,
    transactions: Vec<u64>,
    samples: Vec<u64>,
    budgets: Vec<u64>,
    filter: Vec<u64>,
    rates: Vec<Bucket>,
    flows: Vec<Bucket>,
}

impl State {
    fn new() -> Self {
        let cells = |table: Cells| vec![0; table.words() as usize];
        let buckets = |table: Buckets| vec![[0; WAYS]; table.buckets() as usize];
        Self {
            bans: HashMap::new(),
            transactions: cells(Cells::Transactions),
            samples: cells(Cells::Samples),
            budgets: cells(Cells::Budgets),
            filter: cells(Cells::Filter),
            rates: buckets(Buckets::Rates),
            flows: buckets(Buckets::Flows),
        }
    }
}

impl Memory {
    /// A fence that has seen nothing. `key` decides which slots sources fall in.
    pub fn new(generation: Generation, countries: Box<CountryTable>, key: Key) -> Self {
        let scan = Scan::new_box_zeroed()
            .unwrap_or_else(|_| std::alloc::handle_alloc_error(std::alloc::Layout::new::<Scan>()));
        Self {
            generation,
            countries,
            key,
            state: State::new(),
            scan,
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

    /// Puts another policy in force; what is known of sources stays.
    pub fn set_generation(&mut self, generation: Generation) {
        self.generation = generation;
    }

    /// Bans an IPv4 address or an IPv6 address's /64.
    pub fn ban(&mut self, address: Address, ban: &Ban) {
        let subject = address.subject();
        let mut frame = Frame {
            bytes: &[],
            now: 0,
            lists: &self.generation.lists,
            state: &mut self.state,
            trace: None,
        };
        frame.set_ban(&subject, ban);
        mark_banned(&mut frame, &self.key, subject);
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

    fn cells(&self, table: Cells) -> &Vec<u64> {
        match table {
            Cells::Transactions => &self.state.transactions,
            Cells::Samples => &self.state.samples,
            Cells::Budgets => &self.state.budgets,
            Cells::Filter => &self.state.filter,
        }
    }

    fn buckets(&self, table: Buckets) -> &Vec<Bucket> {
        match table {
            Buckets::Rates => &self.state.rates,
            Buckets::Flows => &self.state.flows,
        }
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

    fn listed(&self, address: &Address) -> Listed {
        longest(self.lists, *address).map_or_else(Listed::default, |(_, listed)| *listed)
    }

    fn ban(&self, subject: &Address) -> Option<Ban> {
        self.state.bans.get(subject).copied()
    }

    fn set_ban(&mut self, subject: &Address, ban: &Ban) {
        let bans = &mut self.state.bans;
        if bans.len() < BANS || bans.contains_key(subject) {
            bans.insert(*subject, *ban);
        }
    }

    fn cell(&self, table: Cells, index: u32) -> u64 {
        self.cells(table).get(index as usize).copied().unwrap_or(0)
    }

    fn swap_cell(&mut self, table: Cells, index: u32, old: u64, new: u64) -> bool {
        let cells = match table {
            Cells::Transactions => &mut self.state.transactions,
            Cells::Samples => &mut self.state.samples,
            Cells::Budgets => &mut self.state.budgets,
            Cells::Filter => &mut self.state.filter,
        };
        swap(cells.get_mut(index as usize), old, new)
    }

    fn bucket(&self, table: Buckets, index: u32) -> Option<&Bucket> {
        self.buckets(table).get(index as usize)
    }

    fn swap_word(&mut self, table: Buckets, index: u32, way: usize, old: u64, new: u64) -> bool {
        let buckets = match table {
            Buckets::Rates => &mut self.state.rates,
            Buckets::Flows => &mut self.state.flows,
        };
        let bucket = buckets.get_mut(index as usize);
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
