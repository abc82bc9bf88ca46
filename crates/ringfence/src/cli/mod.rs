//! The command line: one table of commands, one file for each.

pub mod check;
pub mod explain;
pub mod lookup;
mod message;
pub mod offline;
pub mod replay;
mod synthesis;

use std::io::{self, ErrorKind, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::config::LoadError;

/// The answer is no, or the operation failed.
pub const FAILED: u8 = 1;
/// The command line or the configuration is wrong.
pub const WRONG: u8 = 2;

/// A firewall for telephone systems.
#[derive(Debug, Parser)]
#[command(
    name = "ringfence",
    version,
    max_term_width = 79,
    propagate_version = true
)]
pub struct Cli {
    /// What every command takes.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What every command takes.
#[derive(Clone, Debug, Default, Args)]
pub struct Global {
    /// Configuration file [/etc/ringfence/ringfence.toml if there is one]
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The daemon's socket
    #[arg(long, global = true, value_name = "FILE")]
    pub socket: Option<PathBuf>,
    /// Mount point of the BPF file system
    #[arg(long, global = true, value_name = "DIR")]
    pub bpffs: Option<PathBuf>,
    /// Directory of what must last: lists and bans
    #[arg(long, global = true, value_name = "DIR")]
    pub state: Option<PathBuf>,
    /// How to answer
    #[arg(long, global = true, value_enum, default_value_t)]
    pub format: Format,
    /// Country data to use (MMDB or CSV) in place of the built-in
    #[arg(long, global = true, value_name = "FILE")]
    pub country_db: Option<PathBuf>,
}

/// How to answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people
    #[default]
    #[value(alias = "table")]
    Text,
    /// For programs: one JSON object a line
    Json,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Check the configuration without touching anything
    Check(check::Args),
    /// Judge the packets of a capture
    Replay(replay::Args),
    /// Tell what is known of addresses
    Lookup(lookup::Args),
    /// Show each step of a judgement
    Explain(explain::Args),
}

/// Reads the command line, does what it says and gives the exit code.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let global = cli.global;
    let done = match cli.command {
        Command::Check(args) => check::run(args, &global),
        Command::Replay(args) => replay::run(args, &global),
        Command::Lookup(args) => lookup::run(args, &global),
        Command::Explain(args) => explain::run(args, &global),
    };
    done.unwrap_or_else(|error| {
        // Whoever reads from us has read enough.
        let closed = error.chain().any(|cause| {
            let io = cause.downcast_ref::<io::Error>();
            io.is_some_and(|io| io.kind() == ErrorKind::BrokenPipe)
        });
        if closed {
            return ExitCode::SUCCESS;
        }
        // With no place to write to, the exit code alone tells.
        let _ = writeln!(io::stderr(), "ringfence: {error:#}");
        let wrong =
            error.is::<Usage>() || error.is::<LoadError>() || error.is::<crate::config::Mistakes>();
        ExitCode::from(if wrong { WRONG } else { FAILED })
    })
}

/// A command line that cannot be done, with what to write instead.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Usage(pub String);
