//! What was understood of a log, as `ringfence asterisk parse` shows it.

use std::collections::{BTreeMap, HashMap};
use std::io::{self, Write};
use std::net::SocketAddr;
use std::time::Instant;

use serde_json::{Value, json};

use super::super::{Format, terminal};
use crate::asterisk::security::{Attempts, Finding, Sight, What};
use crate::logs::Counts;

/// Findings that are held to be put in order.
const HELD: usize = 10_000;
/// Lines of a kind that are shown.
const SHOWN: usize = 5;
/// Characters of such a line.
const WIDTH: usize = 300;

/// Gathers what was understood and writes it.
pub(super) struct Parsed<W> {
    out: W,
    format: Format,
    attempts: Attempts,
    /// The whole is looked at as if it came at once.
    now: Instant,
    rows: Vec<Row>,
    /// Where accounts that do not exist were named: they count once it is known that no credentials followed.
    named: HashMap<Named, (u64, String)>,
    totals: BTreeMap<&'static str, u64>,
    unknown: Vec<(u64, String)>,
    doubtful: Vec<(u64, String)>,
    titled: bool,
}

type Named = (SocketAddr, Option<String>, Option<String>);

struct Row {
    line: u64,
    event: String,
    finding: Finding,
}

impl<W: Write> Parsed<W> {
    pub(super) fn new(out: W, format: Format) -> Self {
        Self {
            out,
            format,
            attempts: Attempts::default(),
            now: Instant::now(),
            rows: Vec::new(),
            named: HashMap::new(),
            totals: BTreeMap::new(),
            unknown: Vec::new(),
            doubtful: Vec::new(),
            titled: false,
        }
    }

    /// A line or event that says something that counts; `event` is what it is called.
    pub(super) fn sight(&mut self, line: u64, event: &str, sight: &Sight) -> io::Result<()> {
        if sight.what == What::UnknownAccount && self.named.len() < HELD {
            let named = named(sight.source, &sight.session, &sight.account);
            self.named
                .entry(named)
                .or_insert_with(|| (line, event.to_owned()));
        }
        if let Some(finding) = self.attempts.see(sight, self.now) {
            self.row(line, event.to_owned(), finding)?;
        }
        for probe in self.attempts.settled(self.now) {
            self.probe(probe)?;
        }
        Ok(())
    }

    /// A line that nothing is known of.
    pub(super) fn unknown(&mut self, line: u64, text: &str) {
        keep(&mut self.unknown, line, text);
    }

    /// A line that looks as if it counted and does not say for certain whose it is.
    pub(super) fn doubtful(&mut self, line: u64, text: &str) {
        keep(&mut self.doubtful, line, text);
    }

    /// Ends it: what waits, and the summary. `unit` is what was counted.
    pub(super) fn finish(mut self, counts: Counts, unit: &str) -> io::Result<()> {
        for probe in self.attempts.finish() {
            self.probe(probe)?;
        }
        self.write_rows()?;
        match self.format {
            Format::Json => {
                let lines = |lines: &[(u64, String)]| -> Vec<Value> {
                    let one = |(line, text): &(u64, String)| json!({ "line": line, "text": text });
                    lines.iter().map(one).collect()
                };
                let summary = json!({ "summary": {
                    "unit": unit,
                    "counts": counts,
                    "attempts": self.totals,
                    "doubtful": lines(&self.doubtful),
                    "not_understood": lines(&self.unknown),
                }});
                writeln!(self.out, "{}", terminal::json(&summary.to_string()))
            }
            Format::Text => self.summary(counts, unit),
        }
    }

    fn summary(&mut self, counts: Counts, unit: &str) -> io::Result<()> {
        if self.titled {
            writeln!(self.out)?;
        }
        let attempts: Vec<String> = self
            .totals
            .iter()
            .map(|(word, n)| format!("{n} {word}"))
            .collect();
        let attempts = match attempts.is_empty() {
            true => "none".to_owned(),
            false => attempts.join(", "),
        };
        writeln!(self.out, "Attempts: {attempts}")?;
        writeln!(
            self.out,
            "{} {unit}: {} say something that counts, {} nothing, {} are doubtful, {} forged, {} not understood",
            counts.lines,
            counts.counted,
            counts.nothing,
            counts.doubtful,
            counts.forged,
            counts.unknown
        )?;
        for (title, lines) in [
            ("Doubtful", &self.doubtful),
            ("Not understood", &self.unknown),
        ] {
            if !lines.is_empty() {
                writeln!(self.out, "\n{title}, the first {}:", lines.len())?;
            }
            for (line, text) in lines {
                writeln!(self.out, "{line:>8}  {}", terminal::line(text))?;
            }
        }
        Ok(())
    }

    fn probe(&mut self, probe: Finding) -> io::Result<()> {
        let named = named(probe.source, &probe.session, &probe.account);
        let (line, event) = self.named.remove(&named).unwrap_or_default();
        self.row(line, event, probe)
    }

    fn row(&mut self, line: u64, event: String, finding: Finding) -> io::Result<()> {
        *self.totals.entry(finding.counts_as.as_str()).or_default() += 1;
        self.rows.push(Row {
            line,
            event,
            finding,
        });
        if self.rows.len() >= HELD {
            self.write_rows()?;
        }
        Ok(())
    }

    fn write_rows(&mut self) -> io::Result<()> {
        let mut rows = std::mem::take(&mut self.rows);
        rows.sort_by_key(|row| row.line);
        for row in rows {
            let (source, counts_as) = (row.finding.source, row.finding.counts_as.as_str());
            let account = row.finding.account;
            if self.format == Format::Json {
                let value = json!({
                    "line": row.line,
                    "source": source.ip(),
                    "port": (source.port() != 0).then(|| source.port()),
                    "account": account,
                    "event": row.event,
                    "counts_as": counts_as,
                    "service": row.finding.service,
                    "session": row.finding.session,
                });
                writeln!(self.out, "{}", terminal::json(&value.to_string()))?;
                continue;
            }
            if !std::mem::replace(&mut self.titled, true) {
                let title = ("LINE", "COUNTS AS", "SOURCE", "EVENT", "ACCOUNT");
                let (line, word, source, event, account) = title;
                writeln!(
                    self.out,
                    "{line:>8}  {word:<13}  {source:<24}  {event:<23}  {account}"
                )?;
            }
            let account = account.as_deref().map(terminal::line).unwrap_or_default();
            let source = match source.port() {
                0 => source.ip().to_string(),
                _ => source.to_string(),
            };
            let event = terminal::line(&row.event);
            writeln!(
                self.out,
                "{:>8}  {counts_as:<13}  {source:<24}  {event:<23}  {account}",
                row.line
            )?;
        }
        Ok(())
    }
}

fn named(source: SocketAddr, session: &Option<String>, account: &Option<String>) -> Named {
    (source, session.clone(), account.clone())
}

fn keep(lines: &mut Vec<(u64, String)>, line: u64, text: &str) {
    if lines.len() < SHOWN && !text.trim().is_empty() {
        // Answers to challenges can be turned into passwords.
        let secret = [",Challenge=\"", ",Response=\"", ",ReceivedHash=\""];
        let end = secret.iter().filter_map(|key| text.find(key)).min();
        let open = end.and_then(|end| text.get(..end)).unwrap_or(text);
        lines.push((line, open.chars().take(WIDTH).collect()));
    }
}
