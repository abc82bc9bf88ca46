//! CSV files of ranges: `first,last,CC`, addresses in words or as integers, quoted or not.
//!
//! This is what ip-location-db, DB-IP and IP2Location publish; columns after the third are
//! not read. Integers up to 2^32 - 1 are IPv4.

use std::net::IpAddr;
use std::path::Path;

use super::{CountryData, CountryError, Gathered};

/// Reads a whole file. A first line without addresses is taken as the header.
pub(super) fn decode(text: &str, path: &Path) -> Result<CountryData, CountryError> {
    let mut gathered = Gathered::default();
    let mut found = false;
    for (at, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        match parse(line) {
            Ok((Ends::V4(first, last), code)) => {
                let country = gathered.country(code);
                gathered.push_v4(first, last, country);
                found = true;
            }
            Ok((Ends::V6(first, last), code)) => {
                let country = gathered.country(code);
                gathered.push_v6(first, last, country);
                found = true;
            }
            Err(Wrong::First(_)) if at == 0 && line.contains(',') => {}
            Err(Wrong::First(what) | Wrong::Rest(what)) => {
                return Err(CountryError::Csv {
                    path: path.to_owned(),
                    line: at + 1,
                    what,
                });
            }
        }
    }
    if !found {
        return Err(CountryError::Csv {
            path: path.to_owned(),
            line: 1,
            what: "no range in the whole file".to_owned(),
        });
    }
    let name = path.file_name().unwrap_or(path.as_os_str());
    Ok(gathered.finish(name.to_string_lossy().into_owned(), None, None))
}

/// The first and the last address of a range.
pub(crate) enum Ends {
    V4(u32, u32),
    V6(u128, u128),
}

/// What is wrong with a line: with its first column, or after it.
pub(crate) enum Wrong {
    First(String),
    Rest(String),
}

fn parse(line: &str) -> Result<(Ends, &str), Wrong> {
    let mut columns = line
        .split(',')
        .map(|column| column.trim().trim_matches('"').trim());
    let mut next = || columns.next().unwrap_or("");
    let (first, last, code) = (next(), next(), next());
    let ends = ends(first, last)?;
    // A digit or a long word here is a column that is not the code; `-` and nothing are unknown.
    let is_code = code.len() == 2 && code.bytes().all(|byte| byte.is_ascii_alphabetic());
    if is_code || code.is_empty() || code == "-" {
        Ok((ends, code))
    } else {
        Err(Wrong::Rest(format!(
            "{code:?} is not a country code of two letters"
        )))
    }
}

/// Reads the first and the last address of a range, in words or as integers.
pub(crate) fn ends(first: &str, last: &str) -> Result<Ends, Wrong> {
    let no_address = |text: &str| format!("{text:?} is not an address");
    let from = address(first).ok_or_else(|| Wrong::First(no_address(first)))?;
    let to = address(last).ok_or_else(|| Wrong::Rest(no_address(last)))?;
    Ok(match (from, to) {
        (Address::V4(from), Address::V4(to)) if from <= to => Ends::V4(from, to),
        (Address::V6(from), Address::V6(to)) if from <= to => Ends::V6(from, to),
        (Address::V4(from), Address::V6(to)) if !first.contains('.') && !last.contains(':') => {
            // Integers of a file of IPv6 that begins at `::`.
            Ends::V6(u128::from(from), to)
        }
        (Address::V4(_), Address::V4(_)) | (Address::V6(_), Address::V6(_)) => {
            return Err(Wrong::Rest(format!(
                "the last address {last} is before the first, {first}"
            )));
        }
        _ => {
            return Err(Wrong::Rest(format!(
                "{first} and {last} are of different families"
            )));
        }
    })
}

enum Address {
    V4(u32),
    V6(u128),
}

fn address(text: &str) -> Option<Address> {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        let number: u128 = text.parse().ok()?;
        return Some(u32::try_from(number).map_or(Address::V6(number), Address::V4));
    }
    Some(match text.parse().ok()? {
        IpAddr::V4(address) => Address::V4(address.to_bits()),
        IpAddr::V6(address) => Address::V6(address.to_bits()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::country::Country;

    fn read(text: &str) -> Result<CountryData, CountryError> {
        decode(text, Path::new("dir/ranges.csv"))
    }

    #[test]
    fn words_integers_quotes_and_header_are_read() {
        let data = read(
            "first,last,country\r\n# remark\r\n\"1.0.0.0\",\"1.0.0.255\",\"AU\",\"Australia\"\r\n\
             16777472,16777727,cn\n2001:200::,2001:200:ffff:ffff:ffff:ffff:ffff:ffff,JP\n\
             42540488320432167789079031612388147200,42540488320433376714898646241562853375,JP\n\
             2.0.0.0,2.0.0.1,-\n2.0.0.2,2.0.0.3,QQ\n",
        )
        .unwrap();
        let country = |code| Country::from_code(code).unwrap();
        assert_eq!(
            data.ranges_v4,
            [
                (0x0100_0000, 0x0100_00ff, country("AU")),
                (0x0100_0100, 0x0100_01ff, country("CN"))
            ]
        );
        assert_eq!(
            data.ranges_v6.last(),
            Some(&(0x2001_0200_0000_0000, 0x2001_0200_ffff_ffff, country("JP")))
        );
        assert_eq!(data.unknown_codes.iter().collect::<Vec<_>>(), ["QQ"]);
        assert_eq!(data.source, "ranges.csv");
    }

    #[test]
    fn mistakes_name_the_line() {
        for (text, line, part) in [
            (
                "1.0.0.0,1.0.0.1,AU\nhello\n",
                2,
                "\"hello\" is not an address",
            ),
            ("1.0.0.0,x,AU\n", 1, "\"x\" is not an address"),
            ("1.0.0.9,1.0.0.1,AU\n", 1, "before the first"),
            ("1.0.0.0,2001::,AU\n", 1, "different families"),
            ("1.0.0.0,1.0.0.1,Australia\n", 1, "two letters"),
            ("first,last,country\n", 1, "no range"),
            ("", 1, "no range"),
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(
                error.starts_with(&format!("dir/ranges.csv:{line}: ")),
                "{error}"
            );
            assert!(error.contains(part), "{error}");
        }
    }
}
