//! Who belongs here: what was learned from the packets themselves.
//!
//! An address is registered while this host's 200 to its REGISTER holds, and solicited while it
//! answers what this host asks of it. Times are boot times in ns; 0 is never.

mod culprit;
mod dialogue;
mod marks;
mod record;

pub use culprit::Culprit;
pub use culprit::flow_hash;
pub use dialogue::{Dialogue, Least, Stage};
pub use marks::SENT_SINCE;
pub(crate) use marks::{ANSWERS_WORD, EMERGENCY_WORD, GOES_ON_WORD, INVITES_WORD, SENT_FULL};
pub use record::{Record, find, keep};

use crate::address::Address;
use core::hint::black_box;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Beyond the time granted: timer F of the answer that was lost (RFC 3261, section 17.1.2.2), twice.
pub const GRACE: u64 = 64 * SECOND;
/// After a registration ran out, its address may still ask for a new one.
pub const KNOWN: u64 = 24 * 3600 * SECOND;
/// The longest registration that is believed.
pub const LONGEST: u64 = 24 * 3600;
/// A call without a sign of life for so long is over.
pub const CALL: u64 = 12 * 3600 * SECOND;
/// How long an account that appears at another address has more credit.
pub const MOVING: u64 = 120 * SECOND;

pub(crate) const SECOND: u64 = 1_000_000_000;

/// Bytes of an account's name that are kept.
pub const NAME: usize = 32;

/// What is known of an address. An IPv6 network of 64 bits has an entry of its own, in which only
/// `registered_until` counts: that of any address in it.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct Standing {
    /// When its last registration runs out, the grace included.
    pub registered_until: u64,
    /// Until when it may ask for a new one from anywhere.
    pub known_until: u64,
    /// Until when it is solicited.
    pub solicited_until: u64,
    /// Until when calls with it are believed to be up.
    pub call_until: u64,
    /// Until when an emergency call with it is believed to be up.
    pub emergency_until: u64,
    /// When it was first learned of.
    pub since: u64,
    /// Accounts registered from it.
    pub accounts: u32,
    /// Calls that are up with it.
    pub calls: u32,
    /// When the longest of its registrations was granted for, in seconds.
    pub granted: u32,
    /// Zero.
    pub reserved: u32,
}

impl Standing {
    /// Nothing is known. Word by word: no copy is made on a small stack.
    #[inline(always)]
    pub(crate) fn clear(&mut self) {
        let words: &mut [u64; size_of::<Standing>() / 8] = zerocopy::transmute_mut!(self);
        // Of a zero that it knows, the compiler would make a loop over bytes.
        let zero = black_box(0);
        let mut n = 0;
        while n < words.len() {
            words[n] = zero;
            n += 1;
        }
    }

    /// Whether a registration holds.
    #[inline(always)]
    pub fn registered(&self, now: u64) -> bool {
        self.registered_until > now
    }

    /// Whether this host's requests are answered from it.
    #[inline(always)]
    pub fn solicited(&self, now: u64) -> bool {
        self.solicited_until > now
    }

    /// A registration was accepted that runs out at `until`; `granted` is in seconds.
    #[inline(always)]
    pub fn lengthen(&mut self, until: u64, granted: u32) {
        if until > self.registered_until {
            self.registered_until = until;
            self.known_until = until.wrapping_add(KNOWN);
        }
        if granted > self.granted {
            self.granted = granted;
        }
    }

    /// Whether a call with it is up, or ended so lately that something of it is still on its way.
    #[inline(always)]
    pub fn in_call(&self, now: u64) -> bool {
        self.call_until > now
    }
}

/// What a registration is found by.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    FromBytes,
    IntoBytes,
    Immutable,
    KnownLayout,
)]
#[repr(C)]
pub struct ContactKey {
    /// Where it was made from.
    pub address: Address,
    /// Odd: the digest of an account's name. Even: a flow, see [`ContactKey::flow`].
    pub of: u64,
}

impl ContactKey {
    /// The registration of an account; `digest` is that of its name.
    #[inline(always)]
    pub fn account(address: Address, digest: u64) -> Self {
        Self {
            address,
            of: digest | 1,
        }
    }

    /// The registration that was made from a port.
    #[inline(always)]
    pub fn flow(address: Address, protocol: u8, port: u16) -> Self {
        Self {
            address,
            of: (u64::from(protocol) << 16 | u64::from(port)) << 1,
        }
    }

    /// Protocol and port, where it is a flow's.
    pub const fn as_flow(&self) -> Option<(u8, u16)> {
        if self.of & 1 == 1 {
            None
        } else {
            Some(((self.of >> 17) as u8, (self.of >> 1) as u16))
        }
    }
}

/// A registration.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct Contact {
    /// When it runs out, the grace included.
    pub until: u64,
    /// When it was first made.
    pub since: u64,
    /// The digest of the account's name, odd.
    pub account: u64,
    /// The account's name, as much of it as fits, zeros behind it.
    pub name: [u64; NAME / 8],
    /// Seconds granted.
    pub granted: u32,
    /// Port that it was made from.
    pub port: u16,
    /// IANA protocol number.
    pub protocol: u8,
    /// Number of the service.
    pub service: u8,
}

/// An account that registered within the last days.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct Account {
    /// When it appeared at another address than its own; 0: not since it last registered.
    pub moved: u64,
    /// When it last registered; 0: before this boot.
    pub last: u64,
    /// Where it last registered from.
    pub address: [u64; 2],
    /// Its name, as in [`Contact::name`].
    pub name: [u64; NAME / 8],
}

/// Room for an entry of one of the tables.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Entry {
    /// Of the table of standings.
    pub standing: Standing,
    /// Of the table of registrations.
    pub contact: Contact,
    /// Of the table of accounts.
    pub account: Account,
}

const _: () = assert!(
    size_of::<Standing>() == 64
        && size_of::<ContactKey>() == 24
        && size_of::<Contact>() == 64
        && size_of::<Account>() == 64
        && size_of::<Lesson>() == 72,
    "what kernel and daemon share"
);

/// The text of a name.
pub fn name_bytes(name: &[u64; NAME / 8]) -> ([u8; NAME], usize) {
    let mut bytes = [0; NAME];
    let mut n = 0;
    while n < NAME {
        bytes[n] = (name[n / 8] >> (n % 8 * 8)) as u8;
        n += 1;
    }
    let length = bytes.iter().position(|byte| *byte == 0).unwrap_or(NAME);
    (bytes, length)
}

/// The digest of an account's name, as the judge makes it of the text.
pub const fn account_digest(name: &[u8]) -> u64 {
    crate::search::digest_bytes(name) | 1
}

/// What a source is trusted for.
pub mod level {
    /// An account is registered from the address.
    pub const REGISTERED: u8 = 1;
    /// One was until lately: it may ask for a new registration.
    pub const KNOWN: u8 = 2;
    /// This host's requests are answered from there.
    pub const SOLICITED: u8 = 4;
    /// The flow, or the account that is named, is a registered one.
    pub const FULL: u8 = 8;
    /// An address of the same /64 is registered.
    pub const NEAR: u8 = 16;
    /// A call with the address is up.
    pub const CALL: u8 = 32;
    /// An emergency call with it is up.
    pub const EMERGENCY: u8 = 64;
    /// The account is one of ours and appears at a new address.
    pub const MOVING: u8 = 128;
}

/// What was learned of a source, on its way to the daemon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum What {
    /// Its registration was accepted, the first of this account from this address.
    Registered = 1,
    /// Its credentials were refused.
    Refused = 2,
    /// It answers this host's requests.
    Solicited = 3,
    /// It asked for an account that does not exist.
    Nobody = 4,
}

impl What {
    /// The lesson with this number.
    pub const fn from_number(number: u8) -> Option<Self> {
        match number {
            1 => Some(What::Registered),
            2 => Some(What::Refused),
            3 => Some(What::Solicited),
            4 => Some(What::Nobody),
            _ => None,
        }
    }
}

/// What the kernel tells the daemon of what it learned.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct Lesson {
    /// Boot time, ns.
    pub time: u64,
    /// Source address of the request; of the answer, for [`What::Solicited`].
    pub address: [u64; 2],
    /// The account's name, as in [`Contact::name`].
    pub name: [u64; NAME / 8],
    /// Seconds granted.
    pub granted: u32,
    /// Source port of the request.
    pub port: u16,
    /// Status code of the response.
    pub status: u16,
    /// Number of a [`What`].
    pub what: u8,
    /// Number of the class of the request.
    pub class: u8,
    /// Number of the service.
    pub service: u8,
    /// IANA protocol number.
    pub protocol: u8,
    /// 1: the source was a stranger.
    pub stranger: u8,
    /// 1: the request named one of the service's domains, where that was asked for.
    pub named: u8,
    /// Zero.
    pub reserved: [u8; 2],
}
