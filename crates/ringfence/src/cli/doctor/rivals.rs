//! Other firewalls on this host: who decides what, in which order packets meet them, and how each is stood down.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use super::finding::{Finding, State, finding};
use crate::coexist::{Chains, chains, output};

/// What is seen of other firewalls.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// The names of all processes.
    pub(super) processes: BTreeSet<String>,
    /// Chains of iptables, of IPv4.
    chains: Chains,
    /// Tables of nftables that iptables did not make: family and name.
    tables: Vec<(String, String)>,
    /// Whether CSF is installed and not disabled.
    csf: bool,
}

impl Seen {
    /// Looks around; what may not be seen without root is left out.
    pub(super) fn look(processes: BTreeSet<String>) -> Self {
        let rules = output("iptables-save", ["-t", "filter"]);
        let json = output("nft", ["-j", "list", "tables"]);
        Self {
            processes,
            chains: chains(&rules.unwrap_or_default()),
            tables: tables(&json.unwrap_or_default()),
            csf: Path::new("/etc/csf/csf.conf").is_file()
                && !Path::new("/etc/csf/csf.disable").exists(),
        }
    }

    fn runs(&self, process: &str) -> bool {
        self.processes.contains(process)
    }

    fn table(&self, family: &str, name: &str) -> bool {
        let known = |table: &(String, String)| table.0 == family && table.1 == name;
        self.tables.iter().any(known)
    }

    fn chain(&self, starts: &[&str]) -> bool {
        let known = |start: &&str| self.chains.beginning(start).next().is_some();
        starts.iter().any(known)
    }
}

/// The tables of `nft -j list tables`. Those with names of iptables' own are what iptables-save shows.
fn tables(json: &str) -> Vec<(String, String)> {
    const IPTABLES: [&str; 5] = ["filter", "nat", "mangle", "raw", "security"];
    let all: Value = serde_json::from_str(json).unwrap_or_default();
    let each = all["nftables"].as_array().into_iter().flatten();
    let named = each.filter_map(|entry| {
        let table = &entry["table"];
        let (family, name) = (table["family"].as_str()?, table["name"].as_str()?);
        let legacy = matches!(family, "ip" | "ip6") && IPTABLES.contains(&name);
        (!legacy).then(|| (family.to_owned(), name.to_owned()))
    });
    named.collect()
}

/// A firewall, whether it is there, what it decides, and how it is stood down.
struct Rival {
    name: &'static str,
    there: fn(&Seen) -> bool,
    decides: &'static str,
    remedy: &'static str,
}

const RIVALS: [Rival; 8] = [
    Rival {
        name: "FreePBX Firewall",
        there: |seen| {
            seen.chains.has("fpbxfirewall")
                || seen.table("inet", "fpbx")
                || seen.runs("voipfirewalld")
        },
        decides: "its zones decide which service who reaches, its Responsive Firewall (chain fpbxrfw) how often strangers \
                  may register",
        remedy: "both may stay: what Ringfence admits, its zones must admit too. To have Ringfence decide alone: \
                 `ringfence import freepbx`, then `fwconsole firewall disable`; that opens the web and SSH as well, so \
                 have services for them first",
    },
    Rival {
        name: "fail2ban",
        there: |seen| {
            seen.runs("fail2ban-server")
                || seen.chain(&["f2b-", "fail2ban-"])
                || seen.table("inet", "f2b-table")
        },
        decides: "it bans by logs, after the fact; what Ringfence drops is in no log, so it sees less",
        remedy: "keep it for SSH and the web, which Ringfence never bans. For SIP: `ringfence import fail2ban`, then \
                 `fail2ban-client stop JAIL` for each jail of Asterisk (`fail2ban-client status` names them; FreePBX: \
                 asterisk-iptables) and enabled = false for it in /etc/fail2ban/jail.local; all of it: \
                 `systemctl disable --now fail2ban`",
    },
    Rival {
        name: "CSF",
        there: |seen| seen.csf || seen.runs("lfd"),
        decides: "its lists and open ports decide after Ringfence, for all of this host",
        remedy: "open the ports of calls in TCP_IN and UDP_IN of /etc/csf/csf.conf, or stand it down: \
                 `ringfence import csf`, then `csf -x`",
    },
    Rival {
        name: "ufw",
        there: |seen| seen.chain(&["ufw-"]),
        decides: "it opens and shuts ports after Ringfence",
        remedy: "it may stay: have it allow the ports of calls (`ufw allow 5060/udp`); `ufw disable` stands it down",
    },
    Rival {
        name: "firewalld",
        there: |seen| seen.runs("firewalld") || seen.table("inet", "firewalld"),
        decides: "its zones open and shut ports after Ringfence",
        remedy: "it may stay: have its zone allow the ports of calls (`firewall-cmd --add-service=sip`); \
                 `systemctl disable --now firewalld` stands it down",
    },
    Rival {
        name: "CrowdSec",
        there: |seen| seen.runs("crowdsec"),
        decides: "its bouncer bans after Ringfence",
        remedy: "nothing to do; `systemctl disable --now crowdsec` stands it down",
    },
    Rival {
        name: "Suricata or Snort",
        there: |seen| seen.runs("Suricata-Main") || seen.runs("suricata") || seen.runs("snort"),
        decides: "it looks at what passes Ringfence, and may drop more where it stands in line",
        remedy: "nothing to do",
    },
    Rival {
        name: "Docker",
        there: |seen| {
            seen.runs("dockerd") || seen.chains.has("DOCKER") || seen.table("ip", "docker-bridges")
        },
        decides: "it leads published ports on to containers after Ringfence, which sees them by their port on this host",
        remedy: "have the services name the published ports; where a container has an interface of its own, guard that",
    },
];

/// A line on the order, and one for each that is there.
pub(super) fn rivals(seen: &Seen) -> Vec<Finding> {
    let there: Vec<&Rival> = RIVALS.iter().filter(|rival| (rival.there)(seen)).collect();
    if there.is_empty() {
        let found = "none known is at work".to_owned();
        return vec![finding("other filters", State::Fine, found, "")];
    }
    let names: Vec<&str> = there.iter().map(|rival| rival.name).collect();
    let order = format!(
        "packets meet Ringfence first (XDP), then nftables and iptables ({}), then the server; each sees only what those \
         before it pass",
        names.join(", ")
    );
    let mut findings = vec![finding("order", State::Fine, order, "")];
    findings.extend(there.into_iter().map(|rival| {
        let found = rival.decides.to_owned();
        finding(rival.name, State::Note, found, rival.remedy)
    }));
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(seen: &Seen) -> Vec<String> {
        rivals(seen).into_iter().map(|found| found.what).collect()
    }

    #[test]
    fn each_is_known_by_its_marks() {
        assert_eq!(named(&Seen::default()), ["other filters"]);
        for (rules, expected) in [
            (
                ":fpbxfirewall - [0:0]\n:zone-trusted - [0:0]\n",
                "FreePBX Firewall",
            ),
            (":fail2ban-SIP - [0:0]\n", "fail2ban"),
            (":f2b-asterisk - [0:0]\n", "fail2ban"),
            (":ufw-user-input - [0:0]\n", "ufw"),
            (":DOCKER - [0:0]\n", "Docker"),
        ] {
            let seen = Seen {
                chains: chains(rules),
                ..Seen::default()
            };
            assert_eq!(named(&seen), ["order", expected]);
        }
        for (process, expected) in [
            ("fail2ban-server", "fail2ban"),
            ("firewalld", "firewalld"),
            ("lfd", "CSF"),
            ("crowdsec", "CrowdSec"),
        ] {
            let seen = Seen {
                processes: BTreeSet::from([process.to_owned()]),
                ..Seen::default()
            };
            assert_eq!(named(&seen), ["order", expected]);
        }
    }

    #[test]
    fn tables_of_nftables() {
        let json = r#"{"nftables": [{"metainfo": {"version": "1.0.6"}},
            {"table": {"family": "ip", "name": "filter", "handle": 1}},
            {"table": {"family": "inet", "name": "fpbx", "handle": 2}},
            {"table": {"family": "inet", "name": "filter", "handle": 3}}]}"#;
        let tables = tables(json);
        assert_eq!(tables.len(), 2, "{tables:?}");
        let seen = Seen {
            tables,
            ..Seen::default()
        };
        let found = rivals(&seen);
        assert_eq!(found[1].what, "FreePBX Firewall");
        assert!(found[1].remedy.contains("fwconsole firewall disable"));
        assert!(found.iter().skip(1).all(|one| one.state == State::Note));
        assert_eq!(super::tables("no json"), []);
    }
}
