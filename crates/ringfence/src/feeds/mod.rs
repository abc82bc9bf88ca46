//! Threat lists: bad addresses that others keep, made into one set for the judge.
//!
//! A feed is fetched into a file (`update`), read (`parse`) and kept as [`Nets`], 4 bytes for an IPv4 address and 5
//! for a network. What belongs here is cut out of it and told (`filter`), and all feeds together become [`Merged`],
//! 8 bytes an IPv4 entry, in which no entry repeats what a wider one says already.
//!
//! Nothing here knows the daemon: [`update::update`] blocks, the rest computes.

mod about;
mod belongs;
mod dated;
mod error;
mod filter;
mod judged;
mod keeper;
mod member;
mod merged;
mod nets;
mod packed;
mod parse;
pub mod provider;
mod row;
mod store;
pub mod update;
mod work;

pub use about::About;
pub use belongs::{Belongings, Whose};
pub use error::FeedError;
pub use filter::{Caught, LeftOut};
pub use judged::{MOST_V6, room};
pub use keeper::Keeper;
pub use merged::{FeedEntry, Merged, Part, merge};
pub use nets::Nets;
pub use row::{Row, Standing};

pub use store::{Good, Shelf};
pub use work::{Finished, News, Work};

pub use crate::config::FeedAction;
