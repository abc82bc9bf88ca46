//! `ringfence report`.

use std::process::ExitCode;

use super::{Global, remote};
use crate::config::Period;
use crate::control::Request;

/// Over what time.
#[derive(Debug, clap::Args)]
#[command(
    after_long_help = "Examples:\n  ringfence report\n  ringfence report --since 1d --format json\n\n\
    After a week in shadow mode: sources that registered after all are false alarms;\n\
    admit their country or permit them before `ringfence reload --enforce`."
)]
pub struct Args {
    /// How far to look back, such as 7d; at most 30 days are remembered
    #[arg(long, value_name = "TIME", default_value = "7d")]
    since: Period,
}

/// Reports what was dropped, or would have been.
pub fn run(args: Args, global: &Global) -> anyhow::Result<ExitCode> {
    let seconds = remote::seconds(args.since);
    remote::send_or_read(&Request::Report { seconds }, global)
}
