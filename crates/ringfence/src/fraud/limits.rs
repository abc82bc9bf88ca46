//! What an endpoint did within the last minute and hour, and how much of it is remembered.

use std::collections::VecDeque;

use super::alarm::Why;

/// Seconds.
pub(super) const MINUTE: i64 = 60;
/// Seconds.
pub(super) const HOUR: i64 = 3600;

/// What happened within a time, up to so many times: what is older, or beyond that, is forgotten.
#[derive(Debug, Default)]
pub(super) struct Recent<T> {
    all: VecDeque<(i64, T)>,
}

impl<T: PartialEq> Recent<T> {
    /// Notes something at a second, and says how often it is now within `time` seconds, counted up to `limit` + 1.
    pub(super) fn note(&mut self, what: T, now: i64, time: i64, limit: u32) -> usize {
        self.forget(now, time);
        self.all.push_back((now, what));
        self.keep(limit)
    }

    /// The same, where what is the same counts once, at its latest.
    pub(super) fn note_once(&mut self, what: T, now: i64, time: i64, limit: u32) -> usize {
        self.all.retain(|(_, one)| *one != what);
        self.note(what, now, time, limit)
    }

    fn keep(&mut self, limit: u32) -> usize {
        let most = usize::try_from(limit)
            .unwrap_or(usize::MAX)
            .saturating_add(1);
        while self.all.len() > most {
            self.all.pop_front();
        }
        self.all.len()
    }

    /// Also what is of a later time: the clock was set.
    fn forget(&mut self, now: i64, time: i64) {
        self.all
            .retain(|(at, _)| (0..time).contains(&now.saturating_sub(*at)));
    }
}

/// An endpoint.
#[derive(Debug, Default)]
pub(super) struct Endpoint {
    /// Calls begun.
    pub attempts: Recent<()>,
    /// Digests of numbers called.
    pub destinations: Recent<u64>,
    /// Calls to expensive numbers.
    pub expensive: Recent<()>,
    /// Calls that are up, emergencies not among them.
    pub up: u32,
    /// Emergency calls that are up.
    pub emergencies: u32,
    /// When it last began a call.
    pub seen: i64,
    /// When each alarm was told.
    told: [Option<i64>; Why::ALL],
}

impl Endpoint {
    /// Whether an alarm is to be told: once a minute.
    pub(super) fn tells(&mut self, why: &Why, now: i64) -> bool {
        let Some(told) = self.told.get_mut(why.number()) else {
            return true;
        };
        let recent = told.is_some_and(|at| (0..MINUTE).contains(&now.saturating_sub(at)));
        if !recent {
            *told = Some(now);
        }
        !recent
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_old_is_forgotten_and_the_same_counts_once() {
        let mut recent = Recent::default();
        assert_eq!(recent.note((), 100, MINUTE, 5), 1);
        assert_eq!(recent.note((), 159, MINUTE, 5), 2);
        assert_eq!(recent.note((), 160, MINUTE, 5), 2);
        assert_eq!(recent.note((), 0, MINUTE, 5), 1, "the clock went back");
        let mut recent = Recent::default();
        for (what, count) in [(1, 1), (2, 2), (1, 2), (3, 3), (2, 3)] {
            assert_eq!(recent.note_once(what, 0, HOUR, 10), count);
        }
    }

    proptest! {
        #[test]
        fn no_more_is_remembered_than_the_limit_asks_for(
            noted in prop::collection::vec((any::<u64>(), any::<i64>()), 0..300),
            limit in 0..20_u32,
        ) {
            let mut recent = Recent::default();
            for (what, at) in noted {
                let count = recent.note_once(what, at, HOUR, limit);
                prop_assert!(count >= 1 && count <= limit as usize + 1);
                prop_assert_eq!(recent.all.len(), count);
            }
        }
    }
}
