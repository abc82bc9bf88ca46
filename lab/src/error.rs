//! What can go wrong in the laboratory itself.

use std::io;
use std::time::Duration;

/// The result of a laboratory operation.
pub type Result<T> = std::result::Result<T, Error>;

/// A failure of the laboratory, not of what is under test.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A system call or a file operation failed.
    #[error("cannot {what}: {source}")]
    Io {
        /// What was tried, as in "cannot ...".
        what: String,
        /// The system's error.
        source: io::Error,
    },
    /// A program could not be started.
    #[error("cannot start {program}: {source}; run lab/setup.sh, which installs it")]
    Start {
        /// The program.
        program: String,
        /// The system's error.
        source: io::Error,
    },
    /// A program ended with a failure where only success makes sense.
    #[error("{command} failed: {output}")]
    Failed {
        /// The command line.
        command: String,
        /// What it printed.
        output: String,
    },
    /// Something did not become ready in time.
    #[error("{what} was not ready after {after:?}: {output}")]
    NotReady {
        /// What was waited for.
        what: String,
        /// How long.
        after: Duration,
        /// What it printed until then.
        output: String,
    },
    /// A packet counter lost packets, so that its count would be too low.
    #[error("the packet counter on {interface} lost {lost} packets; send fewer at a time")]
    Lost {
        /// The interface.
        interface: String,
        /// How many packets the kernel could not hand over.
        lost: u64,
    },
}

/// Names what was tried in an [`Error::Io`].
pub(crate) trait During<T> {
    /// Turns a system error into one that says what was tried.
    fn during(self, what: impl Into<String>) -> Result<T>;
}

impl<T, E: Into<io::Error>> During<T> for std::result::Result<T, E> {
    fn during(self, what: impl Into<String>) -> Result<T> {
        self.map_err(|error| Error::Io {
            what: what.into(),
            source: error.into(),
        })
    }
}
