//! The host's firewall: whether it can work, what it would shut, and who else filters.

use std::collections::BTreeSet;

use super::finding::{Finding, State, finding};
use crate::config::{Config, Protocol};
use crate::host::conflicts;
use crate::net::{self, Heard};
use crate::nft::Nft;

/// Ports that are open to this host as a client of DHCP and DHCPv6.
const CLIENT: [u16; 2] = [68, 546];
/// Sockets that are named at most.
const SHOWN: usize = 12;

/// Looks at it. Nothing is changed.
pub(super) fn look(config: &Config) -> Vec<Finding> {
    let heard = net::hearing().map_err(|error| error.to_string());
    let shut = heard.as_ref().map(|heard| shut(config, heard));
    if !config.host.enable {
        let mut found = "off: nothing of nftables is touched".to_owned();
        if let Ok(shut) = &shut
            && !shut.is_empty()
        {
            found.push_str(&format!(
                "; switched on, it would shut what no service names: {}",
                named(shut)
            ));
        }
        return vec![finding("host firewall", State::Fine, found, "")];
    }
    let nft = Nft::default();
    let mut findings = vec![match nft.works() {
        Ok(version) => finding(
            "host firewall",
            State::Fine,
            format!("nft {version} works here"),
            "",
        ),
        Err(error) => finding(
            "host firewall",
            State::Problem,
            error.to_string(),
            "see to that, or set enable = false in [host]",
        ),
    }];
    findings.push(match shut {
        Ok(shut) if shut.is_empty() => finding(
            "listening sockets",
            State::Fine,
            "each belongs to a service".to_owned(),
            "",
        ),
        Ok(shut) => finding(
            "listening sockets",
            State::Note,
            format!(
                "shut to others, since no service names them: {}",
                named(&shut)
            ),
            "add a [[service]] of the kind \"plain\" for those that others shall reach",
        ),
        Err(error) => finding(
            "listening sockets",
            State::Note,
            error.clone(),
            "run it as root",
        ),
    });
    let chains = nft.chains().unwrap_or_default();
    findings.extend(conflicts(&chains).into_iter().map(|text| {
        let remedy = "nothing is changed for you: decide which of them filters";
        finding("other firewalls", State::Note, text, remedy)
    }));
    findings
}

/// The sockets that no service names.
fn shut<'h>(config: &Config, heard: &'h BTreeSet<Heard>) -> Vec<&'h Heard> {
    let services = config.services.iter().flat_map(|service| &service.ports);
    let open: Vec<_> = services.chain(&config.host.rtp).collect();
    let client = |one: &Heard| one.protocol == Protocol::Udp && CLIENT.contains(&one.port);
    heard
        .iter()
        .filter(|one| !client(one))
        .filter(|one| {
            !open
                .iter()
                .any(|range| range.contains(one.protocol, one.port))
        })
        .collect()
}

fn named(shut: &[&Heard]) -> String {
    let each = shut.iter().take(SHOWN).map(|one| {
        let program = one.program.as_ref();
        let program = program.map(|name| format!(" ({name})"));
        format!(
            "{}/{}{}",
            one.protocol,
            one.port,
            program.unwrap_or_default()
        )
    });
    let mut text = each.collect::<Vec<_>>().join(", ");
    if let Some(more @ 1..) = shut.len().checked_sub(SHOWN) {
        text.push_str(&format!(" and {more} more"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_service_names_is_named() {
        let heard = |protocol, port, program: &str| Heard {
            protocol,
            port,
            program: Some(program.into()),
        };
        let all = BTreeSet::from([
            heard(Protocol::Udp, 5060, "asterisk"),
            heard(Protocol::Udp, 68, "dhclient"),
            heard(Protocol::Udp, 10001, "asterisk"),
            heard(Protocol::Udp, 69, "in.tftpd"),
            heard(Protocol::Tcp, 3306, "mariadbd"),
        ]);
        let config = Config::parse("[host]\nenable = true\nrtp = \"10000-10010\"", "test").unwrap();
        assert_eq!(
            named(&shut(&config, &all)),
            "udp/69 (in.tftpd), tcp/3306 (mariadbd)"
        );
        let many: BTreeSet<_> = (1..=20)
            .map(|port| heard(Protocol::Tcp, port, "x"))
            .collect();
        assert!(named(&shut(&config, &many)).ends_with("tcp/12 (x) and 8 more"));
    }
}
