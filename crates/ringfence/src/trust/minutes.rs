//! How often something happened within the last ten minutes.

use jiff::Timestamp;

/// Minutes that are looked back at.
const BACK: usize = 10;

/// Counts of the last ten minutes, one each.
#[derive(Debug, Clone, Default)]
pub struct Minutes {
    /// The last minute that is counted, since 1970.
    last: i64,
    /// By minute, modulo ten.
    counts: [u16; BACK],
}

impl Minutes {
    /// It happened.
    pub fn note(&mut self, now: Timestamp) {
        let minute = now.as_second().div_euclid(60);
        let passed = usize::try_from(minute.saturating_sub(self.last)).unwrap_or(0);
        for back in 0..passed.min(BACK) {
            let gone = minute.saturating_sub(back as i64);
            self.counts[index(gone)] = 0;
        }
        self.last = self.last.max(minute);
        let count = &mut self.counts[index(self.last)];
        *count = count.saturating_add(1);
    }

    /// How often it happened within ten minutes before.
    pub fn total(&self, now: Timestamp) -> u32 {
        let minute = now.as_second().div_euclid(60);
        let passed = usize::try_from(minute.saturating_sub(self.last)).unwrap_or(0);
        (0..BACK.saturating_sub(passed))
            .map(|back| u32::from(self.counts[index(self.last.saturating_sub(back as i64))]))
            .sum()
    }
}

fn index(minute: i64) -> usize {
    usize::try_from(minute.rem_euclid(BACK as i64)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_older_does_not_count() {
        let at = |second: i64| Timestamp::from_second(1_700_000_000 / 60 * 60 + second).unwrap();
        let mut minutes = Minutes::default();
        assert_eq!(minutes.total(at(0)), 0);
        for second in [0, 30, 61, 540] {
            minutes.note(at(second));
        }
        assert_eq!(minutes.total(at(541)), 4);
        assert_eq!(minutes.total(at(600)), 2);
        assert_eq!(minutes.total(at(660)), 1);
        assert_eq!(minutes.total(at(5000)), 0);
        minutes.note(at(661));
        assert_eq!(minutes.total(at(661)), 2);
        // A clock that went back counts on where it was.
        minutes.note(at(100));
        assert_eq!(minutes.total(at(661)), 3);
        minutes.note(at(90_000));
        assert_eq!(minutes.total(at(90_000)), 1);
    }
}
