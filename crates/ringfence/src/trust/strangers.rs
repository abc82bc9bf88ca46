//! Strangers who name our domain and fail: when there are many, it is no secret any more.

use std::net::IpAddr;

use jiff::{SignedDuration, Timestamp};

use super::recent::Recent;
use crate::tables;

/// Sources that are remembered; the quietest go.
const ROOM: usize = 10_000;
/// How long one counts.
const DAY: SignedDuration = SignedDuration::from_hours(24);
/// So many are more than phones with a wrong password on their way.
const MANY: usize = 10;

/// The sources that named one of our domains and were refused within a day.
#[derive(Debug)]
pub struct Strangers {
    sources: Recent<IpAddr, Option<Timestamp>>,
    warned: Option<Timestamp>,
}

/// That the domain is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DomainKnown {
    /// Different sources within a day.
    pub sources: usize,
    /// When the first of them was refused last.
    pub since: Timestamp,
}

impl DomainKnown {
    /// In words.
    pub fn text(&self) -> String {
        format!(
            "the domain is known to strangers: {} of them named it and failed since {}; `ringfence doctor` looks for the \
             leak",
            self.sources,
            self.since.strftime("%FT%TZ")
        )
    }
}

impl Default for Strangers {
    fn default() -> Self {
        Self {
            sources: Recent::new(ROOM),
            warned: None,
        }
    }
}

impl Strangers {
    /// Takes in a stranger who named one of our domains and was refused; what it comes to, where it is time to warn.
    pub fn note(&mut self, address: IpAddr, now: Timestamp) -> Option<DomainKnown> {
        *self.sources.touch(&tables::subject(address)) = Some(now);
        let due = |warned| now.duration_since(warned) >= DAY;
        if !self.warned.is_none_or(due) {
            return None;
        }
        let known = self.known(now)?;
        self.warned = Some(now);
        Some(known)
    }

    /// Whether the domain is known to strangers.
    pub fn known(&self, now: Timestamp) -> Option<DomainKnown> {
        let times = self.sources.iter().filter_map(|(_, last)| *last);
        let recent: Vec<_> = times
            .filter(|last| now.duration_since(*last) < DAY)
            .collect();
        let (sources, since) = (recent.len(), recent.into_iter().min()?);
        (sources >= MANY).then_some(DomainKnown { sources, since })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + second).unwrap()
    }

    #[test]
    fn ten_sources_within_a_day_know_it_and_are_told_once_a_day() {
        let mut strangers = Strangers::default();
        let source = |n: u32| IpAddr::V4((0xcb00_7100 + n).into());
        for n in 0..9 {
            for again in 0..50 {
                let second = i64::from(n) * 100 + again;
                assert_eq!(strangers.note(source(n), at(second)), None);
            }
        }
        let known = strangers.note(source(9), at(1000)).unwrap();
        assert_eq!((known.sources, known.since), (10, at(49)));
        assert_eq!(strangers.note(source(10), at(1001)), None);
        assert_eq!(
            strangers.known(at(1001)).map(|known| known.sources),
            Some(11)
        );
        assert_eq!(strangers.known(at(86_400 + 250)), None);
        let again = (20..30).filter_map(|n| strangers.note(source(n), at(90_000)));
        assert_eq!(again.count(), 1);
        for n in 0..3 * ROOM as u32 {
            strangers.note(source(n), at(100_000));
        }
        let known = strangers.known(at(100_001)).unwrap();
        assert_eq!(known.sources, ROOM);
    }
}
