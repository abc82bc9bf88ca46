//! The order of judgement (`docs/order-of-judgement.md`): cheap before dear, certain before likely.

mod datagram;
mod doubt;
mod feed;
mod greeting;
mod iax2;
mod message;
mod noting;
mod outgoing;
mod part;
mod spending;
mod standing;
mod stream;

use crate::address::Address;
use crate::automaton::Action as SignatureAction;
use crate::bench::{Ban, Bench, Cause, Cells, Store, Tables, Trace, list_flags};
use crate::class::Class;
use crate::hash::Key;
use crate::limit::{Limit, State};
use crate::packet::{self, Fragment, Link, Network, protocol};
use crate::policy::{Admission, Service, ServiceKind, policy_flags, service_flags};
use crate::reason::{Action, Reason};
use crate::scan::Scan;
use crate::trust::{SECOND, level};
use crate::verdict::held;

pub use doubt::Asked;
pub use outgoing::outgoing;
pub use part::{Part, run};
pub use spending::RateQuery;
pub use spending::of_source;
use spending::what;

/// First bytes that the first fragment of a real datagram has at least: RFC 791 lets every link
/// carry 576.
const FIRST_FRAGMENT: u32 = 512;

/// What a banned source may send without having its ban renewed: a phone that merely retries.
const SLAMMING: Limit = Limit::new(10, 10 * SECOND, 10);
/// A ban that would last no longer than this beyond its end is not written anew, in ns.
const RENEWED_BY: u64 = 5 * SECOND;

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
    let reason = judge.by_name(reason);
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
            self.ask(Part::Hash);
        }
        self.scan.verdict.source_hash
    }

    #[inline(always)]
    fn hash_source(&mut self) -> u32 {
        self.scan.verdict.source_hash = self.tables.key.source(self.scan.verdict.source);
        0
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
            answer = self.ask(Part::Feed);
        }
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
        if policy.service(number).kind().carries_calls() && !self.is(list_flags::TRUNK) {
            self.standing();
            if self.trusted_for(level::REGISTERED) && !self.is(list_flags::PROXY) {
                self.ask(Part::FlowTrust);
            }
            if self.marked() && self.ask(Part::Ban) == 1 {
                return Some(Reason::Banned);
            }
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
        let listed = self.bench.listed(&source, self.tables.policy.lists);
        self.bench.trace(Trace::Source(listed));
        let neighbour = listed.neighbours >> (self.scan.verdict.interface & 31) & 1;
        self.scan.verdict.listed = listed.flags | (neighbour * list_flags::PERMITTED);
        self.scan.verdict.admits = listed.admits;
        self.scan.verdict.refuses = listed.refuses;
    }

    /// Whether the destination is behind the fence.
    #[inline(always)]
    fn protected(&mut self) -> bool {
        let destination = self.scan.verdict.destination;
        self.bench
            .listed(&destination, self.tables.policy.lists)
            .flags
            & list_flags::PROTECTED
            != 0
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

    /// Whether the source, or a flow of a registered one, may be banned: the filter marks every one
    /// that is.
    #[inline(always)]
    fn marked(&mut self) -> bool {
        if self.is(list_flags::PROXY) {
            return false;
        }
        let source = self.scan.verdict.source;
        self.is_marked(source.subject())
            || (self.bans_nets() && self.is_marked(source.net()))
            || (self.trusted_for(level::REGISTERED)
                && self.is_marked(source.flow(self.scan.verdict.source_port)))
    }

    /// Whether bans may fall on whole nets.
    #[inline(always)]
    fn bans_nets(&self) -> bool {
        self.tables.policy.flags & policy_flags::NETS != 0
    }

    #[inline(always)]
    fn is_marked(&mut self, subject: Address) -> bool {
        let bit = self.tables.key.filter_bit(subject);
        self.bench.cell(Cells::Filter, bit >> 6) >> (bit & 63) & 1 == 1
    }

    /// The ban in force of a subject.
    #[inline(always)]
    fn ban_of(&mut self, subject: &Address) -> Option<Ban> {
        let now = self.now();
        self.bench.ban(subject).filter(|ban| ban.until > now)
    }

    /// Whether the packet is dropped for a ban. What it may still pass by is noted.
    #[inline(always)]
    fn ban(&mut self) -> bool {
        let source = self.scan.verdict.source;
        let mut subject = source.subject();
        let mut ban = self.ban_of(&subject);
        if ban.is_none() && self.bans_nets() {
            subject = source.net();
            ban = self.ban_of(&subject);
        }
        if ban.is_none() && self.trusted_for(level::REGISTERED) {
            subject = source.flow(self.scan.verdict.source_port);
            ban = self.ban_of(&subject);
        }
        self.bench.trace(Trace::Ban(ban));
        let Some(ban) = ban else {
            return false;
        };
        self.renew(&subject, ban);
        let manual = ban.cause == Cause::Manual as u8;
        if !manual && self.scan.verdict.registered_flow == 1 {
            return false;
        }
        let mut bits = 0;
        if self.trusted_for(level::CALL | level::EMERGENCY) {
            bits |= held::DIALOGUE;
        }
        if !manual && self.trusted_for(level::REGISTERED) {
            bits |= held::ACCOUNT;
        }
        if !manual && ban.proved == 0 && self.service().has(service_flags::DOMAINS) {
            bits |= held::NAMED;
        }
        if self.tables.policy.trust.emergency_count != 0 {
            bits |= held::EMERGENCY;
        }
        if bits == 0 && !self.enforced() {
            bits = held::SHADOW;
        }
        self.scan.verdict.held = bits;
        bits == 0
    }

    /// Renews the ban of a source that goes on above its rate.
    #[inline(always)]
    fn renew(&mut self, subject: &Address, ban: Ban) {
        let lasts = u64::from(ban.renews).wrapping_mul(SECOND);
        let until = self.now().wrapping_add(lasts);
        // Nothing to gain: it was renewed a moment ago.
        if until > ban.until.saturating_add(RENEWED_BY) && self.slams() {
            self.bench.set_ban(subject, &Ban { until, ..ban });
        }
    }

    /// Whether a banned source sends more than a phone that merely retries; what it sends is counted.
    #[inline(always)]
    fn slams(&mut self) -> bool {
        let source = self.source_hash();
        self.rate_of(source, of_source::BANNED, &SLAMMING, true) != State::Within
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
        if self.opened(class) {
            return true;
        }
        let country = self.scan.verdict.located();
        let admitted = admission == Admission::Countries
            && (u8::from(service.countries.contains(country)) | self.scan.verdict.network) != 0;
        self.bench.trace(Trace::Country {
            country,
            admission,
            admitted,
        });
        admitted
    }

    /// Looks up the source's country. Nothing.
    #[inline(always)]
    fn locate(&mut self) -> u32 {
        let source = self.scan.verdict.source;
        let country = match source.as_v4() {
            Some(address) => self.tables.countries.v4(address),
            None => self.tables.countries.v6(source.network()),
        };
        self.scan.verdict.set_country(country);
        0
    }

    /// Whether a drop for this reason is held against its source.
    #[inline(always)]
    fn leads_on(&self, reason: Reason) -> bool {
        let policy = self.tables.policy;
        let service = self.scan.verdict.service;
        matches!(
            reason,
            Reason::Rate
                | Reason::Signature
                | Reason::Malformed
                | Reason::Domain
                | Reason::Failures
                | Reason::Enumeration
                | Reason::Tripwire
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
        let reason = self.scan.verdict.reason();
        if reason == Reason::Malformed && self.scan.verdict.registered_flow == 1 {
            self.doubt_flow();
        }
        let outright = match reason {
            Reason::Signature => policy.automaton.action(signature) == SignatureAction::Ban,
            Reason::Tripwire => true,
            Reason::Failures => self.is_refused(),
            _ => false,
        } | self.suspected();
        if reason == Reason::Failures && self.belongs() {
            // A phone with a wrong password: slowed, alone.
            return 0;
        }
        if !outright
            && (self.scan.verdict.again == 1
                || self.rate(what::STRIKE, &policy.strikes, true) == State::Within)
        {
            return 0;
        }
        let cause = match reason {
            Reason::Signature if outright => Cause::Signature,
            Reason::Tripwire => Cause::Tripwire,
            Reason::Failures => Cause::Failures,
            Reason::Enumeration => Cause::Enumeration,
            _ => Cause::Rate,
        };
        // What one packet says may be forged: who belongs is limited and told. So is who has a
        // call up for whose end it must be heard.
        let source = self.scan.verdict.source;
        let subject = if self.trusted_for(level::REGISTERED) {
            if self.scan.verdict.registered_flow == 1 || self.trusted_for(level::FULL) {
                return 0;
            }
            source.flow(self.scan.verdict.source_port)
        } else if self.trusted_for(level::SOLICITED | level::EMERGENCY) {
            return 0;
        } else {
            source.subject()
        };
        let now = self.now();
        let tcp = self.scan.verdict.protocol == protocol::TCP;
        let syn = self.scan.verdict.class == Class::NewTcp as u8;
        let ban = Ban {
            until: now.saturating_add(policy.ban_time),
            cause: cause as u8,
            // Behind its handshake a TCP connection cannot be forged from afar.
            proved: u8::from((tcp && !syn) || self.scan.verdict.proved == 1),
            signature,
            renews: (policy.ban_time / SECOND) as u32,
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
