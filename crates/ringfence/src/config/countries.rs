//! Country codes.

use std::fmt;
use std::str::FromStr;

use ringfence_core::country::Country;

use super::wrong::{Wrong, quoted};

/// A country as the file names it: by its ISO 3166-1 alpha-2 code in capitals, or `ZZ` for addresses of no known country.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CountryCode(pub Country);

impl FromStr for CountryCode {
    type Err = Wrong;

    fn from_str(text: &str) -> Result<Self, Wrong> {
        let upper = text.to_uppercase();
        let known = Country::from_code(&upper);
        if let Some(country) = known.filter(|_| upper == text) {
            return Ok(Self(country));
        }
        let fix = match upper.as_str() {
            "UK" => "write \"GB\" for the United Kingdom".into(),
            "EL" => "write \"GR\" for Greece".into(),
            "EU" | "AP" => "write the code of each country".into(),
            code if known.is_some() => format!("write \"{code}\""),
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
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_checked() {
        assert_eq!("GB".parse::<CountryCode>().unwrap().to_string(), "GB");
        assert_eq!("ZZ".parse::<CountryCode>().unwrap().0, Country::UNKNOWN);
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
