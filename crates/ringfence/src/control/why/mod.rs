//! Why an address or account is or was blocked, and which command lets it in.

mod account;
mod address;
mod lists;

use std::net::IpAddr;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::Answer;
use super::listing::moment;
use crate::config::Config;
use crate::store::{Dropped, Name, Refusal, Store, StoreError};

/// Lines of one kind that people are shown; programs are given all.
const SHOWN: usize = 5;

/// Answers for an address, or for the account of that name.
///
/// # Errors
/// When the store cannot be read.
pub fn why(
    store: &Store,
    config: &Config,
    what: &str,
    now: Timestamp,
) -> Result<Answer, StoreError> {
    match what.parse::<IpAddr>() {
        Ok(address) => address::why(store, config, address.to_canonical(), now),
        Err(_) => account::why(store, &Name::new(what), now),
    }
}

/// A line and what stands below it.
fn text(line: String, details: &[String]) -> String {
    let details = details.iter().map(|detail| format!("\n  {detail}"));
    line + &details.collect::<String>()
}

fn dropped_line(row: &Dropped) -> String {
    let verb = if row.enforced > 0 {
        "was dropped"
    } else {
        "would have been dropped"
    };
    let service = if row.service.is_empty() {
        String::new()
    } else {
        format!(" at {}", row.service)
    };
    let mut line = format!(
        "{verb} as {}{service}: {} told of, first {}, last {}",
        row.reason,
        row.count,
        moment(row.first),
        moment(row.last)
    );
    if !row.evidence.is_empty() {
        line.push_str(&format!(", `{}`", super::listing::excerpt(&row.evidence)));
    }
    line
}

fn dropped_data(row: &Dropped) -> Value {
    json!({
        "service": row.service, "reason": row.reason, "country": row.country, "class": row.class,
        "proto": row.protocol, "port": row.port, "first": row.first, "last": row.last, "told": row.count,
        "enforced": row.enforced, "evidence": String::from_utf8_lossy(&row.evidence),
        "registered": row.registered, "account": row.account.as_ref().map(Name::text),
    })
}

/// What a refusal says of whoever was refused.
fn meaning(refusal: &Refusal) -> &'static str {
    if refusal.nobody {
        "there is no such account"
    } else {
        "its credentials are wrong"
    }
}

/// A refusal in one line for people.
pub fn refusal_line(row: &Refusal) -> String {
    format!(
        "{} port {} refused as {} by the server ({}, {}), {} times, last {}: {}",
        row.address,
        row.port,
        row.name,
        row.status,
        row.class,
        row.count,
        moment(row.last),
        meaning(row)
    )
}

/// A refusal for programs.
pub fn refusal_data(row: &Refusal) -> Value {
    json!({
        "address": row.address, "port": row.port, "account": row.name.text(), "status": row.status,
        "class": row.class, "count": row.count, "first": row.first, "last": row.last,
        "nobody": row.nobody,
    })
}

#[cfg(test)]
mod tests;
