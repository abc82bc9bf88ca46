//! What is known of data that was downloaded.

use std::io::{self, Write};
use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Where data came from and how a server knows it again; kept as JSON beside the data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    /// The URL that was asked, without secrets.
    pub url: String,
    /// The beginning of the SHA-256 of the whole URL: validators hold for one URL alone.
    pub url_hash: String,
    /// `ETag` of the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub etag: Option<String>,
    /// `Last-Modified` of the answer, as the server wrote it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_modified: Option<String>,
    /// SHA-256 of what was downloaded, in hexadecimal.
    pub sha256: String,
    /// Its bytes.
    pub size: u64,
    /// When it was downloaded.
    pub fetched: Timestamp,
    /// When the server last said that there is nothing newer, or gave it.
    pub checked: Timestamp,
}

impl Known {
    /// Reads the JSON at `path`. Nothing where there is none, or where it is none: then all is asked anew.
    pub fn load(path: &Path) -> Option<Self> {
        let text = std::fs::read_to_string(path).ok()?;
        serde_json::from_str(&text).ok()
    }

    /// Writes the JSON to `path`: beside it, then renamed.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn save(&self, path: &Path) -> io::Result<()> {
        let mut text = serde_json::to_vec_pretty(self).map_err(io::Error::other)?;
        text.push(b'\n');
        put(path, &text)
    }
}

/// Writes a file whole or not at all: to `PATH.new`, synced, renamed.
pub(super) fn put(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let mut file = std::fs::File::create(&beside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&beside, path)
}
