//! Reads `[[feed]]`.

use std::collections::HashMap;
use std::time::Duration;

use super::feed::{Feed, FeedAction, FeedFormat, FeedKind, MAX_FEEDS};
use super::keys::FEED;
use super::read::{name, path};
use super::read_secret::secret;
use super::read_trust::{period, refuse_beyond};
use super::reader::{Item, Reader, Section};
use super::words::Word;
use super::wrong::{Wrong, quoted};

/// The most entries that a feed may be allowed.
const MOST: u32 = 5_000_000;
/// The longest interval and expiry.
const YEAR: Duration = Duration::from_secs(365 * 86_400);

/// Reads all of them.
pub(super) fn feeds(reader: &mut Reader<'_>, item: Item<'_>) -> Vec<Feed> {
    let mut seen = HashMap::new();
    let tables = reader.tables(&FEED, item);
    refuse_beyond(
        reader,
        tables.iter().map(|table| table.at),
        MAX_FEEDS,
        "feeds",
        "leave some out",
    );
    let mut feeds = Vec::new();
    for table in tables {
        let name = name(reader, &table, &mut seen);
        match (table.get("name"), &name) {
            (None, _) => reader.miss_key(&table, "name", "name = \"attackers\""),
            (Some(item), Some(name)) if name.starts_with('.') => {
                let message = format!("the name {} begins with a dot", quoted(name));
                reader.refuse(item.at, Wrong::new(message, "begin it with a letter"));
            }
            _ => {}
        }
        feeds.push(feed(reader, &table, name.unwrap_or_default()));
    }
    feeds
}

fn feed(reader: &mut Reader<'_>, table: &Section<'_>, name: String) -> Feed {
    let kind = table.get("kind").and_then(|i| reader.word::<FeedKind>(i));
    let kind = kind.unwrap_or(FeedKind::Plain);
    let terms = kind.terms();
    let mut feed = Feed {
        name,
        kind,
        url: table.get("url").and_then(|i| reader.parsed(i)),
        file: table.get("file").and_then(|i| path(reader, i)),
        format: FeedFormat::Plain,
        key: secret(
            reader,
            table,
            ["key", "key_env", "key_credential", "key_file"],
        ),
        interval: terms.interval,
        expiry: terms.expiry,
        max: 1_000_000,
        action: FeedAction::Deny,
        column: Default::default(),
        path: Default::default(),
        level: 1,
        origins: words(reader, table, "origins"),
        scenarios: words(reader, table, "scenarios"),
        may_be_empty: false,
    };
    if let Some(format) = table.get("format").and_then(|i| reader.word(i)) {
        feed.format = format;
    }
    if let Some(time) = table
        .get("interval")
        .and_then(|i| period(reader, i, terms.least..=YEAR))
    {
        feed.interval = time;
        // A list that is asked for seldom is not over before it is asked for again.
        feed.expiry = feed.expiry.max(time.saturating_mul(2).min(YEAR));
    }
    if let Some(time) = table
        .get("expiry")
        .and_then(|i| period(reader, i, terms.least..=YEAR))
    {
        feed.expiry = time;
    }
    if let Some(max) = table.get("max").and_then(|i| reader.number(i, 1..=MOST)) {
        feed.max = max;
    }
    if let Some(action) = table.get("action").and_then(|i| reader.word(i)) {
        feed.action = action;
    }
    if let Some(column) = table.get("column").and_then(|i| reader.parsed(i)) {
        feed.column = column;
    }
    if let Some(path) = table.get("path").and_then(|i| reader.parsed(i)) {
        feed.path = path;
    }
    if let Some(level) = table.get("level").and_then(|i| reader.number(i, 1..=4)) {
        feed.level = u8::try_from(level).unwrap_or(1);
    }
    if let Some(flag) = table.get("may_be_empty").and_then(|i| reader.flag(i)) {
        feed.may_be_empty = flag;
    }
    whole(reader, table, &feed);
    feed
}

/// Refuses what does not go together.
fn whole(reader: &mut Reader<'_>, table: &Section<'_>, feed: &Feed) {
    if let Some(item) = table.get("expiry").filter(|_| feed.expiry <= feed.interval) {
        let fix = "write a longer time: a list is kept until then where no newer one can be had";
        reader.refuse(
            item.at,
            Wrong::new("`expiry` is no longer than the interval", fix),
        );
    }
    let kind = feed.kind;
    let wants_url = kind.format().is_some()
        && !matches!(
            kind,
            FeedKind::BlocklistDe | FeedKind::Voipbl | FeedKind::Firehol
        );
    if wants_url && table.get("url").is_none() {
        reader.miss_key(table, "url", "url = \"https://lists.example.com/list.txt\"");
    }
    if kind == FeedKind::File && table.get("file").is_none() {
        reader.miss_key(table, "file", "file = \"/etc/ringfence/attackers.txt\"");
    }
    let keys = ["key", "key_env", "key_credential", "key_file"];
    let has_key = keys.iter().any(|key| table.get(key).is_some());
    if kind.wants_key() && !has_key {
        let name = kind.as_str();
        reader.miss_key(
            table,
            "key",
            &format!("key_file = \"/etc/ringfence/{name}.key\""),
        );
    }
    for (key, right) in [
        ("url", kind != FeedKind::File),
        ("file", kind == FeedKind::File),
        ("format", kind == FeedKind::File),
        (
            "column",
            kind == FeedKind::Csv || feed.format == FeedFormat::Csv,
        ),
        (
            "path",
            kind == FeedKind::Json || feed.format == FeedFormat::Json,
        ),
        ("level", kind == FeedKind::Firehol),
        ("origins", kind == FeedKind::Crowdsec),
        ("scenarios", kind == FeedKind::Crowdsec),
    ] {
        if let Some(item) = table.get(key).filter(|_| !right) {
            let message = format!("`{key}` means nothing to a feed of kind \"{kind}\"");
            reader.refuse(
                item.at,
                Wrong::new(message, "remove it, or write another `kind`"),
            );
        }
    }
}

/// Words of CrowdSec, as they may stand in a URL.
fn words(reader: &mut Reader<'_>, table: &Section<'_>, key: &'static str) -> Vec<String> {
    const MOST: usize = 32;
    let Some(item) = table.get(key) else {
        return Vec::new();
    };
    let entries = reader.list(item);
    refuse_beyond(
        reader,
        entries.iter().map(|entry| entry.at),
        MOST,
        key,
        "leave some out",
    );
    let mut words = Vec::new();
    for entry in entries {
        let Some(text) = reader.text(entry) else {
            continue;
        };
        let fits = (1..=64).contains(&text.len())
            && text
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_./:".contains(&byte));
        if fits {
            words.push(text.to_owned());
        } else {
            let message = format!("{} cannot be one of `{key}`", quoted(text));
            let fix = "write 1 to 64 letters, digits, \"-\", \"_\", \".\", \"/\" or \":\"";
            reader.refuse(entry.at, Wrong::new(message, fix));
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, SecretFrom};

    fn read(text: &str) -> Result<Vec<Feed>, String> {
        let config = Config::parse(text, "r.toml").map_err(|wrong| wrong.to_string())?;
        Ok(config.feeds)
    }

    #[test]
    fn a_feed_has_the_terms_of_its_kind() {
        assert_eq!(read("").unwrap(), []);
        let feeds = read(
            "[[feed]]\nname = \"drop\"\nkind = \"spamhaus-drop\"\n\
             [[feed]]\nname = \"cs\"\nkind = \"crowdsec\"\nkey_file = \"/etc/k\"\norigins = [\"cscli\"]\naction = \"ban\"\n\
             [[feed]]\nname = \"mine\"\nurl = \"https://lists.example.com/a.txt?key={key}\"\ninterval = \"10d\"\n",
        )
        .unwrap();
        let days = |days: u64| Duration::from_secs(days * 86_400);
        assert_eq!((feeds[0].interval, feeds[0].expiry), (days(1), days(7)));
        assert_eq!(feeds[0].action, FeedAction::Deny);
        assert_eq!(feeds[1].key, Some(SecretFrom::File("/etc/k".into())));
        assert_eq!(
            (feeds[1].action, &feeds[1].origins[..]),
            (FeedAction::Ban, &["cscli".to_owned()][..])
        );
        assert_eq!((feeds[2].interval, feeds[2].expiry), (days(10), days(20)));
    }

    #[test]
    fn mistakes_say_what_to_write() {
        for (text, expected) in [
            (
                "kind = \"spamhaus-drop\"\ninterval = \"1h\"",
                "`interval` is out of range: `1h`; write a time from \"1d\"",
            ),
            (
                "kind = \"apiban\"",
                "[[feed]] `x` has no `key`; add key_file = \"/etc/ringfence/apiban.key\"",
            ),
            ("kind = \"plain\"", "has no `url`"),
            ("kind = \"file\"", "has no `file`"),
            (
                "kind = \"firehol\"\nlevel = 5",
                "write a number from 1 to 4",
            ),
            (
                "kind = \"voipbl\"\nlevel = 2",
                "`level` means nothing to a feed of kind \"voipbl\"",
            ),
            ("kind = \"firehols\"", "did you mean \"firehol\"?"),
            ("url = \"ftp://a/b\"", "https://"),
            (
                "url = \"https://a.example/b\"\naction = \"drop\"",
                "\"deny\", \"ban\" or \"score\"",
            ),
            (
                "kind = \"voipbl\"\nexpiry = \"2h\"",
                "`expiry` is no longer than the interval",
            ),
            (
                "kind = \"voipbl\"\nmax = 0",
                "write a number from 1 to 5000000",
            ),
            (
                "kind = \"json\"\nurl = \"https://a.example/b\"\npath = \"ip\"",
                "$.data[*].ip",
            ),
            (
                "kind = \"crowdsec\"\nkey = \"k\"\nscenarios = [\"a&b\"]",
                "cannot be one of `scenarios`",
            ),
        ] {
            let error = read(&format!("[[feed]]\nname = \"x\"\n{text}\n")).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
        let two = "[[feed]]\nname = \"a\"\nkind = \"voipbl\"\n";
        assert!(
            read(&two.repeat(2))
                .unwrap_err()
                .contains("taken since line")
        );
        let dots = "[[feed]]\nname = \"..\"\nkind = \"voipbl\"\n";
        assert!(read(dots).unwrap_err().contains("begins with a dot"));
    }
}
