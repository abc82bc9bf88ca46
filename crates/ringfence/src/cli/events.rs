//! `ringfence events`.

use std::process::ExitCode;

use super::{Global, remote};
use crate::control::Request;

/// Which events.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:\n  ringfence events\n  ringfence events -f --format json")]
pub struct Args {
    /// Stay, and show each event as it happens
    #[arg(short, long)]
    follow: bool,
}

/// Shows the latest events.
pub fn run(args: Args, global: &Global) -> anyhow::Result<ExitCode> {
    remote::send(
        &Request::Events {
            follow: args.follow,
        },
        global,
    )
}
