//! The layout of the database and the steps that lead to it.

use rusqlite::{Connection, TransactionBehavior};

use super::StoreError;

/// Step N takes the layout from version N to N + 1. A step that was released is never changed; a new one is added.
const STEPS: &[&str] = &[
    "
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
",
    "
    CREATE TABLE ban_of_flows (
        address    BLOB    NOT NULL,
        prefix_len INTEGER NOT NULL,
        reason     TEXT    NOT NULL,
        since      INTEGER NOT NULL,
        until      INTEGER NOT NULL,
        times      INTEGER NOT NULL,
        evidence   BLOB,
        note       TEXT    NOT NULL,
        port       INTEGER NOT NULL,
        proved     INTEGER NOT NULL,
        PRIMARY KEY (address, prefix_len, port)
    );
    INSERT INTO ban_of_flows
        SELECT address, prefix_len, reason, since, until, times, evidence, note, 0, 0 FROM ban;
    DROP TABLE ban;
    ALTER TABLE ban_of_flows RENAME TO ban;
    CREATE INDEX ban_until ON ban (until);

    ALTER TABLE ban_history ADD COLUMN port   INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE ban_history ADD COLUMN proved INTEGER NOT NULL DEFAULT 0;
    DROP INDEX ban_history_address;
    CREATE INDEX ban_history_address ON ban_history (address, prefix_len, port);

    CREATE TABLE registration (
        address  BLOB    NOT NULL,
        found_by INTEGER NOT NULL,
        account  INTEGER NOT NULL,
        name     BLOB    NOT NULL,
        protocol INTEGER NOT NULL,
        port     INTEGER NOT NULL,
        service  TEXT    NOT NULL,
        since    INTEGER NOT NULL,
        until    INTEGER NOT NULL,
        granted  INTEGER NOT NULL,
        PRIMARY KEY (address, found_by)
    ) WITHOUT ROWID;

    CREATE TABLE standing (
        address         BLOB    NOT NULL PRIMARY KEY,
        since           INTEGER NOT NULL,
        known_until     INTEGER,
        solicited_until INTEGER
    ) WITHOUT ROWID;

    CREATE TABLE account (
        digest  INTEGER NOT NULL PRIMARY KEY,
        name    BLOB    NOT NULL,
        last    INTEGER NOT NULL,
        address BLOB    NOT NULL
    );

    CREATE TABLE refusal (
        address BLOB    NOT NULL,
        name    BLOB    NOT NULL,
        first   INTEGER NOT NULL,
        last    INTEGER NOT NULL,
        count   INTEGER NOT NULL,
        port    INTEGER NOT NULL,
        status  INTEGER NOT NULL,
        class   TEXT    NOT NULL,
        nobody  INTEGER NOT NULL,
        PRIMARY KEY (address, name)
    ) WITHOUT ROWID;
    CREATE INDEX refusal_name ON refusal (name);
    CREATE INDEX refusal_last ON refusal (last);

    CREATE TABLE dropped (
        address    BLOB    NOT NULL,
        service    TEXT    NOT NULL,
        reason     TEXT    NOT NULL,
        country    TEXT    NOT NULL,
        class      TEXT    NOT NULL,
        protocol   TEXT    NOT NULL,
        port       INTEGER NOT NULL,
        first      INTEGER NOT NULL,
        last       INTEGER NOT NULL,
        count      INTEGER NOT NULL,
        enforced   INTEGER NOT NULL,
        invites    INTEGER NOT NULL,
        evidence   BLOB    NOT NULL,
        registered INTEGER,
        account    BLOB,
        PRIMARY KEY (address, service, reason)
    ) WITHOUT ROWID;
    CREATE INDEX dropped_last ON dropped (last);

    CREATE TABLE fact (
        name  TEXT    NOT NULL PRIMARY KEY,
        value INTEGER NOT NULL
    ) WITHOUT ROWID;
",
    "
    CREATE TABLE list_name (
        list    TEXT    NOT NULL CHECK (list IN ('permit', 'deny')),
        name    TEXT    NOT NULL,
        comment TEXT    NOT NULL,
        added   INTEGER NOT NULL,
        expires INTEGER,
        PRIMARY KEY (list, name)
    ) WITHOUT ROWID;

    CREATE TABLE name_answer (
        name    TEXT    NOT NULL,
        sip     INTEGER NOT NULL,
        address BLOB    NOT NULL,
        PRIMARY KEY (name, sip, address)
    ) WITHOUT ROWID;
",
];

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

/// Lays an empty file out as the first version had it.
#[cfg(test)]
pub(super) fn first(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(STEPS[0])?;
    connection.pragma_update(None, "user_version", 1)
}
