//! Tells the keeper of the pinholes who may send media.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use anyhow::Result;
use serde_json::{Value, json};
use tracing::error;

use super::state::Daemon;
use crate::engine::boot_time;
use crate::host::{Intact, Pinholes, Sight, known};
use crate::notify::{Notice, NoticeKind};
use crate::tables;

/// How often the keeper is told all; large tables are looked through less often.
const OFTEN: Duration = Duration::from_secs(3);
/// To look through them takes at most this part of the daemon's time.
const SHARE: u32 = 50;

/// The pinholes as the daemon sees them.
#[derive(Default)]
pub(super) struct Holes {
    pub(super) intact: Intact,
    keeper: Option<Pinholes>,
    due: Option<Instant>,
    trouble: Option<String>,
}

impl Daemon {
    /// What is due every few seconds: the keeper is there where the configuration wants it, and knows who may send.
    pub(super) fn tend_pinholes(&mut self) -> Result<()> {
        if !self.config.host.enable || !self.config.host.pinholes {
            let intact = self.host.holes.intact.clone();
            self.host.holes = Holes {
                intact,
                ..Holes::default()
            };
            return Ok(());
        }
        let began = Instant::now();
        if self.host.holes.due.is_some_and(|due| began < due) {
            return Ok(());
        }
        let now = boot_time()?;
        let all = self.fence.standings()?.into_iter();
        let may = all.filter(|(_, standing)| standing.registered(now) || standing.solicited(now));
        let addresses: Vec<_> = may
            .map(|(address, _)| tables::ip(address))
            .filter(is_one)
            .collect();
        let inputs = &self.opinions.inputs;
        let sight = Sight::All {
            addresses,
            known: known(&self.config, inputs),
            own: inputs.own.clone(),
        };
        let holes = &mut self.host.holes;
        let start = || Pinholes::start(holes.intact.clone());
        let keeper = holes.keeper.get_or_insert_with(start);
        let trouble = keeper.holes().trouble;
        if !keeper.tell(sight) {
            holes.keeper = None;
        }
        holes.due = Some(Instant::now() + OFTEN.max(began.elapsed() * SHARE));
        if holes.trouble != trouble {
            holes.trouble.clone_from(&trouble);
            if let Some(trouble) = trouble {
                error!("{trouble}");
                self.notify(Notice::new(NoticeKind::Fence, &trouble));
            }
        }
        Ok(())
    }

    /// An address registered, or answers this host.
    pub(super) fn open_media(&self, address: IpAddr) {
        if let Some(keeper) = &self.host.holes.keeper {
            // A keeper that ended is begun anew when all is told next.
            keeper.tell(Sight::Address(address));
        }
    }

    /// A line for people and the same for programs; None where there is no keeper.
    pub(super) fn pinholes_status(&self) -> Option<(String, Value)> {
        let holes = self.host.holes.keeper.as_ref()?.holes();
        let (addresses, streams) = (holes.addresses, holes.streams);
        let mut line =
            format!("pinholes: {addresses} addresses, {streams} places that an SDP named");
        if let Some(trouble) = &holes.trouble {
            line.push_str(&format!("; {trouble}"));
        }
        let data = json!({ "addresses": addresses, "streams": streams, "trouble": holes.trouble });
        Some((line, data))
    }
}

/// Whether it is one address: the table also has the net of each IPv6 address, as its first one.
fn is_one(address: &IpAddr) -> bool {
    match address {
        IpAddr::V4(_) => true,
        IpAddr::V6(v6) => v6.to_bits() & u128::from(u64::MAX) != 0,
    }
}
