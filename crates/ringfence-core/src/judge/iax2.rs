//! Datagrams of IAX2: registrations and calls are followed by their call numbers.

use super::noting::{INVITE_WAITS, WAITS, sent};
use super::{Judge, Part};
use crate::bench::{Bench, Buckets};
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

    /// Reads the information elements of the control frame in the window. Nothing.
    #[inline(always)]
    pub(super) fn elements(&mut self) -> u32 {
        self.scan.place = HEADER;
        let known = &mut self.scan.known;
        known.place = 0;
        known.to_user_span = 0;
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

    /// A datagram to an IAX2 service.
    #[inline(always)]
    pub(super) fn iax2(&mut self) -> Reason {
        let Some(header) = self.iax2_header() else {
            return Reason::Malformed;
        };
        let class = header.class();
        self.scan.verdict.class = class as u8;
        let now = self.now();
        let asks = class != Class::InDialogue;
        if !asks {
            let dialogue = self.iax2_dialogue();
            if dialogue.stage(self.bench, now) != Stage::None {
                if header.control == subclass::AUTHREP {
                    return self.iax2_request(header);
                }
                return Reason::Dialogue;
            }
            if self.iax2_answers(header) {
                return Reason::Solicited;
            }
            if self.scan.verdict.registered_flow == 1 && header.control != subclass::AUTHREP {
                return match self.packets() {
                    State::Within => Reason::Registered,
                    _ => Reason::Rate,
                };
            }
        }
        self.iax2_request(header)
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

    /// A frame that is part of nothing known, or that carries credentials.
    #[inline(always)]
    fn iax2_request(&mut self, header: Header) -> Reason {
        let class = self.scan.verdict.class;
        let service = self.service();
        if self.scan.verdict.held != 0 {
            return Reason::Banned;
        }
        if !self.admitted(service, class) {
            return Reason::Country;
        }
        let solicited = self.solicited();
        if self.trusted_for(level::REGISTERED) {
            if self.requests() != State::Within {
                return Reason::Rate;
            }
        } else if self.class_rate(service, class, true) != State::Within {
            return Reason::Rate;
        }
        let speaks = matches!(
            header.control,
            subclass::REGREQ | subclass::NEW | subclass::AUTHREP
        );
        if speaks {
            if !self.fill(0) {
                return Reason::Malformed;
            }
            self.ask(Part::Elements);
            self.scan.verdict.told = 0;
            self.scan.verdict.again = 0;
            if self.scan.known.place & says::CREDENTIALS != 0 {
                self.scan.verdict.told = told::CREDENTIALS;
                let limited = !self.tables.policy.trust.failures.is_none();
                if limited && self.ask(Part::MayTry) == 0 {
                    return Reason::Failures;
                }
            }
            if header.control != subclass::AUTHREP && self.ask(Part::MayAsk) == 0 {
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
            let hash = self.iax2_hash(header.source, 0);
            self.scan.known.hash = hash;
            self.scan.set_outcome(reason);
            self.ask(Part::NoteIax2);
            return self.scan.outcome();
        }
        reason
    }

    /// Notes a frame that asks for something. Nothing.
    #[inline(always)]
    pub(super) fn note_iax2(&mut self) -> u32 {
        let asks = self.scan.verdict.class == Class::Register as u8;
        self.keep_request(if asks { told::ASKS } else { 0 }, 0);
        0
    }
}

/// Seconds that a registration without a time holds (RFC 5456, section 8.6.18).
const REFRESH: u32 = 60;

const _: () = assert!(WAITS < INVITE_WAITS, "an answer may be late by the longer");
