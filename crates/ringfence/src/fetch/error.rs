//! Why a download failed, and what to do about it.

use std::path::PathBuf;
use std::time::Duration;

/// Why there is no new data. No text holds a secret.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// The URL is none.
    #[error(
        "{url}: this is no http or https URL; write it whole, such as https://lists.example.com/list.txt"
    )]
    Url {
        /// The URL.
        url: String,
    },
    /// The server asks to come again later (429, 503).
    #[error("{url}: the server is busy or was asked too often (HTTP {status}); it is asked again in {} minutes", after.as_secs().div_ceil(60))]
    Later {
        /// The URL.
        url: String,
        /// The status of HTTP.
        status: u16,
        /// How long to wait: what `Retry-After` says, at most a day; a quarter of an hour where it says nothing.
        after: Duration,
    },
    /// Another status than 200, 206 or 304.
    #[error("{url}: the server answered HTTP {status}{said}; {remedy}")]
    Status {
        /// The URL.
        url: String,
        /// The status of HTTP.
        status: u16,
        /// The beginning of what the server wrote, after a colon, or nothing.
        said: String,
        /// What to do.
        remedy: &'static str,
    },
    /// A redirect that is not followed.
    #[error("{url}: the server points to another place: {why}")]
    Redirect {
        /// The URL.
        url: String,
        /// Why it is not followed.
        why: String,
    },
    /// The server cannot be reached, or speaks no HTTP.
    #[error("{url}: {why}")]
    Unreached {
        /// The URL.
        url: String,
        /// What is wrong, and what to look at.
        why: String,
    },
    /// The answer ended early, or came too slowly. What has come is kept, and the next download goes on from there.
    #[error("{url}: {why} after {got} bytes; what was there before stays in force")]
    Cut {
        /// The URL.
        url: String,
        /// What happened.
        why: String,
        /// Bytes that arrived.
        got: u64,
    },
    /// The answer is larger than asked for.
    #[error(
        "{url}: the answer has more than {most} bytes; raise the limit if it is meant to be so large"
    )]
    TooLarge {
        /// The URL.
        url: String,
        /// The limit.
        most: u64,
    },
    /// The answer is not what was asked for: a web page, JSON, nothing at all.
    #[error("{url}: the server sent {what} in place of data{said}; look at the URL and the key")]
    NotData {
        /// The URL.
        url: String,
        /// What it sent.
        what: &'static str,
        /// The beginning of it, after a colon, or nothing.
        said: String,
    },
    /// The answer has another hash than it must have.
    #[error("{url}: the file has SHA-256 {got} and must have {want}; it is not used")]
    WrongHash {
        /// The URL.
        url: String,
        /// The hash it must have.
        want: String,
        /// The hash it has.
        got: String,
    },
    /// A packed file cannot be unpacked.
    #[error("{}: {why}", path.display())]
    Packed {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what to do.
        why: String,
    },
    /// A file cannot be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Another process downloads the same.
    #[error("{} is being downloaded already; wait until that is over", path.display())]
    Busy {
        /// The file it goes to.
        path: PathBuf,
    },
    /// The caller ended the download.
    #[error("{url}: the download was ended")]
    Stopped {
        /// The URL.
        url: String,
    },
}

impl FetchError {
    /// How long the server asks to wait.
    pub fn after(&self) -> Option<Duration> {
        match self {
            Self::Later { after, .. } => Some(*after),
            _ => None,
        }
    }

    /// Whether it may well pass by itself; otherwise somebody has to change something.
    pub fn passes(&self) -> bool {
        match self {
            Self::Later { .. }
            | Self::Unreached { .. }
            | Self::Cut { .. }
            | Self::Busy { .. }
            | Self::Stopped { .. } => true,
            Self::Status { status, .. } => *status >= 500,
            _ => false,
        }
    }
}
