//! What is to be done every few seconds about what the kernel learned.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use jiff::Timestamp;
use ringfence_core::address::Address;
use ringfence_core::trust::{Account, Contact, ContactKey, Standing};

use super::{Clock, Known, rows};
use crate::store::{Name, TrustChange};
use crate::tables::Names;

/// How long an account is remembered that registers no more.
const REMEMBERED: Duration = Duration::from_secs(30 * 86_400);

/// What the kernel holds. Standings are read before contacts, so that an account that registers between the two is never
/// taken for one too many.
#[derive(Debug, Default)]
pub struct Snapshot {
    /// What is known of addresses.
    pub standings: Vec<(Address, Standing)>,
    /// Registrations, by account and by flow.
    pub contacts: Vec<(ContactKey, Contact)>,
    /// Accounts by digest.
    pub accounts: Vec<(u64, Account)>,
}

/// What is to be done. Whoever does it in the kernel looks again before: a packet may have come meanwhile.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Todo {
    /// What the store does not know yet.
    pub change: TrustChange,
    /// Registrations that ran out.
    pub over: Vec<ContactKey>,
    /// Addresses of which nothing holds any more.
    pub idle: Vec<Address>,
    /// Addresses with another number of accounts than was noted: the number noted, and the right one.
    pub recount: Vec<(Address, u32, u32)>,
    /// Accounts that registered too long ago.
    pub forgotten: Vec<u64>,
    /// Who registered an account from an address where it was not.
    pub registered: Vec<(IpAddr, Name)>,
    /// The longest time granted, in seconds; 0 where nothing is registered.
    pub longest: u32,
    /// Whether the store is not told of all, since that is too much at once.
    pub more: bool,
}

/// Whether anything is known of an address that still holds.
pub fn holds(standing: &Standing, now: u64) -> bool {
    standing.registered(now)
        || standing.solicited(now)
        || standing.in_call(now)
        || standing.known_until > now
        || standing.emergency_until > now
}

/// Compares what the kernel holds with what the store holds. At most `most` rows of the store are changed at once.
pub fn sweep(snapshot: &Snapshot, known: &Known, names: &Names, clock: Clock, most: usize) -> Todo {
    let mut todo = Todo::default();
    let counts = contacts(&mut todo, snapshot, known, names, clock, most);
    standings(&mut todo, snapshot, known, &counts, clock, most);
    let horizon = clock.wall.checked_sub(REMEMBERED);
    let horizon = horizon.unwrap_or(Timestamp::MIN);
    accounts(&mut todo, snapshot, known, clock, horizon, most);
    over(&mut todo, known, clock.wall, horizon, most);
    todo
}

impl Todo {
    /// Whether the store can be told of another row.
    fn room(&mut self, most: usize) -> bool {
        let room = self.change.len() < most;
        self.more |= !room;
        room
    }
}

/// Registrations; how many accounts are registered from each address.
fn contacts(
    todo: &mut Todo,
    snapshot: &Snapshot,
    known: &Known,
    names: &Names,
    clock: Clock,
    most: usize,
) -> BTreeMap<Address, u32> {
    let mut counts = BTreeMap::new();
    for (key, contact) in &snapshot.contacts {
        if contact.until <= clock.boot {
            todo.over.push(*key);
            continue;
        }
        todo.longest = todo.longest.max(contact.granted);
        let of_account = key.as_flow().is_none();
        if of_account {
            *counts.entry(key.address).or_default() += 1;
        }
        let Some(row) = rows::registration(key, contact, known, names, clock) else {
            continue;
        };
        if todo.room(most) {
            if of_account && !known.registrations.contains_key(key) {
                todo.registered.push((row.address, row.name.clone()));
            }
            todo.change.put.registrations.push(row);
        }
    }
    counts
}

fn standings(
    todo: &mut Todo,
    snapshot: &Snapshot,
    known: &Known,
    counts: &BTreeMap<Address, u32>,
    clock: Clock,
    most: usize,
) {
    for (address, standing) in &snapshot.standings {
        if !holds(standing, clock.boot) {
            todo.idle.push(*address);
            continue;
        }
        let count = counts.get(address).copied().unwrap_or(0);
        if standing.accounts != count {
            todo.recount.push((*address, standing.accounts, count));
        }
        if let Some(row) = rows::standing(*address, standing, known, clock)
            && todo.room(most)
        {
            todo.change.put.standings.push(row);
        }
    }
}

fn accounts(
    todo: &mut Todo,
    snapshot: &Snapshot,
    known: &Known,
    clock: Clock,
    horizon: Timestamp,
    most: usize,
) {
    for (digest, account) in &snapshot.accounts {
        let last = rows::last(*digest, account, known, clock);
        if last < horizon {
            todo.forgotten.push(*digest);
        } else if let Some(row) = rows::account(*digest, account, last, known)
            && todo.room(most)
        {
            todo.change.put.accounts.push(row);
        }
    }
}

/// What the store has and is over: by the time that it has of it, or since the kernel gave it up before.
fn over(todo: &mut Todo, known: &Known, now: Timestamp, horizon: Timestamp, most: usize) {
    let put = &todo.change.put;
    let registrations = put.registrations.iter();
    let registrations: BTreeSet<_> = registrations
        .map(|row| (row.address, row.found_by))
        .collect();
    let standings: BTreeSet<_> = put.standings.iter().map(|row| row.address).collect();
    let accounts: BTreeSet<_> = put.accounts.iter().map(|row| row.digest).collect();
    let given_up: BTreeSet<_> = todo.over.iter().copied().collect();
    // As far as the store may lag behind.
    let ended = |end: Timestamp| now.duration_since(end) >= rows::STEP;
    for (key, row) in &known.registrations {
        let of = (row.address, row.found_by);
        let over = ended(row.until) && !registrations.contains(&of);
        if (over || given_up.contains(key)) && todo.room(most) {
            todo.change.registrations.push(of);
        }
    }
    for row in known.standings.values() {
        let over = row.known_until.is_none_or(ended) && row.solicited_until.is_none_or(ended);
        if over && !standings.contains(&row.address) && todo.room(most) {
            todo.change.standings.push(row.address);
        }
    }
    for row in known.accounts.values() {
        if row.last < horizon && !accounts.contains(&row.digest) && todo.room(most) {
            todo.change.accounts.push(row.digest);
        }
    }
}

#[cfg(test)]
mod tests;
