//! Where a message on a stream ends: its headers by the blank line, its body by Content-Length
//! (RFC 3261, section 18.3). A state machine over bytes, for headers that go on in the next segment.

use crate::policy::Policy;
use crate::scan::{Scan, Step};

/// At the beginning of a line.
pub const LINE_START: u32 = 0;
/// A carriage return at the beginning of a line.
const LINE_START_CR: u32 = 1;
/// In a line that says nothing about the length.
const REST: u32 = 2;
/// Between the name Content-Length and its colon.
const BEFORE_COLON: u32 = 3;
/// Between the colon and the first digit.
const BEFORE_DIGITS: u32 = 4;
/// In the digits.
const DIGITS: u32 = 5;
/// Behind the digits.
const AFTER_DIGITS: u32 = 6;
/// At the beginning of a line that must go on the one with the colon (RFC 3261, section 7.3.1).
const FOLDED: u32 = 9;
/// The blank line was read.
pub const DONE: u32 = 7;
/// The length is no number, too large, or given twice with different values.
pub const BROKEN: u32 = 8;
/// This many bytes of the name were read: `NAME + count`.
const NAME: u32 = 16;
/// Set beside the state when a length was read before.
const GIVEN: u32 = 0x100;

const CONTENT_LENGTH: [u8; 16] = *b"content-length\0\0";
/// Bytes in the name.
const NAME_LENGTH: u32 = 14;

/// The largest body that a stranger's message may announce.
pub const BODY_LIMIT: u32 = 1 << 20;

/// One byte on: the new state and length.
#[inline(always)]
pub fn advance(state: u32, length: u32, byte: u8) -> (u32, u32) {
    let given = state & GIVEN;
    let at = state & 0xff;
    if at == DONE || at == BROKEN {
        return (state, length);
    }
    if byte == b'\n' {
        return match at {
            LINE_START | LINE_START_CR => (DONE | given, length),
            BEFORE_DIGITS => (FOLDED | given, length),
            BEFORE_COLON | FOLDED => (BROKEN, 0),
            DIGITS | AFTER_DIGITS => (LINE_START | GIVEN, length),
            _ => (LINE_START | given, length),
        };
    }
    let low = byte | 0x20;
    let (next, length) = match at {
        LINE_START if byte == b'\r' => (LINE_START_CR, length),
        LINE_START if low == b'c' => (NAME + 1, length),
        LINE_START if low == b'l' => (BEFORE_COLON, length),
        BEFORE_COLON => match byte {
            b':' if given != 0 => (BROKEN, 0),
            b':' => (BEFORE_DIGITS, 0),
            b' ' | b'\t' => (BEFORE_COLON, length),
            _ => (REST, length),
        },
        BEFORE_DIGITS | FOLDED if byte == b' ' || byte == b'\t' => (BEFORE_DIGITS, length),
        BEFORE_DIGITS if byte == b'\r' => (BEFORE_DIGITS, length),
        BEFORE_DIGITS | DIGITS if byte.is_ascii_digit() => {
            let more = length * 10 + u32::from(byte - b'0');
            if more > BODY_LIMIT {
                (BROKEN, 0)
            } else {
                (DIGITS, more)
            }
        }
        DIGITS | AFTER_DIGITS if matches!(byte, b' ' | b'\t' | b'\r') => (AFTER_DIGITS, length),
        BEFORE_DIGITS | FOLDED | DIGITS | AFTER_DIGITS => (BROKEN, 0),
        _ if at >= NAME => {
            let count = at - NAME;
            if low != CONTENT_LENGTH[count as usize & 15] {
                (REST, length)
            } else if count + 1 == NAME_LENGTH {
                (BEFORE_COLON, length)
            } else {
                (at + 1, length)
            }
        }
        _ => (REST, length),
    };
    (next | given, length)
}

/// Whether the state is at its end, one way or the other.
#[inline(always)]
pub fn ended(state: u32) -> bool {
    state & 0xff == DONE || state & 0xff == BROKEN
}

/// Whether the message cannot be told from what follows it.
#[inline(always)]
pub fn broken(state: u32) -> bool {
    state & 0xff == BROKEN
}

/// Reads one byte of headers. One only: the states of the machine are constants, and the kernel's
/// verifier would follow each sequence of them.
pub struct Framing;

/// Most steps of [`Framing`]: every byte of the window.
pub const FRAMING_STEPS: u32 = crate::scan::WINDOW + 1;

impl Step for Framing {
    #[inline(always)]
    fn step(scan: &mut Scan, _: &Policy) -> bool {
        let at = scan.frame_from();
        if at >= scan.length() || ended(scan.frame) {
            return true;
        }
        let (state, length) = advance(scan.frame, scan.frame_length, scan.byte(at));
        scan.frame = state;
        scan.frame_length = length;
        scan.frame_at(at + 1);
        false
    }
}

impl Scan {
    /// Starts the loop of [`Framing`] at byte `from` of the window.
    #[inline(always)]
    pub fn begin_framing(&mut self, from: u32, state: u32, length: u32) {
        self.frame_at(from);
        self.frame = state;
        self.frame_length = length;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(text: &[u8]) -> (u32, u32, usize) {
        let (mut state, mut length) = (LINE_START, 0);
        for (n, byte) in text.iter().enumerate() {
            (state, length) = advance(state, length, *byte);
            if ended(state) {
                return (state & 0xff, length, n + 1);
            }
        }
        (state & 0xff, length, text.len())
    }

    #[test]
    fn lengths() {
        assert_eq!(
            run(b"Via: x\r\nContent-Length: 12\r\n\r\nbody"),
            (DONE, 12, 30)
        );
        assert_eq!(run(b"l:7\n\n"), (DONE, 7, 5));
        assert_eq!(run(b"CONTENT-LENGTH   :  0150 \r\nx: y\r\n\r\n").1, 150);
        assert_eq!(run(b"l:\r\n 7\r\n\r\n").1, 7);
        assert_eq!(run(b"Content-Lengthy: 9\r\n\r\n"), (DONE, 0, 22));
        assert_eq!(run(b"Call-ID: l: 5\r\n\r\n").1, 0);
        for broken in [
            &b"l: 5\r\nl: 6\r\n\r\n"[..],
            b"l: 5x\r\n\r\n",
            b"l:\r\n\r\n",
            b"l: 9999999999\r\n\r\n",
        ] {
            assert_eq!(run(broken).0, BROKEN);
        }
    }
}
