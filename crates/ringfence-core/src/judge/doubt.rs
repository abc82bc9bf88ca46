//! What a stranger's behaviour gives away, whatever it calls itself: decoys, guessed passwords, many
//! names, prefixes before one number, a sweep over our addresses.

use super::Judge;
use super::spending::of_source;
use crate::bench::{Bench, Cells};
use crate::class::Class;
use crate::hash::mix;
use crate::limit::{Limit, State};
use crate::policy::{EMERGENCY, Policy, TRIPWIRE_RANGES, TRIPWIRES};
use crate::scan::{Scan, Span, Step, head};
use crate::search::number_of;
use crate::trust::{Culprit, SECOND, level};
use crate::verdict::told;
use core::hint::black_box;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Seconds for which a user that was asked for is none to count anew.
const ASKED_SECONDS: u64 = 600;
/// In the word of what was asked for: it was counted against the source.
const COUNTED: u64 = 1 << 30;
/// Bits of the word that tell numbers with the same end apart.
const KIND: u64 = 0xff << 22;
const SECONDS: u64 = (1 << 22) - 1;

/// Different numbers with the same last digits that one source may call.
const NUMBERS: Limit = Limit::new(3, 600 * SECOND, 3);
/// Digits at its end that make a number the same.
const SAME_END: u32 = 8;

/// Credentials on their way: as many as are allowed, and one that is never answered is forgiven
/// after the time that a transaction lasts (RFC 3261, timer B).
const FLIGHT: u64 = 8 * SECOND;

/// Classes of requests that ask for a user.
const ASKING: u32 = 1 << Class::Register as u32
    | 1 << Class::Invite as u32
    | 1 << Class::Options as u32
    | 1 << Class::Subscribe as u32
    | 1 << Class::Publish as u32
    | 1 << Class::Message as u32;

/// What was counted of a user, a number or an address that was asked for.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Asked {
    mark: u64,
    word: u64,
    index: u32,
    /// Zero.
    reserved: u32,
}

/// Compares a user with the names that nobody here has.
struct Names;

impl Step for Names {
    #[inline(always)]
    fn step(scan: &mut Scan, policy: &Policy) -> bool {
        let trust = &policy.trust;
        let turn = scan.turn;
        if turn >= trust.tripwire_count {
            return true;
        }
        scan.turn += 1;
        let hit = trust.tripwires[turn as usize & (TRIPWIRES - 1)] == scan.known.found;
        scan.known.place |= u32::from(hit);
        hit
    }
}

/// Compares a number with the ranges that nobody here has.
struct Ranges;

impl Step for Ranges {
    #[inline(always)]
    fn step(scan: &mut Scan, policy: &Policy) -> bool {
        let trust = &policy.trust;
        let turn = scan.turn;
        if turn >= trust.range_count {
            return true;
        }
        scan.turn += 1;
        let [first, last] = trust.ranges[turn as usize & (TRIPWIRE_RANGES - 1)];
        let number = scan.known.found;
        let hit = first <= number && number <= last;
        scan.known.place |= u32::from(hit);
        hit
    }
}

impl<B: Bench> Judge<'_, B> {
    #[inline(always)]
    pub(super) fn has_credentials(&self) -> bool {
        self.scan.verdict.told & told::CREDENTIALS != 0
    }

    /// Whether the user of the Request-URI is an emergency number.
    #[inline(always)]
    pub(super) fn is_emergency(&self) -> bool {
        let trust = &self.tables.policy.trust;
        let user = self.scan.known.request_user;
        let (mut found, mut n) = (false, 0);
        while n < EMERGENCY {
            found |= (n as u32) < trust.emergency_count && trust.emergency[n] == user;
            n += 1;
        }
        found && user != 0
    }

    /// Whether one of the users that the message asks for is a decoy: 1 or 0.
    #[inline(always)]
    pub(super) fn decoy(&mut self) -> u32 {
        self.scan.known.place = 0;
        let known = &self.scan.known;
        if self.scan.verdict.class == Class::Invite as u8 {
            let (user, span) = (known.request_user, known.request_user_span);
            self.compare(user, span);
        } else {
            let (user, span) = (known.to_user, known.to_user_span);
            self.compare(user, span);
            let known = &self.scan.known;
            let (user, span) = (known.credentials_user, known.credentials_span);
            self.compare(user, span);
        }
        self.scan.known.place & 1
    }

    #[inline(always)]
    fn compare(&mut self, user: u64, span: u32) {
        self.scan.known.found = user;
        self.scan.turn = 0;
        B::repeat::<Names>(self.scan, self.tables.policy, TRIPWIRES as u32);
        let span = Span::unpack(span);
        // A number with a zero in front is another user.
        if self.scan.byte(span.from) == b'0' {
            return;
        }
        let value = number_of::<B>(self.scan, span);
        let digits = digits(self.scan, span);
        let (Some(number), true) = (value, digits) else {
            return;
        };
        self.scan.known.found = u64::from(number);
        self.scan.turn = 0;
        B::repeat::<Ranges>(self.scan, self.tables.policy, TRIPWIRE_RANGES as u32);
    }

    /// Whether the message asks for a user.
    #[inline(always)]
    pub(super) fn asks_for_user(&self) -> bool {
        ASKING >> (self.scan.verdict.class & 31) & 1 == 1
    }

    /// Whether the source may ask for the user of To: 1 or 0.
    #[inline(always)]
    pub(super) fn may_ask_user(&mut self) -> u32 {
        let (source, user) = (self.source_hash(), self.scan.known.to_user);
        let may = user == 0 || self.may_ask(mix(source, user), of_source::USERS);
        u32::from(may)
    }

    /// Whether it may ask this address of ours for its options: 1 or 0.
    #[inline(always)]
    pub(super) fn may_sweep(&mut self) -> u32 {
        let source = self.source_hash();
        let [a, b] = self.scan.verdict.destination.words();
        let target = mix(mix(source, a), b) | 1;
        u32::from(self.may_ask(target, of_source::SWEEP))
    }

    /// Whom a refusal of this request would be held against.
    #[inline(always)]
    pub(super) fn culprit(&mut self, belongs: bool) -> Culprit {
        let (source, net) = (self.source_hash(), self.net_hash());
        let port = self.scan.verdict.source_port;
        Culprit::new(source, net, belongs, self.scan.known.to_user, port)
    }

    /// Whether phones belong behind the address.
    #[inline(always)]
    pub(super) fn belongs(&self) -> bool {
        self.trusted_for(level::REGISTERED | level::SOLICITED)
    }

    /// The limit of credentials on their way.
    #[inline(always)]
    pub(super) fn flight(&self) -> Limit {
        let most = self.tables.policy.trust.failures.burst() / 2;
        Limit {
            interval: FLIGHT,
            tolerance: FLIGHT * u64::from(most.saturating_sub(1)),
        }
    }

    /// Whether another try of credentials may pass: those refused lately and those not answered
    /// yet are fewer than the limit. It is counted, once for all its sendings. 1 or 0.
    #[inline(always)]
    pub(super) fn may_try(&mut self) -> u32 {
        let belongs = self.belongs();
        let culprit = self.culprit(belongs);
        self.scan.known.culprits = [culprit.first, culprit.second];
        self.scan.known.found = self.scan.known.culprits[0];
        if !self.has_tries() {
            return 0;
        }
        self.scan.known.found = self.scan.known.culprits[1];
        if !self.has_tries() {
            return 0;
        }
        if self.scan.verdict.again == 0 {
            let flight = self.flight();
            self.rate_of(
                self.scan.known.culprits[0],
                of_source::FLIGHT,
                &flight,
                true,
            );
            self.rate_of(
                self.scan.known.culprits[1],
                of_source::FLIGHT,
                &flight,
                true,
            );
            self.scan.verdict.told |= told::COUNTED;
        }
        1
    }

    /// Whether the culprit that was found has a try left.
    #[inline(always)]
    fn has_tries(&mut self) -> bool {
        let failures = self.tables.policy.trust.failures;
        let hash = self.scan.known.found;
        let refused = self.spent_of(hash, of_source::DOUBT, &failures);
        let flight = self.flight();
        let tried = self.spent_of(hash, of_source::FLIGHT, &flight);
        // A repetition is one of those that are on their way.
        let this = if self.scan.verdict.again == 1 { 0 } else { 2 };
        refused + tried * 2 + this <= failures.burst()
    }

    /// Whether the source was refused as often as it may be.
    #[inline(always)]
    pub(super) fn is_refused(&mut self) -> bool {
        let failures = self.tables.policy.trust.failures;
        let source = self.source_hash();
        // A refusal takes two.
        self.spent_of(source, of_source::DOUBT, &failures) + 2 > failures.burst()
    }

    /// Whether the source may ask for what has this hash: it asked for it lately, or for few others.
    #[inline(always)]
    fn may_ask(&mut self, hash: u64, slot: u32) -> bool {
        if !self.asked(hash) {
            return true;
        }
        self.scan.known.culprits = [self.source_hash(), self.net_hash()];
        let mut turn = 0;
        while turn < 4 {
            let charge = turn >= 2;
            let hash = *black_box(&mut self.scan.known.culprits[turn & 1]);
            let parts = if self.belongs() {
                self.scan.verdict.accounts & 0xffff
            } else {
                0
            };
            let limit = self.tables.policy.trust.users.shared_by(parts);
            if self.rate_of(hash, slot, &limit, charge) != State::Within && !charge {
                return false;
            }
            turn += 1;
        }
        self.keep_asked(COUNTED);
        true
    }

    /// The keyed hash of the source's net.
    #[inline(always)]
    pub(super) fn net_hash(&mut self) -> u64 {
        self.tables.key.net(self.scan.verdict.source)
    }

    /// Whether the source may call the number, not one with many prefixes: 1 or 0.
    #[inline(always)]
    pub(super) fn may_call(&mut self) -> u32 {
        u32::from(self.calls_another())
    }

    #[inline(always)]
    fn calls_another(&mut self) -> bool {
        let span = Span::unpack(self.scan.known.request_user_span);
        if span.to < span.from + SAME_END {
            return true;
        }
        let end = self.scan.word(span.to - SAME_END);
        if !is_digits(end) {
            return true;
        }
        let source = self.source_hash();
        let fresh = self.asked(mix(source, end) | 1);
        let kind = self.scan.known.request_user & KIND;
        if !fresh && self.scan.known.asked.word & KIND == kind {
            return true;
        }
        if !fresh && self.rate_of(source, of_source::NUMBERS, &NUMBERS, true) != State::Within {
            return false;
        }
        self.keep_asked(kind);
        true
    }

    /// Looks up what is remembered of something that the source asked for; whether it did not ask for
    /// it lately.
    #[inline(always)]
    pub(super) fn asked(&mut self, hash: u64) -> bool {
        let index = hash as u32 & (Cells::Asked.words() - 1);
        let mark = (hash | 1 << 63) >> 32 << 32;
        let word = self.bench.cell(Cells::Asked, index);
        let age = (self.now() / SECOND).wrapping_sub(word) & SECONDS;
        let fresh = word >> 32 << 32 != mark || age > ASKED_SECONDS;
        let asked = &mut self.scan.known.asked;
        asked.index = index;
        asked.mark = mark;
        asked.word = word;
        fresh
    }

    #[inline(always)]
    fn keep_asked(&mut self, more: u64) {
        let asked = self.scan.known.asked;
        let word = asked.mark | more | ((self.now() / SECOND) & SECONDS);
        self.bench
            .swap_cell(Cells::Asked, asked.index, asked.word, word);
    }

    /// A user that the source asked for and that answers, or that it proved to be, is none to hold
    /// against it.
    #[inline(always)]
    pub(super) fn forgive_user(&mut self, source: u64, net: u64, user: u64) {
        if self.asked(mix(source, user)) || self.scan.known.asked.word & COUNTED == 0 {
            return;
        }
        let limit = self.tables.policy.trust.users;
        self.refund_of(source, of_source::USERS, &limit, 1);
        self.refund_of(net, of_source::USERS, &limit, 1);
        self.keep_asked(0);
    }
}

/// Whether all eight bytes are digits.
#[inline(always)]
fn is_digits(word: u64) -> bool {
    let high = word & 0xf0f0_f0f0_f0f0_f0f0;
    let low = (word & 0x0f0f_0f0f_0f0f_0f0f).wrapping_add(0x0606_0606_0606_0606);
    high == 0x3030_3030_3030_3030 && low & 0xf0f0_f0f0_f0f0_f0f0 == 0
}

/// Whether a stretch of at most ten bytes is nothing but digits.
#[inline(always)]
fn digits(scan: &Scan, span: Span) -> bool {
    let length = span.to.wrapping_sub(span.from);
    if length == 0 || length > 10 {
        return false;
    }
    let fill = |count: u32| !head(u64::MAX, count) & 0x3030_3030_3030_3030;
    let first = head(scan.word(span.from), length) | fill(length);
    let rest = length.saturating_sub(8);
    let second = head(scan.word(span.from + 8), rest) | fill(rest);
    is_digits(first) && is_digits(second)
}
