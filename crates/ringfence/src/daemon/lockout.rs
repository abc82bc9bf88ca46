//! Whether a policy would lock the administrator out.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use anyhow::{Result, bail};
use ringfence_core::country::CountryTable;
use ringfence_core::hash::Key;
use ringfence_core::packet::Link;
use ringfence_core::reason::{Action, Reason};

use crate::engine::memory::Memory;
use crate::net::{self, Route};
use crate::tables::Generation;

/// The place of an interface that no list names.
const ANY: u32 = 31;

/// Judges what the administrator's sessions and the routers would send under this policy. `waiting` are the permitted names
/// that have no address yet.
pub fn check(
    generation: Generation,
    countries: Box<CountryTable>,
    key: Key,
    routes: &[Route],
    waiting: &[String],
) -> Result<()> {
    let ports = net::sshd_ports().unwrap_or_else(|_| vec![22]);
    let mut sessions = net::ssh_sessions(&ports).unwrap_or_default();
    sessions.extend(net::ssh_connection());
    let mut asked: Vec<_> = sessions
        .iter()
        .map(|session| (session.remote, session.local))
        .collect();
    asked.extend(net::default_gateways(routes).into_iter().map(|router| {
        let here: IpAddr = if router.is_ipv4() {
            [192, 0, 2, 1].into()
        } else {
            std::net::Ipv6Addr::LOCALHOST.into()
        };
        (
            SocketAddr::new(router, 1024),
            SocketAddr::new(here, ports.first().copied().unwrap_or(22)),
        )
    }));
    let mut memory = Memory::new(generation, countries, key);
    let dropped = asked
        .into_iter()
        .filter(|(from, _)| !from.ip().is_loopback())
        .filter_map(|(from, to)| {
            let verdict = memory.judge(1_000_000_000, ANY, Link::RawIp, &segment(from, to));
            let reason = verdict.reason();
            (reason.action() == Action::Drop).then(|| (from.ip(), reason))
        });
    let names = match waiting {
        [] => String::new(),
        names => format!(
            " ({} in `permit` has no address yet: see whether the name servers answer)",
            names.join(", ")
        ),
    };
    match advice(dropped) {
        None => Ok(()),
        Some(advice) => bail!(
            "this policy would drop your SSH session or your router{names}; {advice}, or go on with --yes"
        ),
    }
}

/// What to change for those that would be dropped; `None` where nobody is. Deny beats permit: an
/// entry in `permit` would not help against one in `deny`.
fn advice(dropped: impl Iterator<Item = (IpAddr, Reason)>) -> Option<String> {
    let (mut denied, mut missing) = (BTreeSet::new(), BTreeSet::new());
    for (address, reason) in dropped {
        match reason {
            Reason::Denied => denied.insert(address.to_string()),
            _ => missing.insert(format!("\"{address}\"")),
        };
    }
    let list = |set: BTreeSet<String>| set.into_iter().collect::<Vec<_>>().join(", ");
    let mut parts = Vec::new();
    if !denied.is_empty() {
        parts.push(format!(
            "remove what holds {} from `deny` in the configuration or with `ringfence deny remove`",
            list(denied)
        ));
    }
    if !missing.is_empty() {
        parts.push(format!(
            "add `permit = [{}]` to the configuration",
            list(missing)
        ));
    }
    (!parts.is_empty()).then(|| parts.join(" and "))
}

/// A TCP SYN, from its IP header on. Checksums are not looked at.
fn segment(from: SocketAddr, to: SocketAddr) -> Vec<u8> {
    let mut packet = match (from.ip(), to.ip()) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            let mut header = vec![0x45, 0, 0, 40, 0, 1, 0, 0, 64, 6, 0, 0];
            header.extend(source.octets());
            header.extend(destination.octets());
            header
        }
        (source, destination) => {
            let six = |ip: IpAddr| match ip {
                IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
                IpAddr::V6(v6) => v6.octets(),
            };
            let mut header = vec![0x60, 0, 0, 0, 0, 20, 6, 64];
            header.extend(six(source));
            header.extend(six(destination));
            header
        }
    };
    packet.extend(from.port().to_be_bytes());
    packet.extend(to.port().to_be_bytes());
    packet.extend([0, 0, 0, 1, 0, 0, 0, 0, 0x50, 0x02, 0xff, 0xff, 0, 0, 0, 0]);
    packet
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_denied_are_told_apart() {
        let one: IpAddr = [192, 0, 2, 1].into();
        let two: IpAddr = [192, 0, 2, 2].into();
        assert_eq!(advice([].into_iter()), None);
        let denied = advice([(one, Reason::Denied), (one, Reason::Denied)].into_iter()).unwrap();
        assert!(
            denied.contains("remove what holds 192.0.2.1 from `deny`"),
            "{denied}"
        );
        assert!(!denied.contains("permit ="), "{denied}");
        let both = advice([(one, Reason::Denied), (two, Reason::Country)].into_iter()).unwrap();
        assert!(both.contains("from `deny`"), "{both}");
        assert!(
            both.ends_with("add `permit = [\"192.0.2.2\"]` to the configuration"),
            "{both}"
        );
    }
}
