//! Lines of the log that strangers bring about: so many a minute, the rest counted.

use std::time::{Duration, Instant};

/// Lines in a minute.
const MOST: u32 = 20;
const MINUTE: Duration = Duration::from_secs(60);

/// Counts lines.
#[derive(Debug, Default)]
pub(super) struct Seldom {
    since: Option<Instant>,
    lines: u32,
    left_out: u64,
}

impl Seldom {
    /// Whether a line is to be written at `now`: then how many were left out before it.
    pub(super) fn says(&mut self, now: Instant) -> Option<u64> {
        let over = |since: Instant| now.saturating_duration_since(since) >= MINUTE;
        if self.since.is_none_or(over) {
            (self.since, self.lines) = (Some(now), 0);
        }
        if self.lines >= MOST {
            self.left_out = self.left_out.saturating_add(1);
            return None;
        }
        self.lines += 1;
        Some(std::mem::take(&mut self.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_writes_a_few_lines_a_minute_and_the_rest_is_counted() {
        let (mut seldom, now) = (Seldom::default(), Instant::now());
        let said = (0..1000).filter(|_| seldom.says(now).is_some()).count();
        assert_eq!(said, 20);
        assert_eq!(seldom.says(now + MINUTE), Some(980));
        assert_eq!(seldom.says(now + MINUTE), Some(0));
    }
}
