//! What the judge says of a packet, and what it learned on the way.
//!
//! The facts lie in memory that is shared by the steps, not in registers: the kernel's verifier
//! forgets what goes through a map value, and so follows each step once and not once for every
//! way that leads to it.

use crate::address::Address;
use crate::bench::Cause;
use crate::country::Country;
use crate::packet::{Fragment, Link};
use crate::reason::{Action, Reason};
use core::hint::black_box;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// The class of a packet that has none.
pub const NO_CLASS: u8 = 255;
/// In `fragment`: the first piece.
const FIRST_PIECE: u32 = 1;

/// The judge's word on a packet.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Verdict {
    /// Source address; unspecified where there was no IP header.
    pub source: Address,
    /// Destination address.
    pub destination: Address,
    /// The keyed hash of the source; 0: not needed so far.
    pub(crate) source_hash: u64,
    /// Boot time, ns; 0: not asked so far.
    pub(crate) now: u64,
    /// Identifies the transaction; 0: unknown.
    pub(crate) transaction: u64,
    /// Of [`crate::bench::list_flags`].
    pub(crate) listed: u32,
    /// The place of the interface among the guarded ones.
    pub(crate) interface: u32,
    /// Where the transport header begins.
    pub(crate) transport: u32,
    /// Where the IP packet ends.
    pub(crate) end: u32,
    /// 0: whole; 1: the first piece; else (its lowest bit may be set) the offset of a later one.
    pub(crate) fragment: u32,
    /// Where the payload begins in the frame.
    pub payload: u32,
    /// Bytes of payload.
    pub length: u32,
    /// TCP: sequence number.
    pub(crate) sequence: u32,
    /// Source port, or 0.
    pub source_port: u16,
    /// Destination port, or 0.
    pub destination_port: u16,
    /// Number of the signature that hit, or 0.
    pub signature: u16,
    /// The number of the source's country, and 1 more; 0: not asked for.
    country: u16,
    /// IANA protocol number, or 0.
    pub protocol: u8,
    /// Number of the service, 0 for none.
    pub service: u8,
    /// Number of the class, or [`NO_CLASS`].
    pub class: u8,
    /// TCP flags.
    pub(crate) flags: u8,
    pub(crate) link: u8,
    /// 1: the extension headers or lengths cannot be believed.
    pub(crate) doubtful: u8,
    /// 1: the transaction was seen before.
    pub(crate) again: u8,
    /// 1: one of the service's domains was named.
    pub(crate) named: u8,
    reason: u8,
    action: u8,
    banned: u8,
    destroy: u8,
    /// 1: the source's country is admitted for the class.
    pub(crate) admitted: u8,
    /// 1: the transaction was paid for out of the budget before.
    pub(crate) paid: u8,
    /// Of [`crate::trust::level`].
    pub trust: u8,
    /// What alone the packet passes by, of [`held`]: its source is banned.
    pub(crate) held: u8,
    /// Accounts that are registered from the source.
    pub(crate) accounts: u32,
    /// Of [`told`].
    pub(crate) told: u32,
    /// 1: the source proved a return path.
    pub(crate) proved: u8,
    /// 1: the flow is a registered one.
    pub(crate) registered_flow: u8,
    /// What lists of others say of the source: bits of [`crate::feed::FeedAction::bit`], and [`crate::feed::REFUSED`].
    pub(crate) feed: u8,
    /// 1: the service admits the source's network, whatever its country.
    pub(crate) network: u8,
    reserved: [u8; 4],
    /// Services that admit the source's network (bit n: the n-th).
    pub(crate) admits: u32,
    /// Services that do not.
    pub(crate) refuses: u32,
}

/// What a packet of a banned source may still pass by.
pub(crate) mod held {
    /// Being the end of a dialogue.
    pub const DIALOGUE: u8 = 1;
    /// Being that of an account that is registered from there.
    pub const ACCOUNT: u8 = 2;
    /// Being a REGISTER that names one of our domains: nobody proved who it was that was banned.
    pub const NAMED: u8 = 4;
    /// Being an emergency call.
    pub const EMERGENCY: u8 = 8;
    /// The mode: nothing is dropped, and what passes is learned from.
    pub const SHADOW: u8 = 16;
}

/// What a message says of itself.
pub(crate) mod told {
    /// It carries credentials.
    pub const CREDENTIALS: u32 = 1;
    /// Its sender is a stranger.
    pub const STRANGER: u32 = 2;
    /// It asks for a registration.
    pub const ASKS: u32 = 4;
    /// Its credentials were counted until they are answered.
    pub const COUNTED: u32 = 8;
    /// It calls an emergency number.
    pub const EMERGENCY: u32 = 16;
    /// It names one of the service's domains.
    pub const NAMED: u32 = 32;
    /// Its sender carries others' traffic.
    pub const PROXY: u32 = 64;
    /// Phones belong behind its address.
    pub const BELONGS: u32 = 128;
    /// It had a final answer.
    pub const ANSWERED: u32 = 256;
}

const _: () = assert!(Action::Pass as u8 == 0, "the zero of `begin`");

impl Verdict {
    /// Makes ready for a packet of the `interface`-th guarded interface.
    #[inline(always)]
    pub(crate) fn begin(&mut self, interface: u32, link: Link) {
        let words: &mut [u64; size_of::<Verdict>() / 8] = zerocopy::transmute_mut!(self);
        // Of a zero that it knows, the compiler would make a loop over bytes.
        let zero = black_box(0);
        let mut n = 0;
        while n < words.len() {
            words[n] = zero;
            n += 1;
        }
        self.interface = interface;
        self.link = link as u8;
        self.class = NO_CLASS;
    }

    /// Why; it implies the action that the policy wants.
    #[inline(always)]
    pub fn reason(&self) -> Reason {
        Reason::from_number(self.reason).unwrap_or(Reason::Unprotected)
    }

    /// The number of [`Verdict::reason`].
    #[inline(always)]
    pub fn reason_number(&self) -> u8 {
        self.reason
    }

    /// What becomes of the packet: in shadow mode, always [`Action::Pass`].
    #[inline(always)]
    pub fn action(&self) -> Action {
        if self.action == Action::Drop as u8 {
            Action::Drop
        } else {
            Action::Pass
        }
    }

    /// The source's country, where it was asked for.
    #[inline(always)]
    pub fn country(&self) -> Option<Country> {
        match self.country {
            0 => None,
            number => Some(Country::from_number((number - 1) as u8)),
        }
    }

    /// The source's country; `ZZ` where it was not asked for.
    #[inline(always)]
    pub(crate) fn located(&self) -> Country {
        Country::from_number(self.country.saturating_sub(1) as u8)
    }

    /// Why the source was banned by this packet, if it was.
    #[inline(always)]
    pub fn banned(&self) -> Option<Cause> {
        Cause::from_number(self.banned)
    }

    /// Whether this is a TCP flow behind its handshake that was dropped for good: its socket is to
    /// be destroyed.
    #[inline(always)]
    pub fn destroy(&self) -> bool {
        self.destroy == 1
    }

    /// Piece or whole.
    #[inline(always)]
    pub(crate) fn fragment(&self) -> Fragment {
        match self.fragment {
            0 => Fragment::Whole,
            FIRST_PIECE => Fragment::First,
            offset => Fragment::Later(offset & 0xfff8),
        }
    }

    #[inline(always)]
    pub(crate) fn set_country(&mut self, country: Country) {
        self.country = u16::from(country.number()) + 1;
    }

    #[inline(always)]
    pub(crate) fn set_reason(&mut self, reason: Reason) {
        self.reason = reason as u8;
    }

    #[inline(always)]
    pub(crate) fn set_dropped(&mut self) {
        self.action = Action::Drop as u8;
    }

    #[inline(always)]
    pub(crate) fn set_banned(&mut self, cause: Cause) {
        self.banned = cause as u8;
    }

    #[inline(always)]
    pub(crate) fn set_destroy(&mut self) {
        self.destroy = 1;
    }
}
