//! `ringfence trust`.

use std::net::IpAddr;
use std::process::ExitCode;

use clap::Subcommand;

use super::{Global, remote};
use crate::control::Request;

/// What to do; without a command, show who is trusted.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:\n  ringfence trust\n  \
    ringfence trust forget 192.0.2.7\n\n\
    registered: an account is registered from there; known: one was within a day;\n\
    solicited: it answers what this host asks of it; call: a call with it is up.")]
pub struct Args {
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Forget an address: its registrations, and that it was asked for something
    #[command(after_long_help = "Example:\n  ringfence trust forget 192.0.2.7\n\n\
        It is trusted again when it registers, or answers what this host asks of it.\n\
        To keep it out: `ringfence deny add` or `ringfence ban`.")]
    Forget {
        /// The address
        address: IpAddr,
    },
}

/// Shows who is trusted, or forgets an address.
pub fn run(args: Args, global: &Global) -> anyhow::Result<ExitCode> {
    let forget = args
        .action
        .map(|Action::Forget { address }| address.to_string());
    remote::send_or_read(&Request::Trust { forget }, global)
}
