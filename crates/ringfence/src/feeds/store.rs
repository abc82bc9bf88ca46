//! The last good state of a feed, in a directory of its own, so that a restart needs no network.

use std::fs::{self, DirBuilder, File};
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::about::{About, made_of};
use super::dated::Dated;
use super::parse::{Gathered, read};
use super::{FeedError, Nets, provider};
use crate::config::{Feed, FeedKind};

/// Where the last good state of a feed is: `STATE/feeds/NAME`.
#[derive(Debug, Clone)]
pub struct Shelf {
    directory: PathBuf,
}

/// A list that is used.
#[derive(Debug, Clone)]
pub struct Good {
    /// Its entries.
    pub nets: Nets,
    /// What is known of it.
    pub about: About,
}

impl Shelf {
    /// That of a feed below the state directory.
    pub fn new(state: &Path, feed: &Feed) -> Self {
        Self {
            directory: state.join("feeds").join(&feed.name),
        }
    }

    /// One in a directory of its own.
    pub fn at(directory: &Path) -> Self {
        Self {
            directory: directory.to_owned(),
        }
    }

    /// The file of a part of the list.
    pub(super) fn list(&self, part: usize) -> PathBuf {
        self.directory.join(format!("list.{part}"))
    }

    /// Where a part is downloaded to, and where it is unpacked.
    pub(super) fn fresh(&self, part: usize) -> [PathBuf; 2] {
        ["packed", "new"].map(|what| self.directory.join(format!("{what}.{part}")))
    }

    fn about(&self) -> PathBuf {
        self.directory.join("about.json")
    }

    fn dated(&self) -> PathBuf {
        self.directory.join("dated")
    }

    /// Makes the directory.
    pub(super) fn make(&self) -> Result<(), FeedError> {
        let made = DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.directory);
        made.map_err(|source| file_error(&self.directory, source))
    }

    /// The last good state, if there is one of this feed as it is configured now. One that is over is none.
    ///
    /// # Errors
    /// When it is there and cannot be read.
    pub fn load(&self, feed: &Feed, now: Timestamp) -> Result<Option<Good>, FeedError> {
        let Some(mut about) = self.load_about(feed) else {
            return Ok(None);
        };
        if about.is_over(feed, now) {
            return Ok(None);
        }
        let nets = if is_dated(feed) {
            self.load_dated(now)?.nets()
        } else {
            let parts = provider::urls(feed).len().max(1);
            let files: Vec<_> = (0..parts).map(|part| self.list(part)).collect();
            read_files(feed, &files)?.0
        };
        about.entries = nets.len();
        Ok(Some(Good { nets, about }))
    }

    /// What is known of the last good state, over or not.
    pub fn load_about(&self, feed: &Feed) -> Option<About> {
        let text = fs::read_to_string(self.about()).ok()?;
        let about: About = serde_json::from_str(&text).ok()?;
        (about.made_of == made_of(feed)).then_some(about)
    }

    pub(super) fn save_about(&self, about: &About) -> Result<(), FeedError> {
        let path = self.about();
        put(&path, &serde_json::to_vec_pretty(about)?)
    }

    pub(super) fn load_dated(&self, now: Timestamp) -> Result<Dated, FeedError> {
        let path = self.dated();
        let mut dated = match fs::read_to_string(&path) {
            Ok(text) => Dated::read(&text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Dated::default(),
            Err(source) => return Err(file_error(&path, source)),
        };
        dated.prune(now);
        Ok(dated)
    }

    pub(super) fn save_dated(&self, dated: &Dated) -> Result<(), FeedError> {
        put(&self.dated(), dated.write().as_bytes())
    }
}

/// Whether the provider tells only what is new.
pub(super) fn is_dated(feed: &Feed) -> bool {
    matches!(feed.kind, FeedKind::Apiban | FeedKind::Crowdsec)
}

/// Reads the files of a list as one; with it how many entries could not be read.
pub(super) fn read_files(feed: &Feed, files: &[PathBuf]) -> Result<(Nets, u64), FeedError> {
    let mut gathered = Gathered::new(feed.max);
    for path in files {
        let wrong = |source| file_error(path, source);
        let mut reader = BufReader::with_capacity(256 << 10, File::open(path).map_err(wrong)?);
        let begin = reader.fill_buf().map_err(wrong)?;
        let first = begin
            .iter()
            .find(|byte| !byte.is_ascii_whitespace())
            .copied();
        let form = provider::form(feed, first);
        read(&form, &mut reader, &mut gathered)?;
    }
    gathered.finish()
}

/// Writes a file whole or not at all.
fn put(path: &Path, bytes: &[u8]) -> Result<(), FeedError> {
    let wrong = |source| file_error(path, source);
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let mut file = File::create(&beside).map_err(wrong)?;
    file.write_all(bytes).map_err(wrong)?;
    file.sync_all().map_err(wrong)?;
    fs::rename(&beside, path).map_err(wrong)
}

pub(super) fn file_error(path: &Path, source: io::Error) -> FeedError {
    FeedError::File {
        path: path.to_owned(),
        source,
    }
}
