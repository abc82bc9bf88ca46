//! `ringfence check`: every mistake at once, and what the policy costs.

use std::io::{self, Write};
use std::process::ExitCode;

use jiff::Timestamp;
use serde_json::json;

use super::{Format, Global, WRONG, offline, terminal};
use crate::config::{Config, LoadError, Mistake, Mistakes, Position, Wrong};
use crate::logs::By;
use crate::signature::Stats;
use crate::store::Store;
use crate::tables::Inputs;
use crate::trust::{Known, Tripped, tripped};

/// Check the configuration without touching anything.
#[derive(Debug, clap::Args)]
#[command(
    after_long_help = "Examples:\n  ringfence check\n  ringfence check --config new.toml \
    --format json\n\nExit codes: 0 it can be used, 2 it has mistakes."
)]
pub struct Args {}

/// Does it.
///
/// # Errors
/// When the answer cannot be written.
pub fn run(_: Args, global: &Global) -> anyhow::Result<ExitCode> {
    let shown = offline::config_path(global).map_or_else(
        || "the defaults".to_owned(),
        |path| path.display().to_string(),
    );
    let checked = offline::config(global).and_then(|config| {
        let stats = checked(global, &config, &shown)?;
        Ok((config, stats))
    });
    match checked {
        Ok((config, stats)) => {
            fine(global.format, &shown, &config, &stats)?;
            Ok(ExitCode::SUCCESS)
        }
        Err(LoadError::Mistakes(mistakes)) => {
            wrong(global.format, &mistakes)?;
            Ok(ExitCode::from(WRONG))
        }
        Err(error) => Err(error.into()),
    }
}

/// All that a configuration must hold to beyond being read; `file` is what the mistakes call it.
///
/// # Errors
/// Its mistakes.
pub(super) fn checked(global: &Global, config: &Config, file: &str) -> Result<Stats, LoadError> {
    let generation = offline::compile(global, config, &Inputs::default())?;
    check_tripwires(global, config, file)?;
    check_patterns(config, file)?;
    Ok(generation.stats)
}

/// Refuses tripwires that name accounts, as far as the store can be read.
fn check_tripwires(global: &Global, config: &Config, file: &str) -> Result<(), Mistakes> {
    if config.tripwires.is_empty() {
        return Ok(());
    }
    let state = offline::state(global, config);
    let trust = Store::read(state).and_then(|store| store.map(|store| store.trust()).transpose());
    let trust = trust.unwrap_or_else(|error| {
        let _ = writeln!(
            io::stderr(),
            "ringfence: {error}; whether `tripwires` name accounts is not looked at"
        );
        None
    });
    let accounts = Known::new(trust.unwrap_or_default()).accounts;
    match tripped(&config.tripwires, accounts.values(), Timestamp::now()) {
        None => Ok(()),
        Some(tripped) => {
            let wrong = Wrong::new(tripped.to_string(), Tripped::REMEDY);
            let position = Position { line: 1, column: 1 };
            let mistake = Mistake { position, wrong };
            Err(Mistakes::new(file, vec![mistake]))
        }
    }
}

/// Refuses logs whose own patterns cannot be read.
fn check_patterns(config: &Config, file: &str) -> Result<(), Mistakes> {
    let wrong = config.logs.iter().filter_map(|log| {
        let By::File(path) = &log.by else { return None };
        let error = log.by.patterns().err()?;
        let message = format!("in the patterns {}: {error}", path.display());
        let fix = "correct that file, or write `of` in place of `patterns`";
        let position = Position { line: 1, column: 1 };
        Some(Mistake {
            position,
            wrong: Wrong::new(message, fix),
        })
    });
    let mistakes: Vec<Mistake> = wrong.collect();
    match mistakes.is_empty() {
        true => Ok(()),
        false => Err(Mistakes::new(file, mistakes)),
    }
}

fn fine(format: Format, file: &str, config: &Config, stats: &Stats) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let costly: Vec<_> = stats
        .costly
        .iter()
        .map(|(id, place)| json!({ "signature": id, "place": place.name() }))
        .collect();
    if format == Format::Json {
        return writeln!(
            out,
            "{}",
            json!({
                "file": file, "mistakes": [], "mode": config.mode.to_string(),
                "services": config.services.len(), "signatures": stats.signatures,
                "domains": stats.domains, "states": stats.states,
                "bytes": stats.bytes, "max_bytes": stats.max_bytes, "costly": costly,
            })
        );
    }
    writeln!(out, "{file}: no mistakes; mode {}", config.mode)?;
    writeln!(
        out,
        "services: {}, signatures: {}, domains: {}; they take {} states, {} of {} KiB",
        config.services.len(),
        stats.signatures,
        stats.domains,
        stats.states,
        stats.bytes.div_ceil(1024),
        stats.max_bytes / 1024,
    )?;
    for (id, place) in &stats.costly {
        writeln!(
            out,
            "costly: signature `{id}` looks at {}: each byte of a stranger's message there is read",
            place.name()
        )?;
    }
    Ok(())
}

fn wrong(format: Format, mistakes: &Mistakes) -> io::Result<()> {
    if format == Format::Json {
        let list: Vec<_> = mistakes.iter().collect();
        let answer = json!({ "file": mistakes.file(), "mistakes": list }).to_string();
        return writeln!(io::stdout(), "{}", terminal::json(&answer));
    }
    let text = mistakes.to_string();
    writeln!(io::stderr(), "{}", terminal::text(&text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_that_cannot_be_used_are_told() {
        let dir = tempfile::tempdir().unwrap();
        let own = dir.path().join("own.toml");
        let text = format!(
            "[[log]]\nfile = \"/a\"\npatterns = {:?}\n",
            own.display().to_string()
        );
        let config = Config::parse(&text, "r.toml").unwrap();
        let told = || check_patterns(&config, "r.toml").unwrap_err().to_string();
        assert!(told().contains("cannot read the patterns"), "{}", told());
        std::fs::write(
            &own,
            "[[line]]\nid = \"x\"\nregex = 'a('\ncounts_as = \"nothing\"\n",
        )
        .unwrap();
        assert!(
            told().contains("`x` is no regular expression"),
            "{}",
            told()
        );
        std::fs::write(&own, "extends = \"kamailio\"\n").unwrap();
        assert_eq!(check_patterns(&config, "r.toml"), Ok(()));
    }
}
