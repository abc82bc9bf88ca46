//! What Asterisk has, held against what the packets taught and what the policy says.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use anyhow::Result;
use jiff::Timestamp;
use ringfence_core::bench::Cause;
use tracing::{info, warn};

use super::bans::Source;
use super::beside::Word;
use super::removal::{What, keys};
use super::state::Daemon;
use crate::asterisk::ami::AskError;
use crate::asterisk::audit::{Count, Row, audit};
use crate::asterisk::differences::{Differences, differences};
use crate::asterisk::inventory::{Contact, Inventory, Learned, Technology};
use crate::config::{Audit, Strangers};
use crate::country::in_force;
use crate::notify::{Notice, NoticeKind};
use crate::opinion::Opinions;
use crate::store::Name;
use crate::tables::Inputs;

/// How often it is said again that a stranger is registered.
const AGAIN: Duration = Duration::from_secs(3600);
/// Strangers that are remembered as told.
const TOLD: usize = 1000;
/// How long a registration holds beyond the next survey where Asterisk does not say when it ends.
const BEYOND: Duration = Duration::from_secs(120);

/// Who says what the judge would say.
#[derive(Default)]
pub(super) struct Desk {
    /// The judge under the policy in force, as soon as it is made.
    pub(super) made: Option<Box<Opinions>>,
    pub(super) inputs: Inputs,
    making: bool,
}

/// What the last survey found.
#[derive(Default)]
pub(super) struct Last {
    /// How long it took, from the question on until all was looked at.
    pub(super) took: Duration,
    /// What Asterisk did not tell, and why.
    pub(super) untold: Option<String>,
    /// What the policy says of all.
    pub(super) count: Option<Count>,
    /// Where it differs from what the packets taught.
    pub(super) differences: Differences,
    compared: Option<Instant>,
    told: BTreeMap<(String, IpAddr), Instant>,
}

impl Last {
    /// Whether a stranger is to be told of now.
    fn tells(&mut self, account: &str, address: IpAddr) -> bool {
        let now = Instant::now();
        self.told.retain(|_, at| now.duration_since(*at) < AGAIN);
        let key = (account.to_owned(), address);
        if self.told.len() >= TOLD || self.told.contains_key(&key) {
            return false;
        }
        self.told.insert(key, now);
        true
    }
}

/// In one line, what could not be asked; the first of it in words.
fn untold(unasked: &[(String, String)]) -> Option<String> {
    let ((what, why), more) = unasked.split_first()?;
    let mut line = format!("{}: {why}", what.escape_debug());
    if !more.is_empty() {
        line.push_str(&format!(" (and {} more)", more.len()));
    }
    Some(line)
}

impl Daemon {
    /// How often Asterisk is asked what it has.
    pub(super) fn survey_every(&self) -> Duration {
        self.audit_config().every
    }

    fn audit_config(&self) -> Audit {
        self.config.audit.unwrap_or_default()
    }

    /// Has the judge made anew that gives opinions, where anybody asks for them. It takes a while, beside everything
    /// else.
    pub(super) fn wish_opinions(&mut self, inputs: Inputs) {
        self.opinions.made = None;
        self.opinions.inputs = inputs;
        self.make_opinions();
    }

    fn make_opinions(&mut self) {
        let wanted = self.config.asterisk.is_some() || self.config.agi.is_some();
        if !wanted || std::mem::replace(&mut self.opinions.making, true) {
            return;
        }
        let (config, inputs) = (self.config.clone(), self.opinions.inputs.clone());
        let (generation, words) = (self.generation, self.beside.words());
        let feeds = self.fence.feeds();
        tokio::task::spawn_blocking(move || {
            let made = || {
                let data = in_force(&config.country, &config.state)?.data;
                let mut opinions = Opinions::new(&config, &inputs, data.compile()?)?;
                opinions.set_feeds(feeds);
                anyhow::Ok(Box::new(opinions))
            };
            // The daemon ends: nobody wants them any more.
            let _ = words.blocking_send(Word::Opinions(generation, made()));
        });
    }

    /// Takes them in; where the policy has changed meanwhile, they are made once more.
    pub(super) fn take_opinions(
        &mut self,
        generation: u64,
        made: Result<Box<Opinions>>,
    ) -> Result<()> {
        self.opinions.making = false;
        if generation != self.generation {
            self.make_opinions();
            return Ok(());
        }
        self.opinions.made = Some(made?);
        Ok(())
    }

    /// Takes in what Asterisk has.
    pub(super) fn surveyed(&mut self, mut inventory: Inventory) -> Result<()> {
        let every = self.survey_every();
        let (now, begun) = (Timestamp::now(), Instant::now());
        let asked = self.beside.surveyed(every);
        self.asterisk.survey.untold = untold(&inventory.unasked);
        self.sweep_now()?;
        let mut learned = Learned::new(self.trust.known.registrations.values(), now);
        self.find_sources(&mut inventory, &mut learned);
        inventory.fill_sources(&learned);
        self.learn_contacts(&inventory, now)?;
        self.asterisk.contacts = keys(&inventory);
        self.compare(&inventory, &learned);
        let done = self.audit(&inventory);
        self.asterisk.survey.took = asked + begun.elapsed();
        done
    }

    /// Asterisk does not say what it has.
    pub(super) fn not_surveyed(&mut self, error: &AskError) {
        let every = self.survey_every();
        self.beside.surveyed(every);
        self.asterisk.survey.untold = Some(error.to_string());
    }

    /// Where contacts really are, as far as accepted credentials say it.
    fn find_sources(&self, inventory: &mut Inventory, learned: &mut Learned) {
        let now = Instant::now();
        for endpoint in &mut inventory.endpoints {
            for contact in &mut endpoint.contacts {
                let auths = &self.asterisk.auths;
                if let Some(auth) = auths.of_contact(&endpoint.name, contact, now) {
                    contact.source = Some(auth.source);
                    learned.note(Name::new(&contact.aor), auth.source);
                }
            }
        }
    }

    /// Trusts those whose source is certain.
    fn learn_contacts(&mut self, inventory: &Inventory, now: Timestamp) -> Result<()> {
        let instant = Instant::now();
        let mut found = Vec::new();
        for (endpoint, contact) in inventory.contacts() {
            let auths = &self.asterisk.auths;
            let auth = auths.of_contact(&endpoint.name, contact, instant);
            let iax2 = endpoint.technology == Technology::Iax2;
            let (source, transport, port) = match (auth, contact.source) {
                (Some(auth), _) => (auth.source, Some(auth.transport), auth.local.port()),
                (None, Some(source)) if iax2 => (source, None, 4569),
                _ => continue,
            };
            found.push((
                contact.aor.clone(),
                source,
                transport,
                port,
                self.left(contact, now),
            ));
        }
        for (account, source, transport, port, left) in found {
            self.register_if_admitted(account, source, transport, port, left)?;
        }
        Ok(())
    }

    fn left(&self, contact: &Contact, now: Timestamp) -> Duration {
        match contact.expires {
            Some(expires) => Duration::try_from(expires.duration_since(now)).unwrap_or_default(),
            None => self.survey_every() + BEYOND,
        }
    }

    /// Tells what differs, every so often.
    fn compare(&mut self, inventory: &Inventory, learned: &Learned) {
        let every = self
            .config
            .asterisk
            .as_ref()
            .map_or(Duration::MAX, |asterisk| asterisk.every);
        let last = &mut self.asterisk.survey;
        if last.compared.is_some_and(|at| at.elapsed() < every) {
            return;
        }
        last.compared = Some(Instant::now());
        let found = differences(inventory, learned);
        for difference in &found.told {
            if !last.differences.told.contains(difference) {
                info!("{difference}");
            }
        }
        last.differences = found;
    }

    /// Asks what the policy says of all, and does what is configured about strangers.
    fn audit(&mut self, inventory: &Inventory) -> Result<()> {
        let clock = self.clock()?;
        let snapshot = self.snapshot()?;
        let Some(opinions) = &mut self.opinions.made else {
            return Ok(());
        };
        opinions.set_bans(self.bans.values().filter(|ban| ban.until > clock.wall));
        opinions.set_trust(&snapshot, clock.boot);
        let found = audit(inventory, opinions);
        self.asterisk.survey.count = Some(found.count());
        let strangers: Vec<Row> = found.strangers().cloned().collect();
        for row in strangers {
            self.stranger(&row)?;
        }
        Ok(())
    }

    /// Somebody is registered from where the policy admits nobody.
    fn stranger(&mut self, row: &Row) -> Result<()> {
        let Some(address) = row.address else {
            return Ok(());
        };
        let what = self.audit_config().strangers;
        let enforced = self.config.mode == crate::config::Mode::Enforce;
        let name = Name::new(&row.name);
        let endpoint = format!("{}/{}", row.technology.name(), row.name);
        let calls_for_help = self.asterisk.guard.in_emergency(&endpoint);
        if self.asterisk.survey.tells(&row.name, address) {
            let done = match (what, enforced) {
                (Strangers::Tell, _) => "",
                (_, false) => "; in shadow mode nothing is done about it",
                _ if calls_for_help => "; nothing is done while its emergency call is up",
                (Strangers::Remove, true) => "; its contact is removed",
                (Strangers::Ban, true) => "; its contact is removed and its address banned",
            };
            let country = row.country.map_or("", |country| country.code());
            let text = format!(
                "{name} is registered from {address} ({country}), which the policy does not admit: {}{done}",
                row.reason
            );
            warn!("{text}");
            let mut notice = Notice::new(NoticeKind::Audit, &text).source(address);
            if let Some(remedy) = &row.remedy {
                notice = notice.undo(remedy);
            }
            self.notify(notice);
        }
        if !enforced || what == Strangers::Tell || calls_for_help {
            return Ok(());
        }
        self.remove_contact(
            row.technology,
            &row.name,
            What::One(row.contact_key.as_deref()),
        );
        if what == Strangers::Ban && !self.is_spared(address) {
            let note = "registered from where the policy admits nobody".to_owned();
            self.ban_for(Source::of(address), Cause::Manual, true, note)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_asterisk_does_not_tell_is_one_line() {
        assert_eq!(untold(&[]), None);
        let of = |what: &str| (what.to_owned(), "Asterisk's answer is cut".to_owned());
        let line = untold(&[of("PJSIPShowEndpoint \u{1b}"), of("IAXpeers")]);
        let expected = "PJSIPShowEndpoint \\u{1b}: Asterisk's answer is cut (and 1 more)";
        assert_eq!(line.as_deref(), Some(expected));
    }
}
