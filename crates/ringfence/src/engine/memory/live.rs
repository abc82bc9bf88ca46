//! The judge over memory as a fence of its own: what its owner reads of it, and says to it.

use ringfence_core::address::Address;
use ringfence_core::bench::{Ban, Buckets, room};
use ringfence_core::control::{EVENT_COUNTS, EventCount};
use ringfence_core::country::CountryTable;
use ringfence_core::event::due;
use ringfence_core::hash::Key;
use ringfence_core::limit::Bucket;
use ringfence_core::trust::{Account, Contact, ContactKey, Lesson, Standing};
use ringfence_core::verdict::Verdict;

use super::{Frame, Memory, put};

impl Memory {
    /// Whether an event of the packet that was judged last, at `now`, is due.
    pub fn is_due(&mut self, verdict: &Verdict, now: u64) -> bool {
        let mut frame = Frame {
            bytes: &[],
            now,
            lists: &self.generation.lists,
            lengths: &self.lengths,
            feeds: self.feeds.as_deref(),
            state: &mut self.state,
            trace: None,
        };
        due(&mut frame, &self.key, verdict, now)
    }

    /// Puts other country data in force.
    pub fn set_countries(&mut self, countries: Box<CountryTable>) {
        self.countries = countries;
    }

    /// The country data in force.
    pub fn countries(&self) -> &CountryTable {
        &self.countries
    }

    /// What is to be told of what was learned since it was asked last.
    pub fn take_lessons(&mut self) -> Vec<Lesson> {
        std::mem::take(&mut self.state.lessons)
    }

    /// What became of events, and what found no room.
    pub fn event_counts(&self) -> &[u64; EVENT_COUNTS as usize] {
        &self.state.counts
    }

    /// Counts what became of an event.
    pub fn count_event(&mut self, what: EventCount) {
        if let Some(count) = self.state.counts.get_mut(what as usize) {
            *count += 1;
        }
    }

    /// Lifts a ban; whether there was one.
    pub fn unban(&mut self, subject: Address) -> bool {
        self.state.bans.remove(&subject).is_some()
    }

    /// The bans that hold after `now`; the others are forgotten.
    pub fn bans_after(&mut self, now: u64) -> Vec<(Address, Ban)> {
        let bans = &mut self.state.bans;
        bans.retain(|_, ban| ban.until > now);
        bans.iter().map(|(subject, ban)| (*subject, *ban)).collect()
    }

    /// Keeps what is known of an address; None forgets it.
    pub fn keep_standing(&mut self, address: Address, standing: Option<&Standing>) {
        let table = &mut self.state.standings;
        match standing {
            Some(standing) => put(table, room::STANDINGS, address, *standing),
            None => drop(table.remove(&address)),
        }
    }

    /// Keeps a registration; None forgets it.
    pub fn keep_contact(&mut self, key: ContactKey, contact: Option<&Contact>) {
        let table = &mut self.state.contacts;
        match contact {
            Some(contact) => put(table, room::CONTACTS, key, *contact),
            None => drop(table.remove(&key)),
        }
    }

    /// Keeps an account; None forgets it.
    pub fn keep_account(&mut self, digest: u64, account: Option<&Account>) {
        let table = &mut self.state.accounts;
        match account {
            Some(account) => put(table, room::ACCOUNTS, digest, *account),
            None => drop(table.remove(&digest)),
        }
    }

    /// A bucket of the rates.
    pub fn bucket(&self, index: u32) -> Option<Bucket> {
        let rates = &self.state.buckets[Buckets::Rates as usize];
        rates.get(index as usize).copied()
    }

    /// Writes a bucket of the rates.
    pub fn set_bucket(&mut self, index: u32, bucket: &Bucket) {
        let rates = &mut self.state.buckets[Buckets::Rates as usize];
        if let Some(found) = rates.get_mut(index as usize) {
            *found = *bucket;
        }
    }

    /// The key that decides which slots sources fall in.
    pub fn key(&self) -> Key {
        self.key
    }

    /// Bytes of all tables, as far as they are filled.
    pub fn bytes(&self) -> usize {
        fn of<K, V>(entries: usize) -> usize {
            entries * (size_of::<K>() + size_of::<V>())
        }
        let state = &self.state;
        let cells: usize = state
            .cells
            .iter()
            .map(|table| size_of_val(&table[..]))
            .sum();
        let buckets: usize = state
            .buckets
            .iter()
            .map(|table| size_of_val(&table[..]))
            .sum();
        size_of_val(&*self.countries)
            + size_of_val(&*self.generation.policy)
            + cells
            + buckets
            + of::<Address, Ban>(state.bans.capacity())
            + of::<Address, Standing>(state.standings.capacity())
            + of::<ContactKey, Contact>(state.contacts.capacity())
            + of::<u64, Account>(state.accounts.capacity())
    }
}
