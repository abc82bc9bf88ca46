//! The firewall of the whole host, in nftables: made from the same services as the fence, in a table of its own.
//!
//! [`plan`] makes the rules out of the configuration, as a model. The model is written as a batch for nftables and as text
//! for people, and says by itself what becomes of a new connection, which the lock-out check asks.

mod icmp;
mod json;
mod judge;
mod model;
mod plan;
mod ranges;
mod services;
#[cfg(test)]
mod tests;
mod text;

pub use json::removal;
pub use judge::First;
pub use model::{
    Action, AddressSet, Addresses, Base, Chain, End, FORWARD, Family, Hook, INPUT, Match, Range,
    Rule, Ruleset, State, TABLE,
};
pub use plan::{Facts, plan};
