//! The maps of the fence, opened.

use aya::Ebpf;
use aya::maps::Map;
use ringfence_core::address::Address;
use ringfence_core::bench::{Ban, Listed};
use ringfence_core::control::Control;
use ringfence_core::country::CountryTable;
use ringfence_core::limit::Bucket;
use ringfence_core::policy::Policy;
use ringfence_core::trust::{Account, Contact, ContactKey, Standing};
use zerocopy::{FromBytes, Immutable, IntoBytes};

use super::FenceError;
use super::layout::ListKey;
use super::raw::Table;

/// The maps that the daemon reads and writes.
pub struct Tables {
    pub control: Table<u32, Control>,
    pub policy: Table<u32, Policy>,
    pub country: Table<u32, CountryTable>,
    pub lists: Table<ListKey, Listed>,
    pub bans: Table<Address, Ban>,
    pub filter: Table<u32, u64>,
    pub rates: Table<u32, Bucket>,
    pub standings: Table<Address, Standing>,
    pub contacts: Table<ContactKey, Contact>,
    pub accounts: Table<u64, Account>,
    pub counters: Table<u32, u64>,
    pub countries: Table<u32, u64>,
    pub events: Table<u32, u64>,
}

impl Tables {
    /// Takes them out of the loaded object.
    pub fn of(ebpf: &mut Ebpf) -> Result<Self, FenceError> {
        Ok(Self {
            control: table(ebpf, "CONTROL")?,
            policy: table(ebpf, "POLICY")?,
            country: table(ebpf, "COUNTRY")?,
            lists: table(ebpf, "LISTS")?,
            bans: table(ebpf, "BANS")?,
            filter: table(ebpf, "FILTER")?,
            rates: table(ebpf, "RATES")?,
            standings: table(ebpf, "STANDINGS")?,
            contacts: table(ebpf, "CONTACTS")?,
            accounts: table(ebpf, "ACCOUNTS")?,
            counters: table(ebpf, "COUNTERS")?,
            countries: table(ebpf, "COUNTRIES")?,
            events: table(ebpf, "EVENT_STATS")?,
        })
    }
}

/// All entries of a table.
pub fn all<K, V>(table: &Table<K, V>, name: &'static str) -> Result<Vec<(K, V)>, FenceError>
where
    K: FromBytes + IntoBytes + Immutable + Copy,
    V: FromBytes + IntoBytes + Immutable + Copy,
{
    let mut entries = Vec::new();
    for key in table.keys().map_err(failed(name, "read"))? {
        // One that went meanwhile is not missed.
        if let Some(value) = table.get(&key).map_err(failed(name, "read"))? {
            entries.push((key, *value));
        }
    }
    Ok(entries)
}

/// Writes an entry, or removes it.
pub fn set<K, V>(
    table: &Table<K, V>,
    name: &'static str,
    key: K,
    value: Option<&V>,
) -> Result<(), FenceError>
where
    K: FromBytes + IntoBytes + Immutable,
    V: FromBytes + IntoBytes + Immutable,
{
    match value {
        Some(value) => table.set(&key, value).map_err(failed(name, "write")),
        None => table
            .remove(&key)
            .map(drop)
            .map_err(failed(name, "remove from")),
    }
}

fn table<K, V>(ebpf: &mut Ebpf, name: &'static str) -> Result<Table<K, V>, FenceError>
where
    K: FromBytes + IntoBytes + Immutable,
    V: FromBytes + IntoBytes + Immutable,
{
    let map = match ebpf.take_map(name) {
        Some(Map::Array(map) | Map::PerCpuArray(map) | Map::HashMap(map) | Map::LpmTrie(map)) => {
            map
        }
        _ => return Err(FenceError::Missing(name)),
    };
    Table::new(map).map_err(failed(name, "open"))
}

/// What becomes of an error while something is done to a map.
pub fn failed(name: &'static str, action: &'static str) -> impl Fn(std::io::Error) -> FenceError {
    move |source| FenceError::Map {
        name,
        action,
        source,
    }
}

/// An element of an array.
pub fn read<V>(table: &Table<u32, V>, name: &'static str, index: u32) -> Result<Box<V>, FenceError>
where
    V: FromBytes + IntoBytes + Immutable,
{
    table
        .get(&index)
        .map_err(failed(name, "read"))?
        .ok_or(FenceError::Missing(name))
}

/// Writes an element of an array.
pub fn write<V>(
    table: &Table<u32, V>,
    name: &'static str,
    index: u32,
    value: &V,
) -> Result<(), FenceError>
where
    V: FromBytes + IntoBytes + Immutable,
{
    table.set(&index, value).map_err(failed(name, "write"))
}

/// An element of all CPUs together.
pub fn sum(table: &Table<u32, u64>, name: &'static str, index: usize) -> Result<u64, FenceError> {
    let values = table
        .of_each_cpu(&(index as u32))
        .map_err(failed(name, "read"))?;
    Ok(values.iter().sum())
}
