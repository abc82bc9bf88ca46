//! Tripwires that somebody here would fall over.

use std::fmt;
use std::net::IpAddr;

use jiff::{SignedDuration, Timestamp};
use ringfence_core::trust::account_digest;

use crate::config::{Tripwire, User};
use crate::store::Account;

/// How long an account is one that did not register again.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(30 * 24);

/// An account that a tripwire names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tripped {
    /// As it is written in the configuration.
    tripwire: String,
    /// The account, without what terminals obey.
    account: String,
    address: IpAddr,
    last: Timestamp,
    /// How many others there are.
    more: usize,
}

impl fmt::Display for Tripped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let last = self.last.strftime("%FT%TZ");
        write!(
            f,
            "the tripwire \"{}\" names an account: {} last registered from {} {last}",
            self.tripwire, self.account, self.address
        )?;
        if self.more > 0 {
            write!(f, ", and tripwires name {} more", self.more)?;
        }
        Ok(())
    }
}

impl Tripped {
    /// What to do about it.
    pub const REMEDY: &str = "take it out of `tripwires`, or name a smaller range; an account that is gone counts \
                              until it has not registered for 30 days";
}

/// The accounts of the last 30 days that tripwires name: the one that registered last, and how many others there are.
pub fn tripped<'a>(
    tripwires: &[Tripwire],
    accounts: impl Iterator<Item = &'a Account>,
    now: Timestamp,
) -> Option<Tripped> {
    let digests: Vec<_> = tripwires.iter().map(digest).collect();
    let caught = |account: &Account| {
        // A name that was cut off is known by its digest alone.
        let user = account.name.digest().map(|_| account.name.text());
        let user: Option<User> = user.and_then(|text| text.parse().ok());
        let mut wires = tripwires.iter().zip(&digests);
        let wire = wires.find(|(wire, digest)| {
            **digest == Some(account.digest) || user.as_ref().is_some_and(|user| wire.catches(user))
        });
        wire.map(|(wire, _)| wire.to_string())
    };
    let mut found: Option<Tripped> = None;
    for account in accounts.filter(|account| now.duration_since(account.last) < REMEMBERED) {
        let Some(tripwire) = caught(account) else {
            continue;
        };
        let more = found.as_ref().map_or(0, |found| found.more + 1);
        match &mut found {
            Some(found) if found.last >= account.last => found.more = more,
            _ => {
                found = Some(Tripped {
                    tripwire,
                    account: account.name.to_string(),
                    address: account.address,
                    last: account.last,
                    more,
                });
            }
        }
    }
    found
}

fn digest(tripwire: &Tripwire) -> Option<u64> {
    match tripwire {
        Tripwire::Name(user) => Some(account_digest(user.as_str().as_bytes())),
        Tripwire::Range(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Name;

    const NOW: i64 = 1_700_000_000;

    fn account(name: &str, day: i64) -> Account {
        Account {
            digest: account_digest(name.as_bytes()),
            name: Name::new(name),
            last: Timestamp::from_second(NOW - day * 86_400).unwrap(),
            address: [192, 0, 2, 7].into(),
        }
    }

    fn told(tripwires: &[&str], accounts: &[Account]) -> String {
        let wires: Vec<_> = tripwires.iter().map(|text| text.parse().unwrap()).collect();
        let now = Timestamp::from_second(NOW).unwrap();
        tripped(&wires, accounts.iter(), now).map_or_else(String::new, |found| found.to_string())
    }

    #[test]
    fn accounts_of_the_last_days_are_no_tripwires() {
        let long = "a-name-of-many-more-than-thirty-two-characters";
        let accounts = [
            account("9005", 2),
            account("9007", 1),
            account("admin", 31),
            account(long, 3),
            account("09006", 1),
        ];
        assert_eq!(
            told(&["root", "9000-9099"], &accounts),
            "the tripwire \"9000-9099\" names an account: 9007 last registered from 192.0.2.7 2023-11-13T22:13:20Z, \
             and tripwires name 1 more"
        );
        for quiet in [
            "admin",
            "9008-9099",
            "Admin",
            "a-name-of-many-more-than-thirty",
        ] {
            assert_eq!(told(&[quiet], &accounts), "");
        }
        assert!(told(&[long], &accounts).contains("names an account: a-name-of"));
    }
}
