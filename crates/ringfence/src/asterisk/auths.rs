//! Where accounts were accepted from: the one thing that names the real source of a registration.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::inventory::Contact;
use super::security::{Finding, Transport};

/// Accounts that are remembered; the oldest give way.
const ACCOUNTS: usize = 20_000;
/// Addresses of one account that are remembered.
const EACH: usize = 16;
/// A contact lives no longer than it was granted for, a day at most.
const LONGEST: Duration = Duration::from_secs(86_400);

/// Credentials of an account that were accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Auth {
    /// The session: the Call-ID of PJSIP.
    pub session: Option<String>,
    /// Whom it was accepted from.
    pub source: SocketAddr,
    /// Over what.
    pub transport: Transport,
    /// Our end.
    pub local: SocketAddr,
    /// When.
    pub at: Instant,
}

/// What was accepted of late, within bounds whatever strangers do: they have no accounts.
#[derive(Debug, Default)]
pub struct Auths {
    accounts: BTreeMap<String, VecDeque<Auth>>,
    order: VecDeque<String>,
}

impl Auths {
    /// Notes accepted credentials; None where it is not known whose or whence.
    pub fn note(&mut self, finding: &Finding, now: Instant) -> Option<&Auth> {
        let account = finding.account.clone()?;
        let auth = Auth {
            session: finding.session.clone(),
            source: finding.source,
            transport: finding.transport?,
            local: finding.local?,
            at: now,
        };
        if !self.accounts.contains_key(&account) {
            if self.accounts.len() >= ACCOUNTS
                && let Some(oldest) = self.order.pop_front()
            {
                self.accounts.remove(&oldest);
            }
            self.order.push_back(account.clone());
        }
        let auths = self.accounts.entry(account).or_default();
        // A phone has one registration at a time; its calls have other Call-IDs.
        auths.retain(|old| old.source != auth.source || old.session != auth.session);
        if auths.len() >= EACH {
            auths.pop_front();
        }
        auths.push_back(auth);
        auths.back()
    }

    /// Who made a contact of an endpoint: the one whose REGISTER had its Call-ID, else the one at the address that the
    /// contact names. PJSIP names the endpoint where it accepts credentials, others the peer.
    pub fn of_contact(&self, endpoint: &str, contact: &Contact, now: Instant) -> Option<&Auth> {
        let mut names = [endpoint, contact.aor.as_str()].into_iter();
        names.find_map(|name| self.of_account(name, contact, now))
    }

    fn of_account(&self, account: &str, contact: &Contact, now: Instant) -> Option<&Auth> {
        let auths = self.accounts.get(account)?;
        let (call_id, named) = (contact.call_id.as_deref(), [contact.address, contact.via]);
        let fresh = |auth: &&Auth| now.duration_since(auth.at) < LONGEST;
        let same = |auth: &&Auth| call_id.is_some() && auth.session.as_deref() == call_id;
        let there = |auth: &&Auth| named.contains(&Some(auth.source.ip().to_canonical()));
        let mut found = auths.iter().rev().filter(fresh);
        found.clone().find(same).or_else(|| found.find(there))
    }

    /// The last that was accepted for an account within a time.
    pub fn last(&self, account: &str, within: Duration, now: Instant) -> Option<&Auth> {
        let last = self.accounts.get(account)?.back()?;
        (now.duration_since(last.at) <= within).then_some(last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::asterisk::inventory::recorded::{Recorded, asked};
    use crate::asterisk::security::CountsAs;

    fn accepted(account: &str, source: &str, session: &str) -> Finding {
        Finding {
            counts_as: CountsAs::Authenticated { password: true },
            source: source.parse().unwrap(),
            transport: Some(Transport::Tls),
            local: "192.0.2.10:5061".parse().ok(),
            account: Some(account.into()),
            session: Some(session.into()),
            service: "PJSIP".into(),
        }
    }

    #[test]
    fn a_phone_behind_nat_is_found_by_its_call_id() {
        let (mut auths, now) = (Auths::default(), Instant::now());
        auths.note(&accepted("1006", "198.51.100.6:5060", "call-a"), now);
        auths.note(&accepted("1006", "198.51.100.7:5060", "call-b"), now);
        let contact = |aor: &str, address: &str, call: Option<&str>| {
            let mut contact = asked(&Recorded::new_pbx())
                .contacts()
                .next()
                .unwrap()
                .1
                .clone();
            contact.aor = aor.into();
            (contact.address, contact.via) = (address.parse().ok(), None);
            contact.call_id = call.map(str::to_owned);
            contact
        };
        let found = |endpoint: &str, contact: &Contact, now| {
            let auth = auths.of_contact(endpoint, contact, now);
            auth.map(|auth| auth.source.to_string())
        };
        let first = contact("1006", "10.0.0.5", Some("call-a"));
        let source = Some("198.51.100.6:5060".to_owned());
        assert_eq!(found("1006", &first, now), source);
        // An endpoint may have an address of record of another name.
        let sales = contact("sales", "10.0.0.5", Some("call-a"));
        assert_eq!(found("1006", &sales, now), source);
        assert_eq!(found("sales", &sales, now), None);
        let unknown = contact("1006", "10.0.0.5", Some("call-c"));
        assert_eq!(found("1006", &unknown, now), None);
        let public = contact("1006", "198.51.100.7", None);
        assert_eq!(
            found("1006", &public, now).as_deref(),
            Some("198.51.100.7:5060")
        );
        let other = contact("1007", "198.51.100.7", Some("call-a"));
        assert_eq!(found("1007", &other, now), None);
        assert_eq!(found("1006", &first, now + LONGEST), None);
    }

    #[test]
    fn accounts_and_addresses_are_bounded() {
        let (mut auths, now) = (Auths::default(), Instant::now());
        for number in 0..ACCOUNTS + 10 {
            auths.note(
                &accepted(&number.to_string(), "198.51.100.6:5060", "c"),
                now,
            );
        }
        assert_eq!(auths.accounts.len(), ACCOUNTS);
        for port in 1..100 {
            let source = format!("198.51.100.6:{port}");
            auths.note(&accepted("x", &source, "c"), now);
        }
        assert_eq!(auths.accounts["x"].len(), EACH);
    }
}
