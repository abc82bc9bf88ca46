//! Reads lists as they are published, in pieces: no list is ever in memory whole, nor a line longer than 4 KiB, nor a
//! text of JSON or a row of a CSV longer than 256 KiB.

mod bounded;
mod entry;
mod json;
mod lines;
mod table;

use std::io::BufRead;

use super::{FeedError, Nets};
use crate::config::{Column, FeedFormat, JsonPath};

pub(super) use entry::range;

/// How a list is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Form {
    pub(super) format: FeedFormat,
    pub(super) column: Column,
    pub(super) path: JsonPath,
    /// Most entries.
    pub(super) max: u32,
}

/// What was read of a list so far.
#[derive(Debug)]
pub(super) struct Gathered {
    pub(super) nets: Nets,
    /// Entries that are neither address nor network.
    pub(super) unreadable: u64,
    /// The beginning of the first of them.
    pub(super) first: String,
    max: u32,
}

/// The list is longer than it may be.
#[derive(Debug)]
pub(super) struct Full;

impl Gathered {
    pub(super) fn new(max: u32) -> Self {
        Self {
            nets: Nets::default(),
            unreadable: 0,
            first: String::new(),
            max,
        }
    }

    /// Takes an entry as it is written.
    fn take(&mut self, text: &str) -> Result<(), Full> {
        match range(text) {
            Some(range) => self.nets.push_range(&range),
            None => self.skip(text.as_bytes()),
        }
        let most = usize::try_from(self.max).unwrap_or(usize::MAX);
        if self.nets.len() > most {
            return Err(Full);
        }
        Ok(())
    }

    /// Counts what is no entry.
    fn skip(&mut self, text: &[u8]) {
        const SHOWN: usize = 40;
        if self.unreadable == 0 {
            let begin = text.get(..text.len().min(SHOWN)).unwrap_or_default();
            self.first = String::from_utf8_lossy(begin).into_owned();
        }
        self.unreadable += 1;
    }

    /// What was read, sorted.
    ///
    /// # Errors
    /// When most of it could not be read.
    pub(super) fn finish(mut self) -> Result<(Nets, u64), FeedError> {
        let read = self.nets.len();
        if self.unreadable > u64::try_from(read).unwrap_or(u64::MAX) {
            return Err(FeedError::NotAList {
                read,
                unreadable: self.unreadable,
                first: self.first,
            });
        }
        self.nets.finish();
        Ok((self.nets, self.unreadable))
    }
}

/// Reads a list into `gathered`.
///
/// # Errors
/// When it is not written so, cannot be read, or is longer than it may be.
pub(super) fn read(
    form: &Form,
    reader: &mut dyn BufRead,
    gathered: &mut Gathered,
) -> Result<(), FeedError> {
    let full = |Full| FeedError::TooMany { max: form.max };
    match form.format {
        FeedFormat::Plain => lines::plain(reader, gathered)?.map_err(full),
        FeedFormat::Ipset => lines::ipset(reader, gathered)?.map_err(full),
        FeedFormat::Csv => table::csv(reader, &form.column, gathered)?.map_err(full),
        FeedFormat::Json => json::json(reader, &form.path, gathered)?.map_err(full),
    }
}

#[cfg(test)]
mod tests;
