//! Bans of the store and of the operator, and how long the next one lasts.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Result, bail};
use ipnet::IpNet;
use jiff::Timestamp;
use ringfence_core::address::Address;
use ringfence_core::bench::{Ban as KernelBan, Cause};
use serde_json::json;

use super::state::Daemon;
use crate::control::{Answer, listing};
use crate::engine::boot_time;
use crate::store::{Ban, PastBans};
use crate::tables;
use crate::trust::{earlier, net_of};

/// Whom a ban is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Source {
    /// The address, or the first of the network.
    pub address: IpAddr,
    /// Bits of the prefix: 32 or 64, and 24 or 48 for a whole net.
    pub prefix_len: u8,
    /// The port, where only that flow is banned.
    pub port: Option<u16>,
}

impl Source {
    /// An address, or an IPv6 address's /64, as bans are kept by.
    pub(super) fn of(address: IpAddr) -> Self {
        let address = tables::subject(address);
        Self {
            address,
            prefix_len: if address.is_ipv4() { 32 } else { 64 },
            port: None,
        }
    }

    /// A net.
    pub(super) fn net(net: IpNet) -> Self {
        Self {
            address: net.network(),
            prefix_len: net.prefix_len(),
            port: None,
        }
    }

    fn is_net(self) -> bool {
        matches!(self.prefix_len, 24 | 48)
    }

    /// As it is written in a command.
    fn text(self) -> String {
        if self.is_net() {
            format!("{}/{}", self.address, self.prefix_len)
        } else {
            self.address.to_string()
        }
    }
}

impl Daemon {
    /// Bans of the store go to the kernel, those of the kernel to the store.
    pub(super) fn load_bans(&mut self) -> Result<()> {
        let now = Timestamp::now();
        let mut stored = self.store.bans()?;
        stored.retain(|ban| ban.until > now);
        self.bans = stored.into_iter().map(|ban| (source(&ban), ban)).collect();
        // The kernel's first: it may have renewed a ban, or lifted one, while no daemon ran.
        let learned = self.learn_bans().and_then(|held| {
            if self.fence.taken_over() {
                self.lift_absent(&held)?;
            }
            Ok(())
        });
        if let Err(error) = learned {
            self.complain(&error);
        }
        for ban in self.bans.values().cloned().collect::<Vec<_>>() {
            self.ban_in_kernel(&ban, now)?;
        }
        Ok(())
    }

    pub(super) fn ban_in_kernel(&mut self, ban: &Ban, now: Timestamp) -> Result<()> {
        let left = u64::try_from(ban.until.duration_since(now).as_nanos()).unwrap_or(0);
        let cause = cause(&ban.reason);
        let time = match cause {
            Cause::Manual => Duration::ZERO,
            _ => self.time(ban, PastBans::default(), now)?,
        };
        let value = KernelBan {
            until: boot_time()?.saturating_add(left),
            cause: cause as u8,
            proved: u8::from(ban.proved),
            signature: 0,
            renews: seconds(time),
        };
        Ok(self.fence.ban(subject(source(ban)), &value)?)
    }

    /// How long a ban lasts, with what is remembered of its source and what the store does not know as past yet. Bans of
    /// nets always last for the first time.
    pub(super) fn time(&self, ban: &Ban, more: PastBans, now: Timestamp) -> Result<Duration> {
        if ban.is_net() {
            return Ok(self.config.ban.time(0));
        }
        let past = self.past(source(ban), now)?;
        let past = PastBans {
            all: past.all.saturating_add(more.all),
            proved: past.proved.saturating_add(more.proved),
        };
        Ok(self.config.ban.time(earlier(past, ban.proved)))
    }

    pub(super) fn past(&self, of: Source, now: Timestamp) -> Result<PastBans> {
        let since = now.checked_sub(self.config.ban.remember);
        let since = since.unwrap_or(Timestamp::MIN);
        let past = self
            .store
            .past_bans_of(of.address, of.prefix_len, of.port, since);
        Ok(past?)
    }

    pub(super) fn ban(&mut self, address: &str, seconds: Option<u64>) -> Result<Answer> {
        let whom = named(address)?;
        if whom.is_net() {
            bail!(
                "`{address}` is no single address; keep a net out with `ringfence deny add {address}`"
            );
        }
        let address = whom.address;
        let now = Timestamp::now();
        let time = seconds.map_or(self.config.ban.time(0), Duration::from_secs);
        let past = self.past(whom, now)?;
        let ban = Ban {
            address,
            prefix_len: whom.prefix_len,
            port: None,
            reason: Cause::Manual.name().into(),
            since: now,
            until: now.checked_add(time)?,
            times: past.all.saturating_add(1),
            proved: true,
            evidence: None,
            note: String::new(),
        };
        self.store.put_ban(&ban)?;
        self.ban_in_kernel(&ban, now)?;
        let text = format!("{address} is banned until {}", listing::moment(ban.until));
        self.bans.insert(source(&ban), ban);
        Ok(Answer::done(text, json!({ "address": address })))
    }

    /// Lifts the ban of an address and those of its flows, forgets what is counted against it, and says why there were
    /// any. Of a net, lifts with it the bans of its addresses that are not the operator's: they would ban it again.
    pub(super) fn unban(&mut self, text: &str) -> Result<Answer> {
        let whom = named(text)?;
        let clock = self.clock()?;
        // Of a flood of bans not all are known yet.
        let held = self.learn_bans()?;
        for of in held.into_iter().filter(|of| covers(whom, *of)) {
            let manual = self
                .bans
                .get(&of)
                .is_some_and(|ban| ban.reason == Cause::Manual.name());
            if of == whom || !whom.is_net() || !manual {
                self.fence.unban(subject(of))?;
            }
        }
        let lifts = |ban: &&Ban| {
            covers(whom, source(ban)) && (!whom.is_net() || ban.reason != Cause::Manual.name())
        };
        let lifted: Vec<_> = self.bans.values().filter(lifts).cloned().collect();
        for ban in &lifted {
            self.store
                .lift_ban(ban.address, ban.prefix_len, ban.port, clock.wall)?;
            self.bans.remove(&source(ban));
        }
        self.forgive(whom, &lifted)?;
        let name = whom.text();
        let mut text = format!("{name} was not banned");
        if !lifted.is_empty() {
            text = format!("{name} is no longer banned; it was:");
            for ban in &lifted {
                text.push_str(&format!("\n  {}", listing::ban_line(ban)));
            }
        }
        if let Some(net) = self.net_around(whom, clock.wall) {
            let net = net.source();
            text.push_str(&format!(
                "\nall of {net} is banned: lift that with `ringfence unban {net}`"
            ));
        }
        let bans = listing::bans(lifted.iter()).data;
        Ok(Answer::done(
            text,
            json!({ "address": name, "lifted": !lifted.is_empty(), "bans": bans }),
        ))
    }

    /// Forgets what is counted against an address, or against those of a net that were banned.
    fn forgive(&mut self, whom: Source, lifted: &[Ban]) -> Result<()> {
        let mut ports = BTreeMap::<IpAddr, Vec<u16>>::from([(whom.address, Vec::new())]);
        for ban in lifted {
            ports.entry(ban.address).or_default().extend(ban.port);
        }
        for (address, ports) in ports {
            self.fence.forgive(tables::address(address), &ports)?;
        }
        Ok(())
    }

    /// The ban of the net that a single address is in.
    fn net_around(&self, whom: Source, now: Timestamp) -> Option<&Ban> {
        let net = net_of(whom.address).filter(|_| !whom.is_net())?;
        let ban = self.bans.get(&Source::net(net));
        ban.filter(|ban| ban.until > now)
    }

    pub(super) fn show_bans(&mut self) -> Result<Answer> {
        self.scan_bans()?;
        let now = Timestamp::now();
        let in_force = self.bans.values().filter(|ban| ban.until > now);
        Ok(listing::bans(in_force))
    }
}

pub(super) fn source(ban: &Ban) -> Source {
    Source {
        address: ban.address,
        prefix_len: ban.prefix_len,
        port: ban.port,
    }
}

pub(super) fn source_of(subject: Address) -> Source {
    if let Some((first, prefix_len)) = subject.as_net() {
        return Source {
            address: tables::ip(first),
            prefix_len,
            port: None,
        };
    }
    let (address, port) = match subject.as_flow() {
        Some((address, port)) => (address, Some(port)),
        None => (subject, None),
    };
    Source {
        port,
        ..Source::of(tables::ip(address))
    }
}

/// The bans of an address, of its ports and of its net; no others are looked at, however many there are.
pub(super) fn around(bans: &BTreeMap<Source, Ban>, address: IpAddr) -> impl Iterator<Item = &Ban> {
    let all = [Some(Source::of(address)), net_of(address).map(Source::net)];
    all.into_iter().flatten().flat_map(|of| {
        let port = Some(u16::MAX);
        let last = Source { port, ..of };
        bans.range(of..=last).map(|(_, ban)| ban)
    })
}

/// What the kernel keeps a ban under.
pub(super) fn subject(of: Source) -> Address {
    let address = tables::address(of.address);
    match of.port {
        Some(port) => address.flow(port),
        None if of.is_net() => address.net(),
        None => address.subject(),
    }
}

/// Whether lifting the ban of the first lifts that of the other: its own, those of its flows, and those in its net.
fn covers(whom: Source, other: Source) -> bool {
    let own = (whom.address, whom.prefix_len) == (other.address, other.prefix_len);
    own || (whom.is_net() && net_of(other.address).map(Source::net) == Some(whom))
}

fn cause(name: &str) -> Cause {
    (0..=u8::MAX)
        .filter_map(Cause::from_number)
        .find(|cause| cause.name() == name)
        .unwrap_or(Cause::Manual)
}

pub(super) fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

pub(super) fn seconds(time: Duration) -> u32 {
    u32::try_from(time.as_secs()).unwrap_or(u32::MAX)
}

/// Whom a command names: an address, which for IPv6 stands for its /64, or a /24 or /48 as a whole.
fn named(text: &str) -> Result<Source> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(Source::of(address));
    }
    if let Ok(net) = text.parse::<IpNet>() {
        let net = net.trunc();
        match (net.addr().is_ipv4(), net.prefix_len()) {
            (true, 24) | (false, 48) => return Ok(Source::net(net)),
            (true, 32) | (false, 64 | 128) => return Ok(Source::of(net.addr())),
            _ => {}
        }
    }
    bail!(
        "`{text}` is no source of a ban; bans fall on single addresses (an IPv6 address stands for its /64), and on nets \
         such as 203.0.113.0/24 or 2001:db8:7::/48"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flows_and_nets_are_kept_apart_from_addresses() {
        let mut subjects = BTreeMap::new();
        for (address, prefix_len, port) in [
            ("203.0.113.9", 32, None),
            ("203.0.113.9", 32, Some(5071)),
            ("203.0.113.0", 32, None),
            ("203.0.113.0", 24, None),
            ("2001:db8::", 64, None),
            ("2001:db8::", 64, Some(65_535)),
            ("2001:db8::", 48, None),
        ] {
            let source = Source {
                address: address.parse().unwrap(),
                prefix_len,
                port,
            };
            assert_eq!(source_of(subject(source)), source);
            assert_eq!(subjects.insert(subject(source), source), None);
        }
    }

    #[test]
    fn the_bans_of_an_address_are_found_among_all() {
        let mut bans = BTreeMap::new();
        for (address, prefix_len, port) in [
            ("203.0.113.9", 32, None),
            ("203.0.113.9", 32, Some(5071)),
            ("203.0.113.0", 24, None),
            ("203.0.113.0", 32, None),
            ("203.0.113.10", 32, Some(5071)),
            ("2001:db8::", 48, None),
            ("2001:db8:0:1::", 64, Some(65_535)),
            ("2001:db8:0:2::", 64, None),
        ] {
            let now = Timestamp::UNIX_EPOCH;
            let ban = Ban {
                address: address.parse().unwrap(),
                prefix_len,
                port,
                reason: String::new(),
                since: now,
                until: now,
                times: 1,
                proved: false,
                evidence: None,
                note: String::new(),
            };
            bans.insert(source(&ban), ban);
        }
        let found = |address: &str| around(&bans, address.parse().unwrap()).count();
        assert_eq!(found("203.0.113.9"), 3);
        assert_eq!(found("203.0.113.0"), 2);
        assert_eq!(found("203.0.113.11"), 1);
        assert_eq!(found("203.0.114.9"), 0);
        assert_eq!(found("2001:db8:0:1::5"), 2);
        assert_eq!(found("2001:db9::"), 0);
    }

    #[test]
    fn causes_are_known_by_their_names() {
        for number in 1..=6 {
            let known = Cause::from_number(number).unwrap();
            assert_eq!(cause(known.name()), known);
        }
        assert_eq!(cause("feed"), Cause::Manual);
    }

    #[test]
    fn commands_name_addresses_and_nets() {
        for (text, name) in [
            ("203.0.113.9", "203.0.113.9"),
            ("203.0.113.9/32", "203.0.113.9"),
            ("203.0.113.9/24", "203.0.113.0/24"),
            ("2001:db8:7:1::5", "2001:db8:7:1::"),
            ("2001:db8:7:1::/64", "2001:db8:7:1::"),
            ("2001:db8:7:1::/48", "2001:db8:7::/48"),
        ] {
            assert_eq!(named(text).unwrap().text(), name);
        }
        for text in ["203.0.113.0/23", "2001:db8::/32", "pbx"] {
            assert!(named(text).is_err());
        }
    }

    #[test]
    fn a_net_covers_what_is_in_it_and_an_address_its_flows() {
        let of = |text| named(text).unwrap();
        let flow = Source {
            port: Some(5060),
            ..of("203.0.113.0")
        };
        assert!(covers(of("203.0.113.0/24"), flow) && covers(of("203.0.113.0"), flow));
        assert!(covers(of("2001:db8:7::/48"), of("2001:db8:7:9::")));
        assert!(!covers(of("203.0.113.0"), of("203.0.113.0/24")));
        assert!(!covers(of("203.0.113.0/24"), of("203.0.112.9")));
    }
}
