//! Where lines end, and which of them are remembered.

use super::names::{header_kind, name_length};
use super::word::{HIGH, every, first, head, lower, zeros};
use super::{BLOCKS, CONTACTS, KINDS, Kind, Scan, Span, Step};
use crate::policy::Policy;
use core::hint::black_box;

/// Where the line loop is in the message.
pub(super) const PHASE_START: u32 = 0;
const PHASE_HEADERS: u32 = 1;
const PHASE_BODY: u32 = 2;
/// Servers do not agree on where the lines end, or a name's colon is too far off.
pub(super) const PHASE_DISPUTED: u32 = 3;

impl Scan {
    /// Says how the lines are to be looked for. `closed`: the text is whole, so its end ends the last
    /// line.
    #[inline(always)]
    pub fn begin_lines(&mut self, closed: bool, wants_body: bool) {
        self.end = if closed { self.length + 1 } else { self.length };
        self.wants_body = wants_body as u32;
    }

    /// Makes ready for the loop of [`Lines`]: line feeds are marked.
    #[inline(always)]
    pub(crate) fn end_lines(&mut self) {
        let at = self.length;
        if self.end > at {
            let block = (at >> 6) as usize & (BLOCKS - 1);
            self.breaks[block] |= 1 << (at & 63);
        }
        self.block = 0;
        self.pending = self.breaks[0];
    }

    /// Marks the line feeds of the text, and what some servers take for the end of a line or of the
    /// text: a NUL that no backslash stands before, and the byte behind a bare carriage return.
    #[inline(always)]
    pub(crate) fn mark_breaks(&mut self) {
        let mut before = 0;
        let mut block = 0;
        while block < BLOCKS && block as u32 * 64 <= self.length {
            let mut bits = 0u64;
            let mut n = 0;
            while n < 8 {
                let word = self.window[block * 8 + n];
                // In the place of each byte the one before it.
                before = word << 8 | before >> 56;
                let feeds = zeros(word ^ every(b'\n'));
                let bare = zeros(before ^ every(b'\r')) & !feeds;
                let ends = zeros(word) & !zeros(before ^ every(b'\\'));
                let marks = (feeds | bare | ends) >> 7;
                before = word;
                // Gathers the low bit of each byte in the topmost byte.
                bits |= (marks.wrapping_mul(0x0102_0408_1020_4080) >> 56) << (n * 8);
                n += 1;
            }
            self.breaks[block] = bits;
            block += 1;
        }
        // Behind the text lies what an older packet left.
        let last = (black_box(self.length) >> 6) as usize & (BLOCKS - 1);
        self.breaks[last] &= (1 << (self.length & 63)) - 1;
    }

    /// The first byte from `at` on, within 8, that is neither a space nor a tab.
    #[inline(always)]
    fn skip_blanks(&self, at: u32) -> u32 {
        let word = self.word(at);
        let blanks = zeros(word ^ every(b' ')) | zeros(word ^ every(b'\t'));
        let others = !blanks & HIGH;
        if others == 0 {
            at + 8
        } else {
            at + first(others)
        }
    }
}

/// Lines that one step looks at: a call costs more than a line.
const LINES: u32 = 4;

/// Looks at the next lines.
pub struct Lines;

impl Step for Lines {
    #[inline(always)]
    fn step(scan: &mut Scan, _: &Policy) -> bool {
        let mut n = 0;
        while n < LINES {
            if scan.next_line() {
                return true;
            }
            n += 1;
        }
        false
    }
}

impl Scan {
    /// Looks at one line, or goes on to the next block; whether there is none to look at.
    #[inline(always)]
    fn next_line(&mut self) -> bool {
        if self.pending == 0 {
            self.block += 1;
            if self.block * 64 > self.length {
                return true;
            }
            self.pending = self.breaks[self.block as usize & (BLOCKS - 1)];
            if self.pending == 0 {
                return false;
            }
        }
        let feed = self.block * 64 + self.pending.trailing_zeros();
        if feed >= self.end {
            // What lies behind is another packet's.
            return true;
        }
        self.pending &= self.pending - 1;
        if feed < self.length && self.byte(feed) != b'\n' {
            if self.phase == PHASE_BODY {
                return false;
            }
            self.phase = PHASE_DISPUTED;
            return true;
        }
        let from = self.line;
        self.line = feed + 1;
        let mut to = feed;
        if feed > from && self.byte(feed - 1) == b'\r' {
            to = feed - 1;
        }
        if to == from {
            if self.phase == PHASE_HEADERS {
                self.headers_end = feed + 1;
                self.phase = PHASE_BODY;
                return self.wants_body == 0;
            }
            return false;
        }
        match self.phase {
            PHASE_START => {
                self.phase = PHASE_HEADERS;
                self.remember(Kind::StartLine as u32, Span { from, to });
                self.last = Kind::Other as u32;
            }
            PHASE_HEADERS => self.header(from, to),
            _ => match self.word(from) as u16 {
                0x3d6f => self.remember(Kind::SdpOrigin as u32, Span { from: from + 2, to }),
                0x3d73 => self.remember(Kind::SdpSession as u32, Span { from: from + 2, to }),
                _ => {}
            },
        }
        false
    }

    #[inline(always)]
    fn remember(&mut self, kind: u32, span: Span) {
        let bit = 1 << (kind & 31);
        if kind == Kind::Contact as u32 {
            self.contacts[self.contact_count as usize & (CONTACTS - 1)] = span.pack();
            self.contact_count += 1;
        }
        if self.seen & bit != 0 {
            self.twice |= bit;
            self.last = Kind::Other as u32;
            return;
        }
        self.seen |= bit;
        self.last = kind;
        self.spans[kind as usize & (KINDS - 1)] = span.pack();
    }

    /// One header line: its name in full or compact form (RFC 3261, section 7.3.3), or the
    /// continuation of the line before (section 7.3.1).
    #[inline(always)]
    fn header(&mut self, from: u32, to: u32) {
        let low = self.word(from);
        if matches!(low as u8, b' ' | b'\t') {
            let last = self.last as usize & (KINDS - 1);
            let span = Span::unpack(self.spans[last]);
            let span = Span {
                from: span.from,
                to,
            }
            .pack();
            self.spans[last] = span;
            if last == Kind::Contact as usize {
                self.contacts[0] = span;
            }
            return;
        }
        let high = self.word(from + 8);
        let (early, late) = (name_ends(low), name_ends(high));
        let count = if early != 0 {
            first(early)
        } else if late != 0 {
            8 + first(late)
        } else {
            16
        };
        let kind = header_kind(head(lower(low), count), high, count);
        self.last = Kind::Other as u32;
        if kind == Kind::Other as u32 {
            return;
        }
        // White space may stand before the colon (RFC 3261, section 25.1, HCOLON).
        let mut colon = from + name_length(kind, count);
        let mut n = 0;
        while n < 4 && matches!(self.byte(colon), b' ' | b'\t') {
            colon = self.skip_blanks(colon);
            n += 1;
        }
        if matches!(self.byte(colon), b' ' | b'\t') {
            self.phase = PHASE_DISPUTED;
        }
        let value = colon + 1;
        if self.byte(colon) != b':' || value > to {
            return;
        }
        let value = self.skip_blanks(value);
        self.remember(
            kind,
            Span {
                from: if value < to { value } else { to },
                to,
            },
        );
    }
}

/// The high bit of every byte of `word` that ends the name of a header field.
#[inline(always)]
const fn name_ends(word: u64) -> u64 {
    zeros(word ^ every(b':')) | zeros(word ^ every(b' ')) | zeros(word ^ every(b'\t'))
}
