//! What others are given.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::address::AddressRange;

/// Bans and counts for others: `[share]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Share {
    /// Where they are served over HTTP.
    pub http: Option<SocketAddr>,
    /// Who may ask there, besides this host's loopback.
    pub allow: Vec<AddressRange>,
    /// The directory that they are written to.
    pub files: Option<PathBuf>,
    /// Whether bans on evidence that may be forged are left out.
    pub proved_only: bool,
    /// How often they are brought up to date at most, ten seconds to one hour.
    pub every: Duration,
}

impl Default for Share {
    fn default() -> Self {
        Self {
            http: None,
            allow: Vec::new(),
            files: None,
            proved_only: true,
            every: Duration::from_secs(30),
        }
    }
}
