//! What the daemon does with the fence in the kernel.

use std::sync::Arc;

use ringfence_core::address::Address;
use ringfence_core::bench::Ban;
use ringfence_core::control::{Control, EVENT_COUNTS, INTERFACES, Interface, LAYOUT};
use ringfence_core::country::CountryTable;
use ringfence_core::hash::Key;
use ringfence_core::limit::{Bucket, Limit};
use ringfence_core::policy::{Policy, SERVICES};
use ringfence_core::reason::REASONS;
use ringfence_core::trust::{Account, Contact, ContactKey, Standing};
use zerocopy::IntoBytes;

use super::fence::{grace, with_lists};
use super::layout::{EVENTS, LESSONS, LISTS_ROOM};
use super::raw::readiness;
use super::tables::{all, failed, read, set, sum, write};
use super::{Fence, FenceError};
use crate::engine::clock::boot_offset;
use crate::engine::feeds::FeedTable;
use crate::engine::{Attached, Counts, Engine, Heard, Lists, Stream};

impl Engine for Fence {
    fn name(&self) -> &'static str {
        "xdp"
    }

    fn hear(&mut self) -> Result<Option<Heard>, FenceError> {
        let mut ring = |name| {
            let ring = self.take_ring(name).map(readiness).transpose();
            ring.map_err(failed(name, "wait for"))
        };
        let (events, lessons) = (ring(EVENTS.0)?, ring(LESSONS.0)?);
        Ok(events.zip(lessons).map(|(events, lessons)| Heard {
            events: Stream::ring(events),
            lessons: Stream::ring(lessons),
        }))
    }

    fn attach(&mut self, interface: &str, index: u32) -> Result<Attached, FenceError> {
        self.attach_ingress(interface, index)
    }

    fn attach_egress(&mut self, interface: &str, index: u32) -> Result<(), FenceError> {
        self.attach_sent(interface, index)
    }

    fn detach(&mut self, interface: &str) -> Result<(), FenceError> {
        self.detach_from(interface)
    }

    fn attached(&self) -> Vec<String> {
        self.pins.interfaces()
    }

    fn leave_others(&mut self) -> Result<(), FenceError> {
        self.leave_others_behind()
    }

    fn memory(&self) -> Result<u64, FenceError> {
        Ok(self.locked_memory()? + self.feeds.memory() as u64)
    }

    fn bucket(&self, index: u32) -> Result<Option<Bucket>, FenceError> {
        let found = self.tables.rates.get(&index);
        let found = found.map_err(failed("RATES", "read"))?;
        Ok(found.map(|bucket| *bucket))
    }

    fn set_bucket(&mut self, index: u32, bucket: &Bucket) -> Result<(), FenceError> {
        let done = self.tables.rates.set(&index, bucket);
        done.map_err(failed("RATES", "write"))
    }

    fn taken_over(&self) -> bool {
        self.taken_over
    }

    fn stood(&self) -> bool {
        self.stood
    }

    fn take_down(&mut self) -> Result<(), FenceError> {
        self.pins.remove().map(drop)
    }

    fn key(&self) -> Key {
        self.control.key
    }

    fn put(
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

    fn lists(&self) -> &Lists {
        &self.lists
    }

    fn feeds(&self) -> Arc<FeedTable> {
        self.feeds.clone()
    }

    fn guard(
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

    fn set_clock(&mut self) -> Result<(), FenceError> {
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
    fn ban(&mut self, subject: Address, ban: &Ban) -> Result<(), FenceError> {
        self.tables
            .bans
            .set(&subject, ban)
            .map_err(failed("BANS", "write"))?;
        self.mark(subject)
    }
    fn ban_of(&self, subject: Address) -> Result<Option<Box<Ban>>, FenceError> {
        self.tables
            .bans
            .get(&subject)
            .map_err(failed("BANS", "read"))
    }
    fn unban(&mut self, subject: Address) -> Result<bool, FenceError> {
        self.tables
            .bans
            .remove(&subject)
            .map_err(failed("BANS", "remove from"))
    }
    fn scan_bans(&mut self, now: u64) -> Result<Vec<(Address, Ban)>, FenceError> {
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
    fn standing(&self, address: Address) -> Result<Option<Box<Standing>>, FenceError> {
        let found = self.tables.standings.get(&address);
        found.map_err(failed("STANDINGS", "read"))
    }
    fn contact(&self, key: ContactKey) -> Result<Option<Box<Contact>>, FenceError> {
        let found = self.tables.contacts.get(&key);
        found.map_err(failed("CONTACTS", "read"))
    }
    fn standings(&self) -> Result<Vec<(Address, Standing)>, FenceError> {
        all(&self.tables.standings, "STANDINGS")
    }
    fn set_standing(
        &mut self,
        address: Address,
        standing: Option<&Standing>,
    ) -> Result<(), FenceError> {
        set(&self.tables.standings, "STANDINGS", address, standing)
    }
    fn contacts(&self) -> Result<Vec<(ContactKey, Contact)>, FenceError> {
        all(&self.tables.contacts, "CONTACTS")
    }
    fn set_contact(
        &mut self,
        key: ContactKey,
        contact: Option<&Contact>,
    ) -> Result<(), FenceError> {
        set(&self.tables.contacts, "CONTACTS", key, contact)
    }
    fn accounts(&self) -> Result<Vec<(u64, Account)>, FenceError> {
        all(&self.tables.accounts, "ACCOUNTS")
    }
    fn set_account(&mut self, digest: u64, account: Option<&Account>) -> Result<(), FenceError> {
        set(&self.tables.accounts, "ACCOUNTS", digest, account)
    }
    fn counts(&self) -> Result<Counts, FenceError> {
        let mut counts = Box::new([[0; REASONS]; SERVICES]);
        for (index, count) in counts.as_flattened_mut().iter_mut().enumerate() {
            *count = sum(&self.tables.counters, "COUNTERS", index)?;
        }
        Ok(counts)
    }
    fn countries(&self) -> Result<Vec<[u64; 2]>, FenceError> {
        (0..256)
            .map(|n| Ok([0, 1].map(|k| sum(&self.tables.countries, "COUNTRIES", n * 2 + k))))
            .map(|pair: Result<[Result<u64, _>; 2], FenceError>| {
                let [passed, dropped] = pair?;
                Ok([passed?, dropped?])
            })
            .collect()
    }
    fn event_counts(&self) -> Result<[u64; EVENT_COUNTS as usize], FenceError> {
        let mut counts = [0; EVENT_COUNTS as usize];
        for (index, count) in counts.iter_mut().enumerate() {
            *count = sum(&self.tables.events, "EVENT_STATS", index)?;
        }
        Ok(counts)
    }
}
