//! The first bytes of a TLS or WebSocket connection: by what name it asks for us.

use super::{Judge, Part};
use crate::automaton::DOMAIN;
use crate::bench::{Bench, Trace, list_flags};
use crate::class::Class;
use crate::flow::Phase;
use crate::limit::State;
use crate::policy::{ServiceKind, service_flags};
use crate::reason::{Action, Reason};
use crate::scan::{Kind, WINDOW, lower, text};
use crate::search::trimmed;
use crate::sip;
use crate::tls::{self, Hello};

impl<B: Bench> Judge<'_, B> {
    /// The first segment with data; the rest of the connection goes by what became of it.
    #[inline(always)]
    pub(super) fn greeting(&mut self) -> Reason {
        // Data that does not begin the flow belongs to a connection older than the fence.
        if self.scan.flow.phase() == Phase::Unknown {
            return Reason::Undecided;
        }
        if self.scan.verdict.sequence != self.scan.flow.next {
            return Reason::Incomplete;
        }
        if !self.fill(0) {
            return Reason::Malformed;
        }
        self.scan.verdict.class = Class::Other as u8;
        let reason = if self.service().kind() == ServiceKind::Ws {
            self.upgrade()
        } else {
            self.hello()
        };
        if reason.action() == Action::Drop {
            return self.end_flow(reason);
        }
        self.scan.flow.set_phase(Phase::Open);
        self.keep_flow();
        reason
    }

    /// Whether the service asks for a name.
    #[inline(always)]
    fn asks_for_name(&self) -> bool {
        self.service().has(service_flags::DOMAINS) && !self.is(list_flags::TRUNK)
    }

    /// Whether `name` (packed) is one of the service's domains.
    #[inline(never)]
    fn names_us(&mut self, name: u32) -> bool {
        let service = self.scan.verdict.service;
        sip::plan_domain(self.scan, self.tables.policy, name, service);
        self.ask(Part::Walk);
        let named = self.scan.bits & DOMAIN != 0;
        self.scan.verdict.named = named as u8;
        self.bench.trace(Trace::Inspection {
            signature: 0,
            domain: Some(named),
        });
        named
    }

    #[inline(always)]
    fn hello(&mut self) -> Reason {
        let service = self.service();
        let hello = tls::client_hello::<B>(self.scan, self.tables.policy);
        if hello == Hello::Foreign {
            return Reason::Malformed;
        }
        if self.class_rate(service, Class::Other as u8, true) != State::Within {
            return Reason::Rate;
        }
        let mut known = true;
        if self.asks_for_name() {
            match hello {
                Hello::Name(name) if !self.names_us(name.pack()) => return Reason::Domain,
                Hello::Name(_) => {}
                Hello::Nameless if service.has(service_flags::SNI_REQUIRED) => {
                    return Reason::Domain;
                }
                _ => known = false,
            }
        }
        match self.reason(Part::Spend) {
            Reason::Clean if !known => Reason::Undecided,
            reason => reason,
        }
    }

    #[inline(always)]
    fn upgrade(&mut self) -> Reason {
        let service = self.service();
        self.find_lines(false, false);
        if !self.scan.has(Kind::StartLine) {
            return if sip::begins::<B>(self.scan) {
                Reason::Incomplete
            } else {
                Reason::Malformed
            };
        }
        let line = sip::start_line::<B>(self.scan);
        let tail = lower(self.scan.word(line.to.wrapping_sub(8)));
        if line.to < line.from + 14 || tail != const { text(b"http/1.1") } {
            return Reason::Malformed;
        }
        if self.class_rate(service, Class::Other as u8, true) != State::Within {
            return Reason::Rate;
        }
        let goes_on = self.scan.headers_end().is_none() && self.scan.length() < WINDOW;
        if self.asks_for_name() && !self.scan.has(Kind::Host) && goes_on {
            return Reason::Incomplete;
        }
        let value = self.scan.span(Kind::Host);
        let host = trimmed::<B>(self.scan, value);
        if self.asks_for_name() && !self.names_us(host.pack()) {
            return Reason::Domain;
        }
        self.reason(Part::Spend)
    }
}
