//! `ringfence asterisk`: what an Asterisk needs to work with Ringfence.

mod dialplan;
pub(super) mod manager;
mod parse;
mod parsed;

use std::process::ExitCode;

use clap::Subcommand;

use super::Global;

/// What an Asterisk needs to work with Ringfence
#[derive(Debug, clap::Args)]
#[command(
    after_long_help = "Examples:\n  ringfence asterisk manager\n  ringfence asterisk dialplan\n  \
                       ringfence asterisk parse --log /var/log/asterisk/security"
)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Print a user for manager.conf that may do what Ringfence needs, and no more
    Manager(manager::Args),
    /// Print a dial plan that asks Ringfence about callers
    Dialplan(dialplan::Args),
    /// Show what is understood of a log, or of a recorded manager stream
    Parse(parse::Args),
}

/// Does it.
///
/// # Errors
/// When it cannot be done, with what to do instead.
pub fn run(args: Args, global: &Global) -> anyhow::Result<ExitCode> {
    match args.action {
        Action::Manager(args) => manager::run(args, global),
        Action::Dialplan(args) => dialplan::run(args, global),
        Action::Parse(args) => parse::run(args, global),
    }
}
