//! nftables, through the JSON interface of its program `nft` (libnftables-json(5)).
//!
//! Everything concerns the network namespace of the calling thread, and blocks until `nft` has ended: call it off an event
//! loop. A batch is one transaction of the kernel: all of it holds, or nothing of it.

mod child;
mod error;
mod generation;
#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use nftables::batch::Batch;
use nftables::schema::{NfListObject, Nftables, Table};
use nftables::types::NfFamily;
use serde_json::Value;

pub use error::NftError;
pub use generation::generation;
pub use nftables;

/// How long `nft` may take. A set of all addresses of a large country takes it a few seconds on a slow machine.
const LIMIT: Duration = Duration::from_secs(60);

/// The program `nft`.
#[derive(Debug, Clone)]
pub struct Nft {
    program: OsString,
    limit: Duration,
}

impl Default for Nft {
    /// The one that is found in the directories of the system, with a minute for each run.
    fn default() -> Self {
        Self {
            program: "nft".into(),
            limit: LIMIT,
        }
    }
}

impl Nft {
    /// Carries a batch out, as one transaction.
    ///
    /// # Errors
    /// See [`NftError`]; then nothing was changed, unless the time was over, in which case it is not known.
    pub fn run(&self, batch: &Nftables<'_>) -> Result<(), NftError> {
        self.run_text(&text(batch)?)
    }

    /// Carries out a batch that is JSON already, such as one kept in a file.
    ///
    /// # Errors
    /// As [`Nft::run`].
    pub fn run_text(&self, batch: &str) -> Result<(), NftError> {
        self.call(&["-j", "-f", "-"], batch).map(|_| ())
    }

    /// Has `nft` and the kernel look at a batch, and changes nothing.
    ///
    /// # Errors
    /// What is wrong with the batch, or why it could not be looked at.
    pub fn check(&self, batch: &Nftables<'_>) -> Result<(), NftError> {
        self.call(&["-c", "-j", "-f", "-"], &text(batch)?)
            .map(|_| ())
    }

    /// Has `nft` and the kernel look at rules as people write them, and changes nothing.
    ///
    /// # Errors
    /// What is wrong with the text, or why it could not be looked at.
    pub fn check_text(&self, rules: &str) -> Result<(), NftError> {
        self.call(&["-c", "-f", "-"], rules).map(|_| ())
    }

    /// A table with its chains, rules, sets and their elements, and counters, each an object of its own; None where there is
    /// no such table.
    ///
    /// # Errors
    /// When `nft` cannot list.
    pub fn table(&self, family: NfFamily, name: &str) -> Result<Option<Vec<Value>>, NftError> {
        self.listed(family, name, &[])
    }

    /// As [`Nft::table`], without the elements of its sets.
    ///
    /// # Errors
    /// When `nft` cannot list.
    pub fn outline(&self, family: NfFamily, name: &str) -> Result<Option<Vec<Value>>, NftError> {
        self.listed(family, name, &["-t"])
    }

    /// All chains of all tables, each an object as `{"chain": ...}`.
    ///
    /// # Errors
    /// When `nft` cannot list.
    pub fn chains(&self) -> Result<Vec<Value>, NftError> {
        self.list(&["-j", "list", "chains"])
    }

    /// All tables, each an object as `{"table": ...}`. Source: `nft -j list tables`.
    ///
    /// # Errors
    /// When `nft` cannot list.
    pub fn tables(&self) -> Result<Vec<Value>, NftError> {
        self.list(&["-j", "list", "tables"])
    }

    /// Deletes a table and all in it. False where there was none.
    ///
    /// # Errors
    /// When `nft` cannot list or delete.
    pub fn delete_table(&self, family: NfFamily, name: &str) -> Result<bool, NftError> {
        if !self.has_table(family, name)? {
            return Ok(false);
        }
        let mut batch = Batch::new();
        batch.delete(table(family, name));
        self.run(&batch.to_nftables()).map(|()| true)
    }

    /// Whether there is such a table.
    ///
    /// # Errors
    /// When `nft` cannot list.
    pub fn has_table(&self, family: NfFamily, name: &str) -> Result<bool, NftError> {
        let family = serde_json::to_value(family).map_err(NftError::Unreadable)?;
        let tables = self.tables()?;
        Ok(tables.iter().any(|object| {
            let table = &object["table"];
            table["family"] == family && table["name"] == name
        }))
    }

    /// Whether nftables can be used here: the program is there, may, and the kernel takes a table from it. Nothing is
    /// changed. Gives the version of `nft`.
    ///
    /// # Errors
    /// What is missing, and what to do.
    pub fn works(&self) -> Result<String, NftError> {
        let mut batch = Batch::new();
        batch.add(table(NfFamily::INet, "ringfence_probe"));
        self.check(&batch.to_nftables())?;
        let said = self.call(&["--version"], "")?;
        // "nftables v1.0.6 (Lester Gooch #5)"
        let version = said.split_whitespace().nth(1).unwrap_or_default();
        Ok(version.trim_start_matches('v').to_owned())
    }

    fn listed(
        &self,
        family: NfFamily,
        name: &str,
        options: &[&str],
    ) -> Result<Option<Vec<Value>>, NftError> {
        // Asked first: a listing of what is not there fails, and its message is no interface.
        if !self.has_table(family, name)? {
            return Ok(None);
        }
        let family = serde_json::to_value(family).map_err(NftError::Unreadable)?;
        let family = family.as_str().unwrap_or_default();
        let words = [options, &["-j", "list", "table", family, name]].concat();
        self.list(&words).map(Some)
    }

    /// The objects of a listing, without what it says of itself.
    fn list(&self, words: &[&str]) -> Result<Vec<Value>, NftError> {
        let said = self.call(words, "")?;
        let mut listing: Value = serde_json::from_str(&said).map_err(NftError::Unreadable)?;
        let objects = listing.get_mut("nftables").and_then(Value::as_array_mut);
        let Some(objects) = objects else {
            return Err(NftError::Unreadable(serde::de::Error::missing_field(
                "nftables",
            )));
        };
        let mut objects = std::mem::take(objects);
        objects.retain(|object| object.get("metainfo").is_none());
        Ok(objects)
    }

    fn call(&self, words: &[&str], input: &str) -> Result<String, NftError> {
        child::run(Path::new(&self.program), words, input, self.limit)
    }
}

/// A table to add or delete.
pub fn table(family: NfFamily, name: &str) -> NfListObject<'static> {
    NfListObject::Table(Table {
        family,
        name: name.to_owned().into(),
        handle: None,
    })
}

/// A batch as the text that `nft` reads.
///
/// # Errors
/// When it holds what JSON cannot.
pub fn text(batch: &Nftables<'_>) -> Result<String, NftError> {
    serde_json::to_string(batch).map_err(NftError::Unreadable)
}
