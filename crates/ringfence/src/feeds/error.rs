//! Why a list is not used.

use std::io;
use std::path::PathBuf;

use crate::config::SecretError;
use crate::fetch::FetchError;

/// Why a list is not used. What was used before goes on until its expiry.
#[derive(Debug, thiserror::Error)]
pub enum FeedError {
    /// It could not be fetched.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// Its key cannot be read.
    #[error("its key: {0}")]
    Key(#[from] SecretError),
    /// Its kind needs something that the configuration does not give.
    #[error("{0}")]
    Unset(&'static str),
    /// A file cannot be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It has more entries than it may.
    #[error("it has more than {max} entries; raise `max` if it is meant to")]
    TooMany {
        /// The limit.
        max: u32,
    },
    /// It has none.
    #[error(
        "it has no entry; write `may_be_empty = true` if that can be, or update it with --force"
    )]
    Empty,
    /// It is much shorter than before.
    #[error("it has {now} entries and had {was}; update it with --force if that is right")]
    Shrunk {
        /// Entries before.
        was: usize,
        /// Entries now.
        now: usize,
    },
    /// Most of it cannot be read.
    #[error(
        "{unreadable} of its entries cannot be read and {read} can, the first is {first:?}; look at `kind`, `column` or `path`"
    )]
    NotAList {
        /// Entries that were read.
        read: usize,
        /// Entries that were not.
        unreadable: u64,
        /// The beginning of the first of these.
        first: String,
    },
    /// It would shut out too much.
    #[error("it covers {percent}% of {family}, which is more than a list of attackers can")]
    HalfTheInternet {
        /// IPv4 or IPv6.
        family: &'static str,
        /// How much.
        percent: u128,
    },
    /// Its narrow networks are too many addresses.
    #[error(
        "its networks of /25 to /31 have more than {most} addresses; use a list of wider networks"
    )]
    TooNarrow {
        /// The limit.
        most: u64,
    },
    /// The JSON is none.
    #[error("its JSON cannot be read: {0}")]
    Json(#[from] serde_json::Error),
    /// The CSV is none.
    #[error("its CSV cannot be read: {0}")]
    Csv(#[from] csv::Error),
    /// The CSV has no such column.
    #[error("its first line names no column {0:?}")]
    Column(String),
    /// The pages have no end.
    #[error("its pages do not end: {0}")]
    Endless(String),
}

impl FeedError {
    /// The text on one line, in which nothing is left that a terminal obeys, and not much of what a server wrote.
    pub fn shown(&self) -> String {
        const MOST: usize = 400;
        let text: String = self.to_string().chars().take(MOST).collect();
        crate::terminal::line(&text).into_owned()
    }

    /// How long the server asks to wait.
    pub fn after(&self) -> Option<std::time::Duration> {
        match self {
            Self::Fetch(error) => error.after(),
            _ => None,
        }
    }
}
