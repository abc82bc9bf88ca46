//! How Asterisk is reached.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::mistake::Position;
use crate::asterisk::ami::Secret;

/// How Asterisk is reached: its manager interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asterisk {
    /// Host and port of the manager interface.
    pub ami: String,
    /// The user's section in manager.conf.
    pub user: String,
    /// Where its secret is.
    pub secret: SecretPlace,
    /// How often what Asterisk says is held against what is known, 10 seconds to one day.
    pub every: Duration,
}

/// Where a secret is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretPlace {
    /// In the configuration file, at this place.
    Here(Secret, Position),
    /// In an environment variable.
    Env(String),
    /// In a credential of the service manager: a file of this name below `$CREDENTIALS_DIRECTORY`.
    Credential(String),
    /// In a file.
    File(PathBuf),
}

/// Why there is no secret.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// A variable is not set.
    #[error(
        "the environment variable {0} is not set or is not UTF-8; set it where ringfence is started"
    )]
    Env(String),
    /// The service manager gave no credentials.
    #[error(
        "there is no credential `{0}`: $CREDENTIALS_DIRECTORY is not set; add LoadCredential={0}:FILE to the unit of ringfence"
    )]
    Credential(String),
    /// A file could not be read.
    #[error("cannot read the secret of Asterisk's manager interface from {}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// There is nothing in it.
    #[error(
        "the secret of Asterisk's manager interface is empty; put the `secret` of its user in manager.conf there"
    )]
    Empty,
}

impl SecretPlace {
    /// Reads the secret; a line end behind it does not count.
    ///
    /// # Errors
    /// When there is none where it should be.
    pub fn read(&self) -> Result<Secret, SecretError> {
        let text = match self {
            Self::Here(secret, _) => return Ok(secret.clone()),
            Self::Env(name) => std::env::var(name).map_err(|_| SecretError::Env(name.clone()))?,
            Self::Credential(name) => {
                let directory = std::env::var_os("CREDENTIALS_DIRECTORY")
                    .ok_or_else(|| SecretError::Credential(name.clone()))?;
                content(&Path::new(&directory).join(name))?
            }
            Self::File(path) => content(path)?,
        };
        let secret = Secret::new(text.trim_end_matches(['\r', '\n']));
        if secret.is_empty() {
            return Err(SecretError::Empty);
        }
        Ok(secret)
    }
}

fn content(path: &Path) -> Result<String, SecretError> {
    std::fs::read_to_string(path).map_err(|source| SecretError::File {
        path: path.to_owned(),
        source,
    })
}
