//! Private addresses that belong on an interface.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::Route;

/// RFC 1918, RFC 3927 section 2.1, RFC 4291 section 2.5.6, RFC 4193 section 3.1.
const PRIVATE: [IpNet; 6] = [
    v4([10, 0, 0, 0], 8),
    v4([172, 16, 0, 0], 12),
    v4([192, 168, 0, 0], 16),
    v4([169, 254, 0, 0], 16),
    v6(0xfe80, 10),
    v6(0xfc00, 7),
];

/// The private, link-local and unique local addresses that a route other than a default one leads to over this
/// interface. Sorted; no range lies in another.
pub fn private_ranges(routes: &[Route], index: u32) -> Vec<IpNet> {
    let shared = routes
        .iter()
        .filter(|route| route.index == index && !route.is_default())
        .flat_map(|route| {
            PRIVATE
                .iter()
                .filter_map(|range| shared(route.destination, *range))
        });
    IpNet::aggregate(&shared.collect())
}

/// Addresses that lead nowhere on the Internet (RFC 1918, RFC 6598, RFC 3927, RFC 4193).
pub fn is_private(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => {
            let [a, b, ..] = v4.octets();
            v4.is_private() || v4.is_link_local() || (a == 100 && (64..128).contains(&b))
        }
        IpAddr::V6(v6) => v6.is_unique_local() || v6.is_unicast_link_local(),
    }
}

/// What two networks have in common: the smaller one, where it lies in the larger.
fn shared(one: IpNet, other: IpNet) -> Option<IpNet> {
    if other.contains(&one) {
        Some(one.trunc())
    } else if one.contains(&other) {
        Some(other)
    } else {
        None
    }
}

const fn v4([a, b, c, d]: [u8; 4], prefix_len: u8) -> IpNet {
    IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix_len))
}

const fn v6(first: u16, prefix_len: u8) -> IpNet {
    IpNet::V6(Ipv6Net::new_assert(
        Ipv6Addr::new(first, 0, 0, 0, 0, 0, 0, 0),
        prefix_len,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranges(destinations: &[&str]) -> Vec<String> {
        let route = |(index, text): (u32, &&str)| Route {
            destination: text.parse().unwrap(),
            index,
            gateway: None,
            table: 254,
        };
        let mut routes: Vec<_> = destinations.iter().map(|text| route((3, text))).collect();
        routes.push(route((4, &"192.168.0.0/16")));
        private_ranges(&routes, 3)
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn the_part_of_a_route_that_is_private() {
        for (destinations, expected) in [
            (&[][..], &[][..]),
            (&["0.0.0.0/0", "::/0"], &[]),
            (&["198.51.100.0/24"], &[]),
            (&["10.1.2.0/24"], &["10.1.2.0/24"]),
            (&["10.0.0.0/7"], &["10.0.0.0/8"]),
            (&["192.0.0.0/8"], &["192.168.0.0/16"]),
            (
                &["128.0.0.0/1"],
                &["169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16"],
            ),
            (&["10.1.0.0/16", "10.1.2.0/24"], &["10.1.0.0/16"]),
            (
                &["fe80::/64", "fd00:1::/32", "2001:db8::/32"],
                &["fd00:1::/32", "fe80::/64"],
            ),
        ] {
            assert_eq!(ranges(destinations), expected, "{destinations:?}");
        }
    }
}
