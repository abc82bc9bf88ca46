//! The audit as a table for people.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};

use crate::asterisk::audit::{Audit, Row, Verdict, Weakness, What};
use crate::asterisk::inventory::{Inventory, Kind};
use crate::cli::terminal;

/// Columns of a line.
const WIDTH: usize = 100;
/// The widest name; what is longer is cut.
const NAME: usize = 24;
/// Columns that are kept for the indent and the number of names that are left out; `--format json` has all of them.
const MORE: usize = 20;

/// Writes all of it.
pub(super) fn write(audit: &Audit, inventory: &Inventory, out: &mut impl Write) -> io::Result<()> {
    let columns = Columns::of(&audit.rows);
    for (kind, heading) in [
        (Kind::Phone, "phones"),
        (Kind::Trunk, "trunks"),
        (Kind::Peer, "peers"),
        (Kind::Guest, "guests"),
    ] {
        let mut rows = audit.rows.iter().filter(|row| row.kind == kind).peekable();
        if rows.peek().is_some() {
            writeln!(out, "{heading}")?;
        }
        for row in rows {
            columns.write(row, out)?;
        }
    }
    let doubt = |row: &Row| is_doubtful(row);
    if audit.rows.iter().any(doubt) {
        writeln!(out, "? is where the phone says that it is: no packet told")?;
    }
    section(out, "easy prey", &audit.weaknesses, weakness)?;
    section(
        out,
        "trunks that the configuration lacks",
        &audit.proposals,
        |proposal, out| {
            let toml = proposal.to_string();
            writeln!(out, "\n{}", terminal::text(&toml))
        },
    )?;
    section(out, "not asked", &inventory.unasked, |(what, why), out| {
        writeln!(out, "  {}: {}", cell(what), cell(why))
    })?;
    summary(audit, out)
}

fn section<T, W: Write>(
    out: &mut W,
    heading: &str,
    entries: &[T],
    write: impl Fn(&T, &mut W) -> io::Result<()>,
) -> io::Result<()> {
    if entries.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{heading}")?;
    entries.iter().try_for_each(|entry| write(entry, out))
}

fn summary(audit: &Audit, out: &mut impl Write) -> io::Result<()> {
    let count = audit.count();
    let held = audit.rows.iter().filter(|row| row.stranger.is_some());
    let held = held.count();
    let kept = if held > 0 {
        format!(" ({held} of them only while known)")
    } else {
        String::new()
    };
    writeln!(
        out,
        "\n{} ok{kept}, {} ko, {} not known, {} nowhere",
        count.ok, count.ko, count.unknown, count.absent
    )
}

fn weakness(weakness: &Weakness, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "  {}", weakness.says)?;
    if !weakness.names.is_empty() {
        writeln!(out, "    {}", joined(&weakness.names))?;
    }
    writeln!(out, "    -> {}", weakness.write)
}

/// As many names as a line has room for, and how many more there are.
fn joined(names: &[String]) -> String {
    let mut line = String::new();
    for (written, name) in names.iter().enumerate() {
        let joint = if written == 0 { "" } else { ", " };
        let next = format!("{joint}{}", cut(name));
        if line.chars().count() + next.chars().count() + MORE > WIDTH {
            line.push_str(&format!(" and {} more", names.len() - written));
            break;
        }
        line.push_str(&next);
    }
    line
}

/// How wide the columns are.
struct Columns {
    name: usize,
    address: usize,
}

impl Columns {
    fn of(rows: &[Row]) -> Self {
        let widest = |text: fn(&Row) -> String| {
            let widths = rows.iter().map(|row| text(row).chars().count());
            widths.max().unwrap_or(0)
        };
        Self {
            name: widest(name),
            address: widest(address),
        }
    }

    fn write(&self, row: &Row, out: &mut impl Write) -> io::Result<()> {
        let (verdict, color) = match (row.verdict, row.what) {
            (Verdict::Ok, _) => ("ok", Some(AnsiColor::Green)),
            (Verdict::Ko, _) => ("ko", Some(AnsiColor::Red)),
            (Verdict::Unknown, What::Absent) => ("-", None),
            (Verdict::Unknown, _) => ("?", Some(AnsiColor::Yellow)),
        };
        let style = Style::new().fg_color(color.map(Into::into));
        let country = row.country.map_or("", |country| country.code());
        let (name_width, address_width) = (self.name, self.address);
        let used = 2 + name_width + 2 + 5 + 2 + address_width + 2 + 2 + 2 + 2 + 2;
        let why = why(row, WIDTH.saturating_sub(used));
        writeln!(
            out,
            "  {:name_width$}  {:5}  {:address_width$}  {country:2}  {style}{verdict:2}{style:#}  {why}",
            name(row),
            row.technology.name(),
            address(row),
        )?;
        match &row.remedy {
            Some(remedy) => writeln!(out, "    -> {}", cell(remedy)),
            None => Ok(()),
        }
    }
}

/// A text of strangers in one line.
fn cell(text: &str) -> String {
    terminal::text(&text.replace('\n', " ")).into_owned()
}

fn name(row: &Row) -> String {
    cut(&row.name)
}

/// A name, no wider than its column.
fn cut(name: &str) -> String {
    let name = cell(name);
    if name.chars().count() <= NAME {
        return name;
    }
    let kept: String = name.chars().take(NAME - 3).collect();
    kept + "..."
}

/// The address; the host as it is configured where there is none.
fn address(row: &Row) -> String {
    match (row.address, row.what) {
        (Some(address), What::Contact) if is_doubtful(row) => format!("{address} ?"),
        (Some(address), _) => address.to_string(),
        (None, What::Host | What::Registration) => {
            let host = cell(&row.uri);
            host.chars().take(39).collect()
        }
        (None, _) => String::new(),
    }
}

/// Whether only the phone itself says where it is.
fn is_doubtful(row: &Row) -> bool {
    row.what == What::Contact && row.address.is_some() && !row.learned
}

/// Why, in so many columns: the reason, and as much of the rest as fits.
fn why(row: &Row, width: usize) -> String {
    let mut why = row.reason.to_owned();
    let mut add = |text: String| {
        if why.chars().count() + text.chars().count() <= width {
            why.push_str(&text);
        }
    };
    if row.verdict == Verdict::Ko && !row.detail.is_empty() {
        add(format!(", {}", row.detail));
    }
    if let Some(stranger) = row.stranger {
        add(format!(", as a stranger: {stranger}"));
    }
    if row.verdict != Verdict::Unknown && row.service.is_empty() && row.reason == "unprotected" {
        add(format!(", {}", row.detail));
    }
    why
}
