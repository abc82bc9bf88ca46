//! What is known of a list that is kept.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::provider;
use crate::config::Feed;
use crate::fetch::Known;

/// What is known of a list that is kept; as JSON beside it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// What it was made of: the list of another URL, column or kind is another list.
    pub made_of: String,
    /// When its provider last gave it, or said that there is nothing newer.
    pub checked: Timestamp,
    /// When it last changed.
    pub changed: Timestamp,
    /// Entries, what is not used included.
    pub entries: usize,
    /// Entries that could not be read.
    pub unreadable: u64,
    /// What the servers said of each of its files.
    #[serde(default)]
    pub known: Vec<Known>,
    /// Where the provider is to go on from: APIBAN's ID, the last moment at which CrowdSec gave all, or what a file
    /// is known again by.
    #[serde(default)]
    pub cursor: Option<String>,
}

impl About {
    /// A list of which nothing has come yet.
    pub(super) fn new(feed: &Feed, now: Timestamp) -> Self {
        Self {
            made_of: made_of(feed),
            checked: now,
            changed: now,
            entries: 0,
            unreadable: 0,
            known: Vec::new(),
            cursor: None,
        }
    }

    /// Whether the list is too old to be used: `expiry` has passed since its provider last stood by it.
    pub fn is_over(&self, feed: &Feed, now: Timestamp) -> bool {
        now > self.ends(feed)
    }

    /// When it is too old, unless its provider is heard of before.
    pub fn ends(&self, feed: &Feed) -> Timestamp {
        let end = self.checked.checked_add(feed.expiry);
        end.unwrap_or(Timestamp::MAX)
    }
}

/// What a list is made of, shortened. No key is part of it.
pub(super) fn made_of(feed: &Feed) -> String {
    let text = format!(
        "{} {:?} {:?} {} {:?} {:?} {:?} {:?}",
        feed.kind,
        provider::urls(feed),
        feed.file,
        feed.format,
        feed.column,
        feed.path,
        feed.origins,
        feed.scenarios
    );
    let hash = Sha256::digest(text);
    let bytes = hash.iter().take(8);
    bytes.map(|byte| format!("{byte:02x}")).collect()
}
