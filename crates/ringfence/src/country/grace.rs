//! What becomes of phones that newer data would put outside the admitted countries: each is permitted for a while, so that
//! people have time to look.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv6Addr};

use jiff::{SignedDuration, Timestamp};

use super::CountryError;
use super::policy::{Admitted, Affected, Subject, affected};
use super::report::GRACE_DAYS;
use super::shelf::Shelf;
use crate::store::{ListEntry, ListKind};

/// Permits of one change at most; who is above it is told, and meets the fence when its trust runs out.
const MOST: usize = 1000;

/// Who is looked after before downloaded data is put in force.
#[derive(Debug)]
pub struct Care {
    /// The data.
    pub source: String,
    /// Whom it matters to.
    pub affected: Vec<Affected>,
    /// Entries of the permit list that keep phones in.
    pub permits: Vec<ListEntry>,
}

/// Looks whom the data on the shelf matters to, held against the data that was put in force last; None where they are the
/// same.
///
/// # Errors
/// When one of them cannot be read.
pub fn care(
    shelf: &Shelf,
    admitted: &Admitted,
    subjects: &[Subject],
    now: Timestamp,
) -> Result<Option<Care>, CountryError> {
    let current = shelf.index().current;
    if shelf.is_settled(current.as_ref()) {
        return Ok(None);
    }
    let before = shelf.settled()?;
    let after = shelf.load_or_builtin(current.as_ref())?;
    let affected = affected(&before, &after, admitted, subjects);
    Ok(Some(Care {
        permits: permits(&affected, now),
        source: after.source,
        affected,
    }))
}

/// The entries that keep them in: an address of IPv4, or the /64 of an IPv6 address, each once.
fn permits(affected: &[Affected], now: Timestamp) -> Vec<ListEntry> {
    let expires = now
        .checked_add(SignedDuration::from_hours(GRACE_DAYS * 24))
        .ok();
    let date = now.strftime("%F");
    let mut seen = BTreeSet::new();
    let mut permits = Vec::new();
    for one in affected.iter().filter(|one| one.is_cut_off()) {
        let (first, last) = of(one.address);
        if permits.len() >= MOST || !seen.insert(first) {
            continue;
        }
        permits.push(ListEntry {
            list: ListKind::Permit,
            first,
            last,
            comment: format!(
                "country data moved it from {} to {} on {date}",
                one.before.code(),
                one.after.code()
            ),
            added: now,
            expires,
        });
    }
    permits
}

fn of(address: IpAddr) -> (IpAddr, IpAddr) {
    match address {
        IpAddr::V4(_) => (address, address),
        IpAddr::V6(v6) => {
            let first = v6.to_bits() >> 64 << 64;
            let last = first | u128::from(u64::MAX);
            (
                Ipv6Addr::from_bits(first).into(),
                Ipv6Addr::from_bits(last).into(),
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::country::{Country, Who};

    #[test]
    fn phones_are_permitted_and_others_need_it_not() {
        let one = |address: &str, who: Who, loses| {
            let address: IpAddr = address.parse().unwrap();
            Affected {
                subject: Subject {
                    range: (address, address),
                    who,
                    service: None,
                    until: None,
                },
                address,
                before: Country::from_code("GB").unwrap(),
                after: Country::from_code("US").unwrap(),
                loses,
            }
        };
        let phone = |name: &str| Who::Registered(name.to_owned());
        let found = permits(
            &[
                one("192.0.2.1", phone("alice"), true),
                one("192.0.2.1", phone("bob"), true),
                one("2001:db8::7", Who::Known, true),
                one("192.0.2.2", phone("carol"), false),
                one("192.0.2.3", Who::Solicited, true),
                one("192.0.2.4", Who::Trunk("t".into()), true),
            ],
            Timestamp::UNIX_EPOCH,
        );
        let told: Vec<_> = found
            .iter()
            .map(|entry| format!("{}-{}", entry.first, entry.last))
            .collect();
        let expected = [
            "192.0.2.1-192.0.2.1",
            "2001:db8::-2001:db8::ffff:ffff:ffff:ffff",
        ];
        assert_eq!(told, expected);
        assert_eq!(
            found[0].comment,
            "country data moved it from GB to US on 1970-01-01"
        );
        assert_eq!(found[0].expires.unwrap().as_second(), 30 * 86_400);
    }
}
