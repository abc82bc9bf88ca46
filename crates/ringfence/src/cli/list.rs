//! What `ringfence permit` and `ringfence deny` share: each changes or shows one of the operator's lists.

use std::process::ExitCode;

use clap::Subcommand;

use super::{Global, remote};
use crate::config::Period;
use crate::control::{Change, List, Request};

/// What to do with a list.
#[derive(Debug, Subcommand)]
pub enum Action {
    /// Put an address, a prefix, FIRST-LAST or a host name on the list
    #[command(
        after_long_help = "Examples:\n  ringfence permit add 198.51.100.7 --comment 'branch office'\n\
        \x20 ringfence permit add boss.dyndns.example --for 2w\n\
        \x20 ringfence deny add 192.0.2.10-192.0.2.20 --for 2h\n\n\
        A host name stands for the addresses that it has at the moment."
    )]
    Add {
        /// ADDRESS, CIDR, FIRST-LAST or NAME
        range: String,
        /// Why it is on the list
        #[arg(long, default_value = "")]
        comment: String,
        /// For how long, such as 2h [default: for ever]
        #[arg(long = "for", value_name = "TIME")]
        time: Option<Period>,
    },
    /// Take it off again
    #[command(
        after_long_help = "Examples:\n  ringfence permit remove 198.51.100.7\n\
        \x20 ringfence deny remove 192.0.2.10-192.0.2.20"
    )]
    Remove {
        /// As it was added
        range: String,
    },
    /// Show the list
    #[command(
        after_long_help = "Examples:\n  ringfence permit list\n  ringfence deny list --format json"
    )]
    List,
}

/// Has the daemon change or show a list.
pub fn run(action: Action, list: List, global: &Global) -> anyhow::Result<ExitCode> {
    let change = match action {
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
    remote::send_or_read(&Request::List { list, change }, global)
}
