//! What is wrong with a file of patterns.

use std::io;
use std::path::PathBuf;

/// Why patterns could not be used. Each says what to change.
#[derive(Debug, thiserror::Error)]
pub enum PatternError {
    /// The file could not be read.
    #[error("cannot read the patterns in {}: {source}; name another file", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is larger than any sensible one.
    #[error("the patterns in {} are longer than 1 MiB; split them or leave some out", path.display())]
    Long {
        /// The file.
        path: PathBuf,
    },
    /// It is not TOML, or has other keys than patterns have.
    #[error("patterns cannot be read: {0}")]
    Toml(#[from] Box<toml::de::Error>),
    /// Too many.
    #[error("there are more than 256 [[line]] tables; leave some out")]
    Many,
    /// An expression is wrong.
    #[error("the pattern `{id}` is no regular expression: {why}")]
    Regex {
        /// Whose it is.
        id: String,
        /// What is wrong in it.
        why: String,
    },
    /// A pattern that counts does not say who.
    #[error("the pattern `{id}` has no group {group}; write {instead} where it stands in the line")]
    Group {
        /// Whose it is.
        id: String,
        /// The group.
        group: &'static str,
        /// What to write.
        instead: &'static str,
    },
    /// Two have one id.
    #[error("two patterns have the id `{0}`; give one of them another")]
    Twice(String),
}
