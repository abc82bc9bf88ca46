//! Country codes.

use std::fmt;
use std::str::FromStr;

use ringfence_core::country::Country;

use super::country::CountryGroup;
use super::wrong::{Wrong, nearest, quoted};
use crate::country::{GROUPS, Group};

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
            "AP" => "write the code of each country, or the group \"ASIA\"".into(),
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

/// The countries that a word of the command line names: by a code or a known group, capitals or not.
///
/// # Errors
/// When it names none.
pub fn countries_named(text: &str) -> Result<Vec<CountryCode>, Wrong> {
    named(&text.to_ascii_uppercase(), &[])
}

/// The countries that a text names: by a code, by the name of a group, or by that of one of the `own` groups.
///
/// # Errors
/// When it names none of them.
pub(super) fn named(text: &str, own: &[CountryGroup]) -> Result<Vec<CountryCode>, Wrong> {
    let group = Group::find(text).map(Group::countries);
    let group = group.or_else(|| {
        let own = own.iter().find(|group| group.name == text)?;
        Some(own.countries)
    });
    if let Some(countries) = group {
        return Ok(countries.iter().map(CountryCode).collect());
    }
    let wrong = match text.parse() {
        Ok(code) => return Ok(vec![code]),
        Err(wrong) => wrong,
    };
    let groups = || {
        let known = GROUPS.iter().map(|group| group.name);
        known.chain(own.iter().map(|group| group.name.as_str()))
    };
    if let Some(name) = groups().find(|name| name.eq_ignore_ascii_case(text)) {
        let message = format!("there is no country {}", quoted(text));
        return Err(Wrong::new(message, format!("write \"{name}\"")));
    }
    // Two letters are near to every code and group of two.
    if text.len() > 2
        && let Some(near) = nearest(text, groups())
    {
        let message = format!("there is no country and no group {}", quoted(text));
        return Err(Wrong::new(message, format!("did you mean \"{near}\"?")));
    }
    Err(wrong)
}

/// Whether a group of the user's own may have this name.
///
/// # Errors
/// When it is no name, or could be taken for something else.
pub(super) fn group_name(name: &str) -> Result<(), Wrong> {
    if GROUPS
        .iter()
        .any(|group| group.name.eq_ignore_ascii_case(name))
    {
        let message = format!("{} is a group already", quoted(name));
        return Err(Wrong::new(message, "write another name"));
    }
    let fits = (3..=32).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    if fits {
        return Ok(());
    }
    Err(Wrong::new(
        format!("{} cannot be the name of a group", quoted(name)),
        "write 3 to 32 letters, digits and \"-\"",
    ))
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
            ("AP", "each country"),
            ("XX", "ISO 3166"),
            ("", "ISO"),
        ] {
            let wrong = text.parse::<CountryCode>().unwrap_err();
            assert!(wrong.fix().contains(fix), "{text}: {wrong}");
        }
    }
}
