//! One generation of the policy: everything that a reload replaces, in one map value.

use crate::automaton::Automaton;
use crate::class::CLASSES;
use crate::country::CountrySet;
use crate::limit::Limit;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Services a policy may have; number 0 stands for none.
pub const SERVICES: usize = 32;

/// What a service speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ServiceKind {
    /// Anything: lists, countries and new flows only.
    Plain = 0,
    /// SIP over UDP or TCP (RFC 3261).
    Sip = 1,
    /// SIP over TLS.
    Sips = 2,
    /// SIP over WebSocket (RFC 7118).
    Ws = 3,
    /// SIP over WebSocket over TLS.
    Wss = 4,
    /// IAX2 (RFC 5456).
    Iax2 = 5,
}

impl ServiceKind {
    /// The kind with this number; unknown ones are plain.
    #[inline(always)]
    pub const fn from_number(number: u8) -> Self {
        match number {
            1 => Self::Sip,
            2 => Self::Sips,
            3 => Self::Ws,
            4 => Self::Wss,
            5 => Self::Iax2,
            _ => Self::Plain,
        }
    }

    /// Whether bans cover it: services that carry calls, never SSH or the web.
    #[inline(always)]
    pub const fn carries_calls(self) -> bool {
        !matches!(self, Self::Plain)
    }
}

/// Who may come, for one class of message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Admission {
    /// Only who is permitted, a trunk or a proxy.
    Permitted = 0,
    /// Sources of the service's countries too.
    Countries = 1,
    /// Anyone.
    Anyone = 2,
}

impl Admission {
    /// The admission with this number; unknown ones admit nobody.
    #[inline(always)]
    pub const fn from_number(number: u8) -> Self {
        match number {
            1 => Self::Countries,
            2 => Self::Anyone,
            _ => Self::Permitted,
        }
    }
}

/// Switches of a [`Service`].
pub mod service_flags {
    /// It has domains, and requests must name one.
    pub const DOMAINS: u8 = 1;
    /// The name may stand anywhere in the packet.
    pub const ANYWHERE: u8 = 2;
    /// A REGISTER that names one of the domains is judged even from a fenced country.
    pub const OPENS_COUNTRY: u8 = 4;
    /// A TLS client must say a server name.
    pub const SNI_REQUIRED: u8 = 8;
    /// Whether a source is admitted depends on the class of the message.
    pub const BY_CLASS: u8 = 16;
}

/// A service and what strangers meet there.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Service {
    /// Who is admitted, by class: numbers of [`Admission`].
    pub admissions: [u8; CLASSES],
    /// The countries admitted where an admission says so.
    pub countries: CountrySet,
    /// Rates by class, for one source.
    pub rates: [Limit; CLASSES],
    /// Packets that all strangers together may get through.
    pub budget: Limit,
    /// The part of it kept for strangers who name one of the domains.
    pub reserved_budget: Limit,
    /// The part of it that one source may hold.
    pub source_budget: Limit,
    /// Number of a [`ServiceKind`].
    pub kind: u8,
    /// Of [`service_flags`].
    pub flags: u8,
    /// Zero.
    pub reserved: [u8; 6],
}

impl Service {
    /// What it speaks.
    #[inline(always)]
    pub fn kind(&self) -> ServiceKind {
        ServiceKind::from_number(self.kind)
    }

    /// Whether all of `flags` are set.
    #[inline(always)]
    pub fn has(&self, flags: u8) -> bool {
        self.flags & flags == flags
    }

    /// Who is admitted for a class (its number).
    #[inline(always)]
    pub fn admission(&self, class: u8) -> Admission {
        Admission::from_number(self.admissions[class as usize & (CLASSES - 1)])
    }

    /// The rate of a class (its number).
    #[inline(always)]
    pub fn rate(&self, class: u8) -> &Limit {
        &self.rates[class as usize & (CLASSES - 1)]
    }
}

/// Switches of a [`Policy`].
pub mod policy_flags {
    /// Drops that add up ban their source.
    pub const BANS: u32 = 1;
    /// Only listed destination addresses are protected.
    pub const PROTECT: u32 = 2;
    /// Some signature looks at the body.
    pub const BODY: u32 = 4;
    /// Bans may fall on whole nets.
    pub const NETS: u32 = 8;
}

/// Names of users that nobody here has.
pub const TRIPWIRES: usize = 64;
/// Ranges of numbers that nobody here has.
pub const TRIPWIRE_RANGES: usize = 32;
/// Emergency numbers.
pub const EMERGENCY: usize = 16;

/// How the judge learns who belongs, and what it holds against those who do not.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct TrustPolicy {
    /// Refused credentials of one source, or of one /24 or /48. Units are half failures: two
    /// tokens make one.
    pub failures: Limit,
    /// Different users that one source, or one /24 or /48, may ask for without a registration.
    pub users: Limit,
    /// Requests that an address where phones belong may send; each account adds as many.
    pub requests: Limit,
    /// How long an answer to a request of ours opens its sender, in ns.
    pub solicited: u64,
    /// How many of `tripwires` are in use.
    pub tripwire_count: u32,
    /// How many of `ranges` are in use.
    pub range_count: u32,
    /// How many of `emergency` are in use.
    pub emergency_count: u32,
    /// Zero.
    pub reserved: u32,
    /// Digests of users that nobody here has: [`crate::trust::account_digest`].
    pub tripwires: [u64; TRIPWIRES],
    /// The first and the last number of ranges of users that nobody here has. A number written
    /// with leading zeros is another user, and in no range.
    pub ranges: [[u64; 2]; TRIPWIRE_RANGES],
    /// Digests of emergency numbers.
    pub emergency: [u64; EMERGENCY],
}

/// One generation of the policy.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Policy {
    /// 0: shadow, every verdict passes; 1: enforce.
    pub mode: u32,
    /// Of [`policy_flags`].
    pub flags: u32,
    /// Boot time (ns) after which `enforce` is shadow again; 0: never.
    pub enforce_until: u64,
    /// Counts reloads.
    pub generation: u64,
    /// Which of two sets of lists goes with it: 0 or 1.
    pub lists: u32,
    /// Zero.
    pub reserved: u32,
    /// How long a ban lasts, in ns.
    pub ban_time: u64,
    /// Distinct dropped transactions above which a source is banned.
    pub strikes: Limit,
    /// Later fragments of one source.
    pub fragments: Limit,
    /// Trust.
    pub trust: TrustPolicy,
    /// The services; the first is none.
    pub services: [Service; SERVICES],
    /// Number of the service at each UDP port.
    pub udp: [u8; 65536],
    /// Number of the service at each TCP port.
    pub tcp: [u8; 65536],
    /// Signatures and domains.
    pub automaton: Automaton,
}

const _: () = assert!(
    size_of::<Service>() == 16 + 32 + 16 * 16 + 3 * 16 + 8,
    "a map value"
);
const _: () = assert!(
    size_of::<Policy>().is_multiple_of(8),
    "an element of an array map"
);

impl Policy {
    /// Whether drops are real at `now`: a trial whose time is over is shadow again.
    #[inline(always)]
    pub fn enforced(&self, now: u64) -> bool {
        self.mode == 1 && (self.enforce_until == 0 || now < self.enforce_until)
    }

    /// The service with this number.
    #[inline(always)]
    pub fn service(&self, number: u8) -> &Service {
        &self.services[number as usize & (SERVICES - 1)]
    }
}
