//! Downloads from servers of every manner.

mod conditions;
mod cut;
mod limits;
mod packed;
mod redirects;
mod refused;
mod secure;

use std::path::{Path, PathBuf};
use std::time::Duration;

use ringfence_lab::provider::Provider;
use tempfile::TempDir;

use super::{Ask, FetchError, Got, Known, Limits, Silent, fetch};

/// A server and a place for what it gives.
struct Place {
    server: Provider,
    directory: TempDir,
}

impl Place {
    fn new() -> Self {
        Self {
            server: Provider::start().unwrap(),
            directory: tempfile::tempdir().unwrap(),
        }
    }

    fn file(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    fn ask(&self, path: &str) -> Ask {
        Ask::new(&self.server.url(path)).limits(quick())
    }

    fn fetch(&self, ask: &Ask) -> Result<Got, FetchError> {
        fetch(ask, &self.file(), &Silent)
    }

    fn new_data(&self, ask: &Ask) -> Known {
        match self.fetch(ask).unwrap() {
            Got::New(known) => known,
            same => panic!("{same:?}"),
        }
    }

    fn held(&self) -> Vec<u8> {
        std::fs::read(self.file()).unwrap()
    }

    /// The names of all files there.
    fn names(&self) -> Vec<String> {
        names(self.directory.path())
    }
}

fn names(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// Limits that a test can wait for.
fn quick() -> Limits {
    Limits {
        connect: Duration::from_secs(2),
        silence: Duration::from_millis(700),
        pace: Duration::from_millis(300),
        least: 1000,
        whole: Duration::from_secs(5),
    }
}

/// Bytes that are no web page and compress badly.
fn data(size: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8 | 0x80
    };
    (0..size).map(|_| next()).collect()
}
