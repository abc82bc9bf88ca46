//! What is told of threat lists: to the command line, and in the status.

use std::collections::BTreeMap;
use std::net::IpAddr;

use anyhow::{Context, Result};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::state::Daemon;
use crate::control::feeds::{self as told, Met};
use crate::control::{Answer, FeedRequest};

impl Daemon {
    /// Answers about threat lists.
    pub(super) fn answer_feeds(&mut self, asked: &FeedRequest) -> Result<Answer> {
        let now = Timestamp::now();
        match asked {
            FeedRequest::List => Ok(told::listed(&self.feeds.keeper.rows(), now)),
            FeedRequest::Update { names, force } => {
                let woken = self.feeds.keeper.wake(names, *force, now);
                let woken = woken.map_err(|name| {
                    anyhow::anyhow!("there is no feed `{name}`; `ringfence feed list` names them")
                })?;
                let text = format!("being asked for: {}", woken.join(", "));
                Ok(Answer::done(text, json!({ "names": woken })))
            }
            FeedRequest::Show { address } => {
                let address: IpAddr = address.parse().with_context(|| {
                    format!("`{address}` is not an IP address, such as 192.0.2.7")
                })?;
                let address = address.to_canonical();
                let keeper = &self.feeds.keeper;
                let entry = keeper.merged().find(address);
                let met = entry.and_then(|entry| Some((keeper.name(entry.feed)?, entry.action)));
                let met = match (met, self.belongings()?.whose(address)) {
                    (Some((name, action)), _) => Met::Action(name, action),
                    (None, Some(whose)) => Met::Ours(whose.as_str()),
                    (None, None) => Met::Nothing,
                };
                Ok(told::shown(address, &keeper.listed(address), &met))
            }
        }
    }

    /// Adds to what is told of an address the lists that have it.
    pub(super) fn add_feeds(&self, what: &str, answer: &mut Answer) {
        let Ok(address) = what.parse::<IpAddr>() else {
            return;
        };
        let found = self.feeds.keeper.listed(address.to_canonical());
        for (name, net, action) in &found {
            answer
                .text
                .push_str(&format!("\n  threat list: {name} has {net} ({action})"));
        }
        if let Some(data) = answer.data.as_object_mut() {
            let names: Vec<_> = found.iter().map(|(name, ..)| *name).collect();
            data.insert("feeds".to_owned(), json!(names));
        }
    }

    /// Lines for people, and the same for programs; nothing where no list is configured.
    pub(super) fn feeds_status(&self) -> (Vec<String>, Value) {
        let keeper = &self.feeds.keeper;
        if keeper.is_empty() {
            return (Vec::new(), Value::Null);
        }
        let rows = keeper.rows();
        let mut standings = BTreeMap::<String, usize>::new();
        for row in &rows {
            *standings
                .entry(format!("{:?}", row.standing).to_lowercase())
                .or_default() += 1;
        }
        let counts: Vec<_> = standings
            .iter()
            .map(|(standing, count)| format!("{count} {standing}"))
            .collect();
        let line = format!(
            "threat lists: {} entries of {} feeds ({})",
            keeper.merged().len(),
            rows.len(),
            counts.join(", ")
        );
        let data = json!({
            "entries": keeper.merged().len(), "memory": keeper.memory(), "feeds": rows,
        });
        (vec![line], data)
    }
}
