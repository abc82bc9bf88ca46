//! What of a list is used: all but what belongs here, and but networks that are too wide to be one attacker's.

use std::collections::BTreeMap;

use ipnet::IpNet;

use super::FeedError;
use super::belongs::{Belongings, Interval, Whose, address, number};
use super::nets::{Nets, host_net};
use crate::config::AddressRange;

/// The widest IPv4 network that is used.
const WIDEST_V4: u8 = 8;
/// The widest IPv6 network that is used: what a registry gives to a large provider (RFC 7020 practice is /19 and up).
const WIDEST_V6: u8 = 19;
/// Examples kept for people.
const EXAMPLES: usize = 20;
/// IPv4 addresses that a list may cover: a quarter of all.
const MOST_V4: u128 = 1 << 30;
/// IPv6 addresses that a list may cover: a quarter of global unicast.
const MOST_V6: u128 = 1 << 123;
/// IPv4 addresses in networks of /25 to /31 that a list may have: the judge has an entry for each of them.
const MOST_NARROW: u64 = 4 << 20;

/// Why an entry is not used, or not whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Caught {
    /// It names what belongs here.
    Belongs(Whose),
    /// It is wider than a network that is blocked on another's word.
    Wide,
}

impl Caught {
    /// Its word in outputs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Belongs(whose) => whose.as_str(),
            Self::Wide => "wide",
        }
    }
}

/// What was left out of a list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// How many entries, by why. Of an entry that is wider than what belongs only that is left out.
    pub counts: BTreeMap<Caught, u64>,
    /// Some of the entries; those that name what is ours come before reserved ones.
    pub examples: Vec<(IpNet, Caught)>,
}

impl LeftOut {
    /// How many entries were left out, whole or in part.
    pub fn total(&self) -> u64 {
        self.counts.values().sum()
    }

    /// How many of them named what is ours.
    pub fn ours(&self) -> u64 {
        let ours = |caught: &Caught| matches!(caught, Caught::Belongs(whose) if whose.is_ours());
        let counts = self.counts.iter().filter(|(caught, _)| ours(caught));
        counts.map(|(_, count)| count).sum()
    }

    fn note(&mut self, net: IpNet, caught: Caught) {
        *self.counts.entry(caught).or_default() += 1;
        let ours = |caught: Caught| matches!(caught, Caught::Belongs(whose) if whose.is_ours());
        if self.examples.len() < EXAMPLES {
            self.examples.push((net, caught));
        } else if ours(caught)
            && let Some(place) = self.examples.iter_mut().find(|(_, kept)| !ours(*kept))
        {
            *place = (net, caught);
        }
    }
}

/// Gives each network that is used to `take`, in no order.
///
/// # Errors
/// When what is left covers more of the Internet than a list of attackers can, or is too many addresses in narrow
/// networks. `take` is given no more of these than may be.
pub(super) fn filter(
    nets: &Nets,
    belongings: &Belongings,
    mut take: impl FnMut(IpNet),
) -> Result<LeftOut, FeedError> {
    let mut left_out = LeftOut::default();
    let mut covered = Covered::default();
    let mut narrow = 0_u64;
    for host in &nets.hosts {
        let bits = u128::from(*host);
        match belongings.within(true, bits, bits).first() {
            None => {
                covered.v4 += 1;
                take(host_net(*host));
            }
            Some(found) => left_out.note(host_net(*host), Caught::Belongs(found.whose)),
        }
    }
    let v4 = nets.v4.iter().copied().map(IpNet::V4);
    for net in v4.chain(nets.v6.iter().copied().map(IpNet::V6)) {
        let is_v4 = net.addr().is_ipv4();
        let (first, last) = (number(net.network()), number(net.broadcast()));
        let found = belongings.within(is_v4, first, last);
        let whole = |one: &&Interval| one.first <= first && last <= one.last;
        if let Some(one) = found.iter().find(whole) {
            left_out.note(net, Caught::Belongs(one.whose));
            continue;
        }
        let widest = if is_v4 { WIDEST_V4 } else { WIDEST_V6 };
        if net.prefix_len() < widest {
            left_out.note(net, Caught::Wide);
            continue;
        }
        if let Some(worst) = found.iter().map(|one| one.whose).min() {
            left_out.note(net, Caught::Belongs(worst));
        }
        for (first, last) in gaps(first, last, found) {
            covered.add(is_v4, last - first + 1);
            let range = AddressRange::new(address(is_v4, first), address(is_v4, last));
            for part in range.iter().flat_map(AddressRange::prefixes) {
                narrow += addresses(part);
                if narrow > MOST_NARROW {
                    return Err(FeedError::TooNarrow { most: MOST_NARROW });
                }
                take(part);
            }
        }
    }
    covered.check()?;
    Ok(left_out)
}

/// The addresses of a narrow IPv4 network; 0 of any other.
fn addresses(net: IpNet) -> u64 {
    match net {
        IpNet::V4(net) if (25..32).contains(&net.prefix_len()) => 1 << (32 - net.prefix_len()),
        _ => 0,
    }
}

/// What of `first` to `last` lies in none of `found`, which are sorted and apart.
fn gaps(first: u128, last: u128, found: &[Interval]) -> Vec<(u128, u128)> {
    let mut gaps = Vec::new();
    let mut from = Some(first);
    for one in found {
        if let Some(start) = from
            && start < one.first
        {
            gaps.push((start, one.first - 1));
        }
        from = one.last.checked_add(1).filter(|next| *next <= last);
    }
    gaps.extend(from.map(|start| (start, last)));
    gaps
}

#[derive(Default)]
struct Covered {
    v4: u128,
    v6: u128,
}

impl Covered {
    fn add(&mut self, v4: bool, addresses: u128) {
        let family = if v4 { &mut self.v4 } else { &mut self.v6 };
        *family = family.saturating_add(addresses);
    }

    fn check(&self) -> Result<(), FeedError> {
        for (family, covered, most) in [("IPv4", self.v4, MOST_V4), ("IPv6", self.v6, MOST_V6)] {
            if covered > most {
                // A quarter of each is the most.
                let percent = covered / (most / 25);
                return Err(FeedError::HalfTheInternet { family, percent });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn nets(all: &[&str]) -> Nets {
        all.iter()
            .map(|text| text.parse::<IpNet>().unwrap())
            .collect()
    }

    fn belongings(all: &[(&str, Whose)]) -> Belongings {
        Belongings::new(
            all.iter()
                .map(|(text, whose)| (text.parse().unwrap(), *whose)),
        )
    }

    fn used(list: &Nets, belongings: &Belongings) -> (Vec<String>, LeftOut) {
        let mut all = Vec::new();
        let left_out = filter(list, belongings, |net| all.push(net.to_string())).unwrap();
        (all, left_out)
    }

    #[test]
    fn what_belongs_is_left_out_and_cut_out() {
        let belongings = belongings(&[
            ("198.51.100.7", Whose::Permitted),
            ("203.0.113.128/25", Whose::Trunk),
            ("2001:db8::7", Whose::Registered),
        ]);
        let list = nets(&[
            "198.51.100.7/32",
            "198.51.100.8/32",
            "203.0.113.200/32",
            "203.0.113.0/24",
            "10.1.2.3/32",
            "192.168.0.0/24",
            "224.0.0.0/3",
            "64.0.0.0/7",
            "2001:db8::6/127",
            "2000::/16",
            "fe80::/64",
        ]);
        let (used, left_out) = used(&list, &belongings);
        assert_eq!(
            used,
            ["198.51.100.8/32", "203.0.113.0/25", "2001:db8::6/128"]
        );
        let counts: Vec<_> = left_out
            .counts
            .iter()
            .map(|(caught, count)| (caught.as_str(), *count))
            .collect();
        assert_eq!(
            counts,
            [
                ("permitted", 1),
                ("trunk", 1),
                ("registered", 1),
                ("reserved", 4),
                ("wide", 2)
            ]
        );
        assert_eq!((left_out.total(), left_out.ours()), (9, 3));
        assert!(left_out.examples.contains(&(
            "203.0.113.0/24".parse().unwrap(),
            Caught::Belongs(Whose::Trunk)
        )));
    }

    #[test]
    fn half_the_internet_is_refused_whole() {
        let most: Nets = (1_u8..=9)
            .chain(11..=66)
            .map(|first| IpNet::new([first, 0, 0, 0].into(), 8).unwrap())
            .collect();
        let error = filter(&most, &belongings(&[]), |_| {}).unwrap_err();
        assert!(error.to_string().contains("25% of IPv4"), "{error}");
        let wide = nets(&["2000::/5"]);
        let (used, left_out) = used(&wide, &belongings(&[]));
        assert!(used.is_empty() && left_out.counts.contains_key(&Caught::Wide));
    }

    #[test]
    fn narrow_networks_are_no_more_than_the_judge_has_room_for() {
        let list = |count: u32| -> Nets {
            let half = |n: u32| IpNet::new(address(true, u128::from((50 << 24) + n * 128)), 25);
            (0..count).map(|n| half(n).unwrap()).collect()
        };
        let none = belongings(&[]);
        assert_eq!(used(&list(1 << 15), &none).0.len(), 1 << 15);
        let mut taken = 0;
        let error = filter(&list(1 << 20), &none, |_| taken += 1).unwrap_err();
        assert!(error.to_string().contains("/25 to /31"), "{error}");
        assert_eq!(taken, 1 << 15, "no more is given on");
    }

    #[test]
    fn examples_are_few_and_ours_first() {
        let mut all: Vec<String> = (0..100).map(|n| format!("10.0.0.{n}/32")).collect();
        all.push("198.51.100.7/32".into());
        let all: Vec<_> = all.iter().map(String::as_str).collect();
        let (_, left_out) = used(&nets(&all), &belongings(&[("198.51.100.7", Whose::Own)]));
        assert_eq!(left_out.examples.len(), EXAMPLES);
        let own = |(_, caught): &(IpNet, Caught)| *caught == Caught::Belongs(Whose::Own);
        assert!(left_out.examples.iter().any(own));
    }

    proptest! {
        /// Nothing that belongs is ever in what is used, and nothing else is lost.
        #[test]
        fn exactly_what_belongs_is_missing(
            listed in proptest::collection::vec((any::<u32>(), 8_u8..=32), 1..20),
            ours in proptest::collection::vec((any::<u32>(), 8_u8..=32), 0..20),
            probes in proptest::collection::vec(any::<u32>(), 50),
        ) {
            let net = |(bits, length): &(u32, u8)| {
                IpNet::new(address(true, u128::from(*bits)), *length).unwrap().trunc()
            };
            let list: Nets = listed.iter().map(net).collect();
            let ranges = ours.iter().map(net).map(|net| {
                (AddressRange::new(net.network(), net.broadcast()).unwrap(), Whose::Permitted)
            });
            let belongings = Belongings::new(ranges);
            let mut used = Vec::new();
            if filter(&list, &belongings, |net| used.push(net)).is_ok() {
                let edges = listed.iter().chain(&ours).flat_map(|one| [net(one).network(), net(one).broadcast()]);
                let probes = probes.iter().map(|bits| address(true, u128::from(*bits))).chain(edges);
                for probe in probes {
                    let expected = list.find(probe).is_some() && belongings.whose(probe).is_none();
                    prop_assert_eq!(used.iter().any(|net| net.contains(&probe)), expected, "{}", probe);
                }
            }
        }
    }
}
