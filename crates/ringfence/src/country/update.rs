//! The update: newer data is downloaded, looked at, and put in force for the next who asks which data holds.
//!
//! Whatever goes wrong leaves all as it was. Who runs the fence has then to be told of the new data.

use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::download::{Downloaded, download};
use super::policy::{Admitted, Effect, Subject, affected};
use super::providers::Provider;
use super::report::Report;
use super::sanity::{Bounds, doubts};
use super::shelf::{Hold, Index, Shelf};
use super::{CountryData, CountryError};
use crate::config::{CountryOrigin, SecretError};
use crate::fetch::{FetchError, Progress};

/// From so many registered phones on it is doubted that half of them move out of the admitted countries at once.
const PHONES: usize = 10;

/// What is to be done.
pub struct Task<'a> {
    /// Where the data comes from.
    pub origin: &'a CountryOrigin,
    /// The state directory.
    pub state: &'a Path,
    /// Whom the policy admits.
    pub admitted: &'a Admitted,
    /// Who is looked after.
    pub subjects: &'a [Subject],
    /// Take the data whatever speaks against it.
    pub force: bool,
    /// Only show what would change.
    pub dry_run: bool,
    /// This moment.
    pub now: Timestamp,
    /// Who is told how far it is.
    pub progress: &'a dyn Progress,
}

/// What came of it.
#[derive(Debug)]
pub enum Outcome {
    /// There is nothing newer.
    Unchanged,
    /// There is newer data; but for a dry run it holds from now on.
    New(Box<Report>),
}

/// Why there is no newer data. No text holds a secret.
#[derive(Debug, thiserror::Error)]
pub enum UpdateError {
    /// The source is no download.
    #[error(
        "the country data is not downloaded: have `source` of [country] name where it comes from, such as \"ip-location-db\""
    )]
    NotFetched,
    /// MaxMind without a key.
    #[error(
        "MaxMind asks for an account: write `account` and `licence_key` into [country], or give geoipupdate its /etc/GeoIP.conf"
    )]
    NoKey,
    /// IPinfo without a token.
    #[error("IPinfo asks for a token: write `token` into [country]")]
    NoToken,
    /// geoipupdate's configuration is of no use.
    #[error("{}: {why}", path.display())]
    GeoIpConf {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// A key cannot be read.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The download failed.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// What was downloaded is no country data, or it cannot be kept.
    #[error(transparent)]
    Data(#[from] CountryError),
    /// The hash that the provider publishes cannot be read.
    #[error("{0}: no SHA-256 stands there; the file is not downloaded without it")]
    NoHash(String),
    /// The data is not believed.
    #[error("the new country data is refused: {}; `ringfence country update --force` takes it all the same", .0.join("; "))]
    Doubtful(Vec<String>),
    /// Another update is under way.
    #[error("another update of the country data is under way; try again when it is over")]
    Busy,
    /// The directory for the data cannot be used.
    #[error("cannot keep country data in {}: {source}", path.display())]
    Keep {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// There is nothing to go back to.
    #[error("there is no downloaded country data to go back from")]
    Nothing,
}

/// Does it. How it went stands in the index, too.
///
/// # Errors
/// When there is no newer data that can be used; all is as it was.
pub fn update(task: &Task<'_>) -> Result<Outcome, UpdateError> {
    let shelf = Shelf::of(task.state);
    let hold = hold(&shelf)?;
    let mut index = shelf.index();
    let done = attempt(task, &shelf, &hold, &mut index);
    if task.dry_run {
        return done;
    }
    index.checked = Some(task.now);
    index.later = None;
    match &done {
        Ok(_) => (index.failures, index.failure) = (0, None),
        Err(error) => {
            index.failures = index.failures.saturating_add(1);
            index.failure = Some(error.to_string());
            if let UpdateError::Fetch(error) = error {
                index.later = error
                    .after()
                    .and_then(|after| task.now.checked_add(after).ok());
            }
        }
    }
    shelf.set(&hold, &index)?;
    done
}

/// Puts the data before in force again; that which held is not taken by itself any more. The source that holds then.
///
/// # Errors
/// When none was downloaded, or the data before cannot be read.
pub fn rollback(state: &Path) -> Result<String, UpdateError> {
    let shelf = Shelf::of(state);
    let hold = hold(&shelf)?;
    back(&shelf, &hold, shelf.index())
}

/// Goes back, as [`rollback`] does, from data that cannot be put in force, where that leads to the data that the daemon put
/// in force last. None where it leads elsewhere: then nothing is changed.
///
/// # Errors
/// As [`rollback`].
pub fn withdraw(state: &Path) -> Result<Option<String>, UpdateError> {
    let shelf = Shelf::of(state);
    let hold = hold(&shelf)?;
    let index = shelf.index();
    match shelf.is_settled(index.before.as_ref()) {
        true => back(&shelf, &hold, index).map(Some),
        false => Ok(None),
    }
}

fn back(shelf: &Shelf, hold: &Hold, mut index: Index) -> Result<String, UpdateError> {
    let bad = index.current.take().ok_or(UpdateError::Nothing)?;
    let data = shelf.load_or_builtin(index.before.as_ref())?;
    index.left = Some(bad.fingerprint());
    index.current = index.before.take();
    shelf.set(hold, &index)?;
    Ok(data.source)
}

/// Whether the key that a source asks for can be had. Nothing is asked.
///
/// # Errors
/// Why not.
pub fn key(origin: &CountryOrigin) -> Result<(), UpdateError> {
    Provider::of(origin, Timestamp::now()).map(drop)
}

fn hold(shelf: &Shelf) -> Result<Hold, UpdateError> {
    shelf.hold().map_err(|source| match source.kind() {
        std::io::ErrorKind::WouldBlock => UpdateError::Busy,
        _ => UpdateError::Keep {
            path: shelf.directory().to_owned(),
            source,
        },
    })
}

fn attempt(
    task: &Task<'_>,
    shelf: &Shelf,
    hold: &Hold,
    index: &mut Index,
) -> Result<Outcome, UpdateError> {
    let provider = Provider::of(task.origin, task.now)?;
    // Data that is damaged is as good as none: all is downloaded anew.
    let held = index.current.take().and_then(|kept| {
        let data = shelf.load(&kept).ok()?;
        Some((kept, data))
    });
    let (held, before) = match held {
        Some((kept, data)) => (Some(kept), data),
        None => (
            None,
            shelf
                .load_or_builtin(index.before.as_ref())
                .or_else(|_| CountryData::builtin())?,
        ),
    };
    index.current.clone_from(&held);
    let known = held.as_ref().filter(|kept| kept.origin == provider.origin);
    let parts = known.map_or(&[][..], |kept| kept.parts.as_slice());
    let same_source = known.is_some();
    let downloaded = download(&provider, task, shelf.directory(), parts)?;
    let Downloaded::New(data, parts) = downloaded else {
        return Ok(Outcome::Unchanged);
    };
    let report = Report {
        source: data.source.clone(),
        date: data.date,
        source_before: before.source.clone(),
        date_before: before.date,
        networks: [data.ranges_v4.len(), data.ranges_v6.len()],
        networks_before: [before.ranges_v4.len(), before.ranges_v6.len()],
        effect: Effect::of(&before, &data, task.admitted),
        affected: affected(&before, &data, task.admitted, task.subjects),
        by_country: !task.admitted.is_empty(),
        doubts: Vec::new(),
        unknown_codes: data.unknown_codes.iter().cloned().collect(),
    };
    let bounds = if same_source {
        Bounds::NEWER
    } else {
        Bounds::OTHER
    };
    let mut against = doubts(&data, &before, &task.admitted.any(), bounds);
    let older = same_source
        && data
            .date
            .zip(before.date)
            .is_some_and(|(new, now)| new < now);
    if let Some(date) = data.date.filter(|_| older) {
        against.push(format!("it is of {date}, older than the data in force"));
    }
    let print = super::shelf::fingerprint(&parts);
    if index.left.as_ref() == Some(&print) {
        against.push("`ringfence country rollback` went back from it".into());
    }
    against.extend(too_many(&report, task.subjects));
    let report = Report {
        doubts: against,
        ..report
    };
    if !report.doubts.is_empty() && !task.force {
        if task.dry_run {
            return Ok(Outcome::New(Box::new(report)));
        }
        return Err(UpdateError::Doubtful(report.doubts));
    }
    if !task.dry_run {
        let kept = shelf.put(hold, &data, &provider.origin, parts, task.now)?;
        if let Some(before) = index.current.replace(kept) {
            index.before = Some(before);
        }
        index.left = None;
    }
    Ok(Outcome::New(Box::new(report)))
}

/// Whether more phones would move out than any newer data could mean.
fn too_many(report: &Report, subjects: &[Subject]) -> Option<String> {
    use super::policy::Who;
    let phone = |who: &Who| matches!(who, Who::Registered(_) | Who::Known);
    let phones = subjects.iter().filter(|one| phone(&one.who)).count();
    let out = report
        .affected
        .iter()
        .filter(|one| one.is_cut_off())
        .count();
    (out >= PHONES && out * 2 > phones).then(|| {
        format!("{out} of {phones} registered phones would be outside the admitted countries")
    })
}
