//! What others say of the source: threat lists, and the lists of networks.

use core::hint::black_box;

use super::Judge;
use crate::bench::{Bench, Trace, list_flags};
use crate::feed::{FeedAction, Level, REFUSED, places};
use crate::policy::service_flags;
use crate::reason::Reason;
use crate::trust::level;
use crate::verdict::held;

/// Whoever is trusted for any of these belongs here, whatever a threat list says.
const BELONGS: u8 = level::REGISTERED
    | level::NEAR
    | level::KNOWN
    | level::SOLICITED
    | level::CALL
    | level::EMERGENCY;
/// All actions of threat lists.
const ACTIONS: u8 = FeedAction::Score.bit() | FeedAction::Ban.bit() | FeedAction::Deny.bit();
/// What drops.
const DROPS: u8 = FeedAction::Ban.bit() | FeedAction::Deny.bit() | REFUSED;

impl<B: Bench> Judge<'_, B> {
    /// What threat lists ask to be done with the source.
    #[inline(always)]
    fn feed(&mut self) -> u8 {
        let source = self.scan.verdict.source;
        let Some(address) = source.as_v4() else {
            return (self.scan.verdict.listed >> list_flags::FEEDS) as u8 & ACTIONS;
        };
        let Some(head) = self.bench.feed_head() else {
            return 0;
        };
        if !self.bench.feed_near(address) {
            return 0;
        }
        let mut n = 0;
        while n < Level::ALL.len() {
            if head.levels >> n & 1 == 1 {
                let (tag, bit) = Level::ALL[n].split(address);
                let [one, other] = places(tag, head.mask, head.secret);
                self.scan.verdict.feed |= self.bench.feed_listed(one, tag, bit);
                self.scan.verdict.feed |= self.bench.feed_listed(other, tag, bit);
            }
            n += 1;
        }
        black_box(self.scan.verdict.feed) & ACTIONS
    }

    /// Whether the packet is dropped for a threat list, or for its source's network. What it may still pass by is noted.
    #[inline(always)]
    pub(super) fn warned(&mut self) -> Option<Reason> {
        if self.is(list_flags::TRUNK | list_flags::PROXY) {
            return None;
        }
        let number = self.scan.verdict.service & 31;
        self.scan.verdict.network = (self.scan.verdict.admits >> number) as u8 & 1;
        let refused = (self.scan.verdict.refuses >> number) as u8 & REFUSED;
        let said = self.feed() | refused;
        self.scan.verdict.feed = 0;
        if said == 0 {
            return None;
        }
        let heeded = !self.trusted_for(BELONGS);
        self.bench.trace(Trace::Feed { said, heeded });
        // A ban that lets it pass by something is the stricter.
        if !heeded || self.scan.verdict.held != 0 {
            return None;
        }
        self.scan.verdict.feed = said;
        let service = self.service();
        let reason = self.of_list();
        if !service.kind().carries_calls() {
            return (said & (FeedAction::Deny.bit() | REFUSED) != 0).then_some(reason);
        }
        if said & DROPS == 0 {
            return None;
        }
        let mut bits = 0;
        // A list speaks of the address, and not of who holds it today.
        let mild = said & (FeedAction::Deny.bit() | REFUSED) == 0;
        if mild && service.has(service_flags::DOMAINS) {
            bits |= held::NAMED;
        }
        if self.tables.policy.trust.emergency_count != 0 {
            bits |= held::EMERGENCY;
        }
        if bits == 0 && !self.enforced() {
            bits = held::SHADOW;
        }
        self.scan.verdict.held = bits;
        (bits == 0).then_some(reason)
    }

    /// Whether the first thing that is held against the source bans it.
    #[inline(always)]
    pub(super) fn suspected(&self) -> bool {
        self.scan.verdict.feed & FeedAction::Score.bit() != 0
    }

    /// The reason by which a list drops.
    #[inline(always)]
    fn of_list(&self) -> Reason {
        if self.scan.verdict.feed & (FeedAction::Ban.bit() | FeedAction::Deny.bit()) != 0 {
            Reason::Feed
        } else {
            Reason::Network
        }
    }

    /// A reason by the name of what it rests on.
    #[inline(always)]
    pub(super) fn by_name(&self, reason: Reason) -> Reason {
        if reason == Reason::Banned && self.scan.verdict.feed & DROPS != 0 {
            self.of_list()
        } else {
            reason
        }
    }
}
