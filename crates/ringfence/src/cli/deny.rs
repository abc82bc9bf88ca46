//! `ringfence deny`.

use std::process::ExitCode;

use super::{Global, list};
use crate::control::List;

/// What to do with the list.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Example:\n  ringfence deny add 192.0.2.10-192.0.2.20 --for 2h")]
pub struct Args {
    #[command(subcommand)]
    action: list::Action,
}

/// Changes or shows the deny list.
pub fn run(args: Args, global: &Global) -> anyhow::Result<ExitCode> {
    list::run(args.action, List::Deny, global)
}
