//! What is known of the source.

use super::Judge;
use super::spending::{of_source, take};
use crate::bench::{Bench, Cells, Trace, list_flags};
use crate::class::Class;
use crate::hash::mix;
use crate::limit::{Limit, State};
use crate::sip;
use crate::trust::{
    ANSWERS_WORD, ContactKey, Culprit, GOES_ON_WORD, INVITES_WORD, MOVING, SECOND, flow_hash, level,
};

/// Classes of messages that a solicited source may send: all but those that ask for a service of
/// ours.
const OPENED: u32 = 1 << Class::Invite as u32
    | 1 << Class::Options as u32
    | 1 << Class::Message as u32
    | 1 << Class::InDialogue as u32
    | 1 << Class::Other as u32
    | 1 << Class::Response as u32
    | 1 << Class::NewTcp as u32
    | 1 << Class::KeepAlive as u32;

/// Datagrams of sources that are not admitted that are read for what they may be part of.
const READ: Limit = Limit::new(2000, SECOND, 2000);

/// How many times as much as a stranger a solicited source may send.
const SOLICITED: u32 = 10;
/// How many times as much an account of ours that appears elsewhere.
const MOVED: u32 = 4;

impl<B: Bench> Judge<'_, B> {
    /// Whether the source is trusted for any of `bits`, of [`level`].
    #[inline(always)]
    pub(super) fn trusted_for(&self, bits: u8) -> bool {
        self.scan.verdict.trust & bits != 0
    }

    /// Looks up what is known of the source.
    #[inline(always)]
    pub(super) fn standing(&mut self) -> u32 {
        let source = self.scan.verdict.source;
        let now = self.now();
        let mut bits = 0;
        match self.bench.standing(&source) {
            Some(standing) => {
                self.scan.known.standing = *standing;
                if standing.registered(now) {
                    bits |= level::REGISTERED;
                }
                if standing.known_until > now {
                    bits |= level::KNOWN;
                }
                if standing.solicited(now) {
                    bits |= level::SOLICITED;
                }
                if standing.in_call(now) {
                    bits |= level::CALL;
                }
                if standing.emergency_until > now {
                    bits |= level::EMERGENCY;
                }
            }
            None => self.scan.known.standing.clear(),
        }
        if !source.is_v4() {
            let near = self.bench.standing(&source.subject());
            if near.is_some_and(|near| near.registered(now)) {
                bits |= level::NEAR;
            }
        }
        self.scan.verdict.accounts = self.scan.known.standing.accounts;
        self.scan.verdict.trust = bits;
        self.bench.trace(Trace::Trust(bits));
        u32::from(bits)
    }

    /// Whether the flow of a registered address is a registered one. Nothing.
    #[inline(always)]
    pub(super) fn flow_trust(&mut self) -> u32 {
        let verdict = &self.scan.verdict;
        let key = ContactKey::flow(verdict.source, verdict.protocol, verdict.source_port);
        self.take_contact(&key);
        self.scan.verdict.registered_flow = u8::from(self.trusted_for(level::FULL));
        0
    }

    /// Holds a malformed message against a registered flow.
    #[inline(always)]
    pub(super) fn doubt_flow(&mut self) {
        let flow = flow_hash(self.source_hash(), self.scan.verdict.source_port);
        let limit = self.tables.policy.trust.failures;
        self.rate_of(flow, of_source::DOUBT, &limit, true);
    }

    /// Whether the message names an account that is registered from the address. Nothing.
    #[inline(always)]
    pub(super) fn account_trust(&mut self) -> u32 {
        let users = [self.scan.known.from_user, self.scan.known.credentials_user];
        let mut n = 0;
        while n < users.len() {
            if users[n] != 0 {
                let key = ContactKey::account(self.scan.verdict.source, users[n]);
                self.take_contact(&key);
            }
            n += 1;
        }
        0
    }

    /// Full trust, where the contact is registered and not in doubt.
    #[inline(always)]
    fn take_contact(&mut self, key: &ContactKey) {
        let now = self.now();
        let Some(contact) = self.bench.contact(key) else {
            return;
        };
        if contact.until <= now {
            return;
        }
        let account = contact.account;
        let port = self.scan.verdict.source_port;
        let culprit = Culprit::new(self.source_hash(), 0, true, account, port);
        let limit = self.tables.policy.trust.failures;
        if self.rate_of(culprit.second, of_source::DOUBT, &limit, false) == State::Within {
            self.scan.verdict.trust |= level::FULL;
        }
    }

    /// Whether a request of an address where phones belong is within what it and its flow may send.
    #[inline(always)]
    pub(super) fn requests(&mut self) -> State {
        let per_account = self.tables.policy.trust.requests;
        let source = self.source_hash();
        let flow = flow_hash(source, self.scan.verdict.source_port);
        let one = per_account.shared_by(1);
        if self.spend_of(flow, of_source::REQUESTS, &one) != State::Within {
            return State::Over;
        }
        let accounts = self.scan.verdict.accounts;
        let all = per_account.shared_by(if accounts > 100_000 {
            100_000
        } else {
            accounts
        });
        self.spend_of(source, of_source::REQUESTS, &all)
    }

    /// Whether a packet that is not read is within what a registered flow may send.
    #[inline(always)]
    pub(super) fn packets(&mut self) -> State {
        let flow = flow_hash(self.source_hash(), self.scan.verdict.source_port);
        let limit = self.tables.policy.trust.requests.times(20);
        self.spend_of(flow, of_source::PACKETS, &limit)
    }

    /// Whether the source may send a message of this class to the service for what is known of it.
    #[inline(always)]
    pub(super) fn opened(&self, class: u8) -> bool {
        let solicited = self.trusted_for(level::SOLICITED) && OPENED >> (class & 31) & 1 == 1;
        solicited
            || self.trusted_for(level::REGISTERED | level::NEAR)
            || (self.trusted_for(level::KNOWN) && class == Class::Register as u8)
            || (self.trusted_for(level::KNOWN | level::CALL) && class == Class::NewTcp as u8)
    }

    /// Whether a datagram of a source that is not admitted may be read: it may be part of a dialogue,
    /// answer this host, be an emergency call, or ask for a registration that it had lately. A flood of forged ones
    /// is read up to a rate. In shadow mode all is: what passes is learned from.
    #[inline(always)]
    pub(super) fn may_belong(&mut self, first: u64) -> bool {
        if self.trusted_for(level::KNOWN | level::SOLICITED | level::CALL | level::EMERGENCY)
            || !self.enforced()
        {
            return true;
        }
        let calls = self.tables.policy.trust.emergency_count != 0
            && sip::glance(first) == Some(Class::Invite);
        let word = if sip::goes_on(first) {
            GOES_ON_WORD
        } else if sip::answers(first) {
            ANSWERS_WORD
        } else if calls {
            INVITES_WORD
        } else {
            return false;
        };
        let now = self.now();
        take(self.bench, Cells::Marks, word, &READ, now)
    }

    /// Whether a message of this class is a solicited source's.
    #[inline(always)]
    pub(super) fn solicited(&self) -> bool {
        self.trusted_for(level::SOLICITED) && OPENED >> (self.scan.verdict.class & 31) & 1 == 1
    }

    /// How many times a stranger's rate the message has.
    #[inline(always)]
    pub(super) fn credit(&self) -> u32 {
        if self.solicited() || self.is(list_flags::TRUNK) {
            SOLICITED
        } else if self.trusted_for(level::MOVING) {
            MOVED
        } else {
            1
        }
    }

    /// Whether the account is one of ours that appears at another address. Nothing.
    #[inline(always)]
    pub(super) fn account(&mut self) -> u32 {
        let digest = self.scan.known.to_user;
        let now = self.now();
        if digest == 0 {
            return 0;
        }
        match self.bench.account(digest) {
            Some(account) => self.scan.known.account = *account,
            None => return 0,
        }
        let account = &mut self.scan.known.account;
        if account.moved == 0 && account.address != self.scan.verdict.source.words() {
            account.moved = now;
            self.bench.set_account(digest, &self.scan.known.account);
        }
        let moved = self.scan.known.account.moved;
        if moved == 0 || now.wrapping_sub(moved) < MOVING {
            self.scan.verdict.trust |= level::MOVING;
        }
        0
    }

    /// Notes that the Call-ID was brought by a stranger, so that what this host sends on with it
    /// opens nothing. Nothing.
    #[inline(always)]
    pub(super) fn mark_strange(&mut self) {
        let (index, mark) = strange(self.tables.key.hash([self.scan.known.call, 0]));
        let word = mark | ((self.now() / SECOND) & 0xffff_ffff);
        let old = self.bench.cell(Cells::Strange, index);
        self.bench.swap_cell(Cells::Strange, index, old, word);
    }

    /// Whether a stranger brought the Call-ID within the last hours.
    #[inline(always)]
    pub(super) fn is_strange(&mut self) -> bool {
        let (index, mark) = strange(self.tables.key.hash([self.scan.known.call, 0]));
        let word = self.bench.cell(Cells::Strange, index);
        let seconds = (self.now() / SECOND) & 0xffff_ffff;
        word >> 32 << 32 == mark && seconds.wrapping_sub(word & 0xffff_ffff) < STRANGE_SECONDS
    }
}

/// Seconds for which a Call-ID is a stranger's.
const STRANGE_SECONDS: u64 = 12 * 3600;

#[inline(always)]
fn strange(hash: u64) -> (u32, u64) {
    let hash = mix(hash, 0x57a9);
    (
        hash as u32 & (Cells::Strange.words() - 1),
        (hash | 1 << 63) >> 32 << 32,
    )
}
