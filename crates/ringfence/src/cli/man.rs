//! `ringfence man`: man pages from the table of commands.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::CommandFactory;

use super::{Cli, Global};
use crate::install;

/// Write the man pages, one for each command
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Example:\n  ringfence man /usr/local/share/man/man1")]
pub struct Args {
    /// Directory to write them to; made if it is not there
    directory: PathBuf,
}

/// Does it.
///
/// # Errors
/// When the directory cannot be written to.
pub fn run(args: Args, _: &Global) -> anyhow::Result<ExitCode> {
    let failed = || format!("cannot write man pages to {}", args.directory.display());
    fs::create_dir_all(&args.directory).with_context(failed)?;
    for (name, page) in install::man_pages(&Cli::command())? {
        fs::write(args.directory.join(name), page).with_context(failed)?;
    }
    Ok(ExitCode::SUCCESS)
}
