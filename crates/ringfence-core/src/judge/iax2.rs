//! Datagrams of IAX2: registrations and calls are followed by their call numbers.

use super::noting::{INVITE_WAITS, WAITS, sent};
use super::{Judge, Part};
use crate::bench::{Bench, Buckets, list_flags};
use crate::class::Class;
use crate::hash::mix;
use crate::iax2::{ELEMENTS, Elements, HEADER, Header, MINI, says, subclass};
use crate::limit::State;
use crate::reason::Reason;
use crate::scan::Span;
use crate::search::digest_of;
use crate::trust::{Dialogue, Stage, find as find_record, level};
use crate::verdict::told;

impl<B: Bench> Judge<'_, B> {
    /// What a call or registration is found by: the peer and a call number; `whose` is 0 for the
    /// peer's number, 1 for ours.
    #[inline(always)]
    pub(super) fn iax2_hash(&mut self, number: u16, whose: u64) -> u64 {
        let source = self.source_hash();
        let port = u64::from(self.scan.verdict.source_port);
        mix(source, whose << 48 | port << 16 | u64::from(number))
    }

    /// The peer's flow as a dialogue: a call over it is up.
    #[inline(always)]
    pub(super) fn iax2_dialogue(&mut self) -> Dialogue {
        let hash = self.iax2_hash(0, 2);
        Dialogue::from_hash(hash)
    }

    /// The header of an IAX2 frame.
    #[inline(always)]
    pub(super) fn iax2_header(&mut self) -> Option<Header> {
        let (payload, length) = (self.scan.verdict.payload, self.scan.verdict.length);
        if length < HEADER {
            let first = self.bench.words::<1>(payload)?;
            let header = Header::of([first[0], 0, 0]);
            return (length >= MINI && !header.full).then_some(header);
        }
        self.bench.words::<3>(payload).map(Header::of)
    }

    /// Reads the information elements of the control frame in the window; the token, packed, is in
    /// `found_span`. Nothing.
    #[inline(always)]
    pub(super) fn elements(&mut self) -> u32 {
        self.scan.place = HEADER;
        let known = &mut self.scan.known;
        known.place = 0;
        known.to_user_span = 0;
        known.found_span = 0;
        known.granted[0] = REFRESH;
        B::repeat::<Elements>(self.scan, self.tables.policy, ELEMENTS);
        let user = Span::unpack(self.scan.known.to_user_span);
        self.scan.known.to_user = if user.is_empty() {
            0
        } else {
            digest_of::<B>(self.scan, user) | 1
        };
        0
    }

    /// A datagram to an IAX2 service; None where it is a request.
    #[inline(always)]
    pub(super) fn iax2(&mut self) -> Option<Reason> {
        let Some(header) = self.iax2_header() else {
            return Some(Reason::Malformed);
        };
        let class = header.class();
        self.scan.verdict.class = class as u8;
        if class == Class::InDialogue {
            return self.iax2_goes_on(header);
        }
        None
    }

    /// What a frame that asks for nothing passes by: a call that is up, a frame of ours that it
    /// answers, a registration. None where it is part of nothing known, or carries credentials.
    #[inline(always)]
    fn iax2_goes_on(&mut self, header: Header) -> Option<Reason> {
        let now = self.now();
        let credentials = header.control == subclass::AUTHREP;
        let dialogue = self.iax2_dialogue();
        if dialogue.stage(self.bench, now) != Stage::None {
            return (!credentials).then_some(Reason::Dialogue);
        }
        if self.iax2_answers(header) {
            return Some(Reason::Solicited);
        }
        if self.scan.verdict.registered_flow == 0 || credentials {
            return None;
        }
        Some(match self.packets() {
            State::Within => Reason::Registered,
            _ => Reason::Rate,
        })
    }

    /// Whether the frame answers one that this host sent; the peer is solicited then.
    #[inline(always)]
    fn iax2_answers(&mut self, header: Header) -> bool {
        if header.destination == 0 {
            return false;
        }
        let now = self.now();
        let hash = self.iax2_hash(header.destination, 1);
        let record = &mut self.scan.known.record;
        if !find_record(self.bench, Buckets::Sent, hash, record, now, INVITE_WAITS) {
            return false;
        }
        let answers = matches!(
            header.control,
            subclass::ACCEPT
                | subclass::AUTHREQ
                | subclass::REGAUTH
                | subclass::REGACK
                | subclass::PONG
        );
        if answers && record.words[2] & sent::SOLICITS != 0 {
            self.solicit();
        }
        if header.control == subclass::ACCEPT {
            let dialogue = self.iax2_dialogue();
            dialogue.reach(self.bench, now, Stage::Early, &mut self.scan.known.least);
        }
        true
    }

    /// A frame that asks for something, that carries credentials, or that is part of nothing known.
    #[inline(always)]
    pub(super) fn iax2_request(&mut self) -> Reason {
        let Some(header) = self.iax2_header() else {
            return Reason::Malformed;
        };
        let class = self.scan.verdict.class;
        let service = self.service();
        if self.scan.verdict.held != 0 {
            return Reason::Banned;
        }
        if !self.admitted(service, class) {
            return Reason::Country;
        }
        let solicited = self.solicited();
        let registered = self.trusted_for(level::REGISTERED);
        if registered {
            if self.requests() != State::Within {
                return Reason::Rate;
            }
        } else if self.class_rate(service, class, true) != State::Within {
            return Reason::Rate;
        }
        let credentials = header.control == subclass::AUTHREP;
        let asks = class != Class::InDialogue as u8;
        let hash = self.iax2_hash(header.source, 0);
        // Whoever asked for something also acknowledges the answer.
        if !asks
            && !credentials
            && !solicited
            && !registered
            && !self.is(list_flags::TRUNK)
            && !self.find_request(hash)
        {
            return Reason::Malformed;
        }
        let speaks = credentials || asks && header.control != subclass::POKE;
        if speaks {
            if !self.fill(0) {
                return Reason::Malformed;
            }
            self.ask(Part::Elements);
            if !Span::unpack(self.scan.known.found_span).is_empty() {
                self.scan.known.credentials_span = 0;
                self.ask(Part::Credentials);
            }
            self.scan.verdict.told = 0;
            self.scan.verdict.again = 0;
            if self.scan.known.place & says::CREDENTIALS != 0 {
                self.scan.verdict.told = told::CREDENTIALS;
                let limited = !self.tables.policy.trust.failures.is_none();
                if limited && self.ask(Part::MayTry) == 0 {
                    return Reason::Failures;
                }
            }
            if asks && self.ask(Part::MayAsk) == 0 {
                return Reason::Enumeration;
            }
        }
        let reason = if solicited {
            Reason::Solicited
        } else if self.trusted_for(level::FULL) {
            Reason::Registered
        } else {
            self.reason(Part::Spend)
        };
        if speaks && reason.action() == crate::reason::Action::Pass {
            // A release asks for no registration.
            self.scan.known.place = u32::from(header.control == subclass::REGREQ);
            self.scan.known.hash = hash;
            self.scan.set_outcome(reason);
            self.ask(Part::NoteIax2);
            return self.scan.outcome();
        }
        reason
    }

    /// Notes a frame that asks for something: for a registration where `place` is 1. Nothing.
    #[inline(always)]
    pub(super) fn note_iax2(&mut self) -> u32 {
        let asks = self.scan.known.place == 1;
        self.keep_request(if asks { told::ASKS } else { 0 }, 0);
        0
    }
}

/// Seconds that a registration without a time holds (RFC 5456, section 8.6.18).
const REFRESH: u32 = 60;

const _: () = assert!(WAITS < INVITE_WAITS, "an answer may be late by the longer");
