//! What an attempt counts as.

use std::net::SocketAddr;

use serde::Serialize;

use super::peer::Transport;

/// What an attempt to use an account comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum CountsAs {
    /// Credentials were refused: each different answer to a challenge once.
    Failure,
    /// An account that does not exist was named, and no credentials came: once a session.
    Probe,
    /// An access list refused the address. Whether credentials were right is not known: Asterisk refuses them unseen.
    Refused,
    /// Credentials were right, but what was asked for with them is someone else's. To be told, no reason for a ban.
    Suspicious,
    /// Credentials were accepted.
    Authenticated {
        /// Whether a password was given. Without one Asterisk knew the account by its address.
        password: bool,
    },
}

impl CountsAs {
    /// Its name, in one word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Failure => "failure",
            Self::Probe => "probe",
            Self::Refused => "refused",
            Self::Suspicious => "suspicious",
            Self::Authenticated { .. } => "authenticated",
        }
    }
}

/// What an attempt came to, and whose it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What it counts as.
    pub counts_as: CountsAs,
    /// The sender; port 0 where Asterisk does not say it.
    pub source: SocketAddr,
    /// What carried it; None where a log line does not say.
    pub transport: Option<Transport>,
    /// Our end; None where a log line does not say.
    pub local: Option<SocketAddr>,
    /// The account as the sender named it. It may hold what a terminal obeys.
    pub account: Option<String>,
    /// The session that Asterisk or the sender gave it (PJSIP: the Call-ID), if it has one.
    pub session: Option<String>,
    /// Who says so: "PJSIP", "SIP", "AMI", "IAX2", or the program whose log it is.
    pub service: String,
}
