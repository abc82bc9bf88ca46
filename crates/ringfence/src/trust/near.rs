//! Addresses beside those that providers are known to use.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::config::AddressRange;

/// Networks of 24 bits (IPv6: 64) around known addresses, each with what is known there.
#[derive(Debug, Clone, Default)]
pub struct Near {
    nets: Vec<(IpNet, String)>,
}

impl Near {
    /// Takes in an address of a provider or peer.
    pub fn add(&mut self, address: IpAddr, what: &str) {
        let bits = if address.is_ipv4() { 24 } else { 64 };
        if let Ok(net) = IpNet::new(address, bits) {
            self.nets.push((net.trunc(), what.to_owned()));
        }
    }

    /// Takes in the ends of a range.
    pub fn add_range(&mut self, range: &AddressRange, what: &str) {
        self.add(range.first(), what);
        self.add(range.last(), what);
    }

    /// The network that an address is in, and what is known there.
    pub fn find(&self, address: IpAddr) -> Option<(IpNet, &str)> {
        let found = self.nets.iter().find(|(net, _)| net.contains(&address));
        found.map(|(net, what)| (*net, what.as_str()))
    }
}
