//! What a source spends: its rates, its transactions, its part of the strangers' budget.

use super::Judge;
use crate::bench::{Bench, Buckets, Cells, Store, Trace, list_flags};
use crate::class::Class;
use crate::hash::mix;
use crate::limit::{self, Limit, Owner, State};
use crate::policy::Service;
use crate::reason::Reason;

/// What is counted of a source beside the classes of messages: numbers behind theirs.
pub(super) mod what {
    /// Later fragments.
    pub const FRAGMENT: u32 = 12;
    /// Dropped transactions.
    pub const STRIKE: u32 = 13;
    /// The source's part of the budget.
    pub const BUDGET: u32 = 14;
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

impl<B: Bench> Judge<'_, B> {
    /// The state of one of the source's rates at the service; `charge` takes a token.
    #[inline(never)]
    pub(super) fn rate(&mut self, what: u32, limit: &Limit, charge: bool) -> State {
        if limit.is_none() || self.is(list_flags::TRUNK | list_flags::PROXY) {
            return State::Within;
        }
        let now = self.now();
        let slot = (SLOT >> ((what & 15) * 4)) as u32 & (limit::SLOTS - 1);
        let owner = Owner::new(self.source_hash(), self.scan.verdict.service, slot);
        let way = owner.way();
        let mut index = owner.bucket(0);
        let mut old = self.word(index, way);
        // What is nobody's is taken at once: most sources are new, and each look is a line of memory.
        if !owner.owns(old) && limit::in_debt(old, now) {
            let second = owner.bucket(1);
            let other = self.word(second, way);
            if owner.owns(other) || limit::yields(old, other, now) {
                index = second;
                old = other;
            }
        }
        let (new, state) = limit::step(old, owner, limit, now, charge);
        if charge {
            // Another CPU that came first has charged its own; one lost charge forgives.
            self.bench.swap_word(Buckets::Rates, index, way, old, new);
        }
        state
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
        self.rate(u32::from(class), service.rate(class), charge)
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

    /// Step 11: what strangers may get through, the source's part first.
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
        let fine = take(self.bench, index, &service.budget, now)
            || (self.scan.verdict.named == 1
                && take(self.bench, index + 1, &service.reserved_budget, now));
        self.bench.trace(Trace::Budget {
            source: true,
            shared: fine,
        });
        if fine { Reason::Clean } else { Reason::Budget }
    }
}

#[inline(always)]
fn take<B: Store>(bench: &mut B, index: u32, limit: &Limit, now: u64) -> bool {
    let mut tries = 0;
    while tries < 2 {
        let old = bench.cell(Cells::Budgets, index);
        let (new, fine) = limit::shared(old, limit, now);
        if !fine || bench.swap_cell(Cells::Budgets, index, old, new) {
            return fine;
        }
        tries += 1;
    }
    false
}
