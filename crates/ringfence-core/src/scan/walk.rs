//! Walks of the automaton over values.

use super::{JOBS, Scan, Span, Step};
use crate::automaton::{Automaton, DEAD, DOMAIN, Match, SCORE_LIMIT};
use crate::policy::Policy;
use core::hint::black_box;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// A walk to take.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(super) struct Job {
    span: u32,
    start: u16,
    stops: u8,
    /// 1: only while no domain was found.
    domain: u8,
}

impl Scan {
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
