//! `ringfence permit`.

use std::process::ExitCode;

use super::{Global, list};
use crate::control::List;

/// What to do with the list.
#[derive(Debug, clap::Args)]
#[command(
    after_long_help = "Example:\n  ringfence permit add 198.51.100.7 --comment 'branch office'"
)]
pub struct Args {
    #[command(subcommand)]
    action: list::Action,
}

/// Changes or shows the permit list.
pub fn run(args: Args, global: &Global) -> anyhow::Result<ExitCode> {
    list::run(args.action, List::Permit, global)
}
