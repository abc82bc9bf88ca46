//! The parts of the judgement.
//!
//! What a part finds lies in memory, and its answer is one number: in the kernel each is a function
//! that the verifier looks at once and on its own, whatever led to it (see
//! `docs/design/text-scanning.md`).

use super::Judge;
use crate::bench::{Bench, Tables};
use crate::reason::Reason;
use crate::scan::Scan;

/// A part of the judgement. What it answers is said with each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Addresses, lists, ports, bans. The number of a reason, or [`GO_ON`].
    Headers,
    /// Follows the IPv6 extension headers. Nothing.
    Extensions,
    /// Whether the source, which the filter marks, is banned: 1 or 0.
    Ban,
    /// A later fragment. The number of a reason; so where nothing else is said below.
    LaterFragment,
    /// A datagram.
    Udp,
    /// A TCP segment. The number of a reason, or [`GO_ON`].
    Tcp,
    /// A segment with data of a SIP stream.
    Segment,
    /// The first bytes of a TLS or WebSocket connection.
    Greeting,
    /// One SIP message; its beginning is in the window.
    Message,
    /// Looks at the lines whose ends were marked. Nothing.
    Lines,
    /// Class and Request-URI of the message: the number of a `Text`.
    Read,
    /// What makes the message's retransmissions recognisable. Nothing.
    Identify,
    /// Recognises the repetition of a datagram that is not read. Nothing.
    Recognise,
    /// Charges the transaction: 1 where the source is over its rate, else 0.
    Charge,
    /// Plans what is looked for in an address of the message. Nothing.
    Address,
    /// Plans what is looked for elsewhere in it. Nothing.
    Values,
    /// Takes the walks that were planned. Nothing.
    Walk,
    /// Looks through the values. Nothing.
    Inspect,
    /// The budget of strangers.
    Spend,
    /// What a drop leads on to. Nothing.
    Consequences,
}

/// The answer of a part that leaves the reason to the next.
pub(super) const GO_ON: u32 = 0xff;

#[inline(always)]
fn answer(reason: Option<Reason>) -> u32 {
    match reason {
        Some(reason) => reason as u32,
        None => GO_ON,
    }
}

/// The reason that a part answered with.
#[inline(always)]
pub(super) fn reason(answer: u32) -> Reason {
    Reason::from_number(answer as u8).unwrap_or(Reason::Malformed)
}

/// Runs a part over the bench.
#[inline(always)]
pub fn run<B: Bench>(part: Part, bench: &mut B, tables: Tables<'_>, scan: &mut Scan) -> u32 {
    let mut judge = Judge {
        bench,
        tables,
        scan,
    };
    match part {
        Part::Headers => answer(judge.headers()),
        Part::Extensions => judge.extensions(),
        Part::Ban => u32::from(judge.ban()),
        Part::LaterFragment => judge.later_fragment() as u32,
        Part::Udp => judge.udp() as u32,
        Part::Tcp => answer(judge.tcp()),
        Part::Segment => judge.segment() as u32,
        Part::Greeting => judge.greeting() as u32,
        Part::Message => judge.message() as u32,
        Part::Lines => judge.lines(),
        Part::Read => judge.read() as u32,
        Part::Identify => judge.identify(),
        Part::Recognise => judge.recognise(),
        Part::Charge => u32::from(judge.charge()),
        Part::Address => judge.address(),
        Part::Values => judge.values(),
        Part::Walk => judge.walk(),
        Part::Inspect => judge.inspect(),
        Part::Spend => judge.spend_once() as u32,
        Part::Consequences => judge.consequences(),
    }
}

impl<B: Bench> Judge<'_, B> {
    /// Runs a part and takes its answer.
    #[inline(always)]
    pub(super) fn ask(&mut self, part: Part) -> u32 {
        self.bench.part(part, self.tables, self.scan)
    }

    /// Runs a part that answers with a reason.
    #[inline(always)]
    pub(super) fn reason(&mut self, part: Part) -> Reason {
        reason(self.ask(part))
    }
}
