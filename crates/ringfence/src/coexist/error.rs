//! Why nothing can be taken over.

use std::io;
use std::path::PathBuf;

/// Why another firewall cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// It is not there.
    #[error("{what} was not found: {looked}")]
    NotThere {
        /// The firewall.
        what: &'static str,
        /// Where it was looked for, and what to do.
        looked: String,
    },
    /// A file cannot be read.
    #[error("cannot read {}: {source}; run this as root", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// fail2ban's database cannot be read.
    #[error("cannot read fail2ban's database {}: {source}; start fail2ban, so that it can be asked itself", path.display())]
    Database {
        /// The database.
        path: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// A database from before fail2ban 0.11, which does not say how long bans last.
    #[error(
        "fail2ban's database {} does not say how long bans last, as before fail2ban 0.11; start fail2ban, so that it \
         can be asked itself", .0.display()
    )]
    Old(PathBuf),
}
