//! What pinholes are as rules and sets.

use super::super::model::{Action, End, Family, LiveSet, Match, Range, Rule};
use super::super::parts::{accept, set};
use super::super::plan::{Facts, Plan, REFUSE};
use super::super::ranges;
use super::super::services::{by_protocol, from_neighbours};
use crate::config::{Config, Host, Kind};
use crate::tables::Inputs;

/// The chain that decides about media.
pub(in super::super) const MEDIA: &str = "media_range";
/// The live sets of addresses that may send media from any port.
pub(super) const ADDRESSES: &str = "media";
/// The live sets of addresses and ports that an SDP named.
pub(super) const STREAMS: &str = "streams";
/// The group of netfilter's log by which the daemon gets copies of SIP.
pub(super) const GROUP: u16 = 20_600;

/// Elements that a set of addresses has room for.
const MOST_ADDRESSES: u32 = 131_072;
/// The same for addresses with ports: twice what the daemon opens, since the kernel lets go of them when it comes to it.
const MOST_STREAMS: u32 = 131_072;
/// No SIP message with an SDP is shorter, IP header included.
const SHORT: u16 = 200;
/// Copies in a second, and at once: a flood costs the daemon no more than that.
const COPIES: (u32, u32) = (1_000, 2_000);

/// Adds the live sets, and makes the rules for what goes to the ports of media.
pub(in super::super) fn media(plan: &mut Plan, config: &Config, facts: &Facts) -> Vec<Rule> {
    let mut rules: Vec<_> = from_neighbours(config, facts)
        .map(|(matches, comment)| accept(matches, &comment))
        .collect();
    for (name, comment) in [
        ("permitted", "permitted sources"),
        ("peers", "trunks and proxies"),
        (ADDRESSES, "who is registered, or answers this host"),
    ] {
        rules.extend(Family::ALL.map(|of| accept(vec![set(End::Source, name, of)], comment)));
    }
    let named = "what an SDP named";
    rules.extend(Family::ALL.map(|of| accept(vec![Match::Stream(STREAMS, of)], named)));
    rules.push(Rule {
        matches: Vec::new(),
        counter: Some(plan.counter("rtp-refused")),
        action: Action::Goto(REFUSE.into()),
        comment: "nobody else sends media".into(),
    });
    for family in Family::ALL {
        plan.live(LiveSet {
            name: ADDRESSES,
            family,
            ports: false,
            room: MOST_ADDRESSES,
            comment: "who is registered, or answers this host: filled by the daemon",
        });
        plan.live(LiveSet {
            name: STREAMS,
            family,
            ports: true,
            room: MOST_STREAMS,
            comment: "addresses and ports that an SDP named: filled by the daemon",
        });
    }
    rules
}

/// The rules that give the daemon copies of what may hold an SDP. The fence has judged it before.
pub(in super::super) fn watching(config: &Config) -> Vec<Rule> {
    let sip = config.services.iter().filter(|s| s.kind == Kind::Sip);
    let ports = by_protocol(sip.flat_map(|service| &service.ports));
    let mut rules = Vec::new();
    for (protocol, ports) in ports {
        let matches = vec![
            Match::Port(End::Destination, protocol, ports),
            Match::Longer(SHORT),
            Match::Rate(COPIES.0, COPIES.1),
        ];
        // Elsewhere the fence has judged nothing.
        let places: Vec<Vec<Match>> = match config.protect.is_empty() {
            true => vec![matches],
            false => Family::ALL
                .map(|of| {
                    [
                        vec![set(End::Destination, "protected", of)],
                        matches.clone(),
                    ]
                    .concat()
                })
                .into(),
        };
        rules.extend(places.into_iter().map(|matches| Rule {
            matches,
            counter: None,
            action: Action::Copy(GROUP),
            comment: "the daemon reads of SIP where media will come from".into(),
        }));
    }
    rules
}

/// The addresses of trunks, as far as their names are resolved, and of proxies.
pub(in super::super) fn peers(config: &Config, inputs: &Inputs) -> Vec<Range> {
    let mut all = Vec::new();
    for host in config.trunks.iter().flat_map(|trunk| &trunk.hosts) {
        match host {
            Host::Range(range) => all.push(ranges::of_list(range)),
            Host::Name(name) => {
                let resolved = inputs.resolved.get(name).into_iter().flatten();
                all.extend(resolved.map(|address| {
                    let address = address.to_canonical();
                    (address, address)
                }));
            }
        }
    }
    let proxies = config.proxies.iter().flat_map(|proxy| &proxy.addresses);
    all.extend(proxies.map(ranges::of_list));
    all
}
