//! Mistakes in the file, each with its place.

use std::fmt;

use serde::Serialize;

use super::wrong::Wrong;

/// A place in the file, counted from 1; the column counts characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The character in the line.
    pub column: usize,
}

/// One mistake.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Mistake {
    /// Where it stands.
    #[serde(flatten)]
    pub position: Position,
    /// What is wrong there, and what to write instead.
    #[serde(flatten)]
    pub wrong: Wrong,
}

impl Mistake {
    /// The line, counted from 1.
    pub fn line(&self) -> usize {
        self.position.line
    }

    /// The character in the line, counted from 1.
    pub fn column(&self) -> usize {
        self.position.column
    }

    /// What is wrong.
    pub fn message(&self) -> &str {
        self.wrong.message()
    }

    /// What to write instead.
    pub fn fix(&self) -> &str {
        self.wrong.fix()
    }
}

/// Every mistake of a file, in the order of the file; never empty when it is an error.
///
/// Shown one a line as `FILE:LINE:COLUMN: what is wrong; what to write instead`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Mistakes {
    file: String,
    mistakes: Vec<Mistake>,
}

impl Mistakes {
    /// Puts the mistakes of `file` into the order of the file.
    pub fn new(file: impl Into<String>, mut mistakes: Vec<Mistake>) -> Self {
        mistakes.sort_by_key(|m| m.position);
        Self {
            file: file.into(),
            mistakes,
        }
    }

    /// The file as the user named it.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The mistakes, in the order of the file.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Mistake> {
        self.mistakes.iter()
    }
}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, mistake) in self.mistakes.iter().enumerate() {
            let (file, Position { line, column }) = (&self.file, mistake.position);
            let joint = if i == 0 { "" } else { "\n" };
            write!(f, "{joint}{file}:{line}:{column}: {}", mistake.wrong)?;
        }
        Ok(())
    }
}

impl std::error::Error for Mistakes {}

/// The lines of a text, to find the place of a byte.
pub(super) struct Lines<'t> {
    text: &'t [u8],
    starts: Vec<usize>,
}

impl<'t> Lines<'t> {
    pub(super) fn new(text: &'t [u8]) -> Self {
        let ends = text.iter().enumerate().filter(|(_, b)| **b == b'\n');
        Self {
            text,
            starts: [0].into_iter().chain(ends.map(|(i, _)| i + 1)).collect(),
        }
    }

    /// The line of the byte at `offset`, counted from 1.
    pub(super) fn line(&self, offset: usize) -> usize {
        self.starts
            .partition_point(|start| *start <= offset.min(self.text.len()))
    }

    /// The place of the byte at `offset`; past the end, the place after the last byte.
    ///
    /// Costs the length of the line before it; see `positions` for many.
    pub(super) fn position(&self, offset: usize) -> Position {
        let line = self.line(offset);
        Position {
            line,
            column: self.characters(self.start(line), offset) + 1,
        }
    }

    /// The places of many bytes, in one sweep over the text; `offsets` must ascend.
    pub(super) fn positions(&self, offsets: &[usize]) -> Vec<Position> {
        let mut places: Vec<Position> = Vec::with_capacity(offsets.len());
        let mut before = 0;
        for &offset in offsets {
            let line = self.line(offset);
            let column = match places.last() {
                Some(last) if last.line == line => last.column + self.characters(before, offset),
                _ => self.characters(self.start(line), offset) + 1,
            };
            places.push(Position { line, column });
            before = offset;
        }
        places
    }

    /// The byte that `line` starts with.
    fn start(&self, line: usize) -> usize {
        line.checked_sub(1)
            .and_then(|i| self.starts.get(i))
            .copied()
            .unwrap_or(0)
    }

    /// Characters between two bytes: those that continue a UTF-8 character do not count.
    fn characters(&self, from: usize, to: usize) -> usize {
        let bytes = self
            .text
            .get(from..to.min(self.text.len()))
            .unwrap_or_default();
        bytes.iter().filter(|b| **b & 0xC0 != 0x80).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_count_lines_and_characters_from_one() {
        let lines = Lines::new("a\néb\r\n\nx".as_bytes());
        let at = |offset| {
            let Position { line, column } = lines.position(offset);
            (line, column)
        };
        assert_eq!(at(0), (1, 1));
        assert_eq!(at(1), (1, 2));
        assert_eq!(at(2), (2, 1));
        assert_eq!(at(4), (2, 2));
        assert_eq!(at(7), (3, 1));
        assert_eq!(at(8), (4, 1));
        assert_eq!(at(99), (4, 2));
        let offsets = [0, 1, 1, 2, 4, 5, 7, 8, 9, 99];
        let swept = lines.positions(&offsets);
        assert_eq!(swept, offsets.map(|offset| lines.position(offset)));
        assert_eq!(Lines::new(b"").position(0), Position { line: 1, column: 1 });
    }

    #[test]
    fn mistakes_are_listed_in_the_order_of_the_file() {
        let at = |line, text: &str| Mistake {
            position: Position { line, column: 9 },
            wrong: Wrong::new(text, "write it so"),
        };
        let mistakes = Mistakes::new("r.toml", vec![at(7, "two"), at(3, "one")]);
        assert_eq!(
            mistakes.to_string(),
            "r.toml:3:9: one; write it so\nr.toml:7:9: two; write it so"
        );
        assert_eq!(
            serde_json::to_string(&mistakes.iter().next()).unwrap(),
            r#"{"line":3,"column":9,"message":"one","fix":"write it so"}"#
        );
    }
}
