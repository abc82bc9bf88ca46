//! Routes.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use futures_util::TryStreamExt;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use rtnetlink::RouteMessageBuilder;
use rtnetlink::packet_route::AddressFamily;
use rtnetlink::packet_route::route::{
    RouteAddress, RouteAttribute, RouteFlags, RouteMessage, RouteType, RouteVia,
};

use super::NetError;
use super::rtnl::Conversation;

/// A way to a network. A route with several next hops is given as one for each.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Route {
    /// The network; a prefix of length 0 is a default route.
    pub destination: IpNet,
    /// The interface that leads there.
    pub index: u32,
    /// The next router; None where the network is on the link itself.
    pub gateway: Option<IpAddr>,
    /// The routing table: 254 is "main".
    pub table: u32,
}

impl Route {
    /// Whether it leads to everywhere.
    pub fn is_default(&self) -> bool {
        self.destination.prefix_len() == 0
    }
}

/// All unicast routes of both families, from all tables (policy routing and VRFs have their own). Routes to this host
/// itself, broadcast and multicast are left out. Source: RTM_GETROUTE.
pub async fn routes() -> Result<Vec<Route>, NetError> {
    let conversation = Conversation::open()?;
    let mut routes = Vec::new();
    for question in [
        RouteMessageBuilder::<Ipv4Addr>::new().build(),
        RouteMessageBuilder::<Ipv6Addr>::new().build(),
    ] {
        let answers = conversation.handle.route().get(question).execute();
        let answers: Vec<RouteMessage> =
            answers
                .try_collect()
                .await
                .map_err(|source| NetError::Route {
                    what: "routes",
                    source,
                })?;
        for answer in &answers {
            from_message(answer, &mut routes);
        }
    }
    Ok(routes)
}

/// The interfaces that default routes of either family lead over, each once, in the order of the table.
pub fn default_route_interfaces(routes: &[Route]) -> Vec<u32> {
    distinct(
        routes
            .iter()
            .filter(|route| route.is_default())
            .map(|route| route.index),
    )
}

/// The routers of default routes of either family, each once.
pub fn default_gateways(routes: &[Route]) -> Vec<IpAddr> {
    distinct(
        routes
            .iter()
            .filter(|route| route.is_default())
            .filter_map(|route| route.gateway),
    )
}

fn distinct<T: PartialEq>(items: impl Iterator<Item = T>) -> Vec<T> {
    items.fold(Vec::new(), |mut seen, item| {
        if !seen.contains(&item) {
            seen.push(item);
        }
        seen
    })
}

fn from_message(message: &RouteMessage, routes: &mut Vec<Route>) {
    let header = &message.header;
    if header.kind != RouteType::Unicast || header.flags.contains(RouteFlags::Cloned) {
        return;
    }
    let mut table = u32::from(header.table);
    let mut target = None;
    let mut index = None;
    for attribute in &message.attributes {
        match attribute {
            RouteAttribute::Table(number) => table = *number,
            RouteAttribute::Destination(address) => target = ip(address),
            RouteAttribute::Oif(number) => index = Some(*number),
            _ => {}
        }
    }
    let prefix_len = header.destination_prefix_length;
    // The destination of a default route is left out.
    let destination = match (header.address_family, target) {
        (AddressFamily::Inet, None) => Ipv4Net::new(Ipv4Addr::UNSPECIFIED, prefix_len)
            .ok()
            .map(IpNet::from),
        (AddressFamily::Inet6, None) => Ipv6Net::new(Ipv6Addr::UNSPECIFIED, prefix_len)
            .ok()
            .map(IpNet::from),
        (_, Some(address)) => IpNet::new(address, prefix_len).ok(),
        _ => None,
    };
    let Some(destination) = destination else {
        return;
    };
    if let Some(index) = index {
        let gateway = gateway(&message.attributes);
        routes.push(Route {
            destination,
            index,
            gateway,
            table,
        });
    }
    for attribute in &message.attributes {
        let RouteAttribute::MultiPath(hops) = attribute else {
            continue;
        };
        routes.extend(hops.iter().map(|hop| Route {
            destination,
            index: hop.interface_index,
            gateway: gateway(&hop.attributes),
            table,
        }));
    }
}

fn gateway(attributes: &[RouteAttribute]) -> Option<IpAddr> {
    attributes.iter().find_map(|attribute| match attribute {
        RouteAttribute::Gateway(address) => ip(address),
        // An IPv4 route may lead over an IPv6 router.
        RouteAttribute::Via(RouteVia::Inet(address)) => Some((*address).into()),
        RouteAttribute::Via(RouteVia::Inet6(address)) => Some((*address).into()),
        _ => None,
    })
}

fn ip(address: &RouteAddress) -> Option<IpAddr> {
    match address {
        RouteAddress::Inet(address) => Some((*address).into()),
        RouteAddress::Inet6(address) => Some((*address).into()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::testing::{ip, namespace};
    use crate::net::{interfaces, private_ranges};

    #[test]
    fn default_routes_and_private_ranges_of_real_routes() {
        namespace(async || {
            ip("link add wan0 type veth peer name wan1");
            ip("link add lan0 type veth peer name lan1");
            for name in ["wan0", "wan1", "lan0", "lan1"] {
                ip(&format!("link set {name} up"));
            }
            ip("address add 192.0.2.2/24 dev wan0");
            ip("address add 10.1.2.3/16 dev lan0");
            ip("-6 address add 2001:db8::2/64 dev wan0 nodad");
            ip("route add default via 192.0.2.1");
            ip("-6 route add default via 2001:db8::1");
            ip("route add 172.0.0.0/11 via 10.1.0.1");
            ip("route add 198.51.100.0/24 nexthop via 192.0.2.7 nexthop via 10.1.0.7");
            ip("route add 203.0.113.0/24 via inet6 2001:db8::9 dev wan0 table 100");
            let all = interfaces().await.unwrap();
            let index = |name: &str| all.iter().find(|i| i.name == name).unwrap().index;
            let (wan, lan) = (index("wan0"), index("lan0"));
            let routes = routes().await.unwrap();
            assert_eq!(default_route_interfaces(&routes), [wan]);
            let gateways: [IpAddr; 2] =
                ["192.0.2.1".parse().unwrap(), "2001:db8::1".parse().unwrap()];
            assert_eq!(default_gateways(&routes), gateways);
            let hops: Vec<_> = routes
                .iter()
                .filter(|route| route.destination == "198.51.100.0/24".parse().unwrap())
                .map(|route| route.index)
                .collect();
            assert_eq!(hops, [wan, lan]);
            let via = routes.iter().find(|route| route.table == 100).unwrap();
            assert_eq!(via.gateway, Some("2001:db8::9".parse().unwrap()));
            let net = |text: &str| text.parse::<IpNet>().unwrap();
            let ranges = private_ranges(&routes, lan);
            for range in ["10.1.0.0/16", "172.16.0.0/12", "fe80::/64"] {
                assert!(ranges.contains(&net(range)), "{range} in {ranges:?}");
            }
            assert!(
                !private_ranges(&routes, wan)
                    .iter()
                    .any(|range| range.addr().is_ipv4())
            );
        });
    }
}
