//! Parts that rules are made of.

use std::net::Ipv6Addr;

use ipnet::{IpNet, Ipv6Net};

use super::model::{Action, Addresses, End, Family, Match, Rule};
use super::ranges;

/// A rule that accepts.
pub(super) fn accept(matches: Vec<Match>, comment: &str) -> Rule {
    Rule {
        matches,
        counter: None,
        action: Action::Accept,
        comment: comment.into(),
    }
}

/// A rule that asks another chain.
pub(super) fn jump(matches: Vec<Match>, to: &str, comment: &str) -> Rule {
    Rule {
        matches,
        counter: None,
        action: Action::Jump(to.into()),
        comment: comment.into(),
    }
}

/// The addresses of a pair of sets, of one family.
pub(super) fn set(end: End, name: &str, family: Family) -> Match {
    let name = format!("{name}{}", family.number());
    Match::Address(end, Addresses::Set(name, family))
}

/// fe80::/10.
pub(super) fn link_local() -> Addresses {
    let net = IpNet::V6(Ipv6Net::new_assert(
        Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0),
        10,
    ));
    Addresses::These(Family::V6, vec![ranges::of_net(&net)])
}
