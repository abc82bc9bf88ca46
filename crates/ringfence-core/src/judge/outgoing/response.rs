//! A response of this host: registrations that it accepted, credentials that it refused, dialogues
//! that it is part of.

use super::super::Part;
use super::super::noting::WAITS;
use super::super::spending::of_source;
use super::Judge;
use crate::bench::{Bench, Buckets, Cause, Cells};
use crate::class::Class;
use crate::known::NOT_GRANTED;
use crate::scan::{Kind, Span, head, lower, text};
use crate::search::digest_of;
use crate::sip;
use crate::trust::{
    ContactKey, Culprit, Dialogue, GRACE, LONGEST, NAME, SECOND, Stage, What, keep as keep_record,
};
use crate::verdict::told;

/// How long an emergency call keeps its caller from being banned without a sign of life.
const EMERGENCY_CALL: u64 = 3600 * SECOND;

/// Statuses to an INVITE that say that the user is there.
#[inline(always)]
fn is_there(status: u32) -> bool {
    (101..300).contains(&status) || matches!(status, 480 | 486 | 487 | 600 | 603)
}

/// In the place of a status: a 2xx to a BYE.
const ENDED: u32 = 1;

/// What is to be learned from a response.
mod lesson {
    /// A dialogue goes on, or ends.
    pub const DIALOGUE: u32 = 1;
    /// Whoever was asked for is there, or credentials are answered.
    pub const SETTLED: u32 = 2;
    /// A nonce is given out.
    pub const NONCE: u32 = 4;
    /// A registration is accepted.
    pub const ACCEPTED: u32 = 8;
    /// Something is refused.
    pub const REFUSED: u32 = 16;
}

/// What the facts of a noted request say (`noting.rs`).
#[derive(Clone, Copy)]
pub(super) struct Facts(pub(super) u64);

impl Facts {
    #[inline(always)]
    pub(super) fn port(self) -> u16 {
        self.0 as u16
    }

    #[inline(always)]
    fn class(self) -> u8 {
        (self.0 >> 16) as u8
    }

    #[inline(always)]
    fn service(self) -> u8 {
        (self.0 >> 24) as u8
    }

    #[inline(always)]
    fn protocol(self) -> u8 {
        (self.0 >> 32) as u8
    }

    #[inline(always)]
    fn bits(self) -> u32 {
        (self.0 >> 40) as u32
    }

    #[inline(always)]
    fn with(self, bits: u32) -> Self {
        Self(self.0 << 24 >> 24 | u64::from(bits) << 40)
    }

    #[inline(always)]
    pub(super) fn has(self, bits: u32) -> bool {
        self.bits() & bits != 0
    }

    #[inline(always)]
    fn is(self, class: Class) -> bool {
        self.class() == class as u8
    }
}

impl<B: Bench> Judge<'_, B> {
    /// Learns from a response, one thing after the other.
    #[inline(always)]
    pub(super) fn learn_from_response(&mut self) {
        let lessons = self.ask(Part::SentResponse);
        if lessons & lesson::DIALOGUE != 0 {
            self.ask(Part::SentDialogue);
        }
        if lessons & lesson::SETTLED != 0 && self.ask(Part::Settled) == 1 {
            self.ask(Part::Rewrite);
        }
        if lessons & lesson::NONCE != 0 {
            let kind = self.challenge();
            self.look_for(kind, const { text(b"stale") }, 5);
            let stale = Span::unpack(self.scan.known.found_span);
            let word = head(lower(self.scan.word(stale.from)), 4);
            let stale = !stale.is_empty() && word == const { text(b"true") };
            self.scan.known.stale = u32::from(stale);
            self.look_for(kind, const { text(b"nonce") }, 5);
            self.ask(Part::SentNonce);
        }
        if lessons & lesson::ACCEPTED != 0 {
            self.ask(Part::NameUser);
            self.ask(Part::Contacts);
            if self.ask(Part::Accepted) == 1 {
                self.ask(Part::EarnBack);
                self.ask(Part::LiftBans);
            }
        }
        if lessons & lesson::REFUSED != 0 {
            self.ask(Part::NameUser);
            self.ask(Part::Refused);
        }
    }

    /// What is to be learned from a response, of [`lesson`].
    #[inline(always)]
    pub(in crate::judge) fn sent_response(&mut self) -> u32 {
        let now = self.now();
        let status = self.status();
        self.scan.known.status = status;
        let (_, method) = sip::sequence::<B>(self.scan);
        let method = lower(self.scan.word(method));
        let bye = head(method, 3) == const { text(b"bye") };
        let tag = self.scan.known.tags[1];
        let tagged = tag != 0;
        let dialogue = Dialogue::new(self.tables.key, self.scan.known.call, tag);
        self.scan.known.dialogue = dialogue.hash();
        if bye && (200..300).contains(&status) && tagged {
            self.scan.known.status = ENDED;
            return lesson::DIALOGUE;
        }
        let hash = self.scan.known.hash;
        if !self.find_request(hash) {
            return 0;
        }
        let [a, b, facts, _, _] = self.scan.known.record.words;
        let facts = Facts(facts);
        // Its sender repeated the request, and this is the same answer again.
        if status >= 200 && facts.has(told::ANSWERED) {
            return 0;
        }
        // What goes elsewhere than the request came from was steered there.
        if self.scan.verdict.source.words() != [a, b] {
            return 0;
        }
        let waited = now.wrapping_sub(self.scan.known.record.time);
        if waited > WAITS && !facts.is(Class::Invite) && !facts.is(Class::InDialogue) {
            return 0;
        }
        self.scan.known.stale = 0;
        let mut lessons = 0;
        if matches!(status, 401 | 407) {
            lessons |= lesson::NONCE;
        }
        let invite = head(method, 6) == const { text(b"invite") };
        let opens = invite
            || head(method, 8) == const { text(b"subscrib") }
            || head(method, 5) == const { text(b"refer") };
        if (101..300).contains(&status) && opens && tagged {
            self.scan.known.invite = u32::from(invite);
            lessons |= lesson::DIALOGUE;
        }
        if status >= 200 || is_there(status) {
            lessons |= lesson::SETTLED;
        }
        if (200..300).contains(&status) && facts.is(Class::Register) {
            lessons |= lesson::ACCEPTED;
        } else if status >= 400 {
            lessons |= lesson::REFUSED;
        }
        lessons
    }

    /// Takes a dialogue to the stage that the response puts it in. One that a request merely
    /// claimed to be part of is not begun by it. Nothing.
    #[inline(always)]
    pub(in crate::judge) fn sent_dialogue(&mut self) -> u32 {
        let now = self.now();
        let dialogue = Dialogue::from_hash(self.scan.known.dialogue);
        let peer = self.scan.verdict.source;
        if self.scan.known.status == ENDED {
            let least = &mut self.scan.known.least;
            if dialogue.reach(self.bench, now, Stage::Over, least) == Stage::Confirmed {
                self.call_ends(&peer);
            }
            return 0;
        }
        let facts = Facts(self.scan.known.record.words[2]);
        let stage = if self.scan.known.status < 200 {
            Stage::Early
        } else {
            Stage::Confirmed
        };
        if facts.is(Class::InDialogue) && dialogue.stage(self.bench, now) == Stage::None {
            return 0;
        }
        let before = dialogue.reach(self.bench, now, stage, &mut self.scan.known.least);
        if self.scan.known.invite == 1 && stage == Stage::Confirmed && before < Stage::Confirmed {
            self.call_begins(&peer);
        }
        if facts.has(told::EMERGENCY) {
            self.load_standing(&peer);
            self.scan.known.standing.emergency_until = now.wrapping_add(EMERGENCY_CALL);
            self.bench.set_standing(&peer, &self.scan.known.standing);
        }
        0
    }

    /// A user that is there is none to hold against who asked for it, and credentials that are
    /// answered are not on their way. 1 where the facts of the request are others now: in `found`.
    #[inline(always)]
    pub(in crate::judge) fn settled(&mut self) -> u32 {
        let status = self.scan.known.status;
        let facts = Facts(self.scan.known.record.words[2]);
        let user = self.scan.known.record.words[3];
        let fine = if facts.is(Class::Register) {
            (200..300).contains(&status)
        } else {
            is_there(status)
        };
        if fine && user != 0 {
            let (source, net) = (self.source_hash(), self.net_hash());
            self.forgive_user(source, net, user);
        }
        let mut bits = facts.bits();
        if bits & told::COUNTED != 0 {
            bits &= !told::COUNTED;
            let culprit = self.culprit_of(facts);
            let flight = self.flight();
            self.refund_of(culprit.first, of_source::FLIGHT, &flight, 1);
            self.refund_of(culprit.second, of_source::FLIGHT, &flight, 1);
        }
        if status >= 200 {
            bits |= told::ANSWERED;
        }
        self.scan.known.found = facts.with(bits).0;
        u32::from(bits != facts.bits())
    }

    /// Takes up the facts of the noted request that were found, where it lies. Nothing.
    #[inline(always)]
    pub(in crate::judge) fn rewrite(&mut self) -> u32 {
        let hash = self.scan.known.hash;
        let table = if self.find_request_in(Buckets::Trusted, hash) {
            Buckets::Trusted
        } else {
            Buckets::Strangers
        };
        if table == Buckets::Trusted || self.find_request_in(table, hash) {
            self.scan.known.record.words[2] = self.scan.known.found;
            keep_record(self.bench, table, hash, &self.scan.known.record, 0);
        }
        0
    }

    /// Whom a refusal of the noted request is held against: as at its arrival, whatever was learned
    /// since.
    #[inline(always)]
    fn culprit_of(&mut self, facts: Facts) -> Culprit {
        let (source, net) = (self.source_hash(), self.net_hash());
        let account = self.scan.known.record.words[3];
        Culprit::new(source, net, facts.has(told::BELONGS), account, facts.port())
    }

    /// The header field with the challenge.
    #[inline(always)]
    fn challenge(&self) -> Kind {
        if self.scan.known.status == 401 {
            Kind::WwwAuthenticate
        } else {
            Kind::ProxyAuthenticate
        }
    }

    /// Remembers that a nonce went to the peer: who answers it has a return path. Nothing.
    #[inline(always)]
    pub(in crate::judge) fn sent_nonce(&mut self) -> u32 {
        let nonce = Span::unpack(self.scan.known.found_span);
        if nonce.is_empty() {
            return 0;
        }
        let nonce = digest_of::<B>(self.scan, nonce);
        let (index, mark) = self.nonce(nonce);
        let old = self.bench.cell(Cells::Nonces, index);
        self.bench.swap_cell(Cells::Nonces, index, old, mark | 1);
        0
    }

    /// Holds a refusal against the sender of the request, where it is one. Nothing.
    #[inline(always)]
    pub(in crate::judge) fn refused(&mut self) -> u32 {
        let status = self.scan.known.status;
        let [_, _, facts, account, _] = self.scan.known.record.words;
        let facts = Facts(facts);
        let register = facts.is(Class::Register);
        let failure = match status {
            401 | 407 => facts.has(told::CREDENTIALS) && self.scan.known.stale == 0,
            // One contact too many is refused so, behind valid credentials.
            403 => facts.has(told::CREDENTIALS) && register && !self.has_history(account),
            404 => register && facts.has(told::STRANGER),
            _ => false,
        };
        if !failure {
            return 0;
        }
        let limit = self.tables.policy.trust.failures;
        let culprit = self.culprit_of(facts);
        let hashes = [culprit.first, culprit.second];
        let mut n = 0;
        while n < hashes.len() {
            self.rate_of(hashes[n], of_source::DOUBT, &limit, true);
            self.rate_of(hashes[n], of_source::DOUBT, &limit, true);
            n += 1;
        }
        let what = if status == 404 {
            What::Nobody
        } else {
            What::Refused
        };
        self.tell_of(what, facts, 0);
        0
    }

    /// Whether the account registered from this address before.
    #[inline(always)]
    fn has_history(&mut self, account: u64) -> bool {
        let address = self.scan.verdict.source;
        let here = address.words();
        let last = self.bench.account(account);
        last.is_some_and(|last| last.address == here)
            || self
                .bench
                .contact(&ContactKey::account(address, account))
                .is_some()
    }

    #[inline(always)]
    fn tell_of(&mut self, what: What, facts: Facts, granted: u32) {
        let now = self.now();
        let status = self.scan.known.status;
        let known = &mut self.scan.known;
        let lesson = &mut known.lesson;
        lesson.time = now;
        lesson.address = self.scan.verdict.source.words();
        lesson.name = known.name;
        lesson.granted = granted;
        lesson.port = facts.port();
        lesson.status = status as u16;
        lesson.what = what as u8;
        lesson.class = facts.class();
        lesson.service = facts.service();
        lesson.protocol = facts.protocol();
        lesson.stranger = u8::from(facts.has(told::STRANGER));
        lesson.named = u8::from(facts.has(told::NAMED));
        self.bench.tell(&self.scan.known.lesson);
    }

    /// Takes the user of To as the name, as much of it as is kept. Nothing.
    #[inline(always)]
    pub(in crate::judge) fn name_user(&mut self) -> u32 {
        let value = self.scan.span(Kind::To);
        let user = sip::user::<B>(self.scan, value);
        self.take_name(user)
    }

    /// The same for an IAX2 frame.
    #[inline(always)]
    pub(in crate::judge) fn name_iax2(&mut self) -> u32 {
        let user = Span::unpack(self.scan.known.to_user_span);
        self.take_name(user)
    }

    #[inline(always)]
    fn take_name(&mut self, user: Span) -> u32 {
        let length = user.to.wrapping_sub(user.from);
        let mut n = 0;
        while n < NAME / 8 {
            let before = n as u32 * 8;
            self.scan.known.name[n] = if before < length {
                head(self.scan.word(user.from + before), length - before)
            } else {
                0
            };
            n += 1;
        }
        0
    }

    /// A registration was accepted: 1 where it grants anything.
    #[inline(always)]
    pub(in crate::judge) fn accepted(&mut self) -> u32 {
        let [_, _, facts, account, _] = self.scan.known.record.words;
        let facts = Facts(facts);
        if !facts.has(told::ASKS) || account == 0 {
            return 0;
        }
        let [own, source, least] = self.scan.known.granted;
        let granted = if own != NOT_GRANTED {
            own
        } else if source != NOT_GRANTED {
            source
        } else {
            least
        };
        if granted == NOT_GRANTED || granted == 0 {
            return 0;
        }
        self.grant(facts, account, granted.min(LONGEST as u32));
        1
    }

    /// Keeps a registration of `granted` seconds, and lets go what was held against its address.
    #[inline(always)]
    fn grant(&mut self, facts: Facts, account: u64, granted: u32) {
        let now = self.now();
        let until = now.wrapping_add(u64::from(granted) * SECOND + GRACE);
        let address = self.scan.verdict.source;
        let key = ContactKey::account(address, account);
        let (since, known) = match self.bench.contact(&key) {
            Some(old) if old.until > now => (old.since, true),
            _ => (now, false),
        };
        let contact = &mut self.scan.known.contact;
        contact.until = until;
        contact.since = since;
        contact.account = account;
        contact.name = self.scan.known.name;
        contact.granted = granted;
        contact.port = facts.port();
        contact.protocol = facts.protocol();
        contact.service = facts.service();
        self.bench.set_contact(&key, &self.scan.known.contact);
        if !facts.has(told::PROXY) {
            // What carries others' traffic has one flow for all of them.
            let flow = ContactKey::flow(address, facts.protocol(), facts.port());
            self.bench.set_contact(&flow, &self.scan.known.contact);
        }
        self.load_standing(&address);
        let standing = &mut self.scan.known.standing;
        // Else it was learned of before, and is not any more.
        if !standing.registered(now) {
            standing.accounts = 0;
        }
        if !known {
            standing.accounts += 1;
        }
        standing.lengthen(until, granted);
        self.bench.set_standing(&address, &self.scan.known.standing);
        if !address.is_v4() {
            let net = address.subject();
            self.load_standing(&net);
            self.scan.known.standing.lengthen(until, granted);
            self.bench.set_standing(&net, &self.scan.known.standing);
        }
        self.keep_account(account, address.words());

        if !known {
            self.tell_of(What::Registered, facts, granted);
        }
    }

    /// An accepted registration earns all back. Nothing.
    #[inline(always)]
    pub(in crate::judge) fn earn_back(&mut self) -> u32 {
        let facts = Facts(self.scan.known.record.words[2]);
        let culprit = self.culprit_of(facts);
        let failures = self.tables.policy.trust.failures;
        let own = self.spent_of(culprit.first, of_source::DOUBT, &failures);
        self.forgive(culprit.first, of_source::DOUBT);
        if !facts.has(told::BELONGS) {
            // Its net is not held to what was its own.
            self.refund_of(culprit.second, of_source::DOUBT, &failures, own);
        }
        if facts.has(told::BELONGS) {
            self.forgive(culprit.second, of_source::DOUBT);
        }
        0
    }

    /// It lifts a ban that was not the operator's, of its address and of its flow. Nothing.
    #[inline(always)]
    pub(in crate::judge) fn lift_bans(&mut self) -> u32 {
        let facts = Facts(self.scan.known.record.words[2]);
        let address = self.scan.verdict.source;
        let now = self.now();
        let subjects = [address.subject(), address.flow(facts.port())];
        let mut n = 0;
        while n < subjects.len() {
            if let Some(mut ban) = self.bench.ban(&subjects[n]).filter(|ban| ban.until > now)
                && ban.cause != Cause::Manual as u8
            {
                ban.until = now;
                self.bench.set_ban(&subjects[n], &ban);
            }
            n += 1;
        }
        0
    }
}

/// The source port of a noted request.
#[inline(always)]
pub(super) fn facts_port(record: &[u64; 5]) -> u16 {
    Facts(record[2]).port()
}
