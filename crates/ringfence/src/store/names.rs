//! Host names on the operator's lists, and the addresses that names had last.

use std::collections::BTreeMap;
use std::net::IpAddr;

use jiff::Timestamp;
use rusqlite::{OptionalExtension, Row, TransactionBehavior, params};

use super::encode::{Address, Seconds};
use super::{Added, ListKind, Store, StoreError};

/// A host name on a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameEntry {
    /// The list that it is on.
    pub list: ListKind,
    /// The DNS name, in lower case.
    pub name: String,
    /// What the operator wrote about it; may be empty.
    pub comment: String,
    /// When it was added; kept to the second.
    pub added: Timestamp,
    /// When it ends; None is never.
    pub expires: Option<Timestamp>,
}

/// The addresses that a name had last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameAnswer {
    /// The DNS name, in lower case.
    pub name: String,
    /// Whether it was looked up as a SIP client does (RFC 3263), and not as a host alone.
    pub sip: bool,
    /// The addresses, IPv4 first.
    pub addresses: Vec<IpAddr>,
}

impl Store {
    /// Puts a name on a list. One that is there is kept with its later end, and takes the new comment unless that is empty.
    pub fn add_name(&mut self, entry: &NameEntry) -> Result<Added, StoreError> {
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(StoreError::changing)?;
        let known = transaction
            .query_row(
                "SELECT list, name, comment, added, expires FROM list_name WHERE list = ?1 AND name = ?2",
                params![entry.list, entry.name],
                from_row,
            )
            .optional()
            .map_err(StoreError::reading)?
            .filter(|known| known.expires.is_none_or(|end| end > entry.added));
        let mut stored = entry.clone();
        let mut added = Added::Added;
        if let Some(known) = known {
            let end = |entry: &NameEntry| entry.expires.map(Timestamp::as_second);
            let longer = match (end(&known), end(entry)) {
                (None, _) => false,
                (Some(old), Some(new)) => new > old,
                (Some(_), None) => true,
            };
            added = if longer {
                Added::Extended
            } else {
                Added::Already
            };
            stored.added = known.added;
            if !longer {
                stored.expires = known.expires;
            }
            if stored.comment.is_empty() {
                stored.comment = known.comment;
            }
        }
        transaction
            .execute(
                "INSERT OR REPLACE INTO list_name (list, name, comment, added, expires)
                 VALUES (?1, ?2, ?3, ?4, ?5)",
                params![
                    stored.list,
                    stored.name,
                    stored.comment,
                    Seconds(stored.added),
                    stored.expires.map(Seconds),
                ],
            )
            .map_err(StoreError::changing)?;
        transaction.commit().map_err(StoreError::changing)?;
        Ok(added)
    }

    /// Takes a name off a list. False where it was not on it.
    pub fn remove_name(&mut self, list: ListKind, name: &str) -> Result<bool, StoreError> {
        self.connection
            .execute(
                "DELETE FROM list_name WHERE list = ?1 AND name = ?2",
                params![list, name],
            )
            .map(|removed| removed > 0)
            .map_err(StoreError::changing)
    }

    /// The names on both lists, by list and name.
    pub fn listed_names(&self) -> Result<Vec<NameEntry>, StoreError> {
        self.select(
            "SELECT list, name, comment, added, expires FROM list_name ORDER BY list, name",
            [],
            from_row,
        )
    }

    /// Takes off both lists the names that have ended by `now`, and returns them.
    pub fn expire_names(&mut self, now: Timestamp) -> Result<Vec<NameEntry>, StoreError> {
        self.select(
            "DELETE FROM list_name WHERE expires <= ?1 RETURNING list, name, comment, added, expires",
            params![Seconds(now)],
            from_row,
        )
    }

    /// Stores these answers in place of all others.
    pub fn put_answers(&mut self, answers: &[NameAnswer]) -> Result<(), StoreError> {
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(StoreError::changing)?;
        let put = || -> rusqlite::Result<()> {
            transaction.execute("DELETE FROM name_answer", [])?;
            let mut insert = transaction.prepare_cached(
                "INSERT OR IGNORE INTO name_answer (name, sip, address) VALUES (?1, ?2, ?3)",
            )?;
            for answer in answers {
                for address in &answer.addresses {
                    insert.execute(params![answer.name, answer.sip, Address(*address)])?;
                }
            }
            Ok(())
        };
        put().map_err(StoreError::changing)?;
        transaction.commit().map_err(StoreError::changing)
    }

    /// The addresses that names had last, by name. A name without an address is not among them.
    pub fn answers(&self) -> Result<Vec<NameAnswer>, StoreError> {
        let rows = self.select(
            "SELECT name, sip, address FROM name_answer ORDER BY name, sip, length(address), address",
            [],
            |row| {
                let of: (String, bool) = (row.get(0)?, row.get(1)?);
                Ok((of, row.get::<_, Address>(2)?.0))
            },
        )?;
        let mut answers = BTreeMap::<_, Vec<IpAddr>>::new();
        for (of, address) in rows {
            answers.entry(of).or_default().push(address);
        }
        let answers = answers
            .into_iter()
            .map(|((name, sip), addresses)| NameAnswer {
                name,
                sip,
                addresses,
            });
        Ok(answers.collect())
    }
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<NameEntry> {
    Ok(NameEntry {
        list: row.get(0)?,
        name: row.get(1)?,
        comment: row.get(2)?,
        added: row.get::<_, Seconds>(3)?.0,
        expires: row.get::<_, Option<Seconds>>(4)?.map(|end| end.0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn entry(name: &str, added: i64, expires: Option<i64>) -> NameEntry {
        NameEntry {
            list: ListKind::Permit,
            name: name.to_owned(),
            comment: String::new(),
            added: at(added),
            expires: expires.map(at),
        }
    }

    #[test]
    fn names_come_stay_longer_and_go() {
        let directory = tempfile::tempdir().unwrap();
        let mut store = Store::open(directory.path()).unwrap().store;
        let mut add = |entry: &NameEntry| store.add_name(entry).unwrap();
        assert_eq!(add(&entry("a.example", 100, Some(200))), Added::Added);
        assert_eq!(add(&entry("a.example", 110, Some(150))), Added::Already);
        assert_eq!(add(&entry("a.example", 110, Some(300))), Added::Extended);
        let named = NameEntry {
            comment: "boss".to_owned(),
            ..entry("b.example", 100, None)
        };
        assert_eq!(add(&named), Added::Added);
        assert_eq!(add(&entry("b.example", 100, Some(900))), Added::Already);
        drop(store);
        let mut store = Store::open(directory.path()).unwrap().store;
        let kept = [entry("a.example", 100, Some(300)), named.clone()];
        assert_eq!(store.listed_names().unwrap(), kept);
        assert_eq!(store.expire_names(at(299)).unwrap(), []);
        assert_eq!(store.expire_names(at(300)).unwrap(), [kept[0].clone()]);
        assert!(!store.remove_name(ListKind::Deny, "b.example").unwrap());
        assert!(store.remove_name(ListKind::Permit, "b.example").unwrap());
        assert_eq!(store.listed_names().unwrap(), []);
    }

    #[test]
    fn the_last_answers_are_kept_whole() {
        let directory = tempfile::tempdir().unwrap();
        let mut store = Store::open(directory.path()).unwrap().store;
        let answer = |name: &str, sip, addresses: &[&str]| NameAnswer {
            name: name.to_owned(),
            sip,
            addresses: addresses.iter().map(|a| a.parse().unwrap()).collect(),
        };
        let answers = [
            answer("a.example", false, &["192.0.2.1", "2001:db8::1"]),
            answer("a.example", true, &["192.0.2.2"]),
        ];
        store.put_answers(&answers).unwrap();
        assert_eq!(store.answers().unwrap(), answers);
        store.put_answers(&answers[1..]).unwrap();
        assert_eq!(store.answers().unwrap(), answers[1..]);
    }
}
