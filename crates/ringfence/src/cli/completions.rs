//! `ringfence completions`: what the shell needs to complete our commands.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::CommandFactory;
use clap_complete::Shell;

use super::{Cli, Global};

/// Print completions for a shell
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Example:\n  ringfence completions bash \
    >/usr/share/bash-completion/completions/ringfence")]
pub struct Args {
    /// The shell
    shell: Shell,
}

/// Does it.
///
/// # Errors
/// When the answer cannot be written.
pub fn run(args: Args, _: &Global) -> anyhow::Result<ExitCode> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "ringfence", &mut script);
    io::stdout().write_all(&script)?;
    Ok(ExitCode::SUCCESS)
}
