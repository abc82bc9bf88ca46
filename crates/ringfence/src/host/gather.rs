//! What the rules are made of, from the kernel.

use ipnet::IpNet;

use crate::net::{Interface, LinkType, Route, private_ranges};

/// The private nets behind each interface but the loopback one.
pub fn near(interfaces: &[Interface], routes: &[Route]) -> Vec<(String, IpNet)> {
    interfaces
        .iter()
        .filter(|interface| interface.link_type != LinkType::Loopback)
        .flat_map(|interface| {
            let nets = private_ranges(routes, interface.index);
            nets.into_iter().map(|net| (interface.name.clone(), net))
        })
        .collect()
}
