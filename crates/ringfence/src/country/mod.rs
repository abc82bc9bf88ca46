//! Country data: where it comes from and how it becomes the table that the judge reads.
//!
//! A source (the data inside the binary, an MMDB file, a CSV file of ranges) is read into
//! [`CountryData`]: ranges that neither overlap nor touch a neighbour of the same country.
//! [`CountryData::compile`] turns them into a [`CountryTable`].

mod builtin;
mod compare;
pub(crate) mod csv;
mod download;
mod error;
mod geoip_conf;
mod grace;
mod groups;
mod in_force;
pub(crate) mod mmdb;
mod names;
mod policy;
mod providers;
pub(crate) mod ranges;
mod report;
mod sanity;
mod schedule;
mod shelf;
mod subjects;
mod update;

#[cfg(test)]
pub(crate) mod fixture;
#[cfg(test)]
mod month_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod update_tests;

use std::collections::BTreeSet;
use std::path::Path;

use jiff::civil::Date;
pub use ringfence_core::country::{Country, CountrySet, CountryTable};
use zerocopy::FromZeros;

pub use self::compare::{Piece, all_differences, differences};
pub use self::error::CountryError;
pub use self::grace::{Care, care};
pub use self::groups::{GROUPS, Group};
pub use self::in_force::{InForce, in_force};
pub use self::names::country_name;
pub use self::policy::{Access, Admitted, Affected, Count, Effect, Subject, Who, affected};
use self::ranges::{Range, resolve, starts};
pub use self::report::{GRACE_DAYS, Report, affected_line, who};
pub use self::sanity::{Bounds, doubts};
pub use self::schedule::next;
pub use self::shelf::{Hold, Index, Kept, Shelf};
pub use self::subjects::subjects;
pub use self::update::{Outcome, Task, UpdateError, key, rollback, update, withdraw};

/// Which addresses belong to which country, from one source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CountryData {
    /// First and last address in host order, and the country; ascending, apart, never `ZZ`.
    pub ranges_v4: Vec<(u32, u32, Country)>,
    /// The same over the upper 64 bits of IPv6 addresses. A /64 that a source divides belongs to
    /// the country of its first address.
    pub ranges_v6: Vec<(u64, u64, Country)>,
    /// What the data is and where it came from, to be shown to people.
    pub source: String,
    /// The licence under which it may be passed on, where the source states one.
    pub licence: Option<String>,
    /// The day the data was made, where the source states it.
    pub date: Option<Date>,
    /// Codes that the source uses and ISO 3166-1 does not list; their addresses are `ZZ`.
    pub unknown_codes: BTreeSet<String>,
}

impl CountryData {
    /// The data that ships inside the binary.
    pub fn builtin() -> Result<Self, CountryError> {
        builtin::decode(builtin::EMBEDDED, Path::new("the data inside the binary"))
    }

    /// Reads a file, by its content: MMDB, a CSV of ranges, or the format of the shipped data.
    pub fn open(path: &Path) -> Result<Self, CountryError> {
        let bytes = std::fs::read(path).map_err(|source| CountryError::Read {
            path: path.to_owned(),
            source,
        })?;
        Self::decode(bytes, path)
    }

    /// Reads several files as one; where two disagree about an address, the narrower range
    /// holds, and of equal ranges the later file's. The date is the oldest.
    pub fn open_all<P: AsRef<Path>>(paths: &[P]) -> Result<Self, CountryError> {
        let all = paths.iter().map(|path| Self::open(path.as_ref()));
        Ok(Self::join(all.collect::<Result<_, _>>()?))
    }

    /// Several sets as one, in the manner of [`open_all`](Self::open_all).
    pub fn join(parts: Vec<Self>) -> Self {
        let mut parts = parts.into_iter();
        let Some(mut joined) = parts.next() else {
            return Gathered::default().finish(String::new(), None, None);
        };
        let rest: Vec<Self> = parts.collect();
        if rest.is_empty() {
            return joined;
        }
        let mut all = Gathered::default();
        all.take(&joined);
        for part in rest {
            all.take(&part);
            joined.source = format!("{}, {}", joined.source, part.source);
            joined.date = joined.date.zip(part.date).map(|(a, b)| a.min(b));
        }
        all.finish(joined.source, joined.licence, joined.date)
    }

    /// Reads the bytes of a file, by their content; `path` is what errors and the source call it.
    pub fn decode(bytes: Vec<u8>, path: &Path) -> Result<Self, CountryError> {
        if builtin::is_ours(&bytes) {
            builtin::decode(&bytes, path)
        } else if mmdb::has_marker(&bytes) {
            mmdb::decode(bytes, path)
        } else {
            match std::str::from_utf8(&bytes) {
                Ok(text) if !text.contains('\0') => csv::decode(text, path),
                _ => Err(CountryError::Foreign {
                    path: path.to_owned(),
                }),
            }
        }
    }

    /// The same data in the compressed form that ships inside the binary.
    pub fn encode(&self) -> Result<Vec<u8>, CountryError> {
        builtin::encode(self, builtin::SMALLEST)
    }

    /// The same in little time and somewhat larger.
    pub fn encode_quickly(&self) -> Result<Vec<u8>, CountryError> {
        builtin::encode(self, builtin::QUICK)
    }

    /// The table for the judge, 6 MB, or what it lacks room for.
    pub fn compile(&self) -> Result<Box<CountryTable>, CountryError> {
        let refused = |why| CountryError::Compile {
            from: self.source.clone(),
            why,
        };
        let mut table = CountryTable::new_box_zeroed().map_err(|_| CountryError::Memory)?;
        let v4 = self.ranges_v4.iter().map(|(first, last, country)| Range {
            first: u64::from(*first),
            last: u64::from(*last),
            of: *country,
        });
        let v6 = self.ranges_v6.iter().map(|(first, last, country)| Range {
            first: *first,
            last: *last,
            of: *country,
        });
        // An IPv4 start after the last address is where nothing more begins.
        let v4 =
            starts(v4).map_while(|(start, country)| Some((u32::try_from(start).ok()?, country)));
        table.load(v4, starts(v6)).map_err(refused)?;
        Ok(table)
    }

    /// Days after which data is too old not to say so.
    pub const OLD: i64 = 180;

    /// Days since the data was made, for a source that states its date.
    pub fn age(&self, today: Date) -> Option<i64> {
        Some(today.duration_since(self.date?).as_hours() / 24)
    }
}

/// Ranges as a source gives them, on their way to [`CountryData`].
#[derive(Default)]
struct Gathered {
    v4: Vec<Range<Country>>,
    v6: Vec<Range<Country>>,
    unknown_codes: BTreeSet<String>,
}

impl Gathered {
    /// Takes data that was read already.
    fn take(&mut self, data: &CountryData) {
        let v4 = data.ranges_v4.iter().map(|(first, last, country)| Range {
            first: u64::from(*first),
            last: u64::from(*last),
            of: *country,
        });
        self.v4.extend(v4);
        let v6 = data.ranges_v6.iter().map(|(first, last, country)| Range {
            first: *first,
            last: *last,
            of: *country,
        });
        self.v6.extend(v6);
        self.unknown_codes
            .extend(data.unknown_codes.iter().cloned());
    }

    /// The country of a source's code; unlisted codes are kept to be told.
    fn country(&mut self, code: &str) -> Country {
        Country::from_code(code).unwrap_or_else(|| {
            if !matches!(code, "" | "-") {
                self.unknown_codes.insert(code.to_owned());
            }
            Country::UNKNOWN
        })
    }

    fn push_v4(&mut self, first: u32, last: u32, country: Country) {
        self.v4.push(Range {
            first: u64::from(first),
            last: u64::from(last),
            of: country,
        });
    }

    /// Takes whole addresses and keeps the /64s whose first address lies in the range.
    fn push_v6(&mut self, first: u128, last: u128, country: Country) {
        self.v6.extend(ranges::of_v6(first, last, country));
    }

    fn finish(self, source: String, licence: Option<String>, date: Option<Date>) -> CountryData {
        // Every IPv4 range was pushed from 32-bit ends, and resolving only cuts ranges.
        let v4 = resolve(self.v4, Country::UNKNOWN);
        CountryData {
            ranges_v4: v4
                .into_iter()
                .map(|r| (r.first as u32, r.last as u32, r.of))
                .collect(),
            ranges_v6: resolve(self.v6, Country::UNKNOWN)
                .into_iter()
                .map(|r| (r.first, r.last, r.of))
                .collect(),
            source,
            licence,
            date,
            unknown_codes: self.unknown_codes,
        }
    }
}
