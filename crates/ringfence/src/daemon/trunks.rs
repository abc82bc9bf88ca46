//! The host names of trunks: looked up beside everything else, the last answer kept.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::sync::mpsc;
use tracing::{debug, info, warn};

use crate::config::{Config, Host};
use crate::resolve::{Answer, Error, MOST_ADDRESSES, Names, Resolver};

/// For how long a start waits for the first answers, lest a provider meets the strangers' limits.
const FIRST: Duration = Duration::from_secs(2);

type Outcome = (String, Result<Answer, Error>);

/// What is known of the names, and the look-ups under way.
pub struct Trunks {
    names: Names,
    asked: BTreeSet<String>,
    /// What went wrong with each name the last time, of those where something did.
    failures: BTreeMap<String, String>,
    sender: mpsc::UnboundedSender<Outcome>,
    outcomes: mpsc::UnboundedReceiver<Outcome>,
}

impl Trunks {
    /// Knows no names yet.
    pub fn new() -> Self {
        let (sender, outcomes) = mpsc::unbounded_channel();
        Self {
            names: Names::default(),
            asked: BTreeSet::new(),
            failures: BTreeMap::new(),
            sender,
            outcomes,
        }
    }

    /// Takes the names of a configuration and no others; those that stay keep their addresses.
    pub fn keep(&mut self, config: &Config) {
        let hosts = config.trunks.iter().flat_map(|trunk| &trunk.hosts);
        let hosts = hosts.filter_map(|host| match host {
            Host::Name(name) => Some(name.to_string()),
            Host::Range(_) => None,
        });
        // The dial plan is told of callers who say to be one of these.
        let said = config.agi.iter().flat_map(|agi| agi.names.iter().cloned());
        let hosts: BTreeSet<String> = hosts.chain(said).collect();
        self.failures.retain(|host, _| hosts.contains(host));
        self.names.keep(hosts, Instant::now());
    }

    /// Begins to look up all names that are due. It does not wait.
    pub fn ask(&mut self) {
        let mut due = self.names.due(Instant::now());
        due.retain(|host| !self.asked.contains(host));
        if due.is_empty() {
            return;
        }
        // A new one each time: the host's name servers may have changed.
        let resolver = match Resolver::new() {
            Ok(resolver) => Arc::new(resolver),
            Err(error) => {
                let error = Err(error);
                for host in due {
                    self.note(&host, &error);
                }
                return;
            }
        };
        for host in due {
            self.asked.insert(host.clone());
            let (sender, resolver) = (self.sender.clone(), resolver.clone());
            tokio::spawn(async move {
                let outcome = resolver.lookup(&host).await;
                // The daemon ends: nobody asks any more.
                let _ = sender.send((host, outcome));
            });
        }
    }

    /// Waits for the next outcome, for ever if none is under way; whether addresses changed.
    pub async fn heard(&mut self) -> bool {
        match self.outcomes.recv().await {
            Some((host, outcome)) => {
                self.asked.remove(&host);
                self.note(&host, &outcome)
            }
            None => std::future::pending().await,
        }
    }

    /// Asks for all names and waits a moment for the answers.
    pub async fn begin(&mut self) {
        self.ask();
        let answers = async {
            while !self.asked.is_empty() {
                self.heard().await;
            }
        };
        if tokio::time::timeout(FIRST, answers).await.is_err() {
            warn!(
                "the name servers are slow: trunk hosts without an address count as strangers until they answer"
            );
        }
    }

    fn note(&mut self, host: &str, outcome: &Result<Answer, Error>) -> bool {
        let changed = self.names.note(host, outcome, Instant::now());
        let addresses = self.names.addresses();
        // The configuration may have changed since it was asked for.
        let Some(addresses) = addresses.get(host) else {
            return false;
        };
        let failure = match outcome {
            Err(error) => Some(error.to_string()),
            Ok(answer) if !answer.whole => Some("not all of its records could be read".to_owned()),
            Ok(answer) if answer.left_out > 0 => Some(format!(
                "{} of its addresses are above the {MOST_ADDRESSES} that are taken; give prefixes in their place",
                answer.left_out
            )),
            Ok(_) => None,
        };
        if changed {
            info!("the trunk host {host} is at {}", listed(addresses));
        }
        match failure {
            Some(failure) if self.failures.get(host) == Some(&failure) => debug!("{failure}"),
            Some(failure) => {
                warn!("the trunk host {host}: {failure}; {}", kept(addresses));
                self.failures.insert(host.to_owned(), failure);
            }
            None => drop(self.failures.remove(host)),
        }
        changed
    }

    /// All names with the addresses of their last good answer.
    pub fn addresses(&self) -> BTreeMap<String, Vec<IpAddr>> {
        self.names.addresses()
    }

    /// A line for each name, and the same for programs.
    pub fn status(&self) -> (Vec<String>, Value) {
        let all = self.names.addresses();
        let line = |(host, addresses): (&String, &Vec<IpAddr>)| match self.failures.get(host) {
            None if addresses.is_empty() => format!("trunk {host}: being looked up"),
            None => format!("trunk {host}: {}", listed(addresses)),
            Some(failure) => format!("trunk {host}: {failure}; {}", kept(addresses)),
        };
        let data = all.iter().map(|(host, addresses)| {
            json!({ "host": host, "addresses": addresses, "failure": self.failures.get(host) })
        });
        (all.iter().map(line).collect(), data.collect())
    }
}

fn listed(addresses: &[IpAddr]) -> String {
    let all: Vec<_> = addresses.iter().map(IpAddr::to_string).collect();
    all.join(", ")
}

fn kept(addresses: &[IpAddr]) -> String {
    if addresses.is_empty() {
        "it has no address and counts as a stranger".to_owned()
    } else {
        format!("it stays at {}", listed(addresses))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(hosts: &str) -> Config {
        let text = format!("[[trunk]]\nname = \"provider\"\nhosts = [{hosts}]\n");
        Config::parse(&text, "ringfence.toml").unwrap()
    }

    fn answer(address: &str) -> Result<Answer, Error> {
        Ok(Answer {
            addresses: vec![address.parse().unwrap()],
            valid_for: Duration::from_secs(60),
            whole: true,
            left_out: 0,
        })
    }

    #[tokio::test]
    async fn a_failure_is_told_and_changes_nothing() {
        let host = "sip.provider.example";
        let mut trunks = Trunks::new();
        trunks.keep(&config("\"sip.provider.example\", \"192.0.2.0/24\""));
        assert_eq!(
            trunks.status().0,
            ["trunk sip.provider.example: being looked up"]
        );
        trunks
            .sender
            .send((host.to_owned(), answer("198.51.100.1")))
            .unwrap();
        assert!(trunks.heard().await);
        let failed = Err(Error::Nothing(host.to_owned()));
        assert!(!trunks.note(host, &failed));
        assert_eq!(trunks.addresses()[host].len(), 1);
        let (lines, data) = trunks.status();
        assert!(
            lines[0].ends_with("it stays at 198.51.100.1"),
            "{}",
            lines[0]
        );
        assert!(data[0]["failure"].is_string());
        assert!(trunks.note(host, &answer("198.51.100.2")));
        assert!(trunks.status().1[0]["failure"].is_null());
        trunks.keep(&config("\"192.0.2.0/24\""));
        assert!(!trunks.note(host, &failed));
        assert!(trunks.status().0.is_empty() && trunks.failures.is_empty());
    }
}
