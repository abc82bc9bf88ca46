//! Lists in a column of a CSV.

use std::io::BufRead;

use csv::{ByteRecord, ReaderBuilder, Trim};

use super::bounded::Rows;
use super::{Full, Gathered};
use crate::config::Column;
use crate::feeds::FeedError;

/// A column of a CSV whose separator is a comma, a semicolon or a tab, whichever its first line has most of. A first
/// line without an address names the columns.
pub(super) fn csv(
    reader: &mut dyn BufRead,
    column: &Column,
    gathered: &mut Gathered,
) -> Result<Result<(), Full>, FeedError> {
    let mut reader = ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .comment(Some(b'#'))
        .trim(Trim::All)
        .delimiter(separator(reader)?)
        .from_reader(Rows::new(reader));
    let mut record = ByteRecord::new();
    let mut place = match column {
        Column::Number(number) => Some(number.saturating_sub(1)),
        Column::Name(_) => None,
    };
    let mut first = true;
    while reader.read_byte_record(&mut record)? {
        reader.get_mut().next();
        let header = std::mem::take(&mut first);
        let Some(at) = place else {
            place = Some(named(&record, column)?);
            continue;
        };
        let cell = record.get(at).unwrap_or_default();
        let text = std::str::from_utf8(cell).unwrap_or_default();
        let text = text.trim_start_matches('\u{feff}');
        if text.is_empty() || header && super::range(text).is_none() {
            continue;
        }
        if let Err(full) = gathered.take(text) {
            return Ok(Err(full));
        }
    }
    Ok(Ok(()))
}

/// The place of the column that the first line calls so.
fn named(record: &ByteRecord, column: &Column) -> Result<usize, FeedError> {
    let Column::Name(name) = column else {
        return Ok(0);
    };
    let is = |cell: &[u8]| {
        let cell = cell.strip_prefix(b"\xef\xbb\xbf").unwrap_or(cell);
        cell.trim_ascii().eq_ignore_ascii_case(name.as_bytes())
    };
    let place = record.iter().position(is);
    place.ok_or_else(|| FeedError::Column(name.clone()))
}

fn separator(reader: &mut dyn BufRead) -> Result<u8, FeedError> {
    let begin = reader.fill_buf().map_err(csv::Error::from)?;
    let is_remark = |line: &&[u8]| !line.starts_with(b"#") && !line.is_empty();
    let line = begin.split(|byte| *byte == b'\n').find(is_remark);
    let count = |one: u8| {
        let bytes = line.unwrap_or_default().iter();
        bytes.filter(|byte| **byte == one).count()
    };
    let others = [b';', b'\t'].into_iter();
    Ok(others.fold(
        b',',
        |most, one| if count(one) > count(most) { one } else { most },
    ))
}
