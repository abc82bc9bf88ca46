//! How a feed stands, for people and programs.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp, Unit};
use serde::{Deserialize, Serialize};

use super::filter::LeftOut;
use super::{About, FeedError, Good, Shelf};
use crate::config::Feed;

/// In one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// It is in use, and its provider stands by it.
    Good,
    /// Nothing has come yet.
    Waiting,
    /// Its provider cannot be asked; what came before is used.
    Failing,
    /// What came before is too old, and is not used.
    Over,
    /// It was fetched, and none of it is used.
    Refused,
}

/// How a feed stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: String,
    /// What its entries meet.
    pub action: String,
    /// In one word.
    pub standing: Standing,
    /// Entries, those left out included.
    pub entries: usize,
    /// Entries left out, whole or in part, by why.
    pub left_out: BTreeMap<String, u64>,
    /// Some of these.
    pub examples: Vec<String>,
    /// Entries that could not be read.
    pub unreadable: u64,
    /// When its provider last stood by it.
    pub checked: Option<Timestamp>,
    /// When it last changed.
    pub changed: Option<Timestamp>,
    /// When it is asked for next.
    pub next: Option<Timestamp>,
    /// Until when it is used if its provider is not heard of.
    pub until: Option<Timestamp>,
    /// Whether it is being asked for.
    pub updating: bool,
    /// What is wrong.
    pub error: Option<String>,
}

impl Row {
    /// What is known of a feed without asking whether it is in use.
    pub(super) fn new(feed: &Feed, about: Option<&About>, left_out: Option<&LeftOut>) -> Self {
        let counts = left_out.iter().flat_map(|left_out| &left_out.counts);
        let examples = left_out.iter().flat_map(|left_out| &left_out.examples);
        Self {
            name: feed.name.clone(),
            kind: feed.kind.to_string(),
            action: feed.action.to_string(),
            standing: Standing::Waiting,
            entries: 0,
            left_out: counts
                .map(|(caught, count)| (caught.as_str().to_owned(), *count))
                .collect(),
            examples: examples
                .map(|(net, caught)| format!("{net} {}", caught.as_str()))
                .collect(),
            unreadable: about.map_or(0, |about| about.unreadable),
            checked: about.map(|about| about.checked),
            changed: about.map(|about| about.changed),
            next: None,
            until: about.map(|about| about.ends(feed)),
            updating: false,
            error: None,
        }
    }

    /// What a shelf says of a feed where no daemon runs.
    pub fn stored(feed: &Feed, shelf: &Shelf, now: Timestamp) -> Self {
        let about = shelf.load_about(feed);
        let mut row = Self::new(feed, about.as_ref(), None);
        let good: Result<Option<Good>, FeedError> = shelf.load(feed, now);
        match good {
            Ok(Some(good)) => (row.standing, row.entries) = (Standing::Good, good.nets.len()),
            Ok(None) if about.is_some() => row.standing = Standing::Over,
            Ok(None) => {}
            Err(error) => (row.standing, row.error) = (Standing::Refused, Some(error.to_string())),
        }
        row
    }

    /// One line for people.
    pub fn line(&self, now: Timestamp) -> String {
        let standing = match self.standing {
            Standing::Good => format!("{} entries", self.entries),
            Standing::Waiting => "nothing has come yet".to_owned(),
            Standing::Failing => format!("{} entries, not up to date", self.entries),
            Standing::Over => "too old and not used".to_owned(),
            Standing::Refused => "none of it is used".to_owned(),
        };
        let mut line = format!("{} {} {}: {standing}", self.name, self.kind, self.action);
        if !self.left_out.is_empty() {
            let counts = self.left_out.iter();
            let counts: Vec<_> = counts
                .map(|(why, count)| format!("{count} {why}"))
                .collect();
            line.push_str(&format!(", left out {}", counts.join(", ")));
        }
        if self.unreadable > 0 {
            line.push_str(&format!(", {} unreadable", self.unreadable));
        }
        if let Some(checked) = self.checked {
            line.push_str(&format!(", {} old", age(now, checked)));
        }
        if self.updating {
            line.push_str(", being asked for");
        } else if let Some(next) = self.next {
            line.push_str(&format!(", next in {}", age(next, now)));
        }
        if let Some(until) = self.until.filter(|_| self.standing == Standing::Failing) {
            line.push_str(&format!(", used for {} more", age(until, now)));
        }
        if let Some(error) = &self.error {
            line.push_str(&format!(": {error}"));
        }
        line
    }
}

/// From one moment to a later one, in its two largest units.
fn age(later: Timestamp, earlier: Timestamp) -> String {
    let time = later.duration_since(earlier).max(SignedDuration::ZERO);
    let seconds = time.as_secs();
    let unit = match seconds {
        0..60 => Unit::Second,
        60..86_400 => Unit::Minute,
        _ => Unit::Hour,
    };
    let rounded = time.round(unit).unwrap_or(time);
    let (days, rest) = (rounded.as_hours() / 24, rounded.as_secs() % 86_400);
    match days {
        0 => format!("{:#}", SignedDuration::from_secs(rest)).replace(' ', ""),
        days => format!("{days}d{}h", rest / 3600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn a_line_says_what_an_administrator_asks() {
        let config = Config::parse(
            "[[feed]]\nname = \"sip\"\nkind = \"blocklist-de\"\n",
            "r.toml",
        );
        let at = |second| Timestamp::from_second(second).unwrap();
        let row = Row {
            standing: Standing::Failing,
            entries: 12,
            left_out: [("permitted".to_owned(), 1), ("reserved".to_owned(), 2)].into(),
            checked: Some(at(0)),
            next: Some(at(100_300)),
            until: Some(at(172_800)),
            error: Some("HTTP 500".into()),
            ..Row::new(&config.unwrap().feeds[0], None, None)
        };
        assert_eq!(
            row.line(at(100_000)),
            "sip blocklist-de deny: 12 entries, not up to date, left out 1 permitted, 2 reserved, 1d4h old, \
             next in 5m, used for 20h13m more: HTTP 500"
        );
    }
}
