//! Whether the rules would shut the administrator's SSH session out.

use std::collections::BTreeSet;

use super::model::INPUT;
use super::{First, HostError, Ruleset};
use crate::config::{Config, Protocol};
use crate::net::{self, TcpSession};

/// Asks whether each SSH session that is up, and that of this process, could be begun anew under the rules.
///
/// # Errors
/// When one could not: [`HostError::LockedOut`] with what to add.
pub fn check(config: &Config, rules: &Ruleset) -> Result<(), HostError> {
    let ports = net::sshd_ports().unwrap_or_else(|_| vec![22]);
    let mut sessions = net::ssh_sessions(&ports).unwrap_or_default();
    sessions.extend(net::ssh_connection());
    judge(config, rules, &sessions)
}

fn judge(config: &Config, rules: &Ruleset, sessions: &[TcpSession]) -> Result<(), HostError> {
    let shut: Vec<_> = sessions
        .iter()
        // What this host sends itself comes in by the loopback interface.
        .filter(|session| {
            let remote = session.remote.ip();
            !remote.is_loopback() && remote != session.local.ip()
        })
        .filter(|session| {
            let first = First {
                from: session.remote,
                to: session.local,
                protocol: Protocol::Tcp,
                interface: None,
            };
            !rules.accepts(INPUT, &first)
        })
        .collect();
    match advice(config, rules, &shut) {
        Some(advice) => Err(HostError::LockedOut(advice)),
        None => Ok(()),
    }
}

/// What to change; None where nobody is shut out.
fn advice(config: &Config, rules: &Ruleset, shut: &[&TcpSession]) -> Option<String> {
    let (mut denied, mut missing, mut ports) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for session in shut {
        let remote = session.remote.ip();
        if rules.denies(remote) {
            denied.insert(remote.to_string());
            continue;
        }
        missing.insert(format!("\"{remote}\""));
        let port = session.local.port();
        let mut all = config.services.iter().flat_map(|service| &service.ports);
        if !all.any(|range| range.contains(Protocol::Tcp, port)) {
            ports.insert(port);
        }
    }
    let list = |set: BTreeSet<String>| set.into_iter().collect::<Vec<_>>().join(", ");
    let mut parts = Vec::new();
    if !denied.is_empty() {
        let denied = list(denied);
        parts.push(format!(
            "remove what holds {denied} from `deny` in the configuration or with `ringfence deny remove`"
        ));
    }
    for port in ports {
        parts.push(format!(
            "add a service: [[service]] name = \"ssh\", kind = \"plain\", ports = [\"tcp/{port}\"], from = \"permitted\""
        ));
    }
    if !missing.is_empty() {
        let missing = list(missing);
        parts.push(format!("add `permit = [{missing}]` to the configuration"));
    }
    (!parts.is_empty()).then(|| parts.join(" and "))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::country::CountryData;
    use crate::host::{Facts, plan};

    fn asked(policy: &str, remote: &str) -> Result<(), String> {
        let config = Config::parse(policy, "test").unwrap();
        let data =
            CountryData::decode("198.51.100.0,198.51.100.255,GB\n".into(), Path::new("test"));
        let rules = plan(&config, &Facts::default(), &data.unwrap());
        let session = TcpSession {
            local: "192.0.2.10:22".parse().unwrap(),
            remote: remote.parse().unwrap(),
        };
        judge(&config, &rules, &[session]).map_err(|error| error.to_string())
    }

    #[test]
    fn a_session_must_be_able_to_begin_anew() {
        let ssh = "mode = \"enforce\"\npermit = [\"203.0.113.7\"]\n\
                   [[service]]\nname = \"ssh\"\nkind = \"plain\"\nports = [\"tcp/22\"]\nfrom = \"permitted\"\n";
        assert_eq!(asked(ssh, "203.0.113.7:50000"), Ok(()));
        let told = asked(ssh, "203.0.113.8:50000").unwrap_err();
        assert!(
            told.contains("add `permit = [\"203.0.113.8\"]`") && !told.contains("[[service]]"),
            "{told}"
        );
        assert!(told.contains("--yes"), "{told}");
        let told = asked("mode = \"enforce\"\n", "203.0.113.8:50000").unwrap_err();
        assert!(
            told.contains("ports = [\"tcp/22\"]") && told.contains("permit = "),
            "{told}"
        );
        let denied = format!(
            "deny = [\"203.0.113.0/24\"]\n{}",
            ssh.replace("permit =", "interfaces = []\npermit =")
        );
        let told = asked(&denied, "203.0.113.7:50000").unwrap_err();
        assert!(
            told.contains("from `deny`") && !told.contains("add"),
            "{told}"
        );
        assert_eq!(asked("mode = \"shadow\"\n", "203.0.113.8:50000"), Ok(()));
        assert_eq!(asked("mode = \"enforce\"\n", "192.0.2.10:50000"), Ok(()));
        assert_eq!(asked("mode = \"enforce\"\n", "127.0.0.1:50000"), Ok(()));
    }
}
