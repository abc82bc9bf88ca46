//! Countries: their numbers, sets of them, and the table from address to country.
//!
//! [`CountryTable`] is two flat, sorted lists of range starts, one a family, each behind an index by the
//! leading bits of the address. A bucket of the index that lies wholly in one country is answered
//! by the index alone; any other by a binary search without unpredictable branches over the few
//! entries of that bucket.

mod table;

use core::fmt;

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

pub use self::table::{CountryTable, LoadError};

/// ISO 3166-1 alpha-2 codes in order, after `ZZ` for "unknown or unallocated"; `XK` (Kosovo) is
/// the user-assigned code that data sets use.
///
/// A code's position is its number in tables, bitmaps and counters: a change here is a change of
/// the layout of every pinned map that holds one.
const CODES: [&str; 251] = [
    "ZZ", "AD", "AE", "AF", "AG", "AI", "AL", "AM", "AO", "AQ", "AR", "AS", "AT", "AU", "AW", "AX",
    "AZ", "BA", "BB", "BD", "BE", "BF", "BG", "BH", "BI", "BJ", "BL", "BM", "BN", "BO", "BQ", "BR",
    "BS", "BT", "BV", "BW", "BY", "BZ", "CA", "CC", "CD", "CF", "CG", "CH", "CI", "CK", "CL", "CM",
    "CN", "CO", "CR", "CU", "CV", "CW", "CX", "CY", "CZ", "DE", "DJ", "DK", "DM", "DO", "DZ", "EC",
    "EE", "EG", "EH", "ER", "ES", "ET", "FI", "FJ", "FK", "FM", "FO", "FR", "GA", "GB", "GD", "GE",
    "GF", "GG", "GH", "GI", "GL", "GM", "GN", "GP", "GQ", "GR", "GS", "GT", "GU", "GW", "GY", "HK",
    "HM", "HN", "HR", "HT", "HU", "ID", "IE", "IL", "IM", "IN", "IO", "IQ", "IR", "IS", "IT", "JE",
    "JM", "JO", "JP", "KE", "KG", "KH", "KI", "KM", "KN", "KP", "KR", "KW", "KY", "KZ", "LA", "LB",
    "LC", "LI", "LK", "LR", "LS", "LT", "LU", "LV", "LY", "MA", "MC", "MD", "ME", "MF", "MG", "MH",
    "MK", "ML", "MM", "MN", "MO", "MP", "MQ", "MR", "MS", "MT", "MU", "MV", "MW", "MX", "MY", "MZ",
    "NA", "NC", "NE", "NF", "NG", "NI", "NL", "NO", "NP", "NR", "NU", "NZ", "OM", "PA", "PE", "PF",
    "PG", "PH", "PK", "PL", "PM", "PN", "PR", "PS", "PT", "PW", "PY", "QA", "RE", "RO", "RS", "RU",
    "RW", "SA", "SB", "SC", "SD", "SE", "SG", "SH", "SI", "SJ", "SK", "SL", "SM", "SN", "SO", "SR",
    "SS", "ST", "SV", "SX", "SY", "SZ", "TC", "TD", "TF", "TG", "TH", "TJ", "TK", "TL", "TM", "TN",
    "TO", "TR", "TT", "TV", "TW", "TZ", "UA", "UG", "UM", "US", "UY", "UZ", "VA", "VC", "VE", "VG",
    "VI", "VN", "VU", "WF", "WS", "XK", "YE", "YT", "ZA", "ZM", "ZW",
];

/// A country, as the number that tables, bitmaps and counters hold.
#[derive(
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Default,
    FromBytes,
    IntoBytes,
    Immutable,
    KnownLayout,
    Unaligned,
)]
#[repr(transparent)]
pub struct Country(u8);

impl Country {
    /// Unknown or unallocated addresses: `ZZ`, number 0.
    pub const UNKNOWN: Self = Self(0);

    /// How many countries there are, `ZZ` included; every valid number is below it.
    pub const COUNT: usize = CODES.len();

    /// The country of a two-letter code, in either case; `None` when there is no such code.
    pub fn from_code(code: &str) -> Option<Self> {
        let &[first, second] = code.as_bytes() else {
            return None;
        };
        let upper = [first.to_ascii_uppercase(), second.to_ascii_uppercase()];
        if upper == *b"ZZ" {
            return Some(Self::UNKNOWN);
        }
        let listed = CODES.get(1..)?;
        let at = listed
            .binary_search_by(|listed| listed.as_bytes().cmp(&upper))
            .ok()?;
        u8::try_from(at + 1).ok().map(Self)
    }

    /// The country of a number read from a table or counter; `ZZ` when there is no such number.
    #[inline(always)]
    pub const fn from_number(number: u8) -> Self {
        if (number as usize) < Self::COUNT {
            Self(number)
        } else {
            Self::UNKNOWN
        }
    }

    /// Its number.
    #[inline(always)]
    pub const fn number(self) -> u8 {
        self.0
    }

    /// Its two-letter code, in capitals.
    pub fn code(self) -> &'static str {
        CODES.get(usize::from(self.0)).copied().unwrap_or("ZZ")
    }

    /// Every country in the order of their numbers, `ZZ` first.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..=u8::MAX).take(Self::COUNT).map(Self)
    }
}

impl fmt::Display for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.code())
    }
}

impl fmt::Debug for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// A set of countries, as a bitmap: what a service's policy holds.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, Default, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct CountrySet {
    words: [u64; 4],
}

const _: () = assert!(
    size_of::<CountrySet>() == 32,
    "a policy rewrites 32 bytes per set"
);
const _: () = assert!(
    Country::COUNT <= 256,
    "a country is one byte and one bit of a set"
);

impl CountrySet {
    /// The set that holds no country.
    pub const EMPTY: Self = Self { words: [0; 4] };

    /// Whether `country` is in the set.
    #[inline(always)]
    pub fn contains(&self, country: Country) -> bool {
        self.words[usize::from(country.0 >> 6)] >> (country.0 & 63) & 1 == 1
    }

    /// Adds a country; returns whether it was new.
    pub fn insert(&mut self, country: Country) -> bool {
        let new = !self.contains(country);
        self.words[usize::from(country.0 >> 6)] |= 1 << (country.0 & 63);
        new
    }

    /// Takes a country away; returns whether it was there.
    pub fn remove(&mut self, country: Country) -> bool {
        let there = self.contains(country);
        self.words[usize::from(country.0 >> 6)] &= !(1 << (country.0 & 63));
        there
    }

    /// Whether it holds no country.
    pub fn is_empty(&self) -> bool {
        self.words == [0; 4]
    }

    /// The countries in it, in the order of their numbers.
    pub fn iter(&self) -> impl Iterator<Item = Country> + '_ {
        Country::all().filter(|country| self.contains(*country))
    }
}

impl FromIterator<Country> for CountrySet {
    fn from_iter<I: IntoIterator<Item = Country>>(countries: I) -> Self {
        let mut set = Self::EMPTY;
        for country in countries {
            set.insert(country);
        }
        set
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn country(code: &str) -> Country {
        Country::from_code(code).unwrap()
    }

    #[test]
    fn codes_are_sorted_and_found() {
        assert!(CODES[1..].is_sorted_by(|a, b| a < b));
        for country in Country::all() {
            assert_eq!(Country::from_code(country.code()), Some(country));
            assert_eq!(Country::from_number(country.number()), country);
        }
        assert_eq!(Country::all().count(), Country::COUNT);
        assert_eq!(Country::from_code("gb"), Some(country("GB")));
        for wrong in ["", "G", "GBR", "QQ", "é", "UK", "1A"] {
            assert_eq!(Country::from_code(wrong), None, "{wrong}");
        }
        assert_eq!(Country::from_number(255), Country::UNKNOWN);
        assert_eq!(Country(255).code(), "ZZ");
    }

    #[test]
    fn set_holds_what_was_inserted() {
        let mut set = CountrySet::EMPTY;
        assert!(set.is_empty());
        for country in Country::all() {
            assert!(set.insert(country));
            assert!(!set.insert(country));
        }
        assert_eq!(set.iter().count(), Country::COUNT);
        assert!(set.remove(country("GB")));
        assert!(!set.remove(country("GB")));
        assert!(!set.contains(country("GB")));
        assert_eq!(
            set,
            Country::all().filter(|c| *c != country("GB")).collect()
        );
    }
}
