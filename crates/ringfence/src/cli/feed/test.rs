//! `ringfence feed test`.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use jiff::Timestamp;
use serde_json::json;

use crate::cli::offline::Said;
use crate::cli::surroundings::places;
use crate::cli::{FAILED, Format, Global, Usage, lookup, offline, terminal};
use crate::config::{Config, Feed};
use crate::control::trust;
use crate::feeds::update::{How, update};
use crate::feeds::{Belongings, Part, Shelf, Whose, merge, provider};
use crate::fetch::progress;
use crate::store::Store;

/// Entries that are shown.
const EXAMPLES: usize = 5;

/// Which list, and how it is written.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A feed of the configuration
    #[arg(required_unless_present = "url", conflicts_with = "url")]
    name: Option<String>,
    /// A list that is in no configuration
    #[arg(long)]
    url: Option<String>,
    /// How that is written: plain, ipset, csv, json, or a provider
    #[arg(long, default_value = "plain", requires = "url")]
    kind: String,
    /// The column of a CSV, by number or name
    #[arg(long, requires = "url")]
    column: Option<String>,
    /// The path in JSON, such as $.data[*].ip
    #[arg(long, requires = "url")]
    path: Option<String>,
    /// A file with the provider's key
    #[arg(long, requires = "url", value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// Tell whether the list has this address
    #[arg(long)]
    address: Option<String>,
}

pub(super) fn run(args: &Args, global: &Global) -> anyhow::Result<ExitCode> {
    let config = offline::config(global)?;
    let feed = feed(args, &config)?;
    let address = args.address.as_deref().map(|text| {
        let wrong = || {
            Usage(format!(
                "`{text}` is no address; write one such as 192.0.2.7"
            ))
        };
        lookup::parse(text).ok_or_else(wrong)
    });
    let address = address.transpose()?;
    let directory = tempfile::tempdir().context("no directory for what is fetched")?;
    let shelf = Shelf::at(directory.path());
    let progress = progress();
    let how = How {
        force: true,
        now: Timestamp::now(),
        holds: None,
        progress: &*progress,
    };
    let outcome = update(&feed, &shelf, &how);
    let about = match outcome.result {
        Ok(about) => about,
        Err(error) => return failed(&feed, &error.to_string(), global.format),
    };
    let nets = outcome.nets.unwrap_or_default();
    let part = Part {
        feed: 1,
        action: feed.action,
        nets: &nets,
    };
    let (merged, mut reports) = merge(&[part], &belongings(&config, global)?);
    let left_out = match reports.pop() {
        Some(Ok(left_out)) => left_out,
        Some(Err(error)) => return failed(&feed, &error.to_string(), global.format),
        None => Default::default(),
    };
    let used: Vec<_> = merged
        .iter()
        .take(EXAMPLES)
        .map(|entry| entry.range)
        .collect();
    let listed = address.map(|address| (address, nets.find(address), merged.find(address)));
    let counts: BTreeMap<_, _> = left_out
        .counts
        .iter()
        .map(|(caught, count)| (caught.as_str(), *count))
        .collect();
    let caught: Vec<_> = left_out
        .examples
        .iter()
        .map(|(net, caught)| format!("{net} {}", caught.as_str()))
        .collect();
    let mut out = io::stdout().lock();
    if global.format == Format::Json {
        let address = listed.map(|(address, net, met)| {
            json!({ "address": address, "listed": net, "met": met.is_some() })
        });
        let data = json!({
            "feed": feed.name, "kind": feed.kind.to_string(), "entries": nets.len(), "unreadable": about.unreadable,
            "used": merged.len(), "memory": merged.memory(), "left_out": counts, "caught": caught,
            "examples": used, "address": address,
        });
        writeln!(out, "{}", terminal::json(&data.to_string()))?;
        return Ok(ExitCode::SUCCESS);
    }
    writeln!(
        out,
        "{}: {} entries, {} unreadable; {} would be used, {} KiB",
        feed.name,
        nets.len(),
        about.unreadable,
        merged.len(),
        merged.memory().div_ceil(1024)
    )?;
    for net in &used {
        writeln!(out, "  {net}")?;
    }
    if !counts.is_empty() {
        let counts: Vec<_> = counts
            .iter()
            .map(|(why, count)| format!("{count} {why}"))
            .collect();
        writeln!(out, "left out: {}", counts.join(", "))?;
    }
    for line in &caught {
        writeln!(out, "  {line}")?;
    }
    match listed {
        Some((address, Some(net), met)) => {
            let belongs = if met.is_none() { ", and left out" } else { "" };
            writeln!(out, "{address}: listed as {net}{belongs}")?;
        }
        Some((address, None, _)) => writeln!(out, "{address}: not listed")?,
        None => {}
    }
    Ok(ExitCode::SUCCESS)
}

fn failed(feed: &Feed, error: &str, format: Format) -> anyhow::Result<ExitCode> {
    match format {
        Format::Json => {
            let data = json!({ "feed": feed.name, "kind": feed.kind.to_string(), "error": error });
            writeln!(io::stdout(), "{}", terminal::json(&data.to_string()))?;
        }
        Format::Text => {
            let urls = provider::urls(feed).len();
            let of = if urls > 1 { " (of its lists)" } else { "" };
            writeln!(
                io::stderr(),
                "ringfence: {}{of}: {}",
                feed.name,
                terminal::line(error)
            )?;
        }
    }
    Ok(ExitCode::from(FAILED))
}

/// The feed of that name, or one as the arguments say.
fn feed(args: &Args, config: &Config) -> anyhow::Result<Feed> {
    if let Some(name) = &args.name {
        let feed = config.feeds.iter().find(|feed| feed.name == *name);
        return Ok(feed.cloned().ok_or_else(|| {
            Usage(format!(
                "there is no [[feed]] with the name `{name}`; or name a list with --url"
            ))
        })?);
    }
    let mut table = toml::Table::new();
    let mut put = |key: &str, value: Option<String>| {
        if let Some(value) = value {
            table.insert(key.to_owned(), value.into());
        }
    };
    put("name", Some("list".to_owned()));
    put("kind", Some(args.kind.clone()));
    put("url", args.url.clone());
    put("column", args.column.clone());
    put("path", args.path.clone());
    let key = args.key_file.as_ref();
    put("key_file", key.map(|path| path.display().to_string()));
    let text = format!("[[feed]]\n{table}");
    let mut read = Config::parse(&text, "the command line")?;
    read.feeds.pop().context("there is no feed")
}

/// Who belongs here, as far as the configuration, the store and the host tell.
fn belongings(config: &Config, global: &Global) -> anyhow::Result<Belongings> {
    let mut inputs = Said::read(global, config).inputs(config)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(places(config, &mut inputs));
    let state = offline::state(global, config);
    let store = Store::read(state).ok().flatten();
    let trusted = store.and_then(|store| store.trust().ok());
    let holders = trust::stored(trusted.unwrap_or_default(), Timestamp::now());
    let trusted = holders
        .into_iter()
        .map(|holder| (holder.address, Whose::of(&holder)));
    Ok(Belongings::of(config, &inputs, trusted))
}
