//! Country data that was downloaded, as it is kept: the data in force and the one before it.
//!
//! `country/` below the state directory holds the data under names made of their hashes, and `index.json`, which says
//! which of them holds. That one file is put in place by a rename, so that the whole changes at once or not at all.
//! `settled` names the data that the daemon put in force last, and `settled.data` holds it.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{CountryData, CountryError};
use crate::fetch::Known;

const INDEX: &str = "index.json";
const SETTLED: &str = "settled";
const SETTLED_DATA: &str = "settled.data";
const LOCK: &str = "lock";

/// Data that is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// Its hash, SHA-256 in hexadecimal, of what is kept here.
    pub sha256: String,
    /// The source, as the configuration makes it: another one is another kind of data.
    pub origin: String,
    /// What it is, for people.
    pub source: String,
    /// The day it was made.
    pub date: Option<Date>,
    /// When it was put here.
    pub kept: Timestamp,
    /// Where each part of it came from.
    pub parts: Vec<Known>,
}

impl Kept {
    /// What tells it from other data: the hashes of its parts.
    pub fn fingerprint(&self) -> String {
        fingerprint(&self.parts)
    }

    fn file(&self) -> String {
        let short = self.sha256.get(..16).unwrap_or_default();
        format!("{short}.bin")
    }
}

/// What is kept, and how the last update went.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Index {
    /// The data in force; None: what ships inside the binary.
    pub current: Option<Kept>,
    /// The data before it; None: what ships inside the binary.
    pub before: Option<Kept>,
    /// The fingerprint of data that the operator went back from: it is not taken again by itself.
    pub left: Option<String>,
    /// When it was last asked for newer data.
    pub checked: Option<Timestamp>,
    /// Updates that failed or were refused since the last good one.
    pub failures: u32,
    /// Why the last one did.
    pub failure: Option<String>,
    /// The server asked to be left alone until then.
    pub later: Option<Timestamp>,
}

/// The place where data is kept.
#[derive(Clone, Debug)]
pub struct Shelf {
    directory: PathBuf,
}

/// Held while the shelf is changed; nobody else changes it meanwhile.
#[derive(Debug)]
pub struct Hold {
    _lock: File,
}

impl Shelf {
    /// The one below a state directory. Nothing is touched.
    pub fn of(state: &Path) -> Self {
        Self {
            directory: state.join("country"),
        }
    }

    /// The directory.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// What is kept; nothing where there is none, or where it cannot be read.
    pub fn index(&self) -> Index {
        let text = fs::read_to_string(self.directory.join(INDEX)).unwrap_or_default();
        serde_json::from_str(&text).unwrap_or_default()
    }

    /// Makes the directory and keeps others from changing it.
    ///
    /// # Errors
    /// `WouldBlock` where another process changes it; else what the system says.
    pub fn hold(&self) -> io::Result<Hold> {
        fs::create_dir_all(&self.directory)?;
        let lock = File::create(self.directory.join(LOCK))?;
        lock.try_lock()?;
        Ok(Hold { _lock: lock })
    }

    /// Reads kept data and checks its hash.
    ///
    /// # Errors
    /// When it cannot be read, or is not what was put there.
    pub fn load(&self, kept: &Kept) -> Result<CountryData, CountryError> {
        let path = self.directory.join(kept.file());
        let bytes = fs::read(&path).map_err(|source| CountryError::Read {
            path: path.clone(),
            source,
        })?;
        if hash(&bytes) != kept.sha256 {
            return Err(CountryError::Builtin {
                path,
                what: "it is not what was put there".into(),
            });
        }
        CountryData::decode(bytes, &path)
    }

    /// The data of an entry of the index: that inside the binary where there is none.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn load_or_builtin(&self, kept: Option<&Kept>) -> Result<CountryData, CountryError> {
        kept.map_or_else(CountryData::builtin, |kept| self.load(kept))
    }

    /// Writes data; it is in force only once the index says so.
    ///
    /// # Errors
    /// When it cannot be compressed or written.
    pub fn put(
        &self,
        _hold: &Hold,
        data: &CountryData,
        origin: &str,
        parts: Vec<Known>,
        now: Timestamp,
    ) -> Result<Kept, CountryError> {
        let bytes = data.encode_quickly()?;
        let kept = Kept {
            sha256: hash(&bytes),
            origin: origin.to_owned(),
            source: data.source.clone(),
            date: data.date,
            kept: now,
            parts,
        };
        let path = self.directory.join(kept.file());
        write(&path, &bytes).map_err(|source| CountryError::Write { path, source })?;
        Ok(kept)
    }

    /// Puts an index in force, and takes away what it does not name.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn set(&self, _hold: &Hold, index: &Index) -> Result<(), CountryError> {
        let path = self.directory.join(INDEX);
        let failed = |source| CountryError::Write {
            path: path.clone(),
            source,
        };
        let text = serde_json::to_vec_pretty(index).map_err(|error| failed(error.into()))?;
        write(&path, &text).map_err(failed)?;
        let named = [&index.current, &index.before];
        let named: Vec<_> = named.into_iter().flatten().map(Kept::file).collect();
        for entry in fs::read_dir(&self.directory).map_err(failed)?.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.ends_with(".bin") && !named.contains(&name) {
                // It is of no use, and the next time tries again.
                let _ = fs::remove_file(entry.path());
            }
        }
        Ok(())
    }

    /// Whether the daemon has put this data in force already.
    pub fn is_settled(&self, kept: Option<&Kept>) -> bool {
        let settled = fs::read_to_string(self.directory.join(SETTLED)).unwrap_or_default();
        settled.trim() == kept.map_or("", |kept| kept.sha256.as_str())
    }

    /// Notes that it has.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn settle(&self, kept: Option<&Kept>) -> Result<(), CountryError> {
        let put = |name: &str, bytes: &[u8]| {
            let path = self.directory.join(name);
            write(&path, bytes).map_err(|source| CountryError::Write { path, source })
        };
        if let Some(kept) = kept {
            let path = self.directory.join(kept.file());
            let bytes = fs::read(&path).map_err(|source| CountryError::Read { path, source })?;
            put(SETTLED_DATA, &bytes)?;
        }
        put(
            SETTLED,
            kept.map_or("", |kept| kept.sha256.as_str()).as_bytes(),
        )
    }

    /// The data that the daemon put in force last: that inside the binary where none was downloaded then.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn settled(&self) -> Result<CountryData, CountryError> {
        match self.is_settled(None) {
            true => CountryData::builtin(),
            false => CountryData::open(&self.directory.join(SETTLED_DATA)),
        }
    }
}

/// What tells downloaded data from other data: the hashes of its parts.
pub(super) fn fingerprint(parts: &[Known]) -> String {
    let hashes: Vec<_> = parts.iter().map(|part| part.sha256.as_str()).collect();
    hashes.join(" ")
}

/// Writes a file beside its place, synced, and puts it there.
fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let mut file = File::create(&beside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&beside, path)?;
    match path.parent() {
        Some(directory) => File::open(directory)?.sync_all(),
        None => Ok(()),
    }
}

fn hash(bytes: &[u8]) -> String {
    let hash = Sha256::digest(bytes);
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(code: &str) -> CountryData {
        let csv = format!("1.0.0.0,1.0.0.255,{code}\n");
        CountryData::decode(csv.into_bytes(), Path::new("a.csv")).unwrap()
    }

    #[test]
    fn data_comes_back_as_it_was_put_and_damage_is_seen() {
        let state = tempfile::tempdir().unwrap();
        let shelf = Shelf::of(state.path());
        assert_eq!(shelf.index(), Index::default());
        assert!(shelf.is_settled(None));
        let hold = shelf.hold().unwrap();
        let again = shelf.hold().unwrap_err();
        assert_eq!(again.kind(), io::ErrorKind::WouldBlock);
        let now = Timestamp::UNIX_EPOCH;
        let mut index = Index::default();
        for code in ["GB", "IE", "FR"] {
            let kept = shelf
                .put(&hold, &data(code), "test", Vec::new(), now)
                .unwrap();
            index.before = index.current.replace(kept);
            shelf.set(&hold, &index).unwrap();
        }
        assert_eq!(shelf.index(), index);
        let kept = index.current.as_ref();
        assert_eq!(
            shelf.load_or_builtin(kept).unwrap().ranges_v4,
            data("FR").ranges_v4
        );
        assert_eq!(
            shelf
                .load_or_builtin(index.before.as_ref())
                .unwrap()
                .ranges_v4,
            data("IE").ranges_v4
        );
        let files = fs::read_dir(shelf.directory()).unwrap().flatten();
        let bins = files.filter(|file| file.path().extension().is_some_and(|end| end == "bin"));
        assert_eq!(bins.count(), 2, "the oldest is gone");
        assert!(!shelf.is_settled(kept));
        assert_eq!(shelf.settled().unwrap(), CountryData::builtin().unwrap());
        shelf.settle(kept).unwrap();
        assert!(shelf.is_settled(kept));
        assert_eq!(shelf.settled().unwrap().ranges_v4, data("FR").ranges_v4);

        let path = shelf.directory().join(kept.unwrap().file());
        let mut bytes = fs::read(&path).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        fs::write(&path, bytes).unwrap();
        let error = shelf.load(kept.unwrap()).unwrap_err().to_string();
        assert!(error.contains("not what was put there"), "{error}");
    }
}
