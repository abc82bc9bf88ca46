//! Threat lists as the daemon shows them, or without one the command line.

use std::net::IpAddr;
use std::path::Path;

use ipnet::IpNet;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::Answer;
use super::listing::lines;
use crate::config::{Config, FeedAction};
use crate::feeds::{Belongings, Merged, Nets, Part, Row, Shelf, merge};
use crate::tables::Inputs;

/// What is asked about threat lists.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FeedRequest {
    /// How each stands.
    List,
    /// Have lists fetched now.
    Update {
        /// Their names; none for all.
        names: Vec<String>,
        /// Believe also one that is empty or much shorter than before.
        force: bool,
    },
    /// Which of them list an address.
    Show {
        /// The address.
        address: String,
    },
}

/// How the lists stand.
pub fn listed(rows: &[Row], now: Timestamp) -> Answer {
    let text = match rows {
        [] => "no threat list is configured; [[feed]] in the configuration names one".to_owned(),
        rows => lines(rows.iter().map(|row| row.line(now))),
    };
    Answer::done(text, json!(rows))
}

/// What becomes of an address that lists have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Met<'a> {
    /// This, by the list of this name.
    Action(&'a str, FeedAction),
    /// Nothing, since it belongs here: why.
    Ours(&'static str),
    /// Nothing yet, or not for the network that the lists have.
    Nothing,
}

/// Which lists have an address, and what becomes of it.
pub fn shown(address: IpAddr, found: &[(&str, IpNet, FeedAction)], met: &Met<'_>) -> Answer {
    let mut text: Vec<_> = found
        .iter()
        .map(|(name, net, action)| format!("{address} is listed by {name} as {net} ({action})"))
        .collect();
    match (found, met) {
        ([], _) => text.push(format!("{address} is on no threat list")),
        (_, Met::Action(name, action)) => text.push(format!("it meets {action} of {name}")),
        (_, Met::Ours(why)) => text.push(format!("it is left out, since it belongs here ({why})")),
        (_, Met::Nothing) => text.push("nothing becomes of it at this moment".to_owned()),
    }
    let data = found.iter().map(
        |(name, net, action)| json!({ "feed": name, "range": net, "action": action.to_string() }),
    );
    let (met, left_out) = match met {
        Met::Action(name, action) => {
            let met = json!({ "feed": name, "action": action.to_string() });
            (Some(met), None)
        }
        Met::Ours(why) => (None, Some(*why)),
        Met::Nothing => (None, None),
    };
    Answer::done(
        lines(text.into_iter()),
        json!({
            "address": address, "listed": data.collect::<Vec<_>>(), "met": met, "left_out": left_out,
        }),
    )
}

/// What the shelves below a state directory hold of the lists.
pub fn stored(config: &Config, state: &Path, now: Timestamp) -> Answer {
    let row = |feed| Row::stored(feed, &Shelf::new(state, feed), now);
    let rows: Vec<_> = config.feeds.iter().map(row).collect();
    listed(&rows, now)
}

/// The lists below a state directory. Those that cannot be read have nothing.
pub struct Stored(Vec<(String, FeedAction, Nets)>);

impl Stored {
    /// Reads them.
    pub fn read(config: &Config, state: &Path, now: Timestamp) -> Self {
        let lists = config.feeds.iter().filter_map(|feed| {
            let good = Shelf::new(state, feed).load(feed, now).ok()??;
            Some((feed.name.clone(), feed.action, good.nets))
        });
        Self(lists.collect())
    }

    /// All of them as the daemon merges them, but for what it knows of who is registered.
    pub fn merged(&self, config: &Config, inputs: &Inputs) -> Merged {
        let parts = (1..).zip(&self.0);
        let parts: Vec<_> = parts
            .map(|(feed, (_, action, nets))| Part {
                feed,
                action: *action,
                nets,
            })
            .collect();
        merge(&parts, &Belongings::of(config, inputs, [])).0
    }

    /// Those that have an address: name, entry and action.
    pub fn with(&self, address: IpAddr) -> Vec<(&str, IpNet, FeedAction)> {
        let found = self.0.iter().filter_map(|(name, action, nets)| {
            let net = nets.find(address)?;
            Some((name.as_str(), net, *action))
        });
        found.collect()
    }
}
