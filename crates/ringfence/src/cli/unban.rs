//! `ringfence unban`.

use std::net::IpAddr;
use std::process::ExitCode;

use super::{Global, remote};
use crate::control::Request;

/// Whose ban to lift.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Example:\n  ringfence unban 192.0.2.7")]
pub struct Args {
    /// The address
    address: IpAddr,
}

/// Lifts a ban.
pub fn run(args: Args, global: &Global) -> anyhow::Result<ExitCode> {
    remote::send(
        &Request::Unban {
            address: args.address.to_string(),
        },
        global,
    )
}
