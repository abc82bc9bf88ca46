//! Opening the store to look at it: nothing is made, moved or mended.

use std::fmt::Write as _;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use super::open::{FILE, PATIENCE, is_cut, quick_check};
use super::{Store, StoreError, schema};

impl Store {
    /// Opens `ringfence.db` in `directory` for reading alone; None where there is none. A daemon may be at work on it.
    pub fn read(directory: &Path) -> Result<Option<Self>, StoreError> {
        let path = directory.join(FILE);
        let refused = |source| StoreError::Directory {
            path: path.clone(),
            source,
        };
        let length = match fs::metadata(&path) {
            Ok(meta) => meta.len(),
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(refused(error)),
        };
        // Without a journal nobody writes, and SQLite is not to make one in order to read.
        let quiet = !path.with_extension("db-wal").exists();
        if quiet && is_cut(length) {
            return Err(StoreError::Damaged {
                what: format!("it was cut to {length} bytes"),
            });
        }
        fs::File::open(&path).map_err(refused)?;
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
        let connection =
            Connection::open_with_flags(uri(&path, quiet), flags).map_err(StoreError::reading)?;
        connection
            .busy_timeout(PATIENCE)
            .and_then(|()| connection.pragma_update(None, "trusted_schema", "OFF"))
            .map_err(StoreError::reading)?;
        match schema::version(&connection)? {
            // Made, and not filled yet.
            0 => return Ok(None),
            found if found > schema::VERSION => {
                return Err(StoreError::TooNew {
                    path,
                    found,
                    known: schema::VERSION,
                });
            }
            found if found < schema::VERSION => return Err(StoreError::TooOld { path }),
            _ => {}
        }
        quick_check(&connection)?;
        Ok(Some(Self { connection }))
    }
}

/// The path as SQLite's URI; a quiet file is read as it lies.
fn uri(path: &Path, quiet: bool) -> String {
    let mut uri = "file:".to_owned();
    for byte in path.as_os_str().as_bytes() {
        match byte {
            b'/' | b'.' | b'-' | b'_' | b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => {
                uri.push(char::from(*byte));
            }
            other => drop(write!(uri, "%{other:02x}")),
        }
    }
    uri + if quiet {
        "?mode=ro&immutable=1"
    } else {
        "?mode=ro"
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::store::{ListEntry, ListKind};

    fn entry(address: [u8; 4]) -> ListEntry {
        ListEntry {
            list: ListKind::Deny,
            first: address.into(),
            last: address.into(),
            comment: String::new(),
            added: Timestamp::from_second(1_700_000_000).unwrap(),
            expires: None,
        }
    }

    /// Every file of a directory with what is in it.
    fn files(directory: &Path) -> Vec<(std::path::PathBuf, Vec<u8>)> {
        let entries = fs::read_dir(directory).unwrap();
        let mut files: Vec<_> = entries
            .map(|entry| entry.unwrap().path())
            .map(|path| (path.clone(), fs::read(&path).unwrap()))
            .collect();
        files.sort();
        files
    }

    #[test]
    fn reading_changes_nothing() {
        let parent = tempfile::tempdir().unwrap();
        let directory = parent.path().join("a ?b%#");
        assert!(Store::read(&directory).unwrap().is_none());
        assert!(!directory.exists());
        let mut store = Store::open(&directory).unwrap().store;
        store.add_entry(&entry([192, 0, 2, 1])).unwrap();
        // While the daemon has it open, and writes.
        let reader = Store::read(&directory).unwrap().unwrap();
        assert_eq!(reader.entries(ListKind::Deny).unwrap().len(), 1);
        store.add_entry(&entry([192, 0, 2, 2])).unwrap();
        assert_eq!(reader.entries(ListKind::Deny).unwrap().len(), 2);
        assert!(reader.connection.execute("DELETE FROM ban", []).is_err());
        drop((reader, store));
        let before = files(&directory);
        let reader = Store::read(&directory).unwrap().unwrap();
        assert_eq!(reader.entries(ListKind::Deny).unwrap().len(), 2);
        drop(reader);
        assert_eq!(files(&directory), before);
    }

    #[test]
    fn damage_is_told_and_left_where_it_is() {
        let directory = tempfile::tempdir().unwrap();
        let mut store = Store::open(directory.path()).unwrap().store;
        store.add_entry(&entry([192, 0, 2, 1])).unwrap();
        drop(store);
        let path = directory.path().join(FILE);
        let whole = fs::read(&path).unwrap();
        let mut flipped = whole.clone();
        flipped[4096] ^= 0x40;
        let text = b"no database, and longer than a header of one is. ".repeat(50);
        for bytes in [&text[..], &whole[..whole.len() - 1], &flipped] {
            fs::write(&path, bytes).unwrap();
            let before = files(directory.path());
            let error = Store::read(directory.path()).unwrap_err();
            assert!(error.is_damage(), "{error}");
            assert_eq!(files(directory.path()), before);
        }
        fs::write(&path, b"").unwrap();
        assert!(Store::read(directory.path()).unwrap().is_none());
    }
}
