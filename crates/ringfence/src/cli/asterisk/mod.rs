//! `ringfence asterisk`: what concerns Asterisk alone.

pub mod manager;

use std::process::ExitCode;

use clap::Subcommand;

use super::Global;

/// What concerns Asterisk alone
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Example:\n  ringfence asterisk manager")]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Print a user for manager.conf that may do what Ringfence needs, and no more
    Manager(manager::Args),
}

/// Does it.
///
/// # Errors
/// What the command says of itself.
pub fn run(args: Args, global: &Global) -> anyhow::Result<ExitCode> {
    match args.action {
        Action::Manager(args) => manager::run(args, global),
    }
}
