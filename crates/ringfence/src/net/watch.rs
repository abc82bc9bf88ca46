//! Changes of interfaces, addresses and routes as they happen.

use std::collections::VecDeque;
use std::time::Duration;

use futures_util::StreamExt;
use rtnetlink::MulticastGroup;
use rtnetlink::packet_core::{NetlinkMessage, NetlinkPayload};
use rtnetlink::packet_route::RouteNetlinkMessage;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

use super::{Interface, NetError, Route, interfaces, routes};

/// How long to gather what the kernel says about interfaces and addresses before looking.
const SETTLE: Duration = Duration::from_millis(50);

/// The same for routes alone: a routing daemon changes thousands in one go.
const SETTLE_ROUTES: Duration = Duration::from_secs(1);

/// What happened to an interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// It came, up or not.
    New,
    /// It went, and with it every program attached to it.
    Gone,
    /// It was set up.
    Up,
    /// It was set down.
    Down,
    /// It has another name than this one.
    Renamed {
        /// The name that it had.
        from: String,
    },
    /// Its largest packet is of another size.
    Mtu,
    /// Another XDP program, or none, is attached to it now.
    Xdp,
    /// Its addresses are others.
    Addresses,
    /// The routes over it are others.
    Routes,
}

/// One change of one interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkChange {
    /// The kernel's number for the interface. One that went and came back has a new one.
    pub index: u32,
    /// Its name; of one that went, the last.
    pub name: String,
    /// What happened.
    pub change: Change,
}

type Messages = futures_util::stream::BoxStream<'static, NetlinkMessage<RouteNetlinkMessage>>;

/// Listens to the kernel. What it says is taken as a reason to look again; changes are the differences between two
/// looks, so that a burst that overruns the socket loses nothing.
pub struct Watch {
    messages: Messages,
    task: JoinHandle<()>,
    interfaces: Vec<Interface>,
    routes: Vec<Route>,
    /// When to look again; set by the first message after the last look.
    look: Option<Instant>,
    changes: VecDeque<LinkChange>,
}

impl Watch {
    /// Begins to listen, and looks once.
    pub async fn start() -> Result<Self, NetError> {
        let (connection, _, messages) = rtnetlink::new_multicast_connection(&[
            MulticastGroup::Link,
            MulticastGroup::Ipv4Ifaddr,
            MulticastGroup::Ipv6Ifaddr,
            MulticastGroup::Ipv4Route,
            MulticastGroup::Ipv6Route,
        ])
        .map_err(|source| NetError::Socket {
            what: "changes of the network",
            source,
        })?;
        let task = tokio::spawn(connection);
        let messages = messages.map(|(message, _)| message).boxed();
        let mut watch = Self {
            messages,
            task,
            interfaces: Vec::new(),
            routes: Vec::new(),
            look: None,
            changes: VecDeque::new(),
        };
        watch.interfaces = interfaces().await?;
        watch.routes = routes().await?;
        Ok(watch)
    }

    /// The interfaces at the last look.
    pub fn interfaces(&self) -> &[Interface] {
        &self.interfaces
    }

    /// The routes at the last look.
    pub fn routes(&self) -> &[Route] {
        &self.routes
    }

    /// The next change. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Result<LinkChange, NetError> {
        loop {
            if let Some(change) = self.changes.pop_front() {
                return Ok(change);
            }
            self.wait().await?;
            // What is still unread will set a new time to look: it may have come after the answers below.
            let interfaces = interfaces().await?;
            let routes = routes().await?;
            self.look = None;
            let (old, new) = (
                (&self.interfaces[..], &self.routes[..]),
                (&interfaces[..], &routes[..]),
            );
            self.changes.extend(differences(old, new));
            self.interfaces = interfaces;
            self.routes = routes;
        }
    }

    /// Returns when it is time to look.
    async fn wait(&mut self) -> Result<(), NetError> {
        loop {
            let message = match self.look {
                None => self.messages.next().await,
                Some(time) => tokio::select! {
                    biased;
                    () = sleep_until(time) => return Ok(()),
                    message = self.messages.next() => message,
                },
            };
            let message = message.ok_or(NetError::Ended)?;
            let time = Instant::now() + settle(&message);
            self.look = Some(self.look.map_or(time, |earlier| earlier.min(time)));
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl std::fmt::Debug for Watch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watch")
            .field("look", &self.look)
            .finish_non_exhaustive()
    }
}

fn settle(message: &NetlinkMessage<RouteNetlinkMessage>) -> Duration {
    use RouteNetlinkMessage::{DelRoute, NewRoute};
    match &message.payload {
        NetlinkPayload::InnerMessage(NewRoute(_) | DelRoute(_)) => SETTLE_ROUTES,
        _ => SETTLE,
    }
}

/// What changed between two looks: first what went, then the rest in the order of the new look.
fn differences(
    (old, old_routes): (&[Interface], &[Route]),
    (new, new_routes): (&[Interface], &[Route]),
) -> Vec<LinkChange> {
    let mut changes = Vec::new();
    let mut tell = |interface: &Interface, change| {
        let (index, name) = (interface.index, interface.name.clone());
        changes.push(LinkChange {
            index,
            name,
            change,
        });
    };
    let find = |list: &[Interface], index| list.iter().find(|i| i.index == index).cloned();
    for was in old {
        if find(new, was.index).is_none() {
            tell(was, Change::Gone);
        }
    }
    for is in new {
        let Some(was) = find(old, is.index) else {
            tell(is, Change::New);
            continue;
        };
        if was.name != is.name {
            tell(is, Change::Renamed { from: was.name });
        }
        if was.up != is.up {
            tell(is, if is.up { Change::Up } else { Change::Down });
        }
        if was.mtu != is.mtu {
            tell(is, Change::Mtu);
        }
        if was.xdp != is.xdp {
            tell(is, Change::Xdp);
        }
        if was.addresses != is.addresses {
            tell(is, Change::Addresses);
        }
        let over = |routes: &[Route]| {
            let mut over: Vec<_> = routes
                .iter()
                .filter(|route| route.index == is.index)
                .cloned()
                .collect();
            over.sort_unstable_by_key(|route| (route.destination, route.gateway, route.table));
            over
        };
        if over(old_routes) != over(new_routes) {
            tell(is, Change::Routes);
        }
    }
    changes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::testing::{ip, namespace};

    /// Waits until this change of this interface is told.
    async fn until(watch: &mut Watch, name: &str, change: &Change) -> LinkChange {
        let told = async {
            loop {
                let told = watch.next().await.unwrap();
                if told.name == name && told.change == *change {
                    return told;
                }
            }
        };
        let waited = tokio::time::timeout(Duration::from_secs(10), told).await;
        waited.unwrap_or_else(|_| panic!("{change:?} of {name} was not told"))
    }

    #[test]
    fn an_interface_that_comes_changes_goes_and_returns() {
        namespace(async || {
            let mut watch = Watch::start().await.unwrap();
            ip("link add sip0 type veth peer name sip1");
            let first = until(&mut watch, "sip0", &Change::New).await;
            ip("link set sip0 up");
            ip("link set sip1 up");
            until(&mut watch, "sip0", &Change::Up).await;
            ip("address add 192.0.2.1/24 dev sip0");
            until(&mut watch, "sip0", &Change::Addresses).await;
            ip("route add 198.51.100.0/24 via 192.0.2.2");
            until(&mut watch, "sip0", &Change::Routes).await;
            ip("link set sip0 mtu 1400");
            until(&mut watch, "sip0", &Change::Mtu).await;
            ip("link set sip0 down");
            ip("link set sip0 name pbx0");
            until(
                &mut watch,
                "pbx0",
                &Change::Renamed {
                    from: "sip0".to_owned(),
                },
            )
            .await;
            ip("link delete pbx0");
            ip("link add pbx0 type veth peer name pbx1");
            assert_eq!(
                until(&mut watch, "pbx0", &Change::Gone).await.index,
                first.index
            );
            assert_ne!(
                until(&mut watch, "pbx0", &Change::New).await.index,
                first.index
            );
            assert!(
                watch
                    .interfaces()
                    .iter()
                    .any(|interface| interface.name == "pbx1")
            );
        });
    }
}
