//! Countries that were allowed or denied at run time, over what the configuration says.

use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSqlOutput, ValueRef};
use rusqlite::{ToSql, params};

use super::{Store, StoreError};

/// What was said about a country.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CountryRule {
    /// Its sources may speak.
    Allow,
    /// Its sources may not.
    Deny,
}

/// A country and what was said about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CountryOverride {
    /// Two capital letters of ISO 3166, or ZZ for addresses of no known country.
    pub code: String,
    /// What was said.
    pub rule: CountryRule,
}

impl Store {
    /// Sets or, with None, forgets what was said about a country. The code may be in either case. False where nothing
    /// changed.
    pub fn set_country(
        &mut self,
        code: &str,
        rule: Option<CountryRule>,
    ) -> Result<bool, StoreError> {
        if code.len() != 2 || !code.bytes().all(|byte| byte.is_ascii_alphabetic()) {
            return Err(StoreError::Country(code.to_owned()));
        }
        let code = code.to_ascii_uppercase();
        let changed = match rule {
            Some(rule) => self.connection.execute(
                "INSERT INTO country_override (code, rule) VALUES (?1, ?2)
                 ON CONFLICT (code) DO UPDATE SET rule = excluded.rule WHERE rule <> excluded.rule",
                params![code, rule],
            ),
            None => self.connection.execute(
                "DELETE FROM country_override WHERE code = ?1",
                params![code],
            ),
        };
        changed.map(|rows| rows > 0).map_err(StoreError::changing)
    }

    /// All that was said, by code.
    pub fn countries(&self) -> Result<Vec<CountryOverride>, StoreError> {
        self.select(
            "SELECT code, rule FROM country_override ORDER BY code",
            [],
            |row| {
                Ok(CountryOverride {
                    code: row.get(0)?,
                    rule: row.get(1)?,
                })
            },
        )
    }
}

impl ToSql for CountryRule {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::from(match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
        }))
    }
}

impl FromSql for CountryRule {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        match value.as_str()? {
            "allow" => Ok(Self::Allow),
            "deny" => Ok(Self::Deny),
            _ => Err(FromSqlError::InvalidType),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_word_about_a_country_holds() {
        let directory = tempfile::tempdir().unwrap();
        let mut store = Store::open(directory.path()).unwrap().store;
        assert!(store.set_country("gb", Some(CountryRule::Allow)).unwrap());
        assert!(!store.set_country("GB", Some(CountryRule::Allow)).unwrap());
        assert!(store.set_country("GB", Some(CountryRule::Deny)).unwrap());
        assert!(store.set_country("ZZ", Some(CountryRule::Allow)).unwrap());
        assert!(store.set_country("ZZ", None).unwrap());
        assert!(!store.set_country("ZZ", None).unwrap());
        let expected = CountryOverride {
            code: "GB".to_owned(),
            rule: CountryRule::Deny,
        };
        assert_eq!(store.countries().unwrap(), [expected]);
        assert!(matches!(
            store.set_country("é", None),
            Err(StoreError::Country(_))
        ));
    }
}
