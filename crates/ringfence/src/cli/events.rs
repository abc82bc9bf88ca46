//! `ringfence events`.

use std::process::ExitCode;

use super::{Global, remote};
use crate::control::Request;

/// Which events.
#[derive(Debug, clap::Args)]
#[command(
    after_long_help = "Examples:\n  ringfence events\n  ringfence events -f --format json\n\n\
    The daemon keeps the latest 1,000. A source's further packets with the same\n\
    reason are counted for ten seconds and not shown; `ringfence status` has all."
)]
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
