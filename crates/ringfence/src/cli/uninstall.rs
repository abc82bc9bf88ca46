//! `ringfence uninstall`: takes away what `ringfence install` put onto the system.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, ensure};

use super::install::{Place, Told};
use super::{Global, stop};
use crate::install::{self, File, Kind, Outcome, STATE, Service};

/// Take away what `install` put onto this system
///
/// Takes the fence down first, and our tables of nftables. A configuration that was
/// changed and what the daemon remembers stay, unless it is told to --purge.
#[derive(Debug, clap::Args)]
#[command(
    after_long_help = "Examples:\n  ringfence uninstall --dry-run\n  ringfence uninstall --purge"
)]
pub struct Args {
    #[command(flatten)]
    place: Place,
    /// Remove the configuration and the state too
    #[arg(long)]
    purge: bool,
}

/// Does it.
///
/// # Errors
/// When the fence cannot be taken down, or a file not be removed.
pub fn run(args: Args, global: &Global) -> anyhow::Result<ExitCode> {
    let place = &args.place;
    place.check()?;
    let told = Told::new(global.format);
    let here = place.is_this_host();
    let service = here.then(Service::of_this_host).flatten();
    if here && !place.dry_run {
        if let Some(service) = &service
            && let Err(error) = service.stop()
        {
            told.line(&error.to_string());
        }
        ensure!(
            stop::run(stop::Args {}, global)? == ExitCode::SUCCESS,
            "the fence stands; nothing was removed"
        );
        for table in install::drop_tables() {
            told.line(&format!("the nftables table inet {table} is deleted"));
        }
        install::remove_runtime();
    }
    for file in place.files()? {
        let done = install::take(&place.root, &file, args.purge, place.dry_run);
        told.file(&file.path, removed(done, &file.path)?);
    }
    if args.purge && here {
        let state = Path::new(STATE);
        let done = match place.dry_run {
            true if state.exists() => Outcome::Removed,
            true => Outcome::Absent,
            false => install::remove_state(state)
                .with_context(|| format!("cannot remove {STATE}; run it as root"))?,
        };
        told.file(state, done);
    }
    // Last: as long as it is there, this can be done again.
    let program = File {
        path: place.program(),
        mode: 0o755,
        kind: Kind::Part,
        contents: Vec::new(),
    };
    let done = install::take(&place.root, &program, true, place.dry_run);
    told.file(&program.path, removed(done, &program.path)?);
    if place.dry_run {
        told.line("a dry run: nothing was removed");
    } else if let Some(service) = &service {
        service.forget()?;
    }
    Ok(ExitCode::SUCCESS)
}

fn removed(done: std::io::Result<Outcome>, path: &Path) -> anyhow::Result<Outcome> {
    done.with_context(|| format!("cannot remove {}; run it as root", path.display()))
}
