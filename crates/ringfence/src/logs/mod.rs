//! Logs of telephone systems: what their lines tell of refused and accepted credentials.
//!
//! Patterns ship for Asterisk, FreeSWITCH and Kamailio, and users extend them. Whoever sends a request chooses names that end up
//! in these lines, line ends included: [`Sieve`] takes out what was forged between real lines.

mod asterisk;
mod pattern;
mod pattern_error;
mod reading;
mod sieve;

pub use pattern::{Of, Patterns};
pub use pattern_error::PatternError;
pub use reading::{Counts, Reading, Told};
pub use sieve::{Sieve, Sieved};
