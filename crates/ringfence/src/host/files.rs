//! What must last of the host's firewall: files below the state directory, each replaced as a whole.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::HostError;

/// The directory below the state directory.
const DIRECTORY: &str = "host";

/// Rules as they were put in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Rules {
    /// The batch that makes them, as JSON.
    pub batch: String,
    /// The print of the batch, whatever sessions are up.
    pub rules: String,
    /// The print of the policy that they were made from.
    pub policy: String,
    /// The print of the table that they became.
    pub table: String,
}

/// Rules on trial.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Trial {
    /// Tells it from others.
    pub id: String,
    /// The boot that it belongs to (/proc/sys/kernel/random/boot_id).
    pub boot: String,
    /// When it ends, in ns of boot time.
    pub until: u64,
    /// The print of its policy.
    pub policy: String,
    /// What stood before, and comes back; None for no table of ours.
    pub before: Option<Rules>,
}

/// The policy that was tried last and not confirmed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Lapsed {
    /// Its print.
    pub policy: String,
}

/// A value that lies in a file of its own.
pub(super) trait Kept: Serialize + DeserializeOwned {
    /// The name of the file.
    const FILE: &'static str;
}

impl Kept for Trial {
    const FILE: &'static str = "trial.json";
}

impl Kept for Lapsed {
    const FILE: &'static str = "lapsed.json";
}

/// The rules that stand now.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Standing(pub Rules);

impl Kept for Standing {
    const FILE: &'static str = "standing.json";
}

/// The rules that stand after the next boot.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Confirmed(pub Rules);

impl Kept for Confirmed {
    const FILE: &'static str = "confirmed.json";
}

/// The directory, for one process at a time.
#[derive(Debug)]
pub(super) struct Files {
    directory: PathBuf,
    _lock: File,
}

impl Files {
    /// Opens the directory and waits for whoever has it.
    pub fn lock(state: &Path) -> Result<Self, HostError> {
        let directory = state.join(DIRECTORY);
        let made = fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&directory);
        made.map_err(|source| failed("make", &directory, source))?;
        let path = directory.join("lock");
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(&path)
            .and_then(|file| file.lock().map(|()| file))
            .map_err(|source| failed("lock", &path, source))?;
        Ok(Self {
            directory,
            _lock: lock,
        })
    }

    /// A value; None where there is no such file.
    pub fn get<T: Kept>(&self) -> Result<Option<T>, HostError> {
        let path = self.directory.join(T::FILE);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(failed("read", &path, source)),
        };
        serde_json::from_slice(&text)
            .map(Some)
            .map_err(|source| HostError::Damaged { path, source })
    }

    /// Writes a value, or with None removes it, so that after a power cut it is the old or the new one.
    pub fn put<T: Kept>(&self, value: Option<&T>) -> Result<(), HostError> {
        let path = self.directory.join(T::FILE);
        let Some(value) = value else {
            return match fs::remove_file(&path) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    Err(failed("remove", &path, error))
                }
                _ => self.settle(&path),
            };
        };
        let text = serde_json::to_vec(value).map_err(|source| HostError::Damaged {
            path: path.clone(),
            source,
        })?;
        let new = path.with_extension("new");
        let write = || {
            let mut file = OpenOptions::new()
                .create(true)
                .truncate(true)
                .write(true)
                .mode(0o600)
                .open(&new)?;
            file.write_all(&text)?;
            file.sync_all()?;
            fs::rename(&new, &path)
        };
        write().map_err(|source| failed("write", &path, source))?;
        self.settle(&path)
    }

    /// Removes the directory and all in it.
    pub fn clear(self) -> Result<(), HostError> {
        fs::remove_dir_all(&self.directory)
            .map_err(|source| failed("remove", &self.directory, source))
    }

    /// Has the names of the directory written too.
    fn settle(&self, path: &Path) -> Result<(), HostError> {
        File::open(&self.directory)
            .and_then(|directory| directory.sync_all())
            .map_err(|source| failed("write", path, source))
    }
}

fn failed(what: &'static str, path: &Path, source: io::Error) -> HostError {
    HostError::File {
        what,
        path: path.to_owned(),
        source,
    }
}
