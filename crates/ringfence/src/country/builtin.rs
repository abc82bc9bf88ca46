//! The form in which country data ships: a readable header, then zstd over deltas.
//!
//! Lines of text, `ringfence country data`, then `key: value` for `format`, `date`, `source` and
//! `licence`, then an empty line, then one zstd frame. The frame holds the country codes (a count,
//! then two bytes each) and, for IPv4 and then IPv6, a count of ranges followed by three columns:
//! the gap since the range before, the length less one, and the country's place among the codes.
//! Numbers are unsigned LEB128; a place among the codes is one byte.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::Read;
use std::path::Path;

use super::{Country, CountryData, CountryError, Gathered};

/// The data inside the binary.
pub(super) const EMBEDDED: &[u8] = include_bytes!("../../../../assets/country/country.bin");

const TITLE: &str = "ringfence country data\n";
const FORMAT: &str = "1";
/// No honest header is longer.
const HEADER_LIMIT: usize = 4096;
/// No honest data is larger once decompressed.
const BODY_LIMIT: u64 = 64 << 20;
/// How hard zstd tries for data that ships.
pub(super) const SMALLEST: i32 = 19;
/// How hard it tries for data that was downloaded.
pub(super) const QUICK: i32 = 3;

/// Whether the bytes begin as data in this form does.
pub(super) fn is_ours(bytes: &[u8]) -> bool {
    bytes.starts_with(TITLE.as_bytes())
}

/// Writes the data in this form, at a level of zstd.
pub(super) fn encode(data: &CountryData, level: i32) -> Result<Vec<u8>, CountryError> {
    let mut header = format!("{TITLE}format: {FORMAT}\n");
    let mut field = |key: &str, value: &str| {
        // One line a field, whatever is in it.
        let value = value.split_whitespace().collect::<Vec<_>>().join(" ");
        writeln!(header, "{key}: {value}").expect("a string takes all that is written");
    };
    if let Some(date) = data.date {
        field("date", &date.to_string());
    }
    field("source", &data.source);
    if let Some(licence) = &data.licence {
        field("licence", licence);
    }
    header.push('\n');

    let countries = data.ranges_v4.iter().map(|range| range.2);
    let codes: BTreeSet<Country> = countries
        .chain(data.ranges_v6.iter().map(|range| range.2))
        .collect();
    let codes: Vec<Country> = codes.into_iter().collect();
    let mut body = Vec::new();
    put(&mut body, codes.len() as u64);
    for country in &codes {
        body.extend(country.code().bytes());
    }
    let v4 = data
        .ranges_v4
        .iter()
        .map(|(first, last, c)| (u64::from(*first), u64::from(*last), *c));
    put_ranges(&mut body, &codes, v4.collect());
    put_ranges(&mut body, &codes, data.ranges_v6.clone());

    let mut bytes = header.into_bytes();
    bytes.extend(zstd::bulk::compress(&body, level).map_err(CountryError::Compress)?);
    Ok(bytes)
}

/// Reads data in this form; `path` is its name in errors.
pub(super) fn decode(bytes: &[u8], path: &Path) -> Result<CountryData, CountryError> {
    read(bytes).map_err(|what| CountryError::Builtin {
        path: path.to_owned(),
        what,
    })
}

fn read(bytes: &[u8]) -> Result<CountryData, String> {
    let head = &bytes[..bytes.len().min(HEADER_LIMIT)];
    let end = head
        .windows(2)
        .position(|pair| pair == b"\n\n")
        .ok_or("its header has no end")?;
    let (header, frame) = (&bytes[..end], &bytes[end + 2..]);
    let header = std::str::from_utf8(header).map_err(|_| "its header is not text")?;
    let field = |key: &str| {
        header
            .lines()
            .find_map(|line| line.strip_prefix(key)?.strip_prefix(": "))
            .map(str::to_owned)
    };
    let format = field("format").unwrap_or_default();
    if format != FORMAT {
        return Err(format!(
            "its format is {format:?} and this version reads {FORMAT:?}"
        ));
    }
    let date = field("date")
        .map(|date| {
            date.parse()
                .map_err(|_| format!("its date {date:?} is not one"))
        })
        .transpose()?;

    let mut body = Vec::new();
    zstd::stream::read::Decoder::new(frame)
        .and_then(|decoder| decoder.take(BODY_LIMIT).read_to_end(&mut body))
        .map_err(|error| format!("its body does not decompress: {error}"))?;
    let mut body = Body(&body);
    let mut gathered = Gathered::default();
    let codes: Vec<Country> = (0..body.count(2)?)
        .map(|_| {
            let code = std::str::from_utf8(body.take(2)?).map_err(|_| "a code is not text")?;
            Ok(gathered.country(code))
        })
        .collect::<Result<_, String>>()?;
    for (first, last, country) in body.ranges(&codes)? {
        let narrow = |end| u32::try_from(end).map_err(|_| "an IPv4 range is past the last address");
        gathered.push_v4(narrow(first)?, narrow(last)?, country);
    }
    for (first, last, country) in body.ranges(&codes)? {
        gathered.push_v6(u128::from(first) << 64, u128::from(last) << 64, country);
    }
    if !body.0.is_empty() {
        return Err(format!("{} bytes follow its end", body.0.len()));
    }
    Ok(gathered.finish(field("source").unwrap_or_default(), field("licence"), date))
}

fn put(body: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        body.push(number as u8 | 0x80);
        number >>= 7;
    }
    body.push(number as u8);
}

fn put_ranges(body: &mut Vec<u8>, codes: &[Country], ranges: Vec<(u64, u64, Country)>) {
    put(body, ranges.len() as u64);
    let mut after = 0;
    for (first, last, _) in &ranges {
        put(body, first - after);
        // Only the very last range can end at the last number, and then nothing follows.
        after = last.saturating_add(1);
    }
    for (first, last, _) in &ranges {
        put(body, last - first);
    }
    // There are at most 251 codes.
    body.extend(
        ranges
            .iter()
            .map(|(_, _, c)| codes.partition_point(|code| code < c) as u8),
    );
}

/// What is left to read of the decompressed body.
struct Body<'a>(&'a [u8]);

impl<'a> Body<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], String> {
        let (taken, rest) = self
            .0
            .split_at_checked(length)
            .ok_or("its body ends too early")?;
        self.0 = rest;
        Ok(taken)
    }

    fn number(&mut self) -> Result<u64, String> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.take(1)?[0];
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err("a number in its body is too long".to_owned())
    }

    /// A count of things that take at least `size` bytes each.
    fn count(&mut self, size: usize) -> Result<usize, String> {
        let count = self.number()?;
        usize::try_from(count)
            .ok()
            .filter(|count| {
                count
                    .checked_mul(size)
                    .is_some_and(|bytes| bytes <= self.0.len())
            })
            .ok_or_else(|| "its body ends too early".to_owned())
    }

    fn ranges(&mut self, codes: &[Country]) -> Result<Vec<(u64, u64, Country)>, String> {
        let count = self.count(3)?;
        let gaps = (0..count)
            .map(|_| self.number())
            .collect::<Result<Vec<_>, _>>()?;
        let lengths = (0..count)
            .map(|_| self.number())
            .collect::<Result<Vec<_>, _>>()?;
        let places = self.take(count)?;
        let mut after = Some(0u64);
        gaps.iter()
            .zip(lengths)
            .zip(places)
            .map(|((gap, length), place)| {
                let first = after.and_then(|after| after.checked_add(*gap));
                let last = first.and_then(|first| first.checked_add(length));
                let (first, last) = first.zip(last).ok_or("a range is past the last address")?;
                after = last.checked_add(1);
                let country = codes
                    .get(usize::from(*place))
                    .ok_or("a range has no country")?;
                Ok((first, last, *country))
            })
            .collect()
    }
}
