//! Whether new data can be believed, by what is known already.

use std::net::IpAddr;

use super::{Country, CountryData, CountrySet};

/// Probe addresses of IPv4, by the number of addresses.
const PROBES_V4: u64 = 300;
/// Probe addresses of IPv6, by the number of ranges: by addresses a few huge allocations would be all.
const PROBES_V6: u64 = 200;
/// Differing probes that are named.
const NAMED: usize = 5;

/// How near new data must be to the data in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Ranges of a family, in percent of those in force: at least.
    pub least: usize,
    /// And at most.
    pub most: usize,
    /// Probes that stay in their country, in percent.
    pub same: u64,
    /// Addresses that an admitted country keeps, in percent.
    pub kept: u64,
}

impl Bounds {
    /// For newer data of one source.
    pub const NEWER: Self = Self {
        least: 50,
        most: 200,
        same: 97,
        kept: 70,
    };
    /// For data of another source, which may see the world otherwise: GeoLite2, IPtoASN and geo-whois-asn agree on 85% to 89%
    /// of the probes, and on some islands on a tenth of the addresses.
    pub const OTHER: Self = Self {
        least: 10,
        most: 1000,
        same: 70,
        kept: 10,
    };
}

/// What speaks against putting `new` in force in place of `now`, where the policy admits the countries of `admitted`.
/// Each doubt is a sentence with examples; none: it can be believed.
pub fn doubts(
    new: &CountryData,
    now: &CountryData,
    admitted: &CountrySet,
    bounds: Bounds,
) -> Vec<String> {
    let mut doubts = Vec::new();
    let families = [
        ("IPv4", new.ranges_v4.len(), now.ranges_v4.len()),
        ("IPv6", new.ranges_v6.len(), now.ranges_v6.len()),
    ];
    for (family, new, now) in families {
        let (least, most) = (now * bounds.least / 100, now * bounds.most / 100);
        if now != 0 && new == 0 {
            doubts.push(format!(
                "it holds no {family} network, the data in force {now}"
            ));
        } else if now != 0 && !(least..=most).contains(&new) {
            doubts.push(format!(
                "it holds {new} {family} networks, the data in force {now}: between {least} and {most} were to be expected"
            ));
        }
    }
    doubts.extend(probed(new, now, bounds));
    doubts.extend(shrunk(new, now, admitted, bounds));
    doubts
}

/// Probe addresses that changed their country.
fn probed(new: &CountryData, now: &CountryData, bounds: Bounds) -> Option<String> {
    let probes = probes(now);
    let differ = |probe: &&(IpAddr, Country)| new.country(probe.0) != probe.1;
    let differing: Vec<_> = probes.iter().filter(differ).collect();
    let (all, same) = (probes.len(), probes.len() - differing.len());
    if (same as u64) * 100 >= (all as u64) * bounds.same {
        return None;
    }
    let named: Vec<_> = differing
        .iter()
        .take(NAMED)
        .map(|(address, was)| format!("{address} was {was} and is {}", new.country(*address)))
        .collect();
    Some(format!(
        "of {all} probe addresses {same} stay in their country, and {}% were to be expected: {}",
        bounds.same,
        named.join(", ")
    ))
}

/// Admitted countries that lost too much.
fn shrunk(
    new: &CountryData,
    now: &CountryData,
    admitted: &CountrySet,
    bounds: Bounds,
) -> Option<String> {
    let (before, after) = (addresses(now), addresses(new));
    let shrunk: Vec<_> = admitted
        .iter()
        .filter(|country| *country != Country::UNKNOWN)
        .filter_map(|country| {
            let of = |counts: &[u64]| counts.get(usize::from(country.number())).copied();
            let (was, is) = (of(&before)?, of(&after)?);
            (is < was / 100 * bounds.kept).then(|| format!("{country} from {was} to {is}"))
        })
        .take(NAMED)
        .collect();
    (!shrunk.is_empty()).then(|| {
        let shrunk = shrunk.join(", ");
        format!("admitted countries lose too many IPv4 addresses: {shrunk}")
    })
}

/// IPv4 addresses by the number of the country.
fn addresses(data: &CountryData) -> Vec<u64> {
    let mut counts = vec![0; 256];
    for (first, last, country) in &data.ranges_v4 {
        if let Some(count) = counts.get_mut(usize::from(country.number())) {
            *count += u64::from(last - first) + 1;
        }
    }
    counts
}

/// The same addresses for the same data: of IPv4 each as likely as another, of IPv6 one of each range as likely.
fn probes(data: &CountryData) -> Vec<(IpAddr, Country)> {
    let mut probes = Vec::new();
    let all: u64 = addresses(data).iter().sum();
    let mut passed = 0;
    let mut wanted = (0..PROBES_V4).map(|n| spread(n, PROBES_V4, all)).peekable();
    for (first, last, country) in &data.ranges_v4 {
        let count = u64::from(last - first) + 1;
        while let Some(place) = wanted.next_if(|place| *place < passed + count) {
            let address = u64::from(*first) + (place - passed);
            probes.push((IpAddr::V4((address as u32).into()), *country));
        }
        passed += count;
    }
    let ranges = data.ranges_v6.len() as u64;
    for n in 0..PROBES_V6.min(ranges) {
        let place = usize::try_from(spread(n, PROBES_V6.min(ranges), ranges));
        if let Some((first, last, country)) = place.ok().and_then(|at| data.ranges_v6.get(at)) {
            let top = first + mixed(n) % (last - first).saturating_add(1);
            probes.push((IpAddr::V6((u128::from(top) << 64).into()), *country));
        }
    }
    probes
}

/// A place in the `n`th of `parts` equal parts of `all`; ascending with `n`.
fn spread(n: u64, parts: u64, all: u64) -> u64 {
    let part = all / parts.max(1);
    n * part + mixed(n) % part.max(1)
}

/// A number that looks random (the finalizer of SplitMix64).
fn mixed(n: u64) -> u64 {
    let mut z = n.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(codes: &[&str]) -> CountrySet {
        codes
            .iter()
            .filter_map(|code| Country::from_code(code))
            .collect()
    }

    fn told(new: &CountryData, now: &CountryData) -> String {
        doubts(new, now, &set(&["IE"]), Bounds::NEWER).join("\n")
    }

    #[test]
    fn the_same_data_and_small_changes_are_believed() {
        let now = CountryData::builtin().unwrap();
        assert_eq!(told(&now, &now), "");
        let mut new = now.clone();
        for range in new.ranges_v4.iter_mut().step_by(100) {
            range.2 = Country::from_code("US").unwrap();
        }
        assert_eq!(told(&new, &now), "");
        assert_eq!(probes(&now).len() as u64, PROBES_V4 + PROBES_V6);
        assert!(
            probes(&now)
                .iter()
                .all(|(at, country)| now.country(*at) == *country)
        );
    }

    #[test]
    fn what_is_wrong_is_named_with_examples() {
        let now = CountryData::builtin().unwrap();
        let mut new = now.clone();
        new.ranges_v6.clear();
        assert!(told(&new, &now).contains("it holds no IPv6 network, the data in force 65"));
        let mut new = now.clone();
        new.ranges_v4.truncate(1000);
        let doubts = told(&new, &now);
        assert!(doubts.contains("it holds 1000 IPv4 networks"), "{doubts}");
        assert!(doubts.contains("were to be expected: "), "{doubts}");
        assert!(doubts.contains(" and is ZZ"), "{doubts}");
        assert!(
            doubts.contains("admitted countries lose too many"),
            "{doubts}"
        );
        // One country is gone: too few addresses for the probes, and yet the phones are out.
        let ireland = Country::from_code("IE").unwrap();
        let mut new = now.clone();
        for range in new.ranges_v4.iter_mut().filter(|range| range.2 == ireland) {
            range.2 = Country::from_code("GB").unwrap();
        }
        let doubts = told(&new, &now);
        assert!(
            doubts.contains(": IE from ") && doubts.ends_with(" to 0"),
            "{doubts}"
        );
        // Countries in disorder.
        let mut new = now.clone();
        let count = new.ranges_v4.len();
        for place in 0..count {
            new.ranges_v4[place].2 = now.ranges_v4[(place + 1) % count].2;
        }
        assert!(told(&new, &now).contains("probe addresses"));
    }

    #[test]
    fn data_of_nobody_before_is_believed_as_far_as_it_goes() {
        let mut now = CountryData::builtin().unwrap();
        now.ranges_v6.clear();
        assert_eq!(told(&now, &now), "");
    }
}
