//! What a replay has learned.

use std::collections::HashSet;
use std::fmt;

use ringfence_core::trust::What;
use serde::Serialize;

use crate::engine::memory::Memory;

/// What was learned from what the host sent.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct Learned {
    /// Addresses whose registration was accepted.
    registered: usize,
    /// Addresses that answered the host's requests.
    solicited: usize,
    /// Accounts that registered.
    accounts: usize,
    /// Credentials that were refused, and users asked for that do not exist.
    refused: usize,
}

impl Learned {
    /// What a fence in memory has learned.
    pub(in crate::cli) fn of(memory: &Memory) -> Self {
        let lessons = |what: What| {
            let number = what as u8;
            let all = memory.lessons().iter();
            all.filter(move |lesson| lesson.what == number)
        };
        let addresses = |what| {
            let all: HashSet<_> = lessons(what).map(|lesson| lesson.address).collect();
            all.len()
        };
        Self {
            registered: addresses(What::Registered),
            solicited: addresses(What::Solicited),
            accounts: memory.accounts().len(),
            refused: lessons(What::Refused).count() + lessons(What::Nobody).count(),
        }
    }
}

impl fmt::Display for Learned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counted = |n: usize, one: &str, more: &str| match n {
            1 => format!("1 {one}"),
            n => format!("{n} {more}"),
        };
        write!(
            f,
            "{} registered, {} solicited, {}, {}",
            counted(self.registered, "address", "addresses"),
            self.solicited,
            counted(self.accounts, "account", "accounts"),
            counted(self.refused, "refusal", "refusals"),
        )
    }
}
