//! MMDB files whose records hold an autonomous system.
//!
//! | layout | number | name |
//! |---|---|---|
//! | MaxMind, DB-IP, ip-location-db | `autonomous_system_number` | `autonomous_system_organization` |
//! | IPinfo | `asn`, as `AS680` | `as_name`, or `name` |

use std::path::Path;

use maxminddb::{LookupResult, Reader};
use serde::Deserialize;

use super::error::AsnError;
use super::gather::{Gathered, NOBODY, number};
use crate::country::mmdb::{about, each};

/// Reads a whole database.
pub(super) fn read(bytes: Vec<u8>, path: &Path, all: &mut Gathered) -> Result<(), AsnError> {
    let damaged = |what: String| AsnError::Mmdb {
        path: path.to_owned(),
        what,
    };
    let reader = Reader::from_source(bytes).map_err(|error| damaged(error.to_string()))?;
    let mut found = false;
    let mut names = Vec::new();
    let system = |network: &LookupResult<'_, Vec<u8>>| {
        let record: Option<Record<'_>> = network.decode()?;
        let (number, name) = record.map_or((NOBODY, ""), |record| record.system());
        if number != NOBODY {
            found = true;
            names.push((number, name.to_owned()));
        }
        Ok(number)
    };
    each(&reader, system, |ends, number| all.push(ends, number)).map_err(damaged)?;
    if !found {
        return Err(AsnError::NoSystems {
            path: path.to_owned(),
            kind: reader.metadata().database_type.clone(),
        });
    }
    for (number, name) in names {
        all.name(number, &name);
    }
    let (source, date) = about(&reader, path);
    all.source(source, date);
    Ok(())
}

/// The fields of a record that are read, in every layout.
#[derive(Deserialize)]
struct Record<'a> {
    #[serde(default)]
    autonomous_system_number: Option<u32>,
    #[serde(borrow, default)]
    autonomous_system_organization: Option<&'a str>,
    #[serde(borrow, default)]
    asn: Option<Number<'a>>,
    #[serde(borrow, default)]
    as_name: Option<&'a str>,
    #[serde(borrow, default)]
    name: Option<Name<'a>>,
}

/// A number, or a text with one.
#[derive(Deserialize)]
#[serde(untagged)]
enum Number<'a> {
    Plain(u32),
    Text(&'a str),
    Other(serde::de::IgnoredAny),
}

/// A name, or something else that is not read.
#[derive(Deserialize)]
#[serde(untagged)]
enum Name<'a> {
    Text(&'a str),
    Other(serde::de::IgnoredAny),
}

impl<'a> Record<'a> {
    fn system(self) -> (u32, &'a str) {
        let number = self.autonomous_system_number.or(match self.asn {
            Some(Number::Plain(number)) => Some(number),
            Some(Number::Text(text)) => number(text),
            Some(Number::Other(_)) | None => None,
        });
        let name = match self.name {
            Some(Name::Text(name)) => Some(name),
            Some(Name::Other(_)) | None => None,
        };
        let name = self
            .autonomous_system_organization
            .or(self.as_name)
            .or(name);
        (number.unwrap_or(NOBODY), name.unwrap_or_default())
    }
}
