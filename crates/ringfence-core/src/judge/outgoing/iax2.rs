//! What this host sends over IAX2: registrations that it accepts or refuses, calls that it takes or
//! begins.

use super::super::Part;
use super::super::noting::{INVITE_WAITS, sent};
use super::Judge;
use super::response::Facts;
use crate::bench::{Bench, Buckets, Cells};
use crate::iax2::subclass;
use crate::trust::{SENT_FULL, SENT_SINCE, Stage, keep as keep_record};
use crate::verdict::told;

/// The status of an answer that is a token to be sent back: no status of SIP.
const CHALLENGES: u32 = 1;

impl<B: Bench> Judge<'_, B> {
    /// Learns from an IAX2 frame: 1 where it answers a registration or
    /// credentials, or gives a token out.
    #[inline(always)]
    pub(in crate::judge) fn sent_iax2(&mut self) -> u32 {
        self.turn_round();
        let Some(header) = self.iax2_header() else {
            return 0;
        };
        if !header.full {
            return 0;
        }
        let now = self.now();
        let dialogue = self.iax2_dialogue();
        let goes_on = dialogue.stage(self.bench, now) != Stage::None;
        // A call that was up before this was heard of is known by its sound.
        let speaks = header.voice && header.destination != 0;
        if goes_on || speaks || header.control == subclass::ACCEPT {
            let least = &mut self.scan.known.least;
            dialogue.reach(self.bench, now, Stage::Early, least);
        }
        match header.control {
            subclass::NEW | subclass::REGREQ | subclass::POKE => {
                self.sent_iax2_request(header.source);
            }
            subclass::REGACK | subclass::REGREJ | subclass::REJECT | subclass::ACCEPT => {
                self.scan.known.hash = self.iax2_hash(header.destination, 0);
                self.scan.known.status = match header.control {
                    subclass::REGACK | subclass::ACCEPT => 200,
                    _ => 401,
                };
                return 1;
            }
            subclass::CALLTOKEN => {
                self.scan.known.status = CHALLENGES;
                return 1;
            }
            _ => {}
        }
        0
    }

    /// Remembers a request by its call number: its answer makes the peer solicited.
    #[inline(always)]
    fn sent_iax2_request(&mut self, number: u16) {
        let now = self.now();
        let hash = self.iax2_hash(number, 1);
        let [a, b] = self.scan.verdict.source.words();
        let known = &mut self.scan.known;
        known.record.words = [a, b, sent::SOLICITS, 0, 0];
        known.record.time = now;
        let record = &self.scan.known.record;
        if keep_record(self.bench, Buckets::Sent, hash, record, INVITE_WAITS) {
            self.set_mark(SENT_FULL, now);
        }
        if self.bench.cell(Cells::Marks, SENT_SINCE) == 0 {
            self.set_mark(SENT_SINCE, now);
        }
    }

    /// Learns from an answer to a registration or to credentials, or from a token that is given out.
    /// Nothing.
    #[inline(always)]
    pub(in crate::judge) fn answered_iax2(&mut self) -> u32 {
        if self.scan.known.status == CHALLENGES {
            if self.fill(0) {
                self.ask(Part::Elements);
                self.ask(Part::SentNonce);
            }
            return 0;
        }
        let hash = self.scan.known.hash;
        if !self.find_request(hash) || !self.fill(0) {
            return 0;
        }
        if Facts(self.scan.known.record.words[2]).has(told::ANSWERED) {
            return 0;
        }
        self.ask(Part::Elements);
        self.scan.known.stale = 0;
        self.ask(Part::NameIax2);
        if self.ask(Part::Settled) == 1 {
            self.ask(Part::Rewrite);
        }
        if self.scan.known.status == 200 {
            self.scan.known.granted = [self.scan.known.granted[0], u32::MAX, u32::MAX];
            if self.ask(Part::Accepted) == 1 {
                self.ask(Part::EarnBack);
                self.ask(Part::LiftBans);
            }
        } else {
            self.ask(Part::Refused);
        }
        0
    }
}
