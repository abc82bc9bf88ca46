//! What is summed up in place of many notices.

use std::fmt::Write as _;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::notice::Notice;
use super::top::Top;
use crate::config::NoticeKind;
use crate::control::listing::moment;

/// Summaries that a digest quotes.
const QUOTED: usize = 20;
/// Sources that a digest names.
const NAMED: usize = 10;

/// Many notices in one.
#[derive(Debug, Clone, Default)]
pub(super) struct Digest {
    kinds: [u64; NoticeKind::ALL.len()],
    /// Of those, notices that could not be delivered before.
    undelivered: u64,
    /// Besides those, notices that came faster than they could be taken.
    lost: u64,
    span: Option<(Timestamp, Timestamp)>,
    sources: Top,
    /// The first of them, one line each.
    quoted: Vec<String>,
}

impl Digest {
    /// Adds a notice.
    pub(super) fn add(&mut self, notice: &Notice) {
        if let Some(count) = self.kinds.get_mut(notice.kind as usize) {
            *count += 1;
        }
        let (first, last) = self.span.unwrap_or((notice.time, notice.time));
        self.span = Some((first.min(notice.time), last.max(notice.time)));
        if let Some(source) = notice.source {
            self.sources.count(source, 1);
        }
        if self.quoted.len() < QUOTED {
            let (time, kind) = (moment(notice.time), notice.kind);
            self.quoted
                .push(format!("{time} {kind}: {}", notice.summary));
        }
    }

    /// Adds a notice that could not be delivered.
    pub(super) fn add_undelivered(&mut self, notice: &Arc<Notice>) {
        self.add(notice);
        self.undelivered += 1;
    }

    /// Adds so many that were not even kept.
    pub(super) fn add_lost(&mut self, many: u64) {
        self.lost = self.lost.saturating_add(many);
    }

    /// Puts an earlier digest, which could not be delivered, before this one.
    pub(super) fn after(self, mut earlier: Self) -> Self {
        for (count, more) in earlier.kinds.iter_mut().zip(self.kinds) {
            *count = count.saturating_add(more);
        }
        earlier.undelivered = earlier.undelivered.saturating_add(self.undelivered);
        earlier.lost = earlier.lost.saturating_add(self.lost);
        earlier.span = match (earlier.span, self.span) {
            (Some((a, b)), Some((c, d))) => Some((a.min(c), b.max(d))),
            (one, other) => one.or(other),
        };
        earlier.sources.merge(self.sources);
        earlier.quoted.extend(self.quoted);
        earlier.quoted.truncate(QUOTED);
        earlier
    }

    /// How many notices it stands for.
    pub(super) fn count(&self) -> u64 {
        self.kinds
            .iter()
            .fold(self.lost, |sum, n| sum.saturating_add(*n))
    }

    /// How many of each kind, the commonest first.
    fn by_kind(&self) -> Vec<(NoticeKind, u64)> {
        let counts = NoticeKind::ALL.into_iter().zip(self.kinds);
        let mut counts: Vec<_> = counts.filter(|(_, n)| *n > 0).collect();
        counts.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
        counts
    }

    /// What it says in one line.
    pub(super) fn summary(&self) -> String {
        let kinds = self
            .by_kind()
            .into_iter()
            .map(|(kind, n)| format!("{n} {kind}"));
        let kinds = kinds.collect::<Vec<_>>().join(", ");
        let noun = match self.count() {
            1 => "notice",
            _ => "notices",
        };
        match kinds.is_empty() {
            true => format!("{} {noun} summed up", self.count()),
            false => format!("{} {noun} summed up: {kinds}", self.count()),
        }
    }

    /// What it says in lines.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        if let Some((first, last)) = self.span {
            let (first, last) = (moment(first), moment(last));
            let _ = writeln!(text, "From {first} to {last}:\n");
        }
        for (kind, count) in self.by_kind() {
            let _ = writeln!(text, "{count:>8} {kind}");
        }
        if self.undelivered > 0 {
            let many = self.undelivered;
            let _ = writeln!(text, "\nOf these, {many} could not be delivered before.");
        }
        if self.lost > 0 {
            let many = self.lost;
            let _ = writeln!(text, "\nBesides, {many} came too fast to be kept.");
        }
        let sources = self.sources.first(NAMED);
        if !sources.is_empty() {
            text.push_str("\nThe sources named most often:\n\n");
        }
        for (source, count) in sources {
            let _ = writeln!(text, "{count:>8} {source}");
        }
        if !self.quoted.is_empty() {
            text.push_str("\nThe first of them:\n\n");
        }
        for line in &self.quoted {
            let _ = writeln!(text, "  {line}");
        }
        text.push_str(
            "\nMore of it: ringfence bans, ringfence events, ringfence why ADDRESS.\n\
             How many are told singly: `most` of [notify].",
        );
        text
    }

    /// The same for programs.
    pub(super) fn data(&self) -> Value {
        let kinds: serde_json::Map<String, Value> = self
            .by_kind()
            .into_iter()
            .map(|(kind, n)| (kind.to_string(), n.into()))
            .collect();
        let sources = self.sources.first(NAMED);
        let sources = sources
            .iter()
            .map(|(ip, n)| json!({ "source": ip, "count": n }));
        json!({
            "count": self.count(), "kinds": kinds, "undelivered": self.undelivered, "lost": self.lost,
            "first": self.span.map(|(first, _)| first), "last": self.span.map(|(_, last)| last),
            "sources": sources.collect::<Vec<_>>(), "quoted": self.quoted,
        })
    }
}
