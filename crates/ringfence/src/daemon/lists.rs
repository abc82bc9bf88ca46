//! The operator's lists and countries.

use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use jiff::Timestamp;
use ringfence_core::country::Country;
use serde_json::json;

use super::state::Daemon;
use crate::config::{AddressRange, Host, listed};
use crate::control::{Answer, Change, List, listing};
use crate::store::{Added, CountryRule, ListEntry, ListKind};

impl Daemon {
    pub(super) fn list(&mut self, list: List, change: &Change) -> Result<Answer> {
        let kind = ListKind::from(list);
        let name = kind_name(kind);
        let parse = |text: &str| {
            text.parse::<AddressRange>()
                .map_err(|wrong| anyhow!("{wrong}"))
        };
        match change {
            Change::Show => Ok(listing::entries(
                &self.store.entries(kind)?,
                &self.shown_names(kind)?,
            )),
            Change::Add {
                range,
                comment,
                seconds,
            } => {
                let range = match listed(range).map_err(|wrong| anyhow!("{wrong}"))? {
                    Host::Range(range) => range,
                    Host::Name(host) => return self.add_name(kind, host, comment, *seconds),
                };
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
                    .map(|entry| {
                        format!(
                            "{} on the {} list",
                            listing::range(entry),
                            kind_name(entry.list)
                        )
                    })
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
                self.feeds.again();
                let mut text = format!("{range} {what} the {name} list");
                for overlap in &overlaps {
                    text.push_str(&format!("\nit overlaps {overlap}; deny beats permit"));
                }
                Ok(Answer::done(
                    text,
                    json!({ "range": range.to_string(), "list": name, "overlaps": overlaps }),
                ))
            }
            Change::AddAll { entries } => {
                let now = Timestamp::now();
                let entries = entries.iter().map(|entry| {
                    let range = parse(&entry.range)?;
                    let end = entry
                        .seconds
                        .map(|s| now.checked_add(Duration::from_secs(s)));
                    Ok(ListEntry {
                        list: kind,
                        first: range.first(),
                        last: range.last(),
                        comment: entry.comment.clone(),
                        added: now,
                        expires: end.transpose()?,
                    })
                });
                // All are looked at before the first is put there.
                let entries = entries.collect::<Result<Vec<_>>>()?;
                let mut already = 0;
                for entry in &entries {
                    already += usize::from(self.store.add_entry(entry)? == Added::Already);
                }
                self.apply(self.config.clone(), false)?;
                self.feeds.again();
                let added = entries.len() - already;
                Ok(Answer::done(
                    format!("{added} entries are now on the {name} list, {already} were there"),
                    json!({ "list": name, "added": added, "already": already }),
                ))
            }
            Change::Remove { range } => {
                let range = match listed(range).map_err(|wrong| anyhow!("{wrong}"))? {
                    Host::Range(range) => range,
                    Host::Name(host) => return self.remove_name(kind, &host),
                };
                let removed = self.store.remove_entry(kind, range.first(), range.last())?;
                self.apply(self.config.clone(), false)?;
                self.feeds.again();
                let what = if removed { "is no longer" } else { "was not" };
                Ok(Answer::done(
                    format!("{range} {what} on the {name} list"),
                    json!({ "range": range.to_string(), "list": name, "removed": removed }),
                ))
            }
        }
    }

    pub(super) fn country(&mut self, code: Option<&str>, allow: Option<bool>) -> Result<Answer> {
        let Some(code) = code else {
            return Ok(listing::countries(&self.store.countries()?));
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
}

pub(super) fn kind_name(kind: ListKind) -> &'static str {
    match kind {
        ListKind::Permit => "permit",
        ListKind::Deny => "deny",
    }
}
