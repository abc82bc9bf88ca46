//! What the operator said of an address, in the configuration or by command.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::config::{AddressRange, Config, Host};
use crate::control::listing::range;
use crate::store::{ListKind, Store, StoreError};
use crate::tables::{self, Inputs, Named};

/// A list that an address is on.
pub struct On {
    /// The list.
    pub list: &'static str,
    /// The range on it, or the host name.
    pub range: String,
    /// What the operator wrote about it.
    pub comment: String,
    /// Whether it was said by command; else the configuration says so.
    pub by_command: bool,
}

/// The names on lists, with the addresses that they had last.
fn named(store: &Store, config: &Config) -> Result<Vec<Named>, StoreError> {
    let (mut hosts, mut inputs) = (BTreeMap::new(), Inputs::default());
    for answer in store.answers()? {
        let known = match answer.sip {
            true => &mut inputs.resolved,
            false => &mut hosts,
        };
        known.insert(answer.name, answer.addresses);
    }
    for kind in [ListKind::Permit, ListKind::Deny] {
        for entry in store.entries(kind)? {
            let range = AddressRange::new(entry.first, entry.last);
            inputs
                .operator
                .extend(range.ok().map(|range| (kind, range)));
        }
    }
    let said = store.listed_names()?;
    Ok(tables::named(config, &inputs, &said, &hosts, &[]))
}

/// The lists that an address is on, deny lists first since they outrank the others.
pub fn of(store: &Store, config: &Config, address: IpAddr) -> Result<Vec<On>, StoreError> {
    let names = named(store, config)?;
    let mut found = Vec::new();
    for (list, kind, entries) in [
        ("deny", ListKind::Deny, &config.deny),
        ("permit", ListKind::Permit, &config.permit),
    ] {
        for entry in store.overlapping(address, address)? {
            if entry.list == kind {
                found.push(On {
                    list,
                    range: range(&entry),
                    comment: entry.comment,
                    by_command: true,
                });
            }
        }
        for entry in entries.iter().filter(|entry| entry.range.contains(address)) {
            let comment = entry.comment.clone().unwrap_or_default();
            found.push(on(list, &entry.range, comment));
        }
        let names = names.iter().filter(|named| named.list == kind);
        for named in names.filter(|named| named.addresses.contains(&address)) {
            found.push(On {
                list,
                range: named.name.clone(),
                comment: named.comment.clone(),
                by_command: named.by_command,
            });
        }
    }
    let answers = store.answers()?;
    let last = |name: &str| {
        let answer = answers
            .iter()
            .find(|answer| answer.sip && answer.name == name);
        answer.is_some_and(|answer| answer.addresses.contains(&address))
    };
    for trunk in &config.trunks {
        for host in &trunk.hosts {
            let holds = match host {
                Host::Range(range) => range.contains(address),
                Host::Name(name) => last(name),
            };
            if holds {
                found.push(On {
                    list: "trunk",
                    range: host.to_string(),
                    comment: trunk.name.clone(),
                    by_command: false,
                });
            }
        }
    }
    for proxy in &config.proxies {
        let ranges = proxy.addresses.iter();
        for range in ranges.filter(|range| range.contains(address)) {
            found.push(on("proxy", range, proxy.name.clone().unwrap_or_default()));
        }
    }
    Ok(found)
}

fn on(list: &'static str, range: &AddressRange, comment: String) -> On {
    On {
        list,
        range: range.to_string(),
        comment,
        by_command: false,
    }
}
