//! `ringfence why`.

use std::process::ExitCode;

use super::{Global, remote};
use crate::control::Request;

/// Whom it is about.
#[derive(Debug, clap::Args)]
#[command(
    after_long_help = "Examples:\n  ringfence why 192.0.2.7\n  ringfence why 1007\n\n\
    The first line says why, and which command lets it in; below stands what is\n\
    remembered: bans, drops, refusals. `ringfence explain` asks the judge what a\n\
    packet would meet now."
)]
pub struct Args {
    /// An address, or the name of an account
    #[arg(value_name = "ADDRESS|ACCOUNT")]
    what: String,
}

/// Tells why an address or account is or was blocked.
pub fn run(args: Args, global: &Global) -> anyhow::Result<ExitCode> {
    remote::send_or_read(&Request::Why { what: args.what }, global)
}
