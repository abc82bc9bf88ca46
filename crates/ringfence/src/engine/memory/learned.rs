//! What the judge over memory has learned, to be read.

use std::collections::HashMap;

use ringfence_core::address::Address;
use ringfence_core::bench::Ban;
use ringfence_core::trust::{Account, Contact, ContactKey, Lesson, Standing};

use super::Memory;

impl Memory {
    /// What is known of addresses.
    pub fn standings(&self) -> &HashMap<Address, Standing> {
        &self.state.standings
    }

    /// Registrations, by account and by flow.
    pub fn contacts(&self) -> &HashMap<ContactKey, Contact> {
        &self.state.contacts
    }

    /// Accounts by the digests of their names.
    pub fn accounts(&self) -> &HashMap<u64, Account> {
        &self.state.accounts
    }

    /// Bans by subject, those that are over too.
    pub fn bans(&self) -> &HashMap<Address, Ban> {
        &self.state.bans
    }

    /// What the daemon would have been told, the oldest first.
    pub fn lessons(&self) -> &[Lesson] {
        &self.state.lessons
    }
}
