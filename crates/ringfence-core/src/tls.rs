//! The name that a TLS client asks for (RFC 8446, section 4.1.2; RFC 6066, section 3).

use crate::bench::Bench;
use crate::policy::Policy;
use crate::scan::{STEPS, Scan, Span, Step};

/// What the first bytes of a connection say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hello {
    /// A ClientHello with this server name.
    Name(Span),
    /// A ClientHello without a server name.
    Nameless,
    /// A ClientHello that goes on in another segment before its server name.
    Partial,
    /// No ClientHello.
    Foreign,
}

#[inline(always)]
fn be16(scan: &Scan, at: u32) -> u32 {
    let word = scan.word(at);
    (word as u32 & 0xff) << 8 | (word >> 8) as u32 & 0xff
}

/// Looks at one extension.
pub struct Extensions;

impl Step for Extensions {
    #[inline(always)]
    fn step(scan: &mut Scan, _: &Policy) -> bool {
        let at = scan.frame;
        let end = scan.frame_length;
        if at + 4 > end {
            return true;
        }
        if be16(scan, at) == 0 {
            // Its list: length (2), type of name (1, 0 is a host name), length of name (2).
            scan.frame = at + 9;
            scan.frame_length = at + 9 + be16(scan, at + 7);
            scan.signature = 1;
            return true;
        }
        scan.frame = at + 4 + be16(scan, at + 2);
        false
    }
}

const HANDSHAKE: u8 = 22;
const CLIENT_HELLO: u8 = 1;

/// Reads the first TLS record in the window.
#[inline(always)]
pub fn client_hello<B: Bench>(scan: &mut Scan, policy: &Policy) -> Hello {
    let length = scan.length();
    if scan.byte(0) != HANDSHAKE || (length > 1 && scan.byte(1) != 3) {
        return Hello::Foreign;
    }
    if length < 6 {
        return Hello::Partial;
    }
    if scan.byte(5) != CLIENT_HELLO {
        return Hello::Foreign;
    }
    // Record header (5), handshake header (4), version (2), random (32).
    let mut at = 43;
    at += 1 + u32::from(scan.byte(at));
    at += 2 + be16(scan, at);
    at += 1 + u32::from(scan.byte(at));
    if at + 2 > length {
        // A hello of before the extensions ends exactly here.
        let record = 5 + be16(scan, 3);
        return if at == record && record <= length {
            Hello::Nameless
        } else {
            Hello::Partial
        };
    }
    let end = at + 2 + be16(scan, at);
    scan.frame = at + 2;
    scan.frame_length = if end < length { end } else { length };
    scan.signature = 0;
    B::repeat::<Extensions>(scan, policy, STEPS);
    let found = scan.signature != 0;
    scan.signature = 0;
    if !found {
        return if end > length {
            Hello::Partial
        } else {
            Hello::Nameless
        };
    }
    let name = Span {
        from: scan.frame,
        to: scan.frame_length,
    };
    if name.to > length {
        return Hello::Partial;
    }
    if name.is_empty() {
        Hello::Nameless
    } else {
        Hello::Name(name)
    }
}
