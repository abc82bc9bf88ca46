//! What a source spends: its rates, its transactions, its part of the strangers' budget.

use super::{Judge, Part};
use crate::bench::{Bench, Buckets, Cells, Store, Trace, list_flags};
use crate::class::Class;
use crate::hash::mix;
use crate::limit::{self, Limit, Owner, State};
use crate::policy::Service;
use crate::reason::Reason;
use crate::trust::level;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// What is counted of a source beside the classes of messages: numbers behind theirs.
pub(super) mod what {
    /// Later fragments.
    pub const FRAGMENT: u32 = 12;
    /// Dropped transactions.
    pub const STRIKE: u32 = 13;
    /// The source's part of the budget.
    pub const BUDGET: u32 = 14;
}

/// What is counted of a source, a net, an account or a flow at all services together: slots of the
/// service that is none.
pub mod of_source {
    /// Refused credentials, in halves, and malformed messages of a registered flow.
    pub const DOUBT: u32 = 0;
    /// Different users asked for.
    pub const USERS: u32 = 1;
    /// Credentials that are not answered yet.
    pub const FLIGHT: u32 = 2;
    /// Different numbers that end in the same digits.
    pub const NUMBERS: u32 = 3;
    /// Connections that have brought no message yet.
    pub const EMPTY: u32 = 4;
    /// Requests of those who belong.
    pub const REQUESTS: u32 = 5;
    /// Their packets that are not read.
    pub const PACKETS: u32 = 6;
    /// Packets of a banned source.
    pub const BANNED: u32 = 7;
    /// Different addresses of ours asked for their options.
    pub const SWEEP: u32 = 8;
}

const _: () = assert!(
    Class::ALL.len() <= what::FRAGMENT as usize,
    "numbers behind those of classes"
);

/// What most messages ask for, in the order of its slots. The rest follows.
const OFTEN: [u32; 8] = [
    Class::Register as u32,
    Class::Invite as u32,
    Class::Options as u32,
    Class::InDialogue as u32,
    what::BUDGET,
    what::STRIKE,
    Class::NewTcp as u32,
    Class::NotSip as u32,
];

/// The slot of what is counted, in four bits each.
const SLOT: u64 = {
    let mut slots = 0;
    let mut others = 8;
    let mut what = 0;
    while what < 16 {
        let mut slot = 0;
        while slot < 8 && OFTEN[slot] != what {
            slot += 1;
        }
        if slot == 8 {
            slot = others;
            others += 1;
        }
        slots |= (slot as u64) << (what * 4);
        what += 1;
    }
    slots
};

/// Retransmissions of one transaction that cost nothing (RFC 3261, section 17.1.2.1: eleven
/// sendings of a request over UDP).
const REPEATS: u8 = 11;
/// In the word of a transaction: it was within its rate.
const PASSED: u64 = 0x100;
/// In the word of a transaction: the budget let it through.
const PAID: u64 = 0x200;

/// A question to the table of rates, in memory: the part that answers it is looked at once.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct RateQuery {
    hash: u64,
    limit: Limit,
    /// The slot, and above its eight bits the service.
    place: u32,
    /// Number of a [`Question`].
    question: u32,
    /// Tokens to give back.
    tokens: u32,
    /// Zero.
    reserved: u32,
}

/// What is asked of a rate.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
enum Question {
    /// Its state.
    State = 0,
    /// Its state; a token is taken.
    Charge = 1,
    /// Tokens that did not come back yet.
    Spent = 2,
    /// Nothing; tokens are given back.
    Refund = 3,
    /// Nothing; all are given back.
    Forgive = 4,
    /// Its state; a token is taken where there is one.
    Spend = 5,
}

impl From<bool> for Question {
    #[inline(always)]
    fn from(charge: bool) -> Self {
        if charge {
            Question::Charge
        } else {
            Question::State
        }
    }
}

#[inline(always)]
fn state(answer: u32) -> State {
    match answer {
        0 => State::Within,
        1 => State::Over,
        _ => State::FarOver,
    }
}

impl<B: Bench> Judge<'_, B> {
    /// The state of one of the source's rates at the service; `charge` takes a token.
    #[inline(always)]
    pub(super) fn rate(&mut self, what: u32, limit: &Limit, charge: bool) -> State {
        if limit.is_none() || self.is(list_flags::TRUNK | list_flags::PROXY) {
            return State::Within;
        }
        let slot = (SLOT >> ((what & 15) * 4)) as u32 & (limit::SLOTS - 1);
        let (source, service) = (self.source_hash(), self.scan.verdict.service);
        let service = u32::from(service) << 8;
        state(self.query(source, service | slot, limit, charge.into()))
    }

    /// The state of a rate of what has this keyed hash at all services together; `slot` is of
    /// [`of_source`], and `charge` takes a token.
    #[inline(always)]
    pub(super) fn rate_of(&mut self, hash: u64, slot: u32, limit: &Limit, charge: bool) -> State {
        if limit.is_none() {
            return State::Within;
        }
        state(self.query(hash, slot, limit, charge.into()))
    }

    /// The same for who belongs: a refused token is not noted, so that nobody stays out who slows
    /// down.
    #[inline(always)]
    pub(super) fn spend_of(&mut self, hash: u64, slot: u32, limit: &Limit) -> State {
        if limit.is_none() {
            return State::Within;
        }
        state(self.query(hash, slot, limit, Question::Spend))
    }

    /// Puts a question to the table of rates.
    #[inline(always)]
    fn query(&mut self, hash: u64, place: u32, limit: &Limit, question: Question) -> u32 {
        let rate = &mut self.scan.known.rate;
        rate.hash = hash;
        rate.limit = *limit;
        rate.place = place;
        rate.question = question as u32;
        self.ask(Part::Rate)
    }

    /// Answers it.
    #[inline(always)]
    pub(super) fn answer_query(&mut self) -> u32 {
        let now = self.now();
        let query = &self.scan.known.rate;
        let (limit, question) = (query.limit, query.question);
        let owner = Owner::new(query.hash, (query.place >> 8) as u8, query.place & 15);
        let (index, old) = self.place_of(owner, now);
        let (new, answer) = if question == Question::Spent as u32 {
            return limit::spent(old, owner, &limit, now);
        } else if question == Question::Refund as u32 {
            let tokens = self.scan.known.rate.tokens;
            (limit::refund(old, owner, &limit, now, tokens), 0)
        } else if question == Question::Forgive as u32 {
            (if owner.owns(old) { 0 } else { old }, 0)
        } else {
            let charge = question != Question::State as u32;
            let (new, state) = limit::step(old, owner, &limit, now, charge);
            let held_back = question == Question::Spend as u32 && state != State::Within;
            (if held_back { old } else { new }, state as u32)
        };
        if new != old {
            // Another CPU that came first has charged its own; one lost charge forgives.
            self.bench
                .swap_word(Buckets::Rates, index, owner.way(), old, new);
        }
        answer
    }

    /// The bucket of an owner's word, and the word.
    #[inline(always)]
    fn place_of(&self, owner: Owner, now: u64) -> (u32, u64) {
        let way = owner.way();
        let index = owner.bucket(0);
        let old = self.word(index, way);
        // What is nobody's is taken at once: most sources are new, and each look is a line of memory.
        if !owner.owns(old) && limit::in_debt(old, now) {
            let second = owner.bucket(1);
            let other = self.word(second, way);
            if owner.owns(other) || limit::yields(old, other, now) {
                return (second, other);
            }
        }
        (index, old)
    }

    /// Tokens of [`of_source`] that are spent and did not come back yet.
    #[inline(always)]
    pub(super) fn spent_of(&mut self, hash: u64, slot: u32, limit: &Limit) -> u32 {
        self.query(hash, slot, limit, Question::Spent)
    }

    /// Gives tokens of [`of_source`] back.
    #[inline(always)]
    pub(super) fn refund_of(&mut self, hash: u64, slot: u32, limit: &Limit, tokens: u32) {
        self.scan.known.rate.tokens = tokens;
        self.query(hash, slot, limit, Question::Refund);
    }

    /// Forgets what was spent of [`of_source`].
    #[inline(always)]
    pub(super) fn forgive(&mut self, hash: u64, slot: u32) {
        self.query(hash, slot, &Limit::NONE, Question::Forgive);
    }

    /// A word of the table of rates.
    #[inline(always)]
    fn word(&self, bucket: u32, way: usize) -> u64 {
        match self.bench.bucket(Buckets::Rates, bucket) {
            Some(words) => words[way & (limit::WAYS - 1)],
            None => 0,
        }
    }

    #[inline(always)]
    pub(super) fn class_rate(&mut self, service: &Service, class: u8, charge: bool) -> State {
        let (limit, credit) = (service.rate(class), self.credit());
        if credit == 1 {
            self.rate(u32::from(class), limit, charge)
        } else {
            self.rate(u32::from(class), &limit.times(credit), charge)
        }
    }

    /// Charges a transaction once; whether the source is over its rate for the class.
    #[inline(always)]
    pub(super) fn charge(&mut self) -> bool {
        let service = self.service();
        let class = self.scan.verdict.class;
        let passed = self.recall();
        let state = if self.scan.verdict.again == 1 && passed {
            State::Within
        } else if self.scan.verdict.again == 1 {
            let state = self.class_rate(service, class, false);
            if state == State::Within {
                self.class_rate(service, class, true);
            }
            state
        } else {
            self.class_rate(service, class, true)
        };
        self.bench.trace(Trace::Rate {
            class,
            state,
            retransmission: self.scan.verdict.again == 1,
        });
        let within = state == State::Within;
        self.remember(within);
        !within
    }

    /// Charges a request of who is registered here, once; 1 where there are too many.
    #[inline(always)]
    pub(super) fn charge_registered(&mut self) -> u32 {
        const FREE: u32 = 1 << Class::Response as u32 | 1 << Class::InDialogue as u32;
        let class = self.scan.verdict.class;
        let passed = self.recall();
        if FREE >> (class & 31) & 1 == 1 || (self.scan.verdict.again == 1 && passed) {
            return 0;
        }
        let state = self.requests();
        self.bench.trace(Trace::Rate {
            class,
            state,
            retransmission: self.scan.verdict.again == 1,
        });
        let within = state == State::Within;
        self.remember(within);
        u32::from(!within)
    }

    #[inline(always)]
    fn transaction_cell(&mut self) -> (u32, u64) {
        let hash = mix(self.source_hash(), self.scan.verdict.transaction);
        (
            hash as u32 & (Cells::Transactions.words() - 1),
            hash >> 32 << 32,
        )
    }

    /// Looks whether the transaction was seen within the time that a sender repeats it (RFC 3261,
    /// timers B and F), and no more often than it may; whether it passed then.
    #[inline(always)]
    pub(super) fn recall(&mut self) -> bool {
        // Of the message before in the same segment.
        self.scan.verdict.again = 0;
        self.scan.verdict.paid = 0;
        if self.scan.verdict.transaction == 0 {
            return false;
        }
        let (index, mark) = self.transaction_cell();
        let word = self.bench.cell(Cells::Transactions, index);
        let seconds = (self.now() / 1_000_000_000) as u16;
        let age = seconds.wrapping_sub((word >> 16) as u16);
        let count = word as u8;
        let again = word >> 32 << 32 == mark && count != 0 && count < REPEATS && age <= 32;
        self.scan.verdict.again = again as u8;
        self.scan.verdict.paid = (again && word & PAID != 0) as u8;
        again && word & PASSED != 0
    }

    #[inline(always)]
    pub(super) fn remember(&mut self, passed: bool) {
        if self.scan.verdict.transaction == 0 {
            return;
        }
        let (index, mark) = self.transaction_cell();
        let old = self.bench.cell(Cells::Transactions, index);
        let mut new = mark | if passed { PASSED } else { 0 };
        if self.scan.verdict.again == 1 {
            new |= old & (0xffff_00ff | PAID);
            new += 1;
        } else {
            let seconds = (self.now() / 1_000_000_000) as u16;
            new |= u64::from(seconds) << 16 | 1;
        }
        if new != old {
            self.bench.swap_cell(Cells::Transactions, index, old, new);
        }
    }

    /// Spends once for all sendings of a transaction.
    #[inline(always)]
    pub(super) fn spend_once(&mut self) -> Reason {
        if self.scan.verdict.paid == 1 {
            return Reason::Clean;
        }
        let reason = self.spend();
        if reason == Reason::Clean && self.scan.verdict.transaction != 0 {
            let (index, mark) = self.transaction_cell();
            let old = self.bench.cell(Cells::Transactions, index);
            if old >> 32 << 32 == mark {
                self.bench
                    .swap_cell(Cells::Transactions, index, old, old | PAID);
            }
        }
        reason
    }

    /// What strangers may get through, the source's part first.
    #[inline(always)]
    fn spend(&mut self) -> Reason {
        let service = self.service();
        if service.budget.is_none() || self.is(list_flags::TRUNK | list_flags::PROXY) {
            return Reason::Clean;
        }
        if self.rate(what::BUDGET, &service.source_budget, true) != State::Within {
            self.bench.trace(Trace::Budget {
                source: false,
                shared: true,
            });
            return Reason::Budget;
        }
        let now = self.now();
        let index = u32::from(self.scan.verdict.service) * 2;
        let fine = take(self.bench, Cells::Budgets, index, &service.budget, now)
            || ((self.scan.verdict.named == 1 || self.trusted_for(level::MOVING))
                && !service.reserved_budget.is_none()
                && take(
                    self.bench,
                    Cells::Budgets,
                    index + 1,
                    &service.reserved_budget,
                    now,
                ));
        self.bench.trace(Trace::Budget {
            source: true,
            shared: fine,
        });
        if fine { Reason::Clean } else { Reason::Budget }
    }
}

/// Takes a token of a rate that all share.
#[inline(always)]
pub(super) fn take<B: Store>(
    bench: &mut B,
    table: Cells,
    index: u32,
    limit: &Limit,
    now: u64,
) -> bool {
    let mut tries = 0;
    while tries < 2 {
        let old = bench.cell(table, index);
        let (new, fine) = limit::shared(old, limit, now);
        if !fine || bench.swap_cell(table, index, old, new) {
            return fine;
        }
        tries += 1;
    }
    false
}
