//! The services, and who reaches them.

use std::collections::BTreeMap;

use super::model::{Action, AddressSet, Addresses, End, Family, Match, Range, Rule};
use super::parts::{accept, jump, set};
use super::plan::{EVERY, Facts, Plan, REFUSE};
use super::ranges;
use crate::config::{Admission, Config, Kind, MessageClass, Protocol, Service};
use crate::country::{CountryData, CountrySet};
use crate::tables;

/// The services as rules.
pub(super) struct Services {
    /// Of the chain that decides about a source.
    pub rules: Vec<Rule>,
    /// Of the chain that every service is open in.
    pub every: Vec<Rule>,
}

/// Makes the rules, and the sets of countries that they need.
pub(super) fn compile(
    plan: &mut Plan,
    config: &Config,
    facts: &Facts,
    data: &CountryData,
) -> Services {
    let mut rules: Vec<Rule> = from_neighbours(config, facts)
        .map(|(matches, comment)| jump(matches, EVERY, &comment))
        .collect();
    rules.extend(Family::ALL.map(|family| {
        jump(
            vec![set(End::Source, "permitted", family)],
            EVERY,
            "permitted sources reach every service",
        )
    }));
    let mut known = BTreeMap::new();
    for service in &config.services {
        let whom = whom(service, config);
        let countries = match whom {
            Whom::Countries => {
                let admitted = tables::countries(config, &facts.inputs, service);
                Some(country_sets(plan, &mut known, &admitted, data))
            }
            _ => None,
        };
        for (protocol, ports) in by_protocol(&service.ports) {
            let ports = Match::Port(End::Destination, protocol, ports);
            rules.extend(admitting(service, whom, countries.as_deref(), &ports));
            if !matches!(whom, Whom::Anyone | Whom::Judged) {
                rules.push(Rule {
                    matches: vec![ports],
                    counter: Some(plan.counter(&format!("refused-{}", service.name))),
                    action: Action::Goto(REFUSE.into()),
                    comment: format!("nobody else reaches {}", service.name),
                });
            }
        }
    }
    let all = config.services.iter().flat_map(|service| &service.ports);
    let every = by_protocol(all).into_iter().map(|(protocol, ports)| {
        accept(
            vec![Match::Port(End::Destination, protocol, ports)],
            "every service",
        )
    });
    Services {
        rules,
        every: every.collect(),
    }
}

/// What tells the private neighbours at each interface, where the file permits them, with a comment.
pub(super) fn from_neighbours(
    config: &Config,
    facts: &Facts,
) -> impl Iterator<Item = (Vec<Match>, String)> {
    let all = neighbours(config, facts).into_iter();
    all.map(|((interface, family), nets)| {
        let comment = format!("private neighbours at {interface}");
        let source = Match::Address(End::Source, Addresses::These(family, nets));
        (vec![Match::Interface(interface), source], comment)
    })
}

/// Who reaches a service, permitted sources aside.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Whom {
    Anyone,
    /// Whom the fence has let through.
    Judged,
    /// The same, only at addresses that the fence protects: elsewhere nobody has judged the packet.
    Protected,
    Countries,
    Nobody,
}

fn whom(service: &Service, config: &Config) -> Whom {
    if service.kind != Kind::Plain {
        return match config.protect.is_empty() {
            true => Whom::Judged,
            false => Whom::Protected,
        };
    }
    match service.from.of(MessageClass::NewTcp) {
        Admission::Anyone => Whom::Anyone,
        Admission::Countries => Whom::Countries,
        Admission::Permitted => Whom::Nobody,
    }
}

/// The rules that let a service's sources in.
fn admitting(service: &Service, whom: Whom, countries: Option<&str>, ports: &Match) -> Vec<Rule> {
    let name = &service.name;
    let pair = |end: End, set_name: &str, comment: &str| {
        Family::ALL
            .map(|family| accept(vec![set(end, set_name, family), ports.clone()], comment))
            .to_vec()
    };
    match whom {
        Whom::Anyone => vec![accept(vec![ports.clone()], &format!("{name}: anyone"))],
        Whom::Judged => {
            let comment = format!("{name}: the fence has judged it");
            vec![accept(vec![ports.clone()], &comment)]
        }
        Whom::Protected => {
            let comment = format!("{name}: the fence has judged it");
            pair(End::Destination, "protected", &comment)
        }
        Whom::Countries => match countries {
            Some(sets) => pair(End::Source, sets, &format!("{name}: by country")),
            None => Vec::new(),
        },
        Whom::Nobody => Vec::new(),
    }
}

/// The pair of sets of these countries, made where it is not there yet; their name.
fn country_sets(
    plan: &mut Plan,
    known: &mut BTreeMap<String, String>,
    countries: &CountrySet,
    data: &CountryData,
) -> String {
    let codes: Vec<_> = countries.iter().map(|country| country.code()).collect();
    let codes = codes.join(" ");
    if let Some(name) = known.get(&codes) {
        return name.clone();
    }
    // The number of an address family follows: 1_4, 1_6.
    let name = format!("countries{}_", known.len() + 1);
    for family in Family::ALL {
        plan.set(AddressSet {
            name: format!("{name}{}", family.number()),
            family,
            ranges: ranges::of_countries(data, countries, family),
            comment: shortened(&codes),
            countries: true,
        });
    }
    known.insert(codes, name.clone());
    name
}

/// As many codes as a comment holds.
fn shortened(codes: &str) -> String {
    match codes.get(..90).and_then(|text| text.rsplit_once(' ')) {
        Some((fitting, _)) if codes.len() > 90 => format!("{fitting} and more"),
        _ => codes.to_owned(),
    }
}

/// Ports by their protocol, ascending.
pub(super) fn by_protocol<'p>(
    ports: impl IntoIterator<Item = &'p crate::config::PortRange>,
) -> Vec<(Protocol, Vec<(u16, u16)>)> {
    let mut all: BTreeMap<Protocol, Vec<(u16, u16)>> = BTreeMap::new();
    for range in ports {
        let of = all.entry(range.protocol).or_default();
        of.push((range.first, range.last));
    }
    for ranges in all.values_mut() {
        ranges.sort_unstable();
    }
    all.into_iter().collect()
}

/// Private nets by interface and family, where the file permits them.
fn neighbours(config: &Config, facts: &Facts) -> BTreeMap<(String, Family), Vec<Range>> {
    let mut nets = BTreeMap::<_, Vec<_>>::new();
    if config.permit_private {
        // Such a name can be written in rules. The kernel takes others, and nobody uses them.
        let plain = |name: &str| {
            name.bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"._-@".contains(&b))
        };
        for (interface, net) in facts.neighbours.iter().filter(|(name, _)| plain(name)) {
            let key = (interface.clone(), Family::of(net.addr()));
            nets.entry(key).or_default().push(ranges::of_net(net));
        }
    }
    for ((_, family), all) in &mut nets {
        *all = ranges::merged(std::mem::take(all), *family);
    }
    nets
}
