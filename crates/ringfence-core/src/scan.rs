//! Text scanning over a window of aligned words: eight bytes at a time, no index that could leave it.
//!
//! The state of every loop lies in [`Scan`], which in the kernel is a per-CPU map value: a loop's
//! step is then a function of memory alone, and the verifier looks at it once (see
//! `docs/design/text-scanning.md`).

mod lines;
mod names;
mod walk;
mod word;

pub use lines::Lines;
pub use walk::{Stops, Walk};
pub use word::{every, head, lower, text};
pub(crate) use word::{first, zeros};

use crate::flow::Flow;
use crate::known::Known;
use crate::policy::Policy;
use crate::reason::Reason;
use crate::verdict::Verdict;
use core::hint::black_box;
use lines::{PHASE_DISPUTED, PHASE_START};
use walk::Job;
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
    Authorization = 17,
    ProxyAuthorization = 18,
    Expires = 19,
    WwwAuthenticate = 20,
    ProxyAuthenticate = 21,
}

/// Slots for kinds of lines.
pub const KINDS: usize = 32;

/// Most Contact header fields of a message that are remembered.
pub const CONTACTS: usize = 16;

/// Most walks over one message.
pub const JOBS: usize = 64;

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
    /// One bit for each byte that ends a line, or that servers do not agree about.
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
    /// The values of Contact header fields, packed, and how many there were.
    contacts: [u32; CONTACTS],
    contact_count: u32,
    /// The contact that is looked at: see `outgoing/contacts.rs`.
    pub(crate) contact: u32,
    /// What is known of the sender, and what the message says of itself.
    pub(crate) known: Known,
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
        self.contact_count = 0;
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

    /// The next byte that the framing reads.
    #[inline(always)]
    pub(crate) fn frame_from(&self) -> u32 {
        self.at
    }

    #[inline(always)]
    pub(crate) fn frame_at(&mut self, at: u32) {
        self.at = at;
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

    /// How many Contact header fields there were.
    #[inline(always)]
    pub(crate) fn contact_count(&self) -> u32 {
        self.contact_count
    }

    /// The value of a Contact header field that is remembered.
    #[inline(always)]
    pub(crate) fn contact_field(&self, n: u32) -> Span {
        // The compiler would drop the mask, knowing the bound; the kernel's verifier would not know it.
        Span::unpack(self.contacts[black_box(n) as usize & (CONTACTS - 1)])
    }

    /// One bit for each [`Kind`] of line that was there.
    #[inline(always)]
    pub(crate) fn seen(&self) -> u32 {
        self.seen
    }
}
