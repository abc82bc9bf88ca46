//! Searches in the window: pure questions about the text, with plain arguments.
//!
//! In the kernel each is a function that the verifier looks at once and on its own, so that a plain
//! loop over the window costs no more than its own steps.

use crate::bench::Bench;
use crate::scan::{Scan, Span, WORDS, every, first, head, lower, zeros};

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
    /// A mixed hash of the span, at most of its first 64 bytes.
    Digest,
    /// A mixed hash of all that is in the window.
    Text,
}

/// Most parameters of a header that are looked at.
pub const PARAMETERS: u32 = 8;

/// Most backslashes of a quoted string that are looked at.
const ESCAPES: u32 = 64;

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

/// The mixed hash of a stretch, at most its first 64 bytes.
#[inline(always)]
pub fn digest_of<B: Bench>(scan: &mut Scan, span: Span) -> u64 {
    B::search(Search::Digest, scan, u64::from(span.pack()), 0)
}

/// The mixed hash of the text in the window.
#[inline(always)]
pub fn digest_of_text<B: Bench>(scan: &mut Scan) -> u64 {
    B::search(Search::Text, scan, 0, 0)
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
    while n < 8 && at < span.to {
        let word = head(scan.word(at), span.to - at);
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
