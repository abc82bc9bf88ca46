//! APIBAN: pages of what is new since an ID, until the ID is `none`.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::Deserialize;

use super::{Done, How, ask, believe, key};
use crate::config::Feed;
use crate::feeds::about::About;
use crate::feeds::parse;
use crate::feeds::store::Shelf;
use crate::feeds::{FeedError, provider};
use crate::fetch::{Expect, FetchError, text};

/// The most pages of one update; a page has up to 250 addresses.
const PAGES: usize = 400;
/// Between two pages, out of courtesy.
const PAUSE: Duration = Duration::from_millis(100);
/// The most bytes of a page.
const PAGE: u64 = 1 << 20;
/// What the ID is where there is nothing newer.
const NONE: &str = "none";
/// What stands in place of addresses then.
const NOTHING: &str = "no new bans";

/// `GET KEY/banned[/ID]`.
#[derive(Deserialize)]
struct Page {
    #[serde(default, rename = "ipaddress")]
    addresses: Option<Addresses>,
    #[serde(rename = "ID")]
    id: String,
}

/// Addresses, or in their place words such as `no new bans`.
#[derive(Deserialize)]
#[serde(untagged)]
enum Addresses {
    All(Vec<String>),
    Words(String),
}

impl Page {
    fn addresses(&self) -> &[String] {
        match &self.addresses {
            Some(Addresses::All(all)) => all,
            Some(Addresses::Words(words)) => std::slice::from_ref(words),
            None => &[],
        }
    }
}

/// Asks for all pages. What came before a failure is kept, and the next update goes on from there.
pub(super) fn update(feed: &Feed, shelf: &Shelf, how: &How<'_>) -> Done {
    let key = key(feed)?.ok_or(FeedError::Unset(
        "it has no key; ask apiban.org for one, and write `key` or `key_file`",
    ))?;
    let root = provider::urls(feed).swap_remove(0);
    let root = root.trim_end_matches('/');
    let held = shelf.load_about(feed).filter(|_| !how.force);
    // What was told before is over.
    let held = held.filter(|about| !about.is_over(feed, how.now));
    let mut dated = match &held {
        Some(_) => shelf.load_dated(how.now)?,
        None => Default::default(),
    };
    let was = held.as_ref().map_or(0, |about| about.entries);
    let mut about = held.unwrap_or_else(|| About::new(feed, how.now));
    let until = how.now.checked_add(feed.expiry).unwrap_or(how.now);
    let before = dated.clone();
    let anew = about.cursor.is_none();
    let most = usize::try_from(feed.max).unwrap_or(usize::MAX);
    let mut seen = BTreeSet::new();
    let mut failure = None;
    loop {
        let url = match &about.cursor {
            Some(id) => format!("{root}/{{key}}/banned/{id}"),
            None => format!("{root}/{{key}}/banned"),
        };
        let request = ask(feed, &url, Some(&key)).expect(Expect::Json).most(PAGE);
        let page = match text(&request) {
            Ok(text) => serde_json::from_str::<Page>(&text).map_err(FeedError::from),
            // It says so with an error.
            Err(FetchError::Status {
                status: 400, said, ..
            }) if said.contains(NOTHING) => break,
            Err(error) => Err(error.into()),
        };
        let page = match page {
            Ok(page) => page,
            Err(error) => {
                failure = Some(error);
                break;
            }
        };
        for address in page.addresses() {
            match parse::range(address) {
                Some(range) => range
                    .prefixes()
                    .into_iter()
                    .for_each(|net| dated.put(net, until)),
                None if address == NOTHING => {}
                None => about.unreadable += 1,
            }
        }
        if dated.len() > most {
            failure = Some(FeedError::TooMany { max: feed.max });
            dated = before.clone();
            about.cursor = None;
            break;
        }
        if page.id == NONE || about.cursor.as_ref() == Some(&page.id) {
            break;
        }
        if !is_id(&page.id) || !seen.insert(page.id.clone()) || seen.len() >= PAGES {
            failure = Some(FeedError::Endless(format!("the {}. leads on", seen.len())));
            break;
        }
        about.cursor = Some(page.id);
        std::thread::sleep(PAUSE);
    }
    let nets = dated.nets();
    match failure.take() {
        // What was kept before holds more than the beginning of all.
        Some(error) if anew && (how.force || seen.is_empty()) => return Err(error),
        None => {
            // That nothing is new for long is no wonder; that there is nothing at all is.
            let how = How {
                force: how.force || !anew,
                ..*how
            };
            believe(feed, &nets, was, &how)?;
            about.checked = how.now;
        }
        other => failure = other,
    }
    if dated != before {
        about.changed = how.now;
    }
    about.entries = nets.len();
    shelf.save_dated(&dated)?;
    shelf.save_about(&about)?;
    match failure {
        Some(error) => Err(error),
        None => Ok((Some(nets), about)),
    }
}

/// What may stand in a URL as an ID.
fn is_id(id: &str) -> bool {
    (1..=64).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric())
}
