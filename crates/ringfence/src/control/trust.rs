//! Who is trusted, as the daemon shows it, or without one the command line.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::Answer;
use super::listing::{lines, moment};
use crate::store;
use crate::trust::{Clock, Holder, Known, holders, restore};

/// Accounts that are named in a line for people.
const NAMED: usize = 5;

/// Who was trusted when it was last stored, and still is.
pub fn stored(trust: store::Trust, now: Timestamp) -> Vec<Holder> {
    let known = Known::new(trust);
    // Any clock that is old enough.
    let clock = Clock {
        boot: 1 << 62,
        wall: now,
    };
    holders(&restore(&known, clock, |_| 0), &known, clock)
}

/// The addresses that are trusted.
pub fn listed(holders: &[Holder]) -> Answer {
    Answer::done(
        lines(holders.iter().map(line)),
        holders.iter().map(data).collect(),
    )
}

/// One of them in a line for people.
pub fn line(holder: &Holder) -> String {
    let mut line = format!("{} {}", holder.address, holder.why.join(", "));
    let accounts = &holder.accounts;
    if !accounts.is_empty() {
        let named: Vec<_> = accounts
            .iter()
            .take(NAMED)
            .map(ToString::to_string)
            .collect();
        let more = accounts.len().saturating_sub(NAMED);
        let more = if more > 0 {
            format!(" and {more} more")
        } else {
            String::new()
        };
        line.push_str(&format!(", as {}{more}", named.join(", ")));
    }
    if holder.contacts > 0 {
        line.push_str(&format!(", contacts: {}", holder.contacts));
    }
    if holder.calls > 0 {
        line.push_str(&format!(", calls: {}", holder.calls));
    }
    if let Some(since) = holder.since {
        line.push_str(&format!(", since {}", moment(since)));
    }
    if let Some(until) = holder.until {
        line.push_str(&format!(", until {}", moment(until)));
    }
    if let Some(allowed) = holder.allowed() {
        line.push_str(&format!(", {allowed} requests in 10 s"));
    }
    line
}

/// The same for programs.
pub fn data(holder: &Holder) -> Value {
    let accounts: Vec<_> = holder.accounts.iter().map(store::Name::text).collect();
    json!({
        "address": holder.address, "why": holder.why, "accounts": accounts, "contacts": holder.contacts,
        "calls": holder.calls, "since": holder.since, "until": holder.until,
        "requests_in_10s": holder.allowed(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Name, Standing, Trust};

    #[test]
    fn what_was_stored_is_told_without_a_daemon() {
        let at = |second: i64| Timestamp::from_second(1_700_000_000 + second).unwrap();
        let trust = Trust {
            standings: vec![Standing {
                address: [192, 0, 2, 7].into(),
                since: at(-100),
                known_until: None,
                solicited_until: Some(at(60)),
            }],
            ..Trust::default()
        };
        let holders = stored(trust, at(0));
        assert_eq!(
            line(&holders[0]),
            "192.0.2.7 solicited, since 2023-11-14T22:11:40Z, until 2023-11-14T22:14:20Z"
        );
        let office = Holder {
            why: vec!["registered"],
            accounts: (1..=7).map(|n| Name::new(&n.to_string())).collect(),
            contacts: 7,
            since: None,
            until: None,
            ..holders[0].clone()
        };
        assert_eq!(
            line(&office),
            "192.0.2.7 registered, as 1, 2, 3, 4, 5 and 2 more, contacts: 7, 80 requests in 10 s"
        );
        assert_eq!(data(&office)["requests_in_10s"], 80);
    }
}
