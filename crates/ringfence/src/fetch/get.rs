//! The download itself.

use std::io::{Read, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use ureq::http::{Response, header};
use ureq::{Body, Timeout};

use super::ask::Ask;
use super::checksum::short;
use super::client::send;
use super::error::FetchError;
use super::known::Known;
use super::look;
use super::part::{Part, Validator};
use super::progress::{Progress, Silent};

/// What came of a download.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Got {
    /// There is nothing newer than what is known: the server says so, or the hash does. Nothing was written; what is
    /// known has a new date of the check.
    Same(Known),
    /// The file was written.
    New(Known),
}

/// An answer in memory has at most so many bytes: 16 MiB.
const TEXT: u64 = 16 << 20;

/// Downloads into the file `into`, which is there whole or is not touched. Until then the bytes are in `into.part`.
/// Where the answer is cut they stay there, if the server has a validator for them, and the next download asks for
/// the rest. What a server packs in transit, though nobody asks for that, stays packed; [`unpack()`](super::unpack()) sees it.
///
/// What is known must still be there: the caller forgets it with its data.
///
/// # Errors
/// When there is no whole answer that is what was asked for.
pub fn fetch(ask: &Ask, into: &Path, progress: &dyn Progress) -> Result<Got, FetchError> {
    let until = Instant::now() + ask.limits.whole;
    let mut part = Part::open(into, &short(ask.url.expose()))?;
    let answer = match answered(ask, &mut part, until) {
        Ok(answer) => answer,
        Err(error) => {
            part.keep(error.passes());
            return Err(error);
        }
    };
    if answer.status() == 304 {
        let known = ask
            .known
            .clone()
            .ok_or_else(|| odd(ask, "knows of no change since nothing"))?;
        part.remove();
        return Ok(Got::Same(checked(known)));
    }
    let resumed = answer.status() == 206;
    if !resumed {
        part.begin(Validator::of(answer.headers()))?;
    }
    let validator = Validator::of(answer.headers());
    let have = part.have();
    progress.begin(&ask.shown, length(&answer).map(|more| have + more));
    let read = pour(ask, answer, have, (part.file(), into), until, progress);
    progress.end();
    if let Err(error) = read {
        part.keep(matches!(
            error,
            FetchError::Cut { .. } | FetchError::Stopped { .. }
        ));
        return Err(error);
    }
    let done = whole(ask, &mut part, validator);
    match done {
        Ok(Got::New(known)) => {
            part.rename()?;
            Ok(Got::New(known))
        }
        other => {
            part.remove();
            other
        }
    }
}

/// Brings a small answer into memory: at most 16 MiB of UTF-8, and no more than the request allows.
///
/// # Errors
/// When there is no whole answer that is what was asked for.
pub fn text(ask: &Ask) -> Result<String, FetchError> {
    let until = Instant::now() + ask.limits.whole;
    let ask = ask.clone().most(ask.most.min(TEXT)).known(None);
    let answer = send(&ask, &[], until)?;
    if answer.status() != 200 {
        return Err(odd(&ask, "sends no whole answer"));
    }
    let mut bytes = Vec::new();
    pour(
        &ask,
        answer,
        0,
        (&mut bytes, Path::new("memory")),
        until,
        &Silent,
    )?;
    look::at(&ask, &bytes)?;
    String::from_utf8(bytes).map_err(|_| FetchError::NotData {
        url: ask.shown.clone(),
        what: "bytes that are no text",
        said: String::new(),
    })
}

/// Asks for the rest, and for the whole where the rest is of another file.
fn answered(ask: &Ask, part: &mut Part, until: Instant) -> Result<Response<Body>, FetchError> {
    if let Some(answer) = ask_for(ask, part, until)? {
        return Ok(answer);
    }
    part.empty()?;
    ask_for(ask, part, until)?.ok_or_else(|| odd(ask, "sends no whole file"))
}

/// One request for what is missing. Nothing when what came is no continuation of what is there.
fn ask_for(
    ask: &Ask,
    part: &mut Part,
    until: Instant,
) -> Result<Option<Response<Body>>, FetchError> {
    let range = format!("bytes={}-", part.have());
    let mut more: Vec<(&str, &str)> = Vec::new();
    let known = ask.known.as_ref();
    let known = known.filter(|known| known.url_hash == short(ask.url.expose()));
    let resumes = part.strong().map(str::to_owned);
    match (&resumes, known) {
        (Some(validator), _) => {
            more.push(("Range", &range));
            more.push(("If-Range", validator));
        }
        (None, Some(known)) => {
            let etag = known.etag.as_deref();
            let date = known.last_modified.as_deref();
            more.extend(etag.map(|etag| ("If-None-Match", etag)));
            more.extend(date.map(|date| ("If-Modified-Since", date)));
        }
        (None, None) => {}
    }
    let answer = send(ask, &more, until)?;
    match answer.status().as_u16() {
        200 => Ok(Some(answer)),
        304 if resumes.is_none() && !more.is_empty() => Ok(Some(answer)),
        206 if resumes.is_some() && part.continued_by(answer.headers()) => Ok(Some(answer)),
        206 | 304 | 416 if resumes.is_some() => Ok(None),
        _ => Err(odd(ask, "answers what was not asked")),
    }
}

/// Pours the body into `sink`, which is called `place` and has `have` bytes of it already.
fn pour(
    ask: &Ask,
    answer: Response<Body>,
    have: u64,
    (sink, place): (&mut dyn Write, &Path),
    until: Instant,
    progress: &dyn Progress,
) -> Result<(), FetchError> {
    let url = || ask.shown.clone();
    let most = ask.most;
    let all = length(&answer).map(|more| have.saturating_add(more));
    if all.is_some_and(|all| all > most) {
        return Err(FetchError::TooLarge { url: url(), most });
    }
    let mut body = answer.into_body().into_reader();
    let mut piece = vec![0; 64 << 10];
    let mut got = have;
    let mut since = (Instant::now(), got);
    loop {
        let cut = |why: String| FetchError::Cut {
            url: url(),
            why,
            got,
        };
        let read = match body.read(&mut piece) {
            Ok(read) => read,
            Err(error) => return Err(cut(ask.hide(&ended(&error, ask.limits.whole)))),
        };
        if read == 0 {
            break;
        }
        got += read as u64;
        if got > most {
            return Err(FetchError::TooLarge { url: url(), most });
        }
        let fresh = piece.get(..read).unwrap_or_default();
        sink.write_all(fresh).map_err(|source| FetchError::File {
            path: place.to_owned(),
            source,
        })?;
        progress.at(got);
        let limits = &ask.limits;
        let cut = |why: String| FetchError::Cut {
            url: url(),
            why,
            got,
        };
        if progress.stop() {
            return Err(FetchError::Stopped { url: url() });
        }
        if Instant::now() >= until {
            return Err(cut(too_long(limits.whole)));
        }
        if since.0.elapsed() >= limits.pace {
            if got - since.1 < limits.least {
                let (least, pace) = (limits.least, limits.pace.as_secs_f32());
                return Err(cut(format!(
                    "the answer is too slow (under {least} bytes in {pace} seconds)"
                )));
            }
            since = (Instant::now(), got);
        }
    }
    match all {
        Some(all) if all != got => Err(FetchError::Cut {
            url: url(),
            why: format!("the answer of {all} bytes ended early"),
            got,
        }),
        _ => Ok(()),
    }
}

/// Why no more bytes can be read.
fn ended(error: &std::io::Error, whole: Duration) -> String {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
    match inner {
        Some(ureq::Error::Timeout(Timeout::Global)) => too_long(whole),
        Some(ureq::Error::Timeout(_)) => "the server fell silent".to_owned(),
        _ => format!("the answer ended early ({error})"),
    }
}

fn too_long(whole: Duration) -> String {
    format!("the answer took longer than {} seconds", whole.as_secs())
}

/// Looks at a whole file.
fn whole(ask: &Ask, part: &mut Part, validator: Validator) -> Result<Got, FetchError> {
    let (begin, sha256, size) = part.sum()?;
    look::at(ask, &begin)?;
    if let Some(want) = ask.sha256.as_ref().filter(|want| **want != sha256) {
        return Err(FetchError::WrongHash {
            url: ask.shown.clone(),
            want: want.clone(),
            got: sha256,
        });
    }
    let now = Timestamp::now();
    let known = Known {
        url: ask.shown.clone(),
        url_hash: short(ask.url.expose()),
        etag: validator.etag,
        last_modified: validator.last_modified,
        sha256,
        size,
        fetched: now,
        checked: now,
    };
    match &ask.known {
        Some(old) if old.sha256 == known.sha256 => Ok(Got::Same(Known {
            fetched: old.fetched,
            ..known
        })),
        _ => Ok(Got::New(known)),
    }
}

fn checked(known: Known) -> Known {
    Known {
        checked: Timestamp::now(),
        ..known
    }
}

fn length(answer: &Response<Body>) -> Option<u64> {
    let value = answer.headers().get(header::CONTENT_LENGTH)?;
    value.to_str().ok()?.trim().parse().ok()
}

fn odd(ask: &Ask, what: &str) -> FetchError {
    FetchError::Unreached {
        url: ask.shown.clone(),
        why: format!("the server {what}; look whether it is the right one"),
    }
}
