//! What host names on the lists stand for: the addresses that they have, but for those that no name may speak for.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::Inputs;
use crate::config::{AddressRange, Config, Host};
use crate::net::is_private;
use crate::store::{ListKind, NameEntry};

/// A name on a list with the addresses that it stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// The list.
    pub list: ListKind,
    /// The name.
    pub name: String,
    /// What the operator wrote about it; may be empty.
    pub comment: String,
    /// Whether it was put there by command; else the configuration names it.
    pub by_command: bool,
    /// Whether private addresses of it count.
    pub private: bool,
    /// The addresses, sorted.
    pub addresses: Vec<IpAddr>,
    /// Those that it has and does not stand for, each with the reason.
    pub left_out: Vec<(IpAddr, &'static str)>,
}

impl Named {
    /// The name as a listing shows it.
    pub fn list_name(&self) -> &'static str {
        match self.list {
            ListKind::Permit => "permit",
            ListKind::Deny => "deny",
        }
    }
}

/// The names on the lists of the file, and on those of the operator, without addresses yet.
fn names(config: &Config, said: &[NameEntry]) -> Vec<Named> {
    let of_file = [
        (ListKind::Permit, &config.permit_names),
        (ListKind::Deny, &config.deny_names),
    ];
    let of_file = of_file.into_iter().flat_map(|(list, names)| {
        names.iter().map(move |entry| Named {
            list,
            name: entry.name.clone(),
            comment: entry.comment.clone().unwrap_or_default(),
            by_command: false,
            private: entry.private,
            addresses: Vec::new(),
            left_out: Vec::new(),
        })
    });
    let by_command = said.iter().map(|entry| Named {
        list: entry.list,
        name: entry.name.clone(),
        comment: entry.comment.clone(),
        by_command: true,
        private: false,
        addresses: Vec::new(),
        left_out: Vec::new(),
    });
    of_file.chain(by_command).collect()
}

/// What all names on the lists stand for, where `resolved` has their addresses. `inputs` are those of the same policy but
/// for its `named`. A permitted name never stands for a private address unless the file says so; a denied one never for
/// an address that is permitted, this host's, a trunk's or a proxy's, nor for one in `needed`, by which this host is
/// reached or finds its way.
pub fn named(
    config: &Config,
    inputs: &Inputs,
    said: &[NameEntry],
    resolved: &BTreeMap<String, Vec<IpAddr>>,
    needed: &[IpAddr],
) -> Vec<Named> {
    let mut all = names(config, said);
    for named in &mut all {
        if named.list == ListKind::Permit {
            let private = named.private;
            named.take(resolved, |ip| {
                (!private && is_private(ip)).then_some("it is private")
            });
        }
    }
    let permitted: Vec<AddressRange> = all
        .iter()
        .flat_map(|named| named.addresses.iter().map(|ip| AddressRange::from(*ip)))
        .chain(config.permit.iter().map(|entry| entry.range))
        .chain(operator(inputs, ListKind::Permit))
        .collect();
    for named in &mut all {
        if named.list == ListKind::Deny {
            named.take(resolved, |ip| {
                let holds = |range: &AddressRange| range.contains(ip);
                if inputs.own.contains(&ip) {
                    Some("it is this host's own")
                } else if needed.contains(&ip) {
                    Some("a session of SSH, a router or a name server is there")
                } else if permitted.iter().any(holds)
                    || inputs.neighbours.iter().any(|(_, net)| net.contains(&ip))
                {
                    Some("it is permitted")
                } else if peers(config, inputs).any(|range| range.contains(ip)) {
                    Some("a trunk or proxy is there")
                } else {
                    None
                }
            });
        }
    }
    all
}

impl Named {
    /// Takes the addresses that the name has, but for those that `refused` gives a reason for.
    fn take(
        &mut self,
        resolved: &BTreeMap<String, Vec<IpAddr>>,
        refused: impl Fn(IpAddr) -> Option<&'static str>,
    ) {
        for ip in resolved.get(&self.name).into_iter().flatten() {
            let ip = ip.to_canonical();
            match refused(ip) {
                None => self.addresses.push(ip),
                Some(why) => self.left_out.push((ip, why)),
            }
        }
    }
}

fn operator(inputs: &Inputs, list: ListKind) -> impl Iterator<Item = AddressRange> + '_ {
    let said = inputs.operator.iter().filter(move |(of, _)| *of == list);
    said.map(|(_, range)| *range)
}

/// Where trunks and proxies are.
fn peers<'a>(config: &'a Config, inputs: &'a Inputs) -> impl Iterator<Item = AddressRange> + 'a {
    let hosts = config.trunks.iter().flat_map(|trunk| &trunk.hosts);
    let trunks = hosts.flat_map(|host| match host {
        Host::Range(range) => vec![*range],
        Host::Name(name) => {
            let resolved = inputs.resolved.get(name).into_iter().flatten();
            resolved.map(|ip| AddressRange::from(*ip)).collect()
        }
    });
    let proxies = config.proxies.iter().flat_map(|proxy| &proxy.addresses);
    trunks.chain(proxies.copied())
}

impl Inputs {
    /// All ranges that a list holds beside those of the file: of the operator, and what names stand for.
    pub fn ranges(&self, list: ListKind) -> impl Iterator<Item = AddressRange> + '_ {
        let named = self.named.iter().filter(move |named| named.list == list);
        let named = named.flat_map(|named| named.addresses.iter());
        operator(self, list).chain(named.map(|ip| AddressRange::from(*ip)))
    }

    /// The permitted names that stand for no address.
    pub fn waiting(&self) -> impl Iterator<Item = &str> {
        let permitted = self
            .named
            .iter()
            .filter(|named| named.list == ListKind::Permit && named.addresses.is_empty());
        permitted.map(|named| named.name.as_str())
    }

    /// The names on a list that stand for an address.
    pub fn names_of(&self, list: ListKind, ip: IpAddr) -> impl Iterator<Item = &Named> {
        let ip = ip.to_canonical();
        let named = self.named.iter().filter(move |named| named.list == list);
        named.filter(move |named| named.addresses.contains(&ip))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn resolved(all: &[(&str, &[&str])]) -> BTreeMap<String, Vec<IpAddr>> {
        let all = all.iter().map(|(name, addresses)| {
            let addresses = addresses.iter().map(|text| ip(text)).collect();
            ((*name).to_owned(), addresses)
        });
        all.collect()
    }

    #[test]
    fn a_permitted_name_speaks_for_no_private_address_unless_it_is_told_to() {
        let config = Config::parse(
            "permit = [\"boss.example\", { address = \"nas.example\", private = true }]",
            "r.toml",
        )
        .unwrap();
        let answers: &[&str] = &[
            "10.0.0.9",
            "192.0.2.9",
            "fd00::9",
            "169.254.0.1",
            "2001:db8::9",
        ];
        let all = named(
            &config,
            &Inputs::default(),
            &[],
            &resolved(&[("boss.example", answers), ("nas.example", answers)]),
            &[],
        );
        assert_eq!(all[0].addresses, [ip("192.0.2.9"), ip("2001:db8::9")]);
        assert_eq!(all[0].left_out.len(), 3);
        assert_eq!(all[1].addresses.len(), 5);
    }

    #[test]
    fn a_denied_name_shuts_nobody_out_who_belongs() {
        let config = Config::parse(
            "permit = [\"198.51.100.0/28\", \"boss.example\"]\ndeny = [\"bad.example\"]\n\
             [[trunk]]\nname = \"p\"\nhosts = [\"sip.p.example\"]\n\
             [[proxy]]\naddresses = [\"203.0.113.8\"]\n",
            "r.toml",
        )
        .unwrap();
        let inputs = Inputs {
            operator: vec![(ListKind::Permit, "198.51.100.77".parse().unwrap())],
            resolved: resolved(&[("sip.p.example", &["203.0.113.7"])]),
            neighbours: vec![(0, "10.0.0.0/24".parse().unwrap())],
            own: vec![ip("192.0.2.1")],
            ..Inputs::default()
        };
        let bad: &[&str] = &[
            "192.0.2.1",
            "198.51.100.5",
            "198.51.100.77",
            "192.0.2.9",
            "203.0.113.7",
            "203.0.113.8",
            "10.0.0.3",
            "192.0.2.53",
            "203.0.113.66",
        ];
        let all = named(
            &config,
            &inputs,
            &[],
            &resolved(&[("bad.example", bad), ("boss.example", &["192.0.2.9"])]),
            &[ip("192.0.2.53")],
        );
        let denied = all
            .iter()
            .find(|named| named.list == ListKind::Deny)
            .unwrap();
        assert_eq!(denied.addresses, [ip("203.0.113.66")]);
        assert_eq!(denied.left_out.len(), 8);
        let inputs = Inputs {
            named: all,
            ..inputs
        };
        let all: Vec<_> = inputs.ranges(ListKind::Deny).collect();
        assert_eq!(all, [AddressRange::from(ip("203.0.113.66"))]);
        assert_eq!(inputs.ranges(ListKind::Permit).count(), 2);
        let boss = inputs.names_of(ListKind::Permit, ip("192.0.2.9")).next();
        assert_eq!(boss.unwrap().name, "boss.example");
    }
}
