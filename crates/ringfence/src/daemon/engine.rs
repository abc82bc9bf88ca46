//! Which engine judges.

use anyhow::Result;
use tracing::{info, warn};

use crate::config::Config;
use crate::engine::Engine;
use crate::engine::xdp::{Fate, Fence};

/// Loads the engine, or takes over what an earlier daemon left of it.
pub fn load(config: &Config) -> Result<Box<dyn Engine>> {
    let mut fence = Fence::load(&config.bpffs, false)?;
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
