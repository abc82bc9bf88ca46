//! The fence over queues: its judge, its threads, its table.

use std::num::NonZero;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use nftables::types::NfFamily;
use ringfence_core::country::CountryTable;
use ringfence_core::hash::Key;
use ringfence_core::policy::Policy;
use tokio::sync::mpsc::channel;
use zerocopy::{FromZeros, IntoBytes};

use super::desk::Desk;
use super::keeper::{Keeper, Plan};
use super::queue::Queue;
use super::rules::{Rules, TABLE};
use super::worker::Worker;
use crate::engine::clock::random_key;
use crate::engine::feeds::FeedTable;
use crate::engine::memory::Memory;
use crate::engine::{FenceError, Heard, Lists, Stream, check_privilege};
use crate::nft::Nft;
use crate::privilege;
use crate::tables::{Generation, Names, Prefix};

/// Events and lessons that wait to be heard.
const WAITING: usize = 4096;

/// What only a kernel with the expression `queue` takes.
const PROBE: &str = "table inet ringfence_probe { chain probe { queue flags bypass to 0; }; }";

/// How packets are queued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The number of the first queue.
    pub first: u16,
    /// How many queues, each with a thread; None is one a CPU, 8 at most.
    pub queues: Option<NonZero<u16>>,
    /// Packets that may wait in each.
    pub length: u32,
    /// Whether packets to services of telephony are dropped while nobody judges them.
    pub closed: bool,
}

impl Settings {
    /// The numbers of the first queue and the last.
    pub fn numbers(&self) -> (u16, u16) {
        let cpus =
            || std::thread::available_parallelism().map_or(1, |cpus| cpus.get().min(8) as u16);
        let count = self.queues.map_or_else(cpus, NonZero::get);
        (self.first, self.first.saturating_add(count - 1))
    }
}

/// The fence over queues.
pub struct Fence {
    pub(super) settings: Settings,
    pub(super) desk: Arc<Mutex<Desk>>,
    pub(super) keeper: Keeper,
    pub(super) workers: Vec<Worker>,
    pub(super) heard: Option<Heard>,
    pub(super) lists: Lists,
    pub(super) policy: Option<Box<Policy>>,
    pub(super) interfaces: Vec<String>,
    pub(super) stood: bool,
    pub(super) feeds: Arc<FeedTable>,
    /// Whether the kernel has the expression `queue`.
    native: bool,
    /// Where a fence of the other kind would be pinned.
    pub(super) bpffs: PathBuf,
}

impl Fence {
    /// Prepares a fence. Nothing is queued yet, and what an earlier daemon left stands.
    /// Its table of threat lists has room for so many blocks.
    pub fn load(settings: Settings, bpffs: PathBuf, feed_room: usize) -> Result<Self, FenceError> {
        check_privilege(privilege::QUEUE)?;
        let nft = Nft::default();
        nft.works()?;
        let native = nft.check_text(PROBE).is_ok();
        let stood = nft.has_table(NfFamily::INet, TABLE)?;
        let ((events, events_heard), (lessons, lessons_heard)) =
            (channel(WAITING), channel(WAITING));
        let feeds = Arc::new(FeedTable::new(feed_room, random_key()?.words[0]));
        let mut judge = judge(random_key()?)?;
        judge.set_feeds(feeds.clone());
        let desk = Arc::new(Mutex::new(Desk::new(judge, events, lessons)));
        let keeper = Keeper::start(nft, settings.numbers(), desk.clone()).map_err(no_thread)?;
        Ok(Self {
            settings,
            desk,
            keeper,
            workers: Vec::new(),
            heard: Some(Heard {
                events: Stream::channel(events_heard),
                lessons: Stream::channel(lessons_heard),
            }),
            lists: Lists::new(),
            policy: None,
            interfaces: Vec::new(),
            stood,
            feeds,
            native,
            bpffs,
        })
    }

    pub(super) fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Holds the queues, where they are not held yet.
    pub(super) fn hold(&mut self) -> Result<(), FenceError> {
        if !self.workers.is_empty() {
            return Ok(());
        }
        let (first, last) = self.settings.numbers();
        let mut workers = Vec::new();
        for number in first..=last {
            let queue = Queue::hold(number, self.settings.length, !self.settings.closed);
            let queue = queue.map_err(|source| FenceError::Queue { number, source })?;
            let worker = Worker::start(queue, number, self.desk.clone());
            workers.push(worker.map_err(no_thread)?);
        }
        self.workers = workers;
        Ok(())
    }

    /// Makes the table for a policy and lists.
    pub(super) fn make(&self, policy: &Policy, lists: &Lists) -> Result<(), FenceError> {
        let rules = Rules {
            policy,
            lists,
            interfaces: &self.interfaces,
            queues: self.settings.numbers(),
            closed: self.settings.closed,
            native: self.native,
        };
        let plan = Plan {
            batches: rules.batches(),
            target: (!self.native).then_some(rules.queues),
        };
        self.keeper.make(plan, &self.desk)
    }
}

impl std::fmt::Debug for Fence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fence")
            .field("settings", &self.settings)
            .field("interfaces", &self.interfaces)
            .finish_non_exhaustive()
    }
}

/// Whether packets can be queued here, and by what; nothing is changed.
///
/// # Errors
/// What is missing.
pub fn works() -> Result<String, FenceError> {
    check_privilege(privilege::QUEUE)?;
    let nft = Nft::default();
    let version = nft.works()?;
    if nft.check_text(PROBE).is_ok() {
        return Ok(format!("nft {version}, with nft_queue"));
    }
    let targets = std::fs::read_to_string("/proc/net/ip_tables_targets").unwrap_or_default();
    if targets.lines().any(|line| line == "NFQUEUE") {
        return Ok(format!("nft {version}, with xt_NFQUEUE"));
    }
    Err(FenceError::NoQueues(std::io::ErrorKind::Unsupported.into()))
}

/// Whether the table stands in this network namespace. A host without `nft` has none.
pub fn stands() -> bool {
    Nft::default()
        .has_table(NfFamily::INet, TABLE)
        .unwrap_or(false)
}

/// Removes the table; whether there was one.
pub fn remove() -> Result<bool, FenceError> {
    Ok(Nft::default().delete_table(NfFamily::INet, TABLE)?)
}

fn no_thread(source: std::io::Error) -> FenceError {
    FenceError::System {
        what: "thread",
        source,
    }
}

fn no_memory() -> FenceError {
    FenceError::System {
        what: "memory",
        source: std::io::ErrorKind::OutOfMemory.into(),
    }
}

/// A judge that lets everything pass.
fn judge(key: Key) -> Result<Memory, FenceError> {
    let generation = generation(
        &*Policy::new_box_zeroed().map_err(|_| no_memory())?,
        &Lists::new(),
    )?;
    let countries = CountryTable::new_box_zeroed().map_err(|_| no_memory())?;
    Ok(Memory::new(generation, countries, key))
}

/// A copy of country data.
pub(super) fn copy_of(countries: &CountryTable) -> Result<Box<CountryTable>, FenceError> {
    let mut copy = CountryTable::new_box_zeroed().map_err(|_| no_memory())?;
    copy.as_mut_bytes().copy_from_slice(countries.as_bytes());
    Ok(copy)
}

/// A policy and its lists as the judge over memory has them.
pub(super) fn generation(policy: &Policy, lists: &Lists) -> Result<Generation, FenceError> {
    let mut copy = Policy::new_box_zeroed().map_err(|_| no_memory())?;
    copy.as_mut_bytes().copy_from_slice(policy.as_bytes());
    let lists = lists
        .iter()
        .map(|((address, length), listed)| (Prefix::new(*address, *length), *listed));
    Ok(Generation {
        policy: copy,
        lists: lists.collect(),
        names: Names::default(),
        stats: Default::default(),
    })
}
