//! From bytes to lines, whatever the reads were cut at.

/// Bytes of the longest line that is kept.
pub(crate) const LONGEST: usize = 16 * 1024;

/// Cuts bytes into lines; it holds one line at most.
#[derive(Debug)]
pub(crate) struct Lines {
    longest: usize,
    line: Vec<u8>,
    /// The line is too long, or its beginning is not known: its end is waited for.
    skipping: bool,
}

impl Lines {
    /// For lines of up to so many bytes; `whole`: the first byte begins a line.
    pub(crate) fn new(longest: usize, whole: bool) -> Self {
        Self {
            longest,
            line: Vec::new(),
            skipping: !whole,
        }
    }

    /// Takes in bytes; `told` is called with each line, without its end. Longer lines are left out.
    pub(crate) fn read(&mut self, bytes: &[u8], mut told: impl FnMut(&str)) {
        for piece in bytes.split_inclusive(|b| *b == b'\n') {
            let (text, ends) = match piece.strip_suffix(b"\n") {
                Some(text) => (text, true),
                None => (piece, false),
            };
            if self.line.len() + text.len() > self.longest {
                self.skipping = true;
                self.line = Vec::new();
            }
            if !self.skipping {
                self.line.extend_from_slice(text);
            }
            if ends {
                self.end(&mut told);
            }
        }
    }

    /// Nothing more comes: what is there is the last line.
    pub(crate) fn end(&mut self, mut told: impl FnMut(&str)) {
        if !std::mem::take(&mut self.skipping) && !self.line.is_empty() {
            let line = self.line.strip_suffix(b"\r").unwrap_or(&self.line);
            told(&String::from_utf8_lossy(line));
        }
        self.line.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_the_same_wherever_reads_are_cut_and_long_ones_hold_no_memory() {
        let text = format!("one\r\n\ntwo \u{fc}\n{}\nthree\nrest", "x".repeat(50));
        for cut in 0..=text.len() {
            let (first, second) = text.as_bytes().split_at(cut);
            let (mut lines, mut all) = (Lines::new(20, true), Vec::new());
            lines.read(first, |line| all.push(line.to_owned()));
            lines.read(second, |line| all.push(line.to_owned()));
            assert_eq!(all, ["one", "two \u{fc}", "three"], "{cut}");
            lines.end(|line| all.push(line.to_owned()));
            assert_eq!(all.last().map(String::as_str), Some("rest"));
        }
        let mut lines = Lines::new(20, false);
        lines.read(b"half\nwhole\n", |line| assert_eq!(line, "whole"));
    }
}
