//! Ranges of addresses for sets: merged, and those of countries.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

use super::model::{Family, Range};
use crate::config::AddressRange;
use crate::country::{Country, CountryData, CountrySet};

/// The ranges of one family, ascending; what overlaps or touches is one.
pub(super) fn merged(ranges: impl IntoIterator<Item = Range>, family: Family) -> Vec<Range> {
    let mut bits: Vec<(u128, u128)> = ranges
        .into_iter()
        .filter(|(first, last)| Family::of(*first) == family && Family::of(*last) == family)
        .map(|(first, last)| (number(first), number(last)))
        .collect();
    bits.sort_unstable();
    let joined = join(bits.into_iter());
    joined
        .into_iter()
        .map(|(first, last)| (address(first, family), address(last, family)))
        .collect()
}

/// The range of a list entry.
pub(super) fn of_list(range: &AddressRange) -> Range {
    (range.first(), range.last())
}

/// The range of a net.
pub(super) fn of_net(net: &IpNet) -> Range {
    (net.network(), net.broadcast())
}

/// The addresses of countries, of one family. With `ZZ` also those of no known country.
pub(super) fn of_countries(data: &CountryData, set: &CountrySet, family: Family) -> Vec<Range> {
    let bits: Vec<(u128, u128)> = match family {
        Family::V4 => {
            let all = data.ranges_v4.iter();
            let all =
                all.map(|(first, last, country)| (u128::from(*first), u128::from(*last), *country));
            chosen(all, set, u128::from(u32::MAX))
        }
        Family::V6 => {
            let all = data.ranges_v6.iter().map(|(first, last, country)| {
                let last = u128::from(*last) << 64 | u128::from(u64::MAX);
                (u128::from(*first) << 64, last, *country)
            });
            chosen(all, set, u128::MAX)
        }
    };
    bits.into_iter()
        .map(|(first, last)| (address(first, family), address(last, family)))
        .collect()
}

/// Of ascending ranges those of the set, and the gaps between them where it holds `ZZ`; joined.
fn chosen(
    ranges: impl Iterator<Item = (u128, u128, Country)>,
    set: &CountrySet,
    end: u128,
) -> Vec<(u128, u128)> {
    let gaps = set.contains(Country::UNKNOWN);
    let mut all = Vec::new();
    // The first address after what was seen; None once that was the last one.
    let mut next = Some(0);
    for (first, last, country) in ranges {
        if let Some(from) = next.filter(|from| gaps && *from < first) {
            all.push((from, first - 1));
        }
        if set.contains(country) {
            all.push((first, last));
        }
        next = last.checked_add(1).filter(|next| *next <= end);
    }
    if let Some(from) = next.filter(|_| gaps) {
        all.push((from, end));
    }
    join(all.into_iter())
}

/// Joins ascending ranges that overlap or touch.
fn join(ranges: impl Iterator<Item = (u128, u128)>) -> Vec<(u128, u128)> {
    let mut joined: Vec<(u128, u128)> = Vec::new();
    for (first, last) in ranges {
        match joined.last_mut() {
            Some(before) if first <= before.1.saturating_add(1) => before.1 = before.1.max(last),
            _ => joined.push((first, last)),
        }
    }
    joined
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => u128::from(v4.to_bits()),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

fn address(bits: u128, family: Family) -> IpAddr {
    match family {
        // Numbers of this family came from 32 bits.
        Family::V4 => Ipv4Addr::from_bits(bits as u32).into(),
        Family::V6 => Ipv6Addr::from_bits(bits).into(),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn shown(ranges: &[Range]) -> Vec<String> {
        ranges.iter().map(|(a, b)| format!("{a}-{b}")).collect()
    }

    #[test]
    fn what_touches_is_one() {
        let range = |text: &str| of_list(&text.parse().unwrap());
        let all = [
            "10.0.1.0/24",
            "2001:db8::/32",
            "10.0.0.0/24",
            "10.0.0.7",
            "10.0.3.0/24",
        ];
        assert_eq!(
            shown(&merged(all.map(range), Family::V4)),
            ["10.0.0.0-10.0.1.255", "10.0.3.0-10.0.3.255"]
        );
        assert_eq!(merged(all.map(range), Family::V6).len(), 1);
        let ends = ["0.0.0.0/1", "128.0.0.0/1"];
        assert_eq!(
            shown(&merged(ends.map(range), Family::V4)),
            ["0.0.0.0-255.255.255.255"]
        );
    }

    #[test]
    fn unknown_countries_are_what_lies_between() {
        let text = "10.0.0.0,10.0.0.255,GB\n10.0.1.0,10.0.1.255,IE\n10.0.3.0,10.0.3.255,GB\n\
                    2001:db8::,2001:db8:0:ffff:ffff:ffff:ffff:ffff,GB\n";
        let data = CountryData::decode(text.into(), Path::new("test")).unwrap();
        let set = |codes: &[&str]| -> CountrySet {
            codes
                .iter()
                .map(|code| Country::from_code(code).unwrap())
                .collect()
        };
        assert_eq!(
            shown(&of_countries(&data, &set(&["GB", "IE"]), Family::V4)),
            ["10.0.0.0-10.0.1.255", "10.0.3.0-10.0.3.255"]
        );
        assert_eq!(
            shown(&of_countries(&data, &set(&["ZZ", "IE"]), Family::V4)),
            [
                "0.0.0.0-9.255.255.255",
                "10.0.1.0-10.0.2.255",
                "10.0.4.0-255.255.255.255"
            ]
        );
        assert_eq!(
            shown(&of_countries(&data, &set(&["GB"]), Family::V6)),
            ["2001:db8::-2001:db8:0:ffff:ffff:ffff:ffff:ffff"]
        );
        let unknown = of_countries(&data, &set(&["ZZ"]), Family::V6);
        assert_eq!(unknown.len(), 2);
        assert_eq!(
            unknown[1].1.to_string(),
            "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"
        );
    }
}
