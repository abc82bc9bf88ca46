//! Who is trusted, in numbers, and what went wrong with accounts: a part of the status.

use anyhow::Result;
use jiff::Timestamp;
use ringfence_core::trust::Standing;
use serde_json::{Value, json};

use super::state::Daemon;
use crate::control::listing::moment;
use crate::trust::{Broken, Clock, Guessed, Snapshot};

/// Accounts of one kind that people are shown; programs are given all.
const SHOWN: usize = 20;

impl Daemon {
    /// Lines for people, and the same for programs.
    pub(super) fn trust_status(&self) -> Result<(Vec<String>, Value)> {
        let clock = self.clock()?;
        let snapshot = self.snapshot()?;
        let [registered, solicited, known] = addresses(&snapshot, clock);
        let now = Timestamp::now();
        let memory = self.fence.memory()?;
        let guessed = self.trust.refusals.guessed(now);
        let others = |address, name: &_| self.trust.known.others_at(address, name);
        let broken = self.trust.refusals.broken(now, others);
        let mut lines = vec![
            format!(
                "addresses trusted: {registered} registered, {solicited} solicited, {known} known; accounts: {}",
                snapshot.accounts.len()
            ),
            format!(
                "it has learned who belongs since {}",
                moment(self.trust.since)
            ),
        ];
        let left_out = |count: usize| {
            let more = count.saturating_sub(SHOWN);
            (more > 0).then(|| format!("and {more} more"))
        };
        let domain = self.trust.strangers.known(now);
        lines.extend(domain.map(|known| known.text()));
        lines.extend(broken.iter().take(SHOWN).map(broken_line));
        lines.extend(left_out(broken.len()));
        lines.extend(guessed.iter().take(SHOWN).map(guessed_line));
        lines.extend(left_out(guessed.len()));
        lines.push(format!(
            "memory of the tables: {} MB",
            memory.div_ceil(1_000_000)
        ));
        let data = json!({
            "registered": registered, "solicited": solicited, "known": known,
            "accounts": snapshot.accounts.len(), "learning_since": self.trust.since,
            "longest_granted": self.trust.longest, "kernel_memory": memory,
            "domain_known": domain.map(|known| json!({ "sources": known.sources, "since": known.since })),
            "broken": broken.iter().map(|broken| json!({
                "account": broken.name.text(), "address": broken.address, "port": broken.port,
                "refused": broken.refused, "nobody": broken.nobody,
            })).collect::<Vec<_>>(),
            "guessed": guessed.iter().map(|guessed| json!({
                "account": guessed.name.text(), "sources": guessed.sources, "refused": guessed.refused,
            })).collect::<Vec<_>>(),
        });
        Ok((lines, data))
    }
}

/// Addresses that are registered, those that are solicited and not registered, and those that are only known.
fn addresses(snapshot: &Snapshot, clock: Clock) -> [usize; 3] {
    let mut counts = [0; 3];
    for (address, standing) in &snapshot.standings {
        let Standing {
            registered_until,
            known_until,
            solicited_until,
            ..
        } = *standing;
        // The network of an IPv6 address is no address of its own.
        let net = !address.is_v4() && address.subject() == *address;
        if net && known_until == 0 && solicited_until == 0 {
            continue;
        }
        let levels = [registered_until, solicited_until, known_until];
        if let Some(level) = levels.iter().position(|until| *until > clock.boot) {
            counts[level] += 1;
        }
    }
    counts
}

fn broken_line(broken: &Broken) -> String {
    let why = if broken.nobody {
        "there is no such account"
    } else {
        "its password is wrong"
    };
    format!(
        "account {} at {} port {}: {} refused in 10 minutes; {why}",
        broken.name, broken.address, broken.port, broken.refused
    )
}

fn guessed_line(guessed: &Guessed) -> String {
    format!(
        "account {}: its password is being guessed, {} refused in 10 minutes from {} or more addresses",
        guessed.name, guessed.refused, guessed.sources
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Name;
    use crate::tables;

    #[test]
    fn each_address_counts_once() {
        let clock = Clock {
            boot: 1000,
            wall: Timestamp::UNIX_EPOCH,
        };
        let standing = |registered_until, solicited_until, known_until| Standing {
            registered_until,
            solicited_until,
            known_until,
            ..Standing::default()
        };
        let of = |text: &str, standing| (tables::address(text.parse().unwrap()), standing);
        let snapshot = Snapshot {
            standings: vec![
                of("192.0.2.1", standing(2000, 2000, 3000)),
                of("192.0.2.2", standing(500, 0, 3000)),
                of("192.0.2.3", standing(0, 2000, 0)),
                of("192.0.2.4", standing(500, 500, 500)),
                of("2001:db8::", standing(2000, 0, 0)),
                of("2001:db8::1", standing(2000, 0, 3000)),
            ],
            ..Snapshot::default()
        };
        assert_eq!(addresses(&snapshot, clock), [2, 1, 1]);
    }

    #[test]
    fn accounts_are_named_without_what_terminals_obey() {
        let broken = Broken {
            name: Name::new("1007\u{1b}[2J"),
            address: [203, 0, 113, 9].into(),
            port: 5071,
            refused: 34,
            nobody: false,
        };
        assert_eq!(
            broken_line(&broken),
            "account 1007\\u{1b}[2J at 203.0.113.9 port 5071: 34 refused in 10 minutes; its password is wrong"
        );
    }
}
