//! Other firewalls of this host, which are told of and never touched.

use std::collections::BTreeSet;

use serde_json::Value;

use super::model::TABLE;

/// What else filters here, each with what it means; `chains` as [`crate::nft::Nft::chains`] gives them.
pub fn conflicts(chains: &[Value]) -> Vec<String> {
    let mut told = BTreeSet::new();
    for chain in chains.iter().map(|object| &object["chain"]) {
        let word = |key: &str| chain[key].as_str().unwrap_or_default();
        let (family, table, name) = (word("family"), word("table"), word("name"));
        if table == TABLE {
            continue;
        }
        if let Some(known) = known(table, name) {
            told.insert(known.to_owned());
        } else if word("hook") == "input" && word("policy") == "drop" {
            let place = format!("chain {name} of table {family} {table}");
            told.insert(format!(
                "{place} drops what it does not accept itself, whatever is open here"
            ));
        }
    }
    told.into_iter().collect()
}

/// Firewalls by the names of their tables and chains.
fn known(table: &str, chain: &str) -> Option<&'static str> {
    let begins = |word: &str| chain.starts_with(word);
    if table == "firewalld" {
        return Some(
            "firewalld filters too: a service must be open in both; `systemctl disable --now firewalld` stands it down",
        );
    }
    if begins("ufw-") || begins("ufw6-") {
        return Some(
            "ufw filters too: a service must be open in both; `ufw disable` stands it down",
        );
    }
    if begins("fpbx") {
        return Some(
            "FreePBX's firewall filters too: a service must be open in both; `fwconsole firewall stop` stands it down",
        );
    }
    if begins("DOCKER") {
        return Some(
            "Docker forwards to its containers: published ports are not for this host, and its input rules do not see \
             them; name the containers' addresses in `protect`",
        );
    }
    if begins("f2b-") || table.starts_with("f2b-") {
        return Some("fail2ban bans too: it does not get in the way, and bans what it sees");
    }
    None
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn others_are_told_and_ours_is_not() {
        let chain = |family: &str, table: &str, name: &str, policy: &str| {
            let hook = if name == "x" { "output" } else { "input" };
            json!({ "chain": { "family": family, "table": table, "name": name, "hook": hook, "policy": policy } })
        };
        let chains = [
            chain("inet", TABLE, "input", "drop"),
            chain("inet", "firewalld", "filter_INPUT", "accept"),
            chain("ip", "filter", "INPUT", "drop"),
            chain("ip", "filter", "ufw-user-input", "accept"),
            chain("ip", "filter", "x", "drop"),
            chain("ip", "mine", "in", "accept"),
            json!({ "chain": { "family": "ip", "table": "filter", "name": "DOCKER-USER" } }),
            json!({ "chain": { "family": "ip", "table": "filter", "name": "DOCKER" } }),
        ];
        let told = conflicts(&chains);
        assert_eq!(told.len(), 4, "{told:?}");
        for part in [
            "firewalld",
            "chain INPUT of table ip filter",
            "ufw disable",
            "`protect`",
        ] {
            assert!(
                told.iter().any(|line| line.contains(part)),
                "{part}: {told:?}"
            );
        }
    }
}
