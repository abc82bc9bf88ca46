//! `ringfence unban`.

use std::net::IpAddr;
use std::process::ExitCode;

use ipnet::IpNet;

use super::{Global, remote};
use crate::control::Request;

/// Whose ban to lift.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:\n  ringfence unban 192.0.2.7\n  \
    ringfence unban 203.0.113.0/24\n\n\
    It says why there was a ban, lifts those of single ports too, and forgets\n\
    what is counted against the address and its /24 (IPv6: /48). Of a net it\n\
    lifts all bans in it but those made by command.")]
pub struct Args {
    /// The address, or a banned net (a /24, or an IPv6 /48)
    #[arg(value_parser = source)]
    address: String,
}

fn source(text: &str) -> Result<String, String> {
    let whole = text.parse::<IpAddr>().is_ok() || text.parse::<IpNet>().is_ok();
    let wrong = || "write an address or a net, such as 192.0.2.7 or 203.0.113.0/24".to_owned();
    whole.then(|| text.to_owned()).ok_or_else(wrong)
}

/// Lifts a ban.
pub fn run(args: Args, global: &Global) -> anyhow::Result<ExitCode> {
    remote::send(
        &Request::Unban {
            address: args.address,
        },
        global,
    )
}
