//! The country data: newer data is asked for beside everything else, and put in force with those looked after whom it would
//! put outside.

mod answers;
#[cfg(test)]
mod tests;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Result, bail};
use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tracing::{info, warn};

use super::state::Daemon;
use crate::config::CountryOrigin;
use crate::country::{
    self, Admitted, Affected, Care, CountryData, InForce, Outcome, Shelf, Task, UpdateError,
};
use crate::fetch::Progress;
use crate::notify::{Notice, NoticeKind};
use crate::tables::Inputs;

/// Affected ones that one notice names.
const NAMED: usize = 50;
/// The least pause after a failure, where it cannot be written down, too.
const PAUSE: Duration = Duration::from_secs(3600);

type Done = Result<Outcome, UpdateError>;

/// What the daemon knows of its country data, and the update under way.
pub(super) struct Countries {
    date: Option<jiff::civil::Date>,
    source: String,
    /// The failure that was last told.
    told: String,
    told_old: bool,
    /// For what the next update was planned, and when it is due.
    plan: Option<(CountryOrigin, Option<(Timestamp, Instant)>)>,
    /// After a failure: no update is due before.
    not_before: Option<Instant>,
    running: bool,
    /// Somebody asks for an update now; true: whatever speaks against the data.
    asked: Option<bool>,
    /// Ends an update that is under way when the daemon ends.
    over: Arc<AtomicBool>,
    sender: mpsc::UnboundedSender<Done>,
    outcomes: mpsc::UnboundedReceiver<Done>,
}

impl Default for Countries {
    fn default() -> Self {
        let (sender, outcomes) = mpsc::unbounded_channel();
        Self {
            date: None,
            source: String::new(),
            told: String::new(),
            told_old: false,
            plan: None,
            not_before: None,
            running: false,
            asked: None,
            over: Arc::default(),
            sender,
            outcomes,
        }
    }
}

impl Drop for Countries {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
    }
}

/// An update of the daemon shows nothing, and ends with it.
struct Beside(Arc<AtomicBool>);

impl Progress for Beside {
    fn begin(&self, _what: &str, _all: Option<u64>) {}
    fn at(&self, _done: u64) {}
    fn end(&self) {}
    fn stop(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl Countries {
    /// Waits for the outcome of an update, for ever if none is under way.
    pub(super) async fn heard(&mut self) -> Done {
        match self.outcomes.recv().await {
            Some(done) => done,
            None => std::future::pending().await,
        }
    }

    fn age(&self) -> Option<i64> {
        let today = jiff::Zoned::now().date();
        let date = self.date?;
        Some(today.duration_since(date).as_hours() / 24)
    }

    fn is_old(&self) -> bool {
        self.age().is_some_and(|days| days > CountryData::OLD)
    }

    /// Plans the next update, anew where the configuration changed.
    fn plan(&mut self, origin: &CountryOrigin, shelf: &Shelf) {
        if self
            .plan
            .as_ref()
            .is_some_and(|(planned, _)| planned == origin)
        {
            return;
        }
        let now = Timestamp::now();
        let next = country::next(origin, &shelf.index(), now, roll());
        let due = next.and_then(|at| {
            let left = Duration::try_from(at.duration_since(now)).unwrap_or_default();
            let pause = self
                .not_before
                .map(|at| at.saturating_duration_since(Instant::now()));
            let left = left.max(pause.unwrap_or_default());
            Some((now.checked_add(left).ok()?, Instant::now() + left))
        });
        self.plan = Some((origin.clone(), due));
    }

    /// Begins an update in a thread of its own: a process that ends does not wait for it.
    fn begin(
        &mut self,
        thread: thread::Builder,
        work: impl FnOnce() -> Done + Send + 'static,
    ) -> io::Result<()> {
        let sender = self.sender.clone();
        let begun = thread.spawn(move || {
            // The daemon ends: nobody wants it any more.
            let _ = sender.send(work());
        });
        self.running = begun.is_ok();
        if begun.is_err() {
            // Where it was due it is due again soon.
            self.plan = None;
        }
        begun.map(drop)
    }

    /// An update is over: the next is planned.
    fn ended(&mut self, done: &Done) {
        self.running = false;
        self.plan = None;
        self.not_before = match done {
            Ok(_) => None,
            // The command line is at it.
            Err(UpdateError::Busy) => self.not_before,
            Err(_) => Some(Instant::now() + PAUSE),
        };
    }

    fn next(&self) -> Option<Timestamp> {
        let (_, due) = self.plan.as_ref()?;
        due.map(|(at, _)| at)
    }
}

fn roll() -> u32 {
    let mut bytes = [0; 4];
    // Without chance all hosts ask at the same time of day, no more.
    let _ = getrandom::fill(&mut bytes);
    u32::from_ne_bytes(bytes)
}

impl Daemon {
    fn shelf(&self) -> Shelf {
        Shelf::of(&self.config.state)
    }

    /// Takes note of the data that was put in force.
    pub(super) fn note_countries(&mut self, found: &InForce) {
        self.countries.date = found.data.date;
        self.countries.source.clone_from(&found.data.source);
        if let Some(trouble) = &found.trouble {
            self.tell_of_countries(trouble);
        }
        self.look_at_age();
    }

    /// Says once that the data is old.
    fn look_at_age(&mut self) {
        let old = self.countries.is_old();
        if old && !self.countries.told_old {
            let text = format!(
                "the country data ({}) is more than {} days old; `source` of [country] names where newer data comes from",
                self.countries.source,
                CountryData::OLD
            );
            warn!("{text}");
            self.notify(Notice::new(NoticeKind::Country, &text));
        }
        self.countries.told_old = old;
    }

    /// Says what went wrong, once until something else does.
    fn tell_of_countries(&mut self, text: &str) {
        if self.countries.told != text {
            warn!("{text}");
            let notice = Notice::new(NoticeKind::Country, "the country data could not be renewed");
            self.notify(notice.text(text));
            self.countries.told = text.to_owned();
        }
    }

    /// Begins an update when one is due. It does not wait.
    pub(super) fn tend_countries(&mut self) {
        let shelf = self.shelf();
        self.countries.plan(&self.config.country, &shelf);
        let due = self.countries.plan.as_ref().and_then(|(_, due)| *due);
        let is_due = due.is_some_and(|(_, due)| due <= Instant::now());
        if self.countries.running || !(is_due || self.countries.asked.is_some()) {
            return;
        }
        let force = self.countries.asked.take().unwrap_or(false);
        self.look_at_age();
        let now = Timestamp::now();
        let config = self.config.clone();
        let inputs = match self.country_inputs() {
            Ok(inputs) => inputs,
            Err(error) => return self.tell_of_countries(&format!("{error:#}")),
        };
        let admitted = Admitted::of(&config, &inputs);
        let subjects = country::subjects(&config, &inputs, &self.trust.known, now);
        let over = self.countries.over.clone();
        let thread = thread::Builder::new().name("country".to_owned());
        let begun = self.countries.begin(thread, move || {
            country::update(&Task {
                origin: &config.country,
                state: &config.state,
                admitted: &admitted,
                subjects: &subjects,
                force,
                dry_run: false,
                now,
                progress: &Beside(over),
            })
        });
        if let Err(error) = begun {
            self.tell_of_countries(&format!("no thread for country data: {error}"));
        }
    }

    /// Takes in what came of an update.
    pub(super) fn take_countries(&mut self, done: Done) {
        self.countries.ended(&done);
        match done {
            Ok(Outcome::Unchanged) => {
                info!("there is no newer country data");
                self.countries.told.clear();
            }
            Ok(Outcome::New(_)) => match self.renew_countries() {
                Ok(_) => self.countries.told.clear(),
                Err(error) => self.tell_of_countries(&format!("{error:#}")),
            },
            // The command line is at it.
            Err(UpdateError::Busy) => {}
            Err(error) => {
                let text = format!("{error}; the data before holds");
                self.tell_of_countries(&text);
            }
        }
    }

    /// Puts downloaded data in force that is not, with those permitted whom it would put outside. Where it cannot be put in
    /// force the data in force stays, and the shelf goes back to it where it has it.
    pub(super) fn renew_countries(&mut self) -> Result<Vec<Affected>> {
        let affected = self.look_after_phones()?;
        if let Err(error) = self.apply(self.config.clone(), true) {
            let back = match country::withdraw(&self.config.state) {
                Ok(Some(source)) => format!("{source} holds again"),
                Ok(None) => format!(
                    "{} stays in force until the next start, which takes what is kept: see `ringfence country data`",
                    self.countries.source
                ),
                Err(error) => error.to_string(),
            };
            bail!("the new country data cannot be put in force: {error:#}; {back}");
        }
        self.settle_countries()?;
        self.refresh_host();
        self.countries.plan = None;
        info!("country data in force: {}", self.countries.source);
        Ok(affected)
    }

    /// Notes that the data on the shelf is in force.
    pub(super) fn settle_countries(&self) -> Result<()> {
        if !self.config.country.is_fetched() {
            return Ok(());
        }
        let shelf = self.shelf();
        let current = shelf.index().current;
        if !shelf.is_settled(current.as_ref()) {
            shelf.settle(current.as_ref())?;
        }
        Ok(())
    }

    /// Permits those whom downloaded data that is not in force yet would put outside, and tells of all whom it matters to.
    pub(super) fn look_after_phones(&mut self) -> Result<Vec<Affected>> {
        if !self.config.country.is_fetched() {
            return Ok(Vec::new());
        }
        let now = Timestamp::now();
        let inputs = self.country_inputs()?;
        let admitted = Admitted::of(&self.config, &inputs);
        let subjects = country::subjects(&self.config, &inputs, &self.trust.known, now);
        let Some(care) = country::care(&self.shelf(), &admitted, &subjects, now)? else {
            return Ok(Vec::new());
        };
        for entry in &care.permits {
            self.store.add_entry(entry)?;
        }
        self.tell_of_affected(&care);
        Ok(care.affected)
    }

    fn tell_of_affected(&self, care: &Care) {
        if care.affected.is_empty() {
            return;
        }
        let named = care.affected.iter().take(NAMED);
        let lines: Vec<_> = named.map(country::affected_line).collect();
        for line in &lines {
            warn!("new country data: {line}");
        }
        let mut text = lines.join("\n");
        let more = care.affected.len().saturating_sub(lines.len());
        if more > 0 {
            text.push_str(&format!("\nand {more} more"));
        }
        let summary = format!(
            "new country data ({}) moves {} of yours; phones permitted for {} days: {}",
            care.source,
            care.affected.len(),
            country::GRACE_DAYS,
            care.permits.len()
        );
        let notice = Notice::new(NoticeKind::Country, &summary).text(&text);
        self.notify(notice.undo("ringfence country rollback"));
    }

    /// What the policy is made of, the network aside.
    fn country_inputs(&mut self) -> Result<Inputs> {
        let names: Vec<_> = self
            .guarded
            .iter()
            .map(|known| known.name.clone())
            .collect();
        self.inputs(&self.config.clone(), &names)
    }
}
