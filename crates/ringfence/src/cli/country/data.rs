//! `ringfence country data`.

use std::io::{self, Write};
use std::process::ExitCode;

use jiff::Timestamp;
use serde_json::json;

use crate::cli::{Format, Global, offline, terminal};
use crate::country::{self, Index, Kept, Shelf};

/// Shows the data in force, the one before, and how the last update went.
pub fn run(global: &Global) -> anyhow::Result<ExitCode> {
    let config = offline::config(global)?;
    let data = offline::country_data(global, &config)?;
    let fetched = config.country.is_fetched() && global.country_db.is_none();
    let index = match fetched {
        true => Shelf::of(offline::state(global, &config)).index(),
        false => Index::default(),
    };
    let age = data.age(jiff::Zoned::now().date());
    let old = age.is_some_and(|days| days > country::CountryData::OLD);
    let mut out = io::stdout().lock();
    if global.format == Format::Json {
        let answer = json!({
            "origin": config.country.source.to_string(), "source": data.source, "licence": data.licence,
            "date": data.date, "age_days": age, "old": old,
            "networks": { "ipv4": data.ranges_v4.len(), "ipv6": data.ranges_v6.len() },
            "sha256": index.current.as_ref().map(|kept| &kept.sha256),
            "before": index.before.as_ref().map(|kept| json!({ "source": kept.source, "date": kept.date })),
            "checked": index.checked, "failures": index.failures, "failure": index.failure,
        });
        writeln!(out, "{}", terminal::json(&answer.to_string()))?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut line = |what: &str, text: &str| writeln!(out, "{what:9} {}", terminal::line(text));
    line("source", &data.source)?;
    if let Some(licence) = &data.licence {
        line("licence", licence)?;
    }
    if let Some((date, days)) = data.date.zip(age) {
        let old = if old { ", which is old" } else { "" };
        line("date", &format!("{date}, {days} days old{old}"))?;
    }
    let networks = format!(
        "{} of IPv4, {} of IPv6",
        data.ranges_v4.len(),
        data.ranges_v6.len()
    );
    line("networks", &networks)?;
    if let Some(kept) = &index.current {
        line("taken", &moment(kept.kept))?;
    }
    if let Some(before) = before(&index) {
        line("before", &before)?;
    }
    if fetched {
        let checked = index.checked.map_or_else(|| "never".to_owned(), moment);
        line("asked", &checked)?;
    }
    if let Some(failure) = &index.failure {
        line("failure", failure)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn before(index: &Index) -> Option<String> {
    index.current.as_ref()?;
    Some(match &index.before {
        Some(Kept {
            source,
            date: Some(date),
            ..
        }) => format!("{source} of {date}"),
        Some(kept) => kept.source.clone(),
        None => "the data inside the binary".to_owned(),
    })
}

fn moment(time: Timestamp) -> String {
    time.strftime("%FT%TZ").to_string()
}
