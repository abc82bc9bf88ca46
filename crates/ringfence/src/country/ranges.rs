//! Ranges of addresses: overlaps resolved, neighbours merged, and the starts a table needs.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use ringfence_core::country::Country;

/// Addresses from `first` to `last`, both included: an IPv4 address, or the upper 64 bits of an
/// IPv6 address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Range<T> {
    pub first: u64,
    pub last: u64,
    /// Whose they are: a country, or the number of an autonomous system.
    pub of: T,
}

/// The /64s whose first address lies between two IPv6 addresses, if there is one.
pub(crate) fn of_v6<T>(first: u128, last: u128, of: T) -> Option<Range<T>> {
    let (top, rest) = ((first >> 64) as u64, first as u64);
    let first = top.checked_add(u64::from(rest != 0))?;
    let last = (last >> 64) as u64;
    (first <= last).then_some(Range { first, last, of })
}

/// Ascending ranges that do not overlap, with equal neighbours joined and those of `nobody` left out.
///
/// Where ranges overlap the one with fewer addresses holds, and of equally wide ones the later.
pub(crate) fn resolve<T: Copy + PartialEq>(mut ranges: Vec<Range<T>>, nobody: T) -> Vec<Range<T>> {
    ranges.retain(|range| range.first <= range.last);
    // Stable: ranges with the same start stay in the order of the source.
    ranges.sort_by_key(|range| range.first);
    if ranges.windows(2).all(|pair| pair[0].last < pair[1].first) {
        return join(ranges.into_iter(), nobody);
    }

    let mut cut = Vec::with_capacity(ranges.len());
    // The ranges that hold the point reached, narrowest and then latest first.
    let mut open = BinaryHeap::new();
    let mut coming = ranges.iter().enumerate().peekable();
    let mut at = 0;
    loop {
        if open.is_empty() {
            match coming.peek() {
                Some((_, range)) => at = range.first.max(at),
                None => break,
            }
        }
        while let Some((order, range)) = coming.next_if(|(_, range)| range.first <= at) {
            open.push((Reverse(range.last - range.first), order));
        }
        while let Some((_, order)) = open.peek() {
            if ranges[*order].last >= at {
                break;
            }
            open.pop();
        }
        let Some((_, order)) = open.peek() else {
            continue;
        };
        let range = ranges[*order];
        let last = match coming.peek() {
            Some((_, next)) => range.last.min(next.first - 1),
            None => range.last,
        };
        cut.push(Range {
            first: at,
            last,
            of: range.of,
        });
        match last.checked_add(1) {
            Some(next) => at = next,
            None => break,
        }
    }
    join(cut.into_iter(), nobody)
}

/// Joins neighbours that are the same one's, and leaves those of `nobody` out.
fn join<T: Copy + PartialEq>(ranges: impl Iterator<Item = Range<T>>, nobody: T) -> Vec<Range<T>> {
    let mut joined: Vec<Range<T>> = Vec::with_capacity(ranges.size_hint().0);
    for range in ranges.filter(|range| range.of != nobody) {
        match joined.last_mut() {
            Some(before)
                if before.of == range.of && before.last.checked_add(1) == Some(range.first) =>
            {
                before.last = range.last;
            }
            _ => joined.push(range),
        }
    }
    joined
}

/// Where countries begin, `ZZ` after a range that has no neighbour.
pub(super) fn starts(
    ranges: impl Iterator<Item = Range<Country>>,
) -> impl Iterator<Item = (u64, Country)> {
    let mut ranges = ranges.peekable();
    std::iter::from_fn(move || {
        let range = ranges.next()?;
        let next = ranges.peek().map(|range| range.first);
        let gap = range
            .last
            .checked_add(1)
            .filter(|after| next != Some(*after));
        Some([
            Some((range.first, range.of)),
            gap.map(|after| (after, Country::UNKNOWN)),
        ])
    })
    .flatten()
    .flatten()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The narrowest range that holds the address, and the latest of those.
    fn naive(ranges: &[Range<Country>], address: u64) -> Country {
        ranges
            .iter()
            .enumerate()
            .filter(|(_, range)| (range.first..=range.last).contains(&address))
            // Of equal widths, those that begin later hold before those that come later.
            .min_by_key(|(order, range)| {
                (
                    range.last - range.first,
                    Reverse(range.first),
                    Reverse(*order),
                )
            })
            .map_or(Country::UNKNOWN, |(_, range)| range.of)
    }

    fn range() -> impl Strategy<Value = Range<Country>> {
        let edge = prop_oneof![0u64..200, Just(u64::MAX - 1), Just(u64::MAX)];
        (edge.clone(), edge, 0u8..6).prop_map(|(a, b, country)| Range {
            first: a.min(b),
            last: a.max(b),
            of: Country::from_number(country),
        })
    }

    proptest! {
        #[test]
        fn overlaps_resolve_to_the_narrowest(ranges in prop::collection::vec(range(), 0..40)) {
            let resolved = resolve(ranges.clone(), Country::UNKNOWN);
            for pair in resolved.windows(2) {
                prop_assert!(pair[0].last < pair[1].first);
                prop_assert!(
                    pair[0].last + 1 < pair[1].first || pair[0].of != pair[1].of
                );
            }
            let begins: Vec<_> = starts(resolved.iter().copied()).collect();
            prop_assert!(begins.is_sorted_by(|a, b| a.0 < b.0));
            for address in (0..202).chain([u64::MAX - 2, u64::MAX - 1, u64::MAX]) {
                let expected = naive(&ranges, address);
                let found = resolved
                    .iter()
                    .find(|range| (range.first..=range.last).contains(&address))
                    .map_or(Country::UNKNOWN, |range| range.of);
                prop_assert_eq!(found, expected, "{}", address);
                let after = begins.partition_point(|(start, _)| *start <= address);
                let begun = after.checked_sub(1).map_or(Country::UNKNOWN, |at| begins[at].1);
                prop_assert_eq!(begun, expected, "{}", address);
            }
        }
    }
}
