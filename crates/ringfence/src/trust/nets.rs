//! Nets of which so many addresses are banned that all of it is to be.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;
use jiff::Timestamp;
use ringfence_core::bench::{Cause, Listed, list_flags};

use crate::store::Ban;
use crate::tables::{self, Prefix};

/// Whose addresses no ban may fall on, or whom a ban would mean nothing to.
const SPARED: u32 = list_flags::PERMITTED | list_flags::TRUNK | list_flags::PROXY | list_flags::OWN;

/// A net with many banned addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Crowd {
    /// The net: a /24, or an IPv6 /48.
    pub net: IpNet,
    /// How many of its addresses are banned.
    pub banned: usize,
    /// The public name of the reason of the last ban.
    pub reason: String,
    /// Whether nobody can have forged what any of them was banned for.
    pub proved: bool,
}

/// The /24 or /48 of an address.
pub fn net_of(address: IpAddr) -> Option<IpNet> {
    let length = if address.is_ipv4() { 24 } else { 48 };
    IpNet::new(address, length).ok().map(|net| net.trunc())
}

/// The nets with `least` or more banned addresses that are not banned themselves. What the operator banned, and bans of
/// single flows, do not count.
pub fn crowds<'a>(bans: impl Iterator<Item = &'a Ban>, least: usize, now: Timestamp) -> Vec<Crowd> {
    let mut nets = BTreeMap::<IpNet, (Timestamp, Crowd)>::new();
    let mut banned = Vec::new();
    for ban in bans.filter(|ban| ban.until > now) {
        let Some(net) = net_of(ban.address) else {
            continue;
        };
        if ban.is_net() {
            banned.push(net);
        } else if ban.port.is_none() && ban.reason != Cause::Manual.name() {
            let empty = Crowd {
                net,
                banned: 0,
                reason: String::new(),
                proved: true,
            };
            let (last, crowd) = nets.entry(net).or_insert((Timestamp::MIN, empty));
            crowd.banned += 1;
            crowd.proved &= ban.proved;
            if ban.since >= *last {
                *last = ban.since;
                crowd.reason.clone_from(&ban.reason);
            }
        }
    }
    for net in banned {
        nets.remove(&net);
    }
    let crowds = nets.into_values().map(|(_, crowd)| crowd);
    crowds.filter(|crowd| crowd.banned >= least).collect()
}

/// Whether the lists spare an address of a net, or all of it.
pub fn spared<'a>(net: IpNet, lists: impl Iterator<Item = (Prefix, &'a Listed)>) -> bool {
    let before = if net.addr().is_ipv4() { 96 } else { 0 };
    let net = Prefix::new(tables::address(net.addr()), before + net.prefix_len());
    let v4 = before == 96;
    let mut spared = lists.filter(|(_, listed)| listed.flags & SPARED != 0);
    spared.any(|(prefix, _)| {
        // What is said of IPv6 holds for no IPv4 address.
        let same = v4 == (prefix.length >= 96 && prefix.address.is_v4());
        same && (prefix.contains(net.address) || net.contains(prefix.address))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + second).unwrap()
    }

    fn ban(address: &str, prefix_len: u8, since: i64) -> Ban {
        Ban {
            address: address.parse().unwrap(),
            prefix_len,
            port: None,
            reason: "rate".into(),
            since: at(since),
            until: at(600),
            times: 1,
            proved: true,
            evidence: None,
            note: String::new(),
        }
    }

    fn found(bans: &[Ban], least: usize) -> Vec<(String, usize, bool)> {
        let crowds = crowds(bans.iter(), least, at(100)).into_iter();
        let told = |crowd: Crowd| (crowd.net.to_string(), crowd.banned, crowd.proved);
        crowds.map(told).collect()
    }

    #[test]
    fn different_addresses_of_one_net_add_up() {
        let mut bans: Vec<_> = (0..3)
            .map(|n| ban(&format!("203.0.113.{n}"), 32, n))
            .collect();
        bans.extend((1..4).map(|n| ban(&format!("2001:db8:7:{n}::"), 64, n)));
        bans.push(ban("198.51.100.1", 32, 0));
        let both = [
            ("203.0.113.0/24".to_owned(), 3, true),
            ("2001:db8:7::/48".to_owned(), 3, true),
        ];
        assert_eq!(found(&bans, 3), both);
        assert!(found(&bans, 4).is_empty());
        let more = [
            // The operator's, a flow, and one that is over.
            Ban {
                reason: "manual".into(),
                ..ban("203.0.113.7", 32, 0)
            },
            Ban {
                port: Some(5060),
                ..ban("203.0.113.8", 32, 0)
            },
            Ban {
                until: at(100),
                ..ban("203.0.113.9", 32, 0)
            },
        ];
        bans.extend(more);
        assert_eq!(found(&bans, 3), both);
        // The net is banned; its first address being so is something else.
        bans.push(ban("203.0.113.0", 24, 50));
        assert_eq!(found(&bans, 3), both[1..]);
    }

    #[test]
    fn the_last_ban_says_why_and_one_that_may_be_forged_makes_all_so() {
        let mut bans = [
            ban("203.0.113.1", 32, 9),
            ban("203.0.113.2", 32, 50),
            ban("203.0.113.3", 32, 20),
        ];
        bans[1].reason = "tripwire".into();
        assert_eq!(crowds(bans.iter(), 2, at(100))[0].reason, "tripwire");
        bans[2].proved = false;
        assert_eq!(found(&bans, 2), [("203.0.113.0/24".to_owned(), 3, false)]);
    }

    #[test]
    fn a_net_is_spared_for_one_of_its_addresses_and_for_all_around_it() {
        let listed = |text: &str, flags| {
            let net: IpNet = text.parse().unwrap();
            let before = if net.addr().is_ipv4() { 96 } else { 0 };
            let prefix = Prefix::new(tables::address(net.addr()), before + net.prefix_len());
            let listed = Listed {
                flags,
                ..Listed::default()
            };
            (prefix, listed)
        };
        let is_spared = |net: &str, text, flags| {
            let (prefix, listed) = listed(text, flags);
            spared(net.parse().unwrap(), [(prefix, &listed)].into_iter())
        };
        let (four, six) = ("203.0.113.0/24", "2001:db8:7::/48");
        for (net, text, wanted) in [
            (four, "203.0.113.77/32", true),
            (four, "203.0.0.0/16", true),
            (four, "203.0.112.0/24", false),
            (four, "::/0", false),
            (six, "::/0", true),
            (six, "2001:db8:7:1::5/128", true),
            (six, "2001:db8:8::/48", false),
            (six, "0.0.0.0/0", false),
        ] {
            assert_eq!(
                is_spared(net, text, list_flags::PERMITTED),
                wanted,
                "{text}"
            );
            assert!(!is_spared(net, text, list_flags::DENIED));
        }
        assert!(is_spared(four, "203.0.113.77/32", list_flags::TRUNK));
    }
}
