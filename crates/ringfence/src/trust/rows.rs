//! What the kernel holds, as rows of the store.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use ringfence_core::address::Address;
use ringfence_core::trust::{self as kernel, Contact, ContactKey};

use super::{Clock, Known};
use crate::store::{Account, Name, Registration, Standing};
use crate::tables::{self, Names};

/// How far the store may lag behind the kernel: registrations and peers are renewed all the time.
pub const STEP: SignedDuration = SignedDuration::from_secs(10);
/// The same of what holds for a day or longer.
const LONG_STEP: SignedDuration = SignedDuration::from_secs(600);

/// The row of a registration; None where the store has it.
pub fn registration(
    key: &ContactKey,
    contact: &Contact,
    known: &Known,
    names: &Names,
    clock: Clock,
) -> Option<Registration> {
    let before = known.registrations.get(key);
    let since = clock.wall_of(contact.since).unwrap_or(clock.wall);
    let row = Registration {
        address: tables::ip(key.address),
        found_by: key.of,
        account: contact.account,
        name: Name::of_words(&contact.name),
        protocol: contact.protocol,
        port: contact.port,
        service: names.service(contact.service).to_owned(),
        // What was registered before the boot has lost its beginning in the kernel.
        since: before.map_or(since, |before| before.since.min(since)),
        until: clock.wall_of(contact.until).unwrap_or(clock.wall),
        granted: contact.granted,
    };
    let same = before.is_some_and(|before| {
        let aligned = Registration {
            since: row.since,
            until: row.until,
            ..before.clone()
        };
        near(Some(before.until), Some(row.until), STEP) && aligned == row
    });
    (!same).then_some(row)
}

/// The row of an address; None where the store has it, or has no need of it: registrations have rows of their own, and
/// calls end with the boot.
pub fn standing(
    address: Address,
    standing: &kernel::Standing,
    known: &Known,
    clock: Clock,
) -> Option<Standing> {
    let ip = tables::ip(address);
    let before = known.standings.get(&ip);
    let ahead = |boot: u64| clock.wall_of(boot).filter(|_| boot > clock.boot);
    let since = clock.wall_of(standing.since).unwrap_or(clock.wall);
    let row = Standing {
        address: ip,
        since: before.map_or(since, |before| before.since.min(since)),
        known_until: ahead(standing.known_until),
        solicited_until: ahead(standing.solicited_until),
    };
    let nothing = row.known_until.is_none() && row.solicited_until.is_none();
    let same = before.is_some_and(|before| {
        near(before.known_until, row.known_until, LONG_STEP)
            && near(before.solicited_until, row.solicited_until, STEP)
    });
    (!nothing && !same).then_some(row)
}

/// When an account last registered. What the kernel has not seen since the boot is as the store has it.
pub fn last(digest: u64, account: &kernel::Account, known: &Known, clock: Clock) -> Timestamp {
    let before = known.accounts.get(&digest);
    clock
        .wall_of(account.last)
        .or(before.map(|before| before.last))
        .unwrap_or(clock.wall)
}

/// All accounts by digest, as the kernel has them, and what only the store has.
pub fn accounts_of(
    held: &[(u64, kernel::Account)],
    known: &Known,
    clock: Clock,
) -> BTreeMap<u64, Account> {
    let mut all = known.accounts.clone();
    all.extend(held.iter().map(|(digest, account)| {
        let last = last(*digest, account, known, clock);
        (*digest, account_of(*digest, account, last))
    }));
    all
}

fn account_of(digest: u64, account: &kernel::Account, last: Timestamp) -> Account {
    Account {
        digest,
        name: Name::of_words(&account.name),
        last,
        address: tables::ip(Address::from_words(account.address)),
    }
}

/// The row of an account; None where the store has it.
pub fn account(
    digest: u64,
    account: &kernel::Account,
    last: Timestamp,
    known: &Known,
) -> Option<Account> {
    let row = account_of(digest, account, last);
    let same = known.accounts.get(&digest).is_some_and(|before| {
        near(Some(before.last), Some(last), LONG_STEP)
            && (before.address, &before.name) == (row.address, &row.name)
    });
    (!same).then_some(row)
}

fn near(before: Option<Timestamp>, now: Option<Timestamp>, step: SignedDuration) -> bool {
    match (before, now) {
        (Some(before), Some(now)) => now.duration_since(before).abs() < step,
        (None, None) => true,
        _ => false,
    }
}
