//! What is proposed: services, lists and sections, each with its reason.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::{Bind, Facts, Trunk, Wishes};
use crate::config::{Admission, Domain, Host, Kind, MAX_SERVICES, PortRange, Protocol};

/// What is proposed.
#[derive(Debug, Default)]
pub struct Plan {
    /// Services, calls first.
    pub services: Vec<Offer>,
    /// Sources that always pass.
    pub permit: Vec<Permit>,
    /// Domains of services that carry calls.
    pub domains: Vec<Domain>,
    /// Providers, each with a name of its own.
    pub trunks: Vec<(String, Vec<Host>)>,
    /// Asterisk's manager interface, and whether its secret is there already.
    pub manager: Option<(std::net::SocketAddr, bool)>,
    /// Ports for media, and where they are from. They are no service: what calls bring comes from anywhere.
    pub media: Option<(u16, u16, String)>,
    /// Countries, mail and interfaces as they were asked for.
    pub wishes: Wishes,
    /// What a person should know.
    pub remarks: Vec<String>,
}

/// A service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// Its name.
    pub name: &'static str,
    /// What it speaks.
    pub kind: Kind,
    /// Its ports, sorted, none twice.
    pub ports: Vec<PortRange>,
    /// Whom it admits.
    pub from: Admission,
    /// Why it is proposed, a line each.
    pub why: Vec<String>,
}

/// A source that always passes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permit {
    /// Its address.
    pub address: IpAddr,
    /// Why.
    pub comment: &'static str,
}

impl Plan {
    /// Puts together what was found and what was asked for.
    pub fn new(facts: &Facts, wishes: Wishes) -> Self {
        let mut plan = Self {
            domains: wishes.domains.clone(),
            trunks: named(&wishes.trunks),
            media: facts.configured.rtp.clone(),
            manager: facts.configured.ami.map(|at| (at, facts.secret)),
            ..Self::default()
        };
        plan.remarks.extend(facts.remarks.iter().cloned());
        plan.remarks.extend(facts.heard.remarks.iter().cloned());
        if !wishes.without_session {
            plan.permit = facts
                .ssh_clients
                .iter()
                .map(|address| Permit {
                    address: *address,
                    comment: "SSH session when this file was made",
                })
                .collect();
        }
        let by_country = !wishes.countries.is_empty();
        let open = if by_country {
            Admission::Countries
        } else {
            Admission::Anyone
        };
        plan.calls(&facts.heard.calls, open);
        plan.plain("provisioning", &facts.heard.provisioning, open);
        plan.ssh(&facts.ssh_ports, &wishes);
        plan.plain("web", &facts.heard.web, open);
        if facts.freepbx {
            plan.remarks.push(
                "FreePBX: the service web is its GUI; from = \"permitted\" is better where nobody else needs it. \
                 Its own firewall goes on deciding about what passes: see docs/coexistence.md"
                    .to_owned(),
            );
        }
        plan.wishes = wishes;
        plan
    }

    /// Services that carry calls, one for each kind.
    fn calls(&mut self, binds: &[Bind], from: Admission) {
        for (name, kind) in [
            ("sip", Kind::Sip),
            ("sips", Kind::Sips),
            ("ws", Kind::Ws),
            ("wss", Kind::Wss),
            ("iax2", Kind::Iax2),
        ] {
            let binds: Vec<&Bind> = binds.iter().filter(|bind| bind.kind == kind).collect();
            self.offer(name, kind, &binds, from);
        }
        if self.services.is_empty() {
            let ports =
                [Protocol::Udp, Protocol::Tcp].map(|protocol| PortRange::one(protocol, 5060));
            self.services.push(Offer {
                name: "sip",
                kind: Kind::Sip,
                ports: ports.into(),
                from,
                why: vec![
                    "no SIP server was found: it holds as soon as one listens there".to_owned(),
                ],
            });
            self.remarks.push(
                "no SIP server was found on this host: nobody listens on a port of SIP, and /etc/asterisk has no \
                 configuration. The service sip on port 5060 is proposed all the same; run this again once the server \
                 is installed, or name its ports yourself"
                    .to_owned(),
            );
        }
    }

    fn plain(&mut self, name: &'static str, binds: &[Bind], from: Admission) {
        let binds: Vec<&Bind> = binds.iter().collect();
        self.offer(name, Kind::Plain, &binds, from);
    }

    /// A service on the ports that no earlier one has; none where no port is left.
    fn offer(&mut self, name: &'static str, kind: Kind, binds: &[&Bind], from: Admission) {
        let taken: BTreeSet<PortRange> =
            self.services.iter().flat_map(|s| s.ports.clone()).collect();
        let (mut ports, mut why) = (BTreeSet::new(), BTreeSet::new());
        for bind in binds {
            let port = PortRange::one(bind.protocol, bind.port);
            if taken.contains(&port) {
                continue;
            }
            ports.insert(port);
            let address = bind.address.map(|address| format!(" at {address}"));
            let address = address.unwrap_or_default();
            why.insert(format!("{port}{address}: {}", bind.why));
        }
        if ports.is_empty() || self.services.len() >= MAX_SERVICES {
            return;
        }
        self.services.push(Offer {
            name,
            kind,
            ports: ports.into_iter().collect(),
            from,
            why: why.into_iter().collect(),
        });
    }

    /// SSH, unless nobody could be admitted but by chance.
    fn ssh(&mut self, ports: &[u16], wishes: &Wishes) {
        let fits = if wishes.countries.is_empty() {
            Admission::Permitted
        } else {
            Admission::Countries
        };
        let from = wishes.ssh.unwrap_or(fits);
        if ports.is_empty() {
            return;
        }
        if from == Admission::Permitted && self.permit.is_empty() {
            self.remarks.push(
                "SSH is left out: there are no countries to admit it from, and no session whose address could be \
                 permitted. Add a service of kind \"plain\" once `permit` names who administers this host"
                    .to_owned(),
            );
            return;
        }
        let binds: Vec<Bind> = ports
            .iter()
            .map(|port| Bind {
                kind: Kind::Plain,
                protocol: Protocol::Tcp,
                port: *port,
                address: None,
                why: "an SSH server listens there; `permit` is admitted too".to_owned(),
            })
            .collect();
        self.offer("ssh", Kind::Plain, &binds.iter().collect::<Vec<_>>(), from);
    }
}

/// Trunks with names: as said, else the first host name where it can be one, else a number; none twice.
fn named(trunks: &[Trunk]) -> Vec<(String, Vec<Host>)> {
    let mut taken = BTreeSet::new();
    let mut named = Vec::new();
    for (number, trunk) in (1..).zip(trunks) {
        let host = trunk.hosts.iter().find_map(|host| match host {
            Host::Name(name) if name.len() <= 32 => Some(name.clone()),
            _ => None,
        });
        let said = trunk.name.clone().or(host);
        let free = said.filter(|name| !taken.contains(name));
        let name = free.unwrap_or_else(|| format!("trunk{number}"));
        taken.insert(name.clone());
        named.push((name, trunk.hosts.clone()));
    }
    named
}
