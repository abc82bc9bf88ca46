//! `ringfence audit`: everything that Asterisk has, and what the policy says of it.

mod ask;
mod json;
#[cfg(test)]
mod tests;
mod text;

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use jiff::Timestamp;

use super::offline::Said;
use super::surroundings::{look_up, places};
use super::{FAILED, Format, Global, offline};
use crate::asterisk::audit::audit;
use crate::asterisk::inventory::{Inventory, Learned};
use crate::config::{Config, Host};
use crate::opinion::Opinions;
use crate::store::Store;
use crate::trust::Known;

/// Names that are looked up.
const NAMES: usize = 64;

/// Tell who of Asterisk's phones and trunks would pass, and what makes it easy prey
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:\n  ringfence audit\n  \
    ringfence audit --policy new.toml\n  ringfence audit --format json\n\n\
    Exit codes: 0 everybody passes, 1 somebody does not or Asterisk does not\n\
    answer, 2 the configuration is wrong.")]
pub struct Args {
    /// Judge by this configuration in place of the one in use
    #[arg(long, value_name = "FILE")]
    pub policy: Option<PathBuf>,
}

/// Does it.
///
/// # Errors
/// When a configuration or the country data cannot be read, or Asterisk does not answer.
pub fn run(args: Args, global: &Global) -> anyhow::Result<ExitCode> {
    let config = offline::config(global)?;
    let policy = match &args.policy {
        Some(file) => Config::load(file)?,
        None => config.clone(),
    };
    let countries = offline::country_data(global, &policy)?.compile()?;
    let settings = ask::settings(&config)?;
    let said = Said::read(global, &config);
    let known = known(global, &config);
    let mut inputs = said.inputs(&policy)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let mut inventory = runtime.block_on(async {
        places(&policy, &mut inputs).await;
        let inventory = ask::inventory(settings).await?;
        let trunks = names(&policy, &inventory);
        look_up(&policy, &said, trunks, &mut inputs).await;
        anyhow::Ok(inventory)
    })?;
    // A look-up that nobody waits for any more does not hold up the answer.
    runtime.shutdown_background();
    let now = Timestamp::now();
    inventory.fill_sources(&Learned::new(known.registrations.values(), now));
    let mut opinions = Opinions::new(&policy, &inputs, countries)?;
    opinions.set_bans(&said.bans);
    opinions.set_known(&known, now);
    let audit = audit(&inventory, &mut opinions);
    match global.format {
        Format::Text => text::write(&audit, &inventory, &mut anstream::stdout().lock()),
        Format::Json => json::write(&audit, &inventory, &mut io::stdout().lock()),
    }
    .context("cannot write the answer")?;
    Ok(ExitCode::from(if audit.count().ko > 0 {
        FAILED
    } else {
        0
    }))
}

/// Who is trusted as the store has it; nobody where it cannot be read, which is told.
fn known(global: &Global, config: &Config) -> Known {
    let state = offline::state(global, config);
    let trust = Store::read(state).and_then(|store| store.map(|store| store.trust()).transpose());
    let trust = trust.unwrap_or_else(|error| {
        let _ = writeln!(
            io::stderr(),
            "ringfence: {error}; who is registered is left out"
        );
        None
    });
    Known::new(trust.unwrap_or_default())
}

/// The host names of trunks, in the configuration and in Asterisk.
fn names(config: &Config, inventory: &Inventory) -> BTreeSet<String> {
    let configured = config.trunks.iter().flat_map(|trunk| &trunk.hosts);
    let endpoints = inventory.endpoints.iter().flat_map(|of| &of.hosts);
    let outbound = inventory.outbound.iter().flat_map(|of| &of.hosts);
    let hosts = configured.chain(endpoints).chain(outbound);
    let names = hosts.filter_map(|host| match host {
        Host::Name(name) => Some(name.clone()),
        Host::Range(_) => None,
    });
    names.take(NAMES).collect()
}
