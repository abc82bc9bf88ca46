//! Secrets, and where they are read from.

use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::mistake::Position;

/// A text that is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Keeps `text` from being shown.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text, for whom it is meant.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// Where a secret stands. Nothing is read before it is needed, so that a new one holds at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretFrom {
    /// In the configuration file, at this place.
    Text(Secret, Position),
    /// In a variable of the daemon's environment.
    Env(String),
    /// In a credential of systemd (`LoadCredential=`), by its name.
    Credential(String),
    /// In a file of its own.
    File(PathBuf),
}

/// Why a secret cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The variable is not set, or is not UTF-8.
    #[error("the variable {0} is not set; set it where the daemon is started")]
    Env(String),
    /// systemd gave no credentials.
    #[error("no credential `{0}`: write LoadCredential={0}:FILE into the unit of the daemon")]
    Credential(String),
    /// The file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// What was read cannot be a secret.
    #[error("{0} holds no secret: write one line of at most {MOST} bytes of UTF-8 into it")]
    Unfit(String),
}

/// A secret is at most so long, in bytes.
const MOST: usize = 4096;

impl SecretFrom {
    /// Reads the secret; of a file its one line, without the line's end.
    ///
    /// # Errors
    /// When it is not there, or is no line of text.
    pub fn read(&self) -> Result<Secret, SecretError> {
        match self {
            Self::Text(secret, _) => Ok(secret.clone()),
            Self::Env(name) => {
                let text = std::env::var(name).map_err(|_| SecretError::Env(name.clone()))?;
                fit(text, || format!("the variable {name}"))
            }
            Self::Credential(name) => {
                let missing = || SecretError::Credential(name.clone());
                let directory = std::env::var_os("CREDENTIALS_DIRECTORY").ok_or_else(missing)?;
                file(&Path::new(&directory).join(name))
            }
            Self::File(path) => file(path),
        }
    }
}

fn file(path: &Path) -> Result<Secret, SecretError> {
    let wrong = |source| SecretError::File {
        path: path.to_owned(),
        source,
    };
    let shown = || path.display().to_string();
    let mut bytes = Vec::new();
    let opened = std::fs::File::open(path).map_err(wrong)?;
    let room = MOST as u64 + 3;
    opened.take(room).read_to_end(&mut bytes).map_err(wrong)?;
    let text = String::from_utf8(bytes).map_err(|_| SecretError::Unfit(shown()))?;
    let line = text.strip_suffix('\n').unwrap_or(&text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    fit(line.to_owned(), shown)
}

fn fit(text: String, shown: impl Fn() -> String) -> Result<Secret, SecretError> {
    let fits = (1..=MOST).contains(&text.len()) && !text.contains(char::is_control);
    match fits {
        true => Ok(Secret(text)),
        false => Err(SecretError::Unfit(shown())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_read_and_never_shown() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("password");
        std::fs::write(&path, "hush hush\r\n").unwrap();
        let from = SecretFrom::File(path.clone());
        let secret = from.read().unwrap();
        assert_eq!(secret.expose(), "hush hush");
        let text = SecretFrom::Text(Secret::new("hush hush"), Position { line: 1, column: 1 });
        assert_eq!(text.read().unwrap(), secret);
        assert!(!format!("{from:?} {secret:?} {text:?}").contains("hush"));
        for (held, why) in [
            ("", "no secret"),
            ("a\nb", "no secret"),
            ("\n", "no secret"),
        ] {
            std::fs::write(&path, held).unwrap();
            let error = from.read().unwrap_err().to_string();
            assert!(error.contains(why), "{held:?} {error}");
        }
        std::fs::write(&path, "x".repeat(MOST + 1)).unwrap();
        assert!(from.read().is_err());
        std::fs::remove_file(&path).unwrap();
        let error = from.read().unwrap_err().to_string();
        assert!(error.contains("cannot read"), "{error}");
    }

    #[test]
    fn what_is_missing_is_named() {
        let error = SecretFrom::Env("RINGFENCE_NOT_SET_HERE".into()).read();
        assert!(
            error
                .unwrap_err()
                .to_string()
                .contains("RINGFENCE_NOT_SET_HERE")
        );
        let error = SecretFrom::Credential("smtp".into()).read();
        assert!(
            error
                .unwrap_err()
                .to_string()
                .contains("LoadCredential=smtp:")
        );
    }
}
