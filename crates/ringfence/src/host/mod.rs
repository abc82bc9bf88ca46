//! The firewall of the whole host, in nftables: made from the same services as the fence, in a table of its own.
//!
//! [`plan`] makes the rules out of the configuration, as a model. The model is written as a batch for nftables and as text
//! for people, and says by itself what becomes of a new connection, which the lock-out check asks.

mod conflicts;
mod error;
mod files;
mod gather;
mod icmp;
mod json;
mod json_sets;
mod judge;
mod keeper;
#[cfg(test)]
mod keeper_tests;
mod lockout;
mod model;
mod outcome;
mod parts;
mod pinholes;
mod plan;
mod print;
mod ranges;
mod services;
#[cfg(test)]
mod tests;
mod text;
mod timer;

pub use conflicts::conflicts;
pub use error::HostError;
pub use gather::near;
pub use json::removal;
pub use judge::First;
pub use keeper::Keeper;
pub use lockout::check as check_lockout;
pub use model::{
    Action, AddressSet, Addresses, Base, Chain, End, FORWARD, Family, Hook, INPUT, LiveSet, Match,
    Range, Rule, Ruleset, State, TABLE,
};
pub use outcome::{Applied, OnTrial, Ready, Seen};
pub use pinholes::{Holes, Intact, Pinholes, Sight, known};
pub use plan::{Facts, plan};
pub use timer::ARMED;
