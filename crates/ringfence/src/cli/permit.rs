//! `ringfence permit`.

use std::process::ExitCode;

use clap::Subcommand;

use super::{Global, remote};
use crate::config::Period;
use crate::control::{Change, List, Request};

/// What to do with the list.
#[derive(Debug, clap::Args)]
#[command(
    after_long_help = "Example:\n  ringfence permit add 198.51.100.7 --comment 'branch office'"
)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Put an address, a prefix or FIRST-LAST on the list
    #[command(
        after_long_help = "Examples:\n  ringfence permit add 198.51.100.7 --comment 'branch office'\n\
        \x20 ringfence permit add 203.0.113.64/27 --for 2h"
    )]
    Add {
        /// ADDRESS, CIDR or FIRST-LAST
        range: String,
        /// Why it is on the list
        #[arg(long, default_value = "")]
        comment: String,
        /// For how long, such as 2h [default: for ever]
        #[arg(long = "for", value_name = "TIME")]
        time: Option<Period>,
    },
    /// Take it off again
    #[command(after_long_help = "Example:\n  ringfence permit remove 198.51.100.7")]
    Remove {
        /// As it was added
        range: String,
    },
    /// Show the list
    #[command(after_long_help = "Example:\n  ringfence permit list --format json")]
    List,
}

/// Changes or shows the permit list.
pub fn run(args: Args, global: &Global) -> anyhow::Result<ExitCode> {
    let change = match args.action {
        Action::Add {
            range,
            comment,
            time,
        } => Change::Add {
            range,
            comment,
            seconds: time.map(remote::seconds),
        },
        Action::Remove { range } => Change::Remove { range },
        Action::List => Change::Show,
    };
    remote::send(
        &Request::List {
            list: List::Permit,
            change,
        },
        global,
    )
}
