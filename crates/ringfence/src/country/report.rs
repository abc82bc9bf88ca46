//! What an update changes, for people and programs.

use std::fmt::Write as _;

use jiff::civil::Date;
use serde_json::{Value, json};

use super::country_name;
use super::policy::{Affected, Count, Effect, Who};

/// Lines of each kind that people are shown; programs are given all.
const SHOWN: usize = 20;

/// How long a phone is permitted that newer data would put outside.
pub const GRACE_DAYS: i64 = 30;

/// What newer data changes.
#[derive(Clone, Debug)]
pub struct Report {
    /// The newer data.
    pub source: String,
    /// The day it was made.
    pub date: Option<Date>,
    /// The data before.
    pub source_before: String,
    /// The day that one was made.
    pub date_before: Option<Date>,
    /// Networks of IPv4 and IPv6.
    pub networks: [usize; 2],
    /// The same before.
    pub networks_before: [usize; 2],
    /// Who gains and loses, by country.
    pub effect: Effect,
    /// Whom it matters to.
    pub affected: Vec<Affected>,
    /// Whether any service admits by country.
    pub by_country: bool,
    /// What speaks against the data.
    pub doubts: Vec<String>,
    /// Codes that are no countries.
    pub unknown_codes: Vec<String>,
}

impl Report {
    /// For people. `dry_run` says that nothing was done.
    pub fn text(&self, dry_run: bool) -> String {
        let mut text = format!(
            "{}: {}; before: {}\n",
            if dry_run {
                "it would be"
            } else {
                "country data"
            },
            of(&self.source, self.date),
            of(&self.source_before, self.date_before)
        );
        let [v4, v6] = self.networks;
        let [was_v4, was_v6] = self.networks_before;
        let moved = told(&self.effect.moved);
        put(
            &mut text,
            &format!("networks: {v4} of IPv4 (before: {was_v4}), {v6} of IPv6 (before: {was_v6})"),
        );
        put(&mut text, &format!("another country now: {moved}"));
        if !self.by_country {
            put(
                &mut text,
                "no service admits by country: nobody gains or loses access",
            );
        } else {
            let total = self.effect.total();
            let line = format!(
                "gain access: {}; lose it: {}",
                told(&total.gain),
                told(&total.lose)
            );
            put(&mut text, &line);
        }
        let mut countries: Vec<_> = self.effect.access.iter().collect();
        countries.sort_by_key(|(_, access)| {
            std::cmp::Reverse((
                access.gain.ipv4.saturating_add(access.lose.ipv4),
                access.lose.ipv6_64s,
            ))
        });
        for (country, access) in countries.iter().take(SHOWN) {
            let line = format!(
                "  {} {}: gains {}, loses {}",
                country.code(),
                country_name(**country),
                told(&access.gain),
                told(&access.lose)
            );
            put(&mut text, &line);
        }
        rest(&mut text, countries.len());
        for one in self.affected.iter().take(SHOWN) {
            put(&mut text, &format!("  {}", affected_line(one)));
        }
        rest(&mut text, self.affected.len());
        if !self.unknown_codes.is_empty() {
            let codes: Vec<_> = self
                .unknown_codes
                .iter()
                .take(SHOWN)
                .map(|code| code.escape_debug().to_string())
                .collect();
            put(
                &mut text,
                &format!(
                    "codes of no country, whose addresses are ZZ: {}",
                    codes.join(", ")
                ),
            );
        }
        for doubt in &self.doubts {
            put(&mut text, &format!("doubt: {doubt}"));
        }
        text.truncate(text.trim_end().len());
        text
    }

    /// For programs.
    pub fn data(&self) -> Value {
        let [v4, v6] = self.networks;
        let [was_v4, was_v6] = self.networks_before;
        let countries = self.effect.access.iter().map(|(country, access)| {
            json!({ "country": country.code(), "gain": access.gain, "lose": access.lose })
        });
        let total = self.effect.total();
        json!({
            "source": self.source, "date": self.date,
            "before": { "source": self.source_before, "date": self.date_before,
                "networks": { "ipv4": was_v4, "ipv6": was_v6 } },
            "networks": { "ipv4": v4, "ipv6": v6 },
            "moved": self.effect.moved, "gain": total.gain, "lose": total.lose,
            "countries": countries.collect::<Vec<_>>(),
            "affected": self.affected.iter().map(affected_data).collect::<Vec<_>>(),
            "unknown_codes": self.unknown_codes, "doubts": self.doubts,
        })
    }

    /// Whether nobody has to be told: nothing but addresses of strangers moved.
    pub fn is_quiet(&self) -> bool {
        self.affected.is_empty() && self.doubts.is_empty()
    }
}

fn put(text: &mut String, line: &str) {
    let _ = writeln!(text, "{line}");
}

fn rest(text: &mut String, count: usize) {
    if count > SHOWN {
        put(
            text,
            &format!("  and {} more; --format json shows all", count - SHOWN),
        );
    }
}

fn of(source: &str, date: Option<Date>) -> String {
    match date {
        Some(date) => format!("{source} of {date}"),
        None => source.to_owned(),
    }
}

fn told(count: &Count) -> String {
    format!(
        "{} addresses of IPv4, {} /64s of IPv6",
        count.ipv4, count.ipv6_64s
    )
}

/// Who somebody is, in few words.
pub fn who(who: &Who) -> String {
    let named = |what: &str, name: &str| match name.is_empty() {
        true => what.to_owned(),
        false => format!("{what} {}", name.escape_debug()),
    };
    match who {
        Who::Registered(account) => named("phone", account),
        Who::Known => "a phone that was registered a short while ago".into(),
        Who::Solicited => "a peer that this host asked".into(),
        Who::Permitted(comment) => named("permit entry", comment),
        Who::Trunk(name) => named("trunk", name),
    }
}

/// Somebody whom the change matters to, and what becomes of it.
pub fn affected_line(one: &Affected) -> String {
    let until = one
        .subject
        .until
        .map(|until| until.strftime("%FT%TZ").to_string());
    let until = until.unwrap_or_default();
    let fate = match (&one.subject.who, one.loses) {
        (Who::Permitted(_), _) => "it passes whatever its country".to_owned(),
        (Who::Trunk(_), _) => "a trunk passes whatever its country".to_owned(),
        (_, false) => "it is admitted by its country now".to_owned(),
        (Who::Registered(_) | Who::Known, true) => {
            format!("it is trusted until {until}, and permitted for {GRACE_DAYS} days")
        }
        (Who::Solicited, true) => format!("it is open until {until}, and again once it answers"),
    };
    format!(
        "{} at {}: {} -> {}; {fate}",
        who(&one.subject.who),
        one.address,
        one.before.code(),
        one.after.code()
    )
}

fn affected_data(one: &Affected) -> Value {
    let (kind, name) = match &one.subject.who {
        Who::Registered(account) => ("registered", account.as_str()),
        Who::Known => ("known", ""),
        Who::Solicited => ("solicited", ""),
        Who::Permitted(comment) => ("permit", comment.as_str()),
        Who::Trunk(name) => ("trunk", name.as_str()),
    };
    let (first, last) = one.subject.range;
    json!({
        "kind": kind, "name": name, "first": first, "last": last, "service": one.subject.service,
        "address": one.address, "before": one.before.code(), "after": one.after.code(),
        "loses": one.loses, "until": one.subject.until,
    })
}
