//! Reads who is believed and who is shut out: `[trust]`, `[ban]`, `tripwires` and `emergency`.

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use ringfence_core::policy::{EMERGENCY, TRIPWIRE_RANGES, TRIPWIRES};
use toml::de::DeValue;

use super::keys::{BAN, TRUST};
use super::period::Period;
use super::rate::Threshold;
use super::reader::{Item, Reader, Section};
use super::types::{Ban, Config, MAX_BAN_TIMES, Trust};
use super::user::{Tripwire, User};
use super::wrong::Wrong;

const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_secs(86_400);
const YEAR: Duration = Duration::from_secs(365 * 86_400);

/// Reads them into `config`.
pub(super) fn trust_and_bans(reader: &mut Reader<'_>, top: &Section<'_>, config: &mut Config) {
    if let Some(item) = top.get("emergency") {
        config.emergency = emergency(reader, item);
    } else if top.misspelt("emergency") {
        // What was meant is not known, so nothing is held against the tripwires.
        config.emergency.clear();
    }
    if let Some(item) = top.get("tripwires") {
        config.tripwires = tripwires(reader, item, &config.emergency);
    }
    if let Some(table) = top.get("trust").and_then(|i| reader.table(&TRUST, i)) {
        config.trust = trust(reader, table);
    }
    if let Some(table) = top.get("ban").and_then(|i| reader.table(&BAN, i)) {
        config.ban = ban(reader, table);
    }
}

fn emergency(reader: &mut Reader<'_>, item: Item<'_>) -> Vec<User> {
    let entries = distinct(reader, item);
    refuse_beyond(
        reader,
        entries.iter().map(|(_, at)| *at),
        EMERGENCY,
        "emergency numbers",
        "leave out those that nobody here dials",
    );
    entries.into_iter().map(|(user, _)| user).collect()
}

fn tripwires(reader: &mut Reader<'_>, item: Item<'_>, emergency: &[User]) -> Vec<Tripwire> {
    let entries: Vec<(Tripwire, usize)> = distinct(reader, item);
    for (tripwire, at) in &entries {
        if let Some(user) = emergency.iter().find(|user| tripwire.catches(user)) {
            let message = format!("`tripwires`: `{tripwire}` holds the emergency number `{user}`");
            let fix = format!("leave `{user}` out here, or out of `emergency`");
            reader.refuse(*at, Wrong::new(message, fix));
        }
    }
    let (names, ranges): (Vec<_>, Vec<_>) = entries
        .iter()
        .partition(|(tripwire, _)| matches!(tripwire, Tripwire::Name(_)));
    refuse_beyond(
        reader,
        names.iter().map(|(_, at)| *at),
        TRIPWIRES,
        "names of tripwires",
        "write numbers that follow each other as a range, such as \"9000-9099\"",
    );
    refuse_beyond(
        reader,
        ranges.iter().map(|(_, at)| *at),
        TRIPWIRE_RANGES,
        "ranges of tripwires",
        "join those that lie side by side",
    );
    entries.into_iter().map(|(tripwire, _)| tripwire).collect()
}

/// The entries of a list with their places, none twice.
fn distinct<T: FromStr<Err = Wrong> + PartialEq>(
    reader: &mut Reader<'_>,
    item: Item<'_>,
) -> Vec<(T, usize)> {
    let mut entries: Vec<(T, usize)> = Vec::new();
    for (entry, at) in reader.parsed_list(item) {
        if entries.iter().all(|(earlier, _)| *earlier != entry) {
            entries.push((entry, at));
        }
    }
    entries
}

/// Refuses the first of the entries at `places` that is one too many.
fn refuse_beyond(
    reader: &mut Reader<'_>,
    mut places: impl ExactSizeIterator<Item = usize>,
    most: usize,
    what: &str,
    fix: &str,
) {
    let message = format!("{} {what} are more than {most}", places.len());
    if let Some(beyond) = places.nth(most) {
        reader.refuse(beyond, Wrong::new(message, fix));
    }
}

fn trust(reader: &mut Reader<'_>, table: Section<'_>) -> Trust {
    let mut trust = Trust::default();
    if let Some(failures) = table.get("failures").and_then(|i| threshold(reader, i)) {
        trust.failures = failures;
    }
    if let Some(users) = table.get("users").and_then(|i| threshold(reader, i)) {
        trust.users = users;
    }
    if let Some(requests) = table.get("requests").and_then(|i| reader.parsed(i)) {
        trust.requests = requests;
    }
    if let Some(time) = table
        .get("solicited")
        .and_then(|i| period(reader, i, SECOND..=DAY))
    {
        trust.solicited = time;
    }
    trust
}

/// A threshold of at most a thousand.
fn threshold(reader: &mut Reader<'_>, item: Item<'_>) -> Option<Threshold> {
    const MOST: u32 = 1000;
    let threshold: Threshold = reader.parsed(item)?;
    if threshold.count <= MOST {
        return Some(threshold);
    }
    refuse_range(reader, item, threshold, format!("a count from 1 to {MOST}"));
    None
}

fn ban(reader: &mut Reader<'_>, table: Section<'_>) -> Ban {
    let mut ban = Ban::default();
    if let Some(enable) = table.get("enable").and_then(|i| reader.flag(i)) {
        ban.enable = enable;
    }
    if let Some(after) = table.get("after").and_then(|i| reader.parsed(i)) {
        ban.after = after;
    }
    if let Some(item) = table.get("times") {
        ban.times = times(reader, item);
    }
    if let Some(time) = table
        .get("remember")
        .and_then(|i| period(reader, i, DAY..=YEAR))
    {
        ban.remember = time;
    }
    if let Some((item, subnet)) = table
        .get("subnet")
        .and_then(|i| Some((i, reader.number(i, 0..=256)?)))
    {
        if subnet == 1 {
            let fix = "0, which bans no net, or a number from 2 to 256";
            refuse_range(reader, item, subnet, fix);
        }
        ban.subnet = subnet;
    }
    ban
}

/// The times of bans: at least one, none shorter than the one before it.
fn times(reader: &mut Reader<'_>, item: Item<'_>) -> Vec<Duration> {
    let entries = reader.list(item);
    if entries.is_empty() && matches!(item.value, DeValue::Array(_)) {
        let message = "`times` of [ban] is empty";
        let fix = "write at least one: times = [\"10m\"]";
        reader.refuse(item.at, Wrong::new(message, fix));
    }
    refuse_beyond(
        reader,
        entries.iter().map(|entry| entry.at),
        MAX_BAN_TIMES,
        "times of bans",
        "leave some out; the last holds for every ban after it",
    );
    let mut times: Vec<Duration> = Vec::new();
    for entry in entries {
        let Some(time) = period(reader, entry, SECOND..=YEAR) else {
            continue;
        };
        if let Some(before) = times.last().filter(|before| **before > time) {
            let message = format!(
                "`times`: `{}` is shorter than the `{}` before it",
                Period::from(time),
                Period::from(*before)
            );
            let fix = "write the shortest time first and the longest last";
            reader.refuse(entry.at, Wrong::new(message, fix));
        }
        times.push(time);
    }
    times
}

/// A length of time within `range`.
pub(super) fn period(
    reader: &mut Reader<'_>,
    item: Item<'_>,
    range: RangeInclusive<Duration>,
) -> Option<Duration> {
    let time = reader.parsed::<Period>(item)?.get();
    if range.contains(&time) {
        return Some(time);
    }
    let days = |time: Duration| match time.as_secs() / DAY.as_secs() {
        0 => Period::from(time).to_string(),
        days => format!("{days}d"),
    };
    let (from, to) = (days(*range.start()), days(*range.end()));
    let fix = format!("a time from \"{from}\" to \"{to}\"");
    refuse_range(reader, item, Period::from(time), fix);
    None
}

/// Notes a value that is out of its range; `instead` says which values are in it.
fn refuse_range(
    reader: &mut Reader<'_>,
    item: Item<'_>,
    value: impl fmt::Display,
    instead: impl fmt::Display,
) {
    let message = format!("`{}` is out of range: `{value}`", item.name);
    reader.refuse(item.at, Wrong::new(message, format!("write {instead}")));
}
