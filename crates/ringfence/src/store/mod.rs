//! The state that lasts across restarts, in SQLite: operator lists, countries allowed or denied at run time, and bans.
//!
//! The configuration file says what the fence is; this says what was told to it since. Each change is one transaction.
//! A damaged file never keeps the fence down: [`Store::open`] moves it aside, begins a new one and says so.
//! [`Store::read`] looks at what is there and changes nothing.

mod bans;
mod countries;
mod encode;
mod error;
mod lists;
mod open;
mod read;
mod schema;

use rusqlite::Connection;

pub use bans::{Ban, BanEnd, PastBan};
pub use countries::{CountryOverride, CountryRule};
pub use error::StoreError;
pub use lists::{Added, ListEntry, ListKind};
pub use open::Opened;

/// The open store. It belongs to one thread at a time; the daemon is its only writer.
#[derive(Debug)]
pub struct Store {
    connection: Connection,
}
