//! Addresses and networks of a list, sorted, none within another, in little memory.

use std::net::{IpAddr, Ipv4Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use crate::config::AddressRange;

/// Addresses and networks: 4 bytes an IPv4 address, 5 an IPv4 network, 17 of IPv6.
///
/// Sorted, and no entry lies in another.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Nets {
    pub(super) hosts: Vec<u32>,
    pub(super) v4: Vec<Ipv4Net>,
    pub(super) v6: Vec<Ipv6Net>,
}

impl Nets {
    /// Adds an entry, in any order; [`Self::finish`] sorts them.
    pub(super) fn push(&mut self, net: IpNet) {
        match net {
            IpNet::V4(net) if net.prefix_len() == 32 => self.hosts.push(net.addr().to_bits()),
            IpNet::V4(net) => self.v4.push(net.trunc()),
            IpNet::V6(net) => self.v6.push(net.trunc()),
        }
    }

    /// Adds the networks of a range.
    pub(super) fn push_range(&mut self, range: &AddressRange) {
        match (range.first(), range.last()) {
            (IpAddr::V4(first), IpAddr::V4(last)) if first == last => {
                self.hosts.push(first.to_bits());
            }
            _ => range.prefixes().into_iter().for_each(|net| self.push(net)),
        }
    }

    /// Sorts, and drops what is there twice or lies in another entry.
    pub(super) fn finish(&mut self) {
        // Ipnet sorts by address, then by length: what holds another comes before it.
        self.v4.sort_unstable();
        self.v4.dedup_by(|inner, outer| outer.contains(&*inner));
        self.v6.sort_unstable();
        self.v6.dedup_by(|inner, outer| outer.contains(&*inner));
        self.hosts.sort_unstable();
        self.hosts.dedup();
        if !self.v4.is_empty() {
            let nets = &self.v4;
            self.hosts.retain(|host| holder(nets, *host).is_none());
        }
        self.hosts.shrink_to_fit();
        self.v4.shrink_to_fit();
        self.v6.shrink_to_fit();
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.hosts.len() + self.v4.len() + self.v6.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of memory that the entries take.
    pub fn memory(&self) -> usize {
        self.hosts.capacity() * size_of::<u32>()
            + self.v4.capacity() * size_of::<Ipv4Net>()
            + self.v6.capacity() * size_of::<Ipv6Net>()
    }

    /// The entry that holds an address.
    pub fn find(&self, address: IpAddr) -> Option<IpNet> {
        match address.to_canonical() {
            IpAddr::V4(v4) => match self.hosts.binary_search(&v4.to_bits()) {
                Ok(_) => Some(IpNet::from(IpAddr::V4(v4))),
                Err(_) => holder(&self.v4, v4.to_bits()).map(IpNet::V4),
            },
            IpAddr::V6(v6) => {
                let after = self.v6.partition_point(|net| net.network() <= v6);
                let before = self.v6.get(..after)?.last()?;
                before.contains(&v6).then_some(IpNet::V6(*before))
            }
        }
    }

    /// All entries: IPv4 addresses, IPv4 networks, then IPv6.
    pub fn iter(&self) -> impl Iterator<Item = IpNet> {
        let hosts = self.hosts.iter().map(|host| host_net(*host));
        let v4 = self.v4.iter().copied().map(IpNet::V4);
        hosts
            .chain(v4)
            .chain(self.v6.iter().copied().map(IpNet::V6))
    }
}

impl FromIterator<IpNet> for Nets {
    fn from_iter<I: IntoIterator<Item = IpNet>>(all: I) -> Self {
        let mut nets = Self::default();
        all.into_iter().for_each(|net| nets.push(net));
        nets.finish();
        nets
    }
}

/// An IPv4 address as the network of it alone.
pub(super) fn host_net(bits: u32) -> IpNet {
    IpNet::from(IpAddr::V4(Ipv4Addr::from_bits(bits)))
}

/// Of sorted networks, none in another, the one that holds an address.
fn holder(nets: &[Ipv4Net], host: u32) -> Option<Ipv4Net> {
    let host = Ipv4Addr::from_bits(host);
    let after = nets.partition_point(|net| net.network() <= host);
    let before = nets.get(..after)?.last()?;
    before.contains(&host).then_some(*before)
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(crate) fn nets(all: &[&str]) -> Nets {
        all.iter()
            .map(|text| text.parse::<IpNet>().unwrap())
            .collect()
    }

    #[test]
    fn what_a_wider_entry_says_is_kept_once() {
        let nets = nets(&[
            "192.0.2.7/32",
            "192.0.2.0/24",
            "192.0.2.128/25",
            "198.51.100.1/32",
            "198.51.100.1/32",
            "2001:db8::/32",
            "2001:db8:1::/48",
            "2001:db9::1/128",
        ]);
        let all: Vec<_> = nets.iter().map(|net| net.to_string()).collect();
        assert_eq!(
            all,
            [
                "198.51.100.1/32",
                "192.0.2.0/24",
                "2001:db8::/32",
                "2001:db9::1/128"
            ]
        );
        let find = |text: &str| nets.find(text.parse().unwrap()).map(|net| net.to_string());
        assert_eq!(find("192.0.2.9").as_deref(), Some("192.0.2.0/24"));
        assert_eq!(find("198.51.100.1").as_deref(), Some("198.51.100.1/32"));
        assert_eq!(
            find("::ffff:198.51.100.1").as_deref(),
            Some("198.51.100.1/32")
        );
        assert_eq!(find("2001:db8:ffff::1").as_deref(), Some("2001:db8::/32"));
        for text in [
            "192.0.1.255",
            "192.0.3.0",
            "198.51.100.2",
            "2001:db7::",
            "2001:db9::2",
        ] {
            assert_eq!(find(text), None, "{text}");
        }
    }

    #[test]
    fn an_address_takes_four_bytes() {
        let mut nets = Nets::default();
        (0..1000).for_each(|bits| nets.push(host_net(bits)));
        nets.finish();
        assert_eq!(nets.memory(), 4000);
    }
}
