//! The places that judge: which tables a packet meets, and how its bytes are reached.

mod charge;
mod clock;
mod error;
pub mod feeds;
mod forgive;
mod heard;
pub mod memory;
pub mod nfqueue;
pub mod trial;
pub mod xdp;

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use ringfence_core::address::Address;
use ringfence_core::bench::{Ban, Listed};
use ringfence_core::control::{EVENT_COUNTS, Interface};
use ringfence_core::country::CountryTable;
use ringfence_core::hash::Key;
use ringfence_core::limit::Bucket;
use ringfence_core::policy::{Policy, SERVICES};
use ringfence_core::reason::REASONS;
use ringfence_core::trust::{Account, Contact, ContactKey, Standing};

use crate::privilege::{self, Capability};

pub use clock::boot_time;
pub use error::FenceError;
use feeds::FeedTable;
pub use heard::{Heard, Stream};

/// Address and prefix length, over the mapped form, and what they are listed as.
pub type Lists = BTreeMap<(Address, u8), Listed>;

/// Packets by service and reason, over all CPUs.
pub type Counts = Box<[[u64; REASONS]; SERVICES]>;

/// How an interface came to be guarded.
#[derive(Debug)]
pub enum Attached {
    /// The program is attached in the driver.
    Driver,
    /// It is attached in the network stack, since the driver refused.
    Generic {
        /// What the driver's mode was answered.
        why: io::Error,
    },
    /// It is in the place of the program of an earlier daemon, where that was.
    TakenOver,
    /// Its packets are queued for the daemon, by these numbers of queues: the first and the last.
    Queued(u16, u16),
}

/// A fence that stands on this host, wherever it judges: the judge's tables, and the interfaces whose packets meet them.
///
/// All methods are short enough for the daemon's loop, and wait for nothing but the kernel.
pub trait Engine {
    /// Its name in the configuration.
    fn name(&self) -> &'static str;

    /// Whether it was found with its tables, as an earlier daemon left it.
    fn taken_over(&self) -> bool;

    /// Whether a fence of this kind stood before this one was loaded, with tables or without.
    fn stood(&self) -> bool;

    /// Takes the fence down, and forgets all that stands without the daemon.
    fn take_down(&mut self) -> Result<(), FenceError>;

    /// The secret of this boot.
    fn key(&self) -> Key;

    /// What the judge tells; the second time None.
    fn hear(&mut self) -> Result<Option<Heard>, FenceError>;

    /// Puts a policy, a country table (where it is another one) and lists in force. A packet meets all of the old or
    /// all of the new. On an error the old ones stay.
    fn put(
        &mut self,
        policy: &Policy,
        countries: Option<&CountryTable>,
        lists: Lists,
    ) -> Result<(), FenceError>;

    /// The lists in force.
    fn lists(&self) -> &Lists;

    /// The table of threat lists, empty when the fence is loaded. It may be changed from any thread.
    fn feeds(&self) -> Arc<FeedTable>;

    /// Numbers the guarded interfaces by their place, and sets how many events all CPUs together may report in a
    /// second.
    fn guard(&mut self, interfaces: &[Interface], events_per_second: u32)
    -> Result<(), FenceError>;

    /// Guards what an interface receives, also without the daemon as far as the engine can.
    fn attach(&mut self, interface: &str, index: u32) -> Result<Attached, FenceError>;

    /// Sees what an interface sends.
    fn attach_egress(&mut self, interface: &str, index: u32) -> Result<(), FenceError>;

    /// Leaves an interface that is no longer guarded.
    fn detach(&mut self, interface: &str) -> Result<(), FenceError>;

    /// The interfaces that are guarded, in whoever's time.
    fn attached(&self) -> Vec<String>;

    /// Removes what fences of other kinds and layouts left, once this one guards in their place.
    fn leave_others(&mut self) -> Result<(), FenceError>;

    /// The clocks drift apart while the machine sleeps: what follows from that is put right.
    fn set_clock(&mut self) -> Result<(), FenceError>;

    /// Bytes of memory of all tables.
    fn memory(&self) -> Result<u64, FenceError>;

    /// Bans a subject.
    fn ban(&mut self, subject: Address, ban: &Ban) -> Result<(), FenceError>;

    /// The ban of a subject, over or not.
    fn ban_of(&self, subject: Address) -> Result<Option<Box<Ban>>, FenceError>;

    /// Lifts a ban; whether there was one.
    fn unban(&mut self, subject: Address) -> Result<bool, FenceError>;

    /// All bans. Those that were over at `now` (boot time, ns) are removed.
    fn scan_bans(&mut self, now: u64) -> Result<Vec<(Address, Ban)>, FenceError>;

    /// What is known of an address.
    fn standing(&self, address: Address) -> Result<Option<Box<Standing>>, FenceError>;

    /// Addresses of which something is known.
    fn standings(&self) -> Result<Vec<(Address, Standing)>, FenceError>;

    /// Keeps what is known of an address; None forgets it.
    fn set_standing(
        &mut self,
        address: Address,
        standing: Option<&Standing>,
    ) -> Result<(), FenceError>;

    /// A registration, over or not.
    fn contact(&self, key: ContactKey) -> Result<Option<Box<Contact>>, FenceError>;

    /// Registrations, by account and by flow, over or not.
    fn contacts(&self) -> Result<Vec<(ContactKey, Contact)>, FenceError>;

    /// Keeps a registration; None forgets it.
    fn set_contact(&mut self, key: ContactKey, contact: Option<&Contact>)
    -> Result<(), FenceError>;

    /// Accounts by the digests of their names.
    fn accounts(&self) -> Result<Vec<(u64, Account)>, FenceError>;

    /// Keeps an account; None forgets it.
    fn set_account(&mut self, digest: u64, account: Option<&Account>) -> Result<(), FenceError>;

    /// A bucket of the rates of all sources, by its index.
    fn bucket(&self, index: u32) -> Result<Option<Bucket>, FenceError>;

    /// Writes a bucket of the rates.
    fn set_bucket(&mut self, index: u32, bucket: &Bucket) -> Result<(), FenceError>;

    /// Packets by service and reason.
    fn counts(&self) -> Result<Counts, FenceError>;

    /// Packets passed and dropped by the number of the country.
    fn countries(&self) -> Result<Vec<[u64; 2]>, FenceError>;

    /// What became of events, by [`ringfence_core::control::EventCount`].
    fn event_counts(&self) -> Result<[u64; EVENT_COUNTS as usize], FenceError>;

    /// What went wrong since this was asked last, to be told to people. What can be put right is put right.
    fn alarms(&mut self) -> Vec<String> {
        Vec::new()
    }

    /// What happened to packets beside the judge, a line each.
    fn remarks(&self) -> Vec<String> {
        Vec::new()
    }
}

/// Says which of the capabilities that an engine needs the process lacks, if it lacks any.
pub fn check_privilege(needed: &[Capability]) -> Result<(), FenceError> {
    let missing = privilege::missing(needed).map_err(|source| FenceError::System {
        what: "list of this process's capabilities",
        source,
    })?;
    if missing.is_empty() {
        Ok(())
    } else {
        Err(FenceError::Privilege(missing.join(", ")))
    }
}
