//! Whether Asterisk can be reached, and lets its user do what is asked of it.

use super::finding::{Finding, State, finding};
use crate::asterisk::ami::{Action, AskError, FILTERS, Link, Settings, reach};
use crate::config::{Asterisk, SecretFrom};

const WHAT: &str = "Asterisk";

/// What is asked while the fence stands, and the parameter that it takes. The answers are not looked at.
const ACTIONS: [(&str, Option<(&str, &str)>); 11] = [
    ("CoreSettings", None),
    ("CoreShowChannels", None),
    ("PJSIPShowEndpoints", None),
    ("PJSIPShowContacts", None),
    ("PJSIPShowRegistrationsInbound", None),
    ("PJSIPShowRegistrationsOutbound", None),
    ("SIPpeers", None),
    ("SIPshowregistry", None),
    ("IAXpeers", None),
    ("IAXregistry", None),
    ("Command", Some(("Command", "core show version"))),
];

/// Looks at `[asterisk]`.
pub(super) async fn look(asterisk: &Asterisk) -> Vec<Finding> {
    let secret = match asterisk.secret.read() {
        Ok(secret) => secret,
        Err(error) => {
            // These are given to the daemon, and perhaps to nobody else.
            let elsewhere = matches!(
                asterisk.secret,
                SecretFrom::Env(_) | SecretFrom::Credential(_)
            );
            let (state, remedy) = if elsewhere {
                (
                    State::Note,
                    "nothing to do if the daemon has it: `ringfence status` tells",
                )
            } else {
                (State::Problem, "correct `secret_file`, or who may read it")
            };
            return vec![finding(WHAT, state, error.to_string(), remedy)];
        }
    };
    let settings = Settings {
        address: asterisk.ami.clone(),
        user: asterisk.user.clone(),
        secret,
    };
    match reach(settings, asked).await {
        Ok((version, asked)) => permitted(asterisk, &version, &asked),
        Err(why) => {
            let remedy =
                "`ringfence asterisk manager` prints a user for manager.conf, and this section";
            vec![finding(WHAT, State::Problem, why, remedy)]
        }
    }
}

/// What became of the questions.
#[derive(Debug, Default)]
struct Asked {
    /// Actions that the user may not do.
    denied: Vec<&'static str>,
    /// Why events cannot be filtered.
    unfiltered: Option<String>,
    /// Why the others were not asked.
    failed: Option<String>,
}

async fn asked(link: Link, version: String) -> (String, Asked) {
    let mut asked = Asked::default();
    for filter in FILTERS {
        let filter = Action::new("Filter")
            .with("Operation", "Add")
            .with("Filter", filter);
        if let Err(error) = link.ask(filter).await {
            asked.unfiltered = Some(error.to_string());
            break;
        }
    }
    for (name, parameter) in ACTIONS {
        let mut action = Action::new(name);
        if let Some((key, value)) = parameter {
            action = action.with(key, value);
        }
        match link.ask(action).await {
            Err(AskError::NotAllowed { .. }) => asked.denied.push(name),
            Err(error @ (AskError::Down | AskError::Timeout { .. })) => {
                asked.failed = Some(error.to_string());
                break;
            }
            // What is not loaded is not needed.
            _ => {}
        }
    }
    (version, asked)
}

fn permitted(asterisk: &Asterisk, version: &str, asked: &Asked) -> Vec<Finding> {
    let (address, user) = (&asterisk.ami, &asterisk.user);
    let name = match version {
        "" => "reached",
        version => version,
    };
    let found = format!("{name} at {address}, logged in as {user}");
    let write = "have the `write` line of the user in manager.conf say \"system,command\": `ringfence asterisk manager` \
                 prints it";
    let mut findings = vec![match (&asked.failed, asked.denied.is_empty()) {
        (Some(why), _) => finding(
            WHAT,
            State::Problem,
            format!("{found}, but {why}"),
            "see Asterisk's own log",
        ),
        (None, true) => finding(WHAT, State::Fine, found, ""),
        (None, false) => {
            let denied = asked.denied.join(", ");
            finding(
                WHAT,
                State::Note,
                format!("{found}; it may not do {denied}"),
                write,
            )
        }
    }];
    if let Some(why) = &asked.unfiltered {
        let found = format!(
            "{why}: with a forged event, genuine ones are lost that came up to 8 KiB before it"
        );
        findings.push(finding("Asterisk's filter", State::Note, found, write));
    }
    findings
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use ringfence_lab::asterisk::{Ami, Recording, Script};

    use super::*;
    use crate::config::Secret;

    const DENIED: &[u8] = b"Response: Error\r\nActionID: 1\r\nMessage: Permission denied\r\n\r\n";

    fn recorded() -> Script {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/asterisk/ami");
        let names = [
            "core-settings",
            "pjsip-show-endpoints",
            "pjsip-show-contacts",
            "command-core-show-version",
        ];
        let load = |name| Recording::load(&folder, name).unwrap();
        names
            .into_iter()
            .map(load)
            .fold(Script::default(), |script, one| script.answering(&one))
    }

    /// What is found, and the actions that came.
    async fn found(script: Script, secret: &str) -> (Vec<Finding>, Vec<String>) {
        let ami = Ami::play([script]).unwrap();
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("secret");
        std::fs::write(&path, secret).unwrap();
        let asterisk = Asterisk {
            ami: ami.address().to_string(),
            user: "fw".into(),
            secret: SecretFrom::File(path),
            every: std::time::Duration::from_secs(60),
        };
        (look(&asterisk).await, ami.asked())
    }

    #[tokio::test]
    async fn one_that_permits_everything_is_fine() {
        let (findings, asked) = found(recorded(), "fw-secret-1").await;
        let [one] = findings.as_slice() else {
            panic!("{findings:?}")
        };
        assert_eq!(one.state, State::Fine);
        assert!(one.found.starts_with("22.10.1 at 127.0.0.1:"), "{one:?}");
        for (action, _) in ACTIONS {
            assert!(
                asked
                    .iter()
                    .any(|block| block.starts_with(&format!("Action: {action}\r\n"))),
                "{action} {asked:?}"
            );
        }
    }

    #[tokio::test]
    async fn what_is_denied_is_named() {
        let mut script = recorded();
        for action in ["filter", "command", "pjsipshowcontacts"] {
            script.answers.insert(action.into(), DENIED.to_vec());
        }
        let (findings, _) = found(script, "fw-secret-1").await;
        let [one, filter] = findings.as_slice() else {
            panic!("{findings:?}")
        };
        assert_eq!((one.state, filter.state), (State::Note, State::Note));
        assert!(
            one.found
                .ends_with("it may not do PJSIPShowContacts, Command"),
            "{one:?}"
        );
        assert_eq!(filter.what, "Asterisk's filter");
        assert!(one.remedy.contains("system,command"), "{one:?}");
    }

    #[tokio::test]
    async fn a_login_that_is_refused_is_a_problem_and_the_secret_is_not_told() {
        let (findings, _) = found(recorded(), "another-secret").await;
        let [one] = findings.as_slice() else {
            panic!("{findings:?}")
        };
        assert_eq!(one.state, State::Problem);
        assert!(one.found.contains("refuses the login of `fw`"), "{one:?}");
        assert!(!format!("{one:?}").contains("another-secret"));
    }

    #[tokio::test]
    async fn a_secret_that_cannot_be_read_is_told_by_where_it_is() {
        let mut asterisk = Asterisk {
            ami: "127.0.0.1:1".into(),
            user: "fw".into(),
            secret: SecretFrom::File("/nonexistent/secret".into()),
            every: std::time::Duration::from_secs(60),
        };
        let one = look(&asterisk).await.remove(0);
        assert_eq!(one.state, State::Problem);
        assert!(one.found.contains("/nonexistent/secret"), "{one:?}");
        asterisk.secret = SecretFrom::Env("RINGFENCE_NOT_SET_HERE".into());
        assert_eq!(look(&asterisk).await.remove(0).state, State::Note);
        asterisk.secret = SecretFrom::Text(
            Secret::new("x"),
            crate::config::Position { line: 1, column: 1 },
        );
        let one = look(&asterisk).await.remove(0);
        assert!(one.found.contains("cannot connect"), "{one:?}");
    }
}
