//! What a server itself says of those who talk to it, where packets do not: TLS and WebSocket hide the SIP, and a log
//! tells of more than one port.

use std::collections::{BTreeSet, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use anyhow::Result;
use jiff::Timestamp;
use ringfence_core::bench::{Cause, list_flags};
use ringfence_core::judge::of_source;
use ringfence_core::limit::Limit;
use ringfence_core::trust::{Culprit, flow_hash};
use tracing::{info, warn};

use super::bans::Source;
use super::seldom::Seldom;
use super::state::Daemon;
use crate::asterisk::security::{CountsAs, Finding, Transport};
use crate::config::{Kind, Protocol};
use crate::notify::{Notice, NoticeKind};
use crate::store::{Ban, Name, PastBans};
use crate::tables::{self, Prefix};
use crate::trust::{Refused, Twice};

/// Accounts asked for, by whom, that are remembered: none counts twice.
const PROBED: usize = 10_000;

/// What is remembered of what servers said.
#[derive(Debug, Default)]
pub struct Witness {
    pub(super) twice: Twice<Finding>,
    probed: BTreeSet<(IpAddr, Name)>,
    order: VecDeque<(IpAddr, Name)>,
    lines: Seldom,
}

impl Witness {
    /// Writes a line that a stranger brought about, unless there were many of late.
    fn say(&mut self, text: &str) {
        match self.lines.says(Instant::now()) {
            Some(0) => warn!("{text}"),
            Some(more) => warn!("{text} ({more} lines like this were left out before)"),
            None => {}
        }
    }

    /// Whether a source asks for an account for the first time.
    fn asks_anew(&mut self, address: IpAddr, name: &Name) -> bool {
        if !self.probed.insert((address, name.clone())) {
            return false;
        }
        self.order.push_back((address, name.clone()));
        if self.order.len() > PROBED
            && let Some(oldest) = self.order.pop_front()
        {
            self.probed.remove(&oldest);
        }
        true
    }
}

impl Daemon {
    /// Takes in what a server says of an attempt.
    pub(super) fn hear_server(&mut self, finding: Finding) -> Result<()> {
        match finding.local.zip(finding.transport) {
            Some(at) => {
                let judged = finding.service != "AMI" && self.reads(at.0, at.1);
                self.weigh(&finding, judged)
            }
            None if finding.counts_as == CountsAs::Failure => {
                let address = finding.source.ip().to_canonical();
                self.witness.twice.word(address, finding, Instant::now());
                Ok(())
            }
            None => self.weigh(&finding, false),
        }
    }

    /// What logs said and no packet did.
    pub(super) fn hear_late(&mut self) -> Result<()> {
        for finding in self.witness.twice.due(Instant::now()) {
            self.weigh(&finding, false)?;
        }
        Ok(())
    }

    /// Whether the judge reads the messages that come to this end, and so has counted what they say.
    fn reads(&self, local: SocketAddr, transport: Transport) -> bool {
        let protocol = match transport {
            Transport::Udp => Protocol::Udp,
            Transport::Tcp => Protocol::Tcp,
            Transport::Tls | Transport::Ws | Transport::Wss => return false,
        };
        let protect = &self.config.protect;
        let inside = protect.is_empty() || protect.iter().any(|range| range.contains(local.ip()));
        let service = self.service_at(protocol, local.port());
        let kind = service.and_then(|number| self.config.services.get(number - 1));
        inside && kind.is_some_and(|service| matches!(service.kind, Kind::Sip | Kind::Iax2))
    }

    /// The number of the service at a port of ours, from 1.
    pub(super) fn service_at(&self, protocol: Protocol, port: u16) -> Option<usize> {
        let has = |service: &crate::config::Service| {
            let mut ports = service.ports.iter();
            ports.any(|range| range.contains(protocol, port))
        };
        let place = self.config.services.iter().position(has)?;
        Some(place + 1)
    }

    /// Holds against a source what is to be held against it. `judged`: packets have done so.
    fn weigh(&mut self, finding: &Finding, judged: bool) -> Result<()> {
        let address = finding.source.ip().to_canonical();
        let name = Name::new(finding.account.as_deref().unwrap_or_default());
        match finding.counts_as {
            CountsAs::Failure | CountsAs::Probe if judged => {}
            CountsAs::Failure => self.refused_by_server(finding, address, name)?,
            CountsAs::Probe => {
                if self.witness.asks_anew(address, &name) {
                    let limit = tables::threshold(self.config.trust.users, 1);
                    let key = self.fence.key().source(tables::address(address));
                    self.charge(finding, key, of_source::USERS, &limit, 1)?;
                }
            }
            CountsAs::Refused => {
                let named = if name.is_empty() {
                    "nobody"
                } else {
                    &name.text()
                };
                self.witness.say(&format!(
                    "{address} is refused as {named} by an access list of {}",
                    finding.service.escape_debug()
                ));
            }
            CountsAs::Suspicious => {
                let text = format!(
                    "{address} logged in as {name} and asked for someone else's registration ({})",
                    finding.service.escape_debug()
                );
                self.witness.say(&text);
                self.notify(Notice::new(NoticeKind::Fraud, &text).source(address));
            }
            CountsAs::Authenticated { password } => {
                if password {
                    self.accepted_by_server(finding)?;
                }
            }
        }
        Ok(())
    }

    /// Counts refused credentials against whom the judge counts them against.
    fn refused_by_server(&mut self, finding: &Finding, address: IpAddr, name: Name) -> Result<()> {
        let clock = self.clock()?;
        let at = tables::address(address);
        let standing = self.fence.standing(at)?;
        let belongs = standing
            .is_some_and(|known| known.registered(clock.boot) || known.solicited(clock.boot));
        let (key, port) = (self.fence.key(), finding.source.port());
        let account = name.digest().unwrap_or(0);
        let culprit = Culprit::new(key.source(at), key.net(at), belongs, account, port);
        self.learn_refusal(&Refused {
            time: clock.wall,
            address,
            port,
            name,
            status: 401,
            class: "",
            nobody: false,
        });
        let limit = tables::threshold(self.config.trust.failures, tables::FAILURE);
        for hash in [culprit.second, culprit.first] {
            self.charge(finding, hash, of_source::DOUBT, &limit, tables::FAILURE)?;
        }
        Ok(())
    }

    /// Takes tokens of a rate of the source, or of its net, account or flow; bans who has none left.
    fn charge(
        &mut self,
        finding: &Finding,
        hash: u64,
        slot: u32,
        limit: &Limit,
        tokens: u32,
    ) -> Result<()> {
        let clock = self.clock()?;
        let address = finding.source.ip().to_canonical();
        let (at, port) = (tables::address(address), finding.source.port());
        if limit.is_none() || self.is_spared(address) {
            return Ok(());
        }
        let spent = self.fence.charge(hash, slot, limit, tokens, clock.boot)?;
        if spent + tokens <= limit.burst() {
            return Ok(());
        }
        let source = self.fence.key().source(at);
        let whom = if hash == source {
            Source::of(address)
        } else if port != 0 && hash == flow_hash(source, port) {
            Source {
                port: Some(port),
                ..Source::of(address)
            }
        } else {
            // A net or an account is shut out by its members, one by one.
            return Ok(());
        };
        let cause = if slot == of_source::USERS {
            Cause::Enumeration
        } else {
            Cause::Failures
        };
        let proved = finding.transport.is_some_and(Transport::proves_address);
        let note = format!("{} said so", finding.service);
        self.ban_for(whom, cause, proved, note)
    }

    /// Whether an address is never banned: the operator's, a trunk's, a proxy's, our own.
    pub(super) fn is_spared(&self, address: IpAddr) -> bool {
        let spares =
            list_flags::PERMITTED | list_flags::TRUNK | list_flags::PROXY | list_flags::OWN;
        let at = tables::address(address);
        let listed = (0..=128).rev().find_map(|length| {
            let prefix = Prefix::new(at, length);
            self.fence.lists().get(&(prefix.address, length))
        });
        address.is_loopback()
            || listed.is_some_and(|listed| listed.flags & spares != 0 || listed.neighbours != 0)
    }

    /// Bans a source for what was seen beside the packets, unless it is banned already.
    pub(super) fn ban_for(
        &mut self,
        of: Source,
        cause: Cause,
        proved: bool,
        note: String,
    ) -> Result<()> {
        let now = Timestamp::now();
        let held = self.bans.get(&of);
        if !self.config.ban.enable || held.is_some_and(|ban| ban.until > now) {
            return Ok(());
        }
        let past = self.past(of, now)?;
        let ban = Ban {
            address: of.address,
            prefix_len: of.prefix_len,
            port: of.port,
            reason: cause.name().into(),
            since: now,
            until: now,
            times: past.all.saturating_add(1),
            proved,
            evidence: None,
            note,
        };
        let time = self.time(&ban, PastBans::default(), now)?;
        let ban = Ban {
            until: now.checked_add(time)?,
            ..ban
        };
        self.ban_in_kernel(&ban, now)?;
        info!("{} is banned: {} ({})", ban.source(), ban.reason, ban.note);
        self.tell_of_ban(&ban);
        let stored = self.store.put_ban(&ban);
        self.bans.insert(of, ban);
        Ok(stored?)
    }

    /// A name with line ends in it: nothing but an attempt to deceive writes one.
    pub(super) fn hear_forgery(&mut self, source: Option<SocketAddr>) -> Result<()> {
        let Some(source) = source else {
            self.witness.say(
                "a name with line ends forged an event or a line of a log; its sender is not known",
            );
            return Ok(());
        };
        let address = source.ip().to_canonical();
        let text =
            format!("{source} wrote line ends into a name, to forge an event or a line of a log");
        self.witness.say(&text);
        self.notify(Notice::new(NoticeKind::Forged, &text).source(address));
        let clock = self.clock()?;
        let standing = self.fence.standing(tables::address(address))?;
        let belongs = standing
            .is_some_and(|known| known.registered(clock.boot) || known.solicited(clock.boot));
        if belongs || self.is_spared(address) {
            return Ok(());
        }
        let note = "line ends in a name".to_owned();
        self.ban_for(Source::of(address), Cause::Signature, false, note)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_that_is_asked_for_again_does_not_count() {
        let mut witness = Witness::default();
        let address: IpAddr = [203, 0, 113, 9].into();
        assert!(witness.asks_anew(address, &Name::new("9999")));
        assert!(!witness.asks_anew(address, &Name::new("9999")));
        assert!(witness.asks_anew(address, &Name::new("9998")));
        for number in 0..2 * PROBED {
            witness.asks_anew(address, &Name::new(&number.to_string()));
        }
        assert!(witness.probed.len() <= PROBED);
        assert!(witness.asks_anew(address, &Name::new("9999")));
    }
}
