//! The configuration file: its types, its defaults, and every mistake in it.
//!
//! Reading is pure. `Config::parse` looks at a text, `Config::load` opens that one file;
//! nothing is resolved, connected or created. A file with a mistake gives no configuration at
//! all, so that a bad file never takes the place of a good policy.

mod address;
mod countries;
pub mod keys;
mod mistake;
mod name;
mod period;
mod port;
mod rate;
mod read;
mod read_log;
mod read_service;
mod read_trust;
mod reader;
mod service;
#[cfg(test)]
mod tests;
mod types;
mod user;
mod words;
mod wrong;

use std::io;
use std::path::{Path, PathBuf};

pub use address::{AddressRange, ListEntry};
pub use countries::CountryCode;
pub use mistake::{Mistake, Mistakes, Position};
pub use name::{Domain, Host};
pub use period::Period;
pub use port::PortRange;
pub use rate::{MessageClass, Rate, Rates, Threshold};
pub use service::{Admissions, Limits, MAX_SERVICES, Service};
pub use types::{Ban, Config, Control, Proxy, Signatures, Trunk, Trust};
pub use user::{Tripwire, User};
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
    /// When the file cannot be read, or has mistakes.
    pub fn load(path: &Path) -> Result<Self, LoadError> {
        let bytes = std::fs::read(path).map_err(|source| LoadError::Read {
            path: path.to_owned(),
            source,
        })?;
        let file = path.display().to_string();
        let text = str::from_utf8(&bytes).map_err(|e| {
            let position = mistake::Lines::new(&bytes).position(e.valid_up_to());
            let wrong = Wrong::new("the file is not UTF-8 from here on", "save it as UTF-8");
            Mistakes::new(&file, vec![Mistake { position, wrong }])
        })?;
        Ok(Self::parse(text, &file)?)
    }
}
