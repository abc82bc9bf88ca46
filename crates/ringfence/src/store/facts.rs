//! Single numbers that must last.

use jiff::Timestamp;
use rusqlite::params;

use super::encode::Seconds;
use super::{Store, StoreError};

/// What a number is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fact {
    /// When it began to learn who belongs, in seconds since 1970.
    LearningSince,
    /// When it was last seen to learn, in seconds since 1970.
    LearningUntil,
    /// The longest time that a registration was granted for, in seconds.
    LongestGranted,
}

impl Fact {
    fn name(self) -> &'static str {
        match self {
            Self::LearningSince => "learning-since",
            Self::LearningUntil => "learning-until",
            Self::LongestGranted => "longest-granted",
        }
    }
}

impl Store {
    /// What is known of it.
    pub fn fact(&self, fact: Fact) -> Result<Option<i64>, StoreError> {
        let facts = self.facts()?;
        let found = facts.into_iter().find(|(name, _)| name == fact.name());
        Ok(found.map(|(_, value)| value))
    }

    /// The same of a moment.
    pub fn moment(&self, fact: Fact) -> Result<Option<Timestamp>, StoreError> {
        let name = fact.name();
        let sql = "SELECT value FROM fact WHERE name = ?1";
        let found = self.select(sql, params![name], |row| Ok(row.get::<_, Seconds>(0)?.0))?;
        Ok(found.first().copied())
    }

    /// Keeps a number in place of the one before.
    pub fn set_fact(&mut self, fact: Fact, value: i64) -> Result<(), StoreError> {
        self.connection
            .execute(
                "INSERT OR REPLACE INTO fact (name, value) VALUES (?1, ?2)",
                params![fact.name(), value],
            )
            .map(drop)
            .map_err(StoreError::changing)
    }

    pub(super) fn facts(&self) -> Result<Vec<(String, i64)>, StoreError> {
        self.select("SELECT name, value FROM fact ORDER BY name", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_number_holds() {
        let directory = tempfile::tempdir().unwrap();
        let mut store = Store::open(directory.path()).unwrap().store;
        assert_eq!(store.fact(Fact::LongestGranted).unwrap(), None);
        assert_eq!(store.moment(Fact::LearningSince).unwrap(), None);
        for value in [60, 3600] {
            store.set_fact(Fact::LongestGranted, value).unwrap();
        }
        store.set_fact(Fact::LearningSince, 1_700_000_000).unwrap();
        drop(store);
        let store = Store::open(directory.path()).unwrap().store;
        assert_eq!(store.fact(Fact::LongestGranted).unwrap(), Some(3600));
        let since = store.moment(Fact::LearningSince).unwrap().unwrap();
        assert_eq!(since.as_second(), 1_700_000_000);
    }
}
