//! What one event or log line says of an attempt, whoever wrote it.

use std::net::SocketAddr;

use super::event::{Event, Kind, Proof, Service};
use super::peer::Transport;

/// The list that says "too many contacts" of a phone that logged in well.
const TOO_MANY_CONTACTS: &str = "registrar_attempt_exceeds_maximum_configured_contacts";
/// The request that asks with good credentials for a registration under another name.
const OTHERS_AOR: &str = "registrar_requested_aor_not_found";

/// What was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// Credentials were asked for. It counts for nothing; lines that follow do not name the account, and this does.
    Challenged,
    /// An account that does not exist was named.
    UnknownAccount,
    /// An access list refused the address.
    AccessList,
    /// The answer to a challenge was refused. Of an address that an access list refuses, it says no more than that.
    AnswerRefused(Option<Proof>),
    /// A password was refused.
    PasswordRefused(Option<Proof>),
    /// Good credentials asked for what is someone else's.
    Suspicious,
    /// Credentials were accepted, with a password or without.
    Accepted {
        /// Whether there was a password.
        password: bool,
    },
}

/// Who says so. The same attempt is told by several.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// A security event, in the manager interface or the security log.
    Event,
    /// Another line of a log.
    Notice,
}

/// What one event or line says of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sight {
    /// What was seen.
    pub what: What,
    /// Who says so.
    pub told: Told,
    /// The sender; port 0 where it is not said.
    pub source: SocketAddr,
    /// What carried it.
    pub transport: Option<Transport>,
    /// Our end.
    pub local: Option<SocketAddr>,
    /// The account.
    pub account: Option<String>,
    /// The session.
    pub session: Option<String>,
    /// "PJSIP", "SIP", "AMI", "IAX2", or the program whose log it is.
    pub service: String,
}

impl Sight {
    /// What a security event says; None where it says nothing of an attempt.
    pub fn of_event(event: &Event) -> Option<Self> {
        let manager = event.service == Service::Ami;
        // Programs of the machine itself, we among them, use the manager interface.
        if manager && event.remote.address.ip().is_loopback() {
            return None;
        }
        let what = match event.kind {
            Kind::SuccessfulAuth if manager => return None,
            Kind::SuccessfulAuth => What::Accepted {
                password: event.using_password == Some(true),
            },
            Kind::ChallengeResponseFailed => What::AnswerRefused(event.response),
            Kind::InvalidPassword => What::PasswordRefused(event.response),
            // A manager's login brings its secret along.
            Kind::InvalidAccountID if manager => What::PasswordRefused(None),
            Kind::InvalidAccountID => What::UnknownAccount,
            Kind::FailedACL if event.acl_name.as_deref() == Some(TOO_MANY_CONTACTS) => return None,
            Kind::FailedACL => What::AccessList,
            Kind::UnexpectedAddress => What::Suspicious,
            Kind::RequestNotSupported if event.request_type.as_deref() == Some(OTHERS_AOR) => {
                What::Suspicious
            }
            Kind::ChallengeSent if event.account.is_some() => What::Challenged,
            Kind::ChallengeSent
            | Kind::InvalidTransport
            | Kind::RequestNotSupported
            | Kind::RequestNotAllowed
            | Kind::RequestBadFormat
            | Kind::AuthMethodNotAllowed
            | Kind::SessionLimit
            | Kind::LoadAverageLimit
            | Kind::MemoryLimit => return None,
        };
        Some(Self {
            what,
            told: Told::Event,
            source: event.remote.address,
            transport: Some(event.remote.transport),
            local: Some(event.local.address),
            account: event.account.clone(),
            session: Some(event.session.clone()),
            service: event.service.as_str().to_owned(),
        })
    }
}
