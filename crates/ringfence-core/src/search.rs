//! Searches in the window: pure questions about the text, with plain arguments.
//!
//! In the kernel each is a function that the verifier looks at once and on its own, so that a plain
//! loop over the window costs no more than its own steps.

use crate::bench::Bench;
use crate::scan::{Scan, Span, WORDS, every, first, head, lower, zeros};
use core::hint::black_box;

/// A search. The first argument is a [`Span`] in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Search {
    /// Where one of two bytes is, the end of the span if nowhere. The bytes are the low two of the
    /// second argument.
    Byte,
    /// Where the quoted string whose inside begins with the span is closed (RFC 3261, section
    /// 25.1), the end of the span if nowhere.
    Quote,
    /// The value of the parameter whose name, with its `=` and in lower case, is the second
    /// argument; the bytes of the name stand above the span. A span, empty where there is none.
    Parameter,
    /// The span without white space around it.
    Trim,
    /// Marks the line feeds of the text. Nothing.
    Breaks,
    /// A mixed hash of the span, at most of its first 256 bytes.
    Digest,
    /// A mixed hash of all that is in the window.
    Text,
    /// The decimal number that the span begins with, up to 2^32 - 1; [`NO_NUMBER`] where there is none.
    Number,
    /// The IPv4 address that the span begins with, and above it where it ends; [`NO_NUMBER`] where
    /// there is none.
    Quad,
}

/// No number.
pub const NO_NUMBER: u64 = u64::MAX;

/// Most items of a challenge or of credentials that are looked at.
const ITEMS: u32 = 12;

/// Most parameters of a header that are looked at.
pub const PARAMETERS: u32 = 8;

/// Most backslashes of a quoted string that are looked at.
const ESCAPES: u32 = 64;

/// Words of a stretch that its digest takes in.
const DIGESTED: usize = 32;

/// What words are multiplied by in digests.
const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;

/// Performs a search.
#[inline(always)]
pub fn search<B: Bench>(search: Search, scan: &mut Scan, one: u64, other: u64) -> u64 {
    let span = Span::unpack(one as u32);
    match search {
        Search::Byte => u64::from(byte(scan, span, (other >> 8) as u8, other as u8)),
        Search::Quote => u64::from(quote::<B>(scan, span)),
        Search::Parameter => {
            let length = (one >> 32) as u32 & 7;
            u64::from(parameter::<B>(scan, span, other, length).pack())
        }
        Search::Trim => u64::from(trim_end(scan, trim_start(scan, span)).pack()),
        Search::Breaks => {
            scan.mark_breaks();
            0
        }
        Search::Digest => digest(scan, span),
        Search::Text => digest_text(scan),
        Search::Number => number(scan, span),
        Search::Quad => quad(scan, span),
    }
}

/// Marks the line feeds of the text.
#[inline(always)]
pub fn mark_breaks<B: Bench>(scan: &mut Scan) {
    B::search(Search::Breaks, scan, 0, 0);
}

/// Where in `span` one of two bytes is; its end if nowhere.
#[inline(always)]
pub fn find<B: Bench>(scan: &mut Scan, span: Span, one: u8, other: u8) -> u32 {
    let bytes = u64::from(one) << 8 | u64::from(other);
    B::search(Search::Byte, scan, u64::from(span.pack()), bytes) as u32
}

/// Where the quoted string whose inside begins with `span` is closed; the end of `span` if nowhere.
#[inline(always)]
pub fn closing_quote<B: Bench>(scan: &mut Scan, span: Span) -> u32 {
    B::search(Search::Quote, scan, u64::from(span.pack()), 0) as u32
}

/// What follows `name`, a parameter's name with its `=` in lower case, in a header's value up to
/// the end of that value. Empty where there is no such parameter.
#[inline(always)]
pub fn find_parameter<B: Bench>(scan: &mut Scan, value: Span, name: u64, length: u32) -> Span {
    let value = u64::from(value.pack()) | u64::from(length) << 32;
    Span::unpack(B::search(Search::Parameter, scan, value, name) as u32)
}

/// The stretch without white space and line ends (folded lines) around it.
#[inline(always)]
pub fn trimmed<B: Bench>(scan: &mut Scan, span: Span) -> Span {
    if span.is_empty() || (scan.byte(span.from) > b' ' && scan.byte(span.to - 1) > b' ') {
        return span;
    }
    Span::unpack(B::search(Search::Trim, scan, u64::from(span.pack()), 0) as u32)
}

/// The mixed hash of a stretch, at most its first 256 bytes.
#[inline(always)]
pub fn digest_of<B: Bench>(scan: &mut Scan, span: Span) -> u64 {
    B::search(Search::Digest, scan, u64::from(span.pack()), 0)
}

/// The mixed hash of the text in the window.
#[inline(always)]
pub fn digest_of_text<B: Bench>(scan: &mut Scan) -> u64 {
    B::search(Search::Text, scan, 0, 0)
}

/// The decimal number at the beginning of a stretch.
#[inline(always)]
pub fn number_of<B: Bench>(scan: &mut Scan, span: Span) -> Option<u32> {
    let number = B::search(Search::Number, scan, u64::from(span.pack()), 0);
    if number > u64::from(u32::MAX) {
        None
    } else {
        Some(number as u32)
    }
}

/// The value of an item `name=value` or `name="value"` in a challenge or in credentials (RFC 3261,
/// section 25.1), behind their scheme; empty where there is none. `name` has up to eight bytes, in
/// lower case.
#[inline(always)]
pub fn find_item<B: Bench>(scan: &mut Scan, value: Span, name: u64, length: u32) -> Span {
    let scheme = find::<B>(scan, value, b' ', b'\t');
    let items = Span {
        from: scheme,
        to: value.to,
    };
    item::<B>(scan, items, name, length)
}

/// The IPv4 address at the beginning of a stretch, and where it ends.
#[inline(always)]
pub fn quad_of<B: Bench>(scan: &mut Scan, span: Span) -> Option<(u32, u32)> {
    match B::search(Search::Quad, scan, u64::from(span.pack()), 0) {
        NO_NUMBER => None,
        found => Some((found as u32, (found >> 32) as u32)),
    }
}

/// Digits of the largest number that is read.
const DIGITS: u32 = 10;

#[inline(always)]
fn number(scan: &Scan, span: Span) -> u64 {
    let mut value = 0u64;
    let mut n = 0;
    while n < DIGITS + 1 {
        let byte = scan.byte(span.from + n);
        if span.from + n >= span.to || !byte.is_ascii_digit() {
            break;
        }
        value = value * 10 + u64::from(byte - b'0');
        n += 1;
    }
    if n == 0 || n > DIGITS || value > u64::from(u32::MAX) {
        NO_NUMBER
    } else {
        value
    }
}

#[inline(always)]
fn item<B: Bench>(scan: &mut Scan, span: Span, name: u64, length: u32) -> Span {
    scan.place = span.from;
    let mut n = 0;
    while n < ITEMS {
        let rest = Span {
            from: *black_box(&mut scan.place),
            to: span.to,
        };
        let from = trimmed::<B>(scan, rest).from;
        if head(lower(scan.word(from)), length) == name && scan.byte(from + length) == b'=' {
            let value = Span {
                from: from + length + 1,
                to: span.to,
            };
            if scan.byte(value.from) != b'"' {
                return Span {
                    from: value.from,
                    to: find::<B>(scan, value, b',', b' '),
                };
            }
            let inside = Span {
                from: value.from + 1,
                to: span.to,
            };
            return Span {
                from: inside.from,
                to: find::<B>(scan, inside, b'"', b'"'),
            };
        }
        let mark = find::<B>(scan, Span { from, to: span.to }, b',', b'"');
        if mark >= span.to {
            break;
        }
        let behind = Span {
            from: mark + 1,
            to: span.to,
        };
        scan.place = if scan.byte(mark) == b'"' {
            // Behind the quote, and the comma that follows it.
            closing_quote::<B>(scan, behind) + 2
        } else {
            behind.from
        };
        n += 1;
    }
    Span::NONE
}

/// Bytes of the longest IPv4 address in decimal.
const QUAD: u32 = 15;

#[inline(always)]
fn quad(scan: &Scan, span: Span) -> u64 {
    let (mut address, mut part, mut dots, mut digits) = (0u32, 0u32, 0, 0);
    let mut n = 0;
    while n <= QUAD {
        let byte = scan.byte(span.from + n);
        let inside = span.from + n < span.to;
        if inside && byte.is_ascii_digit() {
            part = part * 10 + u32::from(byte - b'0');
            digits += 1;
            if part > 255 || digits > 3 {
                return NO_NUMBER;
            }
        } else if inside && byte == b'.' && digits != 0 && dots < 3 {
            address = address << 8 | part;
            (part, digits) = (0, 0);
            dots += 1;
        } else {
            break;
        }
        n += 1;
    }
    if dots == 3 && digits != 0 {
        u64::from(span.from + n) << 32 | u64::from(address << 8 | part)
    } else {
        NO_NUMBER
    }
}

#[inline(always)]
fn byte(scan: &Scan, span: Span, one: u8, other: u8) -> u32 {
    let (one, other) = (every(one), every(other));
    let mut at = span.from;
    let mut n = 0;
    while n < WORDS && at < span.to {
        let word = scan.word(at);
        let marks = zeros(word ^ one) | zeros(word ^ other);
        if marks != 0 {
            at += first(marks);
            break;
        }
        at += 8;
        n += 1;
    }
    if at < span.to { at } else { span.to }
}

/// A quote that no backslash takes its meaning from. Behind more backslashes than any name has,
/// nothing closes the string.
#[inline(always)]
fn quote<B: Bench>(scan: &mut Scan, span: Span) -> u32 {
    let mut from = span.from;
    let mut n = 0;
    while n < ESCAPES {
        let at = find::<B>(scan, Span { from, to: span.to }, b'"', b'\\');
        if at >= span.to {
            break;
        }
        if scan.byte(at) == b'"' {
            return at;
        }
        from = at + 2;
        n += 1;
    }
    span.to
}

#[inline(always)]
fn parameter<B: Bench>(scan: &mut Scan, value: Span, name: u64, length: u32) -> Span {
    let mut from = value.from;
    let mut n = 0;
    while n < PARAMETERS {
        let rest = Span { from, to: value.to };
        let semicolon = find::<B>(scan, rest, b';', b';');
        if semicolon >= value.to {
            break;
        }
        from = semicolon + 1;
        if head(lower(scan.word(from)), length) == name {
            return Span {
                from: from + length,
                to: value.to,
            };
        }
        n += 1;
    }
    Span::NONE
}

#[inline(always)]
fn trim_start(scan: &Scan, span: Span) -> Span {
    let mut from = span.from;
    let mut n = 0;
    while n < 4 {
        let word = scan.word(from);
        let blanks = zeros(word ^ every(b' '))
            | zeros(word ^ every(b'\t'))
            | zeros(word ^ every(b'\r'))
            | zeros(word ^ every(b'\n'));
        let others = !blanks & every(0x80);
        if others != 0 {
            from += first(others);
            break;
        }
        from += 8;
        n += 1;
    }
    Span {
        from: if from < span.to { from } else { span.to },
        to: span.to,
    }
}

/// As far as eight bytes of it.
#[inline(always)]
fn trim_end(scan: &Scan, span: Span) -> Span {
    let mut to = span.to;
    let mut n = 0;
    while n < 8 {
        if to > span.from && matches!(scan.byte(to - 1), b' ' | b'\t' | b'\r') {
            to -= 1;
        } else {
            break;
        }
        n += 1;
    }
    Span {
        from: span.from,
        to,
    }
}

#[inline(always)]
fn digest(scan: &Scan, span: Span) -> u64 {
    let mut hash = 0u64;
    let mut at = span.from;
    let mut n = 0;
    while n < DIGESTED && at + 8 <= span.to {
        hash = (hash ^ scan.word(at)).wrapping_mul(FACTOR).rotate_left(29);
        at += 8;
        n += 1;
    }
    if n < DIGESTED && at < span.to {
        let word = head(scan.word(at), span.to - at);
        hash = (hash ^ word).wrapping_mul(FACTOR).rotate_left(29);
    }
    hash
}

/// The digest of a text as [`digest`] makes it of a stretch, whose words are cut to it.
pub(crate) const fn digest_bytes(text: &[u8]) -> u64 {
    let mut hash = 0u64;
    let mut at = 0;
    let mut n = 0;
    while n < DIGESTED && at < text.len() {
        let mut word = 0u64;
        let mut byte = 0;
        while byte < 8 && at + byte < text.len() {
            word |= (text[at + byte] as u64) << (byte * 8);
            byte += 1;
        }
        hash = (hash ^ word).wrapping_mul(FACTOR).rotate_left(29);
        at += 8;
        n += 1;
    }
    hash
}

/// In two lanes, so that the processor need not wait for each product.
#[inline(always)]
fn digest_text(scan: &Scan) -> u64 {
    let (mut even, mut odd) = (u64::from(scan.length()), 0u64);
    let mut n = 0;
    while n < WORDS && (n as u32) * 8 < scan.length() {
        even = (even ^ scan.window[n]).wrapping_mul(FACTOR).rotate_left(29);
        odd = (odd ^ scan.window[n + 1])
            .wrapping_mul(FACTOR)
            .rotate_left(31);
        n += 2;
    }
    even ^ odd
}
