//! `ringfence status`.

use std::process::ExitCode;

use super::{Global, remote};
use crate::control::Request;

/// Nothing but the global options.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:\n  ringfence status\n  ringfence status --format json")]
pub struct Args {}

/// Shows how the fence stands.
pub fn run(_: Args, global: &Global) -> anyhow::Result<ExitCode> {
    remote::send(&Request::Status, global)
}
