//! What can go wrong with the store.

use std::io;
use std::net::IpAddr;
use std::path::PathBuf;

/// Why the store cannot be opened, or a change not made.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The state directory or a file in it cannot be used.
    #[error("cannot use the state directory: {}: {source}; check its owner, or name another with --state", path.display())]
    Directory {
        /// What was being created, locked or moved.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another process is opening the store and does not finish.
    #[error("another process holds {}; stop it, or wait for it", path.display())]
    Locked {
        /// The lock file.
        path: PathBuf,
    },
    /// A newer Ringfence wrote the file.
    #[error(
        "{} was written by a newer version of Ringfence (layout {found}, this one knows {known}); install that \
         version again, or move the file away to begin with empty lists",
        path.display()
    )]
    TooNew {
        /// The file.
        path: PathBuf,
        /// The layout version in the file.
        found: i64,
        /// The newest layout version that this program knows.
        known: i64,
    },
    /// An older Ringfence wrote the file, and no daemon of this version has opened it yet.
    #[error(
        "{} was written by an older version of Ringfence; start the daemon once to bring it up to date",
        path.display()
    )]
    TooOld {
        /// The file.
        path: PathBuf,
    },
    /// SQLite refused.
    #[error("the state could not be {action}: {source}")]
    Sqlite {
        /// What was being done: "read" or "changed".
        action: &'static str,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// A stored value is none that this program writes.
    #[error("the state is damaged: {what}; restart the daemon to move the file aside")]
    Damaged {
        /// The value and where it lies.
        what: String,
    },
    /// The two ends of a range do not make one.
    #[error("{first}-{last} is no range: give the lower address first, and both of one family")]
    Range {
        /// The first address given.
        first: IpAddr,
        /// The last address given.
        last: IpAddr,
    },
    /// A prefix longer than the address.
    #[error(
        "{address}/{prefix_len} is no network: IPv4 prefixes end at 32 and IPv6 prefixes at 128"
    )]
    Prefix {
        /// The address given.
        address: IpAddr,
        /// The prefix length given, in bits.
        prefix_len: u8,
    },
    /// A country code that is not two letters.
    #[error("`{0}` is no country code: give the two letters of ISO 3166, such as GB")]
    Country(String),
}

impl StoreError {
    pub(super) fn reading(source: rusqlite::Error) -> Self {
        Self::from_sqlite("read", source)
    }

    pub(super) fn changing(source: rusqlite::Error) -> Self {
        Self::from_sqlite("changed", source)
    }

    fn from_sqlite(action: &'static str, source: rusqlite::Error) -> Self {
        use rusqlite::Error::{
            FromSqlConversionFailure, IntegralValueOutOfRange, InvalidColumnType, Utf8Error,
        };
        match source {
            FromSqlConversionFailure(..)
            | IntegralValueOutOfRange(..)
            | InvalidColumnType(..)
            | Utf8Error(..) => Self::Damaged {
                what: source.to_string(),
            },
            source => Self::Sqlite { action, source },
        }
    }

    /// Whether the file itself is at fault, so that a new one would help.
    pub(super) fn is_damage(&self) -> bool {
        use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase, TypeMismatch, Unknown};
        match self {
            Self::Damaged { .. } => true,
            // Unknown is SQLITE_ERROR: at open, a table that should be there is missing, or one that should not exists.
            Self::Sqlite { source, .. } => {
                let code = match source {
                    rusqlite::Error::SqlInputError { error, .. } => Some(error.code),
                    source => source.sqlite_error_code(),
                };
                matches!(
                    code,
                    Some(DatabaseCorrupt | NotADatabase | TypeMismatch | Unknown)
                )
            }
            _ => false,
        }
    }
}
