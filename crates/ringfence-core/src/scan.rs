//! Text scanning over a window of aligned words: eight bytes at a time, no index that could leave it.
//!
//! The state of every loop lies in [`Scan`], which in the kernel is a per-CPU map value: a loop's
//! step is then a function of memory alone, and the verifier looks at it once (see
//! `docs/design/text-scanning.md`).

use crate::automaton::{Automaton, DEAD, DOMAIN, Match, SCORE_LIMIT};
use crate::flow::Flow;
use crate::policy::Policy;
use crate::reason::Reason;
use crate::verdict::Verdict;
use core::hint::black_box;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Words of the window.
pub const WORDS: usize = 256;
/// Most bytes of a message that are looked at. Two words less than the window: the word behind the
/// text is cleared, so that a word at any byte can be read.
pub const WINDOW: u32 = (WORDS as u32 - 2) * 8;
const BLOCKS: usize = WORDS / 8;

/// Most steps of any loop over a window.
pub const STEPS: u32 = 512;

/// Most steps of all walks over one message: every byte of the window four times.
pub const WALK_STEPS: u32 = 4 * WORDS as u32;

/// One step of a loop over a window. In the kernel it is the callback of `bpf_loop`.
pub trait Step {
    /// Goes one step on; `true` ends the loop.
    fn step(scan: &mut Scan, policy: &Policy) -> bool;
}

/// A stretch of the window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// First byte.
    pub from: u32,
    /// The byte after the last.
    pub to: u32,
}

impl Span {
    /// The empty stretch.
    pub const NONE: Span = Span { from: 0, to: 0 };

    /// Whether there is nothing in it.
    #[inline(always)]
    pub fn is_empty(&self) -> bool {
        self.to <= self.from
    }

    /// Both ends in one word, for function calls and tables.
    #[inline(always)]
    pub(crate) fn pack(self) -> u32 {
        (self.from & 0xffff) << 16 | (self.to & 0xffff)
    }

    /// The stretch that was packed.
    #[inline(always)]
    pub(crate) fn unpack(packed: u32) -> Self {
        Self {
            from: packed >> 16,
            to: packed & 0xffff,
        }
    }
}

/// Lines that are remembered: header fields by name, the start line, and two lines of SDP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
#[expect(missing_docs, reason = "each is the header field of its name")]
pub enum Kind {
    Other = 0,
    StartLine = 1,
    From = 2,
    To = 3,
    Contact = 4,
    Route = 5,
    Via = 6,
    UserAgent = 7,
    Server = 8,
    CallId = 9,
    CSeq = 10,
    ContentLength = 11,
    Subject = 12,
    Host = 13,
    SdpOrigin = 14,
    SdpSession = 15,
    Accept = 16,
}

/// Slots for kinds of lines.
pub const KINDS: usize = 32;

/// Where the line loop is in the message.
const PHASE_START: u32 = 0;
const PHASE_HEADERS: u32 = 1;
const PHASE_BODY: u32 = 2;
/// Servers do not agree on where the lines end, or a name's colon is too far off.
const PHASE_DISPUTED: u32 = 3;

/// Most walks over one message.
pub const JOBS: usize = 64;

/// A walk to take.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct Job {
    span: u32,
    start: u16,
    stops: u8,
    /// 1: only while no domain was found.
    domain: u8,
}

/// The window and the state of the loops over it.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Scan {
    /// What is known of the packet, and the judge's word on it.
    pub verdict: Verdict,
    /// The TCP connection that it belongs to.
    pub(crate) flow: Flow,
    /// The bytes, least significant first in each word.
    pub window: [u64; WORDS],
    /// One bit for each line feed.
    breaks: [u64; BLOCKS],
    spans: [u32; KINDS],
    /// Line loop: bits of line feeds not yet used in the current block.
    pending: u64,
    /// Walks: conditions met so far.
    pub(crate) bits: u64,
    /// Walks: the bytes below 64 to stop at.
    stop_bits: u64,
    /// Bytes of the window in use.
    length: u32,
    block: u32,
    line: u32,
    last: u32,
    phase: u32,
    seen: u32,
    twice: u32,
    headers_end: u32,
    wants_body: u32,
    /// Line loop: the byte behind the last that may end a line.
    end: u32,
    /// Walks: one more byte to stop at.
    stop_byte: u32,
    /// Walks to take, and how many.
    jobs: [Job; JOBS],
    job_count: u32,
    job: u32,
    /// Steps of a loop over a fixed list.
    pub(crate) turn: u32,
    /// The service whose domains are looked for, and the Request-URI.
    pub(crate) service: u32,
    pub(crate) target: u32,
    /// The value of the branch, packed.
    pub(crate) branch: u32,
    /// The Request-URI, packed.
    pub(crate) request: u32,
    /// Whether the segment repeats what was judged before: see `judge/stream.rs`.
    pub(crate) older: u32,
    /// 1: the text in the window is the whole message.
    pub(crate) closed: u32,
    /// Searches: where one is.
    pub(crate) place: u32,
    /// Walks and framing: the next byte, and the byte to stop before; walks: 0 where there is none.
    at: u32,
    limit: u32,
    state: u32,
    restart: u32,
    stops: u32,
    /// Where in a TCP segment the judge is.
    pub(crate) position: u32,
    /// IPv6 extension headers followed.
    pub(crate) extensions: u32,
    /// Points of the message's score, and the signature that gave the first.
    points: u32,
    scored_by: u32,
    /// Number of the reason at which a step arrived.
    outcome: u32,
    /// Walks: the lowest signature hit outright so far, 0 for none.
    pub(crate) signature: u32,
    /// TCP framing: see `framing.rs`.
    pub(crate) frame: u32,
    pub(crate) frame_length: u32,
}

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;

/// The byte `byte` in every byte of a word.
#[inline(always)]
pub const fn every(byte: u8) -> u64 {
    byte as u64 * ONES
}

/// The high bit of every byte of `word` that is zero.
#[inline(always)]
pub(crate) const fn zeros(word: u64) -> u64 {
    !(((word & !HIGH) + !HIGH) | word | !HIGH)
}

/// Bytes before the first marked one of `marks`, which is not 0.
#[inline(always)]
pub(crate) const fn first(marks: u64) -> u32 {
    marks.trailing_zeros() >> 3
}

/// ASCII letters of `word` in lower case. Bytes below `@` stay what they are, and no byte becomes a
/// letter that it was not.
#[inline(always)]
pub const fn lower(word: u64) -> u64 {
    word | (word & every(0x40)) >> 1
}

/// The first `count` bytes of a word, at most 8.
#[inline(always)]
pub const fn head(word: u64, count: u32) -> u64 {
    if count >= 8 {
        word
    } else {
        word & ((1 << (count * 8)) - 1)
    }
}

/// A text of at most 8 bytes as the word that begins with it.
pub const fn text(text: &[u8]) -> u64 {
    let mut word = 0;
    let mut n = 0;
    while n < text.len() {
        word |= (text[n] as u64) << (n * 8);
        n += 1;
    }
    word
}

impl Scan {
    /// Makes `length` bytes of the window, which were written before, ready for the loops:
    /// nothing behind them is read as text.
    #[inline(always)]
    pub fn begin(&mut self, length: u32) {
        let length = if length > WINDOW { WINDOW } else { length };
        self.length = length;
        // The compiler would drop the masks, knowing the bound; Linux 6.1 would not know it.
        let at = (black_box(length) >> 3) as usize;
        self.window[at & (WORDS - 1)] = head(self.window[at & (WORDS - 1)], length & 7);
        self.window[(at + 1) & (WORDS - 1)] = 0;
        self.seen = 0;
        self.twice = 0;
        self.last = 0;
        self.line = 0;
        self.phase = PHASE_START;
        self.headers_end = 0;
        self.bits = 0;
        self.signature = 0;
        self.points = 0;
        self.scored_by = 0;
        self.branch = 0;
    }

    /// Bytes of the window in use.
    #[inline(always)]
    pub fn length(&self) -> u32 {
        self.length
    }

    /// The eight bytes from `at` on. Behind the end of the text they are 0.
    #[inline(always)]
    pub fn word(&self, at: u32) -> u64 {
        let index = (at >> 3) as usize;
        let shift = (at & 7) * 8;
        let low = self.window[index & (WORDS - 1)] >> shift;
        let high = (self.window[(index + 1) & (WORDS - 1)] << 1) << (63 - shift);
        low | high
    }

    /// The byte at `at`.
    #[inline(always)]
    pub fn byte(&self, at: u32) -> u8 {
        (self.window[(at >> 3) as usize & (WORDS - 1)] >> ((at & 7) * 8)) as u8
    }

    /// The value of the first line of its kind.
    #[inline(always)]
    pub fn span(&self, kind: Kind) -> Span {
        self.span_of(kind as u32)
    }

    /// The value of the first line of the kind with this number.
    #[inline(always)]
    pub fn span_of(&self, kind: u32) -> Span {
        // What was not seen is an older message's.
        let seen = self.seen >> (kind & 31) & 1;
        Span::unpack(self.spans[kind as usize & (KINDS - 1)] & seen.wrapping_neg())
    }

    /// Whether a line of this kind was there.
    #[inline(always)]
    pub fn has(&self, kind: Kind) -> bool {
        self.seen >> (kind as u32) & 1 == 1
    }

    /// Whether more than one line of this kind was there.
    #[inline(always)]
    pub fn repeated(&self, kind: Kind) -> bool {
        self.twice >> (kind as u32) & 1 == 1
    }

    /// Whether a bare carriage return, a NUL, or a name with its colon far off stands before the end
    /// of the headers.
    #[inline(always)]
    pub fn disputed(&self) -> bool {
        self.phase == PHASE_DISPUTED
    }

    /// The byte after the blank line, where it is in the window.
    #[inline(always)]
    pub fn headers_end(&self) -> Option<u32> {
        if self.headers_end == 0 {
            None
        } else {
            Some(self.headers_end)
        }
    }

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

    /// Forgets all walks.
    #[inline(always)]
    pub fn begin_jobs(&mut self) {
        self.job_count = 0;
        self.job = 0;
        self.at = 0;
        self.limit = 0;
        self.state = u32::from(DEAD);
    }

    /// Adds a walk of the automaton from `start` over `span`, up to a byte of `stops`, where there
    /// is anything to look for that begins as the span does.
    #[inline(always)]
    pub fn add_job(
        &mut self,
        automaton: &Automaton,
        start: u16,
        span: Span,
        stops: Stops,
        domain: bool,
    ) {
        if start == DEAD || span.is_empty() {
            return;
        }
        // Each line begins anew.
        if automaton.step(start, self.byte(span.from)) == DEAD && stops != Stops::Lines {
            return;
        }
        let place = self.job_count as usize & (JOBS - 1);
        self.jobs[place] = Job {
            span: span.pack(),
            start,
            stops: stops as u8,
            domain: domain as u8,
        };
        self.job_count += 1;
    }

    /// Takes up the next walk; whether there was one.
    #[inline(always)]
    fn next_job(&mut self) -> bool {
        if self.job >= self.job_count {
            return false;
        }
        let job = self.jobs[self.job as usize & (JOBS - 1)];
        self.job += 1;
        let span = Span::unpack(job.span);
        self.at = span.from;
        self.limit = if job.domain == 1 && self.bits & DOMAIN != 0 {
            0
        } else {
            span.to
        };
        self.state = u32::from(job.start);
        self.restart = u32::from(job.start);
        self.stops = u32::from(job.stops);
        self.stop_bits = STOP_BITS[job.stops as usize & 7];
        let bracket = job.stops == Stops::Bracket as u8;
        self.stop_byte = if bracket { u32::from(b']') } else { NO_BYTE };
        true
    }

    /// The next byte that the framing reads.
    #[inline(always)]
    pub(crate) fn frame_from(&self) -> u32 {
        self.at
    }

    #[inline(always)]
    pub(crate) fn frame_at(&mut self, at: u32) {
        self.at = at;
    }

    #[inline(always)]
    pub(crate) fn note(&mut self, hit: &Match) {
        self.bits |= hit.bits;
        self.hit(hit.signature);
    }

    /// Takes up a signature that is hit outright, where its number is lower than what was hit so
    /// far; 0 is none.
    #[inline(always)]
    pub(crate) fn hit(&mut self, signature: u16) {
        let signature = u32::from(signature);
        if signature != 0 && (self.signature == 0 || signature < self.signature) {
            self.signature = signature;
        }
    }

    /// Keeps what a step arrived at. It goes through memory, so that the kernel's verifier does not
    /// follow the rest once for every reason.
    #[inline(always)]
    pub(crate) fn set_outcome(&mut self, reason: Reason) {
        self.outcome = reason as u32;
    }

    /// What the step arrived at.
    #[inline(always)]
    pub(crate) fn outcome(&self) -> Reason {
        Reason::from_number(self.outcome as u8).unwrap_or(Reason::Malformed)
    }

    /// Adds points to the message's score.
    #[inline(always)]
    pub(crate) fn score(&mut self, points: u16, signature: u16) {
        self.points = self.points.wrapping_add(u32::from(points));
        if self.scored_by == 0 {
            self.scored_by = u32::from(signature);
        }
    }

    /// The signature that the message hits, outright or by its score, or 0.
    #[inline(always)]
    pub(crate) fn signature(&self) -> u16 {
        if self.signature == 0 && self.points >= SCORE_LIMIT {
            self.scored_by as u16
        } else {
            self.signature as u16
        }
    }

    /// Whether more than one line of any kind was there.
    #[inline(always)]
    pub(crate) fn repeats(&self) -> bool {
        self.twice != 0
    }

    /// Whether more than one line of a counted header (its number) was there.
    #[inline(always)]
    pub(crate) fn repeated_counted(&self, header: u8) -> bool {
        let kind = match header {
            0 => Kind::From,
            1 => Kind::To,
            2 => Kind::CallId,
            _ => Kind::CSeq,
        };
        self.repeated(kind)
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

    /// One bit for each [`Kind`] of line that was there.
    #[inline(always)]
    pub(crate) fn seen(&self) -> u32 {
        self.seen
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
            self.spans[last] = Span {
                from: span.from,
                to,
            }
            .pack();
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
        let mut colon = from + count;
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

/// Names of header fields that are looked at, in full and compact form (RFC 3261, section 7.3.3), or
/// their first eight bytes.
const NAMES: [(&[u8], Kind); 20] = [
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
fn header_kind(low: u64, high: u64, count: u32) -> u32 {
    let (name, kind) = NAME_TABLE[name_slot(low, FACTOR)];
    if name != low {
        return Kind::Other as u32;
    }
    let kind = kind as u32;
    if count >= 8 {
        let rest = match count {
            10 if kind == Kind::UserAgent as u32 => const { text(b"nt") },
            14 if kind == Kind::ContentLength as u32 => const { text(b"length") },
            _ => return Kind::Other as u32,
        };
        if head(lower(high), count - 8) != rest {
            return Kind::Other as u32;
        }
    }
    kind
}

/// Bytes that end a walk before its limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Stops {
    /// None.
    Never = 0,
    /// What may follow a host (RFC 3261, section 25.1): port, parameters, headers, end of the URI.
    Host = 1,
    /// The end of an IPv6 reference.
    Bracket = 2,
    /// What may follow a display name: its quote, or the URI.
    Display = 3,
    /// What may follow a parameter's value.
    Parameter = 4,
    /// Line ends: each line is a value of its own, and the walk goes on behind it.
    Lines = 5,
}

const fn set(bytes: &[u8]) -> u64 {
    let mut bits = 0;
    let mut n = 0;
    while n < bytes.len() {
        bits |= 1 << bytes[n];
        n += 1;
    }
    bits
}

const HOST_STOPS: u64 = set(b":;>?,/\" \t\r\n\0");
const DISPLAY_STOPS: u64 = set(b"\"<");
const LINE_STOPS: u64 = set(b"\r\n");
const PARAMETER_STOPS: u64 = set(b";>,? \t\r\n\0");

/// The bytes below 64 that end a walk, by the number of its [`Stops`].
const STOP_BITS: [u64; 8] = [
    0,
    HOST_STOPS,
    0,
    DISPLAY_STOPS,
    PARAMETER_STOPS,
    LINE_STOPS,
    0,
    0,
];

/// No byte.
const NO_BYTE: u32 = 0x100;

/// Words that one step of a walk goes over at most.
const STRIDE: u32 = 8;

/// Walks the automaton over the next words of the current walk; takes up another where there is none.
pub struct Walk;

impl Step for Walk {
    #[inline(always)]
    fn step(scan: &mut Scan, policy: &Policy) -> bool {
        if scan.limit == 0 {
            if !scan.next_job() {
                return true;
            }
            if scan.limit == 0 {
                return false;
            }
        }
        let lines = scan.stops == Stops::Lines as u32;
        let mut n = 0;
        while n < STRIDE {
            if scan.word_step(&policy.automaton, lines) {
                break;
            }
            n += 1;
        }
        false
    }
}

impl Scan {
    /// Walks over one word; whether that ended the walk.
    #[inline(always)]
    fn word_step(&mut self, automaton: &Automaton, lines: bool) -> bool {
        // What lies in memory is read anew: the verifier would tell the ways apart that led here.
        let at = *black_box(&mut self.at);
        let mut word = self.word(at);
        let mut state = *black_box(&mut self.state) as u16;
        let mut n = 0;
        while n < 8 {
            if self.at >= self.limit {
                if let Some(hit) = automaton.matched(automaton.end(state)) {
                    self.note(hit);
                }
                self.limit = 0;
                return true;
            }
            let byte = word as u8;
            word >>= 8;
            self.at += 1;
            let low = self.stop_bits >> (byte & 63) & u64::from(byte < 64) == 1;
            let stop = low || self.stop_byte == u32::from(byte);
            state = if stop {
                automaton.end(state)
            } else {
                automaton.step(state, byte)
            };
            if let Some(hit) = automaton.matched(state) {
                self.note(hit);
            }
            if lines {
                if stop {
                    state = self.restart as u16;
                }
            } else if stop || state == DEAD {
                self.limit = 0;
                return true;
            }
            n += 1;
        }
        self.state = u32::from(state);
        false
    }
}
