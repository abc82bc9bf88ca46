//! `ringfence reload`.

use std::process::ExitCode;

use super::{Global, remote};
use crate::control::Request;

/// How to reload.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Example:\n  ringfence check && ringfence reload")]
pub struct Args {
    /// Also where the new policy locks the administrator out
    #[arg(long)]
    yes: bool,
}

/// Has the daemon read its configuration again.
pub fn run(args: Args, global: &Global) -> anyhow::Result<ExitCode> {
    remote::send(&Request::Reload { yes: args.yes }, global)
}
