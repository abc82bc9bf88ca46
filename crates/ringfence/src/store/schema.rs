//! The layout of the database and the steps that lead to it.

use rusqlite::{Connection, TransactionBehavior};

use super::StoreError;

/// Step N takes the layout from version N to N + 1. A step that was released is never changed; a new one is added.
const STEPS: &[&str] = &["
    CREATE TABLE list_entry (
        list    TEXT    NOT NULL CHECK (list IN ('permit', 'deny')),
        first   BLOB    NOT NULL,
        last    BLOB    NOT NULL,
        comment TEXT    NOT NULL,
        added   INTEGER NOT NULL,
        expires INTEGER,
        PRIMARY KEY (list, first, last)
    ) WITHOUT ROWID;
    CREATE INDEX list_entry_expires ON list_entry (expires) WHERE expires IS NOT NULL;

    CREATE TABLE country_override (
        code TEXT NOT NULL PRIMARY KEY,
        rule TEXT NOT NULL CHECK (rule IN ('allow', 'deny'))
    ) WITHOUT ROWID;

    CREATE TABLE ban (
        address    BLOB    NOT NULL,
        prefix_len INTEGER NOT NULL,
        reason     TEXT    NOT NULL,
        since      INTEGER NOT NULL,
        until      INTEGER NOT NULL,
        times      INTEGER NOT NULL,
        evidence   BLOB,
        note       TEXT    NOT NULL,
        PRIMARY KEY (address, prefix_len)
    );
    CREATE INDEX ban_until ON ban (until);

    CREATE TABLE ban_history (
        id         INTEGER PRIMARY KEY,
        address    BLOB    NOT NULL,
        prefix_len INTEGER NOT NULL,
        reason     TEXT    NOT NULL,
        since      INTEGER NOT NULL,
        until      INTEGER NOT NULL,
        times      INTEGER NOT NULL,
        evidence   BLOB,
        note       TEXT    NOT NULL,
        ended      INTEGER NOT NULL,
        how        TEXT    NOT NULL CHECK (how IN ('expired', 'lifted'))
    );
    CREATE INDEX ban_history_address ON ban_history (address, prefix_len);
    CREATE INDEX ban_history_ended ON ban_history (ended);
"];

/// The layout that this program reads and writes.
pub(super) const VERSION: i64 = STEPS.len() as i64;

/// The layout of the open file; 0 is an empty one.
pub(super) fn version(connection: &Connection) -> Result<i64, StoreError> {
    connection
        .query_row("PRAGMA user_version", [], |row| row.get(0))
        .map_err(StoreError::reading)
}

/// Brings the file to [`VERSION`], each step in a transaction of its own that also sets the version.
pub(super) fn migrate(connection: &mut Connection) -> Result<(), StoreError> {
    let from = version(connection)?;
    for (step, sql) in (0..).zip(STEPS) {
        if step < from {
            continue;
        }
        let step_to = step + 1;
        let transaction = connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(StoreError::changing)?;
        transaction
            .execute_batch(sql)
            .map_err(StoreError::changing)?;
        transaction
            .pragma_update(None, "user_version", step_to)
            .map_err(StoreError::changing)?;
        transaction.commit().map_err(StoreError::changing)?;
    }
    Ok(())
}
