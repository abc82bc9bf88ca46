//! `ringfence stop`.

use std::process::ExitCode;

use super::{Global, remote};
use crate::config::Config;
use crate::control::{ControlError, Request};
use crate::daemon::CONFIG;
use crate::engine::nfqueue;
use crate::engine::xdp::Pins;

/// Nothing but the global options.
#[derive(Debug, clap::Args)]
#[command(
    after_long_help = "Example:\n  ringfence stop\n\nWhere no daemon runs it takes down the fence that one left standing."
)]
pub struct Args {}

/// Takes the fence down: through the daemon, or where none runs, itself.
pub fn run(_: Args, global: &Global) -> anyhow::Result<ExitCode> {
    match remote::send(&Request::Stop, global) {
        Err(error) if matches!(error.downcast_ref(), Some(ControlError::NoDaemon(_))) => {}
        answer => return answer,
    }
    let configured = || {
        let config = global.config.clone().unwrap_or_else(|| CONFIG.into());
        Config::load(&config).unwrap_or_default().bpffs
    };
    let bpffs = global.bpffs.clone().unwrap_or_else(configured);
    let pinned = Pins::below(&bpffs).remove()?;
    let queued = nfqueue::stands() && nfqueue::remove()?;
    if pinned || queued {
        println!("the fence is taken down; no daemon ran");
    } else {
        println!("there is no fence");
    }
    Ok(ExitCode::SUCCESS)
}
