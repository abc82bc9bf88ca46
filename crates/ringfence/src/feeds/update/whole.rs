//! Lists that are published whole.

use std::fs;
use std::path::Path;
use std::time::UNIX_EPOCH;

use super::{Done, How, ask, believe, key, most};
use crate::config::{Feed, FeedKind};
use crate::feeds::about::{About, made_of};
use crate::feeds::store::{Shelf, file_error, read_files};
use crate::feeds::{FeedError, provider};
use crate::fetch::{Expect, FetchError, Got, Known, Want, fetch, unpack};

pub(super) fn update(feed: &Feed, shelf: &Shelf, how: &How<'_>) -> Done {
    // Without the list itself, what is known of it is of no use.
    let held = shelf
        .load_about(feed)
        .filter(|_| shelf.list(0).exists() && !how.force);
    let was = shelf.load_about(feed).map_or(0, |about| about.entries);
    let fresh = match feed.kind {
        FeedKind::File => copied(feed, shelf, held.as_ref())?,
        _ => fetched(feed, shelf, held.as_ref(), how)?,
    };
    let mut about = held.unwrap_or_else(|| About::new(feed, how.now));
    (about.made_of, about.checked) = (made_of(feed), how.now);
    about.known = fresh.known;
    about.cursor = fresh.cursor;
    if fresh.parts.iter().all(|is_new| !is_new) {
        // The caller may have let go of it, or never had it.
        let nets = if how.holds == Some(about.changed) {
            None
        } else {
            let files: Vec<_> = (0..fresh.parts.len())
                .map(|part| shelf.list(part))
                .collect();
            let (nets, unreadable) = read_files(feed, &files)?;
            (about.entries, about.unreadable) = (nets.len(), unreadable);
            Some(nets)
        };
        shelf.save_about(&about)?;
        return Ok((nets, about));
    }
    let path = |(part, is_new): (usize, &bool)| match *is_new {
        true => shelf.fresh(part)[1].clone(),
        false => shelf.list(part),
    };
    let files: Vec<_> = fresh.parts.iter().enumerate().map(path).collect();
    let read = read_files(feed, &files);
    let read = read.and_then(|(nets, unreadable)| {
        believe(feed, &nets, was, how)?;
        Ok((nets, unreadable))
    });
    let (nets, unreadable) = read.inspect_err(|_| {
        for (part, _) in fresh.parts.iter().enumerate() {
            // The next update writes over it.
            let _ = fs::remove_file(&shelf.fresh(part)[1]);
        }
    })?;
    (about.entries, about.unreadable, about.changed) = (nets.len(), unreadable, how.now);
    for (part, path) in files.iter().enumerate() {
        let list = shelf.list(part);
        if *path != list {
            fs::rename(path, &list).map_err(|source| file_error(&list, source))?;
        }
    }
    shelf.save_about(&about)?;
    Ok((Some(nets), about))
}

/// What there is of a list, part by part.
struct Fresh {
    /// Whether each part is new.
    parts: Vec<bool>,
    known: Vec<Known>,
    cursor: Option<String>,
}

fn fetched(
    feed: &Feed,
    shelf: &Shelf,
    held: Option<&About>,
    how: &How<'_>,
) -> Result<Fresh, FeedError> {
    let key = key(feed)?;
    let urls = provider::urls(feed);
    if urls.is_empty() {
        return Err(FeedError::Unset("it has no `url`; write where the list is"));
    }
    let mut fresh = Fresh {
        parts: Vec::new(),
        known: Vec::new(),
        cursor: None,
    };
    for (part, url) in urls.iter().enumerate() {
        let known = held.and_then(|about| about.known.get(part));
        let known = known.filter(|_| shelf.list(part).exists());
        let request = ask(feed, url, key.as_ref())
            .expect(Expect::Json)
            .known(known);
        let [packed, list] = shelf.fresh(part);
        match fetch(&request, &packed, how.progress) {
            Ok(Got::Same(known)) => {
                fresh.parts.push(false);
                fresh.known.push(known);
            }
            Ok(Got::New(known)) => {
                let unpacked = unpack(&packed, Want::Only, most(feed), &list);
                // Packed it is of no more use.
                let _ = fs::remove_file(&packed);
                unpacked?;
                fresh.parts.push(true);
                fresh.known.push(known);
            }
            // A list may have nothing in it.
            Err(FetchError::NotData {
                what: "nothing", ..
            }) => {
                fs::write(&list, b"").map_err(|source| file_error(&list, source))?;
                fresh.parts.push(true);
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(fresh)
}

/// Copies a file of this host, so that its last good state is there when it is not.
fn copied(feed: &Feed, shelf: &Shelf, held: Option<&About>) -> Result<Fresh, FeedError> {
    let path = feed.file.as_deref();
    let path = path.ok_or(FeedError::Unset("it has no `file`; write which one it is"))?;
    let seen = seen(path)?;
    let fresh = |is_new| Fresh {
        parts: vec![is_new],
        known: Vec::new(),
        cursor: Some(seen.clone()),
    };
    if held.is_some_and(|about| about.cursor.as_ref() == Some(&seen)) {
        return Ok(fresh(false));
    }
    let [_, list] = shelf.fresh(0);
    unpack(path, Want::Only, most(feed), &list)?;
    Ok(fresh(true))
}

/// What a file is known again by: its length and when it was written.
fn seen(path: &Path) -> Result<String, FeedError> {
    let wrong = |source| file_error(path, source);
    let found = fs::metadata(path).map_err(wrong)?;
    let written = found.modified().map_err(wrong)?.duration_since(UNIX_EPOCH);
    let written = written.unwrap_or_default().as_nanos();
    Ok(format!("{} {written}", found.len()))
}
