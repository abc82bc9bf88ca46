//! The fence in the kernel: loaded, taken over, filled and swapped.

use std::collections::BTreeMap;
use std::os::fd::AsFd;
use std::path::Path;
use std::time::Duration;

use aya::maps::{Map, MapData, RingBuf};
use aya::programs::{SchedClassifier, Xdp};
use aya::{Ebpf, EbpfLoader};
use ringfence_core::address::Address;
use ringfence_core::bench::{Ban, Listed};
use ringfence_core::control::{Control, EVENT_COUNTS, INTERFACES, Interface, LAYOUT};
use ringfence_core::country::CountryTable;
use ringfence_core::hash::Key;
use ringfence_core::limit::{Bucket, Limit};
use ringfence_core::policy::{Policy, SERVICES};
use ringfence_core::reason::REASONS;
use ringfence_core::trust::{Account, Contact, ContactKey, Standing};
use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes};

use super::clock::{boot_offset, random_key};
use super::layout::{EVENTS, LESSONS, LISTS_ROOM, ListKey, MAPS};
use super::pins::Lock;
use super::raw::{Table, wait_for_readers};
use super::{FenceError, Pins, egress};

static OBJECT: &[u8] = aya::include_bytes_aligned!("../../../bpf/ringfence.o");
const PROGRAM: &str = "ingress";

/// How long the slowest packet may be judged, where the kernel cannot tell that all have been.
const GRACE: Duration = Duration::from_millis(50);

/// Address and prefix length, over the mapped form, and what they are listed as.
pub type Lists = BTreeMap<(Address, u8), Listed>;

/// The loaded program and its maps.
pub struct Fence {
    pub(super) ebpf: Ebpf,
    pub(super) pins: Pins,
    control: Control,
    lists: Lists,
    tables: Tables,
    /// The maps of an earlier daemon were found.
    taken_over: bool,
    /// The maps hold a policy.
    filled: bool,
    /// Programs of an earlier daemon were found.
    stood: bool,
    /// Held while this value lives: one process at a time changes a fence.
    _lock: Lock,
}

struct Tables {
    control: Table<u32, Control>,
    policy: Table<u32, Policy>,
    country: Table<u32, CountryTable>,
    lists: Table<ListKey, Listed>,
    bans: Table<Address, Ban>,
    filter: Table<u32, u64>,
    rates: Table<u32, Bucket>,
    standings: Table<Address, Standing>,
    contacts: Table<ContactKey, Contact>,
    accounts: Table<u64, Account>,
    counters: Table<u32, u64>,
    countries: Table<u32, u64>,
    events: Table<u32, u64>,
}

/// Packets by service and reason, over all CPUs.
pub type Counts = Box<[[u64; REASONS]; SERVICES]>;

impl Fence {
    /// Loads the program on the pinned maps, or on new ones, which are pinned. Nothing is attached, and nothing that is
    /// in force is changed.
    pub fn load(bpffs: &Path, verbose: bool) -> Result<Self, FenceError> {
        Self::load_object(OBJECT, bpffs, verbose)
    }

    fn load_object(object: &[u8], bpffs: &Path, verbose: bool) -> Result<Self, FenceError> {
        super::clock::check_privilege()?;
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
        let mut ebpf = loader.load(object).map_err(Box::new)?;
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
            taken_over,
            filled: taken_over,
            stood,
            _lock: lock,
        })
    }

    /// Whether the maps of an earlier daemon were found.
    pub fn taken_over(&self) -> bool {
        self.taken_over
    }

    /// Whether a fence stood before this one was loaded, of whatever layout.
    pub fn stood(&self) -> bool {
        self.stood
    }

    /// Takes the fence down: detaches the program everywhere, and forgets all that is pinned.
    pub fn take_down(&self) -> Result<(), FenceError> {
        self.pins.remove().map(drop)
    }

    /// The secret of this boot.
    pub fn key(&self) -> Key {
        self.control.key
    }

    /// The ring of events; the second time None.
    pub fn take_events(&mut self) -> Option<RingBuf<MapData>> {
        self.take_ring(EVENTS.0)
    }

    /// The ring of [`ringfence_core::trust::Lesson`]s; the second time None.
    pub fn take_lessons(&mut self) -> Option<RingBuf<MapData>> {
        self.take_ring(LESSONS.0)
    }

    fn take_ring(&mut self, name: &str) -> Option<RingBuf<MapData>> {
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

    /// Puts a policy, a country table (where it is another one) and lists in force. A packet meets all of the old or
    /// all of the new. On an error the old ones stay.
    pub fn put(
        &mut self,
        policy: &Policy,
        countries: Option<&CountryTable>,
        lists: Lists,
    ) -> Result<(), FenceError> {
        // The old set goes last, so that both need room for a moment. Without it nothing is changed.
        let count = lists.len() + self.lists.len();
        if count > LISTS_ROOM as usize {
            return Err(FenceError::Full {
                what: "prefixes on the new and the old lists together",
                count,
                room: LISTS_ROOM,
            });
        }
        // A program that runs still reads the element that was in force before the last swap.
        grace();
        let mut next = self.control;
        if let Some(countries) = countries {
            let current = read(&self.tables.country, "COUNTRY", self.control.countries())?;
            if !self.filled || current.as_bytes() != countries.as_bytes() {
                next.selector ^= 2;
                write(&self.tables.country, "COUNTRY", next.countries(), countries)?;
            }
        }
        next.selector ^= 1;
        next.layout = LAYOUT;
        let set = next.policy();
        let policy = with_lists(policy, set)?;
        write(&self.tables.policy, "POLICY", set, &*policy)?;
        if let Err(error) = self.write_lists(&lists, set) {
            // What was written is in nobody's way; what is left of it is removed at the next start.
            let _ = self.remove_lists(&lists, set);
            return Err(error);
        }
        self.set_control(next)?;
        self.filled = true;
        grace();
        let old = std::mem::replace(&mut self.lists, lists);
        self.remove_lists(&old, set ^ 1)
    }

    fn write_lists(&self, lists: &Lists, set: u32) -> Result<(), FenceError> {
        for (key, listed) in lists {
            self.tables
                .lists
                .set(&list_key(*key, set), listed)
                .map_err(failed("LISTS", "write"))?;
        }
        Ok(())
    }

    fn remove_lists(&self, lists: &Lists, set: u32) -> Result<(), FenceError> {
        for key in lists.keys() {
            self.tables
                .lists
                .remove(&list_key(*key, set))
                .map_err(failed("LISTS", "remove from"))?;
        }
        Ok(())
    }

    /// The lists in force.
    pub fn lists(&self) -> &Lists {
        &self.lists
    }

    /// How many prefixes are listed.
    pub fn listed(&self) -> usize {
        self.lists.len()
    }

    /// Numbers the guarded interfaces by their place, and sets how many events all CPUs together may report in a
    /// second.
    pub fn guard(
        &mut self,
        interfaces: &[Interface],
        events_per_second: u32,
    ) -> Result<(), FenceError> {
        if interfaces.len() > INTERFACES {
            let room = INTERFACES as u32;
            return Err(FenceError::Full {
                what: "interfaces",
                count: interfaces.len(),
                room,
            });
        }
        // Packets come to CPUs that this process may not run on, too.
        let cpus = aya::util::online_cpus().map_or(1, |cpus| cpus.len() as u32);
        let share = events_per_second.div_ceil(cpus);
        let mut next = self.control;
        next.events = Limit::new(events_per_second, 1_000_000_000 * u64::from(cpus), share);
        next.interfaces = [Interface::default(); INTERFACES];
        next.interfaces[..interfaces.len()].copy_from_slice(interfaces);
        if self.filled {
            self.set_control(next)
        } else {
            self.control = next;
            Ok(())
        }
    }

    /// The clocks drift apart while the machine sleeps: tells the programs how far they are.
    pub fn set_clock(&mut self) -> Result<(), FenceError> {
        let offset = boot_offset()?;
        // Reading two clocks differs by some microseconds each time.
        if offset.abs_diff(self.control.boot_offset) < 1_000_000 {
            return Ok(());
        }
        self.set_control(Control {
            boot_offset: offset,
            ..self.control
        })
    }

    fn set_control(&mut self, control: Control) -> Result<(), FenceError> {
        write(&self.tables.control, "CONTROL", 0, &control)?;
        self.control = control;
        Ok(())
    }

    /// Bans a subject in the kernel.
    pub fn ban(&mut self, subject: Address, ban: &Ban) -> Result<(), FenceError> {
        self.tables
            .bans
            .set(&subject, ban)
            .map_err(failed("BANS", "write"))?;
        self.mark(subject)
    }

    /// The ban of a subject, over or not.
    pub fn ban_of(&self, subject: Address) -> Result<Option<Box<Ban>>, FenceError> {
        self.tables
            .bans
            .get(&subject)
            .map_err(failed("BANS", "read"))
    }

    /// The rates of all sources.
    pub(super) fn rates(&self) -> &Table<u32, Bucket> {
        &self.tables.rates
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
    fn mark(&self, subject: Address) -> Result<(), FenceError> {
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

    /// Lifts a ban; whether there was one.
    pub fn unban(&mut self, subject: Address) -> Result<bool, FenceError> {
        self.tables
            .bans
            .remove(&subject)
            .map_err(failed("BANS", "remove from"))
    }

    /// All bans of the kernel. Those that were over at `now` (boot time, ns) are removed.
    pub fn scan_bans(&mut self, now: u64) -> Result<Vec<(Address, Ban)>, FenceError> {
        let mut bans = Vec::new();
        for subject in self.tables.bans.keys().map_err(failed("BANS", "read"))? {
            let Some(ban) = self.ban_of(subject)? else {
                continue;
            };
            if ban.until <= now {
                self.unban(subject)?;
            } else {
                self.mark(subject)?;
                bans.push((subject, *ban));
            }
        }
        Ok(bans)
    }

    /// What is known of an address.
    pub fn standing(&self, address: Address) -> Result<Option<Box<Standing>>, FenceError> {
        let found = self.tables.standings.get(&address);
        found.map_err(failed("STANDINGS", "read"))
    }

    /// A registration, over or not.
    pub fn contact(&self, key: ContactKey) -> Result<Option<Box<Contact>>, FenceError> {
        let found = self.tables.contacts.get(&key);
        found.map_err(failed("CONTACTS", "read"))
    }

    /// Addresses of which something is known.
    pub fn standings(&self) -> Result<Vec<(Address, Standing)>, FenceError> {
        all(&self.tables.standings, "STANDINGS")
    }

    /// Keeps what is known of an address; None forgets it.
    pub fn set_standing(
        &mut self,
        address: Address,
        standing: Option<&Standing>,
    ) -> Result<(), FenceError> {
        set(&self.tables.standings, "STANDINGS", address, standing)
    }

    /// Registrations, by account and by flow, over or not.
    pub fn contacts(&self) -> Result<Vec<(ContactKey, Contact)>, FenceError> {
        all(&self.tables.contacts, "CONTACTS")
    }

    /// Keeps a registration; None forgets it.
    pub fn set_contact(
        &mut self,
        key: ContactKey,
        contact: Option<&Contact>,
    ) -> Result<(), FenceError> {
        set(&self.tables.contacts, "CONTACTS", key, contact)
    }

    /// Accounts by the digests of their names.
    pub fn accounts(&self) -> Result<Vec<(u64, Account)>, FenceError> {
        all(&self.tables.accounts, "ACCOUNTS")
    }

    /// Keeps an account; None forgets it.
    pub fn set_account(
        &mut self,
        digest: u64,
        account: Option<&Account>,
    ) -> Result<(), FenceError> {
        set(&self.tables.accounts, "ACCOUNTS", digest, account)
    }

    /// Packets by service and reason.
    pub fn counts(&self) -> Result<Counts, FenceError> {
        let mut counts = Box::new([[0; REASONS]; SERVICES]);
        for (index, count) in counts.as_flattened_mut().iter_mut().enumerate() {
            *count = sum(&self.tables.counters, "COUNTERS", index)?;
        }
        Ok(counts)
    }

    /// Packets passed and dropped by the number of the country.
    pub fn countries(&self) -> Result<Vec<[u64; 2]>, FenceError> {
        (0..256)
            .map(|n| Ok([0, 1].map(|k| sum(&self.tables.countries, "COUNTRIES", n * 2 + k))))
            .map(|pair: Result<[Result<u64, _>; 2], FenceError>| {
                let [passed, dropped] = pair?;
                Ok([passed?, dropped?])
            })
            .collect()
    }

    /// What became of events, by [`ringfence_core::control::EventCount`].
    pub fn event_counts(&self) -> Result<[u64; EVENT_COUNTS as usize], FenceError> {
        let mut counts = [0; EVENT_COUNTS as usize];
        for (index, count) in counts.iter_mut().enumerate() {
            *count = sum(&self.tables.events, "EVENT_STATS", index)?;
        }
        Ok(counts)
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

impl Tables {
    fn of(ebpf: &mut Ebpf) -> Result<Self, FenceError> {
        Ok(Self {
            control: table(ebpf, "CONTROL")?,
            policy: table(ebpf, "POLICY")?,
            country: table(ebpf, "COUNTRY")?,
            lists: table(ebpf, "LISTS")?,
            bans: table(ebpf, "BANS")?,
            filter: table(ebpf, "FILTER")?,
            rates: table(ebpf, "RATES")?,
            standings: table(ebpf, "STANDINGS")?,
            contacts: table(ebpf, "CONTACTS")?,
            accounts: table(ebpf, "ACCOUNTS")?,
            counters: table(ebpf, "COUNTERS")?,
            countries: table(ebpf, "COUNTRIES")?,
            events: table(ebpf, "EVENT_STATS")?,
        })
    }
}

/// All entries of a table.
fn all<K, V>(table: &Table<K, V>, name: &'static str) -> Result<Vec<(K, V)>, FenceError>
where
    K: FromBytes + IntoBytes + Immutable + Copy,
    V: FromBytes + IntoBytes + Immutable + Copy,
{
    let mut entries = Vec::new();
    for key in table.keys().map_err(failed(name, "read"))? {
        // One that went meanwhile is not missed.
        if let Some(value) = table.get(&key).map_err(failed(name, "read"))? {
            entries.push((key, *value));
        }
    }
    Ok(entries)
}

/// Writes an entry, or removes it.
fn set<K, V>(
    table: &Table<K, V>,
    name: &'static str,
    key: K,
    value: Option<&V>,
) -> Result<(), FenceError>
where
    K: FromBytes + IntoBytes + Immutable,
    V: FromBytes + IntoBytes + Immutable,
{
    match value {
        Some(value) => table.set(&key, value).map_err(failed(name, "write")),
        None => table
            .remove(&key)
            .map(drop)
            .map_err(failed(name, "remove from")),
    }
}

fn table<K, V>(ebpf: &mut Ebpf, name: &'static str) -> Result<Table<K, V>, FenceError>
where
    K: zerocopy::FromBytes + IntoBytes + zerocopy::Immutable,
    V: zerocopy::FromBytes + IntoBytes + zerocopy::Immutable,
{
    let map = match ebpf.take_map(name) {
        Some(Map::Array(map) | Map::PerCpuArray(map) | Map::HashMap(map) | Map::LpmTrie(map)) => {
            map
        }
        _ => return Err(FenceError::Missing(name)),
    };
    Table::new(map).map_err(failed(name, "open"))
}

pub(super) fn failed(
    name: &'static str,
    action: &'static str,
) -> impl Fn(std::io::Error) -> FenceError {
    move |source| FenceError::Map {
        name,
        action,
        source,
    }
}

fn read<V>(table: &Table<u32, V>, name: &'static str, index: u32) -> Result<Box<V>, FenceError>
where
    V: zerocopy::FromBytes + IntoBytes + zerocopy::Immutable,
{
    table
        .get(&index)
        .map_err(failed(name, "read"))?
        .ok_or(FenceError::Missing(name))
}

fn write<V>(
    table: &Table<u32, V>,
    name: &'static str,
    index: u32,
    value: &V,
) -> Result<(), FenceError>
where
    V: zerocopy::FromBytes + IntoBytes + zerocopy::Immutable,
{
    table.set(&index, value).map_err(failed(name, "write"))
}

fn sum(table: &Table<u32, u64>, name: &'static str, index: usize) -> Result<u64, FenceError> {
    let values = table
        .of_each_cpu(&(index as u32))
        .map_err(failed(name, "read"))?;
    Ok(values.iter().sum())
}

/// The policy with the number of its set of lists.
fn with_lists(policy: &Policy, set: u32) -> Result<Box<Policy>, FenceError> {
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

fn grace() {
    if !wait_for_readers() {
        std::thread::sleep(GRACE);
    }
}
