//! Why an action has no answer.

/// Why an action has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AskError {
    /// Nobody is connected to Asterisk.
    #[error("Asterisk's manager interface is not connected")]
    Down,
    /// Asterisk took too long, or whoever asks keeps what was heard from being read.
    #[error("Asterisk did not answer {action} in time")]
    Timeout {
        /// The action.
        action: String,
    },
    /// The user may not do this.
    #[error(
        "Asterisk does not permit {action}: `ringfence asterisk manager` prints the classes that the `write` line of the user's section in manager.conf needs"
    )]
    NotAllowed {
        /// The action.
        action: String,
    },
    /// This Asterisk does not have the action or command: its module is not loaded.
    #[error("this Asterisk does not know {action}: the module that has it is not loaded")]
    Unavailable {
        /// The action.
        action: String,
    },
    /// Asterisk says no.
    #[error("Asterisk refused {action}: {}", message.escape_debug())]
    Refused {
        /// The action.
        action: String,
        /// Its words.
        message: String,
    },
    /// The list is longer than 100,000 entries or 64 MB.
    #[error("the answer to {action} is longer than 100,000 entries or 64 MB")]
    TooLong {
        /// The action.
        action: String,
    },
    /// There is a line end in the action.
    #[error("a line end or NUL in a field of an action")]
    LineEnd,
}
