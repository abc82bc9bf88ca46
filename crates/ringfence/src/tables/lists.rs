//! What is known of addresses, as prefixes over the 16-byte form.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use ringfence_core::address::Address;
use ringfence_core::bench::{Listed, list_flags};

use super::Inputs;
use crate::config::{AddressRange, AsNumber, Config, Host};
use crate::store::ListKind;

/// Bits before an IPv4 address in its mapped form.
const MAPPED: u8 = 96;

/// A prefix over the mapped form: that of an IPv4 net is 96 longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Prefix {
    /// The address, bits behind the length zero.
    pub address: Address,
    /// Bits that count, 0 to 128.
    pub length: u8,
}

impl Prefix {
    /// The prefix of `length` bits that holds `address`.
    pub fn new(address: Address, length: u8) -> Self {
        let length = length.min(128);
        let bits = u128::from_be_bytes(address.octets()) & mask(length);
        let address = Address::v6(bits.to_be_bytes());
        Self { address, length }
    }

    /// Whether it holds `address`.
    pub fn contains(&self, address: Address) -> bool {
        Self::new(address, self.length).address == self.address
    }

    fn of(net: IpNet) -> Self {
        let before = if net.addr().is_ipv4() { MAPPED } else { 0 };
        Self::new(address(net.network()), before + net.prefix_len())
    }

    /// Whether it holds IPv4 addresses only.
    fn is_v4(&self) -> bool {
        self.length >= MAPPED && self.address.is_v4()
    }
}

/// By address, wider prefixes first: those that hold another come before it.
impl Ord for Prefix {
    fn cmp(&self, other: &Self) -> Ordering {
        let key = |prefix: &Self| (prefix.address.octets(), prefix.length);
        key(self).cmp(&key(other))
    }
}

impl PartialOrd for Prefix {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

fn mask(length: u8) -> u128 {
    u128::MAX.checked_shl(128 - u32::from(length)).unwrap_or(0)
}

/// The judge's form of an address.
pub fn address(ip: IpAddr) -> Address {
    match ip.to_canonical() {
        IpAddr::V4(v4) => Address::v4(v4.octets()),
        IpAddr::V6(v6) => Address::v6(v6.octets()),
    }
}

/// The address in its usual form.
pub fn ip(address: Address) -> IpAddr {
    match address.as_v4() {
        Some(v4) => Ipv4Addr::from_bits(v4).into(),
        None => Ipv6Addr::from(address.octets()).into(),
    }
}

/// What limits, bans and summaries are kept by: an IPv4 address itself, the first of an IPv6 address's /64.
pub fn subject(address: IpAddr) -> IpAddr {
    ip(self::address(address).subject())
}

/// What the longest prefix that holds `address` says, as the kernel's trie finds it.
pub fn longest(lists: &BTreeMap<Prefix, Listed>, address: Address) -> Option<(&Prefix, &Listed)> {
    (0..=128u8)
        .rev()
        .find_map(|length| lists.get_key_value(&Prefix::new(address, length)))
}

#[derive(Default)]
struct Lists(BTreeMap<Prefix, Listed>);

impl Lists {
    fn entry(&mut self, net: IpNet) -> &mut Listed {
        self.0.entry(Prefix::of(net)).or_default()
    }

    fn add(&mut self, net: IpNet, flags: u32, neighbours: u32) {
        let entry = self.entry(net);
        entry.flags |= flags;
        entry.neighbours |= neighbours;
    }

    fn add_range(&mut self, range: &AddressRange, flags: u32) {
        for net in range.prefixes() {
            self.add(net, flags, 0);
        }
    }

    /// Gives each entry what all wider ones say. What is said of IPv6 holds for no IPv4 address,
    /// although the mapped forms lie in the net `::/80`.
    fn inherit(mut self) -> BTreeMap<Prefix, Listed> {
        let v4 = Prefix::new(Address::v4([0; 4]), MAPPED);
        if (0..MAPPED).any(|length| self.0.contains_key(&Prefix::new(v4.address, length))) {
            self.0.entry(v4).or_default();
        }
        let mut around: Vec<(Prefix, Listed)> = Vec::new();
        for (prefix, listed) in &mut self.0 {
            while around.last().is_some_and(|(wider, _)| {
                !wider.contains(prefix.address) || (prefix.is_v4() && !wider.is_v4())
            }) {
                around.pop();
            }
            if let Some((_, wider)) = around.last() {
                listed.flags |= wider.flags;
                listed.neighbours |= wider.neighbours;
                listed.admits |= wider.admits;
                listed.refuses |= wider.refuses;
            }
            around.push((*prefix, *listed));
        }
        self.0
    }
}

/// All that the file, the operator and the host say of addresses.
pub(super) fn compile(config: &Config, inputs: &Inputs) -> BTreeMap<Prefix, Listed> {
    let mut lists = Lists::default();
    for entry in &config.permit {
        lists.add_range(&entry.range, list_flags::PERMITTED);
    }
    for entry in &config.deny {
        lists.add_range(&entry.range, list_flags::DENIED);
    }
    for (kind, flag) in [
        (ListKind::Permit, list_flags::PERMITTED),
        (ListKind::Deny, list_flags::DENIED),
    ] {
        for range in inputs.ranges(kind) {
            lists.add_range(&range, flag);
        }
    }
    for host in config.trunks.iter().flat_map(|trunk| &trunk.hosts) {
        match host {
            Host::Range(range) => lists.add_range(range, list_flags::TRUNK),
            Host::Name(name) => {
                for ip in inputs.resolved.get(name).into_iter().flatten() {
                    lists.add(IpNet::from(ip.to_canonical()), list_flags::TRUNK, 0);
                }
            }
        }
    }
    for range in config.proxies.iter().flat_map(|proxy| &proxy.addresses) {
        lists.add_range(range, list_flags::PROXY);
    }
    for range in &config.protect {
        lists.add_range(range, list_flags::PROTECTED);
    }
    for (net, action) in &inputs.warned {
        if net.addr().is_ipv6() {
            let flags = u32::from(action.bit()) << list_flags::FEEDS;
            lists.add(*net, flags, 0);
        }
    }
    for (number, rule) in (1u32..).zip(config.services.iter().map(|it| &it.asn)) {
        let service = 1u32.checked_shl(number).unwrap_or(0);
        let nets = |systems: &[AsNumber]| -> Vec<IpNet> {
            let nets = systems.iter().filter_map(|it| inputs.networks.get(it));
            nets.flatten().copied().collect()
        };
        for net in nets(&rule.allow) {
            lists.entry(net).admits |= service;
        }
        for net in nets(&rule.deny) {
            lists.entry(net).refuses |= service;
        }
    }
    if config.permit_private {
        for (place, net) in &inputs.neighbours {
            lists.add(*net, 0, 1u32.checked_shl(*place).unwrap_or(0));
        }
    }
    for ip in &inputs.own {
        lists.add(IpNet::from(ip.to_canonical()), list_flags::OWN, 0);
    }
    if let Ok(loopback) = IpNet::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8) {
        lists.add(loopback, list_flags::OWN, 0);
    }
    lists.add(
        IpNet::from(IpAddr::V6(Ipv6Addr::LOCALHOST)),
        list_flags::OWN,
        0,
    );
    lists.inherit()
}
