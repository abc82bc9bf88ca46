//! The fence in the kernel: loaded, taken over, filled and swapped.

use std::os::fd::AsFd;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use aya::maps::{Map, MapData, RingBuf};
use aya::programs::{SchedClassifier, Xdp};
use aya::{Ebpf, EbpfLoader};
use ringfence_core::address::Address;
use ringfence_core::control::{Control, LAYOUT};
use ringfence_core::policy::Policy;
use zerocopy::{FromZeros, IntoBytes};

use super::layout::{EVENTS, LESSONS, ListKey, MAPS};
use super::mapping::Mapping;
use super::pins::Lock;
use super::raw::{Table, wait_for_readers};
use super::tables::{Tables, failed, read, write};
use super::{FenceError, Pins, egress};
use crate::engine::clock::{boot_offset, random_key};
use crate::engine::feeds::FeedTable;
use crate::engine::{Lists, check_privilege};
use crate::privilege;

static OBJECT: &[u8] = aya::include_bytes_aligned!("../../../bpf/ringfence.o");
const PROGRAM: &str = "ingress";
/// The map of threat lists. It is not pinned: its size is that of the program's lists.
pub const FEEDS: &str = "FEEDS";

/// How long the slowest packet may be judged, where the kernel cannot tell that all have been.
const GRACE: Duration = Duration::from_millis(50);

/// The loaded program and its maps.
pub struct Fence {
    pub(super) ebpf: Ebpf,
    pub(super) pins: Pins,
    pub(super) control: Control,
    pub(super) lists: Lists,
    pub(super) tables: Tables,
    pub(super) feeds: Arc<FeedTable>,
    /// The maps of an earlier daemon were found.
    pub(super) taken_over: bool,
    /// The maps hold a policy.
    pub(super) filled: bool,
    /// Programs of an earlier daemon were found.
    pub(super) stood: bool,
    /// Held while this value lives: one process at a time changes a fence.
    _lock: Lock,
}

impl Fence {
    /// Loads the program on the pinned maps, or on new ones, which are pinned. Nothing is attached, and nothing that is
    /// in force is changed. Its table of threat lists, which it has for itself, has room for so many blocks.
    pub fn load(bpffs: &Path, feed_room: usize, verbose: bool) -> Result<Self, FenceError> {
        Self::load_object(OBJECT, bpffs, feed_room, verbose)
    }

    fn load_object(
        object: &[u8],
        bpffs: &Path,
        feed_room: usize,
        verbose: bool,
    ) -> Result<Self, FenceError> {
        check_privilege(privilege::FENCE)?;
        let pins = Pins::below(bpffs);
        pins.create()?;
        let lock = pins.lock()?;
        let stood = pins.stand();
        pins.check()?;
        let mut loader = EbpfLoader::new();
        if verbose {
            loader.verifier_log_level(aya::VerifierLogLevel::STATS);
        }
        for (name, _) in MAPS.iter().chain([&EVENTS, &LESSONS]) {
            loader.map_pin_path(name, pins.map(name));
        }
        let buckets = FeedTable::buckets_for(feed_room);
        loader.map_max_entries(FEEDS, buckets as u32);
        let mut ebpf = loader.load(object).map_err(Box::new)?;
        let feeds = feed_table(&ebpf, buckets)?;
        let tables = Tables::of(&mut ebpf)?;
        // Another daemon may have pinned a map between the check and the load.
        pins.check()?;
        let program: &mut Xdp = ebpf
            .program_mut(PROGRAM)
            .and_then(|program| program.try_into().ok())
            .ok_or(FenceError::Missing(PROGRAM))?;
        program.load().map_err(Box::new)?;
        let egress: &mut SchedClassifier = ebpf
            .program_mut(egress::PROGRAM)
            .and_then(|program| program.try_into().ok())
            .ok_or(FenceError::Missing(egress::PROGRAM))?;
        egress.load().map_err(Box::new)?;
        let mut control = *read(&tables.control, "CONTROL", 0)?;
        let taken_over = control.layout == LAYOUT;
        let mut lists = Lists::new();
        if taken_over {
            let keys = tables.lists.keys().map_err(failed("LISTS", "read"))?;
            for key in keys {
                // The other set is what a reload left that was not finished.
                if key.set != control.policy() {
                    tables
                        .lists
                        .remove(&key)
                        .map_err(failed("LISTS", "remove from"))?;
                } else if let Some(listed) =
                    tables.lists.get(&key).map_err(failed("LISTS", "read"))?
                {
                    let length = u8::try_from(key.length.saturating_sub(32)).unwrap_or(128);
                    lists.insert((Address::v6(key.octets), length), *listed);
                }
            }
        } else {
            control = Control::new_zeroed();
            control.key = random_key()?;
        }
        control.boot_offset = boot_offset()?;
        Ok(Self {
            ebpf,
            pins,
            control,
            lists,
            tables,
            feeds: Arc::new(feeds),
            taken_over,
            filled: taken_over,
            stood,
            _lock: lock,
        })
    }

    pub(super) fn take_ring(&mut self, name: &str) -> Option<RingBuf<MapData>> {
        match self.ebpf.take_map(name)? {
            Map::RingBuf(map) => RingBuf::try_from(Map::RingBuf(map)).ok(),
            _ => None,
        }
    }

    pub(super) fn program(&self) -> Result<std::os::fd::BorrowedFd<'_>, FenceError> {
        let program: &Xdp = self
            .ebpf
            .program(PROGRAM)
            .and_then(|program| program.try_into().ok())
            .ok_or(FenceError::Missing(PROGRAM))?;
        Ok(program.fd().map_err(Box::new)?.as_fd())
    }

    pub(super) fn write_lists(&self, lists: &Lists, set: u32) -> Result<(), FenceError> {
        for (key, listed) in lists {
            self.tables
                .lists
                .set(&list_key(*key, set), listed)
                .map_err(failed("LISTS", "write"))?;
        }
        Ok(())
    }

    pub(super) fn remove_lists(&self, lists: &Lists, set: u32) -> Result<(), FenceError> {
        for key in lists.keys() {
            self.tables
                .lists
                .remove(&list_key(*key, set))
                .map_err(failed("LISTS", "remove from"))?;
        }
        Ok(())
    }

    pub(super) fn set_control(&mut self, control: Control) -> Result<(), FenceError> {
        write(&self.tables.control, "CONTROL", 0, &control)?;
        self.control = control;
        Ok(())
    }

    /// The table of counters with this name.
    pub(super) fn counters(&self, name: &'static str) -> Result<&Table<u32, u64>, FenceError> {
        match name {
            "COUNTERS" => Ok(&self.tables.counters),
            "COUNTRIES" => Ok(&self.tables.countries),
            "EVENT_STATS" => Ok(&self.tables.events),
            _ => Err(FenceError::Missing(name)),
        }
    }

    /// Sets the bit of a banned subject in the filter that stands before the bans. The kernel sets bits of its own at
    /// the same time: one that is lost to it here is set by the next scan of the bans.
    pub(super) fn mark(&self, subject: Address) -> Result<(), FenceError> {
        let bit = self.control.key.filter_bit(subject);
        let index = bit >> 6;
        let word = *read(&self.tables.filter, "FILTER", index)?;
        let wanted = word | 1 << (bit & 63);
        if word == wanted {
            Ok(())
        } else {
            write(&self.tables.filter, "FILTER", index, &wanted)
        }
    }
}

impl std::fmt::Debug for Fence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fence")
            .field("pins", &self.pins)
            .field("listed", &self.lists.len())
            .finish_non_exhaustive()
    }
}

/// The table of threat lists of a loaded object.
pub fn feed_table(ebpf: &Ebpf, buckets: usize) -> Result<FeedTable, FenceError> {
    let Some(Map::Array(data)) = ebpf.map(FEEDS) else {
        return Err(FenceError::Missing(FEEDS));
    };
    let mapping = Mapping::of(data.fd().as_fd(), buckets).map_err(failed(FEEDS, "map"))?;
    Ok(FeedTable::mapped(mapping, random_key()?.words[0]))
}

/// The policy with the number of its set of lists.
pub(super) fn with_lists(policy: &Policy, set: u32) -> Result<Box<Policy>, FenceError> {
    let mut copy = Policy::new_box_zeroed()
        .map_err(|_| failed("POLICY", "copy")(std::io::ErrorKind::OutOfMemory.into()))?;
    copy.as_mut_bytes().copy_from_slice(policy.as_bytes());
    copy.lists = set;
    Ok(copy)
}

fn list_key((address, length): (Address, u8), set: u32) -> ListKey {
    ListKey {
        length: 32 + u32::from(length),
        set,
        octets: address.octets(),
    }
}

pub(super) fn grace() {
    if !wait_for_readers() {
        std::thread::sleep(GRACE);
    }
}
