//! Which country data holds, by the configuration and by what was downloaded.

use std::path::Path;

use super::shelf::{Kept, Shelf};
use super::{CountryData, CountryError};
use crate::config::{CountryOrigin, CountrySource};

/// The country data that holds.
#[derive(Clone, Debug)]
pub struct InForce {
    /// The data.
    pub data: CountryData,
    /// What is known of it, where it was downloaded.
    pub kept: Option<Kept>,
    /// Why it is not the data that it should be.
    pub trouble: Option<String>,
}

/// Finds and reads it. Where downloaded data is damaged the one before it holds, then that inside the binary; so it is as
/// long as nothing was downloaded.
///
/// # Errors
/// When a file that the configuration names cannot be read.
pub fn in_force(origin: &CountryOrigin, state: &Path) -> Result<InForce, CountryError> {
    let plain = |data| InForce {
        data,
        kept: None,
        trouble: None,
    };
    match origin.source {
        CountrySource::Builtin => return CountryData::builtin().map(plain),
        CountrySource::File => return CountryData::open_all(&origin.files).map(plain),
        _ => {}
    }
    let shelf = Shelf::of(state);
    let index = shelf.index();
    let mut trouble = None;
    for kept in [index.current, index.before].into_iter().flatten() {
        match shelf.load(&kept) {
            Ok(data) => {
                return Ok(InForce {
                    data,
                    kept: Some(kept),
                    trouble,
                });
            }
            Err(error) => {
                trouble.get_or_insert_with(|| {
                    format!("{error}; older country data holds until the next update")
                });
            }
        }
    }
    Ok(InForce {
        data: CountryData::builtin()?,
        kept: None,
        trouble,
    })
}
