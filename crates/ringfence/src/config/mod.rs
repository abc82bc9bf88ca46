//! The configuration file: its types, its defaults, and every mistake in it.
//!
//! Reading is pure. `Config::parse` looks at a text, `Config::load` opens that one file;
//! nothing is resolved, connected or created. A file with a mistake gives no configuration at
//! all, so that a bad file never takes the place of a good policy.

mod address;
mod agi;
mod asn;
mod asterisk;
mod audit;
mod countries;
mod country;
mod feed;
mod fraud;
mod host;
mod hours;
pub mod keys;
mod listed;
mod mistake;
mod name;
mod nfqueue;
mod notify;
#[cfg(test)]
mod notify_tests;
mod period;
mod port;
mod rate;
mod read;
mod read_agi;
mod read_asn;
mod read_asterisk;
mod read_audit;
mod read_country;
mod read_feed;
mod read_fraud;
mod read_host;
mod read_lists;
mod read_log;
mod read_nfqueue;
mod read_notify;
mod read_secret;
mod read_service;
mod read_share;
mod read_trust;
mod reader;
mod secret;
mod service;
mod share;
#[cfg(test)]
mod tests;
mod types;
mod user;
mod web;
mod words;
mod wrong;

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

pub use address::{AddressRange, ListEntry};
pub use agi::Agi;
pub use asn::{AsNumber, Asn, AsnRule};
pub use asterisk::Asterisk;
pub use audit::{Audit, Strangers};
pub use countries::{CountryCode, countries_named};
pub use country::{CountryGroup, CountryOrigin, CountrySource, Update};
pub use feed::{Column, Feed, FeedAction, FeedFormat, FeedKind, JsonPath, MAX_FEEDS, Step, Terms};
pub use fraud::{Dialled, Fraud, FraudAction, FraudLimits};
pub use host::{HostFirewall, Refuse};
pub use hours::Hours;
pub use listed::{ListName, MAX_LISTED_NAMES, listed};
pub use mistake::{Mistake, Mistakes, Position};
pub use name::{Domain, Host};
pub use nfqueue::{EngineChoice, Fail, Nfqueue};
pub use notify::{
    MailServer, MailTls, NoticeKind, Notify, NotifyCommand, NotifyMail, NotifyWebhook,
};
pub use period::Period;
pub use port::PortRange;
pub use rate::{MessageClass, Rate, Rates, Threshold};
pub use secret::{Secret, SecretError, SecretFrom};
pub use service::{Admissions, Limits, MAX_SERVICES, Service};
pub use share::Share;
pub use types::{Ban, Config, Control, Proxy, Signatures, Trunk, Trust};
pub use user::{Tripwire, User};
pub use web::{HeaderLine, WebAddress};
pub use words::{Admission, DomainMatch, DomainOpens, Kind, Mode, Protocol, Sni, Word};
pub use wrong::Wrong;

/// Why a file gave no configuration.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file could not be read.
    #[error("cannot read {}: {source}; name another file with --config", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file has mistakes.
    #[error(transparent)]
    Mistakes(#[from] Mistakes),
}

impl Config {
    /// Reads a configuration out of `text`; `file` is what the mistakes call it.
    ///
    /// # Errors
    /// Every mistake in the text, in its order. Past a syntax error only syntax is checked.
    pub fn parse(text: &str, file: &str) -> Result<Self, Mistakes> {
        read::read(text, file)
    }

    /// Reads the configuration file at `path`.
    ///
    /// # Errors
    /// When the file cannot be read, has mistakes, or shows a secret to every user of the machine.
    pub fn load(path: &Path) -> Result<Self, LoadError> {
        let failed = |source| LoadError::Read {
            path: path.to_owned(),
            source,
        };
        let mut bytes = Vec::new();
        let mut opened = File::open(path).map_err(failed)?;
        opened.read_to_end(&mut bytes).map_err(failed)?;
        let file = path.display().to_string();
        let text = str::from_utf8(&bytes).map_err(|e| {
            let position = mistake::Lines::new(&bytes).position(e.valid_up_to());
            let wrong = Wrong::new("the file is not UTF-8 from here on", "save it as UTF-8");
            Mistakes::new(&file, vec![Mistake { position, wrong }])
        })?;
        let config = Self::parse(text, &file)?;
        let metadata = opened.metadata().map_err(failed)?;
        match read_secret::exposed(&config, &metadata) {
            Some(mistake) => Err(Mistakes::new(&file, vec![mistake]).into()),
            None => Ok(config),
        }
    }
}
