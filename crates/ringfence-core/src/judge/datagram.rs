//! Datagrams: UDP to a service.

use super::part::{GO_ON, reason};
use super::{Judge, Part};
use crate::bench::Bench;
use crate::class::Class;
use crate::hash::mix;
use crate::limit::State;
use crate::packet::Fragment;
use crate::policy::{Service, ServiceKind, policy_flags, service_flags};
use crate::reason::Reason;
use crate::scan::{Kind, WINDOW};
use crate::sip;
use crate::trust::level;
use crate::verdict::held;

/// Bytes of a datagram among which the branch of its topmost Via stands: behind the Request-Line,
/// and no further than any sender writes it.
const VIA: u32 = 24;
const VIA_END: u32 = 184;

/// Bytes that are a keep-alive, whatever they are.
const KEEP_ALIVE: u32 = 4;

impl<B: Bench> Judge<'_, B> {
    /// One datagram.
    #[inline(always)]
    pub(super) fn udp(&mut self) -> Reason {
        let service = self.service();
        let (payload, length) = (self.scan.verdict.payload, self.scan.verdict.length);
        let kind = service.kind();
        let first = match self.bench.words::<2>(payload) {
            Some([low, high]) if length >= 8 => {
                u64::from(u32::from_le(low)) | u64::from(u32::from_le(high)) << 32
            }
            _ => 0,
        };
        if self.scan.verdict.registered_flow == 1
            && kind == ServiceKind::Sip
            && (length <= KEEP_ALIVE || sip::goes_on(first))
        {
            return match self.packets() {
                State::Within => Reason::Registered,
                _ => Reason::Rate,
            };
        }
        self.ask(Part::Locate);
        if self.scan.verdict.held != 0 && !self.may_be_held(kind, first) {
            return Reason::Banned;
        }
        match kind {
            ServiceKind::Sip => {}
            ServiceKind::Iax2 => {
                return match self.ask(Part::Iax2) {
                    GO_ON => self.reason(Part::Iax2Request),
                    settled => reason(settled),
                };
            }
            _ => return self.new_datagram_flow(service),
        }
        // All but a country that any method opens is settled without a look at the text.
        if !service.has(service_flags::BY_CLASS)
            && !self.admitted(service, Class::NotSip as u8)
            && !service.has(service_flags::OPENS_COUNTRY)
            && !self.may_belong(first)
        {
            return Reason::Country;
        }
        if length <= KEEP_ALIVE {
            return self.keep_alive(service);
        }
        // A source far over its rate is not worth reading further.
        if let Some(class) = sip::glance(first)
            && !self.trusted_for(level::REGISTERED)
            && self.class_rate(service, class as u8, false) == State::FarOver
            && (class == Class::Register
                || self.class_rate(service, Class::InDialogue as u8, false) != State::Within)
        {
            self.scan.verdict.class = class as u8;
            self.ask(Part::Recognise);
            return Reason::Rate;
        }
        if !self.fill(0) {
            return Reason::Malformed;
        }
        let ends = matches!(first as u8, b'\r' | b'\n' | 0) && sip::only_line_ends(self.scan, 0);
        if ends || (sip::stun(length, first) && !sip::has_lines::<B>(self.scan)) {
            return self.keep_alive(service);
        }
        // What goes on in another piece does not end with this one.
        let first_piece = self.scan.verdict.fragment() == Fragment::First;
        self.scan.closed = u32::from(!first_piece);
        let reason = self.reason(Part::Message);
        if reason == Reason::Rate {
            // The next time it may not be read.
            let again = self.scan.verdict.again;
            self.ask(Part::Recognise);
            self.scan.verdict.again = again;
        }
        let unread = matches!(reason, Reason::Malformed | Reason::Incomplete);
        if first_piece && unread && !self.scan.has(Kind::StartLine) {
            return Reason::BadFragment;
        }
        reason
    }

    /// Whether a datagram of a banned source may be what it may still pass by.
    #[inline(always)]
    fn may_be_held(&mut self, kind: ServiceKind, first: u64) -> bool {
        let bits = self.scan.verdict.held;
        if kind != ServiceKind::Sip {
            return kind == ServiceKind::Iax2;
        }
        if bits & (held::DIALOGUE | held::ACCOUNT | held::SHADOW) != 0 {
            return true;
        }
        let class = sip::glance(first);
        let may = (bits & held::NAMED != 0 && class == Some(Class::Register))
            || (bits & held::EMERGENCY != 0 && class == Some(Class::Invite));
        // Not worth reading, where there are many.
        may && !self.slams()
    }

    /// Recognises the repetition of a datagram that is not read: by its bytes where the Via is.
    #[inline(always)]
    pub(super) fn recognise(&mut self) -> u32 {
        if self.tables.policy.flags & policy_flags::BANS == 0 {
            return 0;
        }
        let payload = self.scan.verdict.payload;
        let mut digest = 0u64;
        let mut at = VIA;
        while at < VIA_END && at + 16 <= self.scan.verdict.length {
            if let Some([a, b, c, d]) = self.bench.words::<4>(payload.wrapping_add(at)) {
                digest = mix(digest, u64::from(a) | u64::from(b) << 32);
                digest = mix(digest, u64::from(c) | u64::from(d) << 32);
            }
            at += 16;
        }
        self.scan.verdict.transaction = digest | 1;
        self.recall();
        self.remember(false);
        0
    }

    /// Brings the payload from byte `at` on into the window, as much as fits.
    #[inline(always)]
    pub(super) fn fill(&mut self, at: u32) -> bool {
        let left = self.scan.verdict.length.wrapping_sub(at);
        let length = if left > WINDOW { WINDOW } else { left };
        let offset = self.scan.verdict.payload.wrapping_add(at);
        let filled = self.bench.fill(offset, length, self.scan);
        self.scan.begin(length);
        filled
    }

    #[inline(always)]
    fn keep_alive(&mut self, service: &Service) -> Reason {
        self.scan.verdict.class = Class::KeepAlive as u8;
        if self.scan.verdict.held != 0 {
            return Reason::Banned;
        }
        if !self.admitted(service, Class::KeepAlive as u8) {
            return Reason::Country;
        }
        if self.class_rate(service, Class::KeepAlive as u8, true) != State::Within {
            return Reason::Rate;
        }
        match self.reason(Part::Spend) {
            Reason::Clean => Reason::KeepAlive,
            reason => reason,
        }
    }

    /// A datagram to a plain service: the first of its flow is counted.
    #[inline(always)]
    fn new_datagram_flow(&mut self, service: &Service) -> Reason {
        if !self.admitted(service, Class::NewTcp as u8) {
            return Reason::Country;
        }
        if service.rate(Class::NewTcp as u8).is_none() {
            return Reason::Clean;
        }
        let verdict = &mut self.scan.verdict;
        let ports = u64::from(verdict.source_port) << 16 | u64::from(verdict.destination_port);
        verdict.transaction = mix(ports, 0xf10e) | 1;
        self.recall();
        if self.scan.verdict.again == 0
            && self.class_rate(service, Class::NewTcp as u8, true) != State::Within
        {
            return Reason::Rate;
        }
        // It lasts for as long as its packets come, however many they are.
        self.scan.verdict.again = 0;
        self.remember(true);
        Reason::Clean
    }
}
