//! Where accounts were accepted from: the one thing that names the real source of a registration.

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

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

    /// Who made a contact: the one whose REGISTER had its Call-ID, else the one at the address that the contact names.
    pub fn of_contact(
        &self,
        account: &str,
        call_id: Option<&str>,
        named: &[IpAddr],
        now: Instant,
    ) -> Option<&Auth> {
        let auths = self.accounts.get(account)?;
        let fresh = |auth: &&Auth| now.duration_since(auth.at) < LONGEST;
        let same = |auth: &&Auth| call_id.is_some() && auth.session.as_deref() == call_id;
        let there = |auth: &&Auth| named.contains(&auth.source.ip().to_canonical());
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
        let private = ["10.0.0.5".parse().unwrap()];
        let found = |call| auths.of_contact("1006", Some(call), &private, now);
        assert_eq!(
            found("call-a").unwrap().source,
            "198.51.100.6:5060".parse().unwrap()
        );
        assert_eq!(found("call-c"), None);
        let public = ["198.51.100.7".parse().unwrap()];
        let named = auths.of_contact("1006", None, &public, now).unwrap();
        assert_eq!(named.session.as_deref(), Some("call-b"));
        assert_eq!(auths.of_contact("1007", Some("call-a"), &public, now), None);
        let later = now + LONGEST;
        assert_eq!(
            auths.of_contact("1006", Some("call-a"), &public, later),
            None
        );
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
