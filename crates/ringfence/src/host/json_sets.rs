//! Sets as a batch for nftables has them.

use std::collections::HashSet;
use std::net::SocketAddr;

use nftables::expr::{Expression, NamedExpression};
use nftables::schema::{Set, SetFlag, SetType, SetTypeValue};
use nftables::types::NfFamily;

use super::json::{element, word};
use super::model::{AddressSet, Family, LiveSet, Ruleset, TABLE, UP};

/// A set of a list or of countries.
pub(super) fn address_set(set: &AddressSet) -> Set<'static> {
    let elements: Vec<_> = set.ranges.iter().map(element).collect();
    Set {
        family: NfFamily::INet,
        table: TABLE.into(),
        name: set.name.clone().into(),
        set_type: SetTypeValue::Single(match set.family {
            Family::V4 => SetType::Ipv4Addr,
            Family::V6 => SetType::Ipv6Addr,
        }),
        flags: Some(HashSet::from([SetFlag::Interval])),
        elem: (!elements.is_empty()).then(|| elements.into()),
        ..Set::default()
    }
}

/// The TCP sessions that are up, of one family.
pub(super) fn up(rules: &Ruleset, family: Family) -> Set<'static> {
    let address = match family {
        Family::V4 => SetType::Ipv4Addr,
        Family::V6 => SetType::Ipv6Addr,
    };
    let of = rules.sessions.iter();
    let of = of.filter(|(from, _)| Family::of(from.ip()) == family);
    let end = |end: &SocketAddr| {
        [
            word(&end.ip().to_string()),
            Expression::Number(end.port().into()),
        ]
    };
    let elements: Vec<_> = of
        .map(|(from, to)| Expression::Named(NamedExpression::Concat([end(from), end(to)].concat())))
        .collect();
    let port = SetType::InetService;
    Set {
        family: NfFamily::INet,
        table: TABLE.into(),
        name: format!("{UP}{}", family.number()).into(),
        set_type: SetTypeValue::Concatenated(vec![address, port, address, port].into()),
        elem: (!elements.is_empty()).then(|| elements.into()),
        ..Set::default()
    }
}

/// A set that the daemon fills.
pub(super) fn live(set: &LiveSet) -> Set<'static> {
    let address = match set.family {
        Family::V4 => SetType::Ipv4Addr,
        Family::V6 => SetType::Ipv6Addr,
    };
    Set {
        family: NfFamily::INet,
        table: TABLE.into(),
        name: format!("{}{}", set.name, set.family.number()).into(),
        set_type: match set.ports {
            true => SetTypeValue::Concatenated(vec![address, SetType::InetService].into()),
            false => SetTypeValue::Single(address),
        },
        flags: Some(HashSet::from([SetFlag::Timeout])),
        size: Some(set.room),
        ..Set::default()
    }
}
