//! What others can fetch, and what it is at the moment.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::{BansAs, Counts, Naming, SharedBan, bans_as};

/// One of the things that others can fetch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Page {
    /// The bans in a format.
    Bans(BansAs),
    /// What was passed and dropped, as JSON.
    Counts,
    /// The same for Prometheus.
    Metrics,
}

impl Page {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Bans(BansAs::Plain),
        Self::Bans(BansAs::Nft),
        Self::Bans(BansAs::Ipset),
        Self::Bans(BansAs::Fail2ban),
        Self::Bans(BansAs::Crowdsec),
        Self::Bans(BansAs::Json),
        Self::Bans(BansAs::Csv),
        Self::Counts,
        Self::Metrics,
    ];

    /// Its name as a file, and behind `/` as a path.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bans(BansAs::Plain) => "bans.txt",
            Self::Bans(BansAs::Nft) => "bans.nft",
            Self::Bans(BansAs::Ipset) => "bans.ipset",
            Self::Bans(BansAs::Fail2ban) => "bans.log",
            Self::Bans(BansAs::Crowdsec) => "bans.crowdsec.json",
            Self::Bans(BansAs::Json) => "bans.json",
            Self::Bans(BansAs::Csv) => "bans.csv",
            Self::Counts => "counts.json",
            Self::Metrics => "metrics",
        }
    }

    /// The page of a path.
    pub fn of_path(path: &str) -> Option<Self> {
        let name = path.strip_prefix('/')?;
        Self::ALL.into_iter().find(|page| page.name() == name)
    }

    /// Its media type.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Bans(BansAs::Crowdsec | BansAs::Json) | Self::Counts => "application/json",
            Self::Bans(BansAs::Csv) => "text/csv; charset=utf-8",
            Self::Metrics => "text/plain; version=0.0.4",
            Self::Bans(_) => "text/plain; charset=utf-8",
        }
    }
}

/// The bans and counts of one moment.
#[derive(Debug, Default)]
pub struct Published {
    bans: Vec<SharedBan>,
    counts: Counts,
    /// What the bans are, whenever they are written: times left change by themselves.
    version: String,
    counted: String,
    texts: Mutex<BTreeMap<Page, Arc<str>>>,
}

impl Published {
    /// These bans and counts.
    pub fn new(bans: Vec<SharedBan>, counts: Counts) -> Self {
        let version = digest(&serde_json::to_vec(&bans).unwrap_or_default());
        let counted = digest(counts.json().as_bytes());
        Self {
            bans,
            counts,
            version,
            counted,
            texts: Mutex::default(),
        }
    }

    /// How many bans there are.
    pub fn len(&self) -> usize {
        self.bans.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.bans.is_empty()
    }

    /// What tells one state of a page from another: the same as long as the bans, or the counts, are.
    pub fn version(&self, page: Page) -> &str {
        match page {
            Page::Bans(_) => &self.version,
            Page::Counts | Page::Metrics => &self.counted,
        }
    }

    /// The text of a page; written once, however often it is asked for.
    pub fn text(&self, page: Page) -> Arc<str> {
        let mut texts = self.texts.lock().unwrap_or_else(PoisonError::into_inner);
        let text = texts.entry(page).or_insert_with(|| match page {
            Page::Bans(format) => {
                bans_as(format, &self.bans, &Naming::default(), Timestamp::now()).into()
            }
            Page::Counts => self.counts.json().into(),
            Page::Metrics => self.counts.prometheus().into(),
        });
        Arc::clone(text)
    }
}

/// The first 16 bytes of the SHA-256, in hexadecimal.
fn digest(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(32);
    for byte in Sha256::digest(bytes).iter().take(16) {
        let _ = write!(text, "{byte:02x}");
    }
    text
}
