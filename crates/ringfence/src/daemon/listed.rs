//! Host names on the operator's lists.

use std::time::Duration;

use anyhow::{Result, bail};
use jiff::Timestamp;
use serde_json::json;

use super::lists::kind_name;
use super::state::Daemon;
use crate::config::MAX_LISTED_NAMES;
use crate::control::{Answer, listing};
use crate::store::{Added, ListKind, NameEntry};

impl Daemon {
    /// Puts a name on a list. Its addresses are asked for, and count as soon as they are known.
    pub(super) fn add_name(
        &mut self,
        list: ListKind,
        name: String,
        comment: &str,
        seconds: Option<u64>,
    ) -> Result<Answer> {
        let kind = kind_name(list);
        let now = Timestamp::now();
        let expires = seconds.map(|s| now.checked_add(Duration::from_secs(s)));
        let listed = self.store.listed_names()?;
        let on_list = listed.iter().filter(|entry| entry.list == list);
        let known = on_list.clone().any(|entry| entry.name == name);
        if !known && on_list.count() >= MAX_LISTED_NAMES {
            bail!(
                "the {kind} list holds {MAX_LISTED_NAMES} names already; remove one, or add the addresses of hosts that do \
                 not move"
            );
        }
        let entry = NameEntry {
            list,
            name,
            comment: comment.to_owned(),
            added: now,
            expires: expires.transpose()?,
        };
        let what = match self.store.add_name(&entry)? {
            Added::Added => "is now on",
            Added::Already => "is already on",
            Added::Extended => "stays longer on",
        };
        self.keep_names()?;
        self.resolved.ask();
        self.apply(self.config.clone(), false)?;
        let name = &entry.name;
        let (addresses, ..) = self.resolved.shown(name);
        let mut text = format!("{name} {what} the {kind} list");
        if addresses.is_empty() {
            text.push_str(&format!(
                "; it is being looked up, and `ringfence {kind} list` shows its addresses"
            ));
        }
        for other in listed.iter().filter(|o| o.name == *name && o.list != list) {
            let other = kind_name(other.list);
            text.push_str(&format!(
                "\nit is on the {other} list too; permit beats deny for names"
            ));
        }
        Ok(Answer::done(
            text,
            json!({ "name": name, "list": kind, "addresses": addresses }),
        ))
    }

    /// Takes a name off a list.
    pub(super) fn remove_name(&mut self, list: ListKind, name: &str) -> Result<Answer> {
        let kind = kind_name(list);
        let removed = self.store.remove_name(list, name)?;
        self.apply(self.config.clone(), false)?;
        self.store_answers();
        let what = if removed { "is no longer" } else { "was not" };
        Ok(Answer::done(
            format!("{name} {what} on the {kind} list"),
            json!({ "name": name, "list": kind, "removed": removed }),
        ))
    }

    /// The names on a list with their addresses at the moment.
    pub(super) fn shown_names(&self, list: ListKind) -> Result<Vec<listing::ShownName>> {
        let mut listed = self.store.listed_names()?;
        listed.retain(|entry| entry.list == list);
        let shown = listed.into_iter().map(|entry| {
            let (addresses, seconds, failure) = self.resolved.shown(&entry.name);
            listing::ShownName {
                addresses,
                seconds: Some(seconds),
                failure: failure.map(str::to_owned),
                entry,
            }
        });
        Ok(shown.collect())
    }
}
