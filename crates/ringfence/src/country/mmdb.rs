//! MMDB files: any database whose records hold a country code, in the four layouts in use.
//!
//! | layout | where the code is |
//! |---|---|
//! | MaxMind, DB-IP, IP2Location | `country.iso_code`, else `registered_country.iso_code` |
//! | IPinfo, free databases | `country_code`, beside a `country` that is a name |
//! | IPinfo, older | `country`, a code |
//! | ip-location-db | `country_code` |

use std::collections::HashMap;
use std::net::IpAddr;
use std::path::Path;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use maxminddb::{LookupResult, MaxMindDbError, Reader, WithinOptions};
use serde::Deserialize;

use super::csv::Ends;
use super::{CountryData, CountryError, Gathered};

/// What begins the metadata, within the last 128 KiB of every MMDB file.
const MARKER: &[u8] = b"\xab\xcd\xefMaxMind.com";
const MARKER_REACH: usize = 128 * 1024;

/// Whether the bytes end as an MMDB file does.
pub(crate) fn has_marker(bytes: &[u8]) -> bool {
    let tail = &bytes[bytes.len().saturating_sub(MARKER_REACH)..];
    tail.windows(MARKER.len()).any(|window| window == MARKER)
}

/// Reads a whole database.
pub(super) fn decode(bytes: Vec<u8>, path: &Path) -> Result<CountryData, CountryError> {
    let damaged = |what: String| CountryError::Mmdb {
        path: path.to_owned(),
        what,
    };
    let reader = Reader::from_source(bytes).map_err(|error| damaged(error.to_string()))?;
    let metadata = reader.metadata();
    let (mut gathered, mut codes) = (Gathered::default(), Gathered::default());
    let mut found = false;
    let country = |network: &LookupResult<'_, Vec<u8>>| {
        let code = network.decode::<Record<'_>>()?.and_then(Record::code);
        found |= code.is_some();
        Ok(codes.country(code.unwrap_or("")))
    };
    each(&reader, country, |ends, country| match ends {
        Ends::V4(first, last) => gathered.push_v4(first, last, country),
        Ends::V6(first, last) => gathered.push_v6(first, last, country),
    })
    .map_err(damaged)?;
    gathered.unknown_codes = codes.unknown_codes;
    if !found {
        let kind = metadata.database_type.clone();
        return Err(CountryError::NoCodes {
            path: path.to_owned(),
            kind,
        });
    }

    let (source, date) = about(&reader, path);
    Ok(gathered.finish(source, None, date))
}

/// What a database is called, and the day it was made.
pub(crate) fn about(reader: &Reader<Vec<u8>>, path: &Path) -> (String, Option<Date>) {
    let metadata = reader.metadata();
    let date = i64::try_from(metadata.build_epoch)
        .ok()
        .and_then(|epoch| Timestamp::from_second(epoch).ok())
        .map(|built| built.to_zoned(TimeZone::UTC).date());
    let name = path
        .file_name()
        .unwrap_or(path.as_os_str())
        .to_string_lossy();
    (format!("{name} ({})", metadata.database_type), date)
}

/// Gives `put` every network that has a record, and what `value` made of the record, which is asked once for each.
///
/// # Errors
/// Says what is wrong with the database.
pub(crate) fn each<V: Copy>(
    reader: &Reader<Vec<u8>>,
    mut value: impl FnMut(&LookupResult<'_, Vec<u8>>) -> Result<V, MaxMindDbError>,
    mut put: impl FnMut(Ends, V),
) -> Result<(), String> {
    let broken = |error: MaxMindDbError| error.to_string();
    // Leaves that the iterator yields are at most one more than nodes, unless the tree shares
    // nodes, as only a forged one does beyond the IPv4 aliases that are skipped. Empty leaves are
    // asked for as well so that each step of the walk is counted.
    let most = u64::from(reader.metadata().node_count) * 2 + 2;
    let options = WithinOptions::default().include_networks_without_data();
    let mut by_record: HashMap<usize, V> = HashMap::new();
    for (step, network) in (0..).zip(reader.networks(options).map_err(broken)?) {
        if step > most {
            return Err("its search tree runs in circles".to_owned());
        }
        let network = network.map_err(broken)?;
        let Some(record) = network.offset() else {
            continue;
        };
        let value = match by_record.get(&record) {
            Some(value) => *value,
            None => {
                let value = value(&network).map_err(broken)?;
                by_record.insert(record, value);
                value
            }
        };
        let network = network.network().map_err(broken)?;
        let length = u32::from(network.prefix());
        put(
            match network.ip() {
                IpAddr::V4(first) => {
                    let first = first.to_bits();
                    Ends::V4(first, first | u32::MAX.checked_shr(length).unwrap_or(0))
                }
                IpAddr::V6(first) => {
                    let first = first.to_bits();
                    Ends::V6(first, first | u128::MAX.checked_shr(length).unwrap_or(0))
                }
            },
            value,
        );
    }
    Ok(())
}

/// The fields of a record that may hold the code, in every layout.
#[derive(Deserialize)]
struct Record<'a> {
    #[serde(borrow, default)]
    country_code: Option<Field<'a>>,
    #[serde(borrow, default)]
    country: Option<Field<'a>>,
    #[serde(borrow, default)]
    registered_country: Option<Field<'a>>,
}

/// A code by itself, a place that has one, or something else that is not read.
#[derive(Deserialize)]
#[serde(untagged)]
enum Field<'a> {
    Code(&'a str),
    Place {
        #[serde(borrow)]
        iso_code: Option<&'a str>,
    },
    Other(serde::de::IgnoredAny),
}

impl<'a> Record<'a> {
    /// The code, from the surest field to the least; a name in a field of codes is passed over.
    fn code(self) -> Option<&'a str> {
        [self.country_code, self.country, self.registered_country]
            .into_iter()
            .flatten()
            .find_map(|field| {
                match field {
                    Field::Code(code) => Some(code),
                    Field::Place { iso_code } => iso_code,
                    Field::Other(_) => None,
                }
                .filter(|code| {
                    code.len() == 2 && code.bytes().all(|byte| byte.is_ascii_alphabetic())
                })
            })
    }
}
