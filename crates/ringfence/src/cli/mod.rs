//! The command line: one table of commands, one file for each.

pub mod asterisk;
pub mod audit;
pub mod ban;
pub mod bans;
pub mod check;
pub mod completions;
pub mod confirm;
pub mod country;
pub mod demo;
pub mod deny;
pub mod doctor;
pub mod events;
pub mod explain;
pub mod export;
pub mod feed;
pub mod host;
pub mod import;
pub mod install;
mod leak;
mod list;
pub mod lookup;
pub mod man;
mod message;
pub mod notify;
pub mod offline;
pub mod permit;
pub mod reload;
mod remote;
pub mod replay;
pub mod report;
pub mod run;
pub mod setup;
pub mod status;
pub mod stop;
mod surroundings;
pub mod trust;
mod trusted;
pub mod unban;
pub mod uninstall;
pub mod why;

use std::io::{self, ErrorKind, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::config::LoadError;
use crate::terminal;

/// The answer is no, or the operation failed.
pub const FAILED: u8 = 1;
/// The command line or the configuration is wrong.
pub const WRONG: u8 = 2;

/// A firewall for telephone systems: decides in the kernel who may speak SIP to them.
///
/// `ringfence run` in shadow mode, the default, decides and reports and drops nothing.
#[derive(Debug, Parser)]
#[command(
    name = "ringfence",
    version,
    max_term_width = 78,
    propagate_version = true,
    after_long_help = "Examples:\n  ringfence demo\n  ringfence doctor\n  ringfence run --shadow\n  ringfence status\n\n\
                       Exit codes: 0 done, or yes; 1 failed, or no; 2 the command line or the configuration is wrong"
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
#[command(next_help_heading = "Options of every command")]
pub struct Global {
    /// Configuration file [default: /etc/ringfence/ringfence.toml if it is there]
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The daemon's socket [default: the configured one, or /run/ringfence/ringfence.sock]
    #[arg(long, global = true, value_name = "FILE")]
    pub socket: Option<PathBuf>,
    /// Mount point of the BPF file system [default: the configured one, or /sys/fs/bpf]
    #[arg(long, global = true, value_name = "DIR")]
    pub bpffs: Option<PathBuf>,
    /// Directory of what must last: lists, bans, trust [default: the configured one, or /var/lib/ringfence]
    #[arg(long, global = true, value_name = "DIR")]
    pub state: Option<PathBuf>,
    /// How to answer
    #[arg(long, global = true, value_enum, default_value_t)]
    pub format: Format,
    /// Country data (MMDB or CSV) in place of the built-in
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
    /// Start the daemon: put the fence up and keep it up to date
    Run(run::Args),
    /// Show how the fence stands, and what it has passed and dropped
    Status(status::Args),
    /// Show single packets that were dropped or would be, and why
    Events(events::Args),
    /// Read the configuration again and put it in force
    Reload(reload::Args),
    /// Take the fence down and end the daemon
    Stop(stop::Args),
    /// Keep the policy that is on trial
    Confirm(confirm::Args),
    /// List, add or remove sources that always pass
    Permit(permit::Args),
    /// List, add or remove sources that never pass
    Deny(deny::Args),
    /// Ban an address for a while
    Ban(ban::Args),
    /// Lift a ban
    Unban(unban::Args),
    /// Take over bans and lists of fail2ban, FreePBX or CSF
    Import(import::Args),
    /// Show the bans, each with its reason, evidence and end
    Bans(bans::Args),
    /// Write bans and counts for routers, nftables, ipset, fail2ban or CrowdSec
    Export(export::Args),
    /// Show who is trusted and why, or forget an address
    Trust(trust::Args),
    /// Tell why an address or account is or was blocked, and what lets it in
    Why(why::Args),
    /// Report what was dropped or would have been, false alarms first
    Report(report::Args),
    /// Admit a country or not, whatever the configuration says
    Country(country::Args),
    /// Show threat lists, fetch them, or try one
    Feed(feed::Args),
    /// Show the host's firewall, put it in force or take it away
    Host(host::Args),
    /// Try the ways on which people are told of bans and the like
    Notify(notify::Args),
    /// Check the configuration without touching anything
    Check(check::Args),
    /// Judge the packets of a capture (pcap or pcapng)
    Replay(replay::Args),
    /// Tell what is known of addresses: country, lists, ban, trust, refusals
    Lookup(lookup::Args),
    /// Tell why an address or a packet passes or not, step by step
    Explain(explain::Args),
    /// Tell who of Asterisk's phones and trunks would pass, and what makes it easy prey
    Audit(audit::Args),
    /// Show the fence at work, in network namespaces of its own
    Demo(demo::Args),
    /// Make the first configuration of this host, in shadow mode
    Setup(setup::Args),
    /// Tell what stands in the way of the fence, and what to do
    Doctor(doctor::Args),
    /// Make Asterisk work with Ringfence: what to put into its configuration
    Asterisk(asterisk::Args),
    /// Put Ringfence onto this system where there is no package
    Install(install::Args),
    /// Take away what `install` put onto this system
    Uninstall(uninstall::Args),
    /// Print a completion script for a shell
    Completions(completions::Args),
    /// Write man pages into a directory
    Man(man::Args),
}

/// Reads the command line, does what it says and gives the exit code.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let global = cli.global;
    let done = match cli.command {
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
        Command::Import(args) => import::run(args, &global),
        Command::Bans(args) => bans::run(args, &global),
        Command::Export(args) => export::run(args, &global),
        Command::Trust(args) => trust::run(args, &global),
        Command::Why(args) => why::run(args, &global),
        Command::Report(args) => report::run(args, &global),
        Command::Country(args) => country::run(args, &global),
        Command::Feed(args) => feed::run(args, &global),
        Command::Host(args) => host::run(args, &global),
        Command::Notify(args) => notify::run(args, &global),
        Command::Check(args) => check::run(args, &global),
        Command::Replay(args) => replay::run(args, &global),
        Command::Lookup(args) => lookup::run(args, &global),
        Command::Explain(args) => explain::run(args, &global),
        Command::Audit(args) => audit::run(args, &global),
        Command::Demo(args) => demo::run(args, &global),
        Command::Setup(args) => setup::run(args, &global),
        Command::Doctor(args) => doctor::run(args, &global),
        Command::Asterisk(args) => asterisk::run(args, &global),
        Command::Install(args) => install::run(args, &global),
        Command::Uninstall(args) => uninstall::run(args, &global),
        Command::Completions(args) => completions::run(args, &global),
        Command::Man(args) => man::run(args, &global),
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
        let _ = writeln!(io::stderr(), "ringfence: {}", terminal::text(&told(&error)));
        let wrong =
            error.is::<Usage>() || error.is::<LoadError>() || error.is::<crate::config::Mistakes>();
        ExitCode::from(if wrong { WRONG } else { FAILED })
    })
}

/// The error and its causes in one line; a cause that the text before it quotes is not repeated.
fn told(error: &anyhow::Error) -> String {
    let mut line = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if line.is_empty() {
            line = cause;
        } else if !line.contains(&cause) {
            line = format!("{line}: {cause}");
        }
    }
    line
}

/// A command line that cannot be done, with what to write instead.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Usage(pub String);

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn a_cause_is_told_once() {
        let inner = || anyhow::anyhow!("no such file");
        let quoted = inner().context("cannot read x: no such file; name another");
        assert_eq!(told(&quoted), "cannot read x: no such file; name another");
        assert_eq!(
            told(&inner().context("cannot read x")),
            "cannot read x: no such file"
        );
    }

    /// Looks at the help of a command and of all below it.
    fn walk(command: &mut clap::Command, path: &str) {
        let name = command.get_name();
        let path = format!("{path} {name}").trim_start().to_owned();
        if name == "help" {
            return;
        }
        for help in [command.render_help(), command.render_long_help()] {
            for line in help.to_string().lines() {
                let width = line.chars().count();
                assert!(width < 79, "{path}: {width} columns: {line}");
            }
        }
        let example = command.get_after_long_help().map(ToString::to_string);
        let example = example.unwrap_or_default();
        assert!(example.contains("\n  "), "{path} has no example: {example}");
        let above = path.split(' ').next().unwrap_or_default();
        assert!(example.contains(above), "{path}: {example}");
        for below in command.get_subcommands_mut() {
            walk(below, &path);
        }
    }

    #[test]
    fn help_fits_and_has_examples() {
        let mut command = Cli::command();
        command.build();
        walk(&mut command, "");
    }

    /// What the examples say can be said.
    #[test]
    fn examples_parse() {
        fn examples(command: &clap::Command, all: &mut Vec<String>) {
            let text = command.get_after_long_help().map(ToString::to_string);
            let text = text.unwrap_or_default();
            all.extend(
                text.lines()
                    .filter_map(|line| line.strip_prefix("  ringfence "))
                    .map(str::to_owned),
            );
            for below in command.get_subcommands() {
                examples(below, all);
            }
        }
        let mut all = Vec::new();
        examples(&Cli::command(), &mut all);
        assert!(all.len() > 20, "{all:?}");
        for line in all {
            // Up to where the shell takes over; quoted text is one word.
            let line = line.split(['>', '&', '|']).next().unwrap_or_default();
            let words = line.split('\'').enumerate().flat_map(|(n, part)| {
                let quoted = n % 2 == 1;
                let split = part.split_whitespace().filter(move |_| !quoted);
                split.chain(Some(part).filter(|_| quoted))
            });
            let words = ["ringfence"].into_iter().chain(words);
            if let Err(error) = Cli::try_parse_from(words) {
                panic!("{line}: {error}");
            }
        }
    }
}
