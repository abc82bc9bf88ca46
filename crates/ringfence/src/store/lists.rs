//! The operator's permit and deny lists.

use std::net::IpAddr;

use jiff::Timestamp;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSqlOutput, ValueRef};
use rusqlite::{OptionalExtension, Row, ToSql, TransactionBehavior, params};

use super::encode::{Address, Seconds};
use super::{Store, StoreError};

/// One of the operator's lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ListKind {
    /// Sources that always pass.
    Permit,
    /// Sources that never pass.
    Deny,
}

/// A range of addresses on a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListEntry {
    /// The list that it is on.
    pub list: ListKind,
    /// The lowest address.
    pub first: IpAddr,
    /// The highest address, of the same family.
    pub last: IpAddr,
    /// What the operator wrote about it; may be empty.
    pub comment: String,
    /// When it was added; kept to the second.
    pub added: Timestamp,
    /// When it ends; None is never.
    pub expires: Option<Timestamp>,
}

/// What adding an entry came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Added {
    /// It was not there.
    Added,
    /// It was there and holds at least as long as was asked.
    Already,
    /// It was there and now ends later, or never.
    Extended,
}

impl Store {
    /// Puts a range on a list. A range that is there is kept with its later end, and takes the new comment unless that
    /// is empty.
    pub fn add_entry(&mut self, entry: &ListEntry) -> Result<Added, StoreError> {
        check_range(entry.first, entry.last)?;
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(StoreError::changing)?;
        let known = transaction
            .query_row(
                "SELECT list, first, last, comment, added, expires FROM list_entry
                 WHERE list = ?1 AND first = ?2 AND last = ?3",
                params![entry.list, Address(entry.first), Address(entry.last)],
                from_row,
            )
            .optional()
            .map_err(StoreError::reading)?
            .filter(|known| known.expires.is_none_or(|end| end > entry.added));
        let (added, stored) = match known {
            None => (Added::Added, entry.clone()),
            Some(mut known) => {
                if !entry.comment.is_empty() {
                    known.comment.clone_from(&entry.comment);
                }
                // Compared as stored, in whole seconds.
                let end = |entry: &ListEntry| entry.expires.map(Timestamp::as_second);
                match (end(&known), end(entry)) {
                    (Some(old), Some(new)) if new <= old => (Added::Already, known),
                    (None, _) => (Added::Already, known),
                    _ => (
                        Added::Extended,
                        ListEntry {
                            expires: entry.expires,
                            ..known
                        },
                    ),
                }
            }
        };
        transaction
            .execute(
                "INSERT OR REPLACE INTO list_entry (list, first, last, comment, added, expires)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                params![
                    stored.list,
                    Address(stored.first),
                    Address(stored.last),
                    stored.comment,
                    Seconds(stored.added),
                    stored.expires.map(Seconds),
                ],
            )
            .map_err(StoreError::changing)?;
        transaction.commit().map_err(StoreError::changing)?;
        Ok(added)
    }

    /// Takes exactly this range off a list. False where it was not on it.
    pub fn remove_entry(
        &mut self,
        list: ListKind,
        first: IpAddr,
        last: IpAddr,
    ) -> Result<bool, StoreError> {
        self.connection
            .execute(
                "DELETE FROM list_entry WHERE list = ?1 AND first = ?2 AND last = ?3",
                params![list, Address(first), Address(last)],
            )
            .map(|removed| removed > 0)
            .map_err(StoreError::changing)
    }

    /// All entries of a list, IPv4 first, by address.
    pub fn entries(&self, list: ListKind) -> Result<Vec<ListEntry>, StoreError> {
        let mut entries = self.all_lists()?;
        entries.retain(|entry| entry.list == list);
        Ok(entries)
    }

    /// The entries of both lists that share an address with this range.
    pub fn overlapping(&self, first: IpAddr, last: IpAddr) -> Result<Vec<ListEntry>, StoreError> {
        check_range(first, last)?;
        self.select(
            "SELECT list, first, last, comment, added, expires FROM list_entry
             WHERE length(first) = length(?1) AND first <= ?2 AND last >= ?1
             ORDER BY first, last, list",
            params![Address(first), Address(last)],
            from_row,
        )
    }

    /// Takes off both lists what has ended by `now`, and returns it.
    pub fn expire_entries(&mut self, now: Timestamp) -> Result<Vec<ListEntry>, StoreError> {
        self.select(
            "DELETE FROM list_entry WHERE expires <= ?1
             RETURNING list, first, last, comment, added, expires",
            params![Seconds(now)],
            from_row,
        )
    }

    pub(super) fn all_lists(&self) -> Result<Vec<ListEntry>, StoreError> {
        self.select(
            "SELECT list, first, last, comment, added, expires FROM list_entry
             ORDER BY length(first), first, last, list",
            [],
            from_row,
        )
    }

    /// Runs one statement and reads all its rows.
    pub(super) fn select<T>(
        &self,
        sql: &str,
        parameters: impl rusqlite::Params,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, StoreError> {
        let mut statement = self
            .connection
            .prepare_cached(sql)
            .map_err(StoreError::reading)?;
        let rows = statement
            .query_map(parameters, read)
            .map_err(StoreError::reading)?;
        rows.collect::<rusqlite::Result<_>>()
            .map_err(StoreError::reading)
    }
}

fn check_range(first: IpAddr, last: IpAddr) -> Result<(), StoreError> {
    if first.is_ipv4() == last.is_ipv4() && first <= last {
        Ok(())
    } else {
        Err(StoreError::Range { first, last })
    }
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<ListEntry> {
    Ok(ListEntry {
        list: row.get(0)?,
        first: row.get::<_, Address>(1)?.0,
        last: row.get::<_, Address>(2)?.0,
        comment: row.get(3)?,
        added: row.get::<_, Seconds>(4)?.0,
        expires: row.get::<_, Option<Seconds>>(5)?.map(|end| end.0),
    })
}

impl ToSql for ListKind {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::from(match self {
            Self::Permit => "permit",
            Self::Deny => "deny",
        }))
    }
}

impl FromSql for ListKind {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        match value.as_str()? {
            "permit" => Ok(Self::Permit),
            "deny" => Ok(Self::Deny),
            _ => Err(FromSqlError::InvalidType),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn entry(first: &str, last: &str, added: i64, expires: Option<i64>) -> ListEntry {
        ListEntry {
            list: ListKind::Permit,
            first: first.parse().unwrap(),
            last: last.parse().unwrap(),
            comment: String::new(),
            added: at(added),
            expires: expires.map(at),
        }
    }

    fn store() -> (tempfile::TempDir, Store) {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path()).unwrap().store;
        (directory, store)
    }

    #[test]
    fn adding_twice_is_no_error_and_a_later_end_wins() {
        let (directory, mut store) = store();
        let mut add = |expires| {
            store
                .add_entry(&entry("198.51.100.7", "198.51.100.7", 100, expires))
                .unwrap()
        };
        assert_eq!(add(Some(200)), Added::Added);
        assert_eq!(add(Some(200)), Added::Already);
        assert_eq!(add(Some(150)), Added::Already);
        assert_eq!(add(Some(300)), Added::Extended);
        assert_eq!(add(None), Added::Extended);
        assert_eq!(add(Some(900)), Added::Already);
        drop(store);
        let store = Store::open(directory.path()).unwrap().store;
        let expected = entry("198.51.100.7", "198.51.100.7", 100, None);
        assert_eq!(store.entries(ListKind::Permit).unwrap(), [expected]);
        assert_eq!(store.entries(ListKind::Deny).unwrap(), []);
    }

    #[test]
    fn an_ended_entry_that_was_not_swept_is_added_anew() {
        let (_directory, mut store) = store();
        store
            .add_entry(&entry("::1", "::2", 100, Some(200)))
            .unwrap();
        let again = entry("::1", "::2", 200, Some(201));
        assert_eq!(store.add_entry(&again).unwrap(), Added::Added);
        assert_eq!(store.entries(ListKind::Permit).unwrap(), [again]);
    }

    #[test]
    fn a_new_comment_replaces_and_an_empty_one_does_not() {
        let (_directory, mut store) = store();
        let bare = entry("::1", "::1", 100, None);
        let office = ListEntry {
            comment: "office".to_owned(),
            ..bare.clone()
        };
        store.add_entry(&bare).unwrap();
        store.add_entry(&office).unwrap();
        store.add_entry(&bare).unwrap();
        assert_eq!(store.entries(ListKind::Permit).unwrap(), [office]);
    }

    #[test]
    fn entries_end_at_their_second_and_are_told() {
        let (_directory, mut store) = store();
        let first = entry("192.0.2.1", "192.0.2.1", 100, Some(200));
        for entry in [&first, &entry("192.0.2.2", "192.0.2.2", 100, Some(201))] {
            store.add_entry(entry).unwrap();
        }
        store
            .add_entry(&entry("192.0.2.3", "192.0.2.3", 100, None))
            .unwrap();
        assert_eq!(store.expire_entries(at(199)).unwrap(), []);
        assert_eq!(store.expire_entries(at(200)).unwrap(), [first]);
        assert_eq!(store.entries(ListKind::Permit).unwrap().len(), 2);
    }

    #[test]
    fn removal_is_exact() {
        let (_directory, mut store) = store();
        let range = entry("192.0.2.0", "192.0.2.255", 100, None);
        store.add_entry(&range).unwrap();
        let (first, last) = (range.first, range.last);
        assert!(!store.remove_entry(ListKind::Deny, first, last).unwrap());
        assert!(!store.remove_entry(ListKind::Permit, first, first).unwrap());
        assert!(store.remove_entry(ListKind::Permit, first, last).unwrap());
        assert!(!store.remove_entry(ListKind::Permit, first, last).unwrap());
    }

    #[test]
    fn overlaps_are_found_within_a_family_only() {
        let (_directory, mut store) = store();
        for (first, last) in [
            ("10.0.0.0", "10.0.0.255"),
            ("10.0.1.0", "10.0.1.9"),
            ("::", "ffff::"),
        ] {
            store.add_entry(&entry(first, last, 100, None)).unwrap();
        }
        let overlaps = |first: &str, last: &str| {
            store
                .overlapping(first.parse().unwrap(), last.parse().unwrap())
                .unwrap()
                .len()
        };
        assert_eq!(overlaps("10.0.0.255", "10.0.1.0"), 2);
        assert_eq!(overlaps("10.0.1.10", "10.0.2.0"), 0);
        assert_eq!(overlaps("::a00:1", "::a00:2"), 1);
        assert_eq!(overlaps("0.0.0.0", "255.255.255.255"), 2);
    }

    #[test]
    fn a_range_must_be_one() {
        let (_directory, mut store) = store();
        for (first, last) in [("10.0.0.2", "10.0.0.1"), ("10.0.0.1", "::1")] {
            let error = store.add_entry(&entry(first, last, 1, None)).unwrap_err();
            assert!(matches!(error, StoreError::Range { .. }), "{error}");
        }
    }
}
