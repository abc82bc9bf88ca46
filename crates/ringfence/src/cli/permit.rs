//! `ringfence permit`.

use std::process::ExitCode;

use clap::Subcommand;

use super::{Global, remote};
use crate::config::Period;
use crate::control::{Change, List, Request};

/// What to do with the list.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Put an address, a prefix or FIRST-LAST on the list
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
    Remove {
        /// As it was added
        range: String,
    },
    /// Show the list
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
