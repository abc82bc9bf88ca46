//! One SIP message: its class, its rate, what stands in it.

use super::Judge;
use crate::automaton::{Counted, DOMAIN, Hits, SCORE_LIMIT};
use crate::bench::{Bench, Trace, list_flags};
use crate::class::Class;
use crate::hash::mix;
use crate::policy::{Policy, Service, policy_flags, service_flags};
use crate::reason::Reason;
use crate::scan::{Breaks, Kind, Lines, STEPS, Scan, Span};
use crate::sip::{self, Start};

impl<B: Bench> Judge<'_, B> {
    /// One SIP message in the window. `closed`: all of it is there.
    #[inline(never)]
    pub(super) fn message(&mut self, closed: bool) -> Reason {
        let policy = self.tables.policy;
        let service = self.service();
        lines::<B>(
            self.scan,
            policy,
            closed,
            policy.flags & policy_flags::BODY != 0,
        );
        let (class, target) = match sip::start::<B>(self.scan, policy) {
            Start::Request(class, target) => (class, Some(target)),
            Start::Response => (Class::Response, None),
            Start::Missing if !closed && sip::begins(self.scan) => return Reason::Incomplete,
            Start::Foreign | Start::Missing => return self.foreign(service),
        };
        let class = match class {
            Class::Register | Class::InDialogue | Class::Response => class,
            _ if sip::has_to_tag::<B>(self.scan, policy) => Class::InDialogue,
            _ => class,
        };
        self.scan.verdict.class = class as u8;
        self.bench.trace(Trace::Message {
            class,
            whole: self.scan.headers_end().is_some(),
        });
        let trunk = self.is(list_flags::TRUNK);
        if trunk && class == Class::Register {
            return Reason::Refused;
        }
        let admitted = self.admitted(service, class);
        let opens = service.has(service_flags::OPENS_COUNTRY) && class == Class::Register;
        if !admitted && !opens {
            return Reason::Country;
        }

        let transaction = sip::transaction::<B>(self.scan, policy);
        self.scan.verdict.transaction = if transaction == 0 {
            0
        } else {
            mix(transaction, class as u64) | 1
        };
        let over = self.charge(service, class);
        if over {
            return Reason::Rate;
        }

        // In-dialogue requests carry our Contact's address: the gate is for those that begin.
        let gated = service.has(service_flags::DOMAINS)
            && !matches!(class, Class::InDialogue | Class::Response)
            && !trunk;
        let target = target.unwrap_or(Span::NONE).pack();
        sip::inspect::<B>(
            self.scan,
            policy,
            target,
            if gated { self.scan.verdict.service } else { 0 },
        );
        let mut hits = Hits {
            signature: self.scan.signature as u16,
            bits: self.scan.bits,
        };
        if policy.automaton.over_count != 0 {
            for (kind, counted) in [
                (Kind::From, Counted::From),
                (Kind::To, Counted::To),
                (Kind::CallId, Counted::CallId),
                (Kind::CSeq, Counted::CSeq),
            ] {
                if self.scan.repeated(kind) {
                    policy.automaton.count(counted, 2, &mut hits);
                }
            }
        }
        let outcome = policy.automaton.settle(hits);
        let named = hits.bits & DOMAIN != 0;
        self.scan.verdict.named = named as u8;
        let mut signature = outcome.signature;
        if signature == 0 && outcome.score >= SCORE_LIMIT {
            signature = outcome.scored_by;
        }
        self.bench.trace(Trace::Inspection {
            signature,
            domain: gated.then_some(named),
        });
        if signature != 0 {
            self.scan.verdict.signature = signature;
            return Reason::Signature;
        }
        if trunk {
            return Reason::Trunk;
        }
        if gated && !named {
            return Reason::Domain;
        }
        if !admitted && !named {
            return Reason::Country;
        }
        self.spend_once(service)
    }

    /// What is no SIP.
    #[inline(always)]
    fn foreign(&mut self, service: &Service) -> Reason {
        self.scan.verdict.class = Class::NotSip as u8;
        if !self.admitted(service, Class::NotSip) {
            return Reason::Country;
        }
        self.scan.verdict.transaction = self.scan.digest(Span {
            from: 0,
            to: self.scan.length(),
        }) | 1;
        if self.charge(service, Class::NotSip) {
            return Reason::Rate;
        }
        Reason::Malformed
    }
}

#[inline(always)]
pub(super) fn lines<B: Bench>(scan: &mut Scan, policy: &Policy, closed: bool, body: bool) {
    scan.begin_breaks();
    B::repeat::<Breaks>(scan, policy, STEPS);
    scan.begin_lines(closed, body);
    B::repeat::<Lines>(scan, policy, STEPS);
}
