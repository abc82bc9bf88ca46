//! The subnet rule: so many banned addresses of a net ban all of it.

use std::collections::BTreeSet;
use std::net::IpAddr;

use anyhow::Result;
use ipnet::IpNet;
use jiff::Timestamp;
use tracing::{info, warn};

use super::bans::{Source, source, subject};
use super::state::Daemon;
use crate::store::Ban;
use crate::tables::{self, Prefix};
use crate::trust::{Clock, Crowd, crowds, net_of, spared};

/// Nets that are banned at a time.
const MOST: usize = 256;

impl Daemon {
    /// Bans the nets that are due. Where the rule is off, the kernel asks for no net: those banned before are let go.
    pub(super) fn ban_nets(&mut self) -> Result<()> {
        let clock = self.clock()?;
        let least = match self.config.ban.subnet {
            0 => return self.let_nets_go(clock.wall),
            least => usize::try_from(least)?,
        };
        let due = crowds(self.bans.values(), least, clock.wall);
        let nets: BTreeSet<_> = due.iter().map(|crowd| crowd.net).collect();
        self.spared.retain(|net| nets.contains(net));
        let spared = self.spared_of(nets, clock)?;
        let left = due.iter().filter(|crowd| !spared.contains(&crowd.net));
        for crowd in left.take(MOST) {
            self.ban_net(crowd, clock.wall)?;
        }
        for net in spared {
            if self.spared.len() < MOST && self.spared.insert(net) {
                warn!(
                    "{net} has {least} or more banned addresses and is not banned as a whole: somebody in it is \
                     registered, solicited or listed"
                );
            }
        }
        Ok(())
    }

    /// Those of the nets in which somebody is permitted or trusted.
    fn spared_of(&self, mut nets: BTreeSet<IpNet>, clock: Clock) -> Result<BTreeSet<IpNet>> {
        let all = nets.clone();
        nets.retain(|net| !self.is_listed(*net));
        for address in self.stored(clock.wall) {
            if nets.is_empty() {
                break;
            }
            net_of(address).map(|net| nets.remove(&net));
        }
        // The store may lag behind. It is asked first, since a walk over the kernel's table takes its time.
        if !nets.is_empty() {
            for (address, standing) in self.fence.standings()? {
                if standing.registered(clock.boot) || standing.solicited(clock.boot) {
                    net_of(tables::ip(address)).map(|net| nets.remove(&net));
                }
            }
        }
        Ok(all.difference(&nets).copied().collect())
    }

    fn ban_net(&mut self, crowd: &Crowd, now: Timestamp) -> Result<()> {
        let of = Source::net(crowd.net);
        let past = self.past(of, now)?;
        let ban = Ban {
            address: of.address,
            prefix_len: of.prefix_len,
            port: None,
            reason: crowd.reason.clone(),
            since: now,
            until: now.checked_add(self.config.ban.time(0))?,
            times: past.all.saturating_add(1),
            proved: crowd.proved,
            evidence: None,
            note: format!("{} of its addresses were banned", crowd.banned),
        };
        self.store.put_ban(&ban)?;
        self.ban_in_kernel(&ban, now)?;
        info!("all of {} is banned: {}", ban.source(), ban.note);
        self.bans.insert(source(&ban), ban);
        Ok(())
    }

    fn let_nets_go(&mut self, now: Timestamp) -> Result<()> {
        let nets: Vec<_> = self.bans.values().filter(|ban| ban.is_net()).collect();
        let nets: Vec<_> = nets.into_iter().map(source).collect();
        for of in nets {
            self.fence.unban(subject(of))?;
            self.store
                .lift_ban(of.address, of.prefix_len, of.port, now)?;
            self.bans.remove(&of);
        }
        Ok(())
    }

    /// Whether somebody in the net is permitted, or of a trunk or proxy.
    fn is_listed(&self, net: IpNet) -> bool {
        let lists = self.fence.lists().iter();
        let prefixes = lists.map(|((address, length), listed)| {
            let (address, length) = (*address, *length);
            (Prefix { address, length }, listed)
        });
        spared(net, prefixes)
    }

    /// Who is registered or solicited as far as the store knows.
    fn stored(&self, now: Timestamp) -> impl Iterator<Item = IpAddr> {
        let known = &self.trust.known;
        let registered = known.registrations.values();
        let registered = registered.filter(move |row| row.until > now);
        let solicited = known.standings.values();
        let solicited =
            solicited.filter(move |row| row.solicited_until.is_some_and(|until| until > now));
        let registered = registered.map(|row| row.address);
        registered.chain(solicited.map(|row| row.address))
    }
}
