//! What is known of sources, given to the judge one source at a time.

use std::collections::{BTreeMap, HashMap};

use ringfence_core::address::Address;
use ringfence_core::bench::{Ban as KernelBan, Cause};
use ringfence_core::trust::{Contact, ContactKey, Standing};

use crate::engine::memory::Memory;
use crate::store::Ban;
use crate::tables;
use crate::trust::{Snapshot, holds};

/// Bans and trust by source.
#[derive(Default)]
pub(super) struct Sources {
    bans: HashMap<Address, Ban>,
    standings: HashMap<Address, Standing>,
    contacts: BTreeMap<ContactKey, Contact>,
    /// The moment of the times above.
    now: u64,
}

impl Sources {
    pub(super) fn set_bans<'b>(&mut self, bans: impl IntoIterator<Item = &'b Ban>) {
        let bans = bans.into_iter().map(|ban| (subject(ban), ban.clone()));
        self.bans = bans.collect();
    }

    pub(super) fn set_trust(&mut self, snapshot: &Snapshot, now: u64) {
        self.now = now;
        self.standings = snapshot.standings.iter().copied().collect();
        self.contacts = snapshot.contacts.iter().copied().collect();
    }

    /// Whether anything that holds is known of a source, or beside it.
    pub(super) fn trusts(&self, source: std::net::IpAddr) -> bool {
        let source = tables::address(source);
        [source, source.subject()].iter().any(|address| {
            let standing = self.standings.get(address);
            standing.is_some_and(|standing| holds(standing, self.now))
        })
    }

    /// The ban that holds for a source, or for one of its ports.
    pub(super) fn ban(&self, source: Address, port: Option<u16>) -> Option<&Ban> {
        let flow = port.map(|port| source.flow(port));
        [Some(source.subject()), Some(source.net()), flow]
            .into_iter()
            .flatten()
            .find_map(|subject| self.bans.get(&subject))
    }

    /// Gives it to a fence whose clock shows `now`; trust only where `known`.
    pub(super) fn give(
        &self,
        source: Address,
        port: Option<u16>,
        now: u64,
        known: bool,
        memory: &mut Memory,
    ) {
        let flow = port.map(|port| source.flow(port));
        let subjects = [Some(source.subject()), Some(source.net()), flow];
        for subject in subjects.into_iter().flatten() {
            if let Some(ban) = self.bans.get(&subject) {
                memory.ban_subject(subject, &kernel(ban, now));
            }
        }
        if !known {
            return;
        }
        let moved = |at: u64| {
            if at == 0 {
                return 0;
            }
            let later = at.saturating_sub(self.now);
            let earlier = self.now.saturating_sub(at);
            now.saturating_add(later).saturating_sub(earlier).max(1)
        };
        let mut snapshot = Snapshot::default();
        let mut addresses = vec![source];
        if source.subject() != source {
            addresses.push(source.subject());
        }
        for address in addresses {
            let Some(standing) = self.standings.get(&address) else {
                continue;
            };
            let standing = Standing {
                registered_until: moved(standing.registered_until),
                known_until: moved(standing.known_until),
                solicited_until: moved(standing.solicited_until),
                call_until: moved(standing.call_until),
                emergency_until: moved(standing.emergency_until),
                since: moved(standing.since),
                ..*standing
            };
            snapshot.standings.push((address, standing));
        }
        let of = |of| ContactKey {
            address: source,
            of,
        };
        for (key, contact) in self.contacts.range(of(0)..=of(u64::MAX)) {
            let contact = Contact {
                until: moved(contact.until),
                since: moved(contact.since),
                ..*contact
            };
            snapshot.contacts.push((*key, contact));
        }
        memory.trust(&snapshot);
    }
}

fn subject(ban: &Ban) -> Address {
    let address = tables::address(ban.address);
    match ban.port {
        Some(port) => address.flow(port),
        None if ban.is_net() => address.net(),
        None => address.subject(),
    }
}

fn kernel(ban: &Ban, now: u64) -> KernelBan {
    let mut causes = (0..=u8::MAX).filter_map(Cause::from_number);
    let cause = causes.find(|cause| cause.name() == ban.reason);
    KernelBan {
        until: now.saturating_add(super::DAY / 2),
        cause: cause.unwrap_or(Cause::Manual) as u8,
        proved: u8::from(ban.proved),
        signature: 0,
        renews: 0,
    }
}
