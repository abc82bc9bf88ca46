//! The order of judgement (`docs/order-of-judgement.md`): cheap before dear, certain before likely.

mod datagram;
mod greeting;
mod message;
mod spending;
mod stream;

use crate::address::Address;
use crate::automaton::Action as SignatureAction;
use crate::bench::{Ban, Bench, Cause, Cells, Tables, Trace, list_flags};
use crate::hash::Key;
use crate::limit::State;
use crate::packet::{self, Fragment, Link, Network, protocol};
use crate::policy::{Admission, Service, policy_flags};
use crate::reason::{Action, Reason};
use crate::scan::Scan;

use spending::what;

/// First bytes that the first fragment of a real datagram has at least: RFC 791 lets every link
/// carry 576.
const FIRST_FRAGMENT: u32 = 512;

/// A packet on its way through the questions.
struct Judge<'a, B> {
    bench: &'a mut B,
    tables: Tables<'a>,
    scan: &'a mut Scan,
}

/// Judges a frame that came in on the `interface`-th guarded interface. The verdict lies in `scan`.
#[inline(always)]
pub fn judge<B: Bench>(
    bench: &mut B,
    tables: Tables<'_>,
    scan: &mut Scan,
    interface: u32,
    link: Link,
) {
    scan.verdict.begin(interface, link);
    let mut judge = Judge {
        bench,
        tables,
        scan,
    };
    let reason = judge.decide();
    judge.scan.verdict.set_reason(reason);
    if reason.action() == Action::Drop {
        judge.consequences(reason);
        if judge.enforced() {
            judge.scan.verdict.set_dropped();
        }
    }
}

impl<'a, B: Bench> Judge<'a, B> {
    /// The time, asked for once.
    #[inline(always)]
    fn now(&mut self) -> u64 {
        if self.scan.verdict.now == 0 {
            self.scan.verdict.now = self.bench.now();
        }
        self.scan.verdict.now
    }

    /// The keyed hash of the source, computed once.
    #[inline(always)]
    fn source_hash(&mut self) -> u64 {
        if self.scan.verdict.source_hash == 0 {
            let subject = self.scan.verdict.source.subject();
            self.scan.verdict.source_hash = self.tables.key.hash(subject.words()) | 1;
        }
        self.scan.verdict.source_hash
    }

    #[inline(always)]
    fn is(&self, flags: u32) -> bool {
        self.scan.verdict.listed & flags != 0
    }

    /// Whether drops are real: a trial whose time is over is shadow again.
    #[inline(always)]
    fn enforced(&mut self) -> bool {
        let policy = self.tables.policy;
        policy.mode == 1 && (policy.enforce_until == 0 || self.now() < policy.enforce_until)
    }

    #[inline(always)]
    fn decide(&mut self) -> Reason {
        let policy = self.tables.policy;
        match packet::network(self.bench, self.scan, policy) {
            Network::Ip => {}
            Network::Other => return Reason::Unprotected,
            Network::Truncated => return Reason::Malformed,
        }
        self.look_up();
        if self.is(list_flags::DENIED) {
            return Reason::Denied;
        }
        if self.is(list_flags::OWN) {
            return Reason::Spoofed;
        }
        if self.is(list_flags::PERMITTED) {
            return Reason::Permitted;
        }
        let doubtful = self.scan.verdict.doubtful == 1;
        let udp = self.scan.verdict.protocol == protocol::UDP;
        if !udp && self.scan.verdict.protocol != protocol::TCP {
            return if doubtful {
                Reason::Malformed
            } else {
                Reason::Unprotected
            };
        }
        if policy.flags & policy_flags::PROTECT != 0 && !self.protected() {
            return Reason::Unprotected;
        }
        if let Fragment::Later(offset) = self.scan.verdict.fragment() {
            return self.later_fragment(offset);
        }
        if doubtful || !packet::transport(self.bench, &mut self.scan.verdict) {
            return Reason::Malformed;
        }
        let port = self.scan.verdict.destination_port as usize;
        let number = if udp {
            policy.udp[port]
        } else {
            policy.tcp[port]
        };
        self.bench.trace(Trace::Service(number));
        if number == 0 {
            return Reason::Unprotected;
        }
        self.scan.verdict.service = number;
        let first = self.scan.verdict.fragment() == Fragment::First;
        if first && self.scan.verdict.length < FIRST_FRAGMENT {
            return Reason::BadFragment;
        }
        if policy.service(number).kind().carries_calls() && self.banned() {
            return Reason::Banned;
        }
        self.locate();
        if udp { self.udp() } else { self.tcp() }
    }

    /// What the lists say of the source. A neighbour on this interface is permitted.
    #[inline(never)]
    fn look_up(&mut self) {
        let source = self.scan.verdict.source;
        let listed = self.bench.listed(&source);
        self.bench.trace(Trace::Source(listed));
        let neighbour = listed.neighbours >> (self.scan.verdict.interface & 31) & 1;
        self.scan.verdict.listed = listed.flags | (neighbour * list_flags::PERMITTED);
    }

    /// Whether the destination is behind the fence.
    #[inline(never)]
    fn protected(&mut self) -> bool {
        let destination = self.scan.verdict.destination;
        self.bench.listed(&destination).flags & list_flags::PROTECTED != 0
    }

    /// The service that the packet is for.
    #[inline(always)]
    fn service(&self) -> &'a Service {
        self.tables.policy.service(self.scan.verdict.service)
    }

    #[inline(never)]
    fn later_fragment(&mut self, offset: u32) -> Reason {
        if offset < FIRST_FRAGMENT {
            return Reason::BadFragment;
        }
        let limit = self.tables.policy.fragments;
        match self.rate(what::FRAGMENT, &limit, true) {
            State::Within => Reason::Fragment,
            _ => Reason::Rate,
        }
    }

    #[inline(never)]
    fn banned(&mut self) -> bool {
        if self.is(list_flags::TRUNK | list_flags::PROXY) {
            return false;
        }
        let subject = self.scan.verdict.source.subject();
        let bit = self.tables.key.filter_bit(subject);
        if self.bench.cell(Cells::Filter, bit >> 6) >> (bit & 63) & 1 == 0 {
            return false;
        }
        let ban = self.bench.ban(&subject);
        self.bench.trace(Trace::Ban(ban));
        match ban {
            Some(ban) => ban.until > self.now(),
            None => false,
        }
    }

    /// Whether the source may speak to the service with a message of this class.
    #[inline(never)]
    fn admitted(&mut self, service: &Service, class: u8) -> bool {
        if self.is(list_flags::TRUNK | list_flags::PROXY) {
            return true;
        }
        let admission = service.admission(class);
        if admission == Admission::Anyone {
            return true;
        }
        let country = self.scan.verdict.located();
        let admitted = admission == Admission::Countries && service.countries.contains(country);
        self.bench.trace(Trace::Country {
            country,
            admission,
            admitted,
        });
        admitted
    }

    /// Looks up the source's country, once.
    #[inline(never)]
    fn locate(&mut self) {
        let source = self.scan.verdict.source;
        let country = match source.as_v4() {
            Some(address) => self.tables.countries.v4(address),
            None => self.tables.countries.v6(source.network()),
        };
        self.scan.verdict.set_country(country);
    }

    /// What a drop leads on to.
    #[inline(never)]
    fn consequences(&mut self, reason: Reason) {
        let policy = self.tables.policy;
        let strangers_fault = matches!(
            reason,
            Reason::Rate | Reason::Signature | Reason::Malformed | Reason::Domain
        );
        if !strangers_fault
            || policy.flags & policy_flags::BANS == 0
            || !policy
                .service(self.scan.verdict.service)
                .kind()
                .carries_calls()
            || self.scan.verdict.service == 0
            || self.is(list_flags::TRUNK | list_flags::PROXY)
        {
            return;
        }
        let signature = self.scan.verdict.signature;
        let cause = if reason == Reason::Signature
            && policy.automaton.action(signature) == SignatureAction::Ban
        {
            Cause::Signature
        } else {
            if self.scan.verdict.again == 1
                || self.rate(what::STRIKE, &policy.strikes, true) == State::Within
            {
                return;
            }
            Cause::Rate
        };
        let subject = self.scan.verdict.source.subject();
        let now = self.now();
        let ban = Ban {
            until: now.saturating_add(policy.ban_time),
            cause: cause as u8,
            reserved: [0],
            signature,
            reserved_more: [0; 4],
        };
        self.bench.set_ban(&subject, &ban);
        mark_banned(self.bench, self.tables.key, subject);
        self.scan.verdict.set_banned(cause);
    }
}

/// Sets the bit of `subject` in the filter that stands before the table of bans.
#[inline(always)]
pub fn mark_banned<B: Bench>(bench: &mut B, key: &Key, subject: Address) {
    let bit = key.filter_bit(subject);
    let old = bench.cell(Cells::Filter, bit >> 6);
    let new = old | 1 << (bit & 63);
    if old != new && !bench.swap_cell(Cells::Filter, bit >> 6, old, new) {
        let old = bench.cell(Cells::Filter, bit >> 6);
        bench.swap_cell(Cells::Filter, bit >> 6, old, old | 1 << (bit & 63));
    }
}
