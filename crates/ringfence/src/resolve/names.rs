//! The last good answer of each name.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Instant;

use super::{Answer, Error, MOST_ADDRESSES, SHORTEST};

/// What is known of a name.
#[derive(Debug)]
struct Known {
    addresses: Vec<IpAddr>,
    due: Instant,
}

/// The names of all trunks with their addresses. A look-up that fails changes no address: a
/// provider is not shut out because a name server is down.
#[derive(Debug, Default)]
pub struct Names {
    known: BTreeMap<String, Known>,
}

impl Names {
    /// Takes these names and no others; new ones are due at once, the rest keep their addresses.
    pub fn keep(&mut self, hosts: impl IntoIterator<Item = String>, now: Instant) {
        let mut before = std::mem::take(&mut self.known);
        for host in hosts {
            let known = before.remove(&host).unwrap_or(Known {
                addresses: Vec::new(),
                due: now,
            });
            self.known.insert(host, known);
        }
    }

    /// The names to look up now.
    pub fn due(&self, now: Instant) -> Vec<String> {
        let due = self.known.iter().filter(|(_, known)| known.due <= now);
        due.map(|(host, _)| host.clone()).collect()
    }

    /// When the next name is due; `None` without names.
    pub fn next(&self) -> Option<Instant> {
        self.known.values().map(|known| known.due).min()
    }

    /// Notes the outcome of a look-up; whether the addresses changed. An answer to a part of the
    /// questions adds addresses and takes none away.
    pub fn note(&mut self, host: &str, outcome: &Result<Answer, Error>, now: Instant) -> bool {
        let Some(known) = self.known.get_mut(host) else {
            return false;
        };
        let Ok(answer) = outcome else {
            known.due = now + SHORTEST;
            return false;
        };
        let mut addresses = answer.addresses.clone();
        known.due = now + answer.valid_for;
        if !answer.whole {
            known.due = now + SHORTEST;
            let kept = known
                .addresses
                .iter()
                .filter(|a| !answer.addresses.contains(a));
            addresses.extend(kept);
            addresses.truncate(MOST_ADDRESSES);
            addresses.sort_unstable();
        }
        let changed = known.addresses != addresses;
        known.addresses = addresses;
        changed
    }

    /// All names with the addresses of their last good answer; those never answered are empty.
    pub fn addresses(&self) -> BTreeMap<String, Vec<IpAddr>> {
        let all = self.known.iter();
        all.map(|(host, known)| (host.clone(), known.addresses.clone()))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn answer(addresses: &[&str], whole: bool) -> Result<Answer, Error> {
        Ok(Answer {
            addresses: addresses.iter().map(|a| a.parse().unwrap()).collect(),
            valid_for: Duration::from_secs(300),
            whole,
            left_out: 0,
        })
    }

    #[test]
    fn a_failure_keeps_the_last_answer() {
        let start = Instant::now();
        let later = |seconds| start + Duration::from_secs(seconds);
        let mut names = Names::default();
        assert_eq!(names.next(), None);
        names.keep(["sip.example.com".to_owned()], start);
        assert_eq!(names.due(start), ["sip.example.com"]);
        assert!(names.note("sip.example.com", &answer(&["192.0.2.1"], true), start));
        assert!(names.due(later(299)).is_empty());
        assert_eq!(names.next(), Some(later(300)));

        let failed = Err(Error::Nothing("sip.example.com".to_owned()));
        assert!(!names.note("sip.example.com", &failed, later(300)));
        assert_eq!(names.next(), Some(later(330)));
        let known = ["192.0.2.1".parse::<IpAddr>().unwrap()];
        assert_eq!(names.addresses()["sip.example.com"], known);

        // A part adds; the whole replaces; the same again is no change.
        assert!(names.note(
            "sip.example.com",
            &answer(&["192.0.2.2"], false),
            later(330)
        ));
        assert_eq!(names.addresses()["sip.example.com"].len(), 2);
        assert_eq!(names.next(), Some(later(360)));
        assert!(names.note("sip.example.com", &answer(&["192.0.2.1"], true), later(360)));
        assert!(!names.note("sip.example.com", &answer(&["192.0.2.1"], true), later(660)));
        assert_eq!(names.addresses()["sip.example.com"], known);
    }

    #[test]
    fn names_come_and_go() {
        let now = Instant::now();
        let mut names = Names::default();
        names.keep(["a.example".to_owned(), "b.example".to_owned()], now);
        names.note("a.example", &answer(&["2001:db8::1"], true), now);
        names.keep(["a.example".to_owned(), "c.example".to_owned()], now);
        assert_eq!(names.due(now), ["c.example"]);
        assert!(!names.note("b.example", &answer(&["192.0.2.1"], true), now));
        assert_eq!(names.addresses().len(), 2);
        assert_eq!(names.addresses()["a.example"].len(), 1);
    }
}
