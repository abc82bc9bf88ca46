//! What the kernel is given back after a reboot: what was stored and still holds.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use ringfence_core::address::Address;
use ringfence_core::trust::{Account, Contact, ContactKey, GRACE, KNOWN, LONGEST, Standing};

use super::{Clock, Known, Snapshot};
use crate::store::{self, Registration};
use crate::tables;

/// What the kernel is to hold. A clock that was wrong at the boot gives nobody more time than was granted. `service`
/// gives the number of a service by its name, or 0.
pub fn restore(known: &Known, clock: Clock, service: impl Fn(&str) -> u8) -> Snapshot {
    let mut standings = BTreeMap::<Address, Standing>::new();
    let mut contacts = Vec::new();
    for (key, row) in &known.registrations {
        if row.until <= clock.wall {
            continue;
        }
        let contact = contact(row, clock, service(&row.service));
        register(&mut standings, key, &contact);
        contacts.push((*key, contact));
    }
    for row in known.standings.values() {
        stand(&mut standings, row, clock);
    }
    Snapshot {
        standings: standings.into_iter().collect(),
        contacts,
        accounts: known.accounts.values().map(account).collect(),
    }
}

fn contact(row: &Registration, clock: Clock, service: u8) -> Contact {
    let granted = u64::from(row.granted).min(LONGEST);
    let most = Duration::from_secs(granted) + Duration::from_nanos(GRACE);
    Contact {
        until: end(row.until, clock, most),
        since: clock.boot_of(row.since),
        account: row.account,
        name: row.name.words(),
        granted: row.granted,
        port: row.port,
        protocol: row.protocol,
        service,
    }
}

/// The boot time of an end, which is at most so far away.
fn end(end: Timestamp, clock: Clock, most: Duration) -> u64 {
    let most = u64::try_from(most.as_nanos()).unwrap_or(u64::MAX);
    clock.boot_of(end).min(clock.boot.saturating_add(most))
}

/// What a registration makes of its address, and of the network of an IPv6 address.
fn register(standings: &mut BTreeMap<Address, Standing>, key: &ContactKey, contact: &Contact) {
    let net = key.address.subject();
    for address in [
        Some(key.address),
        Some(net).filter(|net| *net != key.address),
    ] {
        let Some(address) = address else { continue };
        let standing = standings.entry(address).or_default();
        standing.registered_until = standing.registered_until.max(contact.until);
        if address != key.address {
            continue;
        }
        standing.known_until = standing
            .known_until
            .max(contact.until.saturating_add(KNOWN));
        standing.granted = standing.granted.max(contact.granted);
        standing.accounts += u32::from(key.as_flow().is_none());
        if standing.since == 0 || contact.since < standing.since {
            standing.since = contact.since;
        }
    }
}

fn stand(standings: &mut BTreeMap<Address, Standing>, row: &store::Standing, clock: Clock) {
    let day = Duration::from_nanos(KNOWN);
    // A registration of the longest time may just have been made.
    let known = day + Duration::from_secs(LONGEST) + Duration::from_nanos(GRACE);
    let until = |end_of: Option<Timestamp>, most| {
        let ahead = end_of.filter(|end| *end > clock.wall);
        ahead.map_or(0, |ahead| end(ahead, clock, most))
    };
    let (known, solicited) = (
        until(row.known_until, known),
        until(row.solicited_until, day),
    );
    if known == 0 && solicited == 0 {
        return;
    }
    let standing = standings.entry(tables::address(row.address)).or_default();
    standing.known_until = standing.known_until.max(known);
    standing.solicited_until = solicited;
    let since = clock.boot_of(row.since);
    if standing.since == 0 || since < standing.since {
        standing.since = since;
    }
}

fn account(row: &store::Account) -> (u64, Account) {
    let account = Account {
        moved: 0,
        last: 0,
        address: tables::address(row.address).words(),
        name: row.name.words(),
    };
    (row.digest, account)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Name, Trust};

    const SECOND: u64 = 1_000_000_000;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + second).unwrap()
    }

    /// Ten seconds after a boot.
    fn clock() -> Clock {
        Clock {
            boot: 10 * SECOND,
            wall: at(0),
        }
    }

    fn registration(address: &str, of: Option<u16>, until: i64) -> Registration {
        let ip = address.parse().unwrap();
        let name = Name::new("1007");
        let account = name.digest().unwrap();
        let key = match of {
            Some(port) => ContactKey::flow(tables::address(ip), 17, port),
            None => ContactKey::account(tables::address(ip), account),
        };
        Registration {
            address: ip,
            found_by: key.of,
            account,
            name,
            protocol: 17,
            port: 5060,
            service: "sip".into(),
            since: at(-5000),
            until: at(until),
            granted: 3600,
        }
    }

    #[test]
    fn what_still_holds_comes_back() {
        let known = Known::new(Trust {
            registrations: vec![
                registration("2001:db8::7", None, 100),
                registration("2001:db8::7", Some(5060), 100),
                registration("192.0.2.1", None, -1),
                // As a clock that was a month behind would have it.
                registration("192.0.2.2", None, 2_600_000),
            ],
            standings: vec![store::Standing {
                address: [192, 0, 2, 1].into(),
                since: at(-5000),
                known_until: Some(at(500)),
                solicited_until: Some(at(-1)),
            }],
            accounts: vec![store::Account {
                digest: 7,
                name: Name::new("a name of many more than thirty-two characters"),
                last: at(-100),
                address: [192, 0, 2, 1].into(),
            }],
        });
        let snapshot = restore(&known, clock(), |name| u8::from(name == "sip") * 3);
        let standing = |text: &str| {
            let address = tables::address(text.parse().unwrap());
            let found = snapshot.standings.iter().find(|(key, _)| *key == address);
            found.unwrap().1
        };
        let (six, net) = (standing("2001:db8::7"), standing("2001:db8::"));
        assert_eq!(six.registered_until, 110 * SECOND);
        assert_eq!((six.accounts, six.granted, six.since), (1, 3600, 1));
        assert_eq!(net.registered_until, six.registered_until);
        assert_eq!((net.accounts, net.known_until), (0, 0));
        let gone = standing("192.0.2.1");
        assert_eq!((gone.registered_until, gone.solicited_until), (0, 0));
        assert_eq!(gone.known_until, 510 * SECOND);
        assert_eq!(
            standing("192.0.2.2").registered_until,
            (10 + 3600 + 64) * SECOND
        );
        assert_eq!(snapshot.contacts.len(), 3);
        assert_eq!(snapshot.contacts[0].1.service, 3);
        let (digest, account) = snapshot.accounts[0];
        assert_eq!((digest, account.last, account.moved), (7, 0, 0));
    }
}
