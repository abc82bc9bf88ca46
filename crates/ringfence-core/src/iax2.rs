//! IAX2 (RFC 5456): full frames, and the information elements of its control frames.

use crate::class::Class;
use crate::policy::Policy;
use crate::scan::{Scan, Span, Step};

/// Bytes of a full frame's header (RFC 5456, section 8.1.1).
pub const HEADER: u32 = 12;
/// Bytes of a mini frame's header (section 8.1.2).
pub const MINI: u32 = 4;
/// Most information elements that are looked at.
pub const ELEMENTS: u32 = 64;
/// Frame types (section 8.2).
const VOICE: u8 = 2;
const CONTROL: u8 = 6;

/// Subclasses of IAX control frames (RFC 5456, section 8.4).
#[expect(missing_docs, reason = "each is the message of its name")]
pub mod subclass {
    pub const NEW: u8 = 0x01;
    pub const PING: u8 = 0x02;
    pub const PONG: u8 = 0x03;
    pub const HANGUP: u8 = 0x05;
    pub const REJECT: u8 = 0x06;
    pub const ACCEPT: u8 = 0x07;
    pub const AUTHREQ: u8 = 0x08;
    pub const AUTHREP: u8 = 0x09;
    pub const LAGRQ: u8 = 0x0b;
    pub const REGREQ: u8 = 0x0d;
    pub const REGAUTH: u8 = 0x0e;
    pub const REGACK: u8 = 0x0f;
    pub const REGREJ: u8 = 0x10;
    pub const REGREL: u8 = 0x11;
    pub const POKE: u8 = 0x1e;
    pub const CALLTOKEN: u8 = 0x28;
}

/// Information elements (RFC 5456, section 8.6).
mod element {
    pub const USERNAME: u8 = 6;
    pub const PASSWORD: u8 = 7;
    pub const MD5_RESULT: u8 = 16;
    pub const RSA_RESULT: u8 = 17;
    pub const REFRESH: u8 = 19;
    /// RFC 5456, section 8.6.34: what proves that its sender receives what it is sent.
    pub const CALLTOKEN: u8 = 54;
}

/// What the header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Whether it is a full frame: else only its media are known of.
    pub full: bool,
    /// Call number of the sender, 0 for none.
    pub source: u16,
    /// Call number of the receiver, 0 for none.
    pub destination: u16,
    /// Subclass of an IAX control frame, 0 for any other frame.
    pub control: u8,
    /// Whether it is a full frame of sound.
    pub voice: bool,
}

impl Header {
    /// Reads the words of a header, as they lie in memory.
    #[inline(always)]
    pub fn of(words: [u32; 3]) -> Self {
        let first = u32::from_be(words[0]);
        let last = u32::from_be(words[2]);
        let full = first >> 31 == 1;
        let kind = (last >> 8) as u8;
        Self {
            full,
            source: (first >> 16) as u16 & 0x7fff,
            destination: if full { first as u16 & 0x7fff } else { 0 },
            control: if full && kind == CONTROL {
                last as u8
            } else {
                0
            },
            voice: full && kind == VOICE,
        }
    }

    /// The class of the frame: what its rate is.
    #[inline(always)]
    pub fn class(&self) -> Class {
        match self.control {
            subclass::REGREQ | subclass::REGREL => Class::Register,
            subclass::NEW => Class::Invite,
            subclass::POKE => Class::Options,
            _ => Class::InDialogue,
        }
    }
}

/// What the elements of a control frame say.
pub mod says {
    /// There are credentials.
    pub const CREDENTIALS: u32 = 1;
}

/// Looks at one information element: its number, its length, its value.
pub struct Elements;

impl Step for Elements {
    #[inline(always)]
    fn step(scan: &mut Scan, _: &Policy) -> bool {
        let at = scan.place;
        if at + 2 > scan.length() {
            return true;
        }
        let value = Span {
            from: at + 2,
            to: at + 2 + u32::from(scan.byte(at + 1)),
        };
        if value.to > scan.length() {
            return true;
        }
        match scan.byte(at) {
            element::USERNAME => scan.known.to_user_span = value.pack(),
            element::PASSWORD | element::MD5_RESULT | element::RSA_RESULT => {
                scan.known.place |= says::CREDENTIALS;
            }
            element::CALLTOKEN => scan.known.found_span = value.pack(),
            element::REFRESH if value.to == value.from + 2 => {
                let refresh = (scan.word(value.from) as u16).swap_bytes();
                scan.known.granted[0] = u32::from(refresh);
            }
            _ => {}
        }
        scan.place = value.to;
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(bytes: [u8; 12]) -> Header {
        let (words, _) = bytes.as_chunks::<4>();
        Header::of(core::array::from_fn(|n| u32::from_ne_bytes(words[n])))
    }

    #[test]
    fn frames() {
        let register = header([0x80, 5, 0, 0, 0, 0, 0, 3, 0, 0, 6, 0x0d]);
        assert_eq!((register.source, register.destination), (5, 0));
        assert_eq!(register.class(), Class::Register);
        let answer = header([0x83, 1, 0x80, 5, 0, 0, 0, 3, 0, 0, 6, 0x0f]);
        assert_eq!((answer.source, answer.destination), (0x301, 5));
        assert_eq!(answer.control, subclass::REGACK);
        let voice = header([0x83, 1, 0x80, 5, 0, 0, 0, 3, 0, 0, 2, 0x0d]);
        assert_eq!((voice.control, voice.class()), (0, Class::InDialogue));
        assert!(voice.voice && !answer.voice);
        let mini = header([0x03, 1, 0x80, 5, 0, 0, 0, 3, 0, 0, 6, 0x0d]);
        assert!(!mini.full && mini.control == 0);
    }
}
