//! From the configuration to what the judge reads: one generation of the policy and of the lists.

mod admission;
mod lists;
mod named;
mod policy;
mod signatures;
#[cfg(test)]
mod tests;
mod trust;

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;
use ringfence_core::bench::Listed;
use ringfence_core::country::Country;
use ringfence_core::policy::Policy;

use crate::config::{AddressRange, Config, Mistakes};
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
    /// Boot time in ns after which `enforce` is shadow again.
    pub enforce_until: Option<u64>,
    /// Counts reloads.
    pub generation: u64,
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
