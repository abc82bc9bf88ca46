//! Registrations that the server tells of: the only way where the SIP is hidden, and a second witness elsewhere.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Result;
use ringfence_core::trust::{Account, Contact, ContactKey, GRACE, LONGEST};
use tracing::info;

use super::state::Daemon;
use crate::asterisk::security::Transport;
use crate::config::{Period, Protocol};
use crate::store::Name;
use crate::tables;

/// A registration, as the server tells of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Registered {
    /// The account.
    pub account: String,
    /// Where its packets come from.
    pub source: SocketAddr,
    /// What carries them; None for IAX2.
    pub transport: Option<Transport>,
    /// Port of ours.
    pub port: u16,
    /// For how long it holds from now on.
    pub granted: Duration,
}

impl Daemon {
    /// Trusts who registered, as the judge does where it reads the answer; whether that was news.
    pub(super) fn register(&mut self, told: &Registered) -> Result<bool> {
        let name = Name::new(&told.account);
        let Some(digest) = name.digest() else {
            return Ok(false);
        };
        let (protocol, number) = match told.transport {
            Some(Transport::Udp) | None => (Protocol::Udp, 17),
            Some(_) => (Protocol::Tcp, 6),
        };
        let now = self.clock()?.boot;
        let seconds = told.granted.as_secs().min(LONGEST);
        let until = now
            .saturating_add(seconds.saturating_mul(1_000_000_000))
            .saturating_add(GRACE);
        let address = tables::address(told.source.ip());
        let key = ContactKey::account(address, digest);
        let known = self.fence.contact(key)?.filter(|held| held.until > now);
        // What the packets taught is as good, and what differs by so little is no news.
        if known
            .as_ref()
            .is_some_and(|held| held.until.saturating_add(GRACE) >= until)
        {
            return Ok(false);
        }
        let service = self.service_at(protocol, told.port).unwrap_or(0);
        let granted = u32::try_from(seconds).unwrap_or(u32::MAX);
        let contact = Contact {
            until,
            since: known.as_ref().map_or(now, |held| held.since),
            account: key.of,
            name: name.words(),
            granted,
            port: told.source.port(),
            protocol: number,
            service: u8::try_from(service).unwrap_or(0),
        };
        self.fence.set_contact(key, Some(&contact))?;
        if contact.port != 0 {
            let flow = ContactKey::flow(address, number, contact.port);
            self.fence.set_contact(flow, Some(&contact))?;
        }
        let mut standing = self
            .fence
            .standing(address)?
            .map(|held| *held)
            .unwrap_or_default();
        if standing.since == 0 {
            standing.since = now;
        }
        if !standing.registered(now) {
            standing.accounts = 0;
        }
        if known.is_none() {
            standing.accounts = standing.accounts.saturating_add(1);
        }
        standing.lengthen(until, granted);
        self.fence.set_standing(address, Some(&standing))?;
        if !address.is_v4() {
            let net = address.subject();
            let mut standing = self
                .fence
                .standing(net)?
                .map(|held| *held)
                .unwrap_or_default();
            standing.lengthen(until, granted);
            self.fence.set_standing(net, Some(&standing))?;
        }
        let account = Account {
            moved: 0,
            last: now,
            address: address.words(),
            name: name.words(),
        };
        self.fence.set_account(key.of, Some(&account))?;
        if known.is_none() {
            // What was held against the address was a phone that did not know its password yet.
            self.fence.forgive(address, &[])?;
            let granted = Period::from(Duration::from_secs(seconds));
            let source = told.source;
            info!("{name} is registered from {source} for {granted}: the server says so");
            let subject = tables::subject(source.ip());
            self.trust.drops.note_registered(subject, name);
        }
        Ok(known.is_none())
    }
}
