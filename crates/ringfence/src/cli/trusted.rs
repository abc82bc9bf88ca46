//! What the store holds of an address beside lists and bans: its trust, and what was refused to it.

use std::collections::BTreeMap;
use std::net::IpAddr;

use jiff::Timestamp;

use super::{Global, offline};
use crate::config::Config;
use crate::control::trust;
use crate::store::{Refusal, Store, StoreError};
use crate::tables;
use crate::trust::Holder;

/// Trust and refusals by address.
#[derive(Default)]
pub struct Trusted {
    holders: BTreeMap<IpAddr, Holder>,
    refusals: BTreeMap<IpAddr, Vec<Refusal>>,
}

impl Trusted {
    /// Reads the store without changing it. Of one that cannot be read, which [`super::offline::Said::read`] tells,
    /// nothing is known.
    pub fn read(global: &Global, config: &Config) -> Self {
        let state = offline::state(global, config);
        let read = || -> Result<Self, StoreError> {
            let Some(store) = Store::read(state)? else {
                return Ok(Self::default());
            };
            let mut trusted = Self::default();
            for holder in trust::stored(store.trust()?, Timestamp::now()) {
                trusted.holders.insert(holder.address, holder);
            }
            for refusal in store.refusals()? {
                let of_source = trusted.refusals.entry(refusal.address).or_default();
                of_source.push(refusal);
            }
            Ok(trusted)
        };
        read().unwrap_or_default()
    }

    /// What an address is trusted for.
    pub fn holder(&self, address: IpAddr) -> Option<&Holder> {
        self.holders.get(&address)
    }

    /// What was refused to an address, or to another one of its IPv6 network, the latest first.
    pub fn refusals(&self, address: IpAddr) -> &[Refusal] {
        let source = tables::subject(address);
        self.refusals.get(&source).map_or(&[], Vec::as_slice)
    }
}
