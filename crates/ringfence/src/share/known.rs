//! Who is never shared as banned.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::config::AddressRange;
use crate::net::is_private;

/// Ranges in which somebody belongs here: registered, solicited, permitted, of a trunk or proxy, our own.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// First and last addresses over the mapped form, sorted, none touching another.
    ranges: Vec<(u128, u128)>,
}

fn bits(ip: IpAddr) -> u128 {
    match ip.to_canonical() {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().to_bits(),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

impl Known {
    /// Those of all ranges.
    pub fn new(ranges: impl IntoIterator<Item = AddressRange>) -> Self {
        let ranges = ranges.into_iter();
        let mut all: Vec<_> = ranges
            .map(|range| (bits(range.first()), bits(range.last())))
            .collect();
        all.sort_unstable();
        let mut ranges: Vec<(u128, u128)> = Vec::with_capacity(all.len());
        for (first, last) in all {
            match ranges.last_mut() {
                Some((_, end)) if first <= *end => *end = last.max(*end),
                _ => ranges.push((first, last)),
            }
        }
        Self { ranges }
    }

    /// Whether somebody who belongs here has an address in the net.
    pub fn touches(&self, net: IpNet) -> bool {
        let (first, last) = (bits(net.network()), bits(net.broadcast()));
        let place = self.ranges.partition_point(|(_, end)| *end < first);
        let found = self.ranges.get(place);
        found.is_some_and(|(start, _)| *start <= last)
    }
}

/// Whether others on the Internet can be meant by an address: an edge router has no use for the rest.
pub(super) fn is_public(ip: IpAddr) -> bool {
    let nobody = matches!(ip, IpAddr::V4(v4) if matches!(v4.octets(), [0 | 240..=255, ..]));
    !(nobody || is_private(ip) || ip.is_loopback() || ip.is_multicast() || ip.is_unspecified())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_net_is_touched_by_whoever_is_in_it() {
        let ranges = [
            "192.0.2.9",
            "192.0.2.0-192.0.2.10",
            "198.51.100.77",
            "2001:db8:1::5",
        ];
        let known = Known::new(ranges.map(|text| text.parse().unwrap()));
        let touches = |net: &str| known.touches(net.parse().unwrap());
        for net in [
            "192.0.2.10/32",
            "198.51.100.0/24",
            "2001:db8:1::/64",
            "0.0.0.0/0",
        ] {
            assert!(touches(net), "{net}");
        }
        for net in [
            "192.0.2.11/32",
            "198.51.101.0/24",
            "2001:db8:2::/64",
            "198.51.100.76/32",
        ] {
            assert!(!touches(net), "{net}");
        }
        assert!(!Known::default().touches("0.0.0.0/0".parse().unwrap()));
    }
}
