//! What the store holds of trust, as it was last written.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ringfence_core::trust::ContactKey;

use crate::store::{Account, Name, Registration, Standing, Trust, TrustChange};
use crate::tables;

/// What the store holds, by what the kernel finds it by.
#[derive(Debug, Default)]
pub struct Known {
    /// Registrations, by account and by flow.
    pub registrations: BTreeMap<ContactKey, Registration>,
    /// What is known of addresses beside their registrations.
    pub standings: BTreeMap<IpAddr, Standing>,
    /// Accounts by the digests of their names.
    pub accounts: BTreeMap<u64, Account>,
}

impl Known {
    /// From what was read. Digests are made anew where the whole name is known: another version may make other ones.
    pub fn new(mut trust: Trust) -> Self {
        let fresh = |name: &Name, digest: u64| name.digest().unwrap_or(digest);
        for row in &mut trust.registrations {
            row.account = fresh(&row.name, row.account);
            if key(row).as_flow().is_none() {
                row.found_by = row.account;
            }
        }
        for row in &mut trust.accounts {
            row.digest = fresh(&row.name, row.digest);
        }
        let mut known = Self::default();
        known.put(trust);
        known
    }

    fn put(&mut self, trust: Trust) {
        let rows = trust.registrations.into_iter();
        self.registrations.extend(rows.map(|row| (key(&row), row)));
        let rows = trust.standings.into_iter();
        self.standings.extend(rows.map(|row| (row.address, row)));
        let rows = trust.accounts.into_iter();
        self.accounts.extend(rows.map(|row| (row.digest, row)));
    }

    /// Takes in what was stored and forgotten.
    pub fn note(&mut self, change: TrustChange) {
        for (address, found_by) in change.registrations {
            self.registrations.remove(&contact_key(address, found_by));
        }
        for address in change.standings {
            self.standings.remove(&address);
        }
        for digest in change.accounts {
            self.accounts.remove(&digest);
        }
        self.put(change.put);
    }

    /// The registrations from an address.
    pub fn at(&self, address: IpAddr) -> impl Iterator<Item = (&ContactKey, &Registration)> {
        let from = contact_key(address, 0);
        let to = contact_key(address, u64::MAX);
        self.registrations.range(from..=to)
    }

    /// Whether an account other than `name` is registered from an address.
    pub fn others_at(&self, address: IpAddr, name: &Name) -> bool {
        self.at(address).any(|(_, row)| row.name != *name)
    }

    /// What is to be forgotten of an address. That its accounts exist is not.
    pub fn forget(&self, address: IpAddr) -> TrustChange {
        TrustChange {
            registrations: self
                .at(address)
                .map(|(_, row)| (address, row.found_by))
                .collect(),
            standings: self
                .standings
                .contains_key(&address)
                .then_some(address)
                .into_iter()
                .collect(),
            ..TrustChange::default()
        }
    }
}

fn contact_key(address: IpAddr, of: u64) -> ContactKey {
    let address = tables::address(address);
    ContactKey { address, of }
}

fn key(row: &Registration) -> ContactKey {
    contact_key(row.address, row.found_by)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    fn registration(address: &str, name: &str, found_by: u64) -> Registration {
        let (name, at) = (Name::new(name), Timestamp::UNIX_EPOCH);
        Registration {
            address: address.parse().unwrap(),
            found_by,
            account: 1,
            name,
            protocol: 17,
            port: 5060,
            service: "sip".into(),
            since: at,
            until: at,
            granted: 60,
        }
    }

    #[test]
    fn digests_are_made_anew_and_an_address_is_forgotten_whole() {
        let flow = ContactKey::flow(tables::address([192, 0, 2, 1].into()), 17, 5060).of;
        let trust = Trust {
            registrations: vec![
                registration("192.0.2.1", "1007", 99),
                registration("192.0.2.1", "1007", flow),
                registration("192.0.2.2", "1008", 77),
            ],
            ..Trust::default()
        };
        let mut known = Known::new(trust);
        let digest = Name::new("1007").digest().unwrap();
        let here: IpAddr = [192, 0, 2, 1].into();
        let found: Vec<_> = known
            .at(here)
            .map(|(key, row)| (key.of, row.account))
            .collect();
        assert!(found.contains(&(digest, digest)) && found.contains(&(flow, digest)));
        assert!(!known.others_at(here, &Name::new("1007")));
        assert!(known.others_at(here, &Name::new("1009")));
        let gone = known.forget(here);
        assert_eq!(gone.len(), 2);
        known.note(gone);
        assert_eq!(known.at(here).count(), 0);
        assert_eq!(known.registrations.len(), 1);
    }
}
