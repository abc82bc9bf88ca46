//! What the daemon answers to the command line.

use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use jiff::Timestamp;
use ringfence_core::control::EventCount;
use ringfence_core::country::Country;
use ringfence_core::reason::{Action, Reason};
use serde_json::json;
use tokio::sync::broadcast;
use tracing::info;

use super::state::Daemon;
use crate::config::{AddressRange, Mode};
use crate::control::{Answer, Change, List, Request};
use crate::country::CountryData;
use crate::engine::xdp::boot_time;
use crate::store::{Added, Ban, CountryRule, ListEntry, ListKind};
use crate::tables;

/// The answers so far, and the stream of those to come.
pub type Answers = (Vec<Answer>, Option<broadcast::Receiver<Answer>>);

impl Daemon {
    /// Answers everything but a stop, which the loop sees to.
    pub fn answer(&mut self, request: &Request) -> Answers {
        let answer = match request {
            Request::Events { follow } => {
                let past = self.events.iter().map(|record| {
                    Answer::done(
                        record.line(),
                        serde_json::to_value(record).unwrap_or_default(),
                    )
                });
                return (past.collect(), follow.then(|| self.followers.subscribe()));
            }
            Request::Status => self.status(),
            Request::Reload { yes } => {
                let before = std::mem::replace(&mut self.options.yes, *yes);
                let answer = self.reload();
                self.options.yes = before;
                answer
            }
            Request::Stop => Ok(Answer::done("the fence is taken down", json!({}))),
            Request::Confirm => self.confirm(),
            Request::List { list, change } => self.list(*list, change),
            Request::Ban { address, seconds } => self.ban(address, *seconds),
            Request::Unban { address } => self.unban(address),
            Request::Bans => self.show_bans(),
            Request::Country { code, allow } => self.country(code.as_deref(), *allow),
        };
        (
            vec![answer.unwrap_or_else(|error| Answer::failed(format!("{error:#}")))],
            None,
        )
    }

    /// Reads the configuration again; with a mistake in it the old policy stays.
    pub fn reload(&mut self) -> Result<Answer> {
        let config = self
            .options
            .load()
            .context("the old policy stays in force")?;
        self.apply(config, true)
            .context("the old policy stays in force")?;
        self.attach()?;
        info!("reloaded; generation {}", self.generation);
        let mode = self.config.mode.to_string();
        Ok(Answer::done(
            format!(
                "reloaded: {mode}, {} services, {} prefixes",
                self.config.services.len(),
                self.fence.listed()
            ),
            json!({ "generation": self.generation, "mode": mode }),
        ))
    }

    fn confirm(&mut self) -> Result<Answer> {
        if self.enforce_until.take().is_none() {
            return Ok(Answer::done(
                "no policy is on trial",
                json!({ "confirmed": false }),
            ));
        }
        self.apply(self.config.clone(), false)?;
        info!("the policy is confirmed");
        Ok(Answer::done(
            "confirmed: the policy is enforced until it is changed",
            json!({ "confirmed": true }),
        ))
    }

    fn list(&mut self, list: List, change: &Change) -> Result<Answer> {
        let (kind, name) = match list {
            List::Permit => (ListKind::Permit, "permit"),
            List::Deny => (ListKind::Deny, "deny"),
        };
        let parse = |text: &str| {
            text.parse::<AddressRange>()
                .map_err(|wrong| anyhow!("{wrong}"))
        };
        match change {
            Change::Show => {
                let entries = self.store.entries(kind)?;
                let lines = entries.iter().map(|entry| {
                    let end = entry
                        .expires
                        .map(|end| format!(" until {end}"))
                        .unwrap_or_default();
                    format!("{}{end} {}", shown(entry), entry.comment)
                        .trim_end()
                        .to_owned()
                });
                let text = lines.collect::<Vec<_>>().join("\n");
                let data: Vec<_> = entries.iter().map(entry_data).collect();
                Ok(Answer::done(text, json!(data)))
            }
            Change::Add {
                range,
                comment,
                seconds,
            } => {
                let range = parse(range)?;
                let now = Timestamp::now();
                let expires = seconds
                    .map(|s| now.checked_add(Duration::from_secs(s)))
                    .transpose()?;
                let (first, last) = (range.first(), range.last());
                let overlaps: Vec<_> = self
                    .store
                    .overlapping(first, last)?
                    .iter()
                    .filter(|entry| (entry.list, entry.first, entry.last) != (kind, first, last))
                    .map(|entry| format!("{} on the {} list", shown(entry), kind_name(entry.list)))
                    .collect();
                let entry = ListEntry {
                    list: kind,
                    first,
                    last,
                    comment: comment.clone(),
                    added: now,
                    expires,
                };
                let what = match self.store.add_entry(&entry)? {
                    Added::Added => "is now on",
                    Added::Already => "is already on",
                    Added::Extended => "stays longer on",
                };
                self.apply(self.config.clone(), false)?;
                let mut text = format!("{range} {what} the {name} list");
                for overlap in &overlaps {
                    text.push_str(&format!("\nit overlaps {overlap}; deny beats permit"));
                }
                Ok(Answer::done(
                    text,
                    json!({ "range": range.to_string(), "list": name, "overlaps": overlaps }),
                ))
            }
            Change::Remove { range } => {
                let range = parse(range)?;
                let removed = self.store.remove_entry(kind, range.first(), range.last())?;
                self.apply(self.config.clone(), false)?;
                let what = if removed { "is no longer" } else { "was not" };
                Ok(Answer::done(
                    format!("{range} {what} on the {name} list"),
                    json!({ "range": range.to_string(), "list": name, "removed": removed }),
                ))
            }
        }
    }

    fn ban(&mut self, address: &str, seconds: Option<u64>) -> Result<Answer> {
        let address = subject(address)?;
        let prefix_len = if address.is_ipv4() { 32 } else { 64 };
        let now = Timestamp::now();
        let time = seconds.map_or(self.config.ban.time, Duration::from_secs);
        let times = 1 + u32::try_from(self.store.ban_history_of(address, prefix_len)?.len())?;
        let ban = Ban {
            address,
            prefix_len,
            reason: "manual".into(),
            since: now,
            until: now.checked_add(time)?,
            times,
            evidence: None,
            note: String::new(),
        };
        self.store.put_ban(&ban)?;
        self.ban_in_kernel(&ban, now)?;
        let text = format!("{address} is banned until {}", ban.until.strftime("%FT%TZ"));
        self.bans.insert(address, ban);
        Ok(Answer::done(text, json!({ "address": address })))
    }

    fn unban(&mut self, address: &str) -> Result<Answer> {
        let address = subject(address)?;
        let prefix_len = if address.is_ipv4() { 32 } else { 64 };
        let stored = self.store.lift_ban(address, prefix_len, Timestamp::now())?;
        let held = self.fence.unban(tables::address(address).subject())?;
        self.bans.remove(&address);
        let lifted = stored || held;
        let what = if lifted {
            "is no longer banned"
        } else {
            "was not banned"
        };
        Ok(Answer::done(
            format!("{address} {what}"),
            json!({ "address": address, "lifted": lifted }),
        ))
    }

    fn show_bans(&mut self) -> Result<Answer> {
        self.scan_bans()?;
        let line = |ban: &Ban| {
            format!(
                "{} {} until {}",
                ban.address,
                ban.reason,
                ban.until.strftime("%FT%TZ")
            )
        };
        let text = self.bans.values().map(line).collect::<Vec<_>>().join("\n");
        let data = self.bans.values().map(|ban| {
            json!({
                "address": ban.address, "prefix_len": ban.prefix_len, "reason": ban.reason, "since": ban.since,
                "until": ban.until, "times": ban.times,
                "evidence": ban.evidence.as_deref().map(String::from_utf8_lossy),
            })
        });
        let data: Vec<_> = data.collect();
        Ok(Answer::done(text, json!(data)))
    }

    fn country(&mut self, code: Option<&str>, allow: Option<bool>) -> Result<Answer> {
        let Some(code) = code else {
            let said = self.store.countries()?;
            let word = |rule| {
                if rule == CountryRule::Allow {
                    "allow"
                } else {
                    "deny"
                }
            };
            let text = said
                .iter()
                .map(|c| format!("{} {}", c.code, word(c.rule)))
                .collect::<Vec<_>>()
                .join("\n");
            let data: Vec<_> = said
                .iter()
                .map(|c| json!({ "code": c.code, "rule": word(c.rule) }))
                .collect();
            return Ok(Answer::done(text, json!(data)));
        };
        let code = code.to_ascii_uppercase();
        let country = Country::from_code(&code).with_context(|| {
            format!("`{code}` is no country; write two letters of ISO 3166-1, or ZZ for unknown")
        })?;
        let rule = allow.map(|allow| {
            if allow {
                CountryRule::Allow
            } else {
                CountryRule::Deny
            }
        });
        let changed = self.store.set_country(&code, rule)?;
        self.apply(self.config.clone(), false)?;
        let what = match allow {
            Some(true) => "is admitted where countries are asked for",
            Some(false) => "is not admitted where countries are asked for",
            None => "is as the configuration says",
        };
        let name = crate::country::country_name(country);
        Ok(Answer::done(
            format!("{name} ({code}) {what}"),
            json!({ "code": code, "changed": changed }),
        ))
    }

    fn status(&mut self) -> Result<Answer> {
        let counts = self.fence.counts()?;
        let (mut passed, mut dropped, mut reasons) = (0, 0, serde_json::Map::new());
        let mut text = String::new();
        let mut lines = Vec::new();
        for reason in Reason::ALL {
            let packets: u64 = counts.iter().map(|service| service[*reason as usize]).sum();
            match reason.action() {
                Action::Pass => passed += packets,
                Action::Drop => dropped += packets,
            }
            if packets != 0 {
                let action = if reason.action() == Action::Drop {
                    "drop"
                } else {
                    "pass"
                };
                lines.push(format!(
                    "  {packets:>10}  {action} {} ({})",
                    reason.name(),
                    reason.detail()
                ));
                let entry = reasons
                    .entry(reason.name())
                    .or_insert_with(|| json!({ "pass": 0, "drop": 0 }));
                entry[action] = json!(entry[action].as_u64().unwrap_or(0) + packets);
            }
        }
        let left = match self.enforce_until {
            Some(end) => Some(end.saturating_sub(boot_time()?) / 1_000_000_000),
            None => None,
        };
        let mode = self.config.mode.to_string();
        text.push_str(&format!("mode {mode}"));
        if let Some(left) = left {
            text.push_str(&format!(
                ", on trial for another {left} s; keep it with `ringfence confirm`"
            ));
        }
        text.push_str(&format!(", up {} s\n", self.started.elapsed().as_secs()));
        for (name, index, how) in &self.guarded {
            let state = if index.is_some() {
                "guarded"
            } else {
                "NOT guarded"
            };
            text.push_str(&format!("{name} {state}: {how}\n"));
        }
        let verb = if self.config.mode == Mode::Enforce {
            "dropped"
        } else {
            "would have dropped"
        };
        let (trunks, trunk_data) = self.trunks.status();
        for line in trunks {
            text.push_str(&format!("{line}\n"));
        }
        text.push_str(&format!(
            "packets: {passed} passed, {dropped} {verb}\n{}",
            lines.join("\n")
        ));
        let mut top: Vec<_> = self.sources.iter().collect();
        top.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        top.truncate(10);
        for (source, count) in &top {
            text.push_str(&format!("\n  {count:>10}  events from {source}"));
        }
        let mut countries: Vec<_> = (0..=255)
            .map(Country::from_number)
            .zip(self.fence.countries()?)
            .collect();
        countries.retain(|(_, counts)| *counts != [0, 0]);
        countries.sort_by_key(|(_, counts)| std::cmp::Reverse(counts[0] + counts[1]));
        let countries: Vec<_> = countries
            .iter()
            .map(|(country, [passed, dropped])| json!({ "code": country.code(), "passed": passed, "dropped": dropped }))
            .collect();
        let events = self.fence.event_counts()?;
        let event = |what: EventCount| events[what as usize];
        text.push_str(&format!(
            "\nevents: {} reported, {} sampled, {} limited, {} lost\n{} prefixes listed, {} bans",
            event(EventCount::Reported),
            event(EventCount::Sampled),
            event(EventCount::Limited),
            event(EventCount::Lost),
            self.fence.listed(),
            self.bans.len(),
        ));
        let age = self
            .country_date
            .map(|date| jiff::Zoned::now().date().duration_since(date).as_hours() / 24);
        if let Some(days) = age.filter(|days| *days > CountryData::OLD) {
            text.push_str(&format!(
                "\nthe country data is {days} days old; name newer data with `country_db`"
            ));
        }
        let interfaces: Vec<_> = self
            .guarded
            .iter()
            .map(|(name, index, how)| json!({ "name": name, "index": index, "attached": index.is_some(), "mode": how }))
            .collect();
        Ok(Answer::done(
            text,
            json!({
                "mode": mode, "trial_seconds_left": left, "uptime_seconds": self.started.elapsed().as_secs(),
                "generation": self.generation, "interfaces": interfaces, "trunks": trunk_data,
                "packets": { "passed": passed, "dropped": dropped, "reasons": reasons },
                "sources": top.iter().map(|(ip, n)| json!({ "address": ip, "events": n })).collect::<Vec<_>>(),
                "countries": countries,
                "tables": { "listed": self.fence.listed(), "bans": self.bans.len() },
                "events": {
                    "reported": event(EventCount::Reported), "sampled": event(EventCount::Sampled),
                    "limited": event(EventCount::Limited), "lost": event(EventCount::Lost),
                    "bans_lost": event(EventCount::BansLost),
                },
                "country_data": { "source": self.country_source, "age_days": age },
            }),
        ))
    }
}

/// What a ban of this address is kept under: IPv6 addresses stand for their /64.
fn subject(text: &str) -> Result<IpAddr> {
    let address: IpAddr = text
        .parse()
        .map_err(|_| anyhow!("`{text}` is not an IP address; bans fall on single addresses"))?;
    Ok(super::event::ip(
        tables::address(address.to_canonical()).subject(),
    ))
}

fn shown(entry: &ListEntry) -> String {
    AddressRange::new(entry.first, entry.last).map_or_else(
        |_| format!("{}-{}", entry.first, entry.last),
        |range| range.to_string(),
    )
}

fn kind_name(kind: ListKind) -> &'static str {
    match kind {
        ListKind::Permit => "permit",
        ListKind::Deny => "deny",
    }
}

fn entry_data(entry: &ListEntry) -> serde_json::Value {
    json!({
        "range": shown(entry), "comment": entry.comment, "added": entry.added, "expires": entry.expires,
    })
}
