//! `ringfence feed update`.

use std::io::{self, Write};
use std::process::ExitCode;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use jiff::Timestamp;

use crate::cli::{FAILED, Format, Global, Usage, offline, remote, terminal};
use crate::config::Config;
use crate::control::{Answer, ControlError, FeedRequest, Request, ask};
use crate::feeds::update::{How, update};
use crate::feeds::{Row, Shelf, Standing};
use crate::fetch::progress;

/// For how long it is waited.
const LONGEST: Duration = Duration::from_secs(3600);
/// How often it is looked whether all are done.
const LOOK: Duration = Duration::from_millis(300);

/// Which lists.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Names of feeds [default: all]
    names: Vec<String>,
    /// Believe also a list that is empty or much shorter than before
    #[arg(long)]
    force: bool,
}

pub(super) fn run(args: Args, global: &Global) -> anyhow::Result<ExitCode> {
    let socket = remote::socket(global);
    let what = FeedRequest::Update {
        names: args.names.clone(),
        force: args.force,
    };
    let rows = match one(&socket, what) {
        Ok(answer) => wait(&socket, &answer)?,
        Err(error) if matches!(error.downcast_ref(), Some(ControlError::NoDaemon(_))) => {
            here(&args, global)?
        }
        Err(error) => return Err(error),
    };
    let mut out = io::stdout().lock();
    let now = Timestamp::now();
    if rows.is_empty() && global.format == Format::Text {
        let none = "no threat list is configured; [[feed]] in the configuration names one";
        writeln!(out, "{none}")?;
    }
    for row in &rows {
        match global.format {
            Format::Json => writeln!(out, "{}", terminal::json(&serde_json::to_string(row)?))?,
            Format::Text => writeln!(out, "{}", terminal::line(&row.line(now)))?,
        }
    }
    let failed = rows
        .iter()
        .any(|row| row.error.is_some() || row.standing != Standing::Good);
    Ok(ExitCode::from(if failed { FAILED } else { 0 }))
}

/// Asks the daemon for one answer.
fn one(socket: &std::path::Path, what: FeedRequest) -> anyhow::Result<Answer> {
    let mut answers = ask(socket, &Request::Feed { what })?;
    let answer = answers.next().context("the daemon gave no answer")??;
    if !answer.ok {
        bail!("{}", answer.text);
    }
    Ok(answer)
}

/// Waits until the daemon has asked for all of them.
fn wait(socket: &std::path::Path, answer: &Answer) -> anyhow::Result<Vec<Row>> {
    let names: Vec<String> = serde_json::from_value(answer.data["names"].clone())?;
    let since = Instant::now();
    // The daemon begins within a second.
    let begin = Duration::from_millis(1500);
    loop {
        sleep(if since.elapsed() < begin { begin } else { LOOK });
        let rows: Vec<Row> = serde_json::from_value(one(socket, FeedRequest::List)?.data)?;
        let rows: Vec<_> = rows
            .into_iter()
            .filter(|row| names.contains(&row.name))
            .collect();
        if rows.iter().all(|row| !row.updating) {
            return Ok(rows);
        }
        if since.elapsed() > LONGEST {
            bail!("the daemon still asks for lists; see `ringfence feed list`");
        }
    }
}

/// Without a daemon: into the state directory.
fn here(args: &Args, global: &Global) -> anyhow::Result<Vec<Row>> {
    let config: Config = offline::config(global)?;
    let state = offline::state(global, &config);
    let unknown = |name: &&String| config.feeds.iter().all(|feed| feed.name != **name);
    if let Some(name) = args.names.iter().find(unknown) {
        return Err(Usage(format!("there is no [[feed]] with the name `{name}`")).into());
    }
    let mut rows = Vec::new();
    for feed in &config.feeds {
        if !args.names.is_empty() && !args.names.contains(&feed.name) {
            continue;
        }
        let shelf = Shelf::new(state, feed);
        let progress = progress();
        let how = How {
            force: args.force,
            now: Timestamp::now(),
            holds: None,
            progress: &*progress,
        };
        let outcome = update(feed, &shelf, &how);
        let mut row = Row::stored(feed, &shelf, how.now);
        row.error = outcome
            .result
            .err()
            .map(|error| error.to_string())
            .or(row.error);
        rows.push(row);
    }
    Ok(rows)
}
