//! One SIP message: its class, its rate, what stands in it.

use super::spending::take;
use super::{Judge, Part};
use crate::automaton::{Action as SignatureAction, DOMAIN, OVERS, RULES};
use crate::bench::{Bench, Cells, Trace, list_flags};
use crate::class::Class;
use crate::hash::mix;
use crate::limit::Limit;
use crate::policy::{Policy, policy_flags, service_flags};
use crate::reason::{Action, Reason};
use crate::scan::{Kind, Lines, STEPS, Scan, Span, Step, WALK_STEPS, Walk};
use crate::search::{digest_of_text, mark_breaks};
use crate::sip::{self, Start};
use crate::trust::{EMERGENCY_WORD, SECOND, level};
use crate::verdict::{NO_CLASS, held, told};

/// Emergency calls of strangers, all together.
const STRANGERS_EMERGENCY: Limit = Limit::new(20, SECOND, 50);

/// What the window holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(super) enum Text {
    /// A SIP message.
    Message,
    /// The beginning of what may become one.
    Begun,
    /// Something else.
    Foreign,
}

impl Text {
    #[inline(always)]
    fn from_number(number: u32) -> Self {
        match number {
            0 => Text::Message,
            1 => Text::Begun,
            _ => Text::Foreign,
        }
    }
}

impl<B: Bench> Judge<'_, B> {
    /// One SIP message in the window.
    #[inline(always)]
    pub(super) fn message(&mut self) -> Reason {
        self.scan.verdict.class = NO_CLASS;
        let reason = self.judge_message();
        self.scan.set_outcome(reason);
        let read = Class::from_number(self.scan.verdict.class)
            .is_some_and(|class| !matches!(class, Class::NotSip | Class::Response));
        if read && reason.action() == Action::Drop && !self.enforced() {
            // It passes all the same, and is answered.
            self.ask(Part::ToUser);
            self.note();
        }
        self.scan.outcome()
    }

    /// Notes the request, by what its transaction is known by.
    #[inline(always)]
    fn note(&mut self) {
        if self.class() != Some(Class::InDialogue) {
            self.ask(Part::Transaction);
        }
        self.ask(Part::Note);
    }

    #[inline(always)]
    fn judge_message(&mut self) -> Reason {
        let closed = self.scan.closed == 1;
        let body = self.tables.policy.flags & policy_flags::BODY != 0;
        self.find_lines(closed, body);
        match Text::from_number(self.ask(Part::Read)) {
            Text::Message => {}
            Text::Begun => return Reason::Incomplete,
            Text::Foreign => return self.foreign(),
        }
        self.ask(Part::Identify);
        if self.is(list_flags::TRUNK) && self.class() == Some(Class::Register) {
            return Reason::Refused;
        }
        if let Some(reason) = self.belonging() {
            return reason;
        }
        self.admit();
        if self.scan.verdict.admitted == 0 && !self.opens_country() {
            return Reason::Country;
        }
        if self.class() == Some(Class::Register) {
            self.ask(Part::ToUser);
            self.ask(Part::Account);
        }
        if self.ask(Part::Charge) == 1 {
            return Reason::Rate;
        }
        self.ask(Part::Values);
        self.ask(Part::Walk);
        // What bans is as bad as it gets: the rest is not looked at.
        if !self.bans() {
            self.plan_addresses();
            self.ask(Part::Walk);
        }
        self.ask(Part::Inspect);
        if self.scan.verdict.signature != 0 {
            return Reason::Signature;
        }
        self.stranger()
    }

    /// What the gates behind the inspection say of a trunk, a solicited source or a stranger.
    #[inline(always)]
    fn stranger(&mut self) -> Reason {
        if self.is(list_flags::TRUNK) {
            return self.passing(Reason::Trunk);
        }
        if self.solicited() {
            return self.passing(Reason::Solicited);
        }
        if self.scan.verdict.named == 0 {
            if self.gated() && !self.is_known() {
                return Reason::Domain;
            }
            if self.scan.verdict.admitted == 0 {
                return Reason::Country;
            }
            if self.scan.verdict.held != 0 {
                return Reason::Banned;
            }
        }
        if let Some(reason) = self.suspect() {
            return reason;
        }
        match self.reason(Part::Spend) {
            Reason::Clean => self.passing(Reason::Clean),
            reason => reason,
        }
    }

    /// Decoys, guesses, too many names, responses to nothing.
    #[inline(always)]
    fn suspect(&mut self) -> Option<Reason> {
        match self.class() {
            Some(Class::Response) => {
                return self.remembers().then_some(Reason::Unsolicited);
            }
            Some(Class::Invite) => {
                self.ask(Part::RequestUser);
                self.ask(Part::ToUser);
            }
            Some(Class::Register) => {}
            _ => {
                self.ask(Part::ToUser);
            }
        }
        let trust = &self.tables.policy.trust;
        let decoys = trust.tripwire_count | trust.range_count != 0;
        let entered = 1 << Class::Register as u32 | 1 << Class::Invite as u32;
        if decoys
            && entered >> (self.scan.verdict.class & 31) & 1 == 1
            && self.ask(Part::Decoy) == 1
        {
            return Some(Reason::Tripwire);
        }
        let limited = !self.tables.policy.trust.failures.is_none();
        if limited && self.has_credentials() && self.ask(Part::MayTry) == 0 {
            return Some(Reason::Failures);
        }
        if !self.asks_for_user() {
            return None;
        }
        let may = self.ask(Part::MayAsk) == 1
            && (self.class() != Some(Class::Options) || self.ask(Part::MaySweep) == 1)
            && (self.class() != Some(Class::Invite) || self.ask(Part::MayCall) == 1);
        (!may).then_some(Reason::Enumeration)
    }

    /// Notes a message that passes.
    #[inline(always)]
    fn passing(&mut self, reason: Reason) -> Reason {
        self.scan.set_outcome(reason);
        self.note();
        self.scan.outcome()
    }

    /// Whether the message is a REGISTER of an address that was registered lately.
    #[inline(always)]
    fn is_known(&self) -> bool {
        self.trusted_for(level::KNOWN) && self.class() == Some(Class::Register)
    }

    /// What is part of a dialogue, what answers this host, who is registered. `None`
    /// for what is left to the gates.
    #[inline(always)]
    fn belonging(&mut self) -> Option<Reason> {
        let verdict = &mut self.scan.verdict;
        verdict.told = 0;
        verdict.trust &= !(level::FULL | level::MOVING);
        if verdict.registered_flow == 1 {
            verdict.trust |= level::FULL;
        }
        let class = self.class();
        if class == Some(Class::Response)
            && self.ask(Part::Answer) == 1
            && (self.scan.verdict.held == 0 || self.scan.verdict.held & held::DIALOGUE != 0)
        {
            return Some(Reason::Solicited);
        }
        if class == Some(Class::InDialogue) {
            self.ask(Part::Transaction);
            if self.ask(Part::Dialogue) == 1 && (self.scan.verdict.held == 0 || self.ends()) {
                return Some(Reason::Dialogue);
            }
        }
        self.scan.known.credentials_user = 0;
        if self.scan.has(Kind::Authorization) || self.scan.has(Kind::ProxyAuthorization) {
            self.scan.verdict.told |= told::CREDENTIALS;
            self.read_credentials();
        }
        if class == Some(Class::Invite) && self.tables.policy.trust.emergency_count != 0 {
            self.ask(Part::RequestUser);
            if self.ask(Part::Emergency) == 1 {
                self.scan.verdict.told |= told::EMERGENCY;
                return Some(self.passing(Reason::Emergency));
            }
        }
        if self.trusted_for(level::REGISTERED) {
            if !self.trusted_for(level::FULL) {
                self.ask(Part::FromUser);
                self.ask(Part::AccountTrust);
            }
            if self.trusted_for(level::FULL) {
                return Some(self.registered());
            }
        }
        let held = self.scan.verdict.held;
        let may = held & held::NAMED != 0 && class == Some(Class::Register);
        (held != 0 && !may).then_some(Reason::Banned)
    }

    /// A message of who is registered here.
    #[inline(always)]
    fn registered(&mut self) -> Reason {
        if self.ask(Part::ChargeRegistered) == 1 {
            return Reason::Rate;
        }
        self.ask(Part::ToUser);
        self.passing(Reason::Registered)
    }

    /// Whether this is an emergency call that may pass: always one of who belongs, and of strangers
    /// some at a time, so that the number opens no door to a flood.
    #[inline(always)]
    pub(super) fn may_call_for_help(&mut self) -> bool {
        if !self.is_emergency() {
            return false;
        }
        if self.trusted_for(level::REGISTERED | level::KNOWN | level::SOLICITED) {
            return true;
        }
        let now = self.now();
        take(
            self.bench,
            Cells::Marks,
            EMERGENCY_WORD,
            &STRANGERS_EMERGENCY,
            now,
        )
    }

    #[inline(always)]
    fn class(&self) -> Option<Class> {
        Class::from_number(self.scan.verdict.class)
    }

    /// Whether the message is one of those that name a domain. In-dialogue requests carry our
    /// Contact's address: the gate is for those that begin.
    #[inline(always)]
    fn gated(&self) -> bool {
        const UNGATED: u32 = 1 << Class::InDialogue as u32 | 1 << Class::Response as u32;
        self.service().has(service_flags::DOMAINS)
            && UNGATED >> (self.scan.verdict.class & 31) & 1 == 0
            && !self.is(list_flags::TRUNK)
    }

    /// Whether a name may open the country fence for the message.
    #[inline(always)]
    fn opens_country(&self) -> bool {
        self.service().has(service_flags::OPENS_COUNTRY)
            && self.scan.verdict.class == Class::Register as u8
    }

    /// Finds the lines of the text in the window. `closed`: all of it is there.
    #[inline(always)]
    pub(super) fn find_lines(&mut self, closed: bool, body: bool) {
        self.scan.begin_lines(closed, body);
        mark_breaks::<B>(self.scan);
        self.ask(Part::Lines);
    }

    /// Looks at the lines whose ends were marked.
    #[inline(always)]
    pub(super) fn lines(&mut self) -> u32 {
        self.scan.end_lines();
        B::repeat::<Lines>(self.scan, self.tables.policy, STEPS);
        0
    }

    /// Takes the walks that were planned.
    #[inline(always)]
    pub(super) fn walk(&mut self) -> u32 {
        B::repeat::<Walk>(self.scan, self.tables.policy, WALK_STEPS);
        0
    }

    /// Finds the class of the message and its Request-URI.
    #[inline(always)]
    pub(super) fn read(&mut self) -> Text {
        let text = self.read_start();
        if text == Text::Message {
            self.read_to_tag();
        }
        text
    }

    #[inline(always)]
    fn read_start(&mut self) -> Text {
        let closed = self.scan.closed == 1;
        let (class, target) = match sip::start::<B>(self.scan) {
            Start::Request(class, target) => (class, target),
            Start::Response => (Class::Response, Span::NONE),
            Start::Missing if !closed && sip::begins::<B>(self.scan) => return Text::Begun,
            Start::Foreign | Start::Missing => return Text::Foreign,
        };
        self.scan.request = target.pack();
        self.scan.verdict.class = class as u8;
        Text::Message
    }

    /// A request with a To tag is part of a dialogue, or says so.
    #[inline(always)]
    fn read_to_tag(&mut self) {
        const SETTLED: u32 = 1 << Class::Register as u32
            | 1 << Class::InDialogue as u32
            | 1 << Class::Response as u32;
        let settled = SETTLED >> (self.scan.verdict.class & 31) & 1 == 1;
        if !settled && sip::has_to_tag::<B>(self.scan) {
            self.scan.verdict.class = Class::InDialogue as u8;
        }
    }

    #[inline(always)]
    fn admit(&mut self) {
        let class = self.scan.verdict.class;
        let whole = self.scan.headers_end().is_some();
        self.bench.trace(Trace::Message { class, whole });
        let service = self.service();
        let admitted = self.admitted(service, class);
        self.scan.verdict.admitted = admitted as u8;
    }

    #[inline(always)]
    pub(super) fn identify(&mut self) -> u32 {
        let transaction = sip::transaction::<B>(self.scan);
        let class = u64::from(self.scan.verdict.class);
        self.scan.verdict.transaction = if transaction == 0 {
            0
        } else {
            // A repetition is the same to the byte: another password under the branch of the last
            // one is another try.
            mix(transaction, class ^ digest_of_text::<B>(self.scan)) | 1
        };
        0
    }

    /// Whether a signature was hit that bans.
    #[inline(always)]
    fn bans(&self) -> bool {
        let signature = self.scan.signature as u16;
        signature != 0 && self.tables.policy.automaton.action(signature) == SignatureAction::Ban
    }

    /// Plans what is looked for in addresses.
    #[inline(always)]
    fn plan_addresses(&mut self) {
        let service = if self.gated() {
            self.scan.verdict.service
        } else {
            0
        };
        let request = self.scan.request;
        sip::begin_addresses(self.scan, request, service);
        let mut turn = 0;
        while turn < sip::TURNS {
            self.ask(Part::Address);
            turn += 1;
        }
        sip::plan_anywhere(self.scan, self.tables.policy);
    }

    /// Plans what is looked for in the next address.
    #[inline(always)]
    pub(super) fn address(&mut self) -> u32 {
        sip::plan_address::<B>(self.scan, self.tables.policy);
        0
    }

    /// Plans what is looked for elsewhere.
    #[inline(always)]
    pub(super) fn values(&mut self) -> u32 {
        let request = self.scan.request;
        sip::plan_values::<B>(self.scan, self.tables.policy, request);
        0
    }

    /// Looks through them.
    #[inline(always)]
    pub(super) fn inspect(&mut self) -> u32 {
        let policy = self.tables.policy;
        let signature = if self.bans() {
            self.scan.signature()
        } else {
            settle::<B>(self.scan, policy)
        };
        let named = self.scan.bits & DOMAIN != 0;
        self.scan.verdict.named = named as u8;
        self.scan.verdict.signature = signature;
        let gated = self.gated();
        self.bench.trace(Trace::Inspection {
            signature,
            domain: gated.then_some(named),
        });
        0
    }

    /// What is no SIP.
    #[inline(always)]
    fn foreign(&mut self) -> Reason {
        self.scan.verdict.class = Class::NotSip as u8;
        self.admit();
        if self.scan.verdict.admitted == 0 {
            return Reason::Country;
        }
        self.scan.verdict.transaction = digest_of_text::<B>(self.scan) | 1;
        if self.ask(Part::Charge) == 1 {
            Reason::Rate
        } else {
            Reason::Malformed
        }
    }
}

/// Notes a header that occurs more often than it may.
struct Overs;

impl Step for Overs {
    #[inline(always)]
    fn step(scan: &mut Scan, policy: &Policy) -> bool {
        let automaton = &policy.automaton;
        let turn = scan.turn;
        if turn >= automaton.over_count {
            return true;
        }
        scan.turn += 1;
        let over = &automaton.overs[turn as usize & (OVERS - 1)];
        // The scanner tells one from more than one.
        if over.limit < 2 && scan.repeated_counted(over.header) {
            scan.note(&over.hit);
        }
        false
    }
}

/// Applies one rule on conditions.
struct Rules;

impl Step for Rules {
    #[inline(always)]
    fn step(scan: &mut Scan, policy: &Policy) -> bool {
        let automaton = &policy.automaton;
        let turn = scan.turn;
        if turn >= automaton.rule_count {
            return true;
        }
        scan.turn += 1;
        let rule = &automaton.rules[turn as usize & (RULES - 1)];
        if scan.bits & rule.need == rule.need {
            if rule.points == 0 {
                scan.hit(rule.signature);
            } else {
                scan.score(rule.points, rule.signature);
            }
        }
        false
    }
}

/// The signature that the message hits, or 0: outright, by conditions, or by its score.
#[inline(always)]
fn settle<B: Bench>(scan: &mut Scan, policy: &Policy) -> u16 {
    if policy.automaton.over_count != 0 && scan.repeats() {
        scan.turn = 0;
        B::repeat::<Overs>(scan, policy, STEPS);
    }
    if scan.bits & !DOMAIN != 0 {
        scan.turn = 0;
        B::repeat::<Rules>(scan, policy, STEPS);
    }
    scan.signature()
}
