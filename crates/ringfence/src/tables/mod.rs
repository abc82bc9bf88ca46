//! From the configuration to what the judge reads: one generation of the policy and of the lists.

mod admission;
mod lists;
mod named;
mod policy;
mod signatures;
#[cfg(test)]
mod tests;
mod trust;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::IpNet;
use ringfence_core::bench::Listed;
use ringfence_core::country::Country;
use ringfence_core::feed::FeedAction;
use ringfence_core::policy::Policy;

use crate::asn::AsnData;
use crate::config::{AddressRange, AsNumber, Config, Mistakes};
use crate::signature::Stats;
use crate::store::ListKind;

pub use lists::{Prefix, address, ip, longest, subject};
pub use named::{Named, named};
pub use policy::countries;
pub use trust::{FAILURE, threshold};

/// Everything that a reload replaces, country data aside.
pub struct Generation {
    /// The policy.
    pub policy: Box<Policy>,
    /// What is known of addresses. Each entry holds what all wider ones say too.
    pub lists: BTreeMap<Prefix, Listed>,
    /// What the numbers in verdicts stand for.
    pub names: Names,
    /// How large the automaton of signatures and domains is, and what it costs.
    pub stats: Stats,
}

/// What the numbers in verdicts stand for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// Services by number; the first is empty.
    pub services: Vec<String>,
    /// Signatures by number; the first is empty.
    pub signatures: Vec<String>,
}

impl Names {
    /// The name of a service, empty for none.
    pub fn service(&self, number: u8) -> &str {
        self.services
            .get(usize::from(number))
            .map_or("", String::as_str)
    }

    /// The name of a signature, empty for none.
    pub fn signature(&self, number: u16) -> &str {
        self.signatures
            .get(usize::from(number))
            .map_or("", String::as_str)
    }
}

/// What a policy is made of beside the file.
#[derive(Clone, Debug, Default)]
pub struct Inputs {
    /// The operator's lists.
    pub operator: Vec<(ListKind, AddressRange)>,
    /// Countries allowed (`true`) or denied by command, over the file's list.
    pub countries: Vec<(Country, bool)>,
    /// The names on the lists, with what they stand for.
    pub named: Vec<Named>,
    /// What the host names of trunks stand for.
    pub resolved: BTreeMap<String, Vec<IpAddr>>,
    /// Private nets, by the place of the interface that has a route to them.
    pub neighbours: Vec<(u32, IpNet)>,
    /// This host's addresses.
    pub own: Vec<IpAddr>,
    /// What threat lists say of IPv6 networks; those of IPv4 have a table of their own.
    pub warned: Vec<(IpNet, FeedAction)>,
    /// Networks of the autonomous systems that services name.
    pub networks: BTreeMap<AsNumber, Vec<IpNet>>,
    /// Boot time in ns after which `enforce` is shadow again.
    pub enforce_until: Option<u64>,
    /// Counts reloads.
    pub generation: u64,
}

impl Inputs {
    /// The networks of the autonomous systems that the services of a configuration name.
    pub fn networks(config: &Config, systems: &AsnData) -> BTreeMap<AsNumber, Vec<IpNet>> {
        let rules = config.services.iter().map(|service| &service.asn);
        let named: BTreeSet<_> = rules
            .flat_map(|rule| rule.allow.iter().chain(&rule.deny))
            .copied()
            .collect();
        let mut networks = BTreeMap::<_, Vec<_>>::new();
        if !named.is_empty() {
            for (number, net) in systems.prefixes_of(|number| named.contains(&AsNumber(number))) {
                networks.entry(AsNumber(number)).or_default().push(net);
            }
        }
        networks
    }
}

/// Compiles a policy. Pure but for the file that `[signatures] file` names, which is read.
///
/// # Errors
/// What is wrong with the signatures, each with its place.
pub fn compile(config: &Config, inputs: &Inputs) -> Result<Generation, Mistakes> {
    let compiled = signatures::compile(config)?;
    let policy = policy::compile(config, inputs, &compiled.automaton);
    let services = config.services.iter().map(|service| service.name.clone());
    Ok(Generation {
        policy,
        lists: lists::compile(config, inputs),
        names: Names {
            services: [String::new()].into_iter().chain(services).collect(),
            signatures: compiled.names,
        },
        stats: compiled.stats,
    })
}
