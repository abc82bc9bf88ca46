//! Who is trusted, why somebody is not, and what was dropped: answered with the latest of it stored before.

use std::time::Duration;

use anyhow::Result;
use jiff::Timestamp;

use super::state::Daemon;
use crate::control::{Answer, report, trust, why};
use crate::trust::{Holder, holders};

impl Daemon {
    /// Who is trusted at this moment.
    pub(super) fn holders(&mut self) -> Result<Vec<Holder>> {
        let snapshot = self.sweep_now()?;
        Ok(holders(&snapshot, &self.trust.known, self.clock()?))
    }

    pub(super) fn show_trust(&mut self) -> Result<Answer> {
        Ok(trust::listed(&self.holders()?))
    }

    pub(super) fn why(&mut self, what: &str) -> Result<Answer> {
        self.store_latest()?;
        let mut answer = why::why(&self.store, &self.config, what, Timestamp::now())?;
        if let Ok(address) = what.parse()
            && let Some((number, name)) = self.systems.lookup(address)
            && let Some(data) = answer.data.as_object_mut()
        {
            answer
                .text
                .push_str(&format!("\n  network AS{number} {name}"));
            data.insert("asn".to_owned(), number.into());
            data.insert("as_name".to_owned(), name.into());
        }
        self.add_feeds(what, &mut answer);
        Ok(answer)
    }

    pub(super) fn report(&mut self, seconds: u64) -> Result<Answer> {
        self.store_latest()?;
        Ok(report::report(
            &self.store,
            &self.config,
            &self.resolved.trunks(),
            Duration::from_secs(seconds),
            Timestamp::now(),
        )?)
    }

    fn store_latest(&mut self) -> Result<()> {
        self.scan_bans()?;
        self.sweep_now()?;
        self.keep_summaries()
    }
}
