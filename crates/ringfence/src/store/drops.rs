//! What was dropped, or in shadow mode would have been: one row for each source, service and reason.

use std::net::IpAddr;
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Row, TransactionBehavior, params};

use super::encode::{Address, Seconds};
use super::{Name, Store, StoreError};

/// Rows that are kept at most: forged sources must not fill the disk.
const MOST: i64 = 50_000;

/// The columns, as [`from_row`] reads them.
const COLUMNS: &str = "address, service, reason, country, class, protocol, port, first, last, count, \
                       enforced, invites, evidence, registered, account";

/// What was dropped of a source at a service for a reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dropped {
    /// The source; of IPv6 its network of 64 bits.
    pub address: IpAddr,
    /// The service; empty for none.
    pub service: String,
    /// The public name of the reason.
    pub reason: String,
    /// The code of the source's country.
    pub country: String,
    /// The class of the last message; empty for none.
    pub class: String,
    /// "udp", "tcp" or the IANA number, of the last one.
    pub protocol: String,
    /// The source port of the last one.
    pub port: u16,
    /// When the first one was told of; kept to the second.
    pub first: Timestamp,
    /// When the last one was told of; kept to the second.
    pub last: Timestamp,
    /// How many were told of.
    pub count: u32,
    /// How many of them were dropped indeed, and not in shadow mode.
    pub enforced: u32,
    /// How many of them were INVITEs.
    pub invites: u32,
    /// The beginning of the payload of the first one.
    pub evidence: Vec<u8>,
    /// When the source registered after all; kept to the second.
    pub registered: Option<Timestamp>,
    /// The account that it registered then.
    pub account: Option<Name>,
}

impl Store {
    /// Adds to what is known, and forgets what is older than `remember` or has no room: first those who never
    /// registered, and of them those told of least and longest ago.
    pub fn add_drops(
        &mut self,
        drops: &[Dropped],
        now: Timestamp,
        remember: Duration,
    ) -> Result<(), StoreError> {
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(StoreError::changing)?;
        let change = || -> rusqlite::Result<()> {
            let mut add = transaction.prepare_cached(&format!(
                "INSERT INTO dropped ({COLUMNS})
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, NULL, NULL)
                 ON CONFLICT (address, service, reason) DO UPDATE SET
                 country = excluded.country, class = excluded.class,
                 protocol = excluded.protocol, port = excluded.port, last = excluded.last,
                 count = min(count + excluded.count, 4294967295),
                 enforced = min(enforced + excluded.enforced, 4294967295),
                 invites = min(invites + excluded.invites, 4294967295)"
            ))?;
            for row in drops {
                add.execute(params![
                    Address(row.address),
                    row.service,
                    row.reason,
                    row.country,
                    row.class,
                    row.protocol,
                    row.port,
                    Seconds(row.first),
                    Seconds(row.last),
                    row.count,
                    row.enforced,
                    row.invites,
                    row.evidence,
                ])?;
            }
            let horizon = now.checked_sub(remember).unwrap_or(Timestamp::MIN);
            transaction.execute(
                "DELETE FROM dropped WHERE last < ?1",
                params![Seconds(horizon)],
            )?;
            transaction.execute(
                "DELETE FROM dropped WHERE (address, service, reason) IN (
                     SELECT address, service, reason FROM dropped
                     ORDER BY registered IS NOT NULL, count, last
                     LIMIT max(0, (SELECT count(*) FROM dropped) - ?1))",
                params![MOST],
            )?;
            Ok(())
        };
        change().map_err(StoreError::changing)?;
        transaction.commit().map_err(StoreError::changing)
    }

    /// Notes that sources registered: what was dropped of them before was dropped wrongly. How many rows that is.
    pub fn note_registered(
        &mut self,
        registered: &[(IpAddr, Name)],
        now: Timestamp,
    ) -> Result<usize, StoreError> {
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(StoreError::changing)?;
        let change = || -> rusqlite::Result<usize> {
            let mut note = transaction.prepare_cached(
                "UPDATE dropped SET registered = ?2, account = ?3
                 WHERE address = ?1 AND registered IS NULL",
            )?;
            registered.iter().try_fold(0, |rows, (address, name)| {
                let more = note.execute(params![Address(*address), Seconds(now), name])?;
                Ok(rows + more)
            })
        };
        let rows = change().map_err(StoreError::changing)?;
        transaction.commit().map_err(StoreError::changing)?;
        Ok(rows)
    }

    /// What was dropped since a moment, that of the loudest sources first.
    pub fn drops_since(&self, since: Timestamp) -> Result<Vec<Dropped>, StoreError> {
        self.select(
            &format!(
                "SELECT {COLUMNS} FROM dropped WHERE last >= ?1
                 ORDER BY count DESC, last DESC, length(address), address, service, reason"
            ),
            params![Seconds(since)],
            from_row,
        )
    }

    /// What was dropped of a source (of IPv6, its network of 64 bits), the latest first.
    pub fn drops_of(&self, address: IpAddr) -> Result<Vec<Dropped>, StoreError> {
        self.select(
            &format!(
                "SELECT {COLUMNS} FROM dropped WHERE address = ?1
                 ORDER BY last DESC, count DESC, service, reason"
            ),
            params![Address(address)],
            from_row,
        )
    }
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<Dropped> {
    Ok(Dropped {
        address: row.get::<_, Address>(0)?.0,
        service: row.get(1)?,
        reason: row.get(2)?,
        country: row.get(3)?,
        class: row.get(4)?,
        protocol: row.get(5)?,
        port: row.get(6)?,
        first: row.get::<_, Seconds>(7)?.0,
        last: row.get::<_, Seconds>(8)?.0,
        count: row.get(9)?,
        enforced: row.get(10)?,
        invites: row.get(11)?,
        evidence: row.get(12)?,
        registered: row.get::<_, Option<Seconds>>(13)?.map(|at| at.0),
        account: row.get(14)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MONTH: Duration = Duration::from_secs(30 * 86_400);

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn dropped(address: u32, reason: &str, second: i64) -> Dropped {
        Dropped {
            address: std::net::Ipv4Addr::from(address).into(),
            service: "sip".into(),
            reason: reason.into(),
            country: "IE".into(),
            class: "REGISTER".into(),
            protocol: "udp".into(),
            port: 5060,
            first: at(second),
            last: at(second),
            count: 1,
            enforced: 0,
            invites: 0,
            evidence: b"REGISTER sip:".to_vec(),
            registered: None,
            account: None,
        }
    }

    fn store() -> (tempfile::TempDir, Store) {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path()).unwrap().store;
        (directory, store)
    }

    #[test]
    fn drops_add_up_and_registrations_are_noted() {
        let (_directory, mut store) = store();
        let first = dropped(7, "country", 100);
        store
            .add_drops(
                &[
                    first.clone(),
                    dropped(7, "rate", 100),
                    dropped(8, "rate", 50),
                ],
                at(100),
                MONTH,
            )
            .unwrap();
        let again = Dropped {
            count: 3,
            invites: 1,
            evidence: b"INVITE".to_vec(),
            ..dropped(7, "country", 200)
        };
        store.add_drops(&[again], at(200), MONTH).unwrap();
        let name = Name::new("1007");
        let noted = store.note_registered(&[(first.address, name.clone())], at(300));
        assert_eq!(noted.unwrap(), 2);
        let sum = Dropped {
            last: at(200),
            count: 4,
            invites: 1,
            registered: Some(at(300)),
            account: Some(name),
            ..first.clone()
        };
        assert_eq!(store.drops_of(first.address).unwrap()[0], sum);
        let since = |second| store.drops_since(at(second)).unwrap();
        assert_eq!(since(0).len(), 3);
        assert_eq!(since(60)[0], sum);
        assert_eq!(since(60).len(), 2);
        let late = at(101 + MONTH.as_secs().cast_signed());
        store.add_drops(&[], late, MONTH).unwrap();
        assert_eq!(store.drops_since(at(0)).unwrap(), [sum]);
    }

    #[test]
    fn a_flood_of_drops_pushes_no_loud_source_out() {
        let (_directory, mut store) = store();
        let loud = Dropped {
            count: 2,
            ..dropped(1, "rate", 10)
        };
        let wrong = dropped(2, "rate", 10);
        store
            .add_drops(&[loud.clone(), wrong.clone()], at(10), MONTH)
            .unwrap();
        let registered = [(wrong.address, Name::new("1"))];
        store.note_registered(&registered, at(11)).unwrap();
        let flood: Vec<_> = (100..MOST as u32 + 200)
            .map(|n| dropped(n, "rate", 20))
            .collect();
        store.add_drops(&flood, at(30), MONTH).unwrap();
        assert_eq!(store.drops_since(at(0)).unwrap().len(), MOST as usize);
        assert_eq!(store.drops_of(loud.address).unwrap(), [loud]);
        assert_eq!(store.drops_of(wrong.address).unwrap().len(), 1);
    }
}
