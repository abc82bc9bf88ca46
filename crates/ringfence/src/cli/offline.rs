//! What the commands that need no daemon begin with: configuration, country data, a fence in memory.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ipnet::IpNet;
use jiff::Timestamp;
use ringfence_core::country::Country;
use ringfence_core::hash::Key;

use super::{Global, terminal};
use crate::asn::{AsnData, AsnError};
use crate::config::{AddressRange, Config, LoadError, Mistakes};
use crate::control::feeds::Stored;
use crate::control::{List, listing};
use crate::country::{self, CountryData, CountryError};
use crate::engine::feeds::FeedTable;
use crate::engine::memory::Memory;
use crate::store::{
    self, CountryOverride, CountryRule, ListKind, NameAnswer, NameEntry, Store, StoreError,
};
use crate::tables::{self, Generation, Inputs};
use crate::trust::{Clock, Known, restore};

/// The configuration file that is read where none is named.
pub const DEFAULT_CONFIG: &str = "/etc/ringfence/ringfence.toml";

/// The slots that sources fall in without a daemon: the same at each run, so that a replay is too.
pub const KEY: Key = Key {
    words: [0x52_69_6e_67, 0x66_65_6e_63_65],
};

/// The configuration file to read: the one named, else the usual one where it is there.
pub fn config_path(global: &Global) -> Option<PathBuf> {
    global.config.clone().or_else(|| {
        let usual = Path::new(DEFAULT_CONFIG);
        usual.exists().then(|| usual.to_owned())
    })
}

/// The configuration in question; the defaults where there is no file.
///
/// # Errors
/// When the file cannot be read or has mistakes.
pub fn config(global: &Global) -> Result<Config, LoadError> {
    config_path(global).map_or_else(|| Ok(Config::default()), |path| Config::load(&path))
}

/// The state directory in question.
pub fn state<'a>(global: &'a Global, config: &'a Config) -> &'a Path {
    global.state.as_ref().unwrap_or(&config.state)
}

/// The country data in question. What is wrong with downloaded data is told, and older data holds.
///
/// # Errors
/// When the file cannot be read.
pub fn country_data(global: &Global, config: &Config) -> Result<CountryData, CountryError> {
    if let Some(path) = &global.country_db {
        return CountryData::open(path);
    }
    let found = country::in_force(&config.country, state(global, config))?;
    if let Some(trouble) = &found.trouble {
        let _ = writeln!(io::stderr(), "ringfence: {}", terminal::text(trouble));
    }
    Ok(found.data)
}

/// The data of autonomous systems in question; without any, nothing is known.
///
/// # Errors
/// When a file cannot be read.
pub fn systems(config: &Config) -> Result<AsnData, AsnError> {
    AsnData::open(&config.asn.db)
}

/// Compiles the policy; mistakes name the file that they are in.
///
/// # Errors
/// What is wrong with the signatures.
pub fn compile(global: &Global, config: &Config, inputs: &Inputs) -> Result<Generation, Mistakes> {
    tables::compile(config, inputs).map_err(|mistakes| match config_path(global) {
        Some(path) => Mistakes::new(
            path.display().to_string(),
            mistakes.iter().cloned().collect(),
        ),
        None => mistakes,
    })
}

/// A fence in memory with the policy, threat lists and country data in question.
///
/// # Errors
/// When one of them cannot be had.
pub fn memory(global: &Global, config: &Config, inputs: &Inputs) -> anyhow::Result<Memory> {
    memory_with(global, config, inputs, &country_data(global, config)?)
}

/// The same with these country data.
///
/// # Errors
/// What is wrong with the signatures, or too much in the data.
pub fn memory_with(
    global: &Global,
    config: &Config,
    inputs: &Inputs,
    countries: &CountryData,
) -> anyhow::Result<Memory> {
    let merged =
        Stored::read(config, state(global, config), Timestamp::now()).merged(config, inputs);
    let inputs = Inputs {
        warned: merged.wide().0,
        ..inputs.clone()
    };
    let generation = compile(global, config, &inputs)?;
    let mut memory = Memory::new(generation, countries.compile()?, KEY);
    if !merged.is_empty() {
        let blocks = merged.blocks();
        let table = FeedTable::new(blocks.len(), 1);
        table.replace(&blocks);
        memory.set_feeds(Arc::new(table));
    }
    Ok(memory)
}

/// What the operator said by command, as the store holds it.
#[derive(Default)]
pub struct Said {
    /// Entries of both lists that hold now.
    pub entries: Vec<store::ListEntry>,
    /// Bans that hold now.
    pub bans: Vec<store::Ban>,
    /// Countries that were allowed or denied.
    pub countries: Vec<CountryOverride>,
    /// Host names on both lists.
    pub names: Vec<NameEntry>,
    /// The addresses that names had last.
    pub answers: Vec<NameAnswer>,
}

impl Said {
    /// Reads the store without changing it. One that cannot be read is told, and then nothing was said.
    pub fn read(global: &Global, config: &Config) -> Self {
        let directory = state(global, config);
        Self::of(directory).unwrap_or_else(|error| {
            let _ = writeln!(
                io::stderr(),
                "ringfence: {error}; lists, countries and bans made by command are left out"
            );
            Self::default()
        })
    }

    /// What the store in a directory holds; nothing where there is none.
    ///
    /// # Errors
    /// When it cannot be read or is damaged.
    pub fn of(directory: &Path) -> Result<Self, StoreError> {
        let Some(store) = Store::read(directory)? else {
            return Ok(Self::default());
        };
        let now = Timestamp::now();
        let mut said = Self::default();
        for kind in [ListKind::Permit, ListKind::Deny] {
            said.entries.extend(store.entries(kind)?);
        }
        said.entries
            .retain(|entry| entry.expires.is_none_or(|expires| expires > now));
        said.bans = store.bans()?;
        said.bans.retain(|ban| ban.until > now);
        said.countries = store.countries()?;
        said.names = store.listed_names()?;
        said.names
            .retain(|entry| entry.expires.is_none_or(|expires| expires > now));
        said.answers = store.answers()?;
        Ok(said)
    }

    /// The host names on one list, with the addresses that they had last.
    pub fn listed_names(&self, list: List) -> Vec<listing::ShownName> {
        let kind = ListKind::from(list);
        let names = self.names.iter().filter(|entry| entry.list == kind);
        let last = self.last(false);
        let shown = names.map(|entry| listing::ShownName {
            entry: entry.clone(),
            addresses: last.get(&entry.name).cloned().unwrap_or_default(),
            seconds: None,
            failure: None,
        });
        shown.collect()
    }

    /// The addresses that names had last: of trunks where `sip`, else of hosts on lists.
    pub(super) fn last(&self, sip: bool) -> BTreeMap<String, Vec<IpAddr>> {
        let answers = self.answers.iter().filter(|answer| answer.sip == sip);
        answers
            .map(|answer| (answer.name.clone(), answer.addresses.clone()))
            .collect()
    }

    /// The entries of one list.
    pub fn list(&self, list: List) -> Vec<store::ListEntry> {
        let kind = ListKind::from(list);
        let entries = self.entries.iter().filter(|entry| entry.list == kind);
        entries.cloned().collect()
    }

    /// Whether an address is banned, and not only a flow of it.
    pub fn bans(&self, ip: IpAddr) -> bool {
        self.bans
            .iter()
            .filter(|ban| ban.port.is_none())
            .any(|ban| IpNet::new(ban.address, ban.prefix_len).is_ok_and(|net| net.contains(&ip)))
    }

    /// The same as inputs of a policy, with the addresses that names had last.
    ///
    /// # Errors
    /// When the data of autonomous systems cannot be read.
    pub fn inputs(&self, config: &Config) -> Result<Inputs, AsnError> {
        let ranges = self.entries.iter().filter_map(|entry| {
            let range = AddressRange::new(entry.first, entry.last).ok()?;
            Some((entry.list, range))
        });
        let countries = self.countries.iter().filter_map(|said| {
            let country = Country::from_code(&said.code)?;
            Some((country, said.rule == CountryRule::Allow))
        });
        let mut inputs = Inputs {
            operator: ranges.collect(),
            countries: countries.collect(),
            resolved: self.last(true),
            networks: Inputs::networks(config, &systems(config)?),
            ..Inputs::default()
        };
        inputs.named = tables::named(config, &inputs, &self.names, &self.last(false), &[]);
        Ok(inputs)
    }
}

/// Who is trusted, as the store holds it.
#[derive(Default)]
pub struct Trust(Option<Known>);

impl Trust {
    /// Reads the store without changing it. One that cannot be read is told, and then nobody is trusted.
    pub fn read(global: &Global, config: &Config) -> Self {
        let directory = state(global, config);
        let read = || {
            Store::read(directory)?
                .map(|store| store.trust())
                .transpose()
        };
        let trust = read().unwrap_or_else(|error| {
            let _ = writeln!(
                io::stderr(),
                "ringfence: {error}; who is trusted is left out"
            );
            None
        });
        Self(trust.map(Known::new))
    }

    /// Gives it to a fence whose clock shows `now`, as if that were this moment; once.
    pub fn give(&mut self, memory: &mut Memory, now: u64) {
        let Some(known) = self.0.take() else { return };
        let clock = Clock {
            boot: now,
            wall: Timestamp::now(),
        };
        let services = &memory.names().services;
        let number = |name: &str| {
            let place = services.iter().skip(1).position(|known| known == name);
            place.map_or(0, |place| u8::try_from(place + 1).unwrap_or(0))
        };
        let snapshot = restore(&known, clock, number);
        memory.trust(&snapshot);
    }
}

/// A ban as the operator makes it, up to `until` on the clock of the fence.
pub fn manual_ban(until: u64) -> ringfence_core::bench::Ban {
    ringfence_core::bench::Ban {
        until,
        cause: ringfence_core::bench::Cause::Manual as u8,
        proved: 0,
        signature: 0,
        renews: 0,
    }
}
