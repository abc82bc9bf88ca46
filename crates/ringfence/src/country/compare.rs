//! Two states of country data, held against each other.

use std::net::IpAddr;

use super::{Country, CountryData};

/// The last IPv4 address.
const END_V4: u64 = u32::MAX as u64;

/// Neighbouring addresses that have one country before and one after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// The first of them.
    pub first: IpAddr,
    /// How many: IPv4 addresses, or /64s of IPv6.
    pub count: u64,
    /// Their country before.
    pub before: Country,
    /// Their country after.
    pub after: Country,
}

impl CountryData {
    /// The country of an address, `ZZ` where none is known.
    pub fn country(&self, address: IpAddr) -> Country {
        match address.to_canonical() {
            IpAddr::V4(v4) => run(&self.ranges_v4, u64::from(v4.to_bits()), END_V4).0,
            IpAddr::V6(v6) => run(&self.ranges_v6, top(v6), u64::MAX).0,
        }
    }
}

/// Shows `each` the pieces whose country differs, from the address `first` up to `last`, both of one family.
pub fn differences(
    before: &CountryData,
    after: &CountryData,
    (first, last): (IpAddr, IpAddr),
    mut each: impl FnMut(Piece),
) {
    match (first, last) {
        (IpAddr::V4(first), IpAddr::V4(last)) => sweep(
            &before.ranges_v4,
            &after.ranges_v4,
            (first.to_bits().into(), last.to_bits().into(), END_V4),
            |at| IpAddr::V4((at as u32).into()),
            &mut each,
        ),
        (IpAddr::V6(first), IpAddr::V6(last)) => sweep(
            &before.ranges_v6,
            &after.ranges_v6,
            (top(first), top(last), u64::MAX),
            |at| IpAddr::V6((u128::from(at) << 64).into()),
            &mut each,
        ),
        _ => {}
    }
}

/// The same over the whole of both families.
pub fn all_differences(before: &CountryData, after: &CountryData, mut each: impl FnMut(Piece)) {
    let v4 = ([0; 4].into(), [255; 4].into());
    let v6 = ([0; 16].into(), [255; 16].into());
    differences(before, after, v4, &mut each);
    differences(before, after, v6, &mut each);
}

/// The upper half of an address.
fn top(address: std::net::Ipv6Addr) -> u64 {
    (address.to_bits() >> 64) as u64
}

fn sweep<T: Copy + Into<u64>>(
    before: &[(T, T, Country)],
    after: &[(T, T, Country)],
    (first, last, end): (u64, u64, u64),
    address: impl Fn(u64) -> IpAddr,
    each: &mut impl FnMut(Piece),
) {
    let mut at = first;
    loop {
        let (was, was_to) = run(before, at, end);
        let (is, is_to) = run(after, at, end);
        let to = was_to.min(is_to).min(last);
        if was != is {
            each(Piece {
                first: address(at),
                count: (to - at).saturating_add(1),
                before: was,
                after: is,
            });
        }
        match to.checked_add(1) {
            Some(next) if to < last => at = next,
            _ => return,
        }
    }
}

/// The country at an address, and the last address up to which nothing changes.
fn run<T: Copy + Into<u64>>(ranges: &[(T, T, Country)], at: u64, end: u64) -> (Country, u64) {
    let after = ranges.partition_point(|(first, ..)| (*first).into() <= at);
    let held = after.checked_sub(1).and_then(|place| ranges.get(place));
    if let Some((_, last, country)) = held.filter(|(_, last, _)| at <= (*last).into()) {
        return (*country, (*last).into());
    }
    let next = ranges.get(after);
    let gap_to = next.map_or(end, |(first, ..)| (*first).into() - 1);
    (Country::UNKNOWN, gap_to)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn data(csv: &str) -> CountryData {
        CountryData::decode(csv.as_bytes().to_vec(), Path::new("a.csv")).unwrap()
    }

    fn found(before: &str, after: &str) -> Vec<String> {
        let mut found = Vec::new();
        all_differences(&data(before), &data(after), |piece| {
            found.push(format!(
                "{} {} {}{}",
                piece.first, piece.count, piece.before, piece.after
            ));
        });
        found
    }

    #[test]
    fn what_differs_is_told_piece_by_piece() {
        let before = "1.0.0.0,1.0.0.255,GB\n2.0.0.0,2.0.0.255,FR\n2001:200::,2001:200:ffff::,JP\n";
        assert_eq!(found(before, before), Vec::<String>::new());
        let after = "1.0.0.0,1.0.0.127,GB\n1.0.0.128,1.0.0.255,IE\n255.255.255.255,255.255.255.255,US\n\
                     2001:200::,2001:200:ffff::,JP\nffff:ffff:ffff:ffff::,ffff:ffff:ffff:ffff::,US\n";
        let expected = [
            "1.0.0.128 128 GBIE",
            "2.0.0.0 256 FRZZ",
            "255.255.255.255 1 ZZUS",
            "ffff:ffff:ffff:ffff:: 1 ZZUS",
        ];
        assert_eq!(found(before, after), expected);
    }

    #[test]
    fn a_range_sees_its_own_pieces_alone() {
        let (before, after) = (
            data("1.0.0.0,1.0.0.255,GB\n"),
            data("1.0.0.0,1.0.0.255,IE\n"),
        );
        let mut found = Vec::new();
        let range = ([1, 0, 0, 250].into(), [1, 0, 2, 0].into());
        differences(&before, &after, range, |piece| found.push(piece));
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].first, found[0].count), ([1, 0, 0, 250].into(), 6));
    }

    #[test]
    fn the_country_of_an_address_is_that_of_its_range() {
        let data = CountryData::builtin().unwrap();
        for (first, last, country) in data.ranges_v4.iter().step_by(997) {
            assert_eq!(data.country(IpAddr::V4((*first).into())), *country);
            assert_eq!(data.country(IpAddr::V4((*last).into())), *country);
        }
        for (first, last, country) in data.ranges_v6.iter().step_by(997) {
            for top in [first, last] {
                let address = IpAddr::V6((u128::from(*top) << 64 | 7).into());
                assert_eq!(data.country(address), *country);
            }
        }
        assert_eq!(data.country([10, 0, 0, 1].into()), Country::UNKNOWN);
    }
}
