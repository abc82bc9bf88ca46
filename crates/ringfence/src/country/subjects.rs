//! Who is looked after when country data changes: the permitted, trunks, and those who are trusted.

use std::net::IpAddr;

use jiff::Timestamp;

use super::policy::{Subject, Who};
use crate::config::{Config, Host};
use crate::store::{ListKind, Standing};
use crate::tables::Inputs;
use crate::trust::Known;

/// Subjects in all at most; of more, those that come first in order of their need: the trusted, trunks, the permitted.
const MOST: usize = 100_000;

/// Gathers them from the configuration, the operator's lists and resolved names in `inputs`, and from what is trusted at
/// `now`. Those who pass whatever their country, since they are permitted or a trunk, are none of the trusted.
pub fn subjects(config: &Config, inputs: &Inputs, known: &Known, now: Timestamp) -> Vec<Subject> {
    let mut passing: Vec<Subject> = Vec::new();
    for trunk in &config.trunks {
        for host in &trunk.hosts {
            let who = Who::Trunk(trunk.name.clone());
            match host {
                Host::Range(range) => passing.push(fixed(range.first(), range.last(), who)),
                Host::Name(name) => {
                    let resolved = inputs.resolved.get(&name.to_string());
                    let addresses = resolved.into_iter().flatten();
                    passing.extend(addresses.map(|at| fixed(*at, *at, who.clone())));
                }
            }
        }
    }
    for entry in &config.permit {
        let who = Who::Permitted(entry.comment.clone().unwrap_or_default());
        passing.push(fixed(entry.range.first(), entry.range.last(), who));
    }
    let permitted = inputs
        .operator
        .iter()
        .filter(|(kind, _)| *kind == ListKind::Permit);
    for (_, range) in permitted {
        let who = Who::Permitted("by command".into());
        passing.push(fixed(range.first(), range.last(), who));
    }
    let passes = Ranges::of(&passing);
    let mut subjects = trusted(known, now);
    subjects.retain(|subject| !passes.hold(subject.range.0));
    subjects.extend(passing);
    subjects.truncate(MOST);
    subjects
}

fn trusted(known: &Known, now: Timestamp) -> Vec<Subject> {
    let mut subjects = Vec::new();
    for row in known.registrations.values().filter(|row| row.until > now) {
        let service = Some(row.service.clone()).filter(|name| !name.is_empty());
        let who = Who::Registered(row.name.to_string());
        // One registration may have two rows, by its flow and by its name; rows of one address lie side by side.
        let side_by_side = subjects.iter_mut().rev();
        let mut side_by_side =
            side_by_side.take_while(|one: &&mut Subject| one.range.0 == row.address);
        match side_by_side.find(|one| one.who == who && one.service == service) {
            Some(one) => one.until = one.until.max(Some(row.until)),
            None => subjects.push(Subject {
                service,
                until: Some(row.until),
                ..fixed(row.address, row.address, who)
            }),
        }
    }
    for row in known.standings.values() {
        subjects.extend(standing(row, known, now));
    }
    subjects
}

fn standing(row: &Standing, known: &Known, now: Timestamp) -> Option<Subject> {
    let holds = |until: Option<Timestamp>| until.filter(|until| *until > now);
    if known.at(row.address).any(|(_, row)| row.until > now) {
        return None;
    }
    let (who, until) = match (holds(row.known_until), holds(row.solicited_until)) {
        (Some(until), _) => (Who::Known, until),
        (None, Some(until)) => (Who::Solicited, until),
        (None, None) => return None,
    };
    Some(Subject {
        until: Some(until),
        ..fixed(row.address, row.address, who)
    })
}

/// Ranges, to be asked whether any of them holds an address.
struct Ranges(Vec<(IpAddr, IpAddr)>);

impl Ranges {
    fn of(subjects: &[Subject]) -> Self {
        let mut ranges: Vec<_> = subjects.iter().map(|subject| subject.range).collect();
        ranges.sort_unstable();
        // To each the furthest end up to it. No IPv4 address comes after one of IPv6.
        let mut furthest = None;
        for (_, last) in &mut ranges {
            furthest = furthest.max(Some(*last));
            *last = furthest.unwrap_or(*last);
        }
        Self(ranges)
    }

    fn hold(&self, address: IpAddr) -> bool {
        let after = self.0.partition_point(|(first, _)| *first <= address);
        let before = after.checked_sub(1).and_then(|at| self.0.get(at));
        before.is_some_and(|(_, last)| address <= *last)
    }
}

fn fixed(first: IpAddr, last: IpAddr, who: Who) -> Subject {
    Subject {
        range: (first, last),
        who,
        service: None,
        until: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Name, Registration, Trust};

    #[test]
    fn each_is_named_once_and_those_who_pass_anyway_by_what_lets_them() {
        let config = Config::parse(
            "permit = [\"198.51.100.0/24\"]\n[[trunk]]\nname = \"t\"\nhosts = [\"sip.t.example\", \"203.0.113.0/28\"]\n",
            "r.toml",
        )
        .unwrap();
        let mut inputs = Inputs::default();
        let resolved = vec![[192, 0, 2, 99].into()];
        inputs.resolved.insert("sip.t.example".into(), resolved);
        let now = Timestamp::from_second(1_000_000).unwrap();
        let after = |seconds: i64| Timestamp::from_second(1_000_000 + seconds).unwrap();
        let row = |address: &str, found_by, name: &str, left| Registration {
            address: address.parse().unwrap(),
            found_by,
            account: 1,
            name: Name::new(name),
            protocol: 17,
            port: 5060,
            service: "sip".into(),
            since: now,
            until: after(left),
            granted: 60,
        };
        let standing = |address: &str, known, solicited| Standing {
            address: address.parse().unwrap(),
            since: now,
            known_until: Some(after(known)),
            solicited_until: Some(after(solicited)),
        };
        let known = Known::new(Trust {
            registrations: vec![
                row("192.0.2.1", 1, "alice", 60),
                row("192.0.2.1", 2, "alice", 90),
                row("192.0.2.1", 3, "bob", 60),
                row("198.51.100.7", 1, "carol", 60),
                row("192.0.2.2", 1, "dave", -60),
            ],
            standings: vec![
                standing("192.0.2.1", 60, 60),
                standing("192.0.2.2", 60, 60),
                standing("192.0.2.3", -1, 60),
                standing("192.0.2.4", -1, -1),
            ],
            accounts: Vec::new(),
        });
        let found = subjects(&config, &inputs, &known, now);
        let told: Vec<_> = found
            .iter()
            .map(|one| format!("{} {:?}", one.range.0, one.who))
            .collect();
        let expected = [
            "192.0.2.1 Registered(\"alice\")",
            "192.0.2.1 Registered(\"bob\")",
            "192.0.2.2 Known",
            "192.0.2.3 Solicited",
            "192.0.2.99 Trunk(\"t\")",
            "203.0.113.0 Trunk(\"t\")",
            "198.51.100.0 Permitted(\"\")",
        ];
        assert_eq!(told, expected);
        assert_eq!(found[0].until, Some(after(90)));
    }
}
