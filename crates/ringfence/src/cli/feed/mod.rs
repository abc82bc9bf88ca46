//! `ringfence feed`.

mod test;
mod update;

use std::process::ExitCode;

use clap::Subcommand;

use super::{Global, remote};
use crate::control::{FeedRequest, Request};

/// What to do with threat lists.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:\n  ringfence feed list\n  \
    ringfence feed test --url https://lists.example.com/list.txt\n\n\
    Which lists there are: [[feed]] in the configuration.")]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Show how each list stands: entries, what is left out, age, what is wrong
    #[command(after_long_help = "Example:\n  ringfence feed list --format json")]
    List,
    /// Fetch lists now
    #[command(
        after_long_help = "Examples:\n  ringfence feed update\n  ringfence feed update drop --force\n\n\
        Where no daemon runs, they are put where it finds them at its start.\n\n\
        Exit codes: 0 all were fetched, 1 one was not, 2 usage."
    )]
    Update(update::Args),
    /// Fetch a list without using it: what would be used, what left out and why
    #[command(after_long_help = "Examples:\n  ringfence feed test drop\n  \
        ringfence feed test --url https://lists.example.com/a.csv --kind csv\n  \
        ringfence feed test drop --address 192.0.2.7\n\n\
        Exit codes: 0 it can be used, 1 it cannot, 2 usage.")]
    Test(test::Args),
    /// Show which lists have an address
    #[command(after_long_help = "Example:\n  ringfence feed show 192.0.2.7")]
    Show {
        /// The address
        address: String,
    },
}

/// Does it.
///
/// # Errors
/// When the configuration cannot be read, or the daemon cannot be asked.
pub fn run(args: Args, global: &Global) -> anyhow::Result<ExitCode> {
    let what = match args.action {
        Action::List => FeedRequest::List,
        Action::Show { address } => FeedRequest::Show { address },
        Action::Update(args) => return update::run(args, global),
        Action::Test(args) => return test::run(&args, global),
    };
    remote::send_or_read(&Request::Feed { what }, global)
}
