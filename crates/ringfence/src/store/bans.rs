//! Bans in force, and for thirty days those that were.

use std::net::IpAddr;

use jiff::{SignedDuration, Timestamp};
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSqlOutput, ValueRef};
use rusqlite::{OptionalExtension, Row, ToSql, Transaction, TransactionBehavior, params};

use super::encode::{Address, Seconds, network};
use super::{Store, StoreError};

/// How long an ended ban is remembered.
const KEPT: SignedDuration = SignedDuration::from_hours(30 * 24);

/// Bans that are remembered at most: forged sources must not fill the disk.
const REMEMBERED: i64 = 100_000;
/// Bans that are moved to the history at once.
const AT_ONCE: i64 = 10_000;

/// A source that is shut out until a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ban {
    /// The address, or the lowest of the network. Bits after the prefix are cleared when it is stored.
    pub address: IpAddr,
    /// Bits of the prefix: 32 or 128 for one address, 64 for an IPv6 network.
    pub prefix_len: u8,
    /// The public name of the reason.
    pub reason: String,
    /// When it began; kept to the second.
    pub since: Timestamp,
    /// When it ends; kept to the second.
    pub until: Timestamp,
    /// How many times this source has been banned, this one included.
    pub times: u32,
    /// The first bytes of the packet that led to it.
    pub evidence: Option<Vec<u8>>,
    /// What an operator wrote about it; may be empty.
    pub note: String,
}

/// How a ban came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BanEnd {
    /// Its time was over.
    Expired,
    /// An operator or an accepted registration lifted it.
    Lifted,
}

/// A ban that is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastBan {
    /// The ban as it was.
    pub ban: Ban,
    /// When it ended.
    pub ended: Timestamp,
    /// How it ended.
    pub how: BanEnd,
}

impl Store {
    /// Stores a ban in place of one on the same network, if there is one.
    pub fn put_ban(&mut self, ban: &Ban) -> Result<(), StoreError> {
        self.put_bans(std::slice::from_ref(ban))
    }

    /// Stores several bans in one transaction: all of them, or on an error none. A ban that they replace goes to the
    /// history if it was over before the new one began.
    pub fn put_bans(&mut self, bans: &[Ban]) -> Result<(), StoreError> {
        let transaction = begin(&mut self.connection)?;
        for ban in bans {
            let (address, prefix_len) = key(ban.address, ban.prefix_len)?;
            if let Some(old) = find(&transaction, address, prefix_len)?
                && old.until <= ban.since
            {
                let ended = old.until;
                remember(
                    &transaction,
                    &PastBan {
                        ban: old,
                        ended,
                        how: BanEnd::Expired,
                    },
                )?;
            }
            transaction
                .prepare_cached(
                    "INSERT OR REPLACE INTO ban
                     (address, prefix_len, reason, since, until, times, evidence, note)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                )
                .and_then(|mut statement| {
                    statement.execute(params![
                        Address(address),
                        prefix_len,
                        ban.reason,
                        Seconds(ban.since),
                        Seconds(ban.until),
                        ban.times,
                        ban.evidence,
                        ban.note,
                    ])
                })
                .map_err(StoreError::changing)?;
        }
        transaction.commit().map_err(StoreError::changing)
    }

    /// Lifts the ban on exactly this network. False where there is none.
    pub fn lift_ban(
        &mut self,
        address: IpAddr,
        prefix_len: u8,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let (address, prefix_len) = key(address, prefix_len)?;
        let transaction = begin(&mut self.connection)?;
        let Some(ban) = find(&transaction, address, prefix_len)? else {
            return Ok(false);
        };
        end(&transaction, ban, now, BanEnd::Lifted)?;
        transaction.commit().map_err(StoreError::changing)?;
        Ok(true)
    }

    /// All bans, IPv4 first, by address. Those that have ended by now and were not swept are among them.
    pub fn bans(&self) -> Result<Vec<Ban>, StoreError> {
        self.select(
            "SELECT address, prefix_len, reason, since, until, times, evidence, note FROM ban
             ORDER BY length(address), address, prefix_len",
            [],
            from_row,
        )
    }

    /// Moves bans that have ended by `now` to the history and returns them, and forgets what ended thirty days before or
    /// has no room. So many at once that it takes no long time; the rest is left for the next time.
    pub fn expire_bans(&mut self, now: Timestamp) -> Result<Vec<Ban>, StoreError> {
        let transaction = begin(&mut self.connection)?;
        let over = transaction
            .prepare_cached(
                "SELECT address, prefix_len, reason, since, until, times, evidence, note FROM ban
                 WHERE until <= ?1 ORDER BY until LIMIT ?2",
            )
            .and_then(|mut statement| {
                statement
                    .query_map(params![Seconds(now), AT_ONCE], from_row)?
                    .collect::<Result<Vec<_>, _>>()
            })
            .map_err(StoreError::reading)?;
        for ban in &over {
            end(&transaction, ban.clone(), ban.until, BanEnd::Expired)?;
        }
        let horizon = now.checked_sub(KEPT).unwrap_or(Timestamp::MIN);
        transaction
            .execute(
                "DELETE FROM ban_history WHERE ended < ?1",
                params![Seconds(horizon)],
            )
            .map_err(StoreError::changing)?;
        transaction
            .execute(
                "DELETE FROM ban_history WHERE id <= (SELECT max(id) FROM ban_history) - ?1",
                params![REMEMBERED],
            )
            .map_err(StoreError::changing)?;
        transaction.commit().map_err(StoreError::changing)?;
        Ok(over)
    }

    /// Bans that are over, the latest first.
    pub fn ban_history(&self) -> Result<Vec<PastBan>, StoreError> {
        self.select(
            "SELECT address, prefix_len, reason, since, until, times, evidence, note, ended, how
             FROM ban_history ORDER BY ended DESC, id DESC",
            [],
            past_from_row,
        )
    }

    /// How many past bans on exactly this network are remembered.
    pub fn past_bans_of(&self, address: IpAddr, prefix_len: u8) -> Result<u32, StoreError> {
        let (address, prefix_len) = key(address, prefix_len)?;
        self.connection
            .prepare_cached(
                "SELECT count(*) FROM ban_history WHERE address = ?1 AND prefix_len = ?2",
            )
            .and_then(|mut statement| {
                statement.query_row(params![Address(address), prefix_len], |row| row.get(0))
            })
            .map_err(StoreError::reading)
    }
}

fn begin(connection: &mut rusqlite::Connection) -> Result<Transaction<'_>, StoreError> {
    connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(StoreError::changing)
}

/// The network as it is stored.
fn key(address: IpAddr, prefix_len: u8) -> Result<(IpAddr, u8), StoreError> {
    match network(address, prefix_len) {
        Some(lowest) => Ok((lowest, prefix_len)),
        None => Err(StoreError::Prefix {
            address,
            prefix_len,
        }),
    }
}

fn find(
    transaction: &Transaction<'_>,
    address: IpAddr,
    prefix_len: u8,
) -> Result<Option<Ban>, StoreError> {
    transaction
        .query_row(
            "SELECT address, prefix_len, reason, since, until, times, evidence, note FROM ban
             WHERE address = ?1 AND prefix_len = ?2",
            params![Address(address), prefix_len],
            from_row,
        )
        .optional()
        .map_err(StoreError::reading)
}

fn end(
    transaction: &Transaction<'_>,
    ban: Ban,
    ended: Timestamp,
    how: BanEnd,
) -> Result<(), StoreError> {
    transaction
        .execute(
            "DELETE FROM ban WHERE address = ?1 AND prefix_len = ?2",
            params![Address(ban.address), ban.prefix_len],
        )
        .map_err(StoreError::changing)?;
    remember(transaction, &PastBan { ban, ended, how })
}

fn remember(transaction: &Transaction<'_>, past: &PastBan) -> Result<(), StoreError> {
    let PastBan { ban, ended, how } = past;
    transaction
        .execute(
            "INSERT INTO ban_history
             (address, prefix_len, reason, since, until, times, evidence, note, ended, how)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
            params![
                Address(ban.address),
                ban.prefix_len,
                ban.reason,
                Seconds(ban.since),
                Seconds(ban.until),
                ban.times,
                ban.evidence,
                ban.note,
                Seconds(*ended),
                how,
            ],
        )
        .map(|_| ())
        .map_err(StoreError::changing)
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<Ban> {
    let address = row.get::<_, Address>(0)?.0;
    let prefix_len = row.get(1)?;
    if network(address, prefix_len).is_none() {
        return Err(rusqlite::Error::IntegralValueOutOfRange(
            1,
            i64::from(prefix_len),
        ));
    }
    Ok(Ban {
        address,
        prefix_len,
        reason: row.get(2)?,
        since: row.get::<_, Seconds>(3)?.0,
        until: row.get::<_, Seconds>(4)?.0,
        times: row.get(5)?,
        evidence: row.get(6)?,
        note: row.get(7)?,
    })
}

fn past_from_row(row: &Row<'_>) -> rusqlite::Result<PastBan> {
    Ok(PastBan {
        ban: from_row(row)?,
        ended: row.get::<_, Seconds>(8)?.0,
        how: row.get(9)?,
    })
}

impl ToSql for BanEnd {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::from(match self {
            Self::Expired => "expired",
            Self::Lifted => "lifted",
        }))
    }
}

impl FromSql for BanEnd {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        match value.as_str()? {
            "expired" => Ok(Self::Expired),
            "lifted" => Ok(Self::Lifted),
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

    fn ban(address: &str, prefix_len: u8, since: i64, until: i64) -> Ban {
        Ban {
            address: address.parse().unwrap(),
            prefix_len,
            reason: "rate".to_owned(),
            since: at(since),
            until: at(until),
            times: 1,
            evidence: Some(b"REGISTER sip:".to_vec()),
            note: String::new(),
        }
    }

    fn store() -> (tempfile::TempDir, Store) {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path()).unwrap().store;
        (directory, store)
    }

    #[test]
    fn bans_last_across_a_restart_and_cover_their_network() {
        let (directory, mut store) = store();
        store
            .put_ban(&ban("2001:db8::1:2:3:4", 64, 100, 200))
            .unwrap();
        store.put_ban(&ban("203.0.113.9", 32, 100, 200)).unwrap();
        store
            .put_ban(&Ban {
                times: 2,
                ..ban("203.0.113.9", 32, 150, 400)
            })
            .unwrap();
        drop(store);
        let store = Store::open(directory.path()).unwrap().store;
        let renewed = Ban {
            times: 2,
            ..ban("203.0.113.9", 32, 150, 400)
        };
        assert_eq!(
            store.bans().unwrap(),
            [renewed, ban("2001:db8::", 64, 100, 200)]
        );
        assert_eq!(store.ban_history().unwrap(), []);
    }

    #[test]
    fn ended_and_lifted_bans_are_remembered_for_thirty_days() {
        let (_directory, mut store) = store();
        let (ended, lifted) = (
            ban("203.0.113.9", 32, 100, 200),
            ban("203.0.113.10", 32, 100, 900),
        );
        store.put_bans(&[ended.clone(), lifted.clone()]).unwrap();
        assert_eq!(store.expire_bans(at(199)).unwrap(), []);
        assert_eq!(store.expire_bans(at(250)).unwrap().len(), 1);
        assert!(store.lift_ban(lifted.address, 32, at(300)).unwrap());
        assert!(!store.lift_ban(lifted.address, 32, at(300)).unwrap());
        assert_eq!(store.bans().unwrap(), []);
        let ended = PastBan {
            ban: ended,
            ended: at(200),
            how: BanEnd::Expired,
        };
        let lifted = PastBan {
            ban: lifted,
            ended: at(300),
            how: BanEnd::Lifted,
        };
        assert_eq!(
            store.ban_history().unwrap(),
            [lifted.clone(), ended.clone()]
        );
        assert_eq!(store.past_bans_of(ended.ban.address, 32).unwrap(), 1);
        store.expire_bans(at(200 + KEPT.as_secs() + 1)).unwrap();
        assert_eq!(store.ban_history().unwrap(), [lifted]);
    }

    #[test]
    fn a_ban_that_replaces_an_unswept_one_keeps_its_history() {
        let (_directory, mut store) = store();
        store.put_ban(&ban("203.0.113.9", 32, 100, 200)).unwrap();
        store.put_ban(&ban("203.0.113.9", 32, 200, 900)).unwrap();
        let history = store.ban_history().unwrap();
        assert_eq!(history.len(), 1);
        assert_eq!(
            (history[0].ended, history[0].how),
            (at(200), BanEnd::Expired)
        );
    }

    #[test]
    fn a_batch_with_a_mistake_changes_nothing() {
        let (_directory, mut store) = store();
        let batch = [
            ban("203.0.113.9", 32, 100, 200),
            ban("203.0.113.10", 33, 100, 200),
        ];
        let error = store.put_bans(&batch).unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("203.0.113.10/33 is no network"),
            "{error}"
        );
        assert_eq!(store.bans().unwrap(), []);
    }

    #[test]
    fn a_flood_of_bans_fills_no_disk() {
        let (_directory, mut store) = store();
        let many = (REMEMBERED + 2 * AT_ONCE) as u32;
        let bans: Vec<_> = (0..many)
            .map(|n| Ban {
                address: std::net::Ipv4Addr::from(0x0a00_0000 + n).into(),
                evidence: None,
                ..ban("203.0.113.9", 32, 100, 200)
            })
            .collect();
        store.put_bans(&bans).unwrap();
        let mut ended = 0;
        loop {
            let over = store.expire_bans(at(300)).unwrap().len();
            assert!(over <= AT_ONCE as usize);
            ended += over;
            if over == 0 {
                break;
            }
        }
        assert_eq!(ended, many as usize);
        assert_eq!(store.ban_history().unwrap().len(), REMEMBERED as usize);
    }
}
