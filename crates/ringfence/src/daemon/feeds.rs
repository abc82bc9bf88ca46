//! Threat lists: fetched and merged in threads of their own, and given to the fence by difference.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use ipnet::IpNet;
use jiff::Timestamp;
use ringfence_core::address::Address;
use ringfence_core::bench::{Listed, list_flags};
use ringfence_core::feed::FeedAction as Judged;
use tokio::sync::mpsc;
use tracing::{debug, info, warn};

use super::named::needed;
use super::state::Daemon;
use crate::config::{Config, Feed};
use crate::engine::Lists;
use crate::engine::feeds::Placed;
use crate::feeds::update::{How, Outcome, update};
use crate::feeds::{
    Belongings, FeedError, Finished, Good, Keeper, MOST_V6, Merged, News, Shelf, Whose, room,
};
use crate::fetch::Silent;
use crate::notify::{Notice, NoticeKind};
use crate::tables;
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
    /// A set is in the fence's table.
    Placed(Arc<Merged>, Placed),
}

/// The lists, and the threads that work on them.
pub(super) struct Feeds {
    pub(super) keeper: Keeper,
    /// What the fence was given last, and its IPv6 networks.
    given: Arc<Merged>,
    pub(super) wide: Vec<(IpNet, Judged)>,
    /// The IPv6 networks changed, and the fence was not given them yet.
    owed: bool,
    /// A thread writes into the fence's table.
    giving: bool,
    /// Blocks of addresses that found no room there.
    pub(super) left_out: usize,
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
            wide: Vec::new(),
            owed: false,
            giving: false,
            left_out: 0,
            sender,
            outcomes,
            looked: Instant::now(),
        }
    }

    /// Takes the lists of a configuration from their shelves, and waits for it: before the fence is written, so that a
    /// restart needs no network.
    pub(super) fn begin(&mut self, config: &Config, lists: &Lists) {
        let now = Timestamp::now();
        // What an earlier daemon left in the lists stays there until all is merged.
        self.wide = lists.iter().filter_map(warned).collect();
        for feed in self.keeper.keep(&config.feeds, now) {
            let good = Shelf::new(&config.state, &feed).load(&feed, now);
            self.loaded(&feed, good, now);
        }
    }

    /// Takes the lists of a configuration that the fence has, and with it the IPv6 networks; lists that are new come
    /// later.
    pub(super) fn keep(&mut self, config: &Config) {
        self.owed = false;
        let now = Timestamp::now();
        for feed in self.keeper.keep(&config.feeds, now) {
            let shelf = Shelf::new(&config.state, &feed);
            let (of, at) = (feed.clone(), shelf.clone());
            let begun = self.spawn(move || {
                let good = at.load(&of, now);
                Told::Loaded(of, good)
            });
            if !begun {
                let good = shelf.load(&feed, now);
                self.loaded(&feed, good, now);
            }
        }
        // Who is permitted may have changed.
        self.keeper.again();
    }

    /// Merges anew: whom lists may not cut off has changed.
    pub(super) fn again(&mut self) {
        self.keeper.again();
    }

    /// Takes in what the fence's table has, and what the fence is to have of IPv6.
    fn place(&mut self, merged: Arc<Merged>, wide: Vec<(IpNet, Judged)>) {
        self.owed |= self.wide != wide;
        (self.wide, self.given) = (wide, merged);
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

    /// A thread, since a process that ends waits for none; whether there is one.
    fn spawn(&self, work: impl FnOnce() -> Told + Send + 'static) -> bool {
        let sender = self.sender.clone();
        let thread = std::thread::Builder::new().name("feeds".to_owned());
        let begun = thread.spawn(move || {
            // The daemon ends: nobody wants it any more.
            let _ = sender.send(work());
        });
        if let Err(error) = &begun {
            warn!("no thread for threat lists: {error}");
        }
        begun.is_ok()
    }
}

/// What an entry of the fence's lists says by threat lists, if it does.
fn warned((prefix, listed): (&(Address, u8), &Listed)) -> Option<(IpNet, Judged)> {
    let action = Judged::strictest((listed.flags >> list_flags::FEEDS) as u8)?;
    let net = IpNet::new(tables::ip(prefix.0), prefix.1).ok()?;
    matches!(net, IpNet::V6(_)).then_some((net, action))
}

impl Daemon {
    /// Merges what the shelves held and gives it to the fence, before packets meet its table.
    pub(super) fn begin_feeds(&mut self) -> Result<()> {
        let Some(work) = self.feeds.keeper.work() else {
            return Ok(());
        };
        let finished = work.run(&self.belongings()?);
        let (_, news) = self.feeds.keeper.finish(finished);
        self.tell_of_feeds(news);
        let merged = self.feeds.keeper.merged().clone();
        let placed = self.fence.feeds().replace(&merged.blocks());
        self.placed(merged, placed)
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
            Told::Placed(merged, placed) => self.placed(merged, placed)?,
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

    /// Gives the fence the merged set: IPv4 in a thread, while packets are judged, and IPv6 with the lists.
    fn fence_feeds(&mut self) -> Result<()> {
        if std::mem::replace(&mut self.feeds.giving, true) {
            // Whoever is at it looks again.
            return Ok(());
        }
        let (merged, table) = (self.feeds.keeper.merged().clone(), self.fence.feeds());
        self.feeds.giving = self.feeds.spawn(move || {
            let placed = table.replace(&merged.blocks());
            Told::Placed(merged, placed)
        });
        Ok(())
    }

    /// Takes in that the table has a set.
    fn placed(&mut self, merged: Arc<Merged>, placed: Placed) -> Result<()> {
        self.feeds.giving = false;
        self.feeds.left_out = placed.left_out;
        self.tell_placed(&merged, placed);
        let (wide, more) = merged.wide();
        if more > 0 {
            warn!("threat lists: {more} IPv6 networks above {MOST_V6} are left out");
        }
        self.feeds.place(merged, wide);
        if self.feeds.owed {
            self.apply(self.config.clone(), false)?;
        }
        if !Arc::ptr_eq(&self.feeds.given, self.feeds.keeper.merged()) {
            self.fence_feeds()?;
        }
        Ok(())
    }

    /// Where the table is smaller than the lists may grow: what to do.
    pub(super) fn short_of_room(&self) -> Option<String> {
        let (wanted, room) = (room(&self.config), self.fence.feeds().room());
        let short = format!(
            "the table of threat lists has room for {room} blocks of addresses, and these lists may need {wanted}: \
             `systemctl restart ringfence` makes a larger one, and the fence stands meanwhile"
        );
        (wanted > room).then(|| {
            warn!("{short}");
            short
        })
    }

    fn tell_placed(&self, merged: &Merged, placed: Placed) {
        let before = &self.feeds.given;
        info!(
            "threat lists: {} entries, {} new, {} gone, {} blocks of addresses, {} KiB",
            merged.len(),
            merged.added(before).count(),
            merged.removed(before).count(),
            placed.blocks,
            (self.feeds.keeper.memory() + self.fence.feeds().memory()) / 1024
        );
        if placed.left_out > 0 {
            warn!(
                "threat lists: {} blocks of addresses found no room in the table, which was made for the lists of the \
                 daemon's start; `systemctl restart ringfence` makes a larger one, and the fence stands meanwhile",
                placed.left_out
            );
        }
    }

    /// What is due every second.
    pub(super) fn tend_feeds(&mut self) -> Result<()> {
        let feeds = &self.feeds;
        if feeds.keeper.is_empty() && feeds.given.is_empty() && !feeds.owed {
            return Ok(());
        }
        let now = Timestamp::now();
        let news = self.feeds.keeper.expire(now);
        self.tell_of_feeds(news);
        for (feed, force, holds) in self.feeds.keeper.due(now, AT_ONCE) {
            let shelf = Shelf::new(&self.config.state, &feed);
            let of = feed.clone();
            let begun = self.feeds.spawn(move || {
                let how = How {
                    force,
                    now,
                    holds,
                    progress: &Silent,
                };
                let outcome = update(&of, &shelf, &how);
                Told::Updated(of, outcome)
            });
            if !begun {
                self.feeds.keeper.not_begun(&feed, force, now);
            }
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
            if self.feeds.owed {
                self.apply(self.config.clone(), false)?;
            }
        }
        if let Some(work) = self.feeds.keeper.work() {
            match self.belongings() {
                Ok(belongings) => {
                    let begun = self
                        .feeds
                        .spawn(move || Told::Merged(work.run(&belongings)));
                    if !begun {
                        self.feeds.keeper.give_back();
                    }
                }
                // Nothing is merged without knowing who belongs here.
                Err(error) => {
                    self.feeds.keeper.give_back();
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
        let trusted = trusted
            .into_iter()
            .map(|holder| (holder.address, Whose::of(&holder)));
        let needed = needed(self.watch.routes()).into_iter();
        let trusted = trusted.chain(needed.map(|ip| (ip, Whose::Needed)));
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

#[cfg(test)]
#[path = "feeds_tests.rs"]
mod tests;
