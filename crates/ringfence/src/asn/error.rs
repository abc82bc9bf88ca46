//! What can be wrong with the data of autonomous systems.

use std::path::PathBuf;

use crate::fetch::FetchError;

/// Why data of autonomous systems was refused.
#[derive(Debug, thiserror::Error)]
pub enum AsnError {
    /// The file cannot be read or unpacked.
    #[error(transparent)]
    File(#[from] FetchError),
    /// The file is an MMDB and damaged.
    #[error("the MMDB database {} is damaged ({what}); download it again", path.display())]
    Mmdb {
        /// The file.
        path: PathBuf,
        /// What was found.
        what: String,
    },
    /// The file is an MMDB without autonomous systems.
    #[error(
        "the MMDB database {} (type {kind:?}) holds no autonomous systems; expected \
         `autonomous_system_number` or `asn` in its records, as GeoLite2-ASN has", path.display()
    )]
    NoSystems {
        /// The file.
        path: PathBuf,
        /// The type that the database gives itself.
        kind: String,
    },
    /// A line of a CSV file cannot be read.
    #[error(
        "{}:{line}: {what}; expected first address, last address, number and name, as in \
         192.0.2.0,192.0.2.255,64496,Example", path.display()
    )]
    Csv {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// What is wrong with it.
        what: String,
    },
}
