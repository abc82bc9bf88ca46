//! From a provider to country data: asked, downloaded, its hash compared, unpacked, decoded.

use std::fs;
use std::path::Path;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Deserialize;

use super::CountryData;
use super::providers::{Checksum, FileOf, Place, Provider};
use super::update::{Task, UpdateError};
use crate::fetch::{Ask, Expect, FetchError, Got, Known, Want, fetch, sha256_in, text, unpacked};

/// Bytes of a file on the wire: city databases are the largest in use.
const MOST: u64 = 256 << 20;
/// Bytes of it unpacked.
const UNPACKED: u64 = 256 << 20;
/// Bytes of a file with a hash.
const CHECKSUM: u64 = 64 << 10;
/// What a file of an archive must end with.
const ENDINGS: &[&str] = &[".mmdb", ".csv", ".bin"];

/// What was downloaded.
pub(super) enum Downloaded {
    /// Nothing newer is there.
    Same,
    /// New data, and where its parts came from.
    New(Box<CountryData>, Vec<Known>),
}

/// Downloads all files of a provider into `directory`, from which they are gone in the end. `known` are the parts of the
/// data in force, where they came from this provider.
pub(super) fn download(
    provider: &Provider,
    task: &Task<'_>,
    directory: &Path,
    known: &[Known],
) -> Result<Downloaded, UpdateError> {
    let whole = known.len() == provider.files.len();
    let mut known: Vec<Option<&Known>> = match whole {
        true => known.iter().map(Some).collect(),
        false => vec![None; provider.files.len()],
    };
    loop {
        let mut parts = Vec::new();
        let mut data = Vec::new();
        let mut same = 0;
        for (number, (file, known)) in provider.files.iter().zip(&known).enumerate() {
            let into = directory.join(format!("download-{number}"));
            let got = first_place(provider, file, *known, &into, task)?;
            let (place, got) = got;
            match got {
                Got::Same(known) => {
                    same += 1;
                    parts.push(known);
                }
                Got::New(known) => {
                    data.push(decode(&into, place)?);
                    parts.push(known);
                }
            }
        }
        if same == provider.files.len() {
            return Ok(Downloaded::Same);
        }
        if same == 0 {
            let data = described(CountryData::join(data), provider, &parts, task.now);
            return Ok(Downloaded::New(Box::new(data), parts));
        }
        // Some are new: all are needed.
        known.fill(None);
    }
}

/// Downloads a file from the first place that has it.
fn first_place<'f>(
    provider: &Provider,
    file: &'f FileOf,
    known: Option<&Known>,
    into: &Path,
    task: &Task<'_>,
) -> Result<(&'f Place, Got), UpdateError> {
    let mut first = None;
    for place in &file.places {
        match from_place(provider, place, known, into, task) {
            Ok(got) => return Ok((place, got)),
            Err(UpdateError::Fetch(
                error @ (FetchError::Status { .. } | FetchError::Unreached { .. }),
            )) => {
                first.get_or_insert(error);
            }
            Err(error) => return Err(error),
        }
    }
    Err(first.map_or(UpdateError::NotFetched, UpdateError::Fetch))
}

fn from_place(
    provider: &Provider,
    place: &Place,
    known: Option<&Known>,
    into: &Path,
    task: &Task<'_>,
) -> Result<Got, UpdateError> {
    let hash = match &place.checksum {
        Some(checksum) => checksum_of(provider, checksum, task)?,
        None => None,
    };
    let ask = ask(provider, &place.url).most(MOST);
    // Some providers count downloads, and none counts questions for a hash.
    if let (Some(known), Some(hash)) = (known, &hash)
        && known.sha256 == *hash
        && known.url == ask.shown()
    {
        return Ok(Got::Same(Known {
            checked: task.now,
            ..known.clone()
        }));
    }
    let ask = ask.known(known).sha256(hash.as_deref());
    Ok(fetch(&ask, into, task.progress)?)
}

/// The hash that a file must have; none where a mirror does not have it.
fn checksum_of(
    provider: &Provider,
    checksum: &Checksum,
    task: &Task<'_>,
) -> Result<Option<String>, UpdateError> {
    #[derive(Deserialize)]
    struct Answer {
        checksums: Hashes,
    }
    #[derive(Deserialize)]
    struct Hashes {
        sha256: String,
    }
    let (Checksum::Text(url) | Checksum::Json(url)) = checksum;
    let ask = ask(provider, url).most(CHECKSUM).expect(Expect::Json);
    let answer = match text(&ask) {
        Err(FetchError::Status { status: 404, .. }) if task.origin.base.is_some() => {
            return Ok(None);
        }
        answer => answer?,
    };
    let hash = match checksum {
        Checksum::Text(_) => {
            let name = ask.shown().rsplit('/').next().unwrap_or_default();
            sha256_in(&answer, name.trim_end_matches(".sha256"))
        }
        Checksum::Json(_) => serde_json::from_str::<Answer>(&answer)
            .ok()
            .and_then(|answer| sha256_in(&answer.checksums.sha256, "")),
    };
    let hash = hash.ok_or_else(|| UpdateError::NoHash(ask.shown().to_owned()))?;
    Ok(Some(hash))
}

fn ask(provider: &Provider, url: &str) -> Ask {
    let mut ask = Ask::new(url);
    if let Some(token) = &provider.token {
        ask = ask.fill("token", token);
    }
    if let Some((user, password)) = &provider.login {
        ask = ask.login(user, password);
    }
    ask
}

/// Reads what was downloaded, which is then taken away.
fn decode(file: &Path, place: &Place) -> Result<CountryData, UpdateError> {
    let bytes = unpacked(file, Want::Ending(ENDINGS), UNPACKED);
    // What stays is written over the next time.
    let _ = fs::remove_file(file);
    let name = Ask::new(&place.url);
    Ok(CountryData::decode(bytes?, Path::new(name.shown()))?)
}

/// What people are told of the data. Without a date of its own it is of the day on which the server says that the oldest
/// part was changed, else of today.
fn described(
    mut data: CountryData,
    provider: &Provider,
    parts: &[Known],
    now: Timestamp,
) -> CountryData {
    if let Some(name) = &provider.name {
        data.source.clone_from(name);
    }
    data.licence = provider.licence.map(str::to_owned).or(data.licence);
    let changed = |part: &Known| {
        let text = part.last_modified.as_deref()?;
        let time = jiff::fmt::rfc2822::parse(text).ok()?;
        Some(time.timestamp().to_zoned(TimeZone::UTC).date())
    };
    let today = now.to_zoned(TimeZone::UTC).date();
    let oldest = || parts.iter().filter_map(changed).min().unwrap_or(today);
    data.date = data.date.or_else(|| Some(oldest()));
    data
}
