//! Who is trusted at a moment, and why.

use std::collections::BTreeMap;
use std::net::IpAddr;

use jiff::Timestamp;
use ringfence_core::address::Address;
use ringfence_core::trust::Standing;

use super::{Clock, Known, Snapshot};
use crate::store::Name;
use crate::tables;

/// An address that is trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// The address.
    pub address: IpAddr,
    /// What for, the strongest first: `registered`, `solicited`, `known`, `call`, `emergency`.
    pub why: Vec<&'static str>,
    /// The accounts that are registered from there.
    pub accounts: Vec<Name>,
    /// Flows that registrations were made over.
    pub contacts: usize,
    /// Calls that are up.
    pub calls: u32,
    /// Since when it is known of.
    pub since: Option<Timestamp>,
    /// Until when the first of `why` holds, unless it is renewed.
    pub until: Option<Timestamp>,
}

impl Holder {
    /// Requests that are allowed to it in ten seconds, if registrations give it more than a stranger has.
    pub fn allowed(&self) -> Option<u32> {
        (!self.accounts.is_empty())
            .then(|| allowed(u32::try_from(self.accounts.len()).unwrap_or(u32::MAX)))
    }
}

/// Requests that so many accounts behind an address may make in ten seconds.
fn allowed(accounts: u32) -> u32 {
    accounts.saturating_mul(10).saturating_add(10)
}

/// Who is trusted, by address. A network is not among them: only its addresses are.
pub fn holders(snapshot: &Snapshot, known: &Known, clock: Clock) -> Vec<Holder> {
    let mut behind = BTreeMap::<Address, (Vec<Name>, usize)>::new();
    for (key, contact) in &snapshot.contacts {
        if contact.until <= clock.boot {
            continue;
        }
        let (accounts, contacts) = behind.entry(key.address).or_default();
        if key.as_flow().is_none() {
            accounts.push(Name::of_words(&contact.name));
        } else {
            *contacts += 1;
        }
    }
    let mut holders: Vec<_> = snapshot
        .standings
        .iter()
        .filter_map(|(address, standing)| {
            let behind = behind.remove(address);
            let net = !address.is_v4() && address.subject() == *address;
            let (mut accounts, contacts) = match behind {
                Some(behind) => behind,
                None if net && standing.known_until == 0 && standing.solicited_until == 0 => {
                    return None;
                }
                None => Default::default(),
            };
            let (why, until) = why(standing, clock);
            accounts.sort();
            let ip = tables::ip(*address);
            let stored = known.standings.get(&ip).map(|stored| stored.since);
            let since = clock.wall_of(standing.since);
            (!why.is_empty()).then(|| Holder {
                address: ip,
                why,
                accounts,
                contacts,
                calls: if standing.in_call(clock.boot) {
                    standing.calls
                } else {
                    0
                },
                since: [stored, since].into_iter().flatten().min(),
                until,
            })
        })
        .collect();
    holders.sort_by_key(|holder| holder.address);
    holders
}

/// What an address is trusted for, and when the first of it ends.
fn why(standing: &Standing, clock: Clock) -> (Vec<&'static str>, Option<Timestamp>) {
    let call = if standing.in_call(clock.boot) {
        standing.call_until
    } else {
        0
    };
    let all = [
        ("registered", standing.registered_until),
        ("solicited", standing.solicited_until),
        ("known", standing.known_until),
        ("call", call),
        ("emergency", standing.emergency_until),
    ];
    let mut holding = all.into_iter().filter(|(_, until)| *until > clock.boot);
    let first = holding.clone().next();
    let registered = first.is_some_and(|(name, _)| name == "registered");
    // Who is registered is known in any case.
    let why = holding
        .by_ref()
        .map(|(name, _)| name)
        .filter(|name| !(registered && *name == "known"))
        .collect();
    (why, first.and_then(|(_, until)| clock.wall_of(until)))
}

#[cfg(test)]
mod tests {
    use ringfence_core::trust::{Contact, ContactKey};

    use super::*;

    const CLOCK: Clock = Clock {
        boot: 1 << 40,
        wall: Timestamp::UNIX_EPOCH,
    };
    const AHEAD: u64 = (1 << 40) + 60_000_000_000;

    #[test]
    fn it_is_told_what_for_and_how_much() {
        let at = |text: &str| tables::address(text.parse().unwrap());
        let (office, six) = (at("203.0.113.9"), at("2001:db8::7"));
        let standing = |registered_until, solicited_until| Standing {
            registered_until,
            known_until: registered_until,
            solicited_until,
            since: 1 << 39,
            ..Standing::default()
        };
        let contact = |name: &str, until| Contact {
            until,
            name: Name::new(name).words(),
            ..Contact::default()
        };
        let snapshot = Snapshot {
            standings: vec![
                (office, standing(AHEAD, AHEAD)),
                (six, standing(AHEAD, 0)),
                (
                    six.subject(),
                    Standing {
                        known_until: 0,
                        ..standing(AHEAD, 0)
                    },
                ),
                (at("192.0.2.1"), standing(5, 0)),
                (
                    at("192.0.2.2"),
                    Standing {
                        calls: 2,
                        call_until: AHEAD,
                        ..standing(0, 0)
                    },
                ),
            ],
            contacts: vec![
                (ContactKey::account(office, 9), contact("1008", AHEAD)),
                (ContactKey::account(office, 11), contact("1007", AHEAD)),
                (ContactKey::account(office, 13), contact("1009", 5)),
                (ContactKey::flow(office, 17, 5060), contact("1007", AHEAD)),
            ],
            accounts: Vec::new(),
        };
        let all = holders(&snapshot, &Known::default(), CLOCK);
        let told: Vec<_> = all
            .iter()
            .map(|holder| (holder.address.to_string(), holder.why.as_slice()))
            .collect();
        assert_eq!(
            told,
            [
                ("192.0.2.2".to_owned(), &["call"][..]),
                ("203.0.113.9".to_owned(), &["registered", "solicited"]),
                ("2001:db8::7".to_owned(), &["registered"]),
            ]
        );
        let office = &all[1];
        assert_eq!(office.accounts, [Name::new("1007"), Name::new("1008")]);
        assert_eq!((office.contacts, office.allowed()), (1, Some(30)));
        assert_eq!(office.until.unwrap().as_second(), 60);
        assert_eq!((all[0].calls, all[0].allowed()), (2, None));
    }
}
