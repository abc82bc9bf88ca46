//! `ringfence country`.

use std::process::ExitCode;

use clap::Subcommand;

use super::{Global, remote};
use crate::control::Request;

/// What to do with countries.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Example:\n  ringfence country allow IE\n\n\
    It holds until it is forgotten, for every service with `from = \"countries\"`\n\
    but those with `countries` of their own.")]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Show the countries that were allowed or denied here
    #[command(after_long_help = "Example:\n  ringfence country list")]
    List,
    /// Admit a country
    #[command(after_long_help = "Example:\n  ringfence country allow IE")]
    Allow {
        /// Two letters of ISO 3166-1
        code: String,
    },
    /// Do not admit a country
    #[command(after_long_help = "Example:\n  ringfence country deny IE")]
    Deny {
        /// Two letters of ISO 3166-1
        code: String,
    },
    /// Forget what was said: the configuration holds
    #[command(after_long_help = "Example:\n  ringfence country forget IE")]
    Forget {
        /// Two letters of ISO 3166-1
        code: String,
    },
}

/// Admits countries or not.
pub fn run(args: Args, global: &Global) -> anyhow::Result<ExitCode> {
    let (code, allow) = match args.action {
        Action::List => (None, None),
        Action::Allow { code } => (Some(code), Some(true)),
        Action::Deny { code } => (Some(code), Some(false)),
        Action::Forget { code } => (Some(code), None),
    };
    remote::send_or_read(&Request::Country { code, allow }, global)
}
