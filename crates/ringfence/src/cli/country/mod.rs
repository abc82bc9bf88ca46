//! `ringfence country`.

mod data;
mod groups;
mod update;

use std::process::ExitCode;

use clap::Subcommand;

use super::{Global, remote};
use crate::control::Request;

/// What to do with countries.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:\n  ringfence country allow IE\n  \
    ringfence country update --dry-run\n\n\
    What is allowed or denied holds until it is forgotten, for every service with\n\
    `from = \"countries\"` but those with `countries` of their own.")]
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
    /// Show the groups that may be named in `countries`
    #[command(after_long_help = "Example:\n  ringfence country groups")]
    Groups,
    /// Show which country data holds, and how old it is
    #[command(after_long_help = "Example:\n  ringfence country data")]
    Data,
    /// Ask for newer country data and put it in force
    Update(update::Args),
    /// Put the country data in force that held before
    #[command(after_long_help = "Example:\n  ringfence country rollback\n\n\
        The data that held is not taken again by itself.")]
    Rollback,
}

/// Admits countries or not, and looks after their data.
pub fn run(args: Args, global: &Global) -> anyhow::Result<ExitCode> {
    let (code, allow) = match args.action {
        Action::List => (None, None),
        Action::Allow { code } => (Some(code), Some(true)),
        Action::Deny { code } => (Some(code), Some(false)),
        Action::Forget { code } => (Some(code), None),
        Action::Groups => return groups::run(global),
        Action::Data => return data::run(global),
        Action::Update(args) => return update::run(args, global),
        Action::Rollback => return update::rollback(global),
    };
    remote::send_or_read(&Request::Country { code, allow }, global)
}
