//! Who is told of what, and how: `[notify]`.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use lettre::Address;

use super::secret::SecretFrom;
use super::web::{HeaderLine, WebAddress};
use super::words::words;

words! {
    /// What a notice is about.
    pub enum NoticeKind {
        /// A source was banned.
        Ban = "ban",
        /// A connection of the telephone system that no rule admits.
        Audit = "audit",
        /// Calls that look like fraud.
        Fraud = "fraud",
        /// The connection to Asterisk was lost, or is back.
        Asterisk = "asterisk",
        /// The country data is too old.
        Country = "country",
        /// A threat list that fails for long, is over, or has addresses of ours.
        Feed = "feed",
        /// A name with line ends in it, as forgers of log lines write them.
        Forged = "forged",
        /// Anything else that is wrong with the fence.
        Fence = "fence",
    }
}

/// Who is told of what. Without a way nobody is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notify {
    /// Notices of an hour that are sent singly on each way, 1 to 1000.
    pub most: u32,
    /// How long what is beyond that is summed up, one minute to one day.
    pub digest: Duration,
    /// The kinds that are told, at least one, none twice.
    pub kinds: Vec<NoticeKind>,
    /// By e-mail.
    pub mail: Option<NotifyMail>,
    /// By an HTTP request.
    pub webhook: Option<NotifyWebhook>,
    /// By a command.
    pub command: Option<NotifyCommand>,
}

impl Default for Notify {
    fn default() -> Self {
        Self {
            most: 12,
            digest: Duration::from_secs(3600),
            kinds: NoticeKind::ALL.into(),
            mail: None,
            webhook: None,
            command: None,
        }
    }
}

/// Notices by e-mail (RFC 5321).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotifyMail {
    /// To whom; 1 to 16.
    pub to: Vec<Address>,
    /// From whom; none: `ringfence@` and the name of this host.
    pub from: Option<Address>,
    /// The server that takes the mail.
    pub server: MailServer,
    /// How the connection to it is secured.
    pub tls: MailTls,
    /// The user and the password, where the server asks for them.
    pub login: Option<(String, SecretFrom)>,
    /// A PEM file with authorities to believe besides those of the system.
    pub ca: Option<PathBuf>,
}

/// A mail server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailServer {
    /// A DNS name or an address, without brackets.
    pub host: String,
    /// The TCP port.
    pub port: u16,
}

impl MailServer {
    /// Whether it is on this host.
    pub fn is_local(&self) -> bool {
        is_local(&self.host)
    }
}

/// Whether a name or an address is that of this host itself.
pub(super) fn is_local(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

impl fmt::Display for MailServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "[{}]:{}", self.host, self.port),
            false => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

words! {
    /// How the connection to a mail server is secured.
    pub enum MailTls {
        /// Not at all.
        None = "none",
        /// It begins in clear text and goes on under TLS, or not at all (RFC 3207).
        StartTls = "starttls",
        /// It is under TLS from the beginning (RFC 8314).
        Tls = "tls",
    }
}

/// Notices by HTTP requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotifyWebhook {
    /// Where they go.
    pub url: WebAddress,
    /// Header fields of every request.
    pub headers: Vec<HeaderLine>,
    /// The key of the signature; none: no signature.
    pub secret: Option<SecretFrom>,
    /// A PEM file with authorities to believe besides those of the system.
    pub ca: Option<PathBuf>,
}

/// Notices to a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotifyCommand {
    /// The program by its whole path, and its arguments; no shell reads them. At most 64.
    pub run: Vec<String>,
}
