//! Bans, lists and countries as the daemon shows them, or without one the command line.

use jiff::Timestamp;
use serde_json::json;

use super::Answer;
use crate::config::AddressRange;
use crate::store::{Ban, CountryOverride, CountryRule, ListEntry};

/// The entries of a list.
pub fn entries(entries: &[ListEntry]) -> Answer {
    let line = |entry: &ListEntry| {
        let end = entry.expires.map(|end| format!(" until {}", moment(end)));
        let text = format!(
            "{}{} {}",
            range(entry),
            end.unwrap_or_default(),
            entry.comment
        );
        text.trim_end().to_owned()
    };
    let data = entries.iter().map(|entry| {
        json!({
            "range": range(entry), "comment": entry.comment, "added": entry.added, "expires": entry.expires,
        })
    });
    Answer::done(lines(entries.iter().map(line)), data.collect())
}

/// Bans.
pub fn bans<'a>(bans: impl Iterator<Item = &'a Ban> + Clone) -> Answer {
    let line = |ban: &Ban| format!("{} {} until {}", ban.address, ban.reason, moment(ban.until));
    let data = bans.clone().map(|ban| {
        json!({
            "address": ban.address, "prefix_len": ban.prefix_len, "reason": ban.reason, "since": ban.since,
            "until": ban.until, "times": ban.times,
            "evidence": ban.evidence.as_deref().map(String::from_utf8_lossy),
        })
    });
    Answer::done(lines(bans.clone().map(line)), data.collect())
}

/// What was said of countries.
pub fn countries(said: &[CountryOverride]) -> Answer {
    let word = |rule| match rule {
        CountryRule::Allow => "allow",
        CountryRule::Deny => "deny",
    };
    let line = |said: &CountryOverride| format!("{} {}", said.code, word(said.rule));
    let data = said.iter();
    let data = data.map(|said| json!({ "code": said.code, "rule": word(said.rule) }));
    Answer::done(lines(said.iter().map(line)), data.collect())
}

/// The range of an entry as it is written.
pub fn range(entry: &ListEntry) -> String {
    AddressRange::new(entry.first, entry.last).map_or_else(
        |_| format!("{}-{}", entry.first, entry.last),
        |range| range.to_string(),
    )
}

fn moment(time: Timestamp) -> String {
    time.strftime("%FT%TZ").to_string()
}

fn lines(lines: impl Iterator<Item = String>) -> String {
    lines.collect::<Vec<_>>().join("\n")
}
