//! How Asterisk is reached.

use std::time::Duration;

use super::secret::SecretFrom;

/// How Asterisk is reached: its manager interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asterisk {
    /// Host and port of the manager interface.
    pub ami: String,
    /// The user's section in manager.conf.
    pub user: String,
    /// Where its secret is.
    pub secret: SecretFrom,
    /// How often what Asterisk says is held against what is known, 10 seconds to one day.
    pub every: Duration,
}
