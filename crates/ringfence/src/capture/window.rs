//! A bounded window over a stream of bytes, which knows how far into the stream it stands.

use std::io::{self, Read};

use super::CaptureError;

/// The most bytes that one record (its header, packet and options) may take: 256 KiB, the largest snapshot length that
/// capture tools use.
pub const MAX_RECORD: usize = 256 * 1024;

/// What a new window holds, in bytes. It grows to [`MAX_RECORD`] only for records that need it.
const INITIAL: usize = 64 * 1024;

/// Bytes `start..end` of `buffer` have been read and not consumed; the first of them is byte `offset` of the stream.
#[derive(Debug)]
pub(super) struct Window<R> {
    reader: R,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    offset: u64,
    /// Bytes that were handed out last and are consumed when the next record is asked for.
    lent: usize,
}

impl<R: Read> Window<R> {
    pub(super) fn new(reader: R) -> Self {
        Self {
            reader,
            buffer: vec![0; INITIAL],
            start: 0,
            end: 0,
            offset: 0,
            lent: 0,
        }
    }

    /// What can be looked at now.
    pub(super) fn data(&self) -> &[u8] {
        self.buffer.get(self.start..self.end).unwrap_or_default()
    }

    /// Bytes of the stream that were consumed or lent.
    pub(super) fn offset(&self) -> u64 {
        self.offset + self.lent as u64
    }

    /// Reads until `wanted` bytes can be looked at. False where the stream ends before.
    pub(super) fn fill(&mut self, wanted: usize) -> Result<bool, CaptureError> {
        if wanted > MAX_RECORD {
            return Err(CaptureError::TooLong {
                offset: self.offset,
                claimed: wanted as u64,
            });
        }
        if self.start + wanted > self.buffer.len() {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        if wanted > self.buffer.len() {
            self.buffer.reserve_exact(MAX_RECORD - self.buffer.len());
            self.buffer.resize(MAX_RECORD, 0);
        }
        while self.end - self.start < wanted {
            match self.read_more()? {
                0 => return Ok(false),
                read => self.end += read,
            }
        }
        Ok(true)
    }

    /// Like [`Window::fill`]; a stream that ends before is an error, which names `what` is being read.
    pub(super) fn need(&mut self, wanted: usize, what: &'static str) -> Result<(), CaptureError> {
        if self.fill(wanted)? {
            Ok(())
        } else {
            Err(CaptureError::Truncated {
                what,
                offset: self.offset,
            })
        }
    }

    /// Lends `len` bytes at `start` of a record of `size` bytes. [`Window::release`] consumes the record.
    pub(super) fn take(&mut self, size: usize, start: usize, len: usize) -> &[u8] {
        self.lent = size;
        self.data().get(start..start + len).unwrap_or_default()
    }

    /// Consumes what was lent.
    pub(super) fn release(&mut self) {
        let lent = std::mem::take(&mut self.lent);
        self.consume(lent);
    }

    /// Drops `count` bytes, at most those that can be looked at.
    pub(super) fn consume(&mut self, count: usize) {
        let count = count.min(self.end - self.start);
        self.start += count;
        self.offset += count as u64;
    }

    /// Drops `count` bytes, reading on as far as needed; an error names `what` where the stream ends before.
    pub(super) fn skip(&mut self, count: u64, what: &'static str) -> Result<(), CaptureError> {
        let begin = self.offset;
        let mut left = count;
        while left > 0 {
            if self.start == self.end && !self.fill(1)? {
                return Err(CaptureError::Truncated {
                    what,
                    offset: begin,
                });
            }
            let step = usize::try_from(left)
                .unwrap_or(usize::MAX)
                .min(self.end - self.start);
            self.consume(step);
            left -= step as u64;
        }
        Ok(())
    }

    /// Bytes that the window has allocated.
    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.buffer.capacity()
    }

    fn read_more(&mut self) -> Result<usize, CaptureError> {
        let space = self.buffer.get_mut(self.end..).unwrap_or_default();
        loop {
            match self.reader.read(space) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(source) => {
                    return Err(CaptureError::Read {
                        offset: self.offset,
                        source,
                    });
                }
                Ok(read) => return Ok(read),
            }
        }
    }
}
