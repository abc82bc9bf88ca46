//! Lines off the wire, so many and no more.

use std::io;

use tokio::io::{AsyncBufRead, AsyncBufReadExt as _};

/// Bytes of a line at most.
const LONGEST: usize = 4 * 1024;
/// Lines of a session at most; Asterisk sends some forty.
const LINES: usize = 200;
/// Bytes of a session at most.
const BYTES: usize = 64 * 1024;

/// Why a stream gave no line.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoLine {
    /// The stream ended, inside of a line or not.
    #[error("the connection was closed")]
    Ended,
    /// More than Asterisk ever sends.
    #[error("{0}")]
    TooMuch(&'static str),
    /// The system said so.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Cuts bytes into lines that end in LF or CRLF.
#[derive(Debug, Default)]
pub(super) struct Cutter {
    line: Vec<u8>,
    lines: usize,
    bytes: usize,
}

impl Cutter {
    /// Takes in bytes up to the end of the line. How many those were, and the line if it is whole; what is no UTF-8 in
    /// it is replaced.
    ///
    /// # Errors
    /// When the line is longer than 4 KiB, or the session has had 200 lines or 64 KiB.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Result<(usize, Option<String>), NoLine> {
        let end = bytes.iter().position(|byte| *byte == b'\n');
        let taken = end.map_or(bytes.len(), |end| end + 1);
        self.bytes = self.bytes.saturating_add(taken);
        if self.bytes > BYTES {
            return Err(NoLine::TooMuch("a session has more than 64 KiB"));
        }
        let part = bytes.get(..end.unwrap_or(taken)).unwrap_or_default();
        if self.line.len() + part.len() > LONGEST {
            return Err(NoLine::TooMuch("a line has more than 4 KiB"));
        }
        self.line.extend_from_slice(part);
        if end.is_none() {
            return Ok((taken, None));
        }
        self.lines += 1;
        if self.lines > LINES {
            return Err(NoLine::TooMuch("a session has more than 200 lines"));
        }
        let mut line = std::mem::take(&mut self.line);
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        Ok((taken, Some(String::from_utf8_lossy(&line).into_owned())))
    }

    /// Waits for the next line of `stream`.
    ///
    /// # Errors
    /// As [`Cutter::take`], and when the stream ends or fails.
    pub(super) async fn next<R>(&mut self, stream: &mut R) -> Result<String, NoLine>
    where
        R: AsyncBufRead + Unpin,
    {
        loop {
            let bytes = stream.fill_buf().await?;
            if bytes.is_empty() {
                return Err(NoLine::Ended);
            }
            let (taken, line) = self.take(bytes)?;
            stream.consume(taken);
            if let Some(line) = line {
                return Ok(line);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The lines of what comes in these pieces, and whether it was too much.
    fn cut<'p>(pieces: impl IntoIterator<Item = &'p [u8]>) -> (Vec<String>, bool) {
        let (mut cutter, mut lines) = (Cutter::default(), Vec::new());
        for mut piece in pieces {
            while !piece.is_empty() {
                let Ok((taken, line)) = cutter.take(piece) else {
                    return (lines, true);
                };
                assert!((1..=piece.len()).contains(&taken));
                piece = &piece[taken..];
                lines.extend(line);
            }
        }
        (lines, false)
    }

    #[test]
    fn lines_end_in_lf_or_crlf_and_one_without_end_is_none() {
        let (lines, over) = cut([b"agi_network: yes\r\n\n200 result=1\nHANG".as_slice()]);
        assert_eq!(lines, ["agi_network: yes", "", "200 result=1"]);
        assert!(!over);
    }

    #[test]
    fn what_is_too_much_is_refused() {
        let line = |length| [vec![b'x'; length], vec![b'\n']].concat();
        assert!(!cut([line(LONGEST).as_slice()]).1);
        assert!(cut([line(LONGEST + 1).as_slice()]).1);
        let without_end = vec![b'x'; 1000];
        assert!(cut([without_end.as_slice(); 5]).1);
        let (lines, over) = cut([b"\n".repeat(LINES + 1).as_slice()]);
        assert!(over && lines.len() == LINES);
        let (lines, over) = cut([line(1023).as_slice(); 65]);
        assert!(over && lines.len() == 64);
    }

    proptest! {
        #[test]
        fn wherever_it_is_cut_the_lines_are_the_same(
            bytes in prop::collection::vec(prop_oneof![Just(b'\n'), Just(b'\r'), any::<u8>()], 0..400),
            at in any::<prop::sample::Index>(),
        ) {
            let (first, second) = bytes.split_at(at.index(bytes.len() + 1));
            let (lines, over) = cut([first, second]);
            prop_assert_eq!(&(lines.clone(), over), &cut([bytes.as_slice()]));
            prop_assert!(lines.iter().all(|line| !line.contains('\n')));
            if !over {
                let ends = bytes.iter().filter(|byte| **byte == b'\n').count();
                prop_assert_eq!(lines.len(), ends);
            }
        }
    }
}
