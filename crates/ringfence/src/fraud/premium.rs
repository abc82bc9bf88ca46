//! The numbers that fraudsters call, and how numbers are dialled.

use std::sync::LazyLock;

use ringfence_core::country::Country;
use serde::Deserialize;

/// What ships of it.
const SHIPPED: &str = include_str!("../../../../assets/premium.toml");

/// Beginnings of expensive numbers, and how numbers are dialled in some countries.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Premium {
    /// Beginnings of international numbers.
    #[serde(rename = "range")]
    pub(super) ranges: Vec<Range>,
    #[serde(rename = "country")]
    countries: Vec<Plan>,
}

/// The beginning of an expensive international number, without `+`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Range {
    pub begins: String,
    pub name: String,
}

/// How numbers are dialled in a country. All are digits.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Plan {
    code: String,
    /// Its country code.
    pub calling: String,
    /// Before a number of another country.
    pub abroad: String,
    /// Before a national number.
    pub trunk: String,
    /// Beginnings of premium numbers, as they follow the country code.
    pub premium: Vec<String>,
    /// Beginnings of premium numbers that are dialled as they stand.
    pub short: Vec<String>,
}

impl Premium {
    /// What ships: `assets/premium.toml`.
    pub fn shipped() -> &'static Self {
        // That it can be read is tested.
        static READ: LazyLock<Premium> =
            LazyLock::new(|| toml::from_str(SHIPPED).unwrap_or_default());
        &READ
    }

    /// Whether it says how numbers are dialled in a country.
    pub fn knows(&self, country: Country) -> bool {
        self.plan(country).is_some()
    }

    pub(super) fn plan(&self, country: Country) -> Option<&Plan> {
        self.countries
            .iter()
            .find(|plan| plan.code == country.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ships_can_be_read_and_is_digits() {
        let premium: Premium = toml::from_str(SHIPPED).unwrap();
        let digits = |text: &String| text.bytes().all(|b| b.is_ascii_digit());
        assert!(premium.ranges.len() > 20 && premium.countries.len() > 10);
        for range in &premium.ranges {
            assert!(!range.begins.is_empty() && digits(&range.begins) && !range.name.is_empty());
        }
        for plan in &premium.countries {
            assert!(Country::from_code(&plan.code).is_some(), "{}", plan.code);
            assert!(plan.abroad.starts_with('0') && !plan.calling.is_empty());
            let all = [&plan.calling, &plan.abroad, &plan.trunk];
            let all = all.into_iter().chain(&plan.premium).chain(&plan.short);
            assert!(all.into_iter().all(digits), "{plan:?}");
            assert!(
                plan.premium
                    .iter()
                    .chain(&plan.short)
                    .all(|p| !p.is_empty())
            );
        }
    }

    #[test]
    fn the_manual_names_every_country() {
        let manual = include_str!("../../../../docs/configuration.md");
        let (_, row) = manual.split_once("\n| `home` | none |").unwrap();
        let row = row.lines().next().unwrap();
        for plan in &Premium::shipped().countries {
            assert!(row.contains(&plan.code), "{} is not in {row}", plan.code);
        }
    }
}
