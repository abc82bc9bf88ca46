//! What the kernel learned of who belongs: kept in the store, tidied up, and given back after a reboot.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use jiff::Timestamp;
use ringfence_core::trust::Standing;
use tracing::{info, warn};

use super::state::Daemon;
use crate::config::Config;
use crate::engine::{FenceError, boot_time};
use crate::store::{Fact, Store, StoreError};
use crate::tables;
use crate::trust::{
    Clock, Drops, Known, Refusals, Snapshot, Strangers, Todo, Tripped, accounts_of, holds, restore,
    resume, sweep, too_short, tripped,
};

/// Rows of the store that one sweep changes at most; the rest waits for the next.
const MOST: usize = 5_000;
/// A sweep takes at most this part of the daemon's time: large tables are swept less often.
const SHARE: u32 = 20;
/// How often it is stored that it still learns.
const ALIVE: Duration = Duration::from_secs(60);

/// What the daemon knows of trust beside the kernel.
pub struct Trust {
    pub(super) known: Known,
    pub(super) refusals: Refusals,
    pub(super) drops: Drops,
    pub(super) strangers: Strangers,
    /// Since when it has learned.
    pub(super) since: Timestamp,
    /// The longest time that a registration was granted for, in seconds.
    pub(super) longest: Option<u32>,
    /// When the next sweep is due.
    due: Instant,
    /// When it was last stored that it learns.
    alive: Option<Instant>,
}

impl Trust {
    /// What the store holds. `stood` says whether a fence stood before this start.
    pub fn load(store: &mut Store, stood: bool) -> Result<Self, StoreError> {
        let now = Timestamp::now();
        let longest = store.fact(Fact::LongestGranted)?;
        let longest = longest.and_then(|seconds| u32::try_from(seconds).ok());
        let (since, until) = (Fact::LearningSince, Fact::LearningUntil);
        let since = resume(
            now,
            store.moment(since)?,
            store.moment(until)?,
            longest,
            stood,
        );
        store.set_fact(Fact::LearningSince, since.as_second())?;
        Ok(Self {
            known: Known::new(store.trust()?),
            refusals: Refusals::default(),
            drops: Drops::default(),
            strangers: Strangers::default(),
            since,
            longest,
            due: Instant::now(),
            alive: None,
        })
    }
}

impl Daemon {
    /// This moment on the kernel's clock and on that of the store.
    pub(super) fn clock(&self) -> Result<Clock, FenceError> {
        Ok(Clock {
            boot: boot_time()?,
            wall: Timestamp::now(),
        })
    }

    /// Gives the kernel what was stored and still holds, where its tables are new; else what it holds is right.
    pub(super) fn restore_trust(&mut self) -> Result<()> {
        if self.fence.taken_over() {
            return Ok(());
        }
        let services = &self.config.services;
        let number = |name: &str| {
            let place = services.iter().position(|service| service.name == name);
            place.map_or(0, |place| u8::try_from(place + 1).unwrap_or(0))
        };
        let snapshot = restore(&self.trust.known, self.clock()?, number);
        for (key, contact) in &snapshot.contacts {
            self.fence.set_contact(*key, Some(contact))?;
        }
        for (address, standing) in &snapshot.standings {
            self.fence.set_standing(*address, Some(standing))?;
        }
        for (digest, account) in &snapshot.accounts {
            self.fence.set_account(*digest, Some(account))?;
        }
        if !snapshot.standings.is_empty() {
            info!(
                "trust as it was stored: {} addresses, {} accounts",
                snapshot.standings.len(),
                snapshot.accounts.len()
            );
        }
        Ok(())
    }

    /// Refuses tripwires that would ban who has an account here.
    pub(super) fn check_tripwires(&self, config: &Config) -> Result<()> {
        if config.tripwires.is_empty() {
            return Ok(());
        }
        let clock = self.clock()?;
        let accounts = accounts_of(&self.fence.accounts()?, &self.trust.known, clock);
        match tripped(&config.tripwires, accounts.values(), clock.wall) {
            Some(tripped) => bail!("{tripped}; {}", Tripped::REMEDY),
            None => Ok(()),
        }
    }

    /// All that the kernel holds of trust.
    pub(super) fn snapshot(&self) -> Result<Snapshot, FenceError> {
        Ok(Snapshot {
            standings: self.fence.standings()?,
            contacts: self.fence.contacts()?,
            accounts: self.fence.accounts()?,
        })
    }

    /// Sweeps, where it is time to.
    pub(super) fn sweep_trust(&mut self) -> Result<()> {
        if Instant::now() < self.trust.due {
            return Ok(());
        }
        let began = Instant::now();
        let done = self.sweep_now().map(drop);
        self.trust.due = Instant::now() + began.elapsed() * SHARE;
        done
    }

    /// Removes from the kernel what is over and stores what is new; what the kernel held before.
    pub(super) fn sweep_now(&mut self) -> Result<Snapshot> {
        let clock = self.clock()?;
        let snapshot = self.snapshot()?;
        let todo = sweep(&snapshot, &self.trust.known, &self.names, clock, MOST);
        self.tidy(&todo, clock.boot)?;
        for (address, name) in todo.registered {
            let source = tables::subject(address);
            self.trust.drops.note_registered(source, name);
        }
        self.store.change_trust(&todo.change)?;
        self.trust.known.note(todo.change);
        self.learned(todo.longest)?;
        Ok(snapshot)
    }

    /// Does in the kernel what is to be done. Everything is looked at again right before: what a packet does between the
    /// look and the write is lost, which is why nothing is written that need not be.
    fn tidy(&mut self, todo: &Todo, now: u64) -> Result<(), FenceError> {
        for key in &todo.over {
            let found = self.fence.contact(*key)?;
            if found.is_some_and(|contact| contact.until <= now) {
                self.fence.set_contact(*key, None)?;
            }
        }
        for (address, before, count) in &todo.recount {
            if let Some(found) = self.fence.standing(*address)?
                && found.accounts == *before
            {
                let standing = Standing {
                    accounts: *count,
                    ..*found
                };
                self.fence.set_standing(*address, Some(&standing))?;
            }
        }
        for address in &todo.idle {
            let found = self.fence.standing(*address)?;
            if found.is_some_and(|standing| !holds(&standing, now)) {
                self.fence.set_standing(*address, None)?;
            }
        }
        for digest in &todo.forgotten {
            self.fence.set_account(*digest, None)?;
        }
        Ok(())
    }

    /// Notes for how long it has learned, and how long registrations last.
    fn learned(&mut self, longest: u32) -> Result<(), StoreError> {
        if longest > self.trust.longest.unwrap_or(0) {
            self.trust.longest = Some(longest);
            self.store
                .set_fact(Fact::LongestGranted, i64::from(longest))?;
        }
        if self.trust.alive.is_none_or(|last| last.elapsed() >= ALIVE) {
            let now = Timestamp::now().as_second();
            self.store.set_fact(Fact::LearningUntil, now)?;
            self.trust.alive = Some(Instant::now());
        }
        Ok(())
    }

    /// Why it is too early to enforce, and what to do; None where it is not.
    pub(super) fn too_early(&self) -> Option<String> {
        let told = too_short(Timestamp::now(), self.trust.since, self.trust.longest);
        if let Some(told) = &told {
            warn!("{told}");
        }
        told
    }

    /// Stores what was refused and dropped since the last time.
    pub(super) fn keep_summaries(&mut self) -> Result<()> {
        let (now, remember) = (Timestamp::now(), super::SUMMARIES);
        let refusals = self.trust.refusals.take();
        let (drops, registered) = self.trust.drops.take();
        self.store.add_refusals(&refusals, now, remember)?;
        self.store.add_drops(&drops, now, remember)?;
        if !registered.is_empty() {
            self.store.note_registered(&registered, now)?;
        }
        Ok(())
    }
}
