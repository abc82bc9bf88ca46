//! Threat lists: fetched and merged in threads of their own, and given to the fence by difference.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use jiff::Timestamp;
use tokio::sync::mpsc;
use tracing::{debug, info, warn};

use super::state::Daemon;
use crate::config::{Config, Feed};
use crate::feeds::update::{How, Outcome, update};
use crate::feeds::{Belongings, FeedError, Finished, Good, Keeper, Merged, News, Shelf, Whose};
use crate::fetch::Silent;
use crate::notify::{Notice, NoticeKind};
use crate::trust::holders;

/// Feeds that are fetched at a time.
const AT_ONCE: usize = 2;
/// How often it is looked who belongs here by now.
const LOOK: Duration = Duration::from_secs(60);
/// Entries that a notice names.
const NAMED: usize = 5;

/// What came of a thread.
pub(super) enum Told {
    /// What the shelf of a feed holds.
    Loaded(Feed, Result<Option<Good>, FeedError>),
    /// An update.
    Updated(Feed, Outcome),
    /// All lists as one set.
    Merged(Finished),
}

/// The lists, and the threads that work on them.
pub(super) struct Feeds {
    pub(super) keeper: Keeper,
    /// What the fence was given last.
    given: Arc<Merged>,
    sender: mpsc::UnboundedSender<Told>,
    outcomes: mpsc::UnboundedReceiver<Told>,
    looked: Instant,
}

impl Feeds {
    /// No lists yet.
    pub(super) fn new() -> Self {
        let (sender, outcomes) = mpsc::unbounded_channel();
        Self {
            keeper: Keeper::default(),
            given: Arc::default(),
            sender,
            outcomes,
            looked: Instant::now(),
        }
    }

    /// Takes the lists of a configuration from their shelves, and waits for it: before the fence is written, so that a
    /// restart needs no network.
    pub(super) fn begin(&mut self, config: &Config) {
        let now = Timestamp::now();
        for feed in self.keeper.keep(&config.feeds, now) {
            let good = Shelf::new(&config.state, &feed).load(&feed, now);
            self.loaded(&feed, good, now);
        }
    }

    /// Takes the lists of a configuration; those that are new come later.
    pub(super) fn keep(&mut self, config: &Config) {
        let now = Timestamp::now();
        for feed in self.keeper.keep(&config.feeds, now) {
            let shelf = Shelf::new(&config.state, &feed);
            self.spawn(move || {
                let good = shelf.load(&feed, now);
                Told::Loaded(feed, good)
            });
        }
        // Who is permitted may have changed.
        self.keeper.again();
    }

    /// What a thread tells next.
    pub(super) async fn heard(&mut self) -> Told {
        match self.outcomes.recv().await {
            Some(told) => told,
            None => std::future::pending().await,
        }
    }

    fn loaded(&mut self, feed: &Feed, good: Result<Option<Good>, FeedError>, now: Timestamp) {
        match &good {
            Ok(Some(good)) => info!(
                "threat list {}: {} entries from before",
                feed.name,
                good.nets.len()
            ),
            Ok(None) => {}
            Err(error) => warn!(
                "threat list {}: what was stored is not used: {error}",
                feed.name
            ),
        }
        self.keeper.loaded(feed, good, now);
    }

    /// A thread, since a process that ends waits for none.
    fn spawn(&self, work: impl FnOnce() -> Told + Send + 'static) {
        let sender = self.sender.clone();
        let thread = std::thread::Builder::new().name("feeds".to_owned());
        let begun = thread.spawn(move || {
            // The daemon ends: nobody wants it any more.
            let _ = sender.send(work());
        });
        if let Err(error) = begun {
            warn!("no thread for threat lists: {error}");
        }
    }
}

impl Daemon {
    /// Merges what the shelves held and gives it to the fence.
    pub(super) fn begin_feeds(&mut self) -> Result<()> {
        if let Some(work) = self.feeds.keeper.work() {
            let finished = work.run(&self.belongings()?);
            self.take_feeds(Told::Merged(finished))?;
        }
        Ok(())
    }

    /// Takes in what a thread tells.
    pub(super) fn take_feeds(&mut self, told: Told) -> Result<()> {
        let now = Timestamp::now();
        match told {
            Told::Loaded(feed, good) => self.feeds.loaded(&feed, good, now),
            Told::Updated(feed, outcome) => {
                let name = &feed.name;
                match (&outcome.result, &outcome.nets) {
                    (Ok(about), Some(_)) => info!("threat list {name}: {} entries", about.entries),
                    (Ok(_), None) => debug!("threat list {name}: nothing new"),
                    (Err(error), _) => warn!("threat list {name}: {}", error.shown()),
                }
                let news = self.feeds.keeper.updated(&feed, outcome, now);
                self.tell_of_feeds(news);
            }
            Told::Merged(finished) => {
                let (changed, news) = self.feeds.keeper.finish(finished);
                self.tell_of_feeds(news);
                if changed {
                    self.fence_feeds()?;
                }
            }
        }
        Ok(())
    }

    /// Gives the fence what changed.
    fn fence_feeds(&mut self) -> Result<()> {
        let merged = self.feeds.keeper.merged().clone();
        let before = self.feeds.given.clone();
        let added = merged.added(&before).count();
        let removed = merged.removed(&before).count();
        // Between these two the engine writes `added` and takes `removed` away. What it refuses stays not given, and is
        // given to it again within a minute.
        self.feeds.given = merged.clone();
        info!(
            "threat lists: {} entries, {added} written, {removed} removed, {} KiB",
            merged.len(),
            self.feeds.keeper.memory() / 1024
        );
        Ok(())
    }

    /// What is due every second.
    pub(super) fn tend_feeds(&mut self) -> Result<()> {
        if self.feeds.keeper.is_empty() && self.feeds.given.is_empty() {
            return Ok(());
        }
        let now = Timestamp::now();
        let news = self.feeds.keeper.expire(now);
        self.tell_of_feeds(news);
        for (feed, force) in self.feeds.keeper.due(now, AT_ONCE) {
            let shelf = Shelf::new(&self.config.state, &feed);
            self.feeds.spawn(move || {
                let how = How {
                    force,
                    now,
                    progress: &Silent,
                };
                let outcome = update(&feed, &shelf, &how);
                Told::Updated(feed, outcome)
            });
        }
        if self.feeds.looked.elapsed() >= LOOK {
            self.feeds.looked = Instant::now();
            let belongings = self.belongings()?;
            if self.feeds.keeper.merged().holds_ours(&belongings) {
                self.feeds.keeper.again();
            }
            if !Arc::ptr_eq(&self.feeds.given, self.feeds.keeper.merged()) {
                self.fence_feeds()?;
            }
        }
        if let Some(work) = self.feeds.keeper.work() {
            match self.belongings() {
                Ok(belongings) => self
                    .feeds
                    .spawn(move || Told::Merged(work.run(&belongings))),
                // Nothing is merged without knowing who belongs here.
                Err(error) => {
                    self.feeds.keeper.give_back(work);
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    /// Who may not be cut off by any list.
    pub(super) fn belongings(&self) -> Result<Belongings> {
        let clock = self.clock()?;
        let trusted = holders(&self.snapshot()?, &self.trust.known, clock);
        let trusted = trusted.into_iter().map(|holder| {
            let registered = holder
                .why
                .iter()
                .any(|why| matches!(*why, "registered" | "known"));
            let whose = if registered {
                Whose::Registered
            } else {
                Whose::Solicited
            };
            (holder.address, whose)
        });
        Ok(Belongings::of(&self.config, &self.opinions.inputs, trusted))
    }

    fn tell_of_feeds(&self, news: Vec<News>) {
        for one in news {
            let notice = notice(&one);
            warn!("{}", notice.0);
            let told = Notice::new(NoticeKind::Feed, &notice.0).text(&notice.1);
            self.notify(told);
        }
    }
}

/// The summary of a notice, and its text.
fn notice(news: &News) -> (String, String) {
    match news {
        News::Failing { name, since, error } => (
            format!(
                "threat list {name} cannot be had since {}",
                crate::control::listing::moment(*since)
            ),
            format!("{error}\n\nWhat came before is used until its expiry: ringfence feed list"),
        ),
        News::Over { name, error } => (
            format!("threat list {name} is too old and is no longer used"),
            format!(
                "{error}\n\nAs soon as it can be had again it is used again: ringfence feed update {name}"
            ),
        ),
        News::Ours { name, entries } => {
            let line = |(net, caught): &(ipnet::IpNet, crate::feeds::Caught)| {
                format!("{net} {}", caught.as_str())
            };
            let named: Vec<_> = entries.iter().take(NAMED).map(line).collect();
            let all: Vec<_> = entries.iter().map(line).collect();
            (
                format!("threat list {name} has what is ours: {}", named.join(", ")),
                format!(
                    "These are left out, and nobody of them is cut off:\n{}\n\nIf a phone or a trunk is listed, \
                     somebody may have reported it; ask whoever keeps the list.",
                    all.join("\n")
                ),
            )
        }
    }
}
