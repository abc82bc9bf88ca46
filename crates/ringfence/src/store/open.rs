//! Opening the store: the directory, the check of the file, and what happens to a damaged one.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use rusqlite::Connection;

use super::{Store, StoreError, schema};

pub(super) const FILE: &str = "ringfence.db";
/// The smallest page of a SQLite file, in bytes; all sizes of page are multiples of it.
const SMALLEST_PAGE: u64 = 512;
const LOCK: &str = "ringfence.db.lock";

/// How long to wait for another process: for its opening of the file, and for each of its transactions.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// What [`Store::open`] gives.
#[derive(Debug)]
pub struct Opened {
    /// The store.
    pub store: Store,
    /// Where a damaged file was moved to. The caller tells the administrator: what it held is no longer in force.
    pub moved_aside: Option<PathBuf>,
}

impl Store {
    /// Opens `ringfence.db` in `directory`, which is created if needed, readable by its owner alone. The whole file is
    /// read once; a damaged one is moved aside with its journal and a new one begun.
    pub fn open(directory: &Path) -> Result<Opened, StoreError> {
        create(directory)?;
        let _lock = lock(&directory.join(LOCK))?;
        let path = directory.join(FILE);
        let error = match Self::open_file(&path) {
            Ok(store) => {
                return Ok(Opened {
                    store,
                    moved_aside: None,
                });
            }
            Err(error) => error,
        };
        if !error.is_damage() {
            return Err(error);
        }
        let aside = move_aside(directory)?;
        Ok(Opened {
            store: Self::open_file(&path)?,
            moved_aside: Some(aside),
        })
    }

    fn open_file(path: &Path) -> Result<Self, StoreError> {
        // Evidence holds what people sent, so that nobody else may read it. SQLite gives its journal the same mode.
        let length = OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(path)
            .and_then(|file| file.metadata())
            .map_err(|source| StoreError::Directory {
                path: path.to_path_buf(),
                source,
            })?
            .len();
        // SQLite takes the stump of a file for an empty one, and fills up a last page that was cut with zeros. Only a
        // crash while the journal was being written back may leave a part of a page, and then the journal has it whole.
        let journal = fs::metadata(path.with_extension("db-wal")).is_ok_and(|meta| meta.len() > 0);
        if is_cut(length) && !journal {
            return Err(StoreError::Damaged {
                what: format!("it was cut to {length} bytes"),
            });
        }
        let mut connection = Connection::open(path).map_err(StoreError::reading)?;
        configure(&connection).map_err(StoreError::changing)?;
        let found = schema::version(&connection)?;
        if found > schema::VERSION {
            let path = path.to_path_buf();
            return Err(StoreError::TooNew {
                path,
                found,
                known: schema::VERSION,
            });
        }
        quick_check(&connection)?;
        schema::migrate(&mut connection)?;
        let store = Self { connection };
        store.read_all()?;
        Ok(store)
    }

    /// Reads every row, so that a value which the check of the file's structure cannot judge is found now.
    fn read_all(&self) -> Result<(), StoreError> {
        self.all_lists()?;
        self.listed_names()?;
        self.answers()?;
        self.countries()?;
        self.bans()?;
        self.ban_history()?;
        self.trust()?;
        self.refusals()?;
        self.drops_since(Timestamp::MIN)?;
        self.facts()?;
        Ok(())
    }
}

/// Whether a file of this length ends within a page.
pub(super) fn is_cut(length: u64) -> bool {
    !length.is_multiple_of(SMALLEST_PAGE)
}

fn configure(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(PATIENCE)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    // A view or trigger planted in the file must not run with our privilege.
    connection.pragma_update(None, "trusted_schema", "OFF")
}

pub(super) fn quick_check(connection: &Connection) -> Result<(), StoreError> {
    let answer: String = connection
        .query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
        .map_err(StoreError::reading)?;
    if answer == "ok" {
        Ok(())
    } else {
        Err(StoreError::Damaged { what: answer })
    }
}

fn create(directory: &Path) -> Result<(), StoreError> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)
        .map_err(|source| StoreError::Directory {
            path: directory.to_path_buf(),
            source,
        })
}

/// Keeps two processes from judging and moving the file at the same time. The lock ends with the returned file.
fn lock(path: &Path) -> Result<File, StoreError> {
    let refused = |source| StoreError::Directory {
        path: path.to_path_buf(),
        source,
    };
    let file = OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(path)
        .map_err(refused)?;
    let deadline = Instant::now() + PATIENCE;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if Instant::now() < deadline => {
                thread::sleep(Duration::from_millis(20));
            }
            Err(TryLockError::WouldBlock) => {
                return Err(StoreError::Locked {
                    path: path.to_path_buf(),
                });
            }
            Err(TryLockError::Error(source)) => return Err(refused(source)),
        }
    }
}

/// Moves the file and its journal to names that tell when, and returns the new name of the file.
fn move_aside(directory: &Path) -> Result<PathBuf, StoreError> {
    let stamp = Timestamp::now().strftime("%Y%m%dT%H%M%SZ").to_string();
    let name = |number: u32| match number {
        0 => format!("{FILE}.damaged-{stamp}"),
        number => format!("{FILE}.damaged-{stamp}-{number}"),
    };
    let free = (0..)
        .map(name)
        .find(|name| !directory.join(name).exists())
        .unwrap_or_default();
    for suffix in ["-wal", "-shm", ""] {
        let from = directory.join(format!("{FILE}{suffix}"));
        match fs::rename(&from, directory.join(format!("{free}{suffix}"))) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                return Err(StoreError::Directory { path: from, source });
            }
            Ok(()) | Err(_) => {}
        }
    }
    Ok(directory.join(free))
}

#[cfg(test)]
mod tests;
