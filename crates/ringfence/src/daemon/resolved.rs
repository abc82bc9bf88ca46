//! Host names of trunks and on the lists: looked up beside everything else, the last answer kept.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::sync::mpsc;
use tracing::{debug, info, warn};

use crate::config::{Config, Host};
use crate::resolve::{Answer, Error, MOST_ADDRESSES, Names, Question, Resolver, Way};
use crate::store::{ListKind, NameAnswer, NameEntry};
use crate::tables::{self, Inputs, Named};

/// For how long a start waits for the first answers, lest a provider meets the strangers' limits.
const FIRST: Duration = Duration::from_secs(2);
/// Between two changes of the policy for the sake of names: whoever runs a name decides how often it changes.
const APART: Duration = Duration::from_secs(5);
/// Look-ups under way at once; the others wait their turn.
const AT_ONCE: usize = 32;

type Outcome = (Question, Result<Answer, Error>);

/// What is known of the names, and the look-ups under way.
pub struct Resolved {
    names: Names,
    /// What each name is, for people.
    roles: BTreeMap<Question, &'static str>,
    asked: BTreeSet<Question>,
    /// What went wrong with each name the last time, of those where something did.
    failures: BTreeMap<Question, String>,
    /// Addresses of listed names that do not count, as they were told last.
    left_out: BTreeSet<String>,
    /// When the changes that were told last are put in force.
    settled: Option<Instant>,
    sender: mpsc::UnboundedSender<Outcome>,
    outcomes: mpsc::UnboundedReceiver<Outcome>,
}

impl Resolved {
    /// Knows no names yet.
    pub fn new() -> Self {
        let (sender, outcomes) = mpsc::unbounded_channel();
        Self {
            names: Names::default(),
            roles: BTreeMap::new(),
            asked: BTreeSet::new(),
            failures: BTreeMap::new(),
            left_out: BTreeSet::new(),
            settled: None,
            sender,
            outcomes,
        }
    }

    /// Takes the names of a configuration and of the operator's lists, and no others; those that stay keep their addresses.
    pub fn keep(&mut self, config: &Config, listed: &[NameEntry]) {
        self.take(roles(config, listed));
    }

    /// Takes the names of a configuration that may be put in force beside those in use.
    pub(super) fn keep_also(&mut self, config: &Config) {
        let mut all = roles(config, &[]);
        all.extend(self.roles.clone());
        self.take(all);
    }

    fn take(&mut self, roles: BTreeMap<Question, &'static str>) {
        self.failures.retain(|name, _| roles.contains_key(name));
        self.names.keep(roles.keys().cloned(), Instant::now());
        self.roles = roles;
    }

    /// Gives the names the addresses that they had when a daemon ran before.
    pub fn restore(&mut self, answers: &[NameAnswer]) {
        for answer in answers {
            let way = if answer.sip { Way::Sip } else { Way::Host };
            let name = answer.name.clone();
            self.names
                .restore(&Question { name, way }, &answer.addresses);
        }
    }

    /// Begins to look up the names that are due, and lets lost addresses go; whether addresses changed. It does not wait.
    pub fn ask(&mut self) -> bool {
        let now = Instant::now();
        let changed = self.names.sweep(now);
        let mut due = self.names.due(now);
        due.retain(|name| !self.asked.contains(name));
        due.truncate(AT_ONCE.saturating_sub(self.asked.len()));
        if due.is_empty() {
            return changed;
        }
        // A new one each time: the host's name servers may have changed.
        let resolver = match Resolver::new() {
            Ok(resolver) => Arc::new(resolver),
            Err(error) => {
                let error = Err(error);
                for name in due {
                    self.note(&name, &error);
                }
                return changed;
            }
        };
        for name in due {
            self.asked.insert(name.clone());
            let (sender, resolver) = (self.sender.clone(), resolver.clone());
            tokio::spawn(async move {
                let outcome = resolver.lookup(&name).await;
                // The daemon ends: nobody asks any more.
                let _ = sender.send((name, outcome));
            });
        }
        changed
    }

    /// Waits for the next outcome, for ever if none is under way; whether addresses changed.
    pub async fn heard(&mut self) -> bool {
        match self.outcomes.recv().await {
            Some((name, outcome)) => {
                self.asked.remove(&name);
                self.note(&name, &outcome)
            }
            None => std::future::pending().await,
        }
    }

    /// For how long a change is to wait for others: `least`, and more where one was put in force a moment ago.
    pub fn settle(&mut self, least: Duration) -> Duration {
        let now = Instant::now();
        let soonest = now + least;
        let at = match self.settled {
            // It comes in with those that wait.
            Some(waiting) if waiting > now => waiting,
            Some(last) => soonest.max(last + APART),
            None => soonest,
        };
        self.settled = Some(at);
        at.saturating_duration_since(now)
    }

    /// Asks for the names and waits a moment for the answers; whether addresses changed.
    pub async fn begin(&mut self) -> bool {
        let mut changed = self.ask();
        let answers = async {
            while !self.asked.is_empty() {
                changed |= self.heard().await;
            }
        };
        if tokio::time::timeout(FIRST, answers).await.is_err() {
            warn!(
                "the name servers are slow: hosts of trunks and names on lists have the addresses of the last run, and \
                 where there are none count as strangers, until they answer"
            );
        }
        changed
    }

    fn note(&mut self, name: &Question, outcome: &Result<Answer, Error>) -> bool {
        let changed = self.names.note(name, outcome, Instant::now());
        // The configuration may have changed since it was asked for.
        let Some(role) = self.roles.get(name) else {
            return false;
        };
        let addresses = self.names.of(name);
        let failure = match outcome {
            Err(error) => Some(error.to_string()),
            Ok(answer) if !answer.whole => Some("not all of its records could be read".to_owned()),
            Ok(answer) if answer.left_out > 0 => Some(format!(
                "{} of its addresses are above the {MOST_ADDRESSES} that are taken; give prefixes in their place",
                answer.left_out
            )),
            Ok(_) => None,
        };
        let host = &name.name;
        if changed {
            info!("the {role} host {host} is at {}", listed(&addresses));
        }
        match failure {
            Some(failure) if self.failures.get(name) == Some(&failure) => debug!("{failure}"),
            Some(failure) => {
                warn!(
                    "the {role} host {host}: {failure}; {}",
                    kept(role, &addresses)
                );
                self.failures.insert(name.clone(), failure);
            }
            None => drop(self.failures.remove(name)),
        }
        changed
    }

    /// The hosts of trunks with the addresses that count.
    pub fn trunks(&self) -> BTreeMap<String, Vec<IpAddr>> {
        self.names.addresses(Way::Sip)
    }

    /// What the names on the lists stand for, in a policy of these inputs.
    pub(super) fn named(
        &self,
        config: &Config,
        inputs: &Inputs,
        said: &[NameEntry],
        needed: &[IpAddr],
    ) -> Vec<Named> {
        let resolved = self.names.addresses(Way::Host);
        tables::named(config, inputs, said, &resolved, needed)
    }

    /// Tells of addresses of listed names that do not count, each once for as long as it is so.
    pub(super) fn tell_left_out(&mut self, named: &[Named]) {
        let mut now = BTreeSet::new();
        for named in named {
            for (ip, why) in &named.left_out {
                let text = format!(
                    "{} {}: its address {ip} is left out: {why}",
                    named.list_name(),
                    named.name
                );
                if !self.left_out.contains(&text) {
                    warn!("{text}");
                }
                now.insert(text);
            }
        }
        self.left_out = now;
    }

    /// The addresses of all names, to be stored.
    pub(super) fn answers(&self) -> Vec<NameAnswer> {
        let all = self.names.all().map(|name| NameAnswer {
            name: name.name.clone(),
            sip: name.way == Way::Sip,
            addresses: self.names.of(name),
        });
        all.collect()
    }

    /// The addresses of a listed name, and in how many seconds it is asked for again.
    pub fn shown(&self, name: &str) -> (Vec<IpAddr>, u64, Option<&str>) {
        let name = Question::host(name);
        let next = self.names.next(&name);
        let left = next.map(|due| due.saturating_duration_since(Instant::now()));
        let failure = self.failures.get(&name).map(String::as_str);
        let seconds = left.unwrap_or_default().as_secs();
        (self.names.of(&name), seconds, failure)
    }

    /// A line for each name and each address that is left out, and the same for programs: trunks, then names on lists.
    pub fn status(&self) -> (Vec<String>, Value, Value) {
        let (mut lines, mut trunks, mut names) = (Vec::new(), Vec::new(), Vec::new());
        for (name, role) in &self.roles {
            let (host, addresses) = (&name.name, self.names.of(name));
            let failure = self.failures.get(name);
            lines.push(match failure {
                None if addresses.is_empty() => format!("{role} {host}: being looked up"),
                None => format!("{role} {host}: {}", listed(&addresses)),
                Some(failure) => format!("{role} {host}: {failure}; {}", kept(role, &addresses)),
            });
            let mut data = json!({ "host": host, "addresses": addresses, "failure": failure });
            match name.way {
                Way::Sip => trunks.push(data),
                Way::Host => {
                    data["list"] = json!(role);
                    names.push(data);
                }
            }
        }
        lines.extend(self.left_out.iter().cloned());
        (lines, trunks.into(), names.into())
    }
}

/// What each name of a configuration and of the operator's lists is, for people.
fn roles(config: &Config, listed: &[NameEntry]) -> BTreeMap<Question, &'static str> {
    let hosts = config.trunks.iter().flat_map(|trunk| &trunk.hosts);
    let hosts = hosts.filter_map(|host| match host {
        Host::Name(name) => Some(name.clone()),
        Host::Range(_) => None,
    });
    // The dial plan is told of callers who say to be one of these.
    let said = config.agi.iter().flat_map(|agi| agi.names.iter().cloned());
    let mut roles: BTreeMap<_, _> = hosts
        .chain(said)
        .map(|name| (Question::sip(name), "trunk"))
        .collect();
    let of_file = [
        ("permit", &config.permit_names),
        ("deny", &config.deny_names),
    ];
    for (role, names) in of_file {
        roles.extend(
            names
                .iter()
                .map(|entry| (Question::host(&entry.name), role)),
        );
    }
    for entry in listed {
        let role = match entry.list {
            ListKind::Permit => "permit",
            ListKind::Deny => "deny",
        };
        roles.insert(Question::host(&entry.name), role);
    }
    roles
}

fn listed(addresses: &[IpAddr]) -> String {
    let all: Vec<_> = addresses.iter().map(IpAddr::to_string).collect();
    all.join(", ")
}

fn kept(role: &str, addresses: &[IpAddr]) -> String {
    match (addresses, role) {
        ([], "deny") => "it has no address and shuts nobody out".to_owned(),
        ([], _) => "it has no address and counts as a stranger".to_owned(),
        _ => format!("it stays at {}", listed(addresses)),
    }
}

#[cfg(test)]
mod tests;
