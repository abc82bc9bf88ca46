//! One security event, read from a block of the manager interface or from a line of the security log.

use std::hash::BuildHasher;
use std::hash::RandomState;
use std::sync::LazyLock;

use jiff::Timestamp;
use jiff::fmt::strtime;

use super::fields::{Fields, Real, kept};
use super::peer::Peer;
use crate::asterisk::ami::Message;

/// What happened; the names are those of Asterisk's security events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
pub enum Kind {
    /// Credentials were accepted.
    SuccessfulAuth,
    /// Credentials were asked for.
    ChallengeSent,
    /// Credentials were refused.
    ChallengeResponseFailed,
    /// An account that does not exist was named.
    InvalidAccountID,
    /// A password was refused (chan_sip, AMI).
    InvalidPassword,
    /// The account may not use this transport (chan_sip).
    InvalidTransport,
    /// An access list refused the address; PJSIP also says so when an account has too many contacts.
    FailedACL,
    /// The request cannot be served.
    RequestNotSupported,
    /// The account may not do this.
    RequestNotAllowed,
    /// The request makes no sense.
    RequestBadFormat,
    /// The account may not log in this way.
    AuthMethodNotAllowed,
    /// Too many sessions.
    SessionLimit,
    /// The machine's load is too high.
    LoadAverageLimit,
    /// Memory is short.
    MemoryLimit,
    /// A session goes on from another address.
    UnexpectedAddress,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 15] = [
        Self::SuccessfulAuth,
        Self::ChallengeSent,
        Self::ChallengeResponseFailed,
        Self::InvalidAccountID,
        Self::InvalidPassword,
        Self::InvalidTransport,
        Self::FailedACL,
        Self::RequestNotSupported,
        Self::RequestNotAllowed,
        Self::RequestBadFormat,
        Self::AuthMethodNotAllowed,
        Self::SessionLimit,
        Self::LoadAverageLimit,
        Self::MemoryLimit,
        Self::UnexpectedAddress,
    ];

    /// The name that Asterisk writes.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SuccessfulAuth => "SuccessfulAuth",
            Self::ChallengeSent => "ChallengeSent",
            Self::ChallengeResponseFailed => "ChallengeResponseFailed",
            Self::InvalidAccountID => "InvalidAccountID",
            Self::InvalidPassword => "InvalidPassword",
            Self::InvalidTransport => "InvalidTransport",
            Self::FailedACL => "FailedACL",
            Self::RequestNotSupported => "RequestNotSupported",
            Self::RequestNotAllowed => "RequestNotAllowed",
            Self::RequestBadFormat => "RequestBadFormat",
            Self::AuthMethodNotAllowed => "AuthMethodNotAllowed",
            Self::SessionLimit => "SessionLimit",
            Self::LoadAverageLimit => "LoadAverageLimit",
            Self::MemoryLimit => "MemoryLimit",
            Self::UnexpectedAddress => "UnexpectedAddress",
        }
    }

    /// The kind of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// Whether what the sender writes stands in `RequestType`, behind the addresses, and not in the account.
    fn ends_in_a_request(self) -> bool {
        matches!(
            self,
            Self::RequestNotSupported | Self::RequestNotAllowed | Self::RequestBadFormat
        )
    }
}

/// The part of Asterisk that says so.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Service {
    /// chan_pjsip.
    Pjsip,
    /// chan_sip.
    Sip,
    /// The manager interface.
    Ami,
    /// Another.
    Other(String),
}

impl Service {
    fn named(name: &str) -> Self {
        match name {
            "PJSIP" => Self::Pjsip,
            "SIP" => Self::Sip,
            "AMI" => Self::Ami,
            other => Self::Other(kept(other)),
        }
    }

    /// The name that Asterisk writes. It may hold what a terminal obeys.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Pjsip => "PJSIP",
            Self::Sip => "SIP",
            Self::Ami => "AMI",
            Self::Other(name) => name,
        }
    }
}

/// What tells one answer to a challenge from another, and gives no hint of the password: a keyed digest, with a key of
/// this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Proof(u64);

impl Proof {
    /// Of the answer as it was written.
    pub fn of(answer: &str) -> Self {
        static KEY: LazyLock<RandomState> = LazyLock::new(RandomState::new);
        Self(KEY.hash_one(answer))
    }
}

/// A security event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// What happened.
    pub kind: Kind,
    /// Where in Asterisk.
    pub service: Service,
    /// The account as the sender named it, at most 256 bytes; None where Asterisk says that it knows none, and where the
    /// name was made to forge other fields.
    pub account: Option<String>,
    /// The Call-ID (PJSIP) or an address in memory, which is used again (chan_sip, AMI); at most 256 bytes.
    pub session: String,
    /// Our end.
    pub local: Peer,
    /// The sender.
    pub remote: Peer,
    /// When, by Asterisk's clock.
    pub time: Option<Timestamp>,
    /// The access list that refused.
    pub acl_name: Option<String>,
    /// The request that was refused.
    pub request_type: Option<String>,
    /// Which answer to a challenge this is about.
    pub response: Option<Proof>,
    /// Whether a password was given; None where the event does not say.
    pub using_password: Option<bool>,
}

/// Why a security event could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// A part that every event has is not there: it was cut.
    #[error("the event has no {0}: it was cut")]
    Missing(&'static str),
    /// An address is not one.
    #[error("{0} of the event is no address as Asterisk writes them")]
    Address(&'static str),
    /// Fields stand there twice though nobody but Asterisk writes into this kind of event.
    #[error("{0} stands in the event more than once")]
    Repeated(&'static str),
}

impl Event {
    /// Out of a block; None where it is no security event.
    ///
    /// # Errors
    /// When a part is missing, or is not what Asterisk writes there.
    pub fn of_message(message: &Message) -> Result<Option<Self>, Unreadable> {
        let Some(kind) = message.event().and_then(Kind::named) else {
            return Ok(None);
        };
        Self::of_fields(kind, &Fields::of_message(message)).map(Some)
    }

    /// Out of the text of a line of the security log, from `SecurityEvent="` to its end; None where it is none.
    ///
    /// # Errors
    /// When a part is missing, or is not what Asterisk writes there.
    pub fn of_log(text: &str) -> Result<Option<Self>, Unreadable> {
        let kind = text
            .strip_prefix("SecurityEvent=\"")
            .and_then(|rest| rest.split_once('"'))
            .and_then(|(name, _)| Kind::named(name));
        let Some(kind) = kind else { return Ok(None) };
        let fields = Fields::of_line(text).ok_or(Unreadable::Missing("end"))?;
        Self::of_fields(kind, &fields).map(Some)
    }

    fn of_fields(kind: Kind, fields: &Fields<'_>) -> Result<Self, Unreadable> {
        let account_at = fields.place("AccountID");
        let account_first = account_at < fields.place("RemoteAddress");
        let real = match account_at {
            Some(_) if account_first && !kind.ends_in_a_request() => Real::Last,
            _ => Real::First,
        };
        if kind == Kind::ChallengeResponseFailed {
            // Its answer to the challenge is the sender's as well, so that there is no side to trust.
            for key in ["SessionID", "LocalAddress", "RemoteAddress"] {
                if fields.repeats(key) {
                    return Err(Unreadable::Repeated(key));
                }
            }
        }
        let needed = |key| {
            let value = fields.get(key, real).filter(|value| !value.is_empty());
            value.ok_or(Unreadable::Missing(key))
        };
        let peer = |key| Peer::parse(needed(key)?).ok_or(Unreadable::Address(key));
        // These stand before all that a stranger writes.
        let early = |key| fields.get(key, Real::First);
        let service = Service::named(early("Service").ok_or(Unreadable::Missing("Service"))?);
        let text = |key| fields.get(key, real).filter(|value| !value.is_empty());
        let answer = text("Response").or_else(|| text("ReceivedHash"));
        Ok(Self {
            kind,
            account: fields
                .account()
                .and_then(|name| account_name(&service, name)),
            service,
            session: kept(needed("SessionID")?),
            local: peer("LocalAddress")?,
            remote: peer("RemoteAddress")?,
            time: early("EventTV").and_then(time),
            acl_name: text("ACLName").map(kept),
            request_type: text("RequestType").map(kept),
            response: answer.map(Proof::of),
            using_password: text("UsingPassword").map(|value| value == "1"),
        })
    }
}

/// The account in what chan_sip calls one: a whole URI where a request is challenged.
fn account_name(service: &Service, name: &str) -> Option<String> {
    let uri = || name.strip_prefix("sip:").or(name.strip_prefix("sips:"));
    let user = match service {
        Service::Sip => uri().map_or(name, |rest| {
            rest.rsplit_once('@').map_or("", |(user, _)| user)
        }),
        _ => name,
    };
    (!user.is_empty()).then(|| kept(user))
}

fn time(text: &str) -> Option<Timestamp> {
    let broken = strtime::parse("%Y-%m-%dT%H:%M:%S%.f%z", text).ok()?;
    broken.to_timestamp().ok()
}

#[cfg(test)]
#[path = "event_tests.rs"]
mod tests;
