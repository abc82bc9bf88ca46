//! Whose credentials were refused, and for which accounts: one row for each pair, the latest refusal in it.

use std::net::IpAddr;
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Row, TransactionBehavior, params};

use super::encode::{Address, Seconds};
use super::{Name, Store, StoreError};

/// Rows that are kept at most: forged sources must not fill the disk.
const MOST: i64 = 20_000;

/// What was refused to an address for an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The address; of IPv6 the network of 64 bits.
    pub address: IpAddr,
    /// The account that was asked for.
    pub name: Name,
    /// When it was first refused; kept to the second.
    pub first: Timestamp,
    /// When it was last refused; kept to the second.
    pub last: Timestamp,
    /// How often.
    pub count: u32,
    /// The source port of the last one.
    pub port: u16,
    /// The status code of the last one.
    pub status: u16,
    /// The class of the last request.
    pub class: String,
    /// Whether there is no such account.
    pub nobody: bool,
}

impl Store {
    /// Adds refusals to those that are known, and forgets what is older than `remember` or, the oldest first, has no
    /// room.
    pub fn add_refusals(
        &mut self,
        refusals: &[Refusal],
        now: Timestamp,
        remember: Duration,
    ) -> Result<(), StoreError> {
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(StoreError::changing)?;
        let change = || -> rusqlite::Result<()> {
            let mut add = transaction.prepare_cached(
                "INSERT INTO refusal
                 (address, name, first, last, count, port, status, class, nobody)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
                 ON CONFLICT (address, name) DO UPDATE SET
                 last = excluded.last, count = min(count + excluded.count, 4294967295),
                 port = excluded.port, status = excluded.status, class = excluded.class,
                 nobody = excluded.nobody",
            )?;
            for refusal in refusals {
                add.execute(params![
                    Address(refusal.address),
                    refusal.name,
                    Seconds(refusal.first),
                    Seconds(refusal.last),
                    refusal.count,
                    refusal.port,
                    refusal.status,
                    refusal.class,
                    refusal.nobody,
                ])?;
            }
            let horizon = now.checked_sub(remember).unwrap_or(Timestamp::MIN);
            transaction.execute(
                "DELETE FROM refusal WHERE last < ?1",
                params![Seconds(horizon)],
            )?;
            transaction.execute(
                "DELETE FROM refusal WHERE (address, name) IN (
                     SELECT address, name FROM refusal ORDER BY last
                     LIMIT max(0, (SELECT count(*) FROM refusal) - ?1))",
                params![MOST],
            )?;
            Ok(())
        };
        change().map_err(StoreError::changing)?;
        transaction.commit().map_err(StoreError::changing)
    }

    /// All refusals, the latest first.
    pub fn refusals(&self) -> Result<Vec<Refusal>, StoreError> {
        self.refusals_where("true", [])
    }

    /// Those of an address (of IPv6, its network of 64 bits), the latest first.
    pub fn refusals_of(&self, address: IpAddr) -> Result<Vec<Refusal>, StoreError> {
        self.refusals_where("address = ?1", params![Address(address)])
    }

    /// Those of an account, the latest first.
    pub fn refusals_for(&self, name: &Name) -> Result<Vec<Refusal>, StoreError> {
        self.refusals_where("name = ?1", params![name])
    }

    fn refusals_where(
        &self,
        condition: &str,
        parameters: impl rusqlite::Params,
    ) -> Result<Vec<Refusal>, StoreError> {
        self.select(
            &format!(
                "SELECT address, name, first, last, count, port, status, class, nobody
                 FROM refusal WHERE {condition} ORDER BY last DESC, length(address), address, name"
            ),
            parameters,
            from_row,
        )
    }
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<Refusal> {
    Ok(Refusal {
        address: row.get::<_, Address>(0)?.0,
        name: row.get(1)?,
        first: row.get::<_, Seconds>(2)?.0,
        last: row.get::<_, Seconds>(3)?.0,
        count: row.get(4)?,
        port: row.get(5)?,
        status: row.get(6)?,
        class: row.get(7)?,
        nobody: row.get(8)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MONTH: Duration = Duration::from_secs(30 * 86_400);

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn refusal(address: u32, name: &str, second: i64) -> Refusal {
        Refusal {
            address: std::net::Ipv4Addr::from(address).into(),
            name: Name::new(name),
            first: at(second),
            last: at(second),
            count: 2,
            port: 5071,
            status: 401,
            class: "REGISTER".into(),
            nobody: false,
        }
    }

    #[test]
    fn refusals_add_up_by_address_and_account() {
        let directory = tempfile::tempdir().unwrap();
        let mut store = Store::open(directory.path()).unwrap().store;
        let first = refusal(0xcb00_7109, "1007", 100);
        store
            .add_refusals(
                &[first.clone(), refusal(0xcb00_7109, "1008", 100)],
                at(100),
                MONTH,
            )
            .unwrap();
        let again = Refusal {
            status: 403,
            ..refusal(0xcb00_7109, "1007", 200)
        };
        store
            .add_refusals(&[again.clone(), refusal(1, "1007", 300)], at(300), MONTH)
            .unwrap();
        let sum = Refusal {
            first: at(100),
            count: 4,
            ..again
        };
        assert_eq!(
            store.refusals_for(&Name::new("1007")).unwrap(),
            [refusal(1, "1007", 300), sum]
        );
        assert_eq!(store.refusals_of(first.address).unwrap().len(), 2);
        let late = at(300 + MONTH.as_secs().cast_signed());
        store.add_refusals(&[], late, MONTH).unwrap();
        assert_eq!(store.refusals().unwrap(), [refusal(1, "1007", 300)]);
    }

    #[test]
    fn a_flood_of_refusals_fills_no_disk() {
        let directory = tempfile::tempdir().unwrap();
        let mut store = Store::open(directory.path()).unwrap().store;
        let many = MOST as u32 + 100;
        let all: Vec<_> = (0..many)
            .map(|n| refusal(n, "1007", 100 + i64::from(n)))
            .collect();
        store.add_refusals(&all, at(200_000), MONTH).unwrap();
        let kept = store.refusals().unwrap();
        assert_eq!(kept.len(), MOST as usize);
        assert_eq!(kept[0], all[many as usize - 1], "the oldest went");
    }
}
