//! The parts of the judgement.
//!
//! What a part finds lies in memory, and its answer is one number: in the kernel each is a function
//! that the verifier looks at once and on its own, whatever led to it (see
//! `docs/design/text-scanning.md`).

use super::Judge;
use super::noting::User;
use crate::bench::{Bench, Tables};
use crate::reason::Reason;
use crate::scan::Scan;

/// A part of the judgement. What it answers is said with each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Addresses, lists, ports, bans. The number of a reason, or [`GO_ON`].
    Headers,
    /// Follows the IPv6 extension headers. Nothing.
    Extensions,
    /// The keyed hash of the source. Nothing.
    Hash,
    /// Answers a question to the table of rates.
    Rate,
    /// Whether the flow of a registered address is a registered one. Nothing.
    FlowTrust,
    /// Whether the source, which the filter marks, is banned: 1 or 0.
    Ban,
    /// What threat lists say of the source. The number of a reason, or [`GO_ON`].
    Feed,
    /// Looks up the source's country. Nothing.
    Locate,
    /// A later fragment. The number of a reason; so where nothing else is said below.
    LaterFragment,
    /// A datagram.
    Udp,
    /// A TCP segment. The number of a reason, or [`GO_ON`].
    Tcp,
    /// A segment with data of a SIP stream.
    Segment,
    /// The first bytes of a TLS or WebSocket connection.
    Greeting,
    /// One SIP message; its beginning is in the window.
    Message,
    /// Looks at the lines whose ends were marked. Nothing.
    Lines,
    /// Class and Request-URI of the message: the number of a `Text`.
    Read,
    /// What makes the message's retransmissions recognisable. Nothing.
    Identify,
    /// A datagram of IAX2. The number of a reason, or [`GO_ON`] where it is a request.
    Iax2,
    /// A request of IAX2. The number of a reason.
    Iax2Request,
    /// Reads the information elements of an IAX2 frame. Nothing; so below.
    Elements,
    /// Notes an IAX2 frame that asks for something.
    NoteIax2,
    /// Recognises the repetition of a datagram that is not read. Nothing.
    Recognise,
    /// What a transaction is known by. Nothing.
    Transaction,
    /// Whether a response answers a request of this host: 1 or 0.
    Answer,
    /// Whether the message belongs to a dialogue of ours, or to an INVITE that passed: 1 or 0.
    Dialogue,
    /// The user of To. Nothing; so below.
    ToUser,
    /// The user of From.
    FromUser,
    /// The user of the Request-URI.
    RequestUser,
    /// An item of a challenge or of credentials.
    Item,
    /// What the credentials say.
    Credentials,
    /// Whether the message names an account that is registered from the address.
    AccountTrust,
    /// Whether its account is one of ours at a new address.
    Account,
    /// Whether it is an emergency call that may pass: 1 or 0.
    Emergency,
    /// Whether it asks for a user that nobody here has: 1 or 0.
    Decoy,
    /// Whether it may try credentials: 1 or 0; so below.
    MayTry,
    /// Whether it may ask for the user.
    MayAsk,
    /// Whether it may ask another address of ours for its options.
    MaySweep,
    /// Whether it may call the number.
    MayCall,
    /// Notes a request that passes. Nothing.
    Note,
    /// Charges the transaction: 1 where the source is over its rate, else 0.
    Charge,
    /// Plans what is looked for in an address of the message. Nothing.
    Address,
    /// Plans what is looked for elsewhere in it. Nothing.
    Values,
    /// Takes the walks that were planned. Nothing.
    Walk,
    /// Looks through the values. Nothing.
    Inspect,
    /// Charges a request of who is registered here: 1 where there are too many.
    ChargeRegistered,
    /// The budget of strangers.
    Spend,
    /// What a drop leads on to. Nothing.
    Consequences,
    /// What this host sends: whether it is silenced: 1 or 0.
    Silenced,
    /// What this host sends: the messages in a frame. Nothing.
    Sent,
    /// Learns from an IAX2 frame: 1 where it answers anything.
    SentIax2,
    /// Learns from that answer. Nothing; so below.
    AnsweredIax2,
    /// The user of an IAX2 frame by name.
    NameIax2,
    /// Reads one of them: 1 where it may be learned from.
    SentMessage,
    /// The tags of From and To. Nothing.
    Tags,
    /// Learns from a request. Nothing.
    SentRequest,
    /// What is to be learned from a response.
    SentResponse,
    /// Takes a dialogue on. Nothing; so below.
    SentDialogue,
    /// Learns who is there, and whose credentials are answered: 1 where the request says so now.
    Settled,
    /// Writes the request anew. Nothing; so below.
    Rewrite,
    /// Remembers a nonce that was given out.
    SentNonce,
    /// The user of To by name.
    NameUser,
    /// Learns from an accepted registration: 1 where it grants anything.
    Accepted,
    /// Lets go what was held against its sender. Nothing; so below.
    EarnBack,
    /// Lifts the bans of its sender.
    LiftBans,
    /// Looks at the contacts that a registrar lists.
    Contacts,
    /// Learns from refused credentials.
    Refused,
}

/// The answer of a part that leaves the reason to the next.
pub(super) const GO_ON: u32 = 0xff;

#[inline(always)]
fn answer(reason: Option<Reason>) -> u32 {
    match reason {
        Some(reason) => reason as u32,
        None => GO_ON,
    }
}

/// The reason that a part answered with.
#[inline(always)]
pub(super) fn reason(answer: u32) -> Reason {
    Reason::from_number(answer as u8).unwrap_or(Reason::Malformed)
}

/// Runs a part over the bench.
#[inline(always)]
pub fn run<B: Bench>(part: Part, bench: &mut B, tables: Tables<'_>, scan: &mut Scan) -> u32 {
    let mut judge = Judge {
        bench,
        tables,
        scan,
    };
    match part {
        Part::Headers => answer(judge.headers()),
        Part::Extensions => judge.extensions(),
        Part::Hash => judge.hash_source(),
        Part::Rate => judge.answer_query(),
        Part::FlowTrust => judge.flow_trust(),
        Part::Ban => u32::from(judge.ban()),
        Part::Feed => answer(judge.warned()),
        Part::Locate => judge.locate(),
        Part::LaterFragment => judge.later_fragment() as u32,
        Part::Udp => judge.udp() as u32,
        Part::Tcp => answer(judge.tcp()),
        Part::Segment => judge.segment() as u32,
        Part::Greeting => judge.greeting() as u32,
        Part::Message => judge.message() as u32,
        Part::Lines => judge.lines(),
        Part::Read => judge.read() as u32,
        Part::Identify => judge.identify(),
        Part::Iax2 => answer(judge.iax2()),
        Part::Iax2Request => judge.iax2_request() as u32,
        Part::Elements => judge.elements(),
        Part::NoteIax2 => judge.note_iax2(),
        Part::Recognise => judge.recognise(),
        Part::Transaction => judge.name_transaction(),
        Part::Answer => judge.answer(),
        Part::Dialogue => judge.dialogue(),
        Part::ToUser => judge.user(User::To),
        Part::FromUser => judge.user(User::From),
        Part::RequestUser => judge.user(User::Request),
        Part::Item => judge.item(),
        Part::Credentials => judge.credentials(),
        Part::AccountTrust => judge.account_trust(),
        Part::Account => judge.account(),
        Part::Emergency => u32::from(judge.may_call_for_help()),
        Part::Decoy => judge.decoy(),
        Part::MayTry => judge.may_try(),
        Part::MayAsk => judge.may_ask_user(),
        Part::MaySweep => judge.may_sweep(),
        Part::MayCall => judge.may_call(),
        Part::Note => judge.note_request(),
        Part::Charge => u32::from(judge.charge()),
        Part::Address => judge.address(),
        Part::Values => judge.values(),
        Part::Walk => judge.walk(),
        Part::Inspect => judge.inspect(),
        Part::ChargeRegistered => judge.charge_registered(),
        Part::Spend => judge.spend_once() as u32,
        Part::Consequences => judge.consequences(),
        Part::Silenced => judge.silenced(),
        Part::Sent => judge.sent_messages(),
        Part::SentIax2 => judge.sent_iax2(),
        Part::AnsweredIax2 => judge.answered_iax2(),
        Part::NameIax2 => judge.name_iax2(),
        Part::SentMessage => judge.sent_message(),
        Part::Tags => judge.tags(),
        Part::SentRequest => judge.sent_request(),
        Part::SentResponse => judge.sent_response(),
        Part::SentDialogue => judge.sent_dialogue(),
        Part::Settled => judge.settled(),
        Part::Rewrite => judge.rewrite(),
        Part::SentNonce => judge.sent_nonce(),
        Part::Accepted => judge.accepted(),
        Part::NameUser => judge.name_user(),
        Part::EarnBack => judge.earn_back(),
        Part::LiftBans => judge.lift_bans(),
        Part::Contacts => judge.contacts(),
        Part::Refused => judge.refused(),
    }
}

impl<B: Bench> Judge<'_, B> {
    /// Runs a part and takes its answer.
    #[inline(always)]
    pub(super) fn ask(&mut self, part: Part) -> u32 {
        self.bench.part(part, self.tables, self.scan)
    }

    /// Runs a part that answers with a reason.
    #[inline(always)]
    pub(super) fn reason(&mut self, part: Part) -> Reason {
        reason(self.ask(part))
    }
}
