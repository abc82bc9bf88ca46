//! What has come of a download so far: `NAME.part`, and beside it how the server knows it again.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use ureq::http::{HeaderMap, HeaderName, header};

use super::checksum::hex;
use super::error::FetchError;
use super::known::put;

/// A validator is not kept when it is longer, in bytes.
const LONGEST: usize = 1024;

/// How much of a file tells what it is.
const BEGIN: usize = 2048;

/// By what a server knows one state of a file (RFC 9110, section 8.8).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Validator {
    pub etag: Option<String>,
    pub last_modified: Option<String>,
}

impl Validator {
    pub fn of(headers: &HeaderMap) -> Self {
        let field = |name: HeaderName| {
            let text = headers.get(name)?.to_str().ok()?;
            (1..=LONGEST).contains(&text.len()).then(|| text.to_owned())
        };
        Self {
            etag: field(header::ETAG),
            last_modified: field(header::LAST_MODIFIED),
        }
    }

    /// The one that `If-Range` takes: no weak tag.
    fn strong(&self) -> Option<&str> {
        let etag = self.etag.as_deref().filter(|etag| !etag.starts_with("W/"));
        etag.or(self.last_modified.as_deref())
    }
}

/// What stands beside a part.
#[derive(Debug, Serialize, Deserialize)]
struct Beside {
    url_hash: String,
    validator: Validator,
}

/// A download that is not whole yet. Its file is locked.
#[derive(Debug)]
pub(super) struct Part {
    into: PathBuf,
    path: PathBuf,
    beside: PathBuf,
    url_hash: String,
    file: File,
    have: u64,
    validator: Validator,
}

impl Part {
    /// Opens what is there of the URL, or begins.
    pub fn open(into: &Path, url_hash: &str) -> Result<Self, FetchError> {
        let path = with(into, ".part");
        let beside = with(into, ".part.json");
        let wrong = |source| file_error(&path, source);
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(&path)
            .map_err(wrong)?;
        let busy = || FetchError::Busy {
            path: into.to_owned(),
        };
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(busy()),
            Err(TryLockError::Error(source)) => return Err(wrong(source)),
        }
        // Who had the lock before may have renamed the file: then it is data in force.
        let opened = file.metadata().map_err(wrong)?;
        let there = std::fs::metadata(&path).ok();
        if there.is_none_or(|there| there.ino() != opened.ino()) {
            return Err(busy());
        }
        let known = std::fs::read(&beside).ok();
        let known = known.and_then(|text| serde_json::from_slice::<Beside>(&text).ok());
        let mut part = Self {
            into: into.to_owned(),
            path,
            beside,
            url_hash: url_hash.to_owned(),
            file,
            have: opened.len(),
            validator: Validator::default(),
        };
        match known.filter(|known| known.url_hash == url_hash) {
            Some(known) => {
                part.validator = known.validator;
                part.end()
                    .map_err(|source| file_error(&part.path, source))?;
            }
            None => part.empty()?,
        }
        Ok(part)
    }

    /// Bytes that are there.
    pub fn have(&self) -> u64 {
        self.have
    }

    /// By what the rest can be asked for.
    pub fn strong(&self) -> Option<&str> {
        self.validator.strong().filter(|_| self.have > 0)
    }

    /// Whether a partial answer begins where this ends, in the same state of the file.
    pub fn continued_by(&self, headers: &HeaderMap) -> bool {
        let range = headers.get(header::CONTENT_RANGE);
        let range = range.and_then(|value| value.to_str().ok());
        let begin = range
            .and_then(|text| text.trim().strip_prefix("bytes "))
            .and_then(|text| text.split('-').next())
            .and_then(|begin| begin.trim().parse::<u64>().ok());
        let theirs = Validator::of(headers);
        let same = |ours: &Option<String>, theirs: &Option<String>| {
            theirs.is_none() || ours.is_none() || ours == theirs
        };
        begin == Some(self.have)
            && same(&self.validator.etag, &theirs.etag)
            && same(&self.validator.last_modified, &theirs.last_modified)
    }

    /// Throws away what is there.
    pub fn empty(&mut self) -> Result<(), FetchError> {
        let emptied = self.file.set_len(0).and_then(|()| self.file.rewind());
        emptied.map_err(|source| file_error(&self.path, source))?;
        self.have = 0;
        self.validator = Validator::default();
        Ok(())
    }

    /// Begins a file that the server knows by `validator`.
    pub fn begin(&mut self, validator: Validator) -> Result<(), FetchError> {
        self.empty()?;
        self.validator = validator;
        let beside = Beside {
            url_hash: self.url_hash.clone(),
            validator: self.validator.clone(),
        };
        let text = serde_json::to_vec(&beside).map_err(io::Error::other);
        let written = text.and_then(|text| put(&self.beside, &text));
        written.map_err(|source| file_error(&self.beside, source))
    }

    pub fn file(&mut self) -> &mut File {
        &mut self.file
    }

    /// Ends for now: what is there stays if the rest can be asked for, and `worth` says that it is worth it.
    pub fn keep(self, worth: bool) {
        if !worth || self.validator.strong().is_none() {
            self.remove();
        }
    }

    /// Removes what is there.
    pub fn remove(self) {
        // What stays is found, and thrown away, by the next download.
        let _ = std::fs::remove_file(&self.beside);
        let _ = std::fs::remove_file(&self.path);
    }

    /// The beginning of the file, its SHA-256 and its bytes. Afterwards all of it is on the disk.
    pub fn sum(&mut self) -> Result<(Vec<u8>, String, u64), FetchError> {
        self.summed()
            .map_err(|source| file_error(&self.path, source))
    }

    fn summed(&mut self) -> io::Result<(Vec<u8>, String, u64)> {
        self.file.sync_all()?;
        self.file.rewind()?;
        let mut hash = Sha256::new();
        let mut begin = Vec::new();
        let mut size = 0;
        let mut piece = vec![0; 64 << 10];
        loop {
            let read = self.file.read(&mut piece)?;
            let fresh = piece.get(..read).unwrap_or_default();
            if fresh.is_empty() {
                return Ok((begin, hex(hash), size));
            }
            let room = BEGIN.saturating_sub(begin.len());
            begin.extend(fresh.iter().take(room));
            hash.update(fresh);
            size += read as u64;
        }
    }

    /// Puts the file in its place.
    pub fn rename(self) -> Result<(), FetchError> {
        let renamed = std::fs::rename(&self.path, &self.into);
        renamed.map_err(|source| file_error(&self.into, source))?;
        // It says nothing without its part.
        let _ = std::fs::remove_file(&self.beside);
        Ok(())
    }

    fn end(&mut self) -> io::Result<()> {
        self.file.seek(SeekFrom::End(0)).map(|_| ())
    }
}

pub(super) fn file_error(path: &Path, source: io::Error) -> FetchError {
    FetchError::File {
        path: path.to_owned(),
        source,
    }
}

fn with(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    PathBuf::from(name)
}
