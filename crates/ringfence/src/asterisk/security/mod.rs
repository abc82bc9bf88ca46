//! What Asterisk's security events mean: who was refused, who was let in, and what is no offence.
//!
//! `docs/asterisk-events.md` says what each event counts as, from recordings of each.

mod attempts;
mod event;
mod fields;
mod finding;
mod peer;
#[cfg(test)]
mod scenarios;
mod sight;

pub use attempts::Attempts;
pub use event::{Event, Kind, Proof, Service, Unreadable};
pub(crate) use fields::kept;
pub use finding::{CountsAs, Finding};
pub use peer::{Peer, Transport};
pub use sight::{Sight, Told, What};
