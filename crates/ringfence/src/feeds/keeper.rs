//! When each feed is asked for, what it holds, and what of that people must be told. It starts nothing and has no
//! clock: the daemon gives it the moment and does the work that it asks for.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use jiff::Timestamp;

use super::member::{LONG, Member, after, jittered, pause};
use super::merged::Merged;
use super::row::Row;
use super::update::Outcome;
use super::work::{Finished, News, Work};
use super::{FeedError, Good};
use crate::config::{Feed, FeedAction};

/// The pause after an update that could not be begun.
const MINUTE: Duration = Duration::from_secs(60);

/// All feeds of the configuration.
#[derive(Debug, Default)]
pub struct Keeper {
    members: Vec<Member>,
    merged: Arc<Merged>,
    /// Counts configurations: what was begun under an earlier one is of no use.
    epoch: u64,
    dirty: bool,
    merging: bool,
}

impl Keeper {
    /// Takes the feeds of a configuration and no others; those that did not change go on. The ones that are new are
    /// to be loaded from their shelves; until then one that is made of the same list as before keeps its entries.
    pub fn keep(&mut self, feeds: &[Feed], now: Timestamp) -> Vec<Feed> {
        if self.members.iter().map(|member| &member.feed).eq(feeds) {
            return Vec::new();
        }
        let mut before = std::mem::take(&mut self.members);
        let mut new = Vec::new();
        for feed in feeds {
            let place = before.iter().position(|member| member.feed == *feed);
            self.members.push(match place {
                Some(place) => before.swap_remove(place),
                None => {
                    new.push(feed.clone());
                    let same = |old: &&Member| old.feed.name == feed.name && old.serves(feed);
                    let mut member = Member::new(feed.clone(), now);
                    if let Some(old) = before.iter().find(same) {
                        (member.nets, member.about) = (old.nets.clone(), old.about.clone());
                    }
                    member
                }
            });
        }
        self.epoch += 1;
        self.dirty = true;
        new
    }

    /// What the shelf of a feed held.
    pub fn loaded(&mut self, feed: &Feed, good: Result<Option<Good>, FeedError>, now: Timestamp) {
        let Some(member) = self.member(feed) else {
            return;
        };
        match good {
            Ok(Some(Good { nets, about })) => {
                let due = after(about.checked, feed.interval);
                member.due = due.clamp(member.due, after(now, feed.interval).max(member.due));
                (member.nets, member.about) = (Arc::new(nets), Some(about));
                self.dirty = true;
            }
            Ok(None) => {}
            Err(error) => member.error = Some(error.shown()),
        }
    }

    /// The feeds that are due, at most `most`; they count as being asked for. With each comes whether it is by force,
    /// and when what is held of it last changed (None: nothing is held).
    pub fn due(&mut self, now: Timestamp, most: usize) -> Vec<(Feed, bool, Option<Timestamp>)> {
        let busy = self.members.iter().filter(|member| member.updating).count();
        let room = most.saturating_sub(busy);
        for member in &mut self.members {
            // A clock that went back must not silence a feed.
            let latest = after(
                now,
                member.feed.interval.saturating_add(LONG.saturating_mul(2)),
            );
            member.due = member.due.min(latest);
        }
        let due = self.members.iter_mut();
        let due = due.filter(|member| !member.updating && member.due <= now);
        due.take(room)
            .map(|member| {
                member.updating = true;
                let force = std::mem::take(&mut member.force);
                (member.feed.clone(), force, member.holds())
            })
            .collect()
    }

    /// A feed that was due could not be asked for: it is due again in a minute.
    pub fn not_begun(&mut self, feed: &Feed, force: bool, now: Timestamp) {
        if let Some(member) = self.member(feed) {
            member.updating = false;
            member.force |= force;
            member.due = after(now, MINUTE);
        }
    }

    /// Has feeds asked for now, all where none is named; the names of those.
    ///
    /// # Errors
    /// The first name that no feed has.
    pub fn wake(
        &mut self,
        names: &[String],
        force: bool,
        now: Timestamp,
    ) -> Result<Vec<String>, String> {
        let known = |name: &&String| self.members.iter().any(|member| member.feed.name == **name);
        if let Some(unknown) = names.iter().find(|name| !known(name)) {
            return Err(unknown.clone());
        }
        let mut woken = Vec::new();
        for member in &mut self.members {
            let name = &member.feed.name;
            if names.is_empty() || names.contains(name) {
                (member.due, member.force, member.asked) = (now, force, true);
                woken.push(name.clone());
            }
        }
        Ok(woken)
    }

    /// What came of an update.
    pub fn updated(&mut self, feed: &Feed, outcome: Outcome, now: Timestamp) -> Vec<News> {
        let mut news = Vec::new();
        let Some(member) = self.member(feed) else {
            return news;
        };
        (member.updating, member.asked) = (false, false);
        let changed = outcome.nets.filter(|nets| *nets != *member.nets);
        if let Some(nets) = changed {
            member.nets = Arc::new(nets);
            self.dirty = true;
        }
        let Some(member) = self.member(feed) else {
            return news;
        };
        match outcome.result {
            Ok(about) => {
                member.about = Some(about);
                member.due = after(now, jittered(feed.interval));
                (member.failures, member.failing_since, member.error) = (0, None, None);
                (member.told_failing, member.over) = (false, false);
            }
            Err(error) => {
                member.failures = member.failures.saturating_add(1);
                let since = *member.failing_since.get_or_insert(now);
                member.due = after(now, jittered(pause(feed, &error, member.failures)));
                let text = error.shown();
                let long = LONG.min(feed.expiry / 2);
                if !member.told_failing && after(since, long) <= now {
                    member.told_failing = true;
                    news.push(News::Failing {
                        name: feed.name.clone(),
                        since,
                        error: text.clone(),
                    });
                }
                member.error = Some(text);
            }
        }
        // Somebody asked for all of it meanwhile.
        if member.force {
            (member.due, member.asked) = (now, true);
        }
        news
    }

    /// Lets go of what is over.
    pub fn expire(&mut self, now: Timestamp) -> Vec<News> {
        let mut news = Vec::new();
        for member in &mut self.members {
            let about = member.about.as_ref();
            let over = about.is_some_and(|about| about.is_over(&member.feed, now));
            if over && !std::mem::replace(&mut member.over, true) {
                member.nets = Arc::default();
                self.dirty = true;
                news.push(News::Over {
                    name: member.feed.name.clone(),
                    error: member.error.clone().unwrap_or_default(),
                });
            }
        }
        news
    }

    /// Merges again: who belongs here has changed.
    pub fn again(&mut self) {
        self.dirty = true;
    }

    /// The lists to be merged now, if any changed.
    pub fn work(&mut self) -> Option<Work> {
        if self.merging || !std::mem::take(&mut self.dirty) {
            return None;
        }
        self.merging = true;
        let parts = (1..)
            .zip(&self.members)
            .map(|(number, member)| (number, member.feed.action, member.nets.clone()));
        Some(Work {
            epoch: self.epoch,
            parts: parts.collect(),
        })
    }

    /// The work could not be begun: it is to be done later.
    pub fn give_back(&mut self) {
        (self.merging, self.dirty) = (false, true);
    }

    /// What came of the merging: whether the set is another one, and what is to be told.
    pub fn finish(&mut self, finished: Finished) -> (bool, Vec<News>) {
        self.merging = false;
        if finished.epoch != self.epoch {
            self.dirty = true;
            return (false, Vec::new());
        }
        let mut news = Vec::new();
        for (member, report) in self.members.iter_mut().zip(finished.reports) {
            match report {
                Ok(left_out) => {
                    member.refused = None;
                    let entries = member.untold(&left_out);
                    if !entries.is_empty() {
                        news.push(News::Ours {
                            name: member.feed.name.clone(),
                            entries,
                        });
                    }
                    member.left_out = left_out;
                }
                Err(error) => member.refused = Some(error.shown()),
            }
        }
        let changed = *self.merged != finished.merged;
        if changed {
            self.merged = Arc::new(finished.merged);
        }
        (changed, news)
    }

    /// The set in force, or about to be.
    pub fn merged(&self) -> &Arc<Merged> {
        &self.merged
    }

    /// Whether there is no feed.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// The name of a feed by its number in [`Merged`].
    pub fn name(&self, number: u16) -> Option<&str> {
        let place = usize::from(number).checked_sub(1)?;
        Some(&self.members.get(place)?.feed.name)
    }

    /// The feeds that list an address: name, entry and action of each, left out or not.
    pub fn listed(&self, address: IpAddr) -> Vec<(&str, IpNet, FeedAction)> {
        let found = self.members.iter().filter_map(|member| {
            let net = member.nets.find(address)?;
            Some((member.feed.name.as_str(), net, member.feed.action))
        });
        found.collect()
    }

    /// How each feed stands.
    pub fn rows(&self) -> Vec<Row> {
        self.members.iter().map(Member::row).collect()
    }

    /// Bytes of memory of all entries.
    pub fn memory(&self) -> usize {
        let lists = self.members.iter().map(|member| member.nets.memory());
        lists.sum::<usize>() + self.merged.memory()
    }

    fn member(&mut self, feed: &Feed) -> Option<&mut Member> {
        self.members.iter_mut().find(|member| member.feed == *feed)
    }
}

#[cfg(test)]
#[path = "keeper_tests.rs"]
mod tests;
