//! Why the host's firewall could not be put in force.

use std::io;
use std::path::PathBuf;

use crate::nft::NftError;

/// Why the host's firewall could not be put in force.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// nftables did not do as told.
    #[error(transparent)]
    Nft(#[from] NftError),
    /// What must last cannot be kept.
    #[error("cannot {what} {}: {source}; see that the state directory can be written", path.display())]
    File {
        /// What was to be done.
        what: &'static str,
        /// With which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file is not as it was written.
    #[error("{} is damaged: {source}; remove it and apply the rules anew with `ringfence host apply`", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// Nobody would bring back what stood before.
    #[error("nothing was changed, since nobody would take the trial back: {0}")]
    Timer(io::Error),
    /// The rules would lock the administrator out.
    #[error("these rules would shut out your SSH session; {0}, or go on with --yes")]
    LockedOut(String),
    /// There is nothing to confirm any more.
    #[error(
        "nobody confirmed in time: what stood before is back; `ringfence host apply --confirm 60s` tries again"
    )]
    Over,
}
