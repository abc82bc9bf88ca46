//! What the kernel's programs have learned, read from their maps.

use std::collections::HashMap;
use std::hash::Hash;

use anyhow::{Context, Result};
use aya::Pod;
use ringfence_core::address::Address;
use ringfence_core::bench::Ban;
use ringfence_core::trust::{Account, Contact, ContactKey, Standing};
use zerocopy::FromBytes;

use super::Trial;

impl Trial {
    /// What is known of addresses.
    ///
    /// # Errors
    /// What the kernel refuses; so below.
    pub fn standings(&self) -> Result<HashMap<Address, Standing>> {
        self.table::<16, { size_of::<Standing>() }, _, _>("STANDINGS")
    }

    /// Registrations, by account and by flow.
    ///
    /// # Errors
    /// As above.
    pub fn contacts(&self) -> Result<HashMap<ContactKey, Contact>> {
        self.table::<24, { size_of::<Contact>() }, _, _>("CONTACTS")
    }

    /// Accounts by the digests of their names.
    ///
    /// # Errors
    /// As above.
    pub fn accounts(&self) -> Result<HashMap<u64, Account>> {
        self.table::<8, { size_of::<Account>() }, _, _>("ACCOUNTS")
    }

    /// Bans by subject, those that are over too.
    ///
    /// # Errors
    /// As above.
    pub fn bans(&self) -> Result<HashMap<Address, Ban>> {
        self.table::<16, { size_of::<Ban>() }, _, _>("BANS")
    }

    /// A table whose keys and values have so many bytes.
    fn table<const K: usize, const V: usize, Key, Value>(
        &self,
        name: &str,
    ) -> Result<HashMap<Key, Value>>
    where
        [u8; K]: Pod,
        [u8; V]: Pod,
        Key: FromBytes + Eq + Hash,
        Value: FromBytes,
    {
        let map = self
            .ebpf
            .map(name)
            .with_context(|| format!("the object has no map {name}"))?;
        let table: aya::maps::HashMap<_, [u8; K], [u8; V]> = map.try_into()?;
        table
            .iter()
            .map(|entry| {
                let (key, value) = entry?;
                let read = Key::read_from_bytes(&key).ok();
                let read = read.zip(Value::read_from_bytes(&value).ok());
                read.with_context(|| format!("{name} holds entries of another size"))
            })
            .collect()
    }
}
