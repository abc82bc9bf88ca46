//! The automaton that finds signatures and domain names in header values.
//!
//! The daemon compiles every pattern into one table; the judge walks a header value through it, one
//! byte at a time, from the start state of that header's [`Location`]. The table is a map value in
//! the kernel and a boxed struct in user space, and holds no pointers.
//!
//! A state is the number of the table entry where its row begins, divided by [`ROW_UNIT`], so that a
//! step costs one addition and no multiplication. A row holds one entry for each byte class, then
//! the entry for the end of the value, then the number of the [`Match`] that the state stands for,
//! and is filled up to whole units.
//!
//! What depends on the end of the value, or on the byte that follows, is known late: a walk notes
//! the states that it enters, ends with [`Automaton::end`], and notes that state too.
//!
//! Every index is masked to a length that is a power of two: neither this code nor the kernel's
//! verifier needs to know what the table holds. A table of zeroes finds nothing.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Entries of the transition table: its greatest size, 512 KiB.
pub const TRANSITIONS: usize = 1 << 18;
/// Entries of a row come in multiples of this, so that 16 bits can name every row.
pub const ROW_UNIT: usize = 4;
/// Different matches that states can stand for.
pub const MATCHES: usize = 1024;
/// Start states for header values, one for each [`Location`].
pub const LOCATIONS: usize = 32;
/// Start states for domain names, one for each service.
pub const SERVICES: usize = 32;
/// Signature numbers, of which 0 stands for none.
pub const SIGNATURES: usize = 512;
/// Rules on conditions that are seen in different places of a message.
pub const RULES: usize = 64;
/// Limits on how often a header may occur.
pub const OVERS: usize = 16;

const _: () = assert!(TRANSITIONS / ROW_UNIT <= 1 << 16, "16 bits name every row");

/// The state from which nothing can be found any more. No step leaves it.
pub const DEAD: u16 = 0;
/// The condition bit of a domain name; the other bits belong to signatures.
pub const DOMAIN: u64 = 1 << 63;
/// The score at which a message is dropped.
pub const SCORE_LIMIT: u32 = 100;

/// The part of a message whose text a walk reads (names of RFC 3261 and, for SDP, RFC 8866).
///
/// Values are given without the white space around them. Of a header that occurs more than once the
/// first is walked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Location {
    /// The whole first line of a request, without its line end.
    RequestLine = 0,
    /// The Request-URI as written.
    RequestUri = 1,
    /// The user part of the Request-URI.
    RequestUriUser = 2,
    /// The host of the Request-URI, without port and brackets.
    RequestUriHost = 3,
    /// The value of User-Agent or of Server.
    UserAgent = 4,
    /// The whole value of From.
    From = 5,
    /// The display name of From, without its quotes.
    FromDisplay = 6,
    /// The user part of From's URI.
    FromUser = 7,
    /// The host of From's URI, without port and brackets.
    FromHost = 8,
    /// The tag parameter of From.
    FromTag = 9,
    /// The whole value of To.
    To = 10,
    /// The user part of To's URI.
    ToUser = 11,
    /// The tag parameter of To.
    ToTag = 12,
    /// The whole value of Contact.
    Contact = 13,
    /// The branch parameter of the topmost Via.
    ViaBranch = 14,
    /// The value of Call-ID.
    CallId = 15,
    /// The value of CSeq.
    CSeq = 16,
    /// The value of Subject.
    Subject = 17,
    /// The value of Accept.
    Accept = 18,
    /// The value of the `o=` line of an SDP body.
    SdpOrigin = 19,
    /// The value of the `s=` line of an SDP body.
    SdpSession = 20,
    /// Every header line as written, name included. Costs a walk over all headers.
    AnyHeader = 21,
    /// The whole message. Costs a walk over all of it.
    WholeMessage = 22,
    /// The user part of Contact's URI.
    ContactUser = 23,
    /// The host of Contact's URI, without port and brackets.
    ContactHost = 24,
}

impl Location {
    /// Every location, by its number.
    pub const ALL: [Self; 25] = [
        Self::RequestLine,
        Self::RequestUri,
        Self::RequestUriUser,
        Self::RequestUriHost,
        Self::UserAgent,
        Self::From,
        Self::FromDisplay,
        Self::FromUser,
        Self::FromHost,
        Self::FromTag,
        Self::To,
        Self::ToUser,
        Self::ToTag,
        Self::Contact,
        Self::ViaBranch,
        Self::CallId,
        Self::CSeq,
        Self::Subject,
        Self::Accept,
        Self::SdpOrigin,
        Self::SdpSession,
        Self::AnyHeader,
        Self::WholeMessage,
        Self::ContactUser,
        Self::ContactHost,
    ];

    /// The name that configuration and reports use.
    pub const fn name(self) -> &'static str {
        match self {
            Self::RequestLine => "request-line",
            Self::RequestUri => "request-uri",
            Self::RequestUriUser => "request-uri.user",
            Self::RequestUriHost => "request-uri.host",
            Self::UserAgent => "user-agent",
            Self::From => "from",
            Self::FromDisplay => "from.display",
            Self::FromUser => "from.user",
            Self::FromHost => "from.host",
            Self::FromTag => "from.tag",
            Self::To => "to",
            Self::ToUser => "to.user",
            Self::ToTag => "to.tag",
            Self::Contact => "contact",
            Self::ViaBranch => "via.branch",
            Self::CallId => "call-id",
            Self::CSeq => "cseq",
            Self::Subject => "subject",
            Self::Accept => "accept",
            Self::SdpOrigin => "sdp.o",
            Self::SdpSession => "sdp.s",
            Self::AnyHeader => "any-header",
            Self::WholeMessage => "whole-message",
            Self::ContactUser => "contact.user",
            Self::ContactHost => "contact.host",
        }
    }
}

/// A header whose occurrences are counted. RFC 3261, section 7.3.1, allows one of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Counted {
    /// From.
    From = 0,
    /// To.
    To = 1,
    /// Call-ID.
    CallId = 2,
    /// CSeq.
    CSeq = 3,
}

impl Counted {
    /// Every counted header, by its number.
    pub const ALL: [Self; 4] = [Self::From, Self::To, Self::CallId, Self::CSeq];

    /// The name that configuration and reports use.
    pub const fn name(self) -> &'static str {
        match self {
            Self::From => "header.from",
            Self::To => "header.to",
            Self::CallId => "header.call-id",
            Self::CSeq => "header.cseq",
        }
    }
}

/// What entering a state means.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct Match {
    /// Conditions that hold from now on, for rules; [`DOMAIN`] for a domain name.
    pub bits: u64,
    /// The number of a signature that is hit outright, or 0.
    pub signature: u16,
    /// Zero.
    pub reserved: [u8; 6],
}

/// What follows when several conditions hold in one message.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct Rule {
    /// The conditions, all of which must hold.
    pub need: u64,
    /// The number of the signature.
    pub signature: u16,
    /// Points for the message's score; 0 hits the signature outright.
    pub points: u16,
    /// Zero.
    pub reserved: [u8; 4],
}

/// What follows when a header occurs more often than it may.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct Over {
    /// What is noted then, as for a state.
    pub hit: Match,
    /// The greatest number of occurrences that is allowed.
    pub limit: u16,
    /// The number of a [`Counted`] header.
    pub header: u8,
    /// Zero.
    pub reserved: [u8; 5],
}

/// The table of one policy: patterns, their start states, and what their matches mean.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Automaton {
    /// The class of each byte; bytes of one class never lead to different states.
    pub classes: [u8; 256],
    /// The start state of each [`Location`]; [`DEAD`] where nothing is looked for.
    pub start: [u16; LOCATIONS],
    /// For each service, the start state of a walk over a host's name.
    pub domain_start: [u16; SERVICES],
    /// For each service, the start state of a search for its domains anywhere in the payload.
    pub domain_anywhere_start: [u16; SERVICES],
    /// The class of the end of a value. The next entry of a row is the number of its match.
    pub end_class: u32,
    /// States from this one on are matches, those below are not.
    pub first_match: u32,
    /// How many of `rules` are used.
    pub rule_count: u32,
    /// How many of `overs` are used.
    pub over_count: u32,
    /// One bit for each kind of line whose value is walked whole (`sip.rs`).
    pub value_kinds: u32,
    /// Zero.
    pub reserved: u32,
    /// Rules on conditions, looked at when a message has been read.
    pub rules: [Rule; RULES],
    /// Limits on how often headers occur.
    pub overs: [Over; OVERS],
    /// The [`Action`] of each signature, by number.
    pub actions: [u8; SIGNATURES],
    /// What match states stand for.
    pub matches: [Match; MATCHES],
    /// The rows of the states.
    pub transitions: [u16; TRANSITIONS],
}

const _: () = assert!(
    size_of::<Match>() == 16,
    "matches are written by the daemon"
);
const _: () = assert!(size_of::<Rule>() == 16, "rules are written by the daemon");
const _: () = assert!(size_of::<Over>() == 24, "limits are written by the daemon");
const _: () = assert!(
    size_of::<Automaton>() == 256 + 3 * 64 + 24 + 64 * 16 + 16 * 24 + 512 + 1024 * 16 + (2 << 18),
    "the automaton is one value of a map: its layout is that of the pinned maps"
);

/// What is done with a message that hits a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Action {
    /// The message is dropped.
    Drop = 0,
    /// The message is dropped and its source is banned.
    Ban = 1,
}

/// The number of the entry where the row of a state begins.
#[inline(always)]
fn first_entry(state: u16) -> usize {
    state as usize * ROW_UNIT
}

impl Automaton {
    /// The start state for a location, [`DEAD`] if nothing is looked for there.
    #[inline(always)]
    pub fn start(&self, location: Location) -> u16 {
        self.start[location as usize & (LOCATIONS - 1)]
    }

    /// The start state for a host's name at a service, [`DEAD`] if it has no domains.
    #[inline(always)]
    pub fn domain_start(&self, service: usize) -> u16 {
        self.domain_start[service & (SERVICES - 1)]
    }

    /// The start state of the search for a service's domains in a whole payload, [`DEAD`] if it has
    /// none or matches hosts only.
    #[inline(always)]
    pub fn domain_anywhere_start(&self, service: usize) -> u16 {
        self.domain_anywhere_start[service & (SERVICES - 1)]
    }

    /// The state after one more byte.
    #[inline(always)]
    pub fn step(&self, state: u16, byte: u8) -> u16 {
        let class = self.classes[byte as usize] as usize;
        self.transitions[first_entry(state).wrapping_add(class) & (TRANSITIONS - 1)]
    }

    /// The state after the last byte of a value.
    #[inline(always)]
    pub fn end(&self, state: u16) -> u16 {
        let column = self.end_class as usize;
        self.transitions[first_entry(state).wrapping_add(column) & (TRANSITIONS - 1)]
    }

    /// What the state stands for, if it is a match.
    #[inline(always)]
    pub fn matched(&self, state: u16) -> Option<&Match> {
        if (state as u32) < self.first_match {
            return None;
        }
        let column = (self.end_class as usize).wrapping_add(1);
        let entry = first_entry(state).wrapping_add(column) & (TRANSITIONS - 1);
        Some(&self.matches[self.transitions[entry] as usize & (MATCHES - 1)])
    }

    /// The action of a signature, by its number.
    #[inline(always)]
    pub fn action(&self, signature: u16) -> Action {
        if self.actions[signature as usize & (SIGNATURES - 1)] == Action::Ban as u8 {
            Action::Ban
        } else {
            Action::Drop
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use zerocopy::FromZeros;

    extern crate std;
    use std::boxed::Box;

    fn zeroed() -> Box<Automaton> {
        Automaton::new_box_zeroed().unwrap()
    }

    #[test]
    fn locations_and_headers_are_numbered_in_order() {
        for (at, location) in Location::ALL.into_iter().enumerate() {
            assert_eq!(location as usize, at);
        }
        for (at, header) in Counted::ALL.into_iter().enumerate() {
            assert_eq!(header as usize, at);
        }
        assert!(Location::ALL.len() <= LOCATIONS);
    }

    #[test]
    fn a_table_of_zeroes_finds_nothing() {
        let a = zeroed();
        for location in Location::ALL {
            let start = a.start(location);
            assert_eq!(start, DEAD);
            for byte in 0..=255 {
                assert_eq!(a.step(start, byte), DEAD);
            }
            assert_eq!(a.end(start), DEAD);
        }
    }

    proptest! {
        /// Nothing that a table may hold makes a walk panic.
        #[test]
        fn any_table_can_be_walked(
            fill in any::<[u8; 32]>(),
            state in any::<u16>(),
            text in any::<[u8; 32]>(),
        ) {
            let mut a = zeroed();
            let noise = fill.iter().cycle();
            for (to, from) in a.as_mut_bytes().iter_mut().zip(noise) {
                *to = *from;
            }
            let mut at = state;
            for byte in text {
                at = a.step(at, byte);
                let _ = (a.matched(at), a.end(at));
            }
            a.action(state);
        }
    }
}
