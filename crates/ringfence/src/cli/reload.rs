//! `ringfence reload`.

use std::process::ExitCode;

use super::{Global, remote};
use crate::config::Period;
use crate::control::Request;

/// How to reload.
#[derive(Debug, clap::Args)]
#[command(
    after_long_help = "Examples:\n  ringfence check && ringfence reload\n  ringfence reload --confirm 60s\n\n\
    --enforce and --shadow hold until the daemon ends. Without them the mode stays\n\
    that of `ringfence run`, else that of the configuration; after a trial that\n\
    nobody confirmed it stays shadow."
)]
pub struct Args {
    /// Drop nothing from now on, whatever the configuration says
    #[arg(long, conflicts_with_all = ["enforce", "confirm"])]
    shadow: bool,
    /// Drop from now on, whatever the configuration says
    #[arg(long)]
    enforce: bool,
    /// Enforce for this long, such as 60s, then fall back to shadow unless `ringfence confirm` was run
    #[arg(long, value_name = "TIME")]
    confirm: Option<Period>,
    /// Enforce also where the policy drops your SSH session or your router
    #[arg(long)]
    yes: bool,
}

/// Has the daemon read its configuration again.
pub fn run(args: Args, global: &Global) -> anyhow::Result<ExitCode> {
    let enforce = args.enforce || args.confirm.is_some();
    let request = Request::Reload {
        yes: args.yes,
        enforce: (enforce || args.shadow).then_some(enforce),
        confirm: args.confirm.map(remote::seconds),
    };
    remote::send(&request, global)
}
