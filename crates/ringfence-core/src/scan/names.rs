//! Names of header fields.

use super::Kind;
use super::word::{head, lower, text};

/// Names of header fields that are looked at, in full and compact form (RFC 3261, section 7.3.3), or
/// their first eight bytes.
const NAMES: [(&[u8], Kind); 24] = [
    (b"from", Kind::From),
    (b"f", Kind::From),
    (b"to", Kind::To),
    (b"t", Kind::To),
    (b"contact", Kind::Contact),
    (b"m", Kind::Contact),
    (b"route", Kind::Route),
    (b"via", Kind::Via),
    (b"v", Kind::Via),
    (b"user-age", Kind::UserAgent),
    (b"server", Kind::Server),
    (b"call-id", Kind::CallId),
    (b"i", Kind::CallId),
    (b"cseq", Kind::CSeq),
    (b"content-", Kind::ContentLength),
    (b"l", Kind::ContentLength),
    (b"subject", Kind::Subject),
    (b"s", Kind::Subject),
    (b"host", Kind::Host),
    (b"accept", Kind::Accept),
    (b"expires", Kind::Expires),
    (b"authoriz", Kind::Authorization),
    (b"proxy-au", Kind::ProxyAuthorization),
    (b"www-auth", Kind::WwwAuthenticate),
];

/// Slots of the table of names: a power of two.
const NAME_SLOTS: usize = 64;

#[inline(always)]
const fn name_slot(name: u64, factor: u64) -> usize {
    (name.wrapping_mul(factor) >> 58) as usize & (NAME_SLOTS - 1)
}

/// A factor that gives every name a slot of its own.
const FACTOR: u64 = {
    let mut factor = 0x9e37_79b9_7f4a_7c15u64;
    loop {
        let (mut taken, mut n) = (0u64, 0);
        while n < NAMES.len() {
            let bit = 1 << name_slot(text(NAMES[n].0), factor);
            if taken & bit != 0 {
                break;
            }
            taken |= bit;
            n += 1;
        }
        if n == NAMES.len() {
            break factor;
        }
        factor = factor.wrapping_mul(0xd134_2543_de82_ef95).wrapping_add(2);
    }
};

/// The name in each slot, and its [`Kind`].
const NAME_TABLE: [(u64, u64); NAME_SLOTS] = {
    let mut table = [(0, Kind::Other as u64); NAME_SLOTS];
    let mut n = 0;
    while n < NAMES.len() {
        let name = text(NAMES[n].0);
        table[name_slot(name, FACTOR)] = (name, NAMES[n].1 as u64);
        n += 1;
    }
    table
};

/// The number of the [`Kind`] of a name of `count` bytes; `low` are its first eight in lower case.
#[inline(always)]
pub(super) fn header_kind(low: u64, high: u64, count: u32) -> u32 {
    let (name, kind) = NAME_TABLE[name_slot(low, FACTOR)];
    if name != low {
        return Kind::Other as u32;
    }
    let kind = kind as u32;
    if count >= 8 {
        let rest = match count {
            10 if kind == Kind::UserAgent as u32 => const { text(b"nt") },
            14 if kind == Kind::ContentLength as u32 => const { text(b"length") },
            13 if kind == Kind::Authorization as u32 => const { text(b"ation") },
            16 if kind == Kind::ProxyAuthorization as u32 => return long_name(lower(high)),
            16 if kind == Kind::WwwAuthenticate as u32 => const { text(b"enticate") },
            _ => return Kind::Other as u32,
        };
        if head(lower(high), count - 8) != rest {
            return Kind::Other as u32;
        }
    }
    kind
}

/// The number of the [`Kind`] of a name of more than 16 bytes that begins with `proxy-au`; `high` are
/// the eight behind that in lower case. The rest is not looked at: no other name begins so.
#[inline(always)]
fn long_name(high: u64) -> u32 {
    if high == const { text(b"thorizat") } {
        Kind::ProxyAuthorization as u32
    } else if high == const { text(b"thentica") } {
        Kind::ProxyAuthenticate as u32
    } else {
        Kind::Other as u32
    }
}

/// Bytes of the name of a header field of this kind; `count` are those within the first 16.
#[inline(always)]
pub(super) fn name_length(kind: u32, count: u32) -> u32 {
    if kind == Kind::ProxyAuthorization as u32 {
        const { b"Proxy-Authorization".len() as u32 }
    } else if kind == Kind::ProxyAuthenticate as u32 {
        const { b"Proxy-Authenticate".len() as u32 }
    } else {
        count
    }
}
