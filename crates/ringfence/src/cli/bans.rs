//! `ringfence bans`.

use std::process::ExitCode;

use super::{Global, remote};
use crate::control::Request;

/// Nothing but the global options.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:\n  ringfence bans\n  ringfence bans --format json")]
pub struct Args {}

/// Shows the bans.
pub fn run(_: Args, global: &Global) -> anyhow::Result<ExitCode> {
    remote::send_or_read(&Request::Bans, global)
}
