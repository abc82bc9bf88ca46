//! CrowdSec's local interface, asked as a bouncer: all decisions once, and then what is new and what is over.

use std::fs::{self, File};
use std::io::BufReader;

use ipnet::IpNet;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use super::{Done, How, ask, believe, key};
use crate::config::Feed;
use crate::feeds::about::About;
use crate::feeds::dated::Dated;
use crate::feeds::parse;
use crate::feeds::store::{Shelf, file_error};
use crate::feeds::{FeedError, provider};
use crate::fetch::{Expect, fetch};

/// All is asked for again after this: another program with the same key may have heard what was meant for us.
const WHOLE: SignedDuration = SignedDuration::from_hours(1);
/// The most bytes of an answer.
const MOST: u64 = 64 << 20;

/// `GET /v1/decisions/stream`.
#[derive(Deserialize)]
struct Stream {
    #[serde(default)]
    new: Option<Vec<Decision>>,
    #[serde(default)]
    deleted: Option<Vec<Decision>>,
}

#[derive(Deserialize)]
struct Decision {
    /// How long it holds, in Go's words: `3h59m49.9s`.
    #[serde(default)]
    duration: String,
    /// `Ip`, `Range`, or what is of no use here.
    #[serde(default)]
    scope: String,
    /// `ban`, `captcha` and others.
    #[serde(default, rename = "type")]
    kind: String,
    #[serde(default)]
    value: String,
}

impl Decision {
    /// The networks that are to be shut out by it; None where it is about something else.
    fn nets(&self) -> Option<Vec<IpNet>> {
        let scoped = ["ip", "range"]
            .iter()
            .any(|scope| self.scope.eq_ignore_ascii_case(scope));
        if !scoped || !self.kind.eq_ignore_ascii_case("ban") {
            return Some(Vec::new());
        }
        Some(parse::range(&self.value)?.prefixes())
    }

    fn until(&self, feed: &Feed, now: Timestamp) -> Option<Timestamp> {
        let duration: SignedDuration = self.duration.parse().ok()?;
        let longest = now.checked_add(feed.expiry).ok()?;
        let until = now.checked_add(duration).unwrap_or(longest);
        Some(until)
    }
}

pub(super) fn update(feed: &Feed, shelf: &Shelf, how: &How<'_>) -> Done {
    let key = key(feed)?.ok_or(FeedError::Unset(
        "it has no key; run `cscli bouncers add ringfence`, and write `key` or `key_file`",
    ))?;
    let root = provider::urls(feed).swap_remove(0);
    let root = root.trim_end_matches('/');
    let held = shelf
        .load_about(feed)
        .filter(|about| !about.is_over(feed, how.now));
    let was = held.as_ref().map_or(0, |about| about.entries);
    let known = held.filter(|_| !how.force);
    let whole = known
        .as_ref()
        .and_then(|about| about.cursor.as_ref()?.parse::<Timestamp>().ok());
    let whole = whole.filter(|at| how.now.duration_since(*at) < WHOLE && *at <= how.now);
    let startup = whole.is_none();
    let mut url = format!("{root}/v1/decisions/stream?startup={startup}&scopes=ip,range");
    for (name, words) in [
        ("origins", &feed.origins),
        ("scenarios_containing", &feed.scenarios),
    ] {
        if !words.is_empty() {
            url.push_str(&format!("&{name}={}", words.join(",")));
        }
    }
    let request = ask(feed, &url, None)
        .header("X-Api-Key", &key)
        .expect(Expect::Json)
        .most(MOST);
    let [answer, _] = shelf.fresh(0);
    fetch(&request, &answer, how.progress)?;
    let read = File::open(&answer).map_err(|source| file_error(&answer, source));
    let stream: Result<Stream, FeedError> =
        read.and_then(|file| Ok(serde_json::from_reader(BufReader::new(file))?));
    // It was for once.
    let _ = fs::remove_file(&answer);
    let stream = stream?;
    let before = match &known {
        Some(_) => shelf.load_dated(how.now)?,
        None => Dated::default(),
    };
    let mut about = known.unwrap_or_else(|| About::new(feed, how.now));
    let mut dated = if startup {
        Dated::default()
    } else {
        before.clone()
    };
    about.unreadable = apply(feed, &stream, &mut dated, how.now);
    let most = usize::try_from(feed.max).unwrap_or(usize::MAX);
    if dated.len() > most {
        return Err(FeedError::TooMany { max: feed.max });
    }
    let nets = dated.nets();
    // Decisions come and go: that there are few or none is usual.
    let usual = How {
        force: true,
        ..*how
    };
    believe(feed, &nets, was, &usual)?;
    if startup {
        about.cursor = Some(how.now.to_string());
    }
    about.checked = how.now;
    if dated != before {
        about.changed = how.now;
    }
    about.entries = nets.len();
    shelf.save_dated(&dated)?;
    shelf.save_about(&about)?;
    Ok((Some(nets), about))
}

/// Takes in what is over, then what is new; how many decisions could not be read.
fn apply(feed: &Feed, stream: &Stream, dated: &mut Dated, now: Timestamp) -> u64 {
    let mut unreadable = 0;
    for decision in stream.deleted.iter().flatten() {
        match decision.nets() {
            // It is told once no other decision is about the same value.
            Some(nets) => nets.into_iter().for_each(|net| dated.remove(net)),
            None => unreadable += 1,
        }
    }
    for decision in stream.new.iter().flatten() {
        match decision.nets().zip(decision.until(feed, now)) {
            Some((nets, until)) => nets.into_iter().for_each(|net| dated.put(net, until)),
            None => unreadable += 1,
        }
    }
    dated.prune(now);
    unreadable
}
