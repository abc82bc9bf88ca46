//! Who is trusted, as the kernel learned it, so that a reboot forgets nobody.

use std::net::IpAddr;

use jiff::Timestamp;
use rusqlite::{Row, Transaction, TransactionBehavior, params};

use super::encode::{Address, Seconds};
use super::{Name, Store, StoreError};

/// A registration: the kernel finds it by its account, and by the flow that it was made over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registration {
    /// Where it was made from.
    pub address: IpAddr,
    /// What the kernel finds it by, at this address: [`ringfence_core::trust::ContactKey::of`].
    pub found_by: u64,
    /// The digest of the account's name.
    pub account: u64,
    /// The account's name.
    pub name: Name,
    /// IANA protocol number.
    pub protocol: u8,
    /// The port that it was made from.
    pub port: u16,
    /// The service; empty for one that is no more.
    pub service: String,
    /// When it was first made; kept to the second.
    pub since: Timestamp,
    /// When it runs out, the grace included; kept to the second.
    pub until: Timestamp,
    /// Seconds granted.
    pub granted: u32,
}

/// What is known of an address beside its registrations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// The address.
    pub address: IpAddr,
    /// When it was first learned of; kept to the second.
    pub since: Timestamp,
    /// Until when it may ask for a new registration from anywhere; kept to the second.
    pub known_until: Option<Timestamp>,
    /// Until when it is solicited; kept to the second.
    pub solicited_until: Option<Timestamp>,
}

/// An account that registered within the last days.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The digest of its name.
    pub digest: u64,
    /// Its name.
    pub name: Name,
    /// When it last registered; kept to the second.
    pub last: Timestamp,
    /// Where it last registered from.
    pub address: IpAddr,
}

/// All that is stored of trust.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trust {
    /// By address.
    pub registrations: Vec<Registration>,
    /// By address.
    pub standings: Vec<Standing>,
    /// By digest.
    pub accounts: Vec<Account>,
}

/// What is to be stored and forgotten.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrustChange {
    /// Stored in place of what was known before.
    pub put: Trust,
    /// Registrations to forget: address, and what the kernel finds them by.
    pub registrations: Vec<(IpAddr, u64)>,
    /// Addresses to forget.
    pub standings: Vec<IpAddr>,
    /// Accounts to forget, by digest.
    pub accounts: Vec<u64>,
}

impl TrustChange {
    /// How many rows it changes.
    pub fn len(&self) -> usize {
        let put = &self.put;
        put.registrations.len()
            + put.standings.len()
            + put.accounts.len()
            + self.registrations.len()
            + self.standings.len()
            + self.accounts.len()
    }

    /// Whether it changes nothing.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Store {
    /// All that is known, what has run out and was not swept among it.
    pub fn trust(&self) -> Result<Trust, StoreError> {
        Ok(Trust {
            registrations: self.select(
                "SELECT address, found_by, account, name, protocol, port, service, since, until, granted
                 FROM registration ORDER BY length(address), address, found_by",
                [],
                registration,
            )?,
            standings: self.select(
                "SELECT address, since, known_until, solicited_until FROM standing
                 ORDER BY length(address), address",
                [],
                standing,
            )?,
            accounts: self.select(
                "SELECT digest, name, last, address FROM account ORDER BY digest",
                [],
                account,
            )?,
        })
    }

    /// Stores and forgets in one transaction: all of it, or on an error nothing.
    pub fn change_trust(&mut self, change: &TrustChange) -> Result<(), StoreError> {
        if change.is_empty() {
            return Ok(());
        }
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(StoreError::changing)?;
        apply(&transaction, change).map_err(StoreError::changing)?;
        transaction.commit().map_err(StoreError::changing)
    }
}

fn apply(transaction: &Transaction<'_>, change: &TrustChange) -> rusqlite::Result<()> {
    let mut put = transaction.prepare_cached(
        "INSERT OR REPLACE INTO registration
         (address, found_by, account, name, protocol, port, service, since, until, granted)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    )?;
    for row in &change.put.registrations {
        put.execute(params![
            Address(row.address),
            row.found_by.cast_signed(),
            row.account.cast_signed(),
            row.name,
            row.protocol,
            row.port,
            row.service,
            Seconds(row.since),
            Seconds(row.until),
            row.granted,
        ])?;
    }
    let mut put = transaction.prepare_cached(
        "INSERT OR REPLACE INTO standing (address, since, known_until, solicited_until)
         VALUES (?1, ?2, ?3, ?4)",
    )?;
    for row in &change.put.standings {
        put.execute(params![
            Address(row.address),
            Seconds(row.since),
            row.known_until.map(Seconds),
            row.solicited_until.map(Seconds),
        ])?;
    }
    let mut put = transaction.prepare_cached(
        "INSERT OR REPLACE INTO account (digest, name, last, address) VALUES (?1, ?2, ?3, ?4)",
    )?;
    for row in &change.put.accounts {
        put.execute(params![
            row.digest.cast_signed(),
            row.name,
            Seconds(row.last),
            Address(row.address),
        ])?;
    }
    let mut forget = transaction
        .prepare_cached("DELETE FROM registration WHERE address = ?1 AND found_by = ?2")?;
    for (address, found_by) in &change.registrations {
        forget.execute(params![Address(*address), found_by.cast_signed()])?;
    }
    let mut forget = transaction.prepare_cached("DELETE FROM standing WHERE address = ?1")?;
    for address in &change.standings {
        forget.execute(params![Address(*address)])?;
    }
    let mut forget = transaction.prepare_cached("DELETE FROM account WHERE digest = ?1")?;
    for digest in &change.accounts {
        forget.execute(params![digest.cast_signed()])?;
    }
    Ok(())
}

fn registration(row: &Row<'_>) -> rusqlite::Result<Registration> {
    Ok(Registration {
        address: row.get::<_, Address>(0)?.0,
        found_by: row.get::<_, i64>(1)?.cast_unsigned(),
        account: row.get::<_, i64>(2)?.cast_unsigned(),
        name: row.get(3)?,
        protocol: row.get(4)?,
        port: row.get(5)?,
        service: row.get(6)?,
        since: row.get::<_, Seconds>(7)?.0,
        until: row.get::<_, Seconds>(8)?.0,
        granted: row.get(9)?,
    })
}

fn standing(row: &Row<'_>) -> rusqlite::Result<Standing> {
    let moment = |at: Option<Seconds>| at.map(|at| at.0);
    Ok(Standing {
        address: row.get::<_, Address>(0)?.0,
        since: row.get::<_, Seconds>(1)?.0,
        known_until: moment(row.get(2)?),
        solicited_until: moment(row.get(3)?),
    })
}

fn account(row: &Row<'_>) -> rusqlite::Result<Account> {
    Ok(Account {
        digest: row.get::<_, i64>(0)?.cast_unsigned(),
        name: row.get(1)?,
        last: row.get::<_, Seconds>(2)?.0,
        address: row.get::<_, Address>(3)?.0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn some() -> Trust {
        let name = Name::new("1007");
        let account = name.digest().unwrap();
        Trust {
            registrations: vec![Registration {
                address: [203, 0, 113, 9].into(),
                found_by: account,
                account,
                name: name.clone(),
                protocol: 17,
                port: 5060,
                service: "sip".into(),
                since: at(100),
                until: at(3764),
                granted: 3600,
            }],
            standings: vec![Standing {
                address: "2001:db8::7".parse().unwrap(),
                since: at(100),
                known_until: None,
                solicited_until: Some(at(400)),
            }],
            accounts: vec![Account {
                digest: account,
                name,
                last: at(164),
                address: [203, 0, 113, 9].into(),
            }],
        }
    }

    #[test]
    fn trust_lasts_across_a_restart_until_it_is_forgotten() {
        let directory = tempfile::tempdir().unwrap();
        let mut store = Store::open(directory.path()).unwrap().store;
        let put = TrustChange {
            put: some(),
            ..TrustChange::default()
        };
        store.change_trust(&put).unwrap();
        store.change_trust(&put).unwrap();
        drop(store);
        let mut store = Store::open(directory.path()).unwrap().store;
        assert_eq!(store.trust().unwrap(), some());
        let known = some();
        let forget = TrustChange {
            registrations: vec![(
                known.registrations[0].address,
                known.registrations[0].found_by,
            )],
            standings: vec![known.standings[0].address],
            accounts: vec![known.accounts[0].digest],
            ..TrustChange::default()
        };
        assert_eq!((put.len(), forget.len()), (3, 3));
        store.change_trust(&forget).unwrap();
        assert_eq!(store.trust().unwrap(), Trust::default());
    }
}
