//! What the rules say of a new connection, without the kernel.

use std::net::{IpAddr, SocketAddr};

use super::model::{Action, AddressSet, Addresses, End, Match, Range, Ruleset};
use crate::config::Protocol;

/// Chains within chains at most; the rules made here have three.
const DEPTH: usize = 8;

/// The first packet of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct First<'p> {
    /// Who begins it.
    pub from: SocketAddr,
    /// With whom.
    pub to: SocketAddr,
    /// Over what.
    pub protocol: Protocol,
    /// The interface that it comes in by; None where that is not known: then it counts as any but the loopback one.
    pub interface: Option<&'p str>,
}

impl Ruleset {
    /// Whether a new connection is accepted by a base chain. Rates count as not reached.
    pub fn accepts(&self, chain: &str, first: &First<'_>) -> bool {
        let dropped = self
            .chains
            .iter()
            .find(|known| known.name == chain)
            .and_then(|known| known.base)
            .is_some_and(|base| base.drop);
        self.decide(chain, first, DEPTH).unwrap_or(!dropped)
    }

    /// Whether an address is on the deny lists.
    pub fn denies(&self, address: IpAddr) -> bool {
        let denied = |set: &&AddressSet| set.name.starts_with("denied");
        let mut ranges = self.sets.iter().filter(denied).flat_map(|set| &set.ranges);
        ranges.any(|range| holds(range, address))
    }

    /// None where the chain says nothing.
    fn decide(&self, chain: &str, first: &First<'_>, depth: usize) -> Option<bool> {
        let depth = depth.checked_sub(1)?;
        let chain = self.chains.iter().find(|known| known.name == chain)?;
        for rule in &chain.rules {
            if !rule.matches.iter().all(|one| self.holds(one, first)) {
                continue;
            }
            match &rule.action {
                Action::Accept => return Some(true),
                Action::Drop | Action::Reject => return Some(false),
                Action::Copy(_) => {}
                Action::Goto(to) => return self.decide(to, first, depth),
                Action::Jump(to) => {
                    if let Some(decided) = self.decide(to, first, depth) {
                        return Some(decided);
                    }
                }
            }
        }
        None
    }

    fn holds(&self, one: &Match, first: &First<'_>) -> bool {
        match one {
            Match::Family(family) => family.number() == if first.from.is_ipv4() { 4 } else { 6 },
            Match::Interface(name) => match first.interface {
                Some(interface) => name == interface,
                None => name != "lo",
            },
            Match::Address(end, addresses) => {
                let address = self.end(*end, first).ip();
                let ranges = match addresses {
                    Addresses::These(_, ranges) => ranges,
                    Addresses::Set(name, _) => {
                        match self.sets.iter().find(|set| set.name == *name) {
                            Some(set) => &set.ranges,
                            None => return false,
                        }
                    }
                };
                ranges.iter().any(|range| holds(range, address))
            }
            Match::Port(end, protocol, ports) => {
                let port = self.end(*end, first).port();
                *protocol == first.protocol
                    && ports
                        .iter()
                        .any(|(begin, last)| (*begin..=*last).contains(&port))
            }
            Match::Rate(..) | Match::Longer(_) => true,
            // A new connection is in none of these states, is no ICMP, and goes to one; what live sets hold is not known here.
            Match::Up(_)
            | Match::Stream(..)
            | Match::State(_)
            | Match::Icmp(..)
            | Match::HopLimit(_)
            | Match::ToMany => false,
        }
    }

    fn end(&self, end: End, first: &First<'_>) -> SocketAddr {
        match end {
            End::Source => first.from,
            End::Destination => first.to,
        }
    }
}

fn holds((first, last): &Range, address: IpAddr) -> bool {
    first.is_ipv4() == address.is_ipv4() && (first..=last).contains(&&address)
}
