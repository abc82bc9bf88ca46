//! What is told of threat lists: to the command line, and in the status.

use std::collections::BTreeMap;
use std::net::IpAddr;

use anyhow::{Context, Result};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::named::needed;
use super::state::Daemon;
use crate::config::FeedAction;
use crate::control::feeds::{self as told, Met};
use crate::control::{Answer, FeedRequest};
use crate::feeds::Whose;

/// Sessions that a warning names.
const SESSIONS: usize = 5;

impl Daemon {
    /// Answers about threat lists.
    pub(super) fn answer_feeds(&mut self, asked: &FeedRequest) -> Result<Answer> {
        let now = Timestamp::now();
        match asked {
            FeedRequest::List => {
                let mut answer = told::listed(&self.feeds.keeper.rows(), now);
                if let Some(line) = self.without_room() {
                    answer.text.push_str(&format!("\n{line}"));
                }
                Ok(answer)
            }
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
            "without_room": self.feeds.left_out,
        });
        (
            [line].into_iter().chain(self.without_room()).collect(),
            data,
        )
    }

    fn without_room(&self) -> Option<String> {
        let left_out = self.feeds.left_out;
        (left_out > 0).then(|| {
            format!(
                "threat lists: {left_out} blocks of addresses found no room and are not judged; `systemctl restart \
                 ringfence` makes a larger table"
            )
        })
    }

    /// Where an SSH session comes from an address that a list denies: once it is over, the next is shut out.
    pub(super) fn listed_sessions(&self) -> Vec<String> {
        let sessions = needed(self.watch.routes());
        let denied = sessions.into_iter().filter_map(|ip| {
            let listed = self.feeds.keeper.listed(ip);
            let (name, ..) = listed.iter().find(|(.., action)| *action == FeedAction::Deny)?;
            // Who is permitted, say, stays in.
            (self.belongings().ok()?.whose(ip) == Some(Whose::Needed)).then(|| {
                format!(
                    "the threat list {name} denies {ip}, from where this host is managed or where its routers and name \
                     servers are: if it is yours, `ringfence permit add {ip}`"
                )
            })
        });
        denied.take(SESSIONS).collect()
    }
}
