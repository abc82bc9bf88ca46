//! Which engine judges.

use anyhow::Result;
use tracing::{info, warn};

use crate::config::{Config, Fail};
use crate::engine::xdp::Fate;
use crate::engine::{Engine, FenceError, nfqueue, xdp};
use crate::feeds;

/// A kind of fence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A program in the kernel.
    Xdp,
    /// The daemon, over queues of nftables.
    Nfqueue,
}

/// Loads the engine, or takes over what an earlier daemon left of it.
pub fn load(config: &Config, kind: Kind) -> Result<Box<dyn Engine>> {
    let room = feeds::room(config);
    if kind == Kind::Nfqueue {
        let settings = nfqueue::Settings {
            first: config.nfqueue.first,
            queues: config.nfqueue.queues,
            length: config.nfqueue.length,
            closed: config.nfqueue.fail == Fail::Closed,
        };
        let fence = nfqueue::Fence::load(settings, config.bpffs.clone(), room)?;
        return Ok(Box::new(fence));
    }
    let mut fence = xdp::Fence::load(&config.bpffs, room, false)?;
    if fence.taken_over() {
        info!("took over the fence of an earlier daemon");
    }
    for map in fence.inherit()? {
        match map.fate {
            Fate::Copied(_) => info!("{map}"),
            Fate::OtherShape | Fate::Unknown => warn!("{map}"),
        }
    }
    Ok(Box::new(fence))
}

/// Removes what fences of other kinds left, once this one guards.
pub fn leave_others(fence: &mut dyn Engine) -> Result<()> {
    fence.leave_others()?;
    if fence.name() != nfqueue::NAME && nfqueue::stands() {
        nfqueue::remove()?;
        info!("removed the table of nftables that an earlier daemon made");
    }
    Ok(())
}

/// Whether a start failed since XDP cannot be had here, rather than for what nftables would meet as well.
pub fn is_without_xdp(error: &anyhow::Error) -> bool {
    matches!(
        error.downcast_ref(),
        Some(
            FenceError::Privilege(_)
                | FenceError::NoBpffs { .. }
                | FenceError::Object(_)
                | FenceError::Program(_)
                | FenceError::Occupied { .. }
                | FenceError::Attach { .. }
        )
    )
}
