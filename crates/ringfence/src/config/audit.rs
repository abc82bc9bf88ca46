//! What is done about what the audit of Asterisk finds.

use std::time::Duration;

/// `[audit]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Audit {
    /// How often the daemon looks, ten seconds to one day.
    pub every: Duration,
    /// What becomes of registrations that the policy would not let in.
    pub strangers: Strangers,
}

impl Default for Audit {
    fn default() -> Self {
        Self {
            every: Duration::from_secs(60),
            strangers: Strangers::Tell,
        }
    }
}

super::words::words! {
    /// What becomes of a registration that the policy would not let in.
    pub enum Strangers {
        /// It is told.
        Tell = "tell",
        /// Its contact is removed from Asterisk too.
        Remove = "remove",
        /// And its address is banned.
        Ban = "ban",
    }
}
