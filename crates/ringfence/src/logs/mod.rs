//! Logs of telephone systems: what their lines tell of refused and accepted credentials.
//!
//! Patterns ship for Asterisk, FreeSWITCH and Kamailio, and users extend them. Whoever sends a request chooses names that end up
//! in these lines, line ends included: [`Sieve`] takes out what was forged between real lines.

mod asterisk;
mod follow;
mod journal;
mod lines;
mod pattern;
mod pattern_error;
mod pattern_file;
mod reading;
mod sieve;
mod watch;

pub use follow::Tail;
pub use journal::{Entries, Journal};
pub(crate) use lines::{LONGEST, Lines};
pub use pattern::{Patterns, Says};
pub use pattern_error::PatternError;
pub use pattern_file::Of;
pub use reading::{Counts, Reading, Told};
pub use sieve::{Sieve, Sieved};
pub use watch::{By, Gauge, Heard, Settings, Source, follow};
