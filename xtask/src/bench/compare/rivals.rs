//! The filters that an administrator would write with iptables and nftables.

use std::fmt::Write as _;
use std::net::Ipv4Addr;

use anyhow::Result;

use super::place::{GUARDED, Place, feed};
use super::traffic::{DOMAIN, World};

/// What scanners call themselves.
const SCANNERS: [&str; 7] = [
    "friendly-scanner",
    "sipvicious",
    "sundayddr",
    "sipcli",
    "pplsip",
    "VaxSIPUserAgent",
    "sip-scan",
];

/// The set of a careful administrator: a list and countries as sets, connection tracking, names of scanners, a rate
/// for each source, and the domain.
pub fn iptables(place: &Place, world: &World) -> Result<()> {
    let mut sets = String::from(
        "create listed hash:ip hashsize 16384 maxelem 131072\n\
         create countries hash:net hashsize 524288 maxelem 1000000\n",
    );
    for address in &world.listed {
        writeln!(sets, "add listed {} -exist", Ipv4Addr::from(*address))?;
    }
    for (first, last) in &world.ranges {
        let (first, last) = (Ipv4Addr::from(*first), Ipv4Addr::from(*last));
        writeln!(sets, "add countries {first}-{last} -exist")?;
    }
    feed(place.command("ipset").arg("restore"), &sets)?;
    let mut rules = String::from(
        "*raw\n\
         -A PREROUTING -m set --match-set listed src -j DROP\n\
         COMMIT\n\
         *filter\n\
         :SIP -\n\
         -A INPUT -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT\n\
         -A INPUT -p udp --dport 5060 -j SIP\n\
         -A SIP -m set ! --match-set countries src -j DROP\n",
    );
    for name in SCANNERS {
        writeln!(rules, "-A SIP -m string --algo bm --string {name} -j DROP")?;
    }
    write!(
        rules,
        "-A SIP -m hashlimit --hashlimit-above 2/sec --hashlimit-burst 5 --hashlimit-mode srcip --hashlimit-name sip \
         --hashlimit-htable-size 65536 --hashlimit-htable-max 1000000 -j DROP\n\
         -A SIP -m string --algo bm --string {DOMAIN} -j ACCEPT\n\
         -A SIP -j DROP\n\
         COMMIT\n"
    )?;
    feed(&mut place.command("iptables-restore"), &rules)
}

/// The cheapest place that nftables has: the ingress hook, before connection tracking. It cannot search a payload, so
/// that neither scanners nor the domain are looked for.
pub fn nftables(place: &Place, world: &World) -> Result<()> {
    let listed: Vec<_> = world
        .listed
        .iter()
        .map(|it| Ipv4Addr::from(*it).to_string())
        .collect();
    let countries: Vec<_> = world
        .ranges
        .iter()
        .map(|(first, last)| format!("{}-{}", Ipv4Addr::from(*first), Ipv4Addr::from(*last)))
        .collect();
    let rules = format!(
        "table netdev fence {{\n\
         set listed {{ type ipv4_addr; elements = {{ {} }}; }}\n\
         set countries {{ type ipv4_addr; flags interval; auto-merge; elements = {{ {} }}; }}\n\
         set rates {{ type ipv4_addr; flags dynamic,timeout; timeout 60s; size 1000000; }}\n\
         chain ingress {{ type filter hook ingress device \"{GUARDED}\" priority -500;\n\
         ip saddr @listed drop\n\
         udp dport != 5060 accept\n\
         ip saddr != @countries drop\n\
         update @rates {{ ip saddr limit rate over 2/second burst 5 packets }} drop\n\
         }}\n}}\n",
        listed.join(", "),
        countries.join(", ")
    );
    feed(place.command("nft").args(["-f", "-"]), &rules)
}
