//! What the daemon does with the fence over queues.

use std::sync::Arc;

use nix::net::if_::if_indextoname;
use ringfence_core::address::Address;
use ringfence_core::bench::Ban;
use ringfence_core::control::{EVENT_COUNTS, Interface};
use ringfence_core::country::CountryTable;
use ringfence_core::hash::Key;
use ringfence_core::limit::Bucket;
use ringfence_core::policy::Policy;
use ringfence_core::trust::{Account, Contact, ContactKey, Standing};

use super::fence::{copy_of, generation, remove};
use super::{Fence, NAME};
use crate::engine::feeds::FeedTable;
use crate::engine::xdp::Pins;
use crate::engine::{Attached, Counts, Engine, FenceError, Heard, Lists};
use crate::tables::Generation;

impl Engine for Fence {
    fn name(&self) -> &'static str {
        NAME
    }

    fn taken_over(&self) -> bool {
        false
    }

    fn stood(&self) -> bool {
        self.stood
    }

    fn take_down(&mut self) -> Result<(), FenceError> {
        self.keeper.table().forget();
        // The table first: what is queued for nobody would pass through its last chain.
        remove()?;
        self.workers.clear();
        Ok(())
    }

    fn key(&self) -> Key {
        self.desk().judge.key()
    }

    fn hear(&mut self) -> Result<Option<Heard>, FenceError> {
        Ok(self.heard.take())
    }

    fn put(
        &mut self,
        policy: &Policy,
        countries: Option<&CountryTable>,
        lists: Lists,
    ) -> Result<(), FenceError> {
        let next = generation(policy, &lists)?;
        let kept = generation(policy, &Lists::new())?.policy;
        let countries = countries.map(copy_of).transpose()?;
        if self.policy.is_none() {
            // A table that an earlier daemon left brings packets as soon as its queues are held.
            self.judge_by(next, countries);
            self.hold()?;
            self.make(policy, &lists)?;
        } else {
            self.hold()?;
            self.make(policy, &lists)?;
            self.judge_by(next, countries);
        }
        (self.lists, self.policy) = (lists, Some(kept));
        Ok(())
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
        self.desk().guard(interfaces, events_per_second);
        let names = interfaces.iter().filter_map(|it| {
            let name = if_indextoname(it.index).ok()?;
            name.into_string().ok()
        });
        let names: Vec<_> = names.collect();
        let known = |name: &String| self.interfaces.contains(name);
        if names.iter().all(known) {
            return Ok(());
        }
        // One that is away keeps its place.
        for name in names {
            if !self.interfaces.contains(&name) {
                self.interfaces.push(name);
            }
        }
        self.remake()
    }

    fn attach(&mut self, interface: &str, _: u32) -> Result<Attached, FenceError> {
        if !self.interfaces.iter().any(|name| name == interface) {
            self.interfaces.push(interface.to_owned());
            self.remake()?;
        }
        let (first, last) = self.settings.numbers();
        Ok(Attached::Queued(first, last))
    }

    fn attach_egress(&mut self, _: &str, _: u32) -> Result<(), FenceError> {
        // The same table sees both directions.
        Ok(())
    }

    fn detach(&mut self, interface: &str) -> Result<(), FenceError> {
        self.interfaces.retain(|name| name != interface);
        self.remake()
    }

    fn attached(&self) -> Vec<String> {
        self.interfaces.clone()
    }

    fn leave_others(&mut self) -> Result<(), FenceError> {
        let pins = Pins::below(&self.bpffs);
        if pins.stand() {
            pins.remove()?;
        }
        Ok(())
    }

    fn set_clock(&mut self) -> Result<(), FenceError> {
        // Packets are judged by boot time itself.
        Ok(())
    }

    fn memory(&self) -> Result<u64, FenceError> {
        Ok((self.desk().judge.bytes() + self.feeds.memory()) as u64)
    }

    fn ban(&mut self, subject: Address, ban: &Ban) -> Result<(), FenceError> {
        self.desk().judge.ban_subject(subject, ban);
        Ok(())
    }

    fn ban_of(&self, subject: Address) -> Result<Option<Box<Ban>>, FenceError> {
        Ok(self
            .desk()
            .judge
            .bans()
            .get(&subject)
            .copied()
            .map(Box::new))
    }

    fn unban(&mut self, subject: Address) -> Result<bool, FenceError> {
        Ok(self.desk().judge.unban(subject))
    }

    fn scan_bans(&mut self, now: u64) -> Result<Vec<(Address, Ban)>, FenceError> {
        Ok(self.desk().judge.bans_after(now))
    }

    fn standing(&self, address: Address) -> Result<Option<Box<Standing>>, FenceError> {
        Ok(self
            .desk()
            .judge
            .standings()
            .get(&address)
            .copied()
            .map(Box::new))
    }

    fn standings(&self) -> Result<Vec<(Address, Standing)>, FenceError> {
        let desk = self.desk();
        let all = desk.judge.standings().iter();
        Ok(all
            .map(|(address, standing)| (*address, *standing))
            .collect())
    }

    fn set_standing(
        &mut self,
        address: Address,
        standing: Option<&Standing>,
    ) -> Result<(), FenceError> {
        self.desk().judge.keep_standing(address, standing);
        Ok(())
    }

    fn contact(&self, key: ContactKey) -> Result<Option<Box<Contact>>, FenceError> {
        Ok(self
            .desk()
            .judge
            .contacts()
            .get(&key)
            .copied()
            .map(Box::new))
    }

    fn contacts(&self) -> Result<Vec<(ContactKey, Contact)>, FenceError> {
        let desk = self.desk();
        let all = desk.judge.contacts().iter();
        Ok(all.map(|(key, contact)| (*key, *contact)).collect())
    }

    fn set_contact(
        &mut self,
        key: ContactKey,
        contact: Option<&Contact>,
    ) -> Result<(), FenceError> {
        self.desk().judge.keep_contact(key, contact);
        Ok(())
    }

    fn accounts(&self) -> Result<Vec<(u64, Account)>, FenceError> {
        let desk = self.desk();
        let all = desk.judge.accounts().iter();
        Ok(all.map(|(digest, account)| (*digest, *account)).collect())
    }

    fn set_account(&mut self, digest: u64, account: Option<&Account>) -> Result<(), FenceError> {
        self.desk().judge.keep_account(digest, account);
        Ok(())
    }

    fn bucket(&self, index: u32) -> Result<Option<Bucket>, FenceError> {
        Ok(self.desk().judge.bucket(index))
    }

    fn set_bucket(&mut self, index: u32, bucket: &Bucket) -> Result<(), FenceError> {
        self.desk().judge.set_bucket(index, bucket);
        Ok(())
    }

    fn counts(&self) -> Result<Counts, FenceError> {
        Ok(self.desk().counts.clone())
    }

    fn countries(&self) -> Result<Vec<[u64; 2]>, FenceError> {
        Ok(self.desk().countries.to_vec())
    }

    fn event_counts(&self) -> Result<[u64; EVENT_COUNTS as usize], FenceError> {
        Ok(*self.desk().judge.event_counts())
    }

    fn alarms(&mut self) -> Vec<String> {
        let mut alarms = self.keeper.table().take_alarms();
        if self.workers.iter().any(super::worker::Worker::has_ended) {
            // A queue without its thread: begin again with new ones.
            self.workers.clear();
            let begun = self.hold().err().map(|error| error.to_string());
            alarms.push(begun.unwrap_or_else(|| {
                "a thread that judged packets ended; all were started again".to_owned()
            }));
        }
        alarms
    }

    fn remarks(&self) -> Vec<String> {
        self.keeper.table().remarks()
    }
}

impl Fence {
    /// Has the judge go by other tables.
    fn judge_by(&self, next: Generation, countries: Option<Box<CountryTable>>) {
        let mut desk = self.desk();
        desk.judge.set_generation(next);
        if let Some(countries) = countries {
            desk.judge.set_countries(countries);
        }
    }

    /// Makes the table again, for other interfaces.
    fn remake(&self) -> Result<(), FenceError> {
        match &self.policy {
            Some(policy) => self.make(policy, &self.lists),
            None => Ok(()),
        }
    }
}
