//! The last good answer of each name.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::{Answer, Error, MOST_ADDRESSES, Question, SHORTEST, Way};

/// How long at most an address that a name lost still counts as its own: whoever is behind it may not know yet.
pub const GRACE: Duration = Duration::from_secs(300);

/// What is known of a name.
#[derive(Debug)]
struct Known {
    /// The addresses of the last answer, sorted.
    present: Vec<IpAddr>,
    /// Those that it lost, each with the moment when it counts no longer.
    leaving: BTreeMap<IpAddr, Instant>,
    /// How long the last answer held.
    valid_for: Duration,
    due: Instant,
}

impl Known {
    fn new(present: Vec<IpAddr>, due: Instant) -> Self {
        Self {
            present,
            leaving: BTreeMap::new(),
            valid_for: GRACE,
            due,
        }
    }

    /// The addresses that count, sorted: at most twice [`MOST_ADDRESSES`].
    fn addresses(&self) -> Vec<IpAddr> {
        let all = self.present.iter().chain(self.leaving.keys());
        let all: BTreeSet<IpAddr> = all.copied().collect();
        all.into_iter().collect()
    }

    /// Takes a whole answer. What is lost stays for as long as the answer that had it, and not longer than [`GRACE`].
    fn replace(&mut self, answer: &Answer, now: Instant) {
        let until = now + self.valid_for.min(GRACE);
        let before = std::mem::replace(&mut self.present, answer.addresses.clone());
        for lost in before {
            // A name that changes all the time holds no more than one that has many addresses.
            if self.leaving.len() < MOST_ADDRESSES {
                self.leaving.entry(lost).or_insert(until);
            }
        }
        let present = &self.present;
        self.leaving.retain(|address, _| !present.contains(address));
        self.valid_for = answer.valid_for;
        self.due = now + answer.valid_for;
    }

    /// Takes an answer to a part of the questions, which adds addresses and takes none away.
    fn add(&mut self, answer: &Answer, now: Instant) {
        let mut all: BTreeSet<IpAddr> = answer.addresses.iter().copied().collect();
        for known in &self.present {
            if all.len() < MOST_ADDRESSES {
                all.insert(*known);
            }
        }
        self.present = all.into_iter().collect();
        self.due = now + SHORTEST;
    }
}

/// All names with their addresses. A look-up that fails changes no address: nobody is shut out because a name server is
/// down.
#[derive(Debug, Default)]
pub struct Names {
    known: BTreeMap<Question, Known>,
}

impl Names {
    /// Takes these names and no others; new ones are due at once, the rest keep their addresses.
    pub fn keep(&mut self, names: impl IntoIterator<Item = Question>, now: Instant) {
        let mut before = std::mem::take(&mut self.known);
        for name in names {
            let known = before
                .remove(&name)
                .unwrap_or_else(|| Known::new(Vec::new(), now));
            self.known.insert(name, known);
        }
    }

    /// Gives a name that was not answered yet the addresses that it had before.
    pub fn restore(&mut self, name: &Question, addresses: &[IpAddr]) {
        if let Some(known) = self.known.get_mut(name)
            && known.present.is_empty()
        {
            let mut addresses = addresses.to_vec();
            addresses.sort_unstable();
            addresses.dedup();
            addresses.truncate(MOST_ADDRESSES);
            known.present = addresses;
        }
    }

    /// The names to look up now.
    pub fn due(&self, now: Instant) -> Vec<Question> {
        let due = self.known.iter().filter(|(_, known)| known.due <= now);
        due.map(|(name, _)| name.clone()).collect()
    }

    /// When a name is asked for again.
    pub fn next(&self, name: &Question) -> Option<Instant> {
        self.known.get(name).map(|known| known.due)
    }

    /// Notes the outcome of a look-up; whether the addresses changed.
    pub fn note(&mut self, name: &Question, outcome: &Result<Answer, Error>, now: Instant) -> bool {
        let Some(known) = self.known.get_mut(name) else {
            return false;
        };
        let before = known.addresses();
        match outcome {
            Err(_) => known.due = now + SHORTEST,
            Ok(answer) if answer.whole => known.replace(answer, now),
            Ok(answer) => known.add(answer, now),
        }
        known.addresses() != before
    }

    /// Lets go the lost addresses whose time is over; whether there was one.
    pub fn sweep(&mut self, now: Instant) -> bool {
        let mut changed = false;
        for known in self.known.values_mut() {
            let before = known.leaving.len();
            known.leaving.retain(|_, until| *until > now);
            changed |= known.leaving.len() != before;
        }
        changed
    }

    /// The addresses of a name that count; empty where it was never answered.
    pub fn of(&self, name: &Question) -> Vec<IpAddr> {
        self.known
            .get(name)
            .map(Known::addresses)
            .unwrap_or_default()
    }

    /// All names that are looked up in one way, with the addresses that count; those never answered are empty.
    pub fn addresses(&self, way: Way) -> BTreeMap<String, Vec<IpAddr>> {
        let all = self.known.iter().filter(|(name, _)| name.way == way);
        all.map(|(name, known)| (name.name.clone(), known.addresses()))
            .collect()
    }

    /// All names.
    pub fn all(&self) -> impl Iterator<Item = &Question> {
        self.known.keys()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(addresses: &[&str], whole: bool) -> Result<Answer, Error> {
        Ok(Answer {
            addresses: ips(addresses),
            valid_for: Duration::from_secs(120),
            whole,
            left_out: 0,
        })
    }

    fn ips(addresses: &[&str]) -> Vec<IpAddr> {
        addresses.iter().map(|a| a.parse().unwrap()).collect()
    }

    #[test]
    fn a_failure_keeps_the_last_answer() {
        let start = Instant::now();
        let later = |seconds| start + Duration::from_secs(seconds);
        let name = Question::sip("sip.example.com");
        let mut names = Names::default();
        names.keep([name.clone()], start);
        assert!(names.due(start).contains(&name));
        assert!(names.note(&name, &answer(&["192.0.2.1"], true), start));
        assert!(names.due(later(119)).is_empty());
        assert_eq!(names.next(&name), Some(later(120)));

        let failed = Err(Error::Nothing("sip.example.com".to_owned()));
        assert!(!names.note(&name, &failed, later(120)));
        assert_eq!(names.next(&name), Some(later(150)));
        assert_eq!(names.of(&name), ips(&["192.0.2.1"]));

        // A part adds; the same again is no change.
        assert!(names.note(&name, &answer(&["192.0.2.2"], false), later(150)));
        assert_eq!(names.of(&name).len(), 2);
        assert_eq!(names.next(&name), Some(later(180)));
        let both = answer(&["192.0.2.1", "192.0.2.2"], true);
        assert!(!names.note(&name, &both, later(180)));
    }

    #[test]
    fn a_lost_address_counts_for_one_more_ttl() {
        let start = Instant::now();
        let later = |seconds| start + Duration::from_secs(seconds);
        let name = Question::host("boss.dyndns.example");
        let mut names = Names::default();
        names.keep([name.clone()], start);
        names.note(&name, &answer(&["192.0.2.1"], true), start);
        assert!(names.note(&name, &answer(&["192.0.2.9"], true), later(120)));
        assert_eq!(names.of(&name), ips(&["192.0.2.1", "192.0.2.9"]));
        assert!(!names.sweep(later(239)));
        assert!(names.sweep(later(240)));
        assert_eq!(names.of(&name), ips(&["192.0.2.9"]));
        // One that comes back stays.
        names.note(&name, &answer(&["192.0.2.1"], true), later(240));
        names.note(&name, &answer(&["192.0.2.9"], true), later(250));
        assert!(names.sweep(later(900)));
        assert_eq!(names.of(&name), ips(&["192.0.2.9"]));
    }

    #[test]
    fn a_name_that_changes_all_the_time_is_bounded() {
        let start = Instant::now();
        let name = Question::host("restless.example");
        let mut names = Names::default();
        names.keep([name.clone()], start);
        for turn in 0..50 {
            let addresses: Vec<String> = (0..64).map(|n| format!("198.51.{turn}.{n}")).collect();
            let addresses: Vec<&str> = addresses.iter().map(String::as_str).collect();
            names.note(&name, &answer(&addresses, true), start);
            assert!(names.of(&name).len() <= 2 * MOST_ADDRESSES);
        }
    }

    #[test]
    fn names_come_and_go() {
        let now = Instant::now();
        let [a, b, c] = ["a.example", "b.example", "c.example"].map(Question::host);
        let mut names = Names::default();
        names.keep([a.clone(), b.clone()], now);
        names.note(&a, &answer(&["2001:db8::1"], true), now);
        names.keep([a.clone(), c.clone()], now);
        assert_eq!(names.due(now), [c]);
        assert!(!names.note(&b, &answer(&["192.0.2.1"], true), now));
        assert_eq!(names.addresses(Way::Host).len(), 2);
        assert_eq!(names.of(&a).len(), 1);
        assert!(names.addresses(Way::Sip).is_empty());
        // The same name of a trunk is another question.
        names.keep([a.clone(), Question::sip("a.example")], now);
        assert_eq!(names.addresses(Way::Sip)["a.example"].len(), 0);
    }

    #[test]
    fn what_was_known_before_a_restart_holds_until_an_answer() {
        let now = Instant::now();
        let name = Question::host("boss.example");
        let mut names = Names::default();
        names.keep([name.clone()], now);
        names.restore(&name, &ips(&["192.0.2.5", "192.0.2.4"]));
        assert_eq!(names.of(&name), ips(&["192.0.2.4", "192.0.2.5"]));
        assert!(names.due(now).contains(&name));
        names.note(&name, &answer(&["192.0.2.6"], true), now);
        names.sweep(now + GRACE);
        names.restore(&name, &ips(&["192.0.2.4"]));
        assert_eq!(names.of(&name), ips(&["192.0.2.6"]));
    }
}
