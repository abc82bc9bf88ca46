//! From the lines of a log to what they say, forged ones taken out, each counted.

use std::net::SocketAddr;

use serde::Serialize;

use super::asterisk::of_json;
use super::pattern::{Patterns, Says};
use super::pattern_file::Layout;
use super::sieve::{Sieve, Sieved};
use crate::asterisk::security::What;

/// Reads the lines of one log.
#[derive(Debug)]
pub struct Reading {
    patterns: Patterns,
    sieve: Sieve,
    counts: Counts,
}

/// How many lines were what.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Lines in all.
    pub lines: u64,
    /// Lines that say something that counts.
    pub counted: u64,
    /// Lines that were understood and say nothing that counts.
    pub nothing: u64,
    /// Lines that look as if they counted and do not say for certain whose they are.
    pub doubtful: u64,
    /// Lines that a name forged.
    pub forged: u64,
    /// Lines that no pattern is for.
    pub unknown: u64,
}

/// What was read.
#[derive(Debug, PartialEq, Eq)]
pub enum Told<'r> {
    /// A line.
    Line {
        /// Its number, from 1.
        number: u64,
        /// As it stands, written by strangers in part.
        text: &'r str,
        /// What it says.
        says: Says<'r>,
    },
    /// Lines that a name forged.
    Forged {
        /// The number of the first.
        number: u64,
        /// How many.
        lines: u64,
        /// Whose name it was, if that is certain.
        source: Option<SocketAddr>,
    },
}

impl Reading {
    /// With these patterns.
    pub fn new(patterns: Patterns) -> Self {
        Self {
            patterns,
            sieve: Sieve::default(),
            counts: Counts::default(),
        }
    }

    /// Of a log that grows: whenever nothing comes, [`pause`](Self::pause) is called.
    pub fn live(patterns: Patterns) -> Self {
        Self {
            sieve: Sieve::live(),
            ..Self::new(patterns)
        }
    }

    /// The patterns.
    pub fn patterns(&self) -> &Patterns {
        &self.patterns
    }

    /// How many lines were what so far.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Takes in a line without its end; `told` is called with what is certain by now.
    pub fn line(&mut self, line: &str, mut told: impl FnMut(Told<'_>)) {
        self.counts.lines += 1;
        let number = self.counts.lines;
        let Self {
            patterns,
            sieve,
            counts,
        } = self;
        if patterns.layout != Layout::Asterisk {
            tell(
                patterns,
                counts,
                Sieved::Line(number, line.into()),
                &mut told,
            );
            return;
        }
        let line = of_json(line).unwrap_or_else(|| line.to_owned());
        sieve.push(number, line, |sieved| {
            tell(patterns, counts, sieved, &mut told);
        });
    }

    /// Nothing came for a while, or the log has ended: `told` is called with what was waited for.
    pub fn pause(&mut self, mut told: impl FnMut(Told<'_>)) {
        let Self {
            patterns,
            sieve,
            counts,
        } = self;
        sieve.flush(|sieved| tell(patterns, counts, sieved, &mut told));
    }
}

fn tell(patterns: &Patterns, counts: &mut Counts, sieved: Sieved, told: &mut impl FnMut(Told<'_>)) {
    match sieved {
        Sieved::Line(number, text) => {
            let says = patterns.read(&text);
            let count = match &says {
                Says::Sight { sight, .. } if sight.what == What::Challenged => &mut counts.nothing,
                Says::Sight { .. } => &mut counts.counted,
                Says::Nothing { .. } => &mut counts.nothing,
                Says::Doubtful { .. } => &mut counts.doubtful,
                Says::Unknown => &mut counts.unknown,
            };
            *count += 1;
            told(Told::Line {
                number,
                text: &text,
                says,
            });
        }
        Sieved::Forged {
            line,
            lines,
            source,
        } => {
            counts.forged += lines;
            told(Told::Forged {
                number: line,
                lines,
                source,
            });
        }
    }
}

#[cfg(test)]
#[path = "reading_tests.rs"]
mod tests;
