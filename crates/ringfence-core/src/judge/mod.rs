//! The order of judgement (`docs/order-of-judgement.md`): cheap before dear, certain before likely.

mod datagram;
mod greeting;
mod message;
mod outgoing;
mod part;
mod spending;
mod stream;

use crate::address::Address;
use crate::automaton::Action as SignatureAction;
use crate::bench::{Ban, Bench, Cause, Cells, Store, Tables, Trace, list_flags};
use crate::hash::Key;
use crate::limit::State;
use crate::packet::{self, Fragment, Link, Network, protocol};
use crate::policy::{Admission, Service, ServiceKind, policy_flags};
use crate::reason::{Action, Reason};
use crate::scan::Scan;

pub use outgoing::{Outgoing, outgoing};
pub use part::{Part, run};
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
        if judge.leads_on(reason) {
            judge.ask(Part::Consequences);
        }
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
        policy.mode == 1 && (policy.enforce_until == 0 || policy.enforced(self.now()))
    }

    /// The questions in their order. They follow one another here, rather than each the one
    /// before: in the kernel, what calls what shares 512 bytes of stack.
    #[inline(always)]
    fn decide(&mut self) -> Reason {
        let mut answer = self.ask(Part::Headers);
        if answer == part::GO_ON {
            let udp = self.scan.verdict.protocol == protocol::UDP;
            answer = self.ask(if udp { Part::Udp } else { Part::Tcp });
        }
        if answer == part::GO_ON {
            let sip = self.service().kind() == ServiceKind::Sip;
            answer = self.ask(if sip { Part::Segment } else { Part::Greeting });
        }
        part::reason(answer)
    }

    /// Addresses, lists, ports, bans: what is settled without the packet's payload.
    #[inline(always)]
    fn headers(&mut self) -> Option<Reason> {
        let policy = self.tables.policy;
        match packet::network(self.bench, &mut self.scan.verdict) {
            Network::Ip => {}
            Network::Extended => {
                self.ask(Part::Extensions);
            }
            Network::Other => return Some(Reason::Unprotected),
            Network::Truncated => return Some(Reason::Malformed),
        }
        self.look_up();
        if self.is(list_flags::DENIED) {
            return Some(Reason::Denied);
        }
        if self.is(list_flags::OWN) {
            return Some(Reason::Spoofed);
        }
        if self.is(list_flags::PERMITTED) {
            return Some(Reason::Permitted);
        }
        let doubtful = self.scan.verdict.doubtful == 1;
        let udp = self.scan.verdict.protocol == protocol::UDP;
        if !udp && self.scan.verdict.protocol != protocol::TCP {
            return Some(if doubtful {
                Reason::Malformed
            } else {
                Reason::Unprotected
            });
        }
        if policy.flags & policy_flags::PROTECT != 0 && !self.protected() {
            return Some(Reason::Unprotected);
        }
        if matches!(self.scan.verdict.fragment(), Fragment::Later(_)) {
            return Some(self.reason(Part::LaterFragment));
        }
        if doubtful || !packet::transport(self.bench, &mut self.scan.verdict) {
            return Some(Reason::Malformed);
        }
        let port = self.scan.verdict.destination_port as usize;
        let number = if udp {
            policy.udp[port]
        } else {
            policy.tcp[port]
        };
        self.bench.trace(Trace::Service(number));
        if number == 0 {
            return Some(Reason::Unprotected);
        }
        self.scan.verdict.service = number;
        let first = self.scan.verdict.fragment() == Fragment::First;
        if first && self.scan.verdict.length < FIRST_FRAGMENT {
            return Some(Reason::BadFragment);
        }
        if policy.service(number).kind().carries_calls()
            && self.marked()
            && self.ask(Part::Ban) == 1
        {
            return Some(Reason::Banned);
        }
        None
    }

    #[inline(always)]
    fn extensions(&mut self) -> u32 {
        packet::extensions(self.bench, self.scan, self.tables.policy);
        0
    }

    /// What the lists say of the source. A neighbour on this interface is permitted.
    #[inline(always)]
    fn look_up(&mut self) {
        let source = self.scan.verdict.source;
        let listed = self.bench.listed(&source);
        self.bench.trace(Trace::Source(listed));
        let neighbour = listed.neighbours >> (self.scan.verdict.interface & 31) & 1;
        self.scan.verdict.listed = listed.flags | (neighbour * list_flags::PERMITTED);
    }

    /// Whether the destination is behind the fence.
    #[inline(always)]
    fn protected(&mut self) -> bool {
        let destination = self.scan.verdict.destination;
        self.bench.listed(&destination).flags & list_flags::PROTECTED != 0
    }

    /// The service that the packet is for.
    #[inline(always)]
    fn service(&self) -> &'a Service {
        self.tables.policy.service(self.scan.verdict.service)
    }

    #[inline(always)]
    fn later_fragment(&mut self) -> Reason {
        match self.scan.verdict.fragment() {
            Fragment::Later(offset) if offset >= FIRST_FRAGMENT => {}
            _ => return Reason::BadFragment,
        }
        let limit = self.tables.policy.fragments;
        match self.rate(what::FRAGMENT, &limit, true) {
            State::Within => Reason::Fragment,
            _ => Reason::Rate,
        }
    }

    /// Whether the source may be banned: the filter marks every one that is.
    #[inline(always)]
    fn marked(&mut self) -> bool {
        let bit = self
            .tables
            .key
            .filter_bit(self.scan.verdict.source.subject());
        self.bench.cell(Cells::Filter, bit >> 6) >> (bit & 63) & 1 == 1
            && !self.is(list_flags::TRUNK | list_flags::PROXY)
    }

    #[inline(always)]
    fn ban(&mut self) -> bool {
        let subject = self.scan.verdict.source.subject();
        let ban = self.bench.ban(&subject);
        self.bench.trace(Trace::Ban(ban));
        match ban {
            Some(ban) => ban.until > self.now(),
            None => false,
        }
    }

    /// Whether the source may speak to the service with a message of this class.
    #[inline(always)]
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
    #[inline(always)]
    fn locate(&mut self) {
        let source = self.scan.verdict.source;
        let country = match source.as_v4() {
            Some(address) => self.tables.countries.v4(address),
            None => self.tables.countries.v6(source.network()),
        };
        self.scan.verdict.set_country(country);
    }

    /// Whether a drop for this reason is held against its source.
    #[inline(always)]
    fn leads_on(&self, reason: Reason) -> bool {
        let policy = self.tables.policy;
        let service = self.scan.verdict.service;
        matches!(
            reason,
            Reason::Rate | Reason::Signature | Reason::Malformed | Reason::Domain
        ) && policy.flags & policy_flags::BANS != 0
            && service != 0
            && policy.service(service).kind().carries_calls()
            && !self.is(list_flags::TRUNK | list_flags::PROXY)
    }

    /// What such a drop leads on to.
    #[inline(always)]
    fn consequences(&mut self) -> u32 {
        let policy = self.tables.policy;
        let signature = self.scan.verdict.signature;
        let cause = if self.scan.verdict.reason() == Reason::Signature
            && policy.automaton.action(signature) == SignatureAction::Ban
        {
            Cause::Signature
        } else {
            if self.scan.verdict.again == 1
                || self.rate(what::STRIKE, &policy.strikes, true) == State::Within
            {
                return 0;
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
        1
    }
}

/// Sets the bit of `subject` in the filter that stands before the table of bans.
#[inline(always)]
pub fn mark_banned<B: Store>(bench: &mut B, key: &Key, subject: Address) {
    let bit = key.filter_bit(subject);
    let old = bench.cell(Cells::Filter, bit >> 6);
    let new = old | 1 << (bit & 63);
    if old != new && !bench.swap_cell(Cells::Filter, bit >> 6, old, new) {
        let old = bench.cell(Cells::Filter, bit >> 6);
        bench.swap_cell(Cells::Filter, bit >> 6, old, old | 1 << (bit & 63));
    }
}
