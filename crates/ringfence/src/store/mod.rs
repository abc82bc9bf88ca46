//! The state that lasts across restarts, in SQLite: operator lists, countries allowed or denied at run time, bans, who is
//! trusted, whose credentials were refused, and a summary of what was dropped.
//!
//! The configuration file says what the fence is; this says what was told to it, and what it learned, since. Each change is one transaction.
//! A damaged file never keeps the fence down: [`Store::open`] moves it aside, begins a new one and says so.
//! [`Store::read`] looks at what is there and changes nothing.

mod bans;
mod countries;
mod drops;
mod encode;
mod error;
mod facts;
mod lists;
mod name;
mod names;
mod open;
mod read;
mod refusals;
mod schema;
mod trust;

use rusqlite::Connection;

pub use bans::{Ban, BanEnd, PastBan, PastBans};
pub use countries::{CountryOverride, CountryRule};
pub use drops::Dropped;
pub use error::StoreError;
pub use facts::Fact;
pub use lists::{Added, ListEntry, ListKind};
pub use name::Name;
pub use names::{NameAnswer, NameEntry};
pub use open::Opened;
pub use refusals::Refusal;
pub use trust::{Account, Registration, Standing, Trust, TrustChange};

/// The open store. It belongs to one thread at a time; the daemon is its only writer.
#[derive(Debug)]
pub struct Store {
    connection: Connection,
}
