//! What the operator said of an address, in the configuration or by command.

use std::net::IpAddr;

use crate::config::{AddressRange, Config, Host};
use crate::control::listing::range;
use crate::store::{ListKind, Store, StoreError};

/// A list that an address is on.
pub struct On {
    /// The list.
    pub list: &'static str,
    /// The range on it.
    pub range: String,
    /// What the operator wrote about it.
    pub comment: String,
    /// Whether it was said by command; else the configuration says so.
    pub by_command: bool,
}

/// The lists that an address is on, deny lists first since they outrank the others.
pub fn of(store: &Store, config: &Config, address: IpAddr) -> Result<Vec<On>, StoreError> {
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
            found.push(named(list, &entry.range, comment));
        }
    }
    for trunk in &config.trunks {
        for host in &trunk.hosts {
            if let Host::Range(range) = host
                && range.contains(address)
            {
                found.push(named("trunk", range, trunk.name.clone()));
            }
        }
    }
    for proxy in &config.proxies {
        let ranges = proxy.addresses.iter();
        for range in ranges.filter(|range| range.contains(address)) {
            found.push(named(
                "proxy",
                range,
                proxy.name.clone().unwrap_or_default(),
            ));
        }
    }
    Ok(found)
}

fn named(list: &'static str, range: &AddressRange, comment: String) -> On {
    On {
        list,
        range: range.to_string(),
        comment,
        by_command: false,
    }
}
