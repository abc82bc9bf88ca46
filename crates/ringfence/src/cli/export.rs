//! `ringfence export`: bans and counts for others.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::{Subcommand, ValueEnum};
use jiff::Timestamp;

use super::{Format, Global, Usage, remote};
use crate::control::Request;
use crate::control::export::Export;
use crate::share::{BansAs, Counts, Naming, bans_as};

/// What to write.
#[derive(Debug, clap::Args)]
#[command(
    after_long_help = "Examples:\n  ringfence export bans --as nft --output /etc/nftables.d/bans.nft\n  \
    ringfence export counts"
)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Write the bans that others may use
    #[command(after_long_help = "Examples:\n  ringfence export bans > bans.txt\n  \
        ringfence export bans --as ipset | ipset restore\n\n\
        Left out are those who belong here, single ports, private addresses, and bans\n\
        on evidence that may be forged.")]
    Bans {
        /// What to write them as
        #[arg(long = "as", value_enum, value_name = "FORMAT")]
        written: Option<BansAs>,
        /// Also those on evidence that may be forged: they may fall on innocents
        #[arg(long)]
        unproved: bool,
        /// The table of nftables
        #[arg(long, default_value = "ringfence_shared", value_name = "NAME")]
        table: String,
        /// The sets of nftables and ipset, before 4 or 6
        #[arg(long, default_value = "ringfence", value_name = "NAME")]
        set: String,
        /// A file to replace in place of standard output
        #[arg(long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Write what was passed and dropped, by service and reason
    #[command(
        after_long_help = "Examples:\n  ringfence export counts\n  ringfence export counts --as prometheus"
    )]
    Counts {
        /// What to write them as
        #[arg(long = "as", value_enum, value_name = "FORMAT", default_value_t)]
        written: CountsAs,
        /// A file to replace in place of standard output
        #[arg(long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
}

/// What counts are written as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum CountsAs {
    /// One JSON object
    #[default]
    Json,
    /// Prometheus' text format
    Prometheus,
}

/// Writes them.
///
/// # Errors
/// When nobody tells them, or they cannot be written.
pub fn run(args: Args, global: &Global) -> Result<ExitCode> {
    let (text, output) = match args.what {
        What::Bans {
            written,
            unproved,
            table,
            set,
            output,
        } => {
            let naming = Naming { table, set };
            for name in [&naming.table, &naming.set] {
                if !Naming::fits(name) {
                    let name = name.escape_debug();
                    let wrong = format!(
                        "`{name}` cannot be the name of a table or set; write at most 25 letters, digits and `_`, a \
                         letter first"
                    );
                    return Err(Usage(wrong).into());
                }
            }
            let format = written.unwrap_or(match global.format {
                Format::Json => BansAs::Json,
                Format::Text => BansAs::Plain,
            });
            let answer = remote::first(&Request::ExportBans { unproved }, global)?;
            let export: Export = serde_json::from_value(answer)?;
            let unproved = export.kept_back.unproved;
            if unproved > 0 {
                let _ = writeln!(
                    io::stderr(),
                    "ringfence: {unproved} bans on evidence that may be forged are left out; --unproved writes them too"
                );
            }
            let text = bans_as(format, &export.bans, &naming, Timestamp::now());
            (text, output)
        }
        What::Counts { written, output } => {
            let answer = remote::first(&Request::ExportCounts, global)?;
            let counts: Counts = serde_json::from_value(answer)?;
            let text = match written {
                CountsAs::Json => counts.json(),
                CountsAs::Prometheus => counts.prometheus(),
            };
            (text, output)
        }
    };
    match output {
        Some(file) => replace(&file, &text)?,
        None => io::stdout().write_all(text.as_bytes())?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Writes a file beside its place and puts it there whole.
fn replace(file: &Path, text: &str) -> Result<()> {
    let Some(name) = file.file_name() else {
        bail!("{} is no file; name one with --output", file.display());
    };
    let mut beside = std::ffi::OsString::from(".");
    beside.push(name);
    beside.push(format!(".{}", std::process::id()));
    let beside = file.with_file_name(beside);
    let put = || -> io::Result<()> {
        let mut new = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&beside)?;
        new.write_all(text.as_bytes())?;
        new.sync_all()?;
        fs::rename(&beside, file)
    };
    put()
        .inspect_err(|_| {
            let _ = fs::remove_file(&beside);
        })
        .with_context(|| format!("cannot write {}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("bans.txt");
        fs::write(&file, "before").unwrap();
        replace(&file, "after").unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "after");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
        let error = replace(&directory.path().join("no/bans.txt"), "").unwrap_err();
        assert!(error.to_string().contains("cannot write"), "{error}");
    }
}
