//! Lists of lines.

use std::io::{self, BufRead};

use super::{Full, Gathered};
use crate::feeds::FeedError;

/// The longest line, in bytes.
const LONGEST: usize = 4096;

/// An address, a prefix or a range a line, with remarks after `#`, `;` or a space.
pub(super) fn plain(
    reader: &mut dyn BufRead,
    gathered: &mut Gathered,
) -> Result<Result<(), Full>, FeedError> {
    each(reader, gathered, |line, gathered| {
        let end = line.find(['#', ';']).unwrap_or(line.len());
        let entry = line.get(..end).unwrap_or_default().trim();
        if entry.is_empty() {
            return Ok(());
        }
        let word = entry.split_whitespace().next().unwrap_or_default();
        // A range may have spaces around its dash.
        match super::range(word) {
            Some(_) if !entry.contains('-') => gathered.take(word),
            _ => gathered.take(entry),
        }
    })
}

/// `add SET ENTRY` of `ipset save`, and its old form `-A SET ENTRY`.
pub(super) fn ipset(
    reader: &mut dyn BufRead,
    gathered: &mut Gathered,
) -> Result<Result<(), Full>, FeedError> {
    each(reader, gathered, |line, gathered| {
        let mut words = line.split_whitespace();
        match words.next() {
            Some("add" | "-A") => {}
            None | Some("create" | "-N" | "flush" | "swap" | "destroy" | "COMMIT") => return Ok(()),
            Some(word) if word.starts_with('#') => return Ok(()),
            Some(_) => {
                gathered.skip(line.as_bytes());
                return Ok(());
            }
        }
        let entry = words.nth(1).unwrap_or_default();
        // What a set leaves out is no entry.
        if words.any(|word| word == "nomatch") {
            gathered.skip(line.as_bytes());
            return Ok(());
        }
        gathered.take(entry)
    })
}

/// Gives each line to `take`. Lines that are too long or no text are skipped and counted.
fn each(
    reader: &mut dyn BufRead,
    gathered: &mut Gathered,
    mut take: impl FnMut(&str, &mut Gathered) -> Result<(), Full>,
) -> Result<Result<(), Full>, FeedError> {
    let wrong = |source| FeedError::File {
        path: "the list".into(),
        source,
    };
    let mut line = Vec::new();
    let mut first = true;
    while let Some(whole) = next(reader, &mut line).map_err(wrong)? {
        let bytes = match line.strip_prefix(b"\xef\xbb\xbf") {
            Some(rest) if first => rest,
            _ => &line,
        };
        first = false;
        match std::str::from_utf8(bytes) {
            Ok(text) if whole => {
                if let Err(full) = take(text, gathered) {
                    return Ok(Err(full));
                }
            }
            _ => gathered.skip(bytes),
        }
    }
    Ok(Ok(()))
}

/// Reads a line into `line`, without its end; whether it is whole, None after the last. Of a longer one the beginning
/// is kept.
fn next(reader: &mut dyn BufRead, line: &mut Vec<u8>) -> io::Result<Option<bool>> {
    line.clear();
    let (mut whole, mut any) = (true, false);
    loop {
        let buffer = match reader.fill_buf() {
            Ok(buffer) => buffer,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if buffer.is_empty() {
            return Ok(any.then_some(whole));
        }
        any = true;
        let end = buffer.iter().position(|byte| *byte == b'\n');
        let piece = buffer
            .get(..end.unwrap_or(buffer.len()))
            .unwrap_or_default();
        let room = LONGEST.saturating_sub(line.len());
        whole &= piece.len() <= room;
        line.extend(piece.iter().take(room));
        let used = piece.len() + usize::from(end.is_some());
        reader.consume(used);
        if end.is_some() {
            return Ok(Some(whole));
        }
    }
}
