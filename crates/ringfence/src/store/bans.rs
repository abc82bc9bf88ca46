//! Bans in force, and for a while those that were.

use std::net::IpAddr;
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSqlOutput, ValueRef};
use rusqlite::{OptionalExtension, Row, ToSql, Transaction, TransactionBehavior, params};

use super::encode::{Address, Seconds, network};
use super::{Store, StoreError};

/// The columns of a ban, as [`from_row`] reads them.
const COLUMNS: &str =
    "address, prefix_len, reason, since, until, times, evidence, note, port, proved";

/// Bans that are remembered at most: forged sources must not fill the disk.
const REMEMBERED: i64 = 100_000;
/// Bans that are moved to the history at once.
const AT_ONCE: i64 = 10_000;

/// A source, or one flow of it, that is shut out until a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ban {
    /// The address, or the lowest of the network. Bits after the prefix are cleared when it is stored.
    pub address: IpAddr,
    /// Bits of the prefix: 32 or 128 for one address, 64 for an IPv6 network, 24 or 48 for a whole net.
    pub prefix_len: u8,
    /// The source port, where only one flow is banned; never 0.
    pub port: Option<u16>,
    /// The public name of the reason.
    pub reason: String,
    /// When it began; kept to the second.
    pub since: Timestamp,
    /// When it ends; kept to the second.
    pub until: Timestamp,
    /// How many times this source has been banned, this one included.
    pub times: u32,
    /// Whether the source proved a return path, so that nobody forged what it was banned for.
    pub proved: bool,
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

/// Bans of a source that ran their time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PastBans {
    /// All of them.
    pub all: u32,
    /// Those whose evidence nobody can have forged.
    pub proved: u32,
}

impl Ban {
    /// Whether it is of a whole net: a /24, or an IPv6 /48.
    pub fn is_net(&self) -> bool {
        self.prefix_len == if self.address.is_ipv4() { 24 } else { 48 }
    }

    /// The source as it is written: with its port where only a flow is banned.
    pub fn source(&self) -> String {
        match self.port {
            None if matches!(
                (self.address.is_ipv4(), self.prefix_len),
                (true, 32) | (false, 128)
            ) =>
            {
                self.address.to_string()
            }
            None => format!("{}/{}", self.address, self.prefix_len),
            Some(port) => format!("{} port {port}", self.address),
        }
    }
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
            if let Some(old) = find(&transaction, address, prefix_len, ban.port)?
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
                .prepare_cached(&format!(
                    "INSERT OR REPLACE INTO ban ({COLUMNS})
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)"
                ))
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
                        ban.port.unwrap_or(0),
                        ban.proved,
                    ])
                })
                .map_err(StoreError::changing)?;
        }
        transaction.commit().map_err(StoreError::changing)
    }

    /// Lifts the ban on exactly this network, or flow of it. False where there is none.
    pub fn lift_ban(
        &mut self,
        address: IpAddr,
        prefix_len: u8,
        port: Option<u16>,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let (address, prefix_len) = key(address, prefix_len)?;
        let transaction = begin(&mut self.connection)?;
        let Some(ban) = find(&transaction, address, prefix_len, port)? else {
            return Ok(false);
        };
        end(&transaction, ban, now, BanEnd::Lifted)?;
        transaction.commit().map_err(StoreError::changing)?;
        Ok(true)
    }

    /// All bans, IPv4 first, by address. Those that have ended by now and were not swept are among them.
    pub fn bans(&self) -> Result<Vec<Ban>, StoreError> {
        self.select(
            &format!(
                "SELECT {COLUMNS} FROM ban ORDER BY length(address), address, prefix_len, port"
            ),
            [],
            from_row,
        )
    }

    /// Moves bans that have ended by `now` to the history and returns them, and forgets what ended longer ago than
    /// `remember` or has no room. So many at once that it takes no long time; the rest is left for the next time.
    pub fn expire_bans(
        &mut self,
        now: Timestamp,
        remember: Duration,
    ) -> Result<Vec<Ban>, StoreError> {
        let transaction = begin(&mut self.connection)?;
        let over = transaction
            .prepare_cached(&format!(
                "SELECT {COLUMNS} FROM ban WHERE until <= ?1 ORDER BY until LIMIT ?2"
            ))
            .and_then(|mut statement| {
                statement
                    .query_map(params![Seconds(now), AT_ONCE], from_row)?
                    .collect::<Result<Vec<_>, _>>()
            })
            .map_err(StoreError::reading)?;
        for ban in &over {
            end(&transaction, ban.clone(), ban.until, BanEnd::Expired)?;
        }
        let horizon = now.checked_sub(remember).unwrap_or(Timestamp::MIN);
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
            &format!("SELECT {COLUMNS}, ended, how FROM ban_history ORDER BY ended DESC, id DESC"),
            [],
            past_from_row,
        )
    }

    /// Past bans of this network and of flows of it, the latest first.
    pub fn history_of(&self, address: IpAddr, prefix_len: u8) -> Result<Vec<PastBan>, StoreError> {
        let (address, prefix_len) = key(address, prefix_len)?;
        self.select(
            &format!(
                "SELECT {COLUMNS}, ended, how FROM ban_history
                 WHERE address = ?1 AND prefix_len = ?2 ORDER BY ended DESC, id DESC"
            ),
            params![Address(address), prefix_len],
            past_from_row,
        )
    }

    /// Bans of exactly this network, or flow of it, that ended since a moment. One that was lifted does not count: it
    /// was a mistake, or was made up for.
    pub fn past_bans_of(
        &self,
        address: IpAddr,
        prefix_len: u8,
        port: Option<u16>,
        since: Timestamp,
    ) -> Result<PastBans, StoreError> {
        let (address, prefix_len) = key(address, prefix_len)?;
        self.connection
            .prepare_cached(
                "SELECT count(*), coalesce(sum(proved <> 0), 0) FROM ban_history
                 WHERE address = ?1 AND prefix_len = ?2 AND port = ?3 AND ended >= ?4
                 AND how = 'expired'",
            )
            .and_then(|mut statement| {
                let port = port.unwrap_or(0);
                let key = params![Address(address), prefix_len, port, Seconds(since)];
                statement.query_row(key, |row| {
                    Ok(PastBans {
                        all: row.get(0)?,
                        proved: row.get(1)?,
                    })
                })
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
    port: Option<u16>,
) -> Result<Option<Ban>, StoreError> {
    transaction
        .query_row(
            &format!(
                "SELECT {COLUMNS} FROM ban WHERE address = ?1 AND prefix_len = ?2 AND port = ?3"
            ),
            params![Address(address), prefix_len, port.unwrap_or(0)],
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
            "DELETE FROM ban WHERE address = ?1 AND prefix_len = ?2 AND port = ?3",
            params![Address(ban.address), ban.prefix_len, ban.port.unwrap_or(0)],
        )
        .map_err(StoreError::changing)?;
    remember(transaction, &PastBan { ban, ended, how })
}

fn remember(transaction: &Transaction<'_>, past: &PastBan) -> Result<(), StoreError> {
    let PastBan { ban, ended, how } = past;
    transaction
        .execute(
            &format!(
                "INSERT INTO ban_history ({COLUMNS}, ended, how)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)"
            ),
            params![
                Address(ban.address),
                ban.prefix_len,
                ban.reason,
                Seconds(ban.since),
                Seconds(ban.until),
                ban.times,
                ban.evidence,
                ban.note,
                ban.port.unwrap_or(0),
                ban.proved,
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
        port: Some(row.get(8)?).filter(|port| *port != 0),
        proved: row.get(9)?,
    })
}

fn past_from_row(row: &Row<'_>) -> rusqlite::Result<PastBan> {
    Ok(PastBan {
        ban: from_row(row)?,
        ended: row.get::<_, Seconds>(10)?.0,
        how: row.get(11)?,
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

    const KEPT: Duration = Duration::from_secs(30 * 86_400);

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
            port: None,
            proved: true,
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
        assert_eq!(store.expire_bans(at(199), KEPT).unwrap(), []);
        assert_eq!(store.expire_bans(at(250), KEPT).unwrap().len(), 1);
        assert!(store.lift_ban(lifted.address, 32, None, at(300)).unwrap());
        assert!(!store.lift_ban(lifted.address, 32, None, at(300)).unwrap());
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
        let past = |address, since| {
            store
                .past_bans_of(address, 32, None, at(since))
                .unwrap()
                .all
        };
        assert_eq!(past(ended.ban.address, 100), 1);
        assert_eq!(past(ended.ban.address, 201), 0, "too long ago");
        assert_eq!(past(lifted.ban.address, 100), 0, "a mistake does not count");
        let told = store.history_of(lifted.ban.address, 32).unwrap();
        assert_eq!(told, std::slice::from_ref(&lifted));
        store
            .expire_bans(at(201 + KEPT.as_secs().cast_signed()), KEPT)
            .unwrap();
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
    fn a_flow_is_banned_beside_its_address() {
        let (_directory, mut store) = store();
        let (whole, flow) = (
            ban("203.0.113.9", 32, 100, 200),
            Ban {
                port: Some(5071),
                proved: false,
                ..ban("203.0.113.9", 32, 100, 300)
            },
        );
        store.put_bans(&[whole.clone(), flow.clone()]).unwrap();
        assert_eq!(store.bans().unwrap(), [whole.clone(), flow.clone()]);
        assert_eq!(store.expire_bans(at(400), KEPT).unwrap().len(), 2);
        let past = |port| {
            let address = whole.address;
            store.past_bans_of(address, 32, port, at(100)).unwrap()
        };
        assert_eq!(past(None), PastBans { all: 1, proved: 1 });
        assert_eq!(past(flow.port), PastBans { all: 1, proved: 0 });
        assert_eq!(past(Some(5072)), PastBans::default());
        assert_eq!(flow.source(), "203.0.113.9 port 5071");
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
            let over = store.expire_bans(at(300), KEPT).unwrap().len();
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
