//! Readers that end a list in which something has no end, before it fills the memory.

use std::io::{self, BufRead, Read};

/// The most bytes of a row of a CSV with the remarks before it, and from one quote of JSON to the next.
pub(super) const LONGEST: usize = 256 << 10;

/// Reads rows: whoever has one whole says so by [`Rows::next`].
pub(super) struct Rows<'a> {
    reader: &'a mut dyn BufRead,
    left: usize,
}

impl<'a> Rows<'a> {
    pub(super) fn new(reader: &'a mut dyn BufRead) -> Self {
        Self {
            reader,
            left: LONGEST,
        }
    }

    /// Another row begins.
    pub(super) fn next(&mut self) {
        self.left = LONGEST;
    }
}

impl Read for Rows<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = buffer.len().min(self.left);
        let got = self
            .reader
            .read(buffer.get_mut(..most).unwrap_or_default())?;
        self.left -= got;
        match got {
            0 if most == 0 && !buffer.is_empty() => Err(endless("a row")),
            _ => Ok(got),
        }
    }
}

/// Reads JSON, in which a text ends at a quote without a backslash before it.
pub(super) struct Texts<'a> {
    reader: &'a mut dyn BufRead,
    since: usize,
    escaped: bool,
}

impl<'a> Texts<'a> {
    pub(super) fn new(reader: &'a mut dyn BufRead) -> Self {
        Self {
            reader,
            since: 0,
            escaped: false,
        }
    }
}

impl Read for Texts<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let got = self.reader.read(buffer)?;
        for byte in buffer.iter().take(got) {
            let escaped = std::mem::take(&mut self.escaped);
            match byte {
                b'"' if !escaped => self.since = 0,
                _ => self.since += 1,
            }
            self.escaped = *byte == b'\\' && !escaped;
            if self.since > LONGEST {
                return Err(endless("a text"));
            }
        }
        Ok(got)
    }
}

fn endless(what: &str) -> io::Error {
    let text = format!("{what} has no end within {} KiB", LONGEST >> 10);
    io::Error::new(io::ErrorKind::InvalidData, text)
}
