//! Host names of trunks and on lists: whether the name servers know them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use super::finding::{Finding, State, finding};
use crate::config::{Config, Host};
use crate::resolve::{Answer, Error, Question, Resolver};
use crate::store::NameEntry;

/// Names that are looked up.
const MOST: usize = 64;
/// For how long.
const PATIENCE: Duration = Duration::from_secs(5);

/// Looks each name up, all at once.
pub(super) async fn look(config: &Config, listed: &[NameEntry]) -> Vec<Finding> {
    let questions = questions(config, listed);
    if questions.is_empty() {
        return Vec::new();
    }
    let resolver = match Resolver::new() {
        Ok(resolver) => Arc::new(resolver),
        Err(error) => {
            let remedy = "name a server in /etc/resolv.conf";
            return vec![finding("names", State::Problem, error.to_string(), remedy)];
        }
    };
    let mut asked = JoinSet::new();
    for question in questions.iter().cloned() {
        let resolver = Arc::clone(&resolver);
        asked.spawn(async move {
            let outcome = resolver.lookup(&question).await;
            (question, outcome)
        });
    }
    let mut outcomes = BTreeMap::new();
    let all = async {
        while let Some(done) = asked.join_next().await {
            outcomes.extend(done.ok());
        }
    };
    // Those that are late are told so.
    let _ = tokio::time::timeout(PATIENCE, all).await;
    findings(&questions, &outcomes)
}

fn questions(config: &Config, listed: &[NameEntry]) -> BTreeSet<Question> {
    let hosts = config.trunks.iter().flat_map(|trunk| &trunk.hosts);
    let trunks = hosts.filter_map(|host| match host {
        Host::Name(name) => Some(Question::sip(name)),
        Host::Range(_) => None,
    });
    let names = config.permit_names.iter().chain(&config.deny_names);
    let names = names.map(|entry| &entry.name);
    let names = names.chain(listed.iter().map(|entry| &entry.name));
    trunks.chain(names.map(Question::host)).take(MOST).collect()
}

fn findings(
    questions: &BTreeSet<Question>,
    outcomes: &BTreeMap<Question, Result<Answer, Error>>,
) -> Vec<Finding> {
    let told = |question: &Question| {
        let what = format!("name {}", question.name);
        let (state, found, remedy) = match outcomes.get(question) {
            None => (
                State::Note,
                "it was not looked up within 5 seconds".to_owned(),
                "see whether the name servers answer; until then the daemon keeps the addresses that it had",
            ),
            Some(Err(error @ (Error::Unanswered { .. } | Error::Late(_)))) => (
                State::Note,
                error.to_string(),
                "the daemon keeps the addresses that it had",
            ),
            Some(Err(error)) => (
                State::Problem,
                error.to_string(),
                "correct it in `hosts`, `permit` or `deny`, or with `ringfence permit remove` or `deny remove`",
            ),
            Some(Ok(answer)) if answer.left_out > 0 => (
                State::Note,
                format!(
                    "{} of its addresses are left out: 64 are taken of a name",
                    answer.left_out
                ),
                "write the prefixes in its place",
            ),
            Some(Ok(_)) => return None,
        };
        Some(finding(&what, state, found, remedy))
    };
    let mut findings: Vec<_> = questions.iter().filter_map(told).collect();
    let known = questions.len() - findings.len();
    if known > 0 {
        let found = format!("{known} of {} have addresses", questions.len());
        findings.insert(0, finding("names", State::Fine, found, ""));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_without_addresses_is_a_problem_and_a_server_that_is_down_is_not() {
        let config = Config::parse(
            "permit = [\"boss.example\", \"gone.example\"]\ndeny = [\"late.example\"]\n\
             [[trunk]]\nname = \"p\"\nhosts = [\"boss.example\", \"192.0.2.1\"]\n",
            "r.toml",
        )
        .unwrap();
        let questions = questions(&config, &[]);
        assert_eq!(questions.len(), 4);
        let answer = || {
            Ok(Answer {
                addresses: vec![[192, 0, 2, 1].into()],
                valid_for: Duration::from_secs(60),
                whole: true,
                left_out: 0,
            })
        };
        let outcomes = BTreeMap::from([
            (Question::host("boss.example"), answer()),
            (Question::sip("boss.example"), answer()),
            (
                Question::host("gone.example"),
                Err(Error::Nothing("gone.example".into())),
            ),
        ]);
        let found = findings(&questions, &outcomes);
        let shown: Vec<_> = found.iter().map(|f| (f.what.as_str(), f.state)).collect();
        assert_eq!(
            shown,
            [
                ("names", State::Fine),
                ("name gone.example", State::Problem),
                ("name late.example", State::Note),
            ]
        );
    }
}
