//! Country codes.

use std::fmt;
use std::str::FromStr;

use super::wrong::{Wrong, quoted};

/// A country by its ISO 3166-1 alpha-2 code, or `ZZ` for addresses of no known country.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CountryCode(pub [u8; 2]);

impl CountryCode {
    /// Addresses that are unallocated or in no country's range.
    pub const UNKNOWN: Self = Self(*b"ZZ");
}

impl FromStr for CountryCode {
    type Err = Wrong;

    fn from_str(text: &str) -> Result<Self, Wrong> {
        if is_country(text) {
            return Ok(Self(std::array::from_fn(|i| text.as_bytes()[i])));
        }
        let upper = text.to_uppercase();
        let fix = match upper.as_str() {
            "UK" => "write \"GB\" for the United Kingdom".into(),
            "EL" => "write \"GR\" for Greece".into(),
            "EU" | "AP" => "write the code of each country".into(),
            code if is_country(code) => format!("write \"{code}\""),
            _ => "write a code of two letters from ISO 3166-1, such as \"GB\", or \"ZZ\" for \
                  addresses of no known country"
                .into(),
        };
        Err(Wrong::new(
            format!("there is no country {}", quoted(text)),
            fix,
        ))
    }
}

impl fmt::Display for CountryCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let letters = self.0.map(char::from);
        write!(f, "{}{}", letters[0], letters[1])
    }
}

/// Whether `code` is a country's code in capitals, or `ZZ`.
pub fn is_country(code: &str) -> bool {
    <[u8; 2]>::try_from(code.as_bytes())
        .is_ok_and(|c| CODES.as_chunks().0.binary_search(&c).is_ok())
}

/// ISO 3166-1 alpha-2, with `XK` (Kosovo, which the country data sets carry) and `ZZ`; sorted.
const CODES: &[u8] = b"ADAEAFAGAIALAMAOAQARASATAUAWAXAZBABBBDBEBFBGBHBIBJBLBMBNBOBQBRBSBTBVBWBYBZ\
CACCCDCFCGCHCICKCLCMCNCOCRCUCVCWCXCYCZDEDJDKDMDODZECEEEGEHERESETFIFJFKFMFOFRGAGBGDGEGFGGGHGIGLGM\
GNGPGQGRGSGTGUGWGYHKHMHNHRHTHUIDIEILIMINIOIQIRISITJEJMJOJPKEKGKHKIKMKNKPKRKWKYKZLALBLCLILKLRLSLT\
LULVLYMAMCMDMEMFMGMHMKMLMMMNMOMPMQMRMSMTMUMVMWMXMYMZNANCNENFNGNINLNONPNRNUNZOMPAPEPFPGPHPKPLPMPN\
PRPSPTPWPYQARERORSRURWSASBSCSDSESGSHSISJSKSLSMSNSOSRSSSTSVSXSYSZTCTDTFTGTHTJTKTLTMTNTOTRTTTVTWTZ\
UAUGUMUSUYUZVAVCVEVGVIVNVUWFWSXKYEYTZAZMZWZZ";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_codes_are_sorted_and_complete() {
        let (codes, rest) = CODES.as_chunks::<2>();
        assert!(rest.is_empty() && codes.is_sorted_by(|a, b| a < b));
        assert_eq!(codes.len(), 249 + 2);
    }

    #[test]
    fn codes_are_checked() {
        assert_eq!("GB".parse::<CountryCode>().unwrap().to_string(), "GB");
        assert_eq!("ZZ".parse::<CountryCode>().unwrap(), CountryCode::UNKNOWN);
        for (text, fix) in [
            ("gb", "\"GB\""),
            ("UK", "\"GB\""),
            ("EU", "each country"),
            ("XX", "ISO 3166"),
            ("", "ISO"),
        ] {
            let wrong = text.parse::<CountryCode>().unwrap_err();
            assert!(wrong.fix().contains(fix), "{text}: {wrong}");
        }
    }
}
