//! The command line: one file a subcommand.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};

mod ban;
mod bans;
mod confirm;
mod country;
mod deny;
mod events;
mod permit;
mod reload;
mod remote;
mod run;
mod status;
mod stop;
mod unban;

/// A firewall for telephone systems.
#[derive(Debug, Parser)]
#[command(name = "ringfence", version, about)]
pub struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// How answers are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// For programs.
    Json,
}

/// What every subcommand takes.
#[derive(Debug, Clone, clap::Args)]
pub struct Global {
    /// The configuration file [default: /etc/ringfence/ringfence.toml, if it exists]
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The daemon's control socket, in place of the configured one
    #[arg(long, global = true, value_name = "PATH")]
    pub socket: Option<PathBuf>,
    /// The mount point of the BPF file system, in place of the configured one
    #[arg(long, global = true, value_name = "DIRECTORY")]
    pub bpffs: Option<PathBuf>,
    /// The directory for what must last, in place of the configured one
    #[arg(long, global = true, value_name = "DIRECTORY")]
    pub state: Option<PathBuf>,
    /// How answers are written
    #[arg(long, global = true, value_enum, default_value_t)]
    pub format: Format,
    /// Country data in place of the data inside the program
    #[arg(long, global = true, value_name = "FILE")]
    pub country_db: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Stand the fence up and keep it filled
    Run(run::Args),
    /// Show how the fence stands
    Status(status::Args),
    /// Show what was dropped, or would have been
    Events(events::Args),
    /// Read the configuration again
    Reload(reload::Args),
    /// Take the fence down
    Stop(stop::Args),
    /// Keep the policy that is on trial
    Confirm(confirm::Args),
    /// Sources that always pass
    Permit(permit::Args),
    /// Sources that never pass
    Deny(deny::Args),
    /// Ban an address
    Ban(ban::Args),
    /// Lift a ban
    Unban(unban::Args),
    /// Show the bans
    Bans(bans::Args),
    /// Admit countries or not, over what the configuration says
    Country(country::Args),
}

/// Runs the command line. Exit codes: 0 fine; 1 the answer is no, or it failed; 2 usage or configuration wrong.
pub fn main() -> ExitCode {
    let Cli { global, command } = Cli::parse();
    let result = match command {
        Command::Run(args) => run::run(args, &global),
        Command::Status(args) => status::run(args, &global),
        Command::Events(args) => events::run(args, &global),
        Command::Reload(args) => reload::run(args, &global),
        Command::Stop(args) => stop::run(args, &global),
        Command::Confirm(args) => confirm::run(args, &global),
        Command::Permit(args) => permit::run(args, &global),
        Command::Deny(args) => deny::run(args, &global),
        Command::Ban(args) => ban::run(args, &global),
        Command::Unban(args) => unban::run(args, &global),
        Command::Bans(args) => bans::run(args, &global),
        Command::Country(args) => country::run(args, &global),
    };
    result.unwrap_or_else(|error| {
        eprintln!("ringfence: {error:#}");
        let wrong = error.is::<crate::config::LoadError>() || error.is::<crate::config::Mistakes>();
        ExitCode::from(if wrong { 2 } else { 1 })
    })
}
