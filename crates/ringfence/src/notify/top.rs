//! The sources that are named most often, in a table of fixed size.

use std::collections::HashMap;
use std::net::IpAddr;

/// Sources that are counted at once.
const ROOM: usize = 256;

/// Counts of the sources named most often. Where there are more than it has room for, a new one takes the place and
/// the count of the rarest (Metwally et al., "Space-Saving"): counts err upwards, and who is named often stays.
#[derive(Debug, Clone, Default)]
pub(super) struct Top(HashMap<IpAddr, u64>);

impl Top {
    /// Counts a source `times` more.
    pub(super) fn count(&mut self, source: IpAddr, times: u64) {
        let mut before = 0;
        if !self.0.contains_key(&source)
            && self.0.len() >= ROOM
            && let Some((rarest, count)) = self
                .0
                .iter()
                .map(|(ip, n)| (*ip, *n))
                .min_by_key(|(_, n)| *n)
        {
            self.0.remove(&rarest);
            before = count;
        }
        let count = self.0.entry(source).or_insert(before);
        *count = count.saturating_add(times);
    }

    /// Counts all of another too.
    pub(super) fn merge(&mut self, other: Self) {
        for (source, times) in other.0 {
            self.count(source, times);
        }
    }

    /// The first `most`, with their counts; sources named as often by address.
    pub(super) fn first(&self, most: usize) -> Vec<(IpAddr, u64)> {
        let mut all: Vec<_> = self.0.iter().map(|(ip, n)| (*ip, *n)).collect();
        all.sort_unstable_by_key(|(ip, n)| (std::cmp::Reverse(*n), *ip));
        all.truncate(most);
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_sources_hides_nobody_and_takes_no_more_room() {
        let mut top = Top::default();
        let loud = IpAddr::from([203, 0, 113, 5]);
        for n in 0..100_000_u32 {
            top.count(IpAddr::from(n.to_be_bytes()), 1);
            if n.is_multiple_of(100) {
                top.count(loud, 1);
            }
        }
        assert_eq!(top.0.len(), ROOM);
        let (first, count) = top.first(1)[0];
        assert_eq!(first, loud);
        assert!(count >= 1000);
        let mut more = Top::default();
        more.count(loud, 1_000_000);
        top.merge(more);
        assert!(top.first(3)[0].1 >= 1_001_000);
    }
}
