//! Who belongs and who does not, over time: what the kernel learned is kept, counted, put in words, and given back to it
//! after a reboot.
//!
//! Nothing here asks the kernel, the store or a clock: everything is given, so that all of it can be tried out.

mod clock;
mod drops;
mod escalation;
mod holders;
mod known;
mod learning;
mod minutes;
mod near;
mod nets;
mod recent;
mod refusals;
mod report;
mod restore;
mod rows;
mod strangers;
mod sweep;
mod tripped;
mod twice;

pub use clock::Clock;
pub use drops::Drops;
pub use escalation::earlier;
pub use holders::{Holder, holders};
pub use known::Known;
pub use learning::{resume, too_short};
pub use near::Near;
pub use nets::{Crowd, crowds, net_of, spared};
pub use refusals::{Broken, Guessed, Noted, Refusals, Refused};
pub use report::{Group, Offer, Report};
pub use restore::restore;
pub use rows::accounts_of;
pub use strangers::{DomainKnown, Strangers};
pub use sweep::{Snapshot, Todo, holds, sweep};
pub use tripped::{Tripped, tripped};
pub use twice::Twice;
