//! CSV files of ranges: `first,last,number,name`, addresses in words or as integers, names quoted or not.

use std::path::Path;

use ::csv::{ReaderBuilder, StringRecord};

use super::error::AsnError;
use super::gather::{Gathered, NOBODY, number};
use crate::country::csv::{Wrong, ends};

/// Reads a whole file. A first line without addresses is taken as the header.
pub(super) fn read(bytes: &[u8], path: &Path, all: &mut Gathered) -> Result<(), AsnError> {
    let wrong = |line: u64, what: String| AsnError::Csv {
        path: path.to_owned(),
        line,
        what,
    };
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut reader = ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .comment(Some(b'#'))
        .trim(::csv::Trim::All)
        .from_reader(bytes);
    let mut record = StringRecord::new();
    let mut found = false;
    loop {
        let line = reader.position().line();
        let more = reader.read_record(&mut record).map_err(|error| {
            let line = error.position().map_or(line, ::csv::Position::line);
            wrong(line, "this is no line of a CSV in UTF-8".to_owned())
        })?;
        if !more {
            break;
        }
        let line = record.position().map_or(line, ::csv::Position::line);
        let field = |at: usize| record.get(at).unwrap_or_default();
        match ends(field(0), field(1)) {
            Ok(ends) => {
                let text = field(2);
                // Networks that nobody announces have no number.
                let number = match text {
                    "" | "-" => NOBODY,
                    _ => number(text).ok_or_else(|| {
                        let what = format!("{:?} is no number of an AS", shortened(text));
                        wrong(line, what)
                    })?,
                };
                all.push(ends, number);
                all.name(number, field(3));
                found |= number != NOBODY;
            }
            Err(Wrong::First(_)) if line == 1 && record.len() > 1 => {}
            Err(Wrong::First(what) | Wrong::Rest(what)) => {
                return Err(wrong(line, shortened(&what).to_owned()));
            }
        }
    }
    if !found {
        return Err(wrong(
            1,
            "no autonomous system in the whole file".to_owned(),
        ));
    }
    let name = path.file_name().unwrap_or(path.as_os_str());
    all.source(name.to_string_lossy().into_owned(), None);
    Ok(())
}

/// The beginning of what a stranger wrote.
fn shortened(text: &str) -> &str {
    text.get(..text.floor_char_boundary(80)).unwrap_or_default()
}
