//! What can be wrong with country data.

use std::io;
use std::path::PathBuf;

use ringfence_core::country::LoadError;

/// Why country data was refused. The data in force stays.
#[derive(Debug, thiserror::Error)]
pub enum CountryError {
    /// The file could not be read.
    #[error("cannot read the country data {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file could not be written.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is of no kind that is known.
    #[error(
        "{} is neither an MMDB database (or its end is missing) nor a CSV of ranges; \
         download it again, or name a .mmdb file that has country codes", path.display()
    )]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// The file is an MMDB and damaged.
    #[error("the MMDB database {} is damaged ({what}); download it again", path.display())]
    Mmdb {
        /// The file.
        path: PathBuf,
        /// What was found.
        what: String,
    },
    /// The file is an MMDB without countries.
    #[error(
        "the MMDB database {} (type {kind:?}) holds no country codes; expected `country.iso_code`, \
         `country_code` or `country` in its records, as country and city databases have", path.display()
    )]
    NoCodes {
        /// The file.
        path: PathBuf,
        /// The type that the database states.
        kind: String,
    },
    /// A line of a CSV file is not a range.
    #[error("{}:{line}: {what}; expected `first address,last address,country code`", path.display())]
    Csv {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What was found.
        what: String,
    },
    /// Data in the shipped format is damaged or of another version.
    #[error("the country data {} is damaged ({what}); build or install it again", path.display())]
    Builtin {
        /// The file, or words for the data inside the binary.
        path: PathBuf,
        /// What was found.
        what: String,
    },
    /// Compression failed.
    #[error("cannot compress the country data: {0}")]
    Compress(io::Error),
    /// The data does not fit the table.
    #[error("the country data {from:?} does not fit: {why}")]
    Compile {
        /// The source of the data.
        from: String,
        /// What it needs.
        why: LoadError,
    },
    /// No memory for the table.
    #[error("no memory for the country table; it takes 6 MB")]
    Memory,
}
