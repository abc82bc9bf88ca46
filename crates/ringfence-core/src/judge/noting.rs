//! What is remembered of a request that passes, so that its answer can be understood, and what an
//! answer to a request of this host says.

use super::{Judge, Part};
use crate::bench::{Bench, Buckets, Cells, list_flags};
use crate::class::Class;
use crate::control::EventCount;
use crate::hash::mix;
use crate::scan::{Kind, Span, head, lower, text};
use crate::search::{digest_of, find, find_item, find_parameter, number_of, trimmed};
use crate::sip;
use crate::trust::{
    Dialogue, GRACE, NAME, SECOND, SENT_FULL, SENT_SINCE, Stage, What, find as find_record,
    keep as keep_record, level,
};
use crate::verdict::told;

/// How long a request waits for its answer: an INVITE rings no longer than timer C (RFC 3261,
/// section 16.6), and is dead after 32 s otherwise.
pub(crate) const INVITE_WAITS: u64 = 300 * SECOND;
/// The same for other requests: twice timer F (RFC 3261, section 17.1.2.2).
pub(crate) const WAITS: u64 = 64 * SECOND;

impl<B: Bench> Judge<'_, B> {
    /// Finds what a transaction is known by. Nothing.
    #[inline(always)]
    pub(super) fn name_transaction(&mut self) -> u32 {
        let call = self.scan.span(Kind::CallId);
        let call = trimmed::<B>(self.scan, call);
        let call = digest_of::<B>(self.scan, call);
        let (number, _) = sip::sequence::<B>(self.scan);
        let branch = self.scan.known.branch;
        self.scan.known.call = call;
        let hash = self.tables.key.hash([call, branch]);
        self.scan.known.hash = mix(hash, u64::from(number));
        0
    }

    /// What a request of this host is found by: its branch.
    #[inline(always)]
    pub(super) fn sent_hash(&self) -> u64 {
        self.tables.key.hash([self.scan.known.branch, 0x5e47])
    }

    /// The user of the next of To, From, Request-URI and credentials. Nothing.
    #[inline(always)]
    pub(super) fn user(&mut self, which: User) -> u32 {
        let value = match which {
            User::To => self.scan.span(Kind::To),
            User::From => self.scan.span(Kind::From),
            User::Request => Span::unpack(self.scan.request),
        };
        let span = sip::user::<B>(self.scan, value);
        let user = self.name(span);
        let known = &mut self.scan.known;
        match which {
            User::To => (known.to_user, known.to_user_span) = (user, span.pack()),
            User::From => known.from_user = user,
            _ => (known.request_user, known.request_user_span) = (user, span.pack()),
        }
        0
    }

    /// The digest of a user, odd; 0 for none.
    #[inline(always)]
    fn name(&mut self, span: Span) -> u64 {
        if span.is_empty() {
            0
        } else {
            digest_of::<B>(self.scan, span) | 1
        }
    }

    /// Looks for an item in a header field: a stretch, packed, in `found_span`.
    #[inline(always)]
    pub(super) fn look_for(&mut self, kind: Kind, name: u64, length: u32) {
        let known = &mut self.scan.known;
        known.place = kind as u32;
        known.found = name;
        known.found_span = length;
        self.ask(Part::Item);
    }

    /// Finds an item: the kind of its field is in `place`, its name in `found`, the name's length in
    /// `found_span`. Nothing.
    #[inline(always)]
    pub(super) fn item(&mut self) -> u32 {
        let known = &self.scan.known;
        let (kind, name, length) = (known.place, known.found, known.found_span);
        let value = self.scan.span_of(kind);
        let span = find_item::<B>(self.scan, value, name, length & 15);
        self.scan.known.found_span = span.pack();
        0
    }

    /// Reads user name and nonce of the credentials.
    #[inline(always)]
    pub(super) fn read_credentials(&mut self) {
        let kind = if self.scan.has(Kind::Authorization) {
            Kind::Authorization
        } else {
            Kind::ProxyAuthorization
        };
        self.look_for(kind, const { text(b"username") }, 8);
        self.scan.known.credentials_span = self.scan.known.found_span;
        self.look_for(kind, const { text(b"nonce") }, 5);
        self.ask(Part::Credentials);
    }

    /// Whose credentials they are, and whether their nonce came from here. Nothing.
    #[inline(always)]
    pub(super) fn credentials(&mut self) -> u32 {
        let user = Span::unpack(self.scan.known.credentials_span);
        self.scan.known.credentials_user = self.name(user);
        let nonce = Span::unpack(self.scan.known.found_span);
        let nonce = digest_of::<B>(self.scan, nonce);
        let (index, mark) = self.nonce(nonce);
        let word = self.bench.cell(Cells::Nonces, index);
        if word >> 32 << 32 == mark {
            self.scan.verdict.proved = 1;
        }
        0
    }

    /// Where it is remembered that a nonce went to the other end.
    #[inline(always)]
    pub(super) fn nonce(&mut self, digest: u64) -> (u32, u64) {
        let hash = mix(self.source_hash(), digest);
        let index = hash as u32 & (Cells::Nonces.words() - 1);
        (index, (hash | 1 << 63) >> 32 << 32)
    }

    /// Notes a request that passes. Nothing.
    #[inline(always)]
    pub(super) fn note_request(&mut self) -> u32 {
        let class = self.scan.verdict.class;
        let stranger = !self.trusted_for(level::FULL) && !self.is(list_flags::TRUNK);
        let mut bits = 0;
        if class == Class::Response as u8 {
            return 0;
        }
        if stranger && !self.solicited() {
            self.mark_strange();
        }
        // The record of the first sending says what became of it.
        let hash = self.scan.known.hash;
        if self.scan.verdict.again == 1 && self.find_request(hash) {
            return 0;
        }
        let mut contact = 0;
        if class == Class::Register as u8 {
            contact = self.own_contact();
            if contact != 0 {
                bits |= told::ASKS;
            }
        }
        self.keep_request(bits, contact);
        0
    }

    /// Keeps a request under its hash, with `bits` of [`told`] and the digest of its contact.
    #[inline(always)]
    pub(super) fn keep_request(&mut self, bits: u32, contact: u64) {
        let mut bits = bits | self.scan.verdict.told;
        let stranger = !self.trusted_for(level::FULL) && !self.is(list_flags::TRUNK);
        if stranger {
            bits |= told::STRANGER;
        }
        if self.scan.verdict.named == 1 {
            bits |= told::NAMED;
        }
        if self.is(list_flags::PROXY) {
            bits |= told::PROXY;
        }
        if self.belongs() {
            bits |= told::BELONGS;
        }
        let verdict = &self.scan.verdict;
        let class = verdict.class;
        let [a, b] = verdict.source.words();
        let facts = u64::from(verdict.source_port)
            | u64::from(class) << 16
            | u64::from(verdict.service) << 24
            | u64::from(verdict.protocol) << 32
            | u64::from(bits) << 40;
        let now = self.now();
        let known = &mut self.scan.known;
        known.record.words = [a, b, facts, known.to_user, contact];
        known.record.time = now;
        let table = if stranger && !self.trusted_for(level::REGISTERED | level::KNOWN) {
            Buckets::Strangers
        } else {
            Buckets::Trusted
        };
        let hash = self.scan.known.hash;
        keep_record(self.bench, table, hash, &self.scan.known.record, 0);
    }

    /// The digest of the Contact that a REGISTER asks a registration for; 0 where it asks for none.
    #[inline(always)]
    fn own_contact(&mut self) -> u64 {
        if !self.scan.has(Kind::Contact) {
            return 0;
        }
        let value = self.scan.contact_field(0);
        let (uri, behind) = contact_uri::<B>(self.scan, value);
        if uri.is_empty() || self.scan.byte(uri.from) == b'*' {
            return 0;
        }
        let given = find_parameter::<B>(self.scan, behind, const { text(b"expires") }, 7);
        let given = if given.is_empty() {
            self.scan.span(Kind::Expires)
        } else {
            Span {
                from: given.from + 1,
                to: given.to,
            }
        };
        if !given.is_empty() && number_of::<B>(self.scan, given) == Some(0) {
            return 0;
        }
        digest_of::<B>(self.scan, uri) | 1
    }

    /// Whether a request without a dialogue follows an INVITE that passed: its CANCEL, or the ACK
    /// of its failure. 1 or 0; so it is for a message of a dialogue of ours.
    #[inline(always)]
    pub(super) fn dialogue(&mut self) -> u32 {
        let now = self.now();
        let tag = sip::tag::<B>(self.scan, Kind::To);
        if !tag.is_empty() {
            let tag = digest_of::<B>(self.scan, tag) | 1;
            let dialogue = Dialogue::new(self.tables.key, self.scan.known.call, tag);
            if dialogue.stage(self.bench, now) != Stage::None {
                return 1;
            }
        }
        let hash = self.scan.known.hash;
        let found = self.find_request(hash);
        let [a, b, facts, _, _] = self.scan.known.record.words;
        let invite = (facts >> 16) as u8 == Class::Invite as u8;
        let same = self.scan.verdict.source.words() == [a, b];
        u32::from(found && invite && same && self.follows())
    }

    /// Whether the method is ACK or CANCEL, which follow the INVITE that they belong to.
    #[inline(always)]
    fn follows(&self) -> bool {
        let word = lower(self.scan.word(self.scan.span(Kind::StartLine).from));
        head(word, 4) == const { text(b"ack ") } || head(word, 7) == const { text(b"cancel ") }
    }

    /// Whether the request ends something, or confirms it: nothing that would go on and cost.
    #[inline(always)]
    pub(super) fn ends(&self) -> bool {
        let word = lower(self.scan.word(self.scan.span(Kind::StartLine).from));
        self.follows()
            || head(word, 4) == const { text(b"bye ") }
            || head(word, 6) == const { text(b"prack ") }
    }

    /// Finds a request that came in.
    #[inline(always)]
    pub(super) fn find_request(&mut self, hash: u64) -> bool {
        self.find_request_in(Buckets::Trusted, hash)
            || self.find_request_in(Buckets::Strangers, hash)
    }

    #[inline(always)]
    pub(super) fn find_request_in(&mut self, table: Buckets, hash: u64) -> bool {
        let now = self.now();
        let record = &mut self.scan.known.record;
        find_record(self.bench, table, hash, record, now, INVITE_WAITS)
    }

    /// A response: 1 where it answers a request of this host. Whose it is, and what it opens, is
    /// noted then.
    #[inline(always)]
    pub(super) fn answer(&mut self) -> u32 {
        let now = self.now();
        let hash = self.sent_hash();
        let record = &mut self.scan.known.record;
        if !find_record(self.bench, Buckets::Sent, hash, record, now, INVITE_WAITS) {
            return 0;
        }
        let [a, b, facts, dialogue, _] = record.words;
        let same = self.scan.verdict.source.words() == [a, b];
        let invite = facts & sent::INVITE != 0;
        if !invite && now.wrapping_sub(record.time) > WAITS {
            return 0;
        }
        let line = self.scan.span(Kind::StartLine);
        let status = Span {
            from: line.from + 8,
            to: line.to,
        };
        let status = number_of::<B>(self.scan, status).unwrap_or(0);
        if (101..300).contains(&status) && facts & sent::DIALOGUE != 0 {
            let stage = if status < 200 {
                Stage::Early
            } else {
                Stage::Confirmed
            };
            let before = Dialogue::from_hash(dialogue).reach(
                self.bench,
                now,
                stage,
                &mut self.scan.known.least,
            );
            if same
                && facts & sent::CALLS != 0
                && stage == Stage::Confirmed
                && before < Stage::Confirmed
            {
                let source = self.scan.verdict.source;
                self.call_begins(&source);
            }
        }
        if same && facts & sent::SOLICITS != 0 {
            self.solicit();
        }
        1
    }

    /// A call with an address is up.
    #[inline(always)]
    pub(super) fn call_begins(&mut self, address: &crate::address::Address) {
        let now = self.now();
        self.load_standing(address);
        let standing = &mut self.scan.known.standing;
        standing.calls = if standing.in_call(now) {
            standing.calls + 1
        } else {
            1
        };
        standing.call_until = now.wrapping_add(crate::trust::CALL);
        self.bench.set_standing(address, &self.scan.known.standing);
    }

    /// A call with an address ended.
    #[inline(always)]
    pub(super) fn call_ends(&mut self, address: &crate::address::Address) {
        let now = self.now();
        self.load_standing(address);
        let standing = &mut self.scan.known.standing;
        if standing.calls != 0 {
            standing.calls -= 1;
            if standing.calls == 0 {
                standing.call_until = now.wrapping_add(GRACE);
                standing.emergency_until = 0;
            }
            self.bench.set_standing(address, &self.scan.known.standing);
        }
    }

    /// Reads what is known of an address, to be changed.
    #[inline(always)]
    pub(super) fn load_standing(&mut self, address: &crate::address::Address) {
        let now = self.now();
        match self.bench.standing(address) {
            Some(standing) => self.scan.known.standing = *standing,
            None => {
                self.scan.known.standing.clear();
                self.scan.known.standing.since = now;
            }
        }
    }

    /// The source answered a request of this host that opens it.
    #[inline(always)]
    pub(super) fn solicit(&mut self) {
        let now = self.now();
        let source = self.scan.verdict.source;
        self.load_standing(&source);
        let standing = &mut self.scan.known.standing;
        let first = !standing.solicited(now);
        let until = now.wrapping_add(self.tables.policy.trust.solicited);
        // Not worth a write each time.
        if until < standing.solicited_until.wrapping_add(SECOND) && !first {
            return;
        }
        standing.solicited_until = until;
        self.bench.set_standing(&source, &self.scan.known.standing);
        if first {
            let verdict = &self.scan.verdict;
            let lesson = &mut self.scan.known.lesson;
            lesson.time = now;
            lesson.address = source.words();
            lesson.name = [0; NAME / 8];
            lesson.granted = 0;
            lesson.port = verdict.source_port;
            lesson.status = 0;
            lesson.what = What::Solicited as u8;
            lesson.class = verdict.class;
            lesson.service = verdict.service;
            lesson.protocol = verdict.protocol;
            lesson.stranger = 0;
            lesson.named = 0;
            self.bench.tell(&self.scan.known.lesson);
        }
    }

    /// Whether it is certain that nothing is missing among the requests of this host: a response
    /// that answers none of them is then nobody's.
    #[inline(always)]
    pub(super) fn remembers(&mut self) -> bool {
        let since = self.bench.cell(Cells::Marks, SENT_SINCE);
        let full = self.bench.cell(Cells::Marks, SENT_FULL);
        let now = self.now();
        let sure = since != 0
            && now.wrapping_sub(since) > INVITE_WAITS
            && (full == 0 || now.wrapping_sub(full) > INVITE_WAITS);
        if !sure {
            self.bench.count(EventCount::Unsolicited);
        }
        sure
    }

    /// Keeps an account as one of ours, at the address. `name` is that of To.
    #[inline(always)]
    pub(super) fn keep_account(&mut self, digest: u64, address: [u64; 2]) {
        let now = self.now();
        let account = &mut self.scan.known.account;
        account.moved = 0;
        account.last = now;
        account.address = address;
        account.name = self.scan.known.name;
        self.bench.set_account(digest, &self.scan.known.account);
    }
}

/// Whose user is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum User {
    To,
    From,
    Request,
}

/// In the facts of a request that this host sent.
pub(crate) mod sent {
    /// An INVITE.
    pub const INVITE: u64 = 1;
    /// Its answer makes its sender solicited.
    pub const SOLICITS: u64 = 2;
    /// Its answer makes a dialogue.
    pub const DIALOGUE: u64 = 4;
    /// Its answer makes a call with its sender.
    pub const CALLS: u64 = 8;
}

/// The URI of a contact at the beginning of a stretch, and the parameters behind it with what
/// follows (RFC 3261, section 20.10).
#[inline(always)]
pub(super) fn contact_uri<B: Bench>(scan: &mut crate::scan::Scan, value: Span) -> (Span, Span) {
    let value = trimmed::<B>(scan, value);
    let mut from = value.from;
    if scan.byte(from) == b'"' {
        let inside = Span {
            from: from + 1,
            to: value.to,
        };
        from = crate::search::closing_quote::<B>(scan, inside) + 1;
    }
    let rest = Span { from, to: value.to };
    let angle = find::<B>(scan, rest, b'<', b',');
    if angle < value.to && scan.byte(angle) == b'<' {
        let inside = Span {
            from: angle + 1,
            to: value.to,
        };
        let end = find::<B>(scan, inside, b'>', b'>');
        let behind = Span {
            from: end,
            to: value.to,
        };
        return (Span { to: end, ..inside }, behind);
    }
    let end = find::<B>(scan, rest, b';', b',');
    let behind = Span {
        from: end,
        to: value.to,
    };
    (Span { from, to: end }, behind)
}
