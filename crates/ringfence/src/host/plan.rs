//! From the configuration to the rules.

use ipnet::IpNet;

use super::icmp;
use super::model::{
    Action, AddressSet, Base, Chain, End, FORWARD, Family, Hook, INPUT, LiveSet, Match, Rule,
    Ruleset, State,
};
use super::parts::{accept, jump, link_local, set};
use super::pinholes;
use super::ranges;
use super::services::{self, Services};
use crate::config::{Config, Mode, Protocol, Refuse};
use crate::country::CountryData;
use crate::net::TcpSession;
use crate::store::ListKind;
use crate::tables::Inputs;

/// The chain that accepts what is for any service.
pub(super) const EVERY: &str = "every_service";
/// The chain that looks at ICMP.
const ICMP: &str = "icmp_types";
/// The chain of the services.
const SERVICES: &str = "services";
/// The chain of the addresses behind this host.
const PROTECTED: &str = "protected";
/// The chain that refuses.
pub(super) const REFUSE: &str = "refuse";

/// Errors sent in a second, and at once: a flood gets no more answers than that.
const ERRORS: (u32, u32) = (200, 400);

/// What the rules are made of beside the file.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// The operator's lists and countries; the rest of it is not looked at.
    pub inputs: Inputs,
    /// Private nets, each with the interface that has a route to it.
    pub neighbours: Vec<(String, IpNet)>,
    /// TCP sessions that are up.
    pub sessions: Vec<TcpSession>,
}

/// Makes the rules. Pure.
pub fn plan(config: &Config, facts: &Facts, data: &CountryData) -> Ruleset {
    let mut plan = Plan {
        shadow: config.mode == Mode::Shadow,
        rules: Ruleset::default(),
    };
    let sessions = facts.sessions.iter();
    let sessions = sessions.map(|session| (session.remote, session.local));
    plan.rules.sessions = sessions.collect();
    plan.lists(config, facts);
    let services = services::compile(&mut plan, config, facts, data);
    let media = match config.host.pinholes {
        true => Some(pinholes::media(&mut plan, config, facts)),
        false => None,
    };
    plan.chains(config, services, media);
    plan.rules
}

/// The rules as far as they are made.
pub(super) struct Plan {
    shadow: bool,
    rules: Ruleset,
}

impl Plan {
    /// Adds a set. One without addresses is there too, and matches nothing.
    pub(super) fn set(&mut self, set: AddressSet) {
        self.rules.sets.push(set);
    }

    /// Adds a live set.
    pub(super) fn live(&mut self, set: LiveSet) {
        self.rules.live.push(set);
    }

    /// The name of a counter of what is, or in shadow mode would be, refused.
    pub(super) fn counter(&mut self, name: &str) -> String {
        let name = match self.shadow {
            true => format!("would-{name}"),
            false => name.to_owned(),
        };
        if !self.rules.counters.contains(&name) {
            self.rules.counters.push(name.clone());
        }
        name
    }

    /// A rule that counts, and drops; in shadow mode it accepts.
    pub(super) fn dropping(&mut self, counter: &str, matches: Vec<Match>, comment: &str) -> Rule {
        Rule {
            matches,
            counter: Some(self.counter(counter)),
            action: match self.shadow {
                true => Action::Accept,
                false => Action::Drop,
            },
            comment: comment.into(),
        }
    }

    fn lists(&mut self, config: &Config, facts: &Facts) {
        let entries = |kind: ListKind| {
            let own = match kind {
                ListKind::Permit => &config.permit,
                ListKind::Deny => &config.deny,
            };
            let own = own.iter().map(|entry| entry.range);
            own.chain(facts.inputs.ranges(kind))
                .map(|range| ranges::of_list(&range))
                .collect::<Vec<_>>()
        };
        let protected = config.protect.iter().map(ranges::of_list).collect();
        let mut lists = vec![
            (
                "denied",
                entries(ListKind::Deny),
                "sources on the deny lists",
            ),
            (
                "permitted",
                entries(ListKind::Permit),
                "sources on the permit lists",
            ),
        ];
        if !config.protect.is_empty() {
            lists.push(("protected", protected, "destinations of `protect`"));
        }
        if config.host.pinholes {
            let peers = pinholes::peers(config, &facts.inputs);
            lists.push(("peers", peers, "trunks and proxies"));
        }
        for (name, all, comment) in lists {
            for family in Family::ALL {
                self.set(AddressSet {
                    name: format!("{name}{}", family.number()),
                    family,
                    ranges: ranges::merged(all.iter().copied(), family),
                    comment: comment.into(),
                    countries: false,
                });
            }
        }
    }

    fn chains(&mut self, config: &Config, services: Services, media: Option<Vec<Rule>>) {
        let refuse = self.refuse(config.host.refuse);
        let icmp = icmp::rules(self);
        let every = services.every;
        let neighbours = services.rules;
        let input = self.input(config);
        self.chain(REFUSE, None, refuse);
        self.chain(EVERY, None, every);
        self.chain(ICMP, None, icmp);
        self.chain(SERVICES, None, neighbours);
        if let Some(media) = media {
            self.chain(pinholes::MEDIA, None, media);
        }
        if !config.protect.is_empty() {
            let protected = self.protected(config);
            self.chain(PROTECTED, None, protected);
        }
        let base = Base {
            hook: Hook::Input,
            drop: !self.shadow,
        };
        self.chain(INPUT, Some(base), input);
        if !config.protect.is_empty() {
            let base = Base {
                hook: Hook::Forward,
                drop: false,
            };
            let forward = Family::ALL.map(|family| {
                jump(
                    vec![set(End::Destination, "protected", family)],
                    PROTECTED,
                    "for an address that is protected here",
                )
            });
            self.chain(FORWARD, Some(base), forward.into());
        }
    }

    fn chain(&mut self, name: &str, base: Option<Base>, rules: Vec<Rule>) {
        self.rules.chains.push(Chain {
            name: name.into(),
            base,
            rules,
        });
    }

    /// What is for this host, from the first question to the last.
    fn input(&mut self, config: &Config) -> Vec<Rule> {
        let local = accept(vec![Match::Interface("lo".into())], "this host to itself");
        let mut rules = vec![local];
        rules.extend(self.known(config));
        rules.push(accept(
            vec![
                Match::Family(Family::V4),
                Match::Port(End::Source, Protocol::Udp, vec![(67, 67)]),
                Match::Port(End::Destination, Protocol::Udp, vec![(68, 68)]),
            ],
            "answers of a DHCP server (RFC 2131)",
        ));
        rules.push(accept(
            vec![
                Match::Address(End::Source, link_local()),
                Match::Port(End::Destination, Protocol::Udp, vec![(546, 546)]),
            ],
            "answers of a DHCPv6 server (RFC 8415)",
        ));
        rules.extend(self.open(config));
        let noise = "broadcast and multicast that nobody here asked for";
        let noise = self.dropping("noise", vec![Match::ToMany], noise);
        rules.push(noise);
        rules.push(self.last());
        rules
    }

    /// What is for a protected address behind this host.
    fn protected(&mut self, config: &Config) -> Vec<Rule> {
        let mut rules = self.known(config);
        rules.extend(self.open(config));
        rules.push(self.last());
        rules
    }

    /// What the lists and the connection tracking say, and ICMP.
    fn known(&mut self, config: &Config) -> Vec<Rule> {
        let mut rules: Vec<_> = Family::ALL
            .into_iter()
            .map(|family| {
                let matches = vec![set(End::Source, "denied", family)];
                self.dropping("denied", matches, "denied sources")
            })
            .collect();
        if config.host.pinholes {
            rules.extend(pinholes::watching(config));
        }
        let states = vec![State::Established, State::Related];
        rules.push(accept(
            vec![Match::State(states)],
            "connections that are up, and what belongs to them",
        ));
        rules.extend(Family::ALL.map(|family| {
            accept(
                vec![Match::Up(family)],
                "sessions that were up before the connection tracking saw them",
            )
        }));
        let invalid = vec![Match::State(vec![State::Invalid])];
        rules.push(self.dropping(
            "invalid",
            invalid,
            "part of no connection that it could be of",
        ));
        rules.push(jump(Vec::new(), ICMP, "ICMP and ICMPv6"));
        rules
    }

    /// Services and media.
    fn open(&mut self, config: &Config) -> Vec<Rule> {
        let mut rules = vec![jump(Vec::new(), SERVICES, "the services")];
        if let Some(rtp) = config.host.rtp {
            let ports = vec![(rtp.first, rtp.last)];
            let media = vec![Match::Port(End::Destination, Protocol::Udp, ports)];
            rules.push(match config.host.pinholes {
                true => jump(
                    media,
                    pinholes::MEDIA,
                    "media (RTP), from who has a part in it",
                ),
                false => accept(media, "media (RTP)"),
            });
        }
        rules
    }

    fn last(&mut self) -> Rule {
        Rule {
            matches: Vec::new(),
            counter: Some(self.counter("refused")),
            action: Action::Goto(REFUSE.into()),
            comment: "all else".into(),
        }
    }

    fn refuse(&self, how: Refuse) -> Vec<Rule> {
        if self.shadow {
            return vec![accept(
                Vec::new(),
                "shadow mode: it was counted, and passes",
            )];
        }
        let drop = Rule {
            matches: Vec::new(),
            counter: None,
            action: Action::Drop,
            comment: match how {
                Refuse::Reject => "more than that hears nothing".into(),
                Refuse::Drop => "it hears nothing".into(),
            },
        };
        match how {
            Refuse::Drop => vec![drop],
            Refuse::Reject => {
                let reject = Rule {
                    matches: vec![Match::Rate(ERRORS.0, ERRORS.1)],
                    counter: None,
                    action: Action::Reject,
                    comment: "it hears that this is administratively prohibited".into(),
                };
                vec![reject, drop]
            }
        }
    }
}
