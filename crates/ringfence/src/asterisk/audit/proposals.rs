//! Trunks that Asterisk has and the configuration does not.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;

use crate::asterisk::inventory::{Inventory, Kind, address};
use crate::config::{AddressRange, Config, Host};
use crate::net::is_private;
use crate::store::ListKind;
use crate::tables::Inputs;

/// The longest name of a trunk.
const LONGEST: usize = 32;

/// A `[[trunk]]` that is missing. It is shown as TOML, ready to paste.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrunkProposal {
    /// A name that no trunk has yet.
    pub name: String,
    /// Where it calls from.
    pub hosts: Vec<Host>,
    /// The endpoint or registration that it is for, as Asterisk names it.
    pub of: String,
}

impl fmt::Display for TrunkProposal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hosts: Vec<_> = self
            .hosts
            .iter()
            .map(|host| format!("\"{host}\""))
            .collect();
        let (name, hosts) = (&self.name, hosts.join(", "));
        write!(f, "[[trunk]]\nname = \"{name}\"\nhosts = [{hosts}]")
    }
}

/// A proposal for each endpoint, peer or registration with hosts that nothing covers.
pub(super) fn proposals(
    inventory: &Inventory,
    config: &Config,
    inputs: &Inputs,
) -> Vec<TrunkProposal> {
    let trunks = config.trunks.iter().map(|trunk| trunk.name.clone());
    let mut names: BTreeSet<String> = trunks.collect();
    let mut proposed: Vec<Host> = Vec::new();
    let endpoints = inventory
        .endpoints
        .iter()
        .filter(|endpoint| matches!(endpoint.kind, Kind::Trunk | Kind::Peer))
        .map(|endpoint| (&endpoint.name, &endpoint.hosts));
    let outbound = inventory.outbound.iter().map(|of| (&of.name, &of.hosts));
    let mut proposals = Vec::new();
    for (of, hosts) in endpoints.chain(outbound) {
        let mut missing = Vec::new();
        for host in hosts {
            if !proposed.contains(host) && !is_covered(host, config, inputs) {
                proposed.push(host.clone());
                missing.push(host.clone());
            }
        }
        if !missing.is_empty() {
            proposals.push(TrunkProposal {
                name: free_name(of, &mut names),
                hosts: missing,
                of: of.clone(),
            });
        }
    }
    proposals
}

/// Whether a trunk or the permit list has the host, or it is no host of a provider.
fn is_covered(host: &Host, config: &Config, inputs: &Inputs) -> bool {
    match host {
        Host::Name(name) => {
            let named = config.trunks.iter().any(|trunk| trunk.hosts.contains(host));
            let resolved = inputs.resolved.get(name).map_or(&[][..], Vec::as_slice);
            let each = |ip: &IpAddr| is_listed(&AddressRange::from(*ip), config, inputs);
            named || (!resolved.is_empty() && resolved.iter().all(each))
        }
        Host::Range(range) => {
            let local = address(host).is_some_and(|ip| {
                ip.is_loopback() || inputs.own.contains(&ip) || is_neighbour(ip, inputs)
            });
            local || is_listed(range, config, inputs)
        }
    }
}

/// Whether the private address is one that is permitted where it comes from.
fn is_neighbour(ip: IpAddr, inputs: &Inputs) -> bool {
    is_private(ip) && inputs.neighbours.iter().any(|(_, net)| net.contains(&ip))
}

fn is_listed(range: &AddressRange, config: &Config, inputs: &Inputs) -> bool {
    let whole =
        |other: &AddressRange| other.contains(range.first()) && other.contains(range.last());
    let mut hosts = config.trunks.iter().flat_map(|trunk| &trunk.hosts);
    let mut operator = inputs.ranges(ListKind::Permit);
    hosts.any(|host| match host {
        Host::Range(other) => whole(other),
        Host::Name(name) => {
            let resolved = inputs.resolved.get(name).into_iter().flatten();
            resolved
                .map(|ip| AddressRange::from(*ip))
                .any(|of| whole(&of))
        }
    }) || config.permit.iter().any(|entry| whole(&entry.range))
        || operator.any(|other| whole(&other))
}

/// A name that a trunk may have, as near as can be to Asterisk's.
fn free_name(of: &str, names: &mut BTreeSet<String>) -> String {
    let plain = |c: char| {
        if c.is_ascii_alphanumeric() || "-_.".contains(c) {
            c
        } else {
            '-'
        }
    };
    let mut wanted: String = of.chars().map(plain).take(LONGEST - 7).collect();
    if wanted.is_empty() {
        wanted = "provider".into();
    }
    let numbered = (2..).map(|n: u32| format!("{wanted}-{n}"));
    let free = std::iter::once(wanted.clone())
        .chain(numbered)
        .find(|name| !names.contains(name));
    let free = free.unwrap_or(wanted);
    names.insert(free.clone());
    free
}
