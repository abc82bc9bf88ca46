//! `ringfence ban`.

use std::net::IpAddr;
use std::process::ExitCode;

use super::{Global, remote};
use crate::config::Period;
use crate::control::Request;

/// Whom to ban.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Example:\n  ringfence ban 192.0.2.7 --for 2h")]
pub struct Args {
    /// The address; of an IPv6 address, its /64 is banned
    address: IpAddr,
    /// For how long, such as 2h [default: the configured time]
    #[arg(long = "for", value_name = "TIME")]
    time: Option<Period>,
}

/// Bans an address.
pub fn run(args: Args, global: &Global) -> anyhow::Result<ExitCode> {
    let seconds = args.time.map(remote::seconds);
    remote::send(
        &Request::Ban {
            address: args.address.to_string(),
            seconds,
        },
        global,
    )
}
