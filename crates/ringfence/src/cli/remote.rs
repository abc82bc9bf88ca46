//! What the commands that ask the daemon share.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use jiff::Timestamp;

use super::offline::{self, Said};
use super::{Format, Global, Usage, terminal};
use crate::config::{Config, Period};
use crate::control::{
    Answer, Change, ControlError, FeedRequest, Request, ask, export, feeds, listing, report, trust,
    why,
};
use crate::daemon::CONFIG;
use crate::store::Store;

/// The configuration as far as it says where things are. One that cannot be read does not stand in the way of a command.
pub(super) fn places(global: &Global) -> Config {
    let config = global.config.clone().unwrap_or_else(|| CONFIG.into());
    Config::load(&config).unwrap_or_default()
}

/// Where the daemon is asked.
pub fn socket(global: &Global) -> PathBuf {
    let named = global.socket.clone();
    named.unwrap_or_else(|| places(global).control.socket)
}

/// Asks the daemon and prints its answers.
pub fn send(request: &Request, global: &Global) -> Result<ExitCode> {
    let socket = socket(global);
    let mut code = ExitCode::SUCCESS;
    for answer in ask(&socket, request)? {
        let answer = answer?;
        if !answer.ok {
            code = ExitCode::FAILURE;
        }
        // Whoever reads has seen enough.
        if print(&answer, global.format).is_err() {
            break;
        }
    }
    Ok(code)
}

/// The same for what the store can answer too: where no daemon runs, it does.
pub fn send_or_read(request: &Request, global: &Global) -> Result<ExitCode> {
    let error = match send(request, global) {
        Err(error) if matches!(error.downcast_ref(), Some(ControlError::NoDaemon(_))) => error,
        answer => return answer,
    };
    let config = places(global);
    let state = offline::state(global, &config);
    let Some(answer) = stored(request, state, &config)? else {
        return Err(error);
    };
    told_stored();
    // Whoever reads has seen enough.
    let _ = print(&answer, global.format);
    Ok(ExitCode::SUCCESS)
}

/// The data of the only answer, by the daemon or the store; what went wrong is an error.
pub fn first(request: &Request, global: &Global) -> Result<serde_json::Value> {
    let error = match ask(&socket(global), request) {
        Ok(mut answers) => {
            let gone = || io::Error::from(io::ErrorKind::UnexpectedEof);
            let answer = answers.next().unwrap_or_else(|| Err(gone().into()))?;
            anyhow::ensure!(answer.ok, "{}", answer.text);
            return Ok(answer.data);
        }
        Err(error @ ControlError::NoDaemon(_)) => error,
        Err(error) => return Err(error.into()),
    };
    let config = places(global);
    let state = offline::state(global, &config);
    match stored(request, state, &config)? {
        Some(answer) => {
            told_stored();
            Ok(answer.data)
        }
        None => Err(error.into()),
    }
}

fn told_stored() {
    let _ = writeln!(
        io::stderr(),
        "ringfence: no daemon answers; this is what was stored"
    );
}

/// What the store answers; None where that takes a daemon.
fn stored(request: &Request, state: &Path, config: &Config) -> Result<Option<Answer>> {
    let now = Timestamp::now();
    let store = || Store::read(state);
    Ok(match request {
        Request::Bans => Some(listing::bans(Said::of(state)?.bans.iter())),
        Request::ExportBans { unproved } => {
            let said = Said::of(state)?;
            let trust = store()?.map(|store| store.trust()).transpose()?;
            let inputs = said.inputs(config)?;
            Some(export::stored(
                &said.bans,
                &trust.unwrap_or_default(),
                config,
                &inputs,
                *unproved,
                now,
            ))
        }
        Request::Feed {
            what: FeedRequest::List,
        } => Some(feeds::stored(config, state, now)),
        Request::Feed {
            what: FeedRequest::Show { address },
        } => {
            let wrong = || {
                Usage(format!(
                    "`{address}` is no address; write one such as 192.0.2.7"
                ))
            };
            let address = super::lookup::parse(address).ok_or_else(wrong)?;
            let lists = feeds::Stored::read(config, state, now);
            let found = lists.with(address);
            let met = found.iter().min_by_key(|(.., action)| *action);
            let met = met.map_or(feeds::Met::Nothing, |(name, _, action)| {
                feeds::Met::Action(name, *action)
            });
            Some(feeds::shown(address, &found, &met))
        }
        Request::Country { code: None, .. } => {
            Some(listing::countries(&Said::of(state)?.countries))
        }
        Request::List {
            list,
            change: Change::Show,
        } => {
            let said = Said::of(state)?;
            Some(listing::entries(
                &said.list(*list),
                &said.listed_names(*list),
            ))
        }
        Request::Trust { forget: None } => {
            let trust = store()?.map(|store| store.trust()).transpose()?;
            let holders = trust::stored(trust.unwrap_or_default(), now);
            Some(trust::listed(&holders))
        }
        Request::Why { what } => store()?
            .map(|store| why::why(&store, config, what, now))
            .transpose()?,
        Request::Report { seconds } => {
            let time = Duration::from_secs(*seconds);
            store()?
                .map(|store| report::report(&store, config, &BTreeMap::new(), time, now))
                .transpose()?
        }
        _ => None,
    })
}

pub(super) fn print(answer: &Answer, format: Format) -> io::Result<()> {
    match format {
        Format::Json => {
            let data = answer.data.to_string();
            writeln!(io::stdout(), "{}", terminal::json(&data))
        }
        Format::Text if !answer.ok => {
            let text = terminal::text(&answer.text);
            writeln!(io::stderr(), "ringfence: {text}")
        }
        Format::Text if answer.text.is_empty() => Ok(()),
        Format::Text => writeln!(io::stdout(), "{}", terminal::text(&answer.text)),
    }
}

/// Whole seconds of a length of time, at least one.
pub fn seconds(period: Period) -> u64 {
    period.get().as_secs().max(1)
}
