//! What the policy says of an address: the judge is asked, so that no rule is written twice.

mod about;
mod remedy;
#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::sync::Arc;

use ringfence_core::country::{Country, CountryTable};
use ringfence_core::hash::Key;
use ringfence_core::packet::{Link, protocol};
use ringfence_core::reason::{Action, Reason};

use crate::config::{self, Config, Kind, Mistakes, Mode, Protocol};
use crate::engine::feeds::FeedTable;
use crate::engine::memory::Memory;
use crate::store::Ban;
use crate::synthesis::{self, Request, Way};
use crate::tables::{self, Inputs};
use crate::trust::{Known, Snapshot, restore};
use about::Sources;

/// The place of an interface that stands for all: which one a source comes in on is not known.
const ANY: u32 = 31;
/// Questions are asked a day apart, so that none counts towards the next.
const DAY: u64 = 86_400_000_000_000;
/// The port of a source of which none is known.
const PORT: u16 = 40_000;
/// The slots that sources fall in: the same at each run.
const KEY: Key = Key {
    words: [0x6f_70_69_6e, 0x69_6f_6e_73],
};

/// What an address asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asks {
    /// A registration, as a phone does.
    Register,
    /// A call, as a provider does.
    Invite,
}

/// How it asks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Transport {
    /// SIP over UDP.
    #[default]
    Udp,
    /// SIP over TCP.
    Tcp,
    /// SIP over TLS.
    Tls,
    /// SIP over WebSocket.
    Ws,
    /// SIP over WebSocket inside TLS.
    Wss,
    /// IAX2.
    Iax2,
}

/// A question about an address.
#[derive(Clone, Copy, Debug)]
pub struct Question<'q> {
    /// The address.
    pub source: IpAddr,
    /// The port that it sends from, where that is known.
    pub port: Option<u16>,
    /// How it asks.
    pub transport: Transport,
    /// What it asks for.
    pub asks: Asks,
    /// The account that it names; may be empty.
    pub account: &'q str,
    /// What it calls itself; may be empty.
    pub agent: &'q str,
}

/// What the judge says of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opinion {
    /// Whether it passes.
    pub ok: bool,
    /// Why.
    pub reason: Reason,
    /// What a stranger there would be dropped for, where this one passes only because it is known.
    pub stranger: Option<Reason>,
    /// The service that it was judged for; empty where none guards the port.
    pub service: String,
    /// The country of the address.
    pub country: Country,
    /// What lets it in, or keeps it in once it is a stranger: a command, or what to write. None where nothing does, or
    /// nothing is needed.
    pub remedy: Option<String>,
}

/// Answers questions about addresses under one policy.
pub struct Opinions {
    memory: Memory,
    config: Config,
    inputs: Inputs,
    sources: Sources,
    asked: u64,
}

impl Opinions {
    /// Answers as this policy does with nobody banned or trusted. The mode does not matter: whatever it is, the answer is
    /// that of `enforce`.
    ///
    /// # Errors
    /// What is wrong with the signatures.
    pub fn new(
        config: &Config,
        inputs: &Inputs,
        countries: Box<CountryTable>,
    ) -> Result<Self, Mistakes> {
        let config = Config {
            mode: Mode::Enforce,
            ..config.clone()
        };
        let mut inputs = Inputs {
            enforce_until: None,
            ..inputs.clone()
        };
        for (place, _) in &mut inputs.neighbours {
            *place = ANY;
        }
        let generation = tables::compile(&config, &inputs)?;
        Ok(Self {
            memory: Memory::new(generation, countries, KEY),
            config,
            inputs,
            sources: Sources::default(),
            asked: 0,
        })
    }

    /// Judges by these threat lists too.
    pub fn set_feeds(&mut self, feeds: Arc<FeedTable>) {
        self.memory.set_feeds(feeds);
    }

    /// Takes the bans that hold in place of those before.
    pub fn set_bans<'b>(&mut self, bans: impl IntoIterator<Item = &'b Ban>) {
        self.sources.set_bans(bans);
    }

    /// Takes who is trusted in place of whom it was before: as the kernel has it, at `now` of its clock.
    pub fn set_trust(&mut self, snapshot: &Snapshot, now: u64) {
        self.sources.set_trust(snapshot, now);
    }

    /// The same, as the store has it.
    pub fn set_known(&mut self, known: &Known, now: jiff::Timestamp) {
        // Any clock that is old enough.
        let clock = crate::trust::Clock {
            boot: 1 << 62,
            wall: now,
        };
        let services = &self.memory.names().services;
        let number = |name: &str| {
            let place = services.iter().skip(1).position(|known| known == name);
            place.map_or(0, |place| u8::try_from(place + 1).unwrap_or(0))
        };
        let snapshot = restore(known, clock, number);
        self.sources.set_trust(&snapshot, clock.boot);
    }

    /// The policy that is asked; its mode is `enforce`.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// What the policy is made of beside the file.
    pub fn inputs(&self) -> &Inputs {
        &self.inputs
    }

    /// The country of an address.
    pub fn country(&self, ip: IpAddr) -> Country {
        self.memory.country(tables::address(ip))
    }

    /// Whether the address is of this host, so that its packets cross no fence.
    pub fn is_own(&self, ip: IpAddr) -> bool {
        ip.is_loopback() || self.inputs.own.contains(&ip)
    }

    /// Whether anything that holds is known of the address: that it is registered, or answers.
    pub fn trusts(&self, ip: IpAddr) -> bool {
        self.sources.trusts(ip)
    }

    /// Asks the judge.
    pub fn opinion(&mut self, question: &Question<'_>) -> Opinion {
        let source = question.source.to_canonical();
        let question = Question {
            source,
            ..*question
        };
        let (reason, service) = self.judged(&question, true);
        let ok = reason.action() == Action::Pass;
        let stranger = (ok && self.sources.trusts(source))
            .then(|| self.judged(&question, false).0)
            .filter(|reason| reason.action() == Action::Drop);
        let against = stranger.or((!ok).then_some(reason));
        let remedy = against.and_then(|reason| self.remedy(&question, reason, service));
        let name = |number| self.memory.names().service(number).to_owned();
        Opinion {
            ok,
            reason,
            stranger,
            service: name(service),
            country: self.country(source),
            remedy,
        }
    }

    /// What the judge says, with what is known of the source or as if it were a stranger, and the number of the service.
    fn judged(&mut self, question: &Question<'_>, known: bool) -> (Reason, u8) {
        self.asked += 1;
        let now = self.asked.saturating_mul(DAY);
        self.memory.forget_sources();
        let source = tables::address(question.source);
        self.sources
            .give(source, question.port, now, known, &mut self.memory);
        let mut last = (Reason::Unprotected, 0);
        for packet in self.packets(question) {
            let verdict = self.memory.judge(now, ANY, Link::RawIp, &packet);
            last = (verdict.reason(), verdict.service);
            if last.0.action() == Action::Drop {
                break;
            }
        }
        last
    }

    /// What it sends: a datagram, the SYN of a connection, or that and a request.
    fn packets(&self, question: &Question<'_>) -> Vec<Vec<u8>> {
        let (kind, over, usual) = match question.transport {
            Transport::Udp => (Kind::Sip, Protocol::Udp, 5060),
            Transport::Tcp => (Kind::Sip, Protocol::Tcp, 5060),
            Transport::Tls => (Kind::Sips, Protocol::Tcp, 5061),
            Transport::Ws => (Kind::Ws, Protocol::Tcp, 8088),
            Transport::Wss => (Kind::Wss, Protocol::Tcp, 8089),
            Transport::Iax2 => (Kind::Iax2, Protocol::Udp, 4569),
        };
        let service = self.service_of(kind, over, usual);
        let ports = service.map(|(_, ports)| ports);
        let way = Way {
            source: question.source,
            source_port: question.port.filter(|port| *port != 0).unwrap_or(PORT),
            destination: synthesis::destination(&self.config, question.source),
            port: ports.unwrap_or(usual),
        };
        let method = match question.asks {
            Asks::Register => "REGISTER",
            Asks::Invite => "INVITE",
        };
        let request = Request {
            method,
            user: question.account,
            host: &synthesis::host(service.map(|(service, _)| service)),
            agent: question.agent,
            number: self.asked,
        };
        match question.transport {
            Transport::Udp => vec![way.first(protocol::UDP, &request.text(&way, "UDP"))],
            Transport::Tcp => vec![
                way.first(protocol::TCP, &[]),
                way.second(&request.text(&way, "TCP")),
            ],
            Transport::Iax2 => {
                let frame = synthesis::iax2(method, question.account, self.asked);
                vec![way.first(protocol::UDP, &frame)]
            }
            Transport::Tls | Transport::Ws | Transport::Wss => {
                vec![way.first(protocol::TCP, &[])]
            }
        }
    }

    /// The service of a kind, and the port of it to send to: the usual one where it has that.
    fn service_of(
        &self,
        kind: Kind,
        over: Protocol,
        usual: u16,
    ) -> Option<(&config::Service, u16)> {
        let ranges = self.config.services.iter().flat_map(|service| {
            let ports = service.ports.iter();
            ports.map(move |ports| (service, ports))
        });
        let mut ranges = ranges
            .filter(|(service, ports)| service.kind == kind && ports.protocol == over)
            .map(|(service, ports)| {
                let has = (ports.first..=ports.last).contains(&usual);
                (service, if has { usual } else { ports.first })
            });
        let first = ranges.next()?;
        if first.1 == usual {
            return Some(first);
        }
        Some(ranges.find(|(_, port)| *port == usual).unwrap_or(first))
    }
}
