//! `ringfence asterisk`: what an Asterisk needs to work with Ringfence.

mod parse;
mod parsed;

use std::process::ExitCode;

use clap::Subcommand;

use super::Global;

/// What to do.
#[derive(Debug, clap::Args)]
#[command(
    after_long_help = "Example:\n  ringfence asterisk parse --log /var/log/asterisk/security"
)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Show what is understood of a log, or of a recorded manager stream
    Parse(parse::Args),
}

/// Does it.
///
/// # Errors
/// When it cannot be done, with what to do instead.
pub fn run(args: Args, global: &Global) -> anyhow::Result<ExitCode> {
    match args.action {
        Action::Parse(args) => parse::run(args, global),
    }
}
