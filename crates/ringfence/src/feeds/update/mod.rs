//! One update of one feed: asked for, looked at, and only then believed.

mod apiban;
mod crowdsec;
mod whole;

use jiff::Timestamp;

use super::about::About;
use super::belongs::Belongings;
use super::filter::filter;
use super::store::{Shelf, is_dated};
use super::{FeedError, Nets};
use crate::config::{Feed, FeedKind, Secret};
use crate::fetch::{Ask, Progress};

/// How to update.
pub struct How<'a> {
    /// Asks for all of it, and believes it where it is empty or much shorter than before.
    pub force: bool,
    /// The moment.
    pub now: Timestamp,
    /// When what the caller has of the list last changed ([`About::changed`]); None where it has nothing.
    pub holds: Option<Timestamp>,
    /// Who is told how far it is.
    pub progress: &'a dyn Progress,
}

/// What came of an update.
#[derive(Debug)]
pub struct Outcome {
    /// The entries from now on; None where the caller has them.
    pub nets: Option<Nets>,
    /// What is known of the list now, or why there is nothing new.
    pub result: Result<About, FeedError>,
}

/// Fetches a feed and keeps it on its shelf. It blocks.
///
/// Where it fails, what is on the shelf stays; of a provider that tells only what is new, entries end all the same, and
/// what came before the failure is kept.
pub fn update(feed: &Feed, shelf: &Shelf, how: &How<'_>) -> Outcome {
    let done = shelf.make().and_then(|()| match feed.kind {
        FeedKind::Apiban => apiban::update(feed, shelf, how),
        FeedKind::Crowdsec => crowdsec::update(feed, shelf, how),
        _ => whole::update(feed, shelf, how),
    });
    match done {
        Ok((nets, about)) => Outcome {
            nets,
            result: Ok(about),
        },
        Err(error) => {
            let kept = is_dated(feed).then(|| shelf.load(feed, how.now));
            Outcome {
                nets: kept.and_then(Result::ok).flatten().map(|good| good.nets),
                result: Err(error),
            }
        }
    }
}

type Done = Result<(Option<Nets>, About), FeedError>;

/// A list that had so many entries may not be a tenth of it from one time to the next.
const FEW: usize = 100;

/// Whether a list of so many entries can be what it was.
fn believe(feed: &Feed, nets: &Nets, was: usize, how: &How<'_>) -> Result<(), FeedError> {
    // How much it covers is looked at before anything is left out for who is here at this moment.
    filter(nets, &Belongings::new([]), |_| {})?;
    let now = nets.len();
    if how.force || feed.may_be_empty {
        return Ok(());
    }
    if now == 0 {
        return Err(FeedError::Empty);
    }
    if was >= FEW && now < was / 10 {
        return Err(FeedError::Shrunk { was, now });
    }
    Ok(())
}

fn key(feed: &Feed) -> Result<Option<Secret>, FeedError> {
    Ok(feed.key.as_ref().map(|from| from.read()).transpose()?)
}

/// The most bytes of a list: that of the longest lines that are usual, for each entry.
fn most(feed: &Feed) -> u64 {
    const BYTES: u64 = 400;
    const LEAST: u64 = 4 << 20;
    const MOST: u64 = 1 << 30;
    (u64::from(feed.max) * BYTES).clamp(LEAST, MOST)
}

/// A request to the provider; `{key}` in the URL stands for the key.
fn ask(feed: &Feed, url: &str, key: Option<&Secret>) -> Ask {
    let ask = Ask::new(url).most(most(feed));
    match key {
        Some(key) => ask.fill("key", key),
        None => ask,
    }
}

#[cfg(test)]
mod tests;
