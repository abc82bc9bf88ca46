//! `ringfence status`.

use std::process::ExitCode;

use super::{Global, remote};
use crate::control::Request;

/// Nothing but the global options.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Shows how the fence stands.
pub fn run(_: Args, global: &Global) -> anyhow::Result<ExitCode> {
    remote::send(&Request::Status, global)
}
