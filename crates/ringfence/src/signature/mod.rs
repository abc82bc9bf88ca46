//! Signatures: what scanners write into their messages, and how it is found.
//!
//! A signature ties a pattern to the place where it may match. Lists of them are TOML ([`parse`]);
//! [`compile`] turns those that are enabled, and the domains of the services, into the one automaton
//! that the judge walks.

mod compile;
mod determinize;
mod error;
mod layout;
mod list;
mod model;
mod parse;
mod pattern;
mod plan;
mod reduce;

pub use compile::{Compiled, ServiceDomains, Stats, compile, hits_everything};
pub use error::CompileError;
pub use list::{SelectError, select, shipped};
pub use model::{Condition, Effect, Place, Risk, Signature, Test};
pub use parse::{Mistake, parse, signature_from_table};
