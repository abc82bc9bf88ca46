//! What a policy is made of beside the file, for commands that judge without the daemon: where this host is, and what the
//! host names of trunks stand for.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::task::JoinSet;

use crate::config::Config;
use crate::net::{self, Interface, Route};
use crate::resolve::Resolver;
use crate::tables::Inputs;

/// For how long names of providers are looked up.
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

/// Looks names up, all at once. One that is not answered in time has no addresses.
pub(super) async fn look_up(names: BTreeSet<String>, inputs: &mut Inputs) {
    let mut asked = JoinSet::new();
    for name in names {
        asked.spawn(async move {
            let answer = Resolver::new().ok()?.lookup(&name).await.ok()?;
            Some((name, answer.addresses))
        });
    }
    let found = tokio::time::timeout(LOOKED_UP, async {
        while let Some(answer) = asked.join_next().await {
            inputs.resolved.extend(answer.ok().flatten());
        }
    });
    // What is late is left out.
    let _ = found.await;
}
