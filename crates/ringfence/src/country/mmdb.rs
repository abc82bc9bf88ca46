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
use jiff::tz::TimeZone;
use maxminddb::{MaxMindDbError, Reader, WithinOptions};
use serde::Deserialize;

use super::{Country, CountryData, CountryError, Gathered};

/// What begins the metadata, within the last 128 KiB of every MMDB file.
const MARKER: &[u8] = b"\xab\xcd\xefMaxMind.com";
const MARKER_REACH: usize = 128 * 1024;

/// Whether the bytes end as an MMDB file does.
pub(super) fn has_marker(bytes: &[u8]) -> bool {
    let tail = &bytes[bytes.len().saturating_sub(MARKER_REACH)..];
    tail.windows(MARKER.len()).any(|window| window == MARKER)
}

/// Reads a whole database.
pub(super) fn decode(bytes: Vec<u8>, path: &Path) -> Result<CountryData, CountryError> {
    let damaged = |what: String| CountryError::Mmdb {
        path: path.to_owned(),
        what,
    };
    let broken = |error: MaxMindDbError| damaged(error.to_string());

    let reader = Reader::from_source(bytes).map_err(broken)?;
    let metadata = reader.metadata();
    // Leaves that the iterator yields are at most one more than nodes, unless the tree shares
    // nodes, as only a forged one does beyond the IPv4 aliases that are skipped. Empty leaves are
    // asked for as well so that each step of the walk is counted.
    let most = u64::from(metadata.node_count) * 2 + 2;
    let options = WithinOptions::default().include_networks_without_data();

    let mut gathered = Gathered::default();
    let mut by_record: HashMap<usize, Country> = HashMap::new();
    let mut found = false;
    for (step, network) in (0..).zip(reader.networks(options).map_err(broken)?) {
        if step > most {
            return Err(damaged("its search tree runs in circles".to_owned()));
        }
        let network = network.map_err(broken)?;
        let Some(record) = network.offset() else {
            continue;
        };
        let country = match by_record.get(&record) {
            Some(country) => *country,
            None => {
                let code = network
                    .decode::<Record<'_>>()
                    .map_err(broken)?
                    .and_then(Record::code);
                found |= code.is_some();
                let country = gathered.country(code.unwrap_or(""));
                by_record.insert(record, country);
                country
            }
        };
        let network = network.network().map_err(broken)?;
        match network.ip() {
            IpAddr::V4(first) => {
                let host_bits = u32::MAX
                    .checked_shr(u32::from(network.prefix()))
                    .unwrap_or(0);
                gathered.push_v4(first.to_bits(), first.to_bits() | host_bits, country);
            }
            IpAddr::V6(first) => {
                let host_bits = u128::MAX
                    .checked_shr(u32::from(network.prefix()))
                    .unwrap_or(0);
                gathered.push_v6(first.to_bits(), first.to_bits() | host_bits, country);
            }
        }
    }
    if !found {
        let kind = metadata.database_type.clone();
        return Err(CountryError::NoCodes {
            path: path.to_owned(),
            kind,
        });
    }

    let date = i64::try_from(metadata.build_epoch)
        .ok()
        .and_then(|epoch| Timestamp::from_second(epoch).ok())
        .map(|built| built.to_zoned(TimeZone::UTC).date());
    let name = path
        .file_name()
        .unwrap_or(path.as_os_str())
        .to_string_lossy();
    let source = format!("{name} ({})", metadata.database_type);
    Ok(gathered.finish(source, None, date))
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
