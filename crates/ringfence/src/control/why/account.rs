//! Where an account was last, and what became of it there.

use std::collections::BTreeSet;
use std::net::IpAddr;

use jiff::Timestamp;
use serde_json::json;

use super::{SHOWN, dropped_line, refusal_data, refusal_line, text};
use crate::control::Answer;
use crate::control::listing::{ban_line, moment};
use crate::store::{Name, Store, StoreError};
use crate::tables;

pub fn why(store: &Store, name: &Name, now: Timestamp) -> Result<Answer, StoreError> {
    let trust = store.trust()?;
    let last = trust.accounts.iter().find(|account| account.name == *name);
    let mut registrations: Vec<_> = trust
        .registrations
        .iter()
        .filter(|row| row.name == *name && row.until > now)
        .collect();
    registrations.sort_by_key(|row| std::cmp::Reverse(row.until));
    let mut seen = BTreeSet::new();
    // One is found by its account and by its flow.
    registrations.retain(|row| seen.insert((row.address, row.port)));
    let refused = store.refusals_for(name)?;

    let mut line = match (registrations.first(), last) {
        (Some(row), _) => format!(
            "{name} is registered from {} until {}",
            row.address,
            moment(row.until)
        ),
        (None, Some(last)) => format!(
            "{name} is not registered; it last was from {}, {}",
            last.address,
            moment(last.last)
        ),
        (None, None) => format!("{name} has not registered within 30 days"),
    };
    if let Some(row) = refused.first() {
        line.push_str(&format!(
            "; refused from {} {} times, last {}: {}",
            row.address,
            row.count,
            moment(row.last),
            super::meaning(row)
        ));
    } else if registrations.is_empty() {
        line.push_str("; nothing was refused to it that got through to the server");
    }

    let mut places: Vec<IpAddr> = registrations.iter().map(|row| row.address).collect();
    places.extend(last.map(|last| last.address));
    places.extend(refused.iter().take(SHOWN).map(|row| row.address));
    let mut details: Vec<String> = registrations
        .iter()
        .take(SHOWN)
        .map(|row| {
            format!(
                "{} port {} registered since {}, until {}",
                row.address,
                row.port,
                moment(row.since),
                moment(row.until)
            )
        })
        .collect();
    details.extend(refused.iter().take(SHOWN).map(refusal_line));
    let (became, commands) = became(store, &places, now)?;
    details.extend(became);
    let data = json!({
        "account": name.text(),
        "last": last.map(|last| json!({ "address": last.address, "time": last.last })),
        "registrations": registrations.iter().map(|row| json!({
            "address": row.address, "port": row.port, "since": row.since, "until": row.until,
            "granted": row.granted,
        })).collect::<Vec<_>>(),
        "refused": refused.iter().map(refusal_data).collect::<Vec<_>>(),
        "commands": commands,
    });
    Ok(Answer::done(text(line, &details), data))
}

/// What became of the places where it was: bans, with what lifts them, and the last drop of each.
fn became(
    store: &Store,
    places: &[IpAddr],
    now: Timestamp,
) -> Result<(Vec<String>, Vec<String>), StoreError> {
    let sources: BTreeSet<_> = places.iter().map(|ip| tables::subject(*ip)).collect();
    let (mut lines, mut commands) = (Vec::new(), Vec::new());
    for ban in store.bans()? {
        if ban.until > now && sources.contains(&ban.address) {
            let command = format!("ringfence unban {}", ban.address);
            lines.push(format!("banned: {}; `{command}` lifts it", ban_line(&ban)));
            commands.push(command);
        }
    }
    for source in sources {
        if let Some(row) = store.drops_of(source)?.first() {
            lines.push(format!("{source} {}", dropped_line(row)));
        }
    }
    Ok((lines, commands))
}
