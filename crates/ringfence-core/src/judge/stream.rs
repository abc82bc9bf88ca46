//! Streams: TCP to a service. Which messages begin in a segment, and what becomes of each.

use super::spending::of_source;
use super::{Judge, Part, part};
use crate::bench::{Bench, Tables, Turn};
use crate::class::Class;
use crate::flow::{Flow, Phase};
use crate::framing::{self, FRAMING_STEPS, Framing};
use crate::hash::mix;
use crate::limit::{Limit, State};
use crate::packet::{Fragment, tcp_flags};
use crate::policy::{ServiceKind, service_flags};
use crate::reason::{Action, Reason};
use crate::scan::{Kind, Scan};
use crate::sip;
use crate::trust::{SECOND, level};
use crate::verdict::held;

/// Most messages of a stranger that one TCP segment may hold.
pub const MESSAGES: u32 = 16;

/// Connections of one source that brought no message yet.
const EMPTY: Limit = Limit::new(20, 600 * SECOND, 20);

/// In `older`: the segment repeats bytes from before the message last judged.
const OLDER: u32 = 1;
/// In `older`: it repeats that message.
const AGAIN: u32 = 2;

/// Where in a segment the judge begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Entry {
    /// At the beginning of a message.
    Message(u32),
    /// At the beginning of the message last judged, of which all or a part was admitted.
    Again(u32),
    /// At what looks like a repetition of older bytes; they change no record.
    Older,
    /// Inside a message that was admitted.
    Inside,
    /// Behind a gap: the sender repeats it when the gap is filled.
    Ahead,
}

/// Goes through what a segment holds.
struct Units;

impl<B: Bench> Turn<B> for Units {
    #[inline(always)]
    fn turn(bench: &mut B, tables: Tables<'_>, scan: &mut Scan) -> bool {
        let mut judge = Judge {
            bench,
            tables,
            scan,
        };
        let reason = judge.unit_reason();
        judge.scan.set_outcome(reason);
        reason.action() == Action::Drop
            || judge.scan.older == OLDER
            || judge.scan.position >= judge.scan.verdict.length
    }
}

impl<B: Bench> Judge<'_, B> {
    /// One TCP segment; `None` where its payload is to be looked at.
    #[inline(always)]
    pub(super) fn tcp(&mut self) -> Option<Reason> {
        self.ask(Part::Locate);
        let service = self.service();
        let kind = service.kind();
        if self.scan.verdict.held & (held::DIALOGUE | held::ACCOUNT) == 0
            && self.scan.verdict.held != 0
        {
            return Some(Reason::Banned);
        }
        if !self.admitted(service, Class::NewTcp as u8)
            && !service.has(service_flags::OPENS_COUNTRY)
        {
            return Some(Reason::Country);
        }
        let flags = self.scan.verdict.flags;
        if flags & (tcp_flags::SYN | tcp_flags::ACK | tcp_flags::RST) == tcp_flags::SYN {
            self.scan.verdict.class = Class::NewTcp as u8;
            return Some(self.opening());
        }
        if matches!(kind, ServiceKind::Plain | ServiceKind::Iax2) {
            return Some(Reason::Clean);
        }
        self.find_flow();
        let phase = self.scan.flow.phase();
        if phase == Phase::Dropped {
            // What was sent before the sender could know is no further offence.
            self.scan.verdict.again = 1;
            self.scan.verdict.set_destroy();
            return Some(part::reason(u32::from(self.scan.flow.reason())));
        }
        if phase == Phase::Open || flags & tcp_flags::RST != 0 {
            return Some(Reason::Clean);
        }
        if flags & tcp_flags::URG != 0 {
            return Some(Reason::Malformed);
        }
        if self.scan.verdict.length == 0 {
            return Some(Reason::Clean);
        }
        // Data that the server does not take would move the judge's place in the stream.
        if flags & (tcp_flags::SYN | tcp_flags::ACK) != tcp_flags::ACK {
            return Some(Reason::Malformed);
        }
        // What the later pieces hold would not be seen.
        if self.scan.verdict.fragment() != Fragment::Whole {
            return Some(Reason::BadFragment);
        }
        None
    }

    #[inline(never)]
    fn find_flow(&mut self) {
        let now = self.now();
        let key = self.tables.key;
        let verdict = &self.scan.verdict;
        Flow::find(self.bench, key, verdict, &mut self.scan.flow, now);
    }

    /// Writes the flow's record.
    #[inline(never)]
    pub(super) fn keep_flow(&mut self) {
        let now = self.now();
        self.scan.flow.keep(self.bench, now);
    }

    /// A SYN.
    #[inline(always)]
    fn opening(&mut self) -> Reason {
        let service = self.service();
        let plain = service.kind() == ServiceKind::Plain;
        // Data on a SYN would be read before anything of it was judged (RFC 7413).
        if self.scan.verdict.length != 0 && !plain {
            return Reason::Incomplete;
        }
        let verdict = &mut self.scan.verdict;
        let ports = u64::from(verdict.source_port) << 16 | u64::from(verdict.destination_port);
        let attempt = ports << 32 | u64::from(verdict.sequence);
        verdict.transaction = mix(attempt, 0x5159) | 1;
        if self.trusted_for(level::REGISTERED) {
            if !self.recall() && self.requests() != State::Within {
                return Reason::Rate;
            }
            self.remember(true);
        } else {
            if self.ask(Part::Charge) == 1 || self.is_empty_handed() {
                return Reason::Rate;
            }
            if plain {
                return Reason::Clean;
            }
            let reason = self.reason(Part::Spend);
            if reason != Reason::Clean {
                return reason;
            }
        }
        self.find_flow();
        let first = self.scan.verdict.sequence.wrapping_add(1);
        self.scan.flow.begin(first);
        self.keep_flow();
        Reason::Clean
    }

    /// Whether the source opened too many connections that brought no message. A forged SYN may have
    /// its source limited, never banned.
    #[inline(always)]
    fn is_empty_handed(&mut self) -> bool {
        let kind = self.service().kind();
        let again = self.scan.verdict.again == 1;
        let source = self.source_hash();
        kind == ServiceKind::Sip
            && self.rate_of(source, of_source::EMPTY, &EMPTY, !again) != State::Within
            && !again
    }

    /// Ends a flow: all that follows is dropped, and its socket destroyed.
    #[inline(always)]
    pub(super) fn end_flow(&mut self, reason: Reason) -> Reason {
        // What time will mend is judged again when the sender repeats it.
        if !matches!(reason, Reason::Rate | Reason::Budget | Reason::Incomplete) {
            self.scan.flow.drop_for(reason);
            self.keep_flow();
            self.scan.verdict.set_destroy();
        }
        reason
    }

    /// Where the segment lies in the stream as far as it is known.
    #[inline(always)]
    fn entry(&self) -> Entry {
        let length = self.scan.verdict.length;
        let sequence = self.scan.verdict.sequence;
        let to_start = self.scan.flow.start.wrapping_sub(sequence);
        let to_next = self.scan.flow.next.wrapping_sub(sequence);
        // Distances above half the sequence space lie behind.
        if to_start < length {
            // The message last judged begins here (again): it is judged (again).
            if to_start == to_next {
                Entry::Message(to_start)
            } else {
                Entry::Again(to_start)
            }
        } else if to_next >> 31 == 1 {
            Entry::Ahead
        } else if to_next < length {
            Entry::Message(to_next)
        } else if to_start >> 31 == 1 {
            Entry::Inside
        } else {
            Entry::Older
        }
    }

    /// A segment with data of a SIP stream.
    #[inline(always)]
    pub(super) fn segment(&mut self) -> Reason {
        let unknown = self.scan.flow.phase() == Phase::Unknown;
        self.scan.known.unknown_flow = u32::from(unknown);
        if unknown {
            let sequence = self.scan.verdict.sequence;
            self.scan.flow.begin(sequence);
        }
        self.scan.older = 0;
        self.scan.position = match self.entry() {
            Entry::Ahead => return Reason::Incomplete,
            Entry::Inside => return Reason::Clean,
            Entry::Older => {
                self.scan.older = OLDER;
                0
            }
            Entry::Again(at) => {
                self.scan.older = AGAIN;
                at
            }
            Entry::Message(at) => at,
        };
        let first = self.scan.flow.start == self.scan.flow.next;
        self.scan.known.first_message = u32::from(first);
        self.scan.set_outcome(Reason::Clean);
        self.bench.turns::<Units>(self.tables, self.scan, MESSAGES);
        let reason = self.scan.outcome();
        if self.scan.older == OLDER || self.scan.known.unknown_flow == 1 {
            // Not known to be the beginning of a message: it cannot be held against the sender
            // that it is none.
            if matches!(reason, Reason::Malformed | Reason::Incomplete) {
                return Reason::Undecided;
            }
        }
        // Whoever knows the ends of a connection can forge old bytes: they end nothing.
        if self.scan.older == OLDER {
            return reason;
        }
        if reason.action() == Action::Drop {
            return self.end_flow(reason);
        }
        if self.scan.position < self.scan.verdict.length {
            // More messages in one segment than a stranger needs.
            return Reason::Rate;
        }
        if self.scan.known.first_message == 1 {
            let source = self.source_hash();
            self.refund_of(source, of_source::EMPTY, &EMPTY, 1);
        }
        self.keep_flow();
        reason
    }

    /// One message, or more of its headers, from `position` in the segment on.
    #[inline(always)]
    fn unit_reason(&mut self) -> Reason {
        let at = self.scan.position;
        if !self.fill(at) {
            return Reason::Malformed;
        }
        if self.scan.older == 0 && self.scan.flow.phase() == Phase::Headers {
            let (state, length) = self.scan.flow.frame();
            self.scan.begin_framing(0, state, length);
            return self.frame(Reason::Clean);
        }
        if sip::only_line_ends(self.scan, 0) {
            if self.scan.older == AGAIN {
                self.go_on();
                return Reason::KeepAlive;
            }
            let end = at.wrapping_add(self.scan.length());
            self.scan.position = end;
            let next = self.scan.verdict.sequence.wrapping_add(end);
            self.scan.flow.begin(next);
            return Reason::KeepAlive;
        }
        self.scan.closed = 0;
        let reason = self.reason(Part::Message);
        if reason.action() == Action::Drop || self.scan.older == OLDER {
            return reason;
        }
        self.scan.flow.start = self.scan.verdict.sequence.wrapping_add(at);
        let start = self.scan.span(Kind::StartLine).from;
        self.scan.begin_framing(start, framing::LINE_START, 0);
        self.frame(reason)
    }

    /// Where in the segment the next message begins, or more of the headers.
    #[inline(always)]
    fn next(&self) -> u32 {
        self.scan.flow.next.wrapping_sub(self.scan.verdict.sequence)
    }

    /// Goes on behind what was admitted before: the server has it, whatever is sent in its place.
    #[inline(always)]
    fn go_on(&mut self) {
        self.scan.older = 0;
        self.scan.position = self.next();
    }

    /// Finds where the message in the window ends; `reason` is what became of it.
    #[inline(always)]
    fn frame(&mut self, reason: Reason) -> Reason {
        B::repeat::<Framing>(self.scan, self.tables.policy, FRAMING_STEPS);
        let state = self.scan.frame;
        if framing::broken(state) {
            return Reason::Malformed;
        }
        let mut at = self.scan.position.wrapping_add(self.scan.frame_from());
        let ended = framing::ended(state);
        if ended {
            at = at.wrapping_add(self.scan.frame_length);
        }
        if self.scan.older == AGAIN {
            let next = self.next();
            self.go_on();
            if !ended || at >= next {
                return reason;
            }
        }
        if ended {
            self.scan.flow.set_phase(Phase::Messages);
            self.scan.flow.set_frame(0, 0);
        } else {
            let length = self.scan.frame_length;
            self.scan.flow.set_phase(Phase::Headers);
            self.scan.flow.set_frame(state, length);
        }
        self.scan.position = at;
        self.scan.flow.next = self.scan.verdict.sequence.wrapping_add(at);
        reason
    }
}
