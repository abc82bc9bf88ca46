//! How fast people are told: so many notices an hour singly, the rest in a digest. No clock is read here.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::digest::Digest;
use super::notice::Notice;

const HOUR: Duration = Duration::from_secs(3600);

/// What is to be delivered.
#[derive(Debug)]
pub(super) enum Item {
    /// A notice.
    One(Arc<Notice>),
    /// What was summed up.
    Digest(Box<Digest>),
}

/// Sorts notices into those that are told singly and those that are summed up.
#[derive(Debug)]
pub(super) struct Pace {
    /// So many an hour are told singly.
    most: usize,
    /// So long is summed up.
    every: Duration,
    /// When those of the last hour were let through, at most `most`.
    granted: VecDeque<Instant>,
    /// Let through and not delivered, at most `most`.
    waiting: VecDeque<Arc<Notice>>,
    digest: Digest,
    /// When the digest is to be sent; None while there is nothing in it.
    due: Option<Instant>,
}

impl Pace {
    pub(super) fn new(most: u32, every: Duration) -> Self {
        Self {
            most: usize::try_from(most).unwrap_or(usize::MAX),
            every,
            granted: VecDeque::new(),
            waiting: VecDeque::new(),
            digest: Digest::default(),
            due: None,
        }
    }

    /// Takes a notice.
    pub(super) fn take(&mut self, notice: Arc<Notice>, now: Instant) {
        let recent = |at: &Instant| now.saturating_duration_since(*at) < HOUR;
        while self.granted.front().is_some_and(|at| !recent(at)) {
            self.granted.pop_front();
        }
        if self.granted.len() < self.most && self.waiting.len() < self.most {
            self.granted.push_back(now);
            self.waiting.push_back(notice);
        } else {
            self.digest.add(&notice);
            self.fill(now);
        }
    }

    /// Takes note of notices that could not be taken.
    pub(super) fn lost(&mut self, many: u64, now: Instant) {
        if many > 0 {
            self.digest.add_lost(many);
            self.fill(now);
        }
    }

    /// Takes back what could not be delivered: the next digest tells it.
    pub(super) fn undelivered(&mut self, item: Item, now: Instant) {
        match item {
            Item::One(notice) => self.digest.add_undelivered(&notice),
            Item::Digest(earlier) => {
                self.digest = std::mem::take(&mut self.digest).after(*earlier);
            }
        }
        self.fill(now);
    }

    /// What is to be delivered now.
    pub(super) fn next(&mut self, now: Instant) -> Option<Item> {
        if let Some(notice) = self.waiting.pop_front() {
            return Some(Item::One(notice));
        }
        self.due.filter(|due| *due <= now)?;
        self.rest()
    }

    /// The digest, due or not.
    pub(super) fn rest(&mut self) -> Option<Item> {
        self.due.take()?;
        let digest = std::mem::take(&mut self.digest);
        Some(Item::Digest(Box::new(digest)))
    }

    /// When the digest is due.
    pub(super) fn due(&self) -> Option<Instant> {
        self.due
    }

    fn fill(&mut self, now: Instant) {
        self.due.get_or_insert(now + self.every);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::NoticeKind;

    fn notice(last: u8) -> Arc<Notice> {
        let source = std::net::IpAddr::from([203, 0, 113, last]);
        let notice = Notice::new(NoticeKind::Ban, &format!("banned {source}"));
        Arc::new(notice.source(source))
    }

    /// All that is to be delivered at a moment: the number of single ones, and the digest.
    fn all(pace: &mut Pace, now: Instant) -> (usize, Option<Digest>) {
        let (mut single, mut digest) = (0, None);
        while let Some(item) = pace.next(now) {
            match item {
                Item::One(_) => single += 1,
                Item::Digest(one) => digest = Some(*one),
            }
        }
        (single, digest)
    }

    #[test]
    fn so_many_an_hour_and_the_rest_in_one_digest() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut pace = Pace::new(3, Duration::from_secs(600));
        for n in 0..100 {
            pace.take(notice(n % 4), at(u64::from(n)));
        }
        let (single, digest) = all(&mut pace, at(100));
        assert_eq!((single, digest.is_none()), (3, true));
        assert_eq!(pace.due(), Some(at(603)));
        let (single, digest) = all(&mut pace, at(602));
        assert_eq!((single, digest.is_none()), (0, true));
        let digest = all(&mut pace, at(603)).1.unwrap();
        assert_eq!(digest.summary(), "97 notices summed up: 97 ban");
        let data = digest.data();
        assert_eq!(
            data["sources"][0],
            serde_json::json!({ "source": "203.0.113.3", "count": 25 })
        );
        assert_eq!(data["quoted"].as_array().unwrap().len(), 20);
        assert!(
            digest.text().contains("      97 ban\n"),
            "{}",
            digest.text()
        );
        assert_eq!(pace.due(), None);
        // The hour of the first is over, that of the second not yet.
        pace.take(notice(1), at(3600));
        pace.take(notice(2), at(3600));
        assert_eq!(all(&mut pace, at(3600)).0, 1);
        assert_eq!(all(&mut pace, at(4200)).1.unwrap().count(), 1);
    }

    #[test]
    fn what_was_not_delivered_is_told_later() {
        let start = Instant::now();
        let mut pace = Pace::new(5, Duration::from_secs(60));
        pace.take(notice(1), start);
        let item = pace.next(start).unwrap();
        pace.undelivered(item, start);
        pace.lost(7, start);
        let later = start + Duration::from_secs(60);
        let item = pace.next(later).unwrap();
        pace.undelivered(item, later);
        assert!(pace.next(later).is_none(), "not at once again");
        pace.lost(2, later);
        let digest = all(&mut pace, later + Duration::from_secs(60)).1.unwrap();
        assert_eq!(digest.count(), 10);
        let text = digest.text();
        assert!(text.contains("1 could not be delivered before"), "{text}");
        assert!(text.contains("9 came too fast"), "{text}");
    }

    #[test]
    fn memory_is_bounded_whatever_comes() {
        let start = Instant::now();
        let mut pace = Pace::new(1000, Duration::from_secs(60));
        for n in 0..20_000_u32 {
            // Nothing is ever delivered, and hours pass.
            pace.take(
                notice(n.to_le_bytes()[0]),
                start + Duration::from_secs(u64::from(n)),
            );
        }
        assert!(pace.waiting.len() <= 1000 && pace.granted.len() <= 1000);
        let Some(Item::Digest(digest)) = pace.rest() else {
            panic!("no digest")
        };
        assert_eq!(digest.count(), 19_000);
    }
}
