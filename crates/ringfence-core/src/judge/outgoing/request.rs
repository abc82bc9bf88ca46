//! A request of this host: whom its answer will make solicited, and which dialogue it is part of.

use super::super::noting::{INVITE_WAITS, sent};
use super::Judge;
use crate::bench::{Bench, Buckets, Cells};
use crate::class::Class;
use crate::scan::{Kind, head, lower, text};
use crate::trust::{Dialogue, SENT_FULL, SENT_SINCE, Stage, keep as keep_record};

impl<B: Bench> Judge<'_, B> {
    /// Remembers a request by its branch. Nothing.
    #[inline(always)]
    pub(in crate::judge) fn sent_request(&mut self) -> u32 {
        let word = lower(self.scan.word(self.scan.span(Kind::StartLine).from));
        if head(word, 4) == const { text(b"ack ") } || head(word, 7) == const { text(b"cancel ") } {
            return 0;
        }
        let now = self.now();
        let call = self.scan.known.call;
        let [own, other] = self.scan.known.tags;
        let dialogue = Dialogue::new(self.tables.key, call, own);
        let bye = head(word, 4) == const { text(b"bye ") };
        if bye {
            let before = dialogue.reach(self.bench, now, Stage::Over, &mut self.scan.known.least);
            if before == Stage::Confirmed {
                let peer = self.scan.verdict.source;
                self.call_ends(&peer);
            }
        }
        let invite = self.scan.verdict.class == Class::Invite as u8;
        let opens = invite
            || self.scan.verdict.class == Class::Subscribe as u8
            || head(word, 6) == const { text(b"refer ") };
        let tagged = other != 0;
        let mut facts = 0;
        if invite {
            facts |= sent::INVITE;
        }
        // A request that merely claims to be part of a dialogue begins none, whatever answers it: a
        // proxy relays it to wherever its sender wants.
        if opens && (!tagged || dialogue.stage(self.bench, now) != Stage::None) {
            facts |= sent::DIALOGUE;
        }
        let strange = self.is_strange();
        if invite && !tagged && (!strange || self.is_registered()) {
            facts |= sent::CALLS;
        }
        let notify = head(word, 7) == const { text(b"notify ") };
        if !tagged && !bye && !notify && !strange {
            facts |= sent::SOLICITS;
        }
        let [a, b] = self.scan.verdict.source.words();
        let known = &mut self.scan.known;
        known.record.words = [a, b, facts, dialogue.hash(), 0];
        known.record.time = now;
        let hash = self.sent_hash();
        let record = &self.scan.known.record;
        if keep_record(self.bench, Buckets::Sent, hash, record, INVITE_WAITS) {
            self.set_mark(SENT_FULL, now);
        }
        if self.bench.cell(Cells::Marks, SENT_SINCE) == 0 {
            self.set_mark(SENT_SINCE, now);
        }
        0
    }

    /// Whether the peer is registered here.
    #[inline(always)]
    fn is_registered(&mut self) -> bool {
        let (peer, now) = (self.scan.verdict.source, self.now());
        let standing = self.bench.standing(&peer);
        standing.is_some_and(|standing| standing.registered(now))
    }

    #[inline(always)]
    pub(super) fn set_mark(&mut self, index: u32, value: u64) {
        let old = self.bench.cell(Cells::Marks, index);
        self.bench.swap_cell(Cells::Marks, index, old, value);
    }
}
