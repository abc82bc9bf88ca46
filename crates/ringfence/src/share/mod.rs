//! Bans and counts for others: an edge router, another firewall, fail2ban, CrowdSec. Read by a command, over HTTP, or from
//! files.

mod bans;
mod counts;
mod files;
mod formats;
mod known;
mod page;
mod server;
#[cfg(test)]
mod tests;

pub use bans::{SharedBan, Skipped, select};
pub use counts::{Counts, Packets};
pub use files::{Written, write};
pub use formats::{BansAs, Naming, bans_as};
pub use known::Known;
pub use page::{Page, Published};
pub use server::{Bound, bind};
