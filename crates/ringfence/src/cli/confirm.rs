//! `ringfence confirm`.

use std::process::ExitCode;

use super::{Global, remote};
use crate::control::Request;

/// Nothing but the global options.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Example:\n  ringfence reload --confirm 60s\n  ringfence confirm")]
pub struct Args {}

/// Keeps the policy that is on trial.
pub fn run(_: Args, global: &Global) -> anyhow::Result<ExitCode> {
    remote::send(&Request::Confirm, global)
}
