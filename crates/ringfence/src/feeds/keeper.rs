//! When each feed is asked for, what it holds, and what of that people must be told. It starts nothing and has no
//! clock: the daemon gives it the moment and does the work that it asks for.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use jiff::{SignedDuration, Timestamp};

use super::belongs::Belongings;
use super::filter::{Caught, LeftOut};
use super::merged::{Merged, Part, merge};
use super::row::{Row, Standing};
use super::update::Outcome;
use super::{About, FeedError, Good, Nets};
use crate::config::{Feed, FeedAction};

/// After a start nothing is asked for before this.
const FIRST: Duration = Duration::from_secs(5);
/// Within so long after that the first ones are asked for.
const SPREAD: Duration = Duration::from_secs(25);
/// The pause after a first failure; each further one doubles it, up to the interval.
const RETRY: Duration = Duration::from_secs(300);
/// A feed that fails for so long is told, or for half of its expiry.
const LONG: Duration = Duration::from_secs(86_400);

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

#[derive(Debug)]
struct Member {
    feed: Feed,
    nets: Arc<Nets>,
    about: Option<About>,
    left_out: LeftOut,
    /// Why none of it is used, although it was fetched.
    refused: Option<String>,
    updating: bool,
    force: bool,
    due: Timestamp,
    failures: u32,
    failing_since: Option<Timestamp>,
    error: Option<String>,
    told_failing: bool,
    over: bool,
    told: BTreeSet<(IpNet, Caught)>,
}

/// Something that people are told once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// A feed cannot be had since then.
    Failing {
        /// Its name.
        name: String,
        /// Since when.
        since: Timestamp,
        /// Why.
        error: String,
    },
    /// Its last good state is over: none of it is used.
    Over {
        /// Its name.
        name: String,
        /// Why there is no newer one.
        error: String,
    },
    /// It lists what is ours, which is left out.
    Ours {
        /// Its name.
        name: String,
        /// The entries, some of them, each with why it is ours.
        entries: Vec<(IpNet, Caught)>,
    },
}

/// Lists to be merged, beside the daemon's loop.
#[derive(Debug)]
pub struct Work {
    epoch: u64,
    parts: Vec<(u16, FeedAction, Arc<Nets>)>,
}

/// What came of it.
#[derive(Debug)]
pub struct Finished {
    epoch: u64,
    merged: Merged,
    reports: Vec<Result<LeftOut, FeedError>>,
}

impl Work {
    /// Merges; for a million entries it takes about a second.
    pub fn run(self, belongings: &Belongings) -> Finished {
        let part =
            |(feed, action, nets): &(u16, FeedAction, Arc<Nets>)| (*feed, *action, nets.clone());
        let parts: Vec<_> = self.parts.iter().map(part).collect();
        let parts: Vec<_> = parts
            .iter()
            .map(|(feed, action, nets)| Part {
                feed: *feed,
                action: *action,
                nets,
            })
            .collect();
        let (merged, reports) = merge(&parts, belongings);
        Finished {
            epoch: self.epoch,
            merged,
            reports,
        }
    }
}

impl Keeper {
    /// Takes the feeds of a configuration and no others; those that did not change go on. The ones that are new are
    /// to be loaded from their shelves.
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
                    Member::new(feed.clone(), now)
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
            Err(error) => member.error = Some(error.to_string()),
        }
    }

    /// The feeds that are due, at most `most`; they count as being asked for.
    pub fn due(&mut self, now: Timestamp, most: usize) -> Vec<(Feed, bool)> {
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
                (member.feed.clone(), std::mem::take(&mut member.force))
            })
            .collect()
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
                (member.due, member.force) = (now, force);
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
        member.updating = false;
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
                let text = error.to_string();
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
    pub fn give_back(&mut self, _work: Work) {
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
                Err(error) => member.refused = Some(error.to_string()),
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

impl Member {
    fn new(feed: Feed, now: Timestamp) -> Self {
        let spread = part(SPREAD);
        Self {
            feed,
            nets: Arc::default(),
            about: None,
            left_out: LeftOut::default(),
            refused: None,
            updating: false,
            force: false,
            due: after(now, FIRST.saturating_add(spread)),
            failures: 0,
            failing_since: None,
            error: None,
            told_failing: false,
            over: false,
            told: BTreeSet::new(),
        }
    }

    /// Entries of ours that were not told yet.
    fn untold(&mut self, left_out: &LeftOut) -> Vec<(IpNet, Caught)> {
        const MOST: usize = 1000;
        let ours = left_out
            .examples
            .iter()
            .filter(|(_, caught)| matches!(caught, Caught::Belongs(whose) if whose.is_ours()));
        let untold: Vec<_> = ours
            .filter(|entry| !self.told.contains(entry))
            .copied()
            .collect();
        if self.told.len() + untold.len() > MOST {
            self.told.clear();
        }
        self.told.extend(&untold);
        untold
    }

    fn row(&self) -> Row {
        let standing = if self.refused.is_some() {
            Standing::Refused
        } else if self.over {
            Standing::Over
        } else if self.error.is_some() {
            Standing::Failing
        } else if self.about.is_none() {
            Standing::Waiting
        } else {
            Standing::Good
        };
        Row {
            standing,
            entries: self.nets.len(),
            updating: self.updating || self.force,
            next: Some(self.due),
            error: self.refused.clone().or_else(|| self.error.clone()),
            ..Row::new(&self.feed, self.about.as_ref(), Some(&self.left_out))
        }
    }
}

/// The pause after so many failures: never shorter than the server asks, nor than the provider allows where it did
/// answer.
fn pause(feed: &Feed, error: &FeedError, failures: u32) -> Duration {
    let doubled = RETRY.saturating_mul(1 << failures.saturating_sub(1).min(16));
    let pause = doubled.min(feed.interval);
    match error {
        FeedError::Fetch(_) => pause.max(error.after().unwrap_or_default()),
        _ => pause.max(feed.kind.terms().least),
    }
}

/// A time and up to a tenth of it more, so that hosts do not ask all at once.
fn jittered(time: Duration) -> Duration {
    time.saturating_add(part(time / 10))
}

/// Some part of a time, by chance.
fn part(time: Duration) -> Duration {
    let chance = getrandom::u32().unwrap_or(0);
    time.mul_f64(f64::from(chance) / f64::from(u32::MAX))
}

fn after(moment: Timestamp, time: Duration) -> Timestamp {
    let time = SignedDuration::try_from(time).unwrap_or(SignedDuration::MAX);
    moment.checked_add(time).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
#[path = "keeper_tests.rs"]
mod tests;
