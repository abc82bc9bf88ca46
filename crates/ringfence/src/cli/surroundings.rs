//! What a policy is made of beside the file, for commands that judge without the daemon: where this host is, and what the
//! host names stand for.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::task::JoinSet;

use super::offline::Said;
use crate::config::Config;
use crate::net::{self, Interface, Route};
use crate::resolve::{Question, Resolver, Way};
use crate::tables::{self, Inputs};

/// For how long names are looked up.
const LOOKED_UP: Duration = Duration::from_secs(3);
/// The place that stands for all interfaces.
pub(super) const ANY: u32 = 31;

/// The interfaces to guard: those named, else those of the default routes.
pub(super) fn guarded<'i>(
    named: &[String],
    interfaces: &'i [Interface],
    routes: &[Route],
) -> Vec<&'i Interface> {
    let default = net::default_route_interfaces(routes);
    let guarded = |interface: &&Interface| {
        if named.is_empty() {
            default.contains(&interface.index)
        } else {
            named.contains(&interface.name)
        }
    };
    interfaces.iter().filter(guarded).collect()
}

/// This host's addresses, and the private nets that the guarded interfaces lead to. Where the kernel does not say,
/// private addresses are strangers'.
pub(super) async fn places(config: &Config, inputs: &mut Inputs) {
    let (Ok(interfaces), Ok(routes)) = (net::interfaces().await, net::routes().await) else {
        return;
    };
    inputs.own = net::own_addresses(&interfaces);
    if !config.permit_private {
        return;
    }
    for interface in guarded(&config.interfaces, &interfaces, &routes) {
        let ranges = net::private_ranges(&routes, interface.index);
        let ranges = ranges.into_iter().map(|range| (ANY, range));
        inputs.neighbours.extend(ranges);
    }
}

/// Looks up the names of trunks and those on the lists, all at once. One that is not answered in time has the addresses
/// that it had last, if the store knows some.
pub(super) async fn look_up(
    config: &Config,
    said: &Said,
    trunks: BTreeSet<String>,
    inputs: &mut Inputs,
) {
    let listed = config.permit_names.iter().chain(&config.deny_names);
    let listed = listed.map(|entry| &entry.name);
    let listed = listed.chain(said.names.iter().map(|entry| &entry.name));
    let questions: BTreeSet<_> = trunks
        .into_iter()
        .map(Question::sip)
        .chain(listed.map(Question::host))
        .collect();
    let mut listed = said.last(false);
    let mut asked = JoinSet::new();
    for question in questions {
        asked.spawn(async move {
            let answer = Resolver::new().ok()?.lookup(&question).await.ok()?;
            Some((question, answer.addresses))
        });
    }
    let found = tokio::time::timeout(LOOKED_UP, async {
        while let Some(answer) = asked.join_next().await {
            let Some((question, addresses)) = answer.ok().flatten() else {
                continue;
            };
            match question.way {
                Way::Sip => inputs.resolved.insert(question.name, addresses),
                Way::Host => listed.insert(question.name, addresses),
            };
        }
    });
    // What is late is left out.
    let _ = found.await;
    inputs.named = tables::named(config, inputs, &said.names, &listed, &[]);
}
