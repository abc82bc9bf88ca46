//! Ranges and names as sources give them, on their way to [`AsnData`].

use std::collections::BTreeMap;

use jiff::civil::Date;

use super::AsnData;
use crate::country::csv::Ends;
use crate::country::ranges::{Range, of_v6, resolve};

/// The number that stands for no system (RFC 7607).
pub(super) const NOBODY: u32 = 0;

/// Bytes of a name that are kept.
const NAME: usize = 120;

/// The most bytes that all names have together; further systems are nameless.
const NAMES: usize = 64 << 20;

/// What was read so far.
#[derive(Default)]
pub(super) struct Gathered {
    v4: Vec<Range<u32>>,
    v6: Vec<Range<u32>>,
    names: BTreeMap<u32, String>,
    sources: Vec<String>,
    /// Of each source.
    dates: Vec<Option<Date>>,
}

impl Gathered {
    /// Notes a source.
    pub(super) fn source(&mut self, name: String, date: Option<Date>) {
        self.sources.push(name);
        self.dates.push(date);
    }

    /// Gives addresses to a system.
    pub(super) fn push(&mut self, ends: Ends, number: u32) {
        match ends {
            Ends::V4(first, last) => self.v4.push(Range {
                first: first.into(),
                last: last.into(),
                of: number,
            }),
            Ends::V6(first, last) => self.v6.extend(of_v6(first, last, number)),
        }
    }

    /// Notes the name of a system; the first that is no empty one holds.
    pub(super) fn name(&mut self, number: u32, name: &str) {
        let kept = self.names.entry(number).or_default();
        if kept.is_empty() {
            let name = name.trim();
            let end = name.floor_char_boundary(NAME);
            let name = name.get(..end).unwrap_or_default();
            // Strangers wrote it, and it goes to logs and terminals.
            kept.extend(name.chars().filter(|c| !c.is_control()));
        }
    }

    pub(super) fn finish(self) -> AsnData {
        // Every IPv4 range was pushed from 32-bit ends, and resolving only cuts ranges.
        let v4 = resolve(self.v4, NOBODY).into_iter();
        let v6 = resolve(self.v6, NOBODY).into_iter();
        let mut data = AsnData {
            v4: v4.map(|r| (r.first as u32, r.last as u32, r.of)).collect(),
            v6: v6.map(|r| (r.first, r.last, r.of)).collect(),
            source: self.sources.join(", "),
            // Where one states none, nothing is known of the oldest.
            date: self.dates.into_iter().min().flatten(),
            ..AsnData::default()
        };
        let v4 = data.v4.iter().map(|range| range.2);
        let mut numbers: Vec<u32> = v4.chain(data.v6.iter().map(|range| range.2)).collect();
        numbers.sort_unstable();
        numbers.dedup();
        for number in numbers {
            data.systems.push((number, data.names.len() as u32));
            let name = self.names.get(&number);
            let name = name.filter(|name| data.names.len() + name.len() <= NAMES);
            data.names.push_str(name.map_or("", String::as_str));
        }
        data.v4.shrink_to_fit();
        data.v6.shrink_to_fit();
        data.names.shrink_to_fit();
        data.systems.shrink_to_fit();
        data
    }
}

/// A number as data writes it: `680` or `AS680`. 0 and what is no number belong to nobody.
pub(super) fn number(text: &str) -> Option<u32> {
    let text = text.trim();
    let digits = match text.get(..2) {
        Some(begin) if begin.eq_ignore_ascii_case("AS") => text.get(2..)?,
        _ => text,
    };
    digits.parse().ok()
}
