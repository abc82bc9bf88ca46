//! A few moves to read a TOML document whose every value knows its place, and to gather what is
//! wrong with it.

use std::ops::RangeInclusive;
use std::str::FromStr;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::keys::{TABLES, TOP, Table};
use super::mistake::{Lines, Mistake, Mistakes, Position};
use super::words::{Choice, Word};
use super::wrong::{Wrong, nearest, quoted};

/// Gathers mistakes while a document is read.
pub(super) struct Reader<'t> {
    lines: Lines<'t>,
    found: Vec<Found>,
}

struct Found {
    at: usize,
    sort: Sort,
    wrong: Wrong,
}

#[derive(PartialEq)]
enum Sort {
    /// The text is not TOML.
    Syntax,
    /// A key or value is wrong.
    Value,
    /// Something is missing, which only a whole document can tell.
    Absence,
}

/// A table of the document.
#[derive(Clone, Copy)]
pub(super) struct Section<'t> {
    schema: &'static Table,
    entries: &'t DeTable<'t>,
    /// The place of its header, or of its brace.
    pub at: usize,
}

/// A value of the document with what messages call it.
#[derive(Clone, Copy)]
pub(super) struct Item<'t> {
    pub name: &'static str,
    pub value: &'t DeValue<'t>,
    pub at: usize,
}

impl<'t> Section<'t> {
    /// The value of a key of the schema, if the document has it.
    pub(super) fn get(&self, name: &'static str) -> Option<Item<'t>> {
        debug_assert!(self.schema.has(name), "{name} is not declared");
        let (_, value) = self.entries.iter().find(|(key, _)| key.get_ref() == name)?;
        Some(Item {
            name,
            value: value.get_ref(),
            at: value.span().start,
        })
    }

    /// Whether `name` is missing perhaps only because another spelling of it stands there, which is told.
    pub(super) fn misspelt(&self, name: &str) -> bool {
        let unknown = |key: &str| !self.schema.has(key);
        let near = |key: &str| nearest(key, [name]).is_some();
        !self.has(name)
            && (self.entries.keys()).any(|key| unknown(key.get_ref()) && near(key.get_ref()))
    }

    fn has(&self, name: &str) -> bool {
        self.entries.keys().any(|key| key.get_ref() == name)
    }

    /// The table with its name, where it has one.
    pub(super) fn title(&self) -> String {
        let name = self.entries.iter().find(|(key, _)| key.get_ref() == "name");
        match name.map(|(_, value)| value.get_ref()) {
            Some(DeValue::String(name)) => format!("{} {}", self.schema.name, quoted(name)),
            _ => self.schema.name.to_owned(),
        }
    }
}

impl<'t> Reader<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self {
            lines: Lines::new(text.as_bytes()),
            found: Vec::new(),
        }
    }

    /// Ends the reading: every mistake with its place, if there is one.
    ///
    /// From the line of a syntax error on nothing is known of what was meant, nor of what is
    /// missing, so only mistakes before it are told.
    pub(super) fn finish(self, file: &str) -> Result<(), Mistakes> {
        let Self { lines, mut found } = self;
        let syntax = found.iter().filter(|f| f.sort == Sort::Syntax);
        let broken = syntax.map(|f| lines.line(f.at)).min();
        found.retain(|f| match (&f.sort, broken) {
            (Sort::Syntax, _) | (_, None) => true,
            (Sort::Value, Some(broken)) => lines.line(f.at) < broken,
            (Sort::Absence, Some(_)) => false,
        });
        found.sort_by_key(|f| f.at);
        let offsets: Vec<usize> = found.iter().map(|f| f.at).collect();
        let mistakes: Vec<Mistake> = lines
            .positions(&offsets)
            .into_iter()
            .zip(found)
            .map(|(position, f)| Mistake {
                position,
                wrong: f.wrong,
            })
            .collect();
        if mistakes.is_empty() {
            Ok(())
        } else {
            Err(Mistakes::new(file, mistakes))
        }
    }

    /// Mistakes found so far.
    pub(super) fn count(&self) -> usize {
        self.found.len()
    }

    pub(super) fn position(&self, at: usize) -> Position {
        self.lines.position(at)
    }

    pub(super) fn line(&self, at: usize) -> usize {
        self.lines.line(at)
    }

    /// Notes that the text is not TOML.
    pub(super) fn refuse_syntax(&mut self, at: usize, wrong: Wrong) {
        self.found.push(Found {
            at,
            sort: Sort::Syntax,
            wrong,
        });
    }

    /// Notes a mistake.
    pub(super) fn refuse(&mut self, at: usize, wrong: Wrong) {
        self.found.push(Found {
            at,
            sort: Sort::Value,
            wrong,
        });
    }

    /// Notes that something is missing.
    pub(super) fn miss(&mut self, at: usize, wrong: Wrong) {
        self.found.push(Found {
            at,
            sort: Sort::Absence,
            wrong,
        });
    }

    /// Notes that a key is missing from a table.
    pub(super) fn miss_key(&mut self, section: &Section<'_>, key: &str, example: &str) {
        if !section.misspelt(key) {
            let message = format!("{} has no `{key}`", section.title());
            self.miss(section.at, Wrong::new(message, format!("add {example}")));
        }
    }

    /// Notes that a value has the wrong shape.
    fn misshapen(&mut self, item: Item<'_>, expected: &str, fix: impl Into<String>) {
        let found = match item.value {
            DeValue::String(_) => "a text",
            DeValue::Integer(_) => "a number",
            DeValue::Float(_) => "a number with a point",
            DeValue::Boolean(_) => "true or false",
            DeValue::Datetime(_) => "a date",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        };
        let message = format!("`{}` must be {expected}, not {found}", item.name);
        self.refuse(item.at, Wrong::new(message, fix));
    }

    /// Opens a table and refuses its unknown keys.
    pub(super) fn open<'i>(
        &mut self,
        schema: &'static Table,
        entries: &'i DeTable<'i>,
        at: usize,
    ) -> Section<'i> {
        let section = Section {
            schema,
            entries,
            at,
        };
        for key in entries.keys() {
            let name = key.get_ref();
            if !schema.has(name) {
                let message = format!("unknown key {} in {}", quoted(name), section.title());
                self.refuse(
                    key.span().start,
                    Wrong::new(message, known_instead(schema, name)),
                );
            }
        }
        section
    }

    /// A text.
    pub(super) fn text<'i>(&mut self, item: Item<'i>) -> Option<&'i str> {
        let fix = match item.value {
            DeValue::String(text) => return Some(text),
            DeValue::Integer(n) => format!("write it between quotes: \"{n}\""),
            DeValue::Array(_) => "write one text between quotes, without brackets".into(),
            _ => "write a text between quotes".into(),
        };
        self.misshapen(item, "a text", fix);
        None
    }

    /// A whole number within `range`.
    pub(super) fn number<'i>(&mut self, item: Item<'i>, range: RangeInclusive<u32>) -> Option<u32> {
        let fix = format!("write a number from {} to {}", range.start(), range.end());
        let DeValue::Integer(number) = item.value else {
            self.misshapen(item, "a whole number", fix);
            return None;
        };
        let value = u32::from_str_radix(number.as_str(), number.radix()).ok();
        let value = value.filter(|n| range.contains(n));
        if value.is_none() {
            let message = format!(
                "`{}` is out of range: {}",
                item.name,
                quoted(&number.to_string())
            );
            self.refuse(item.at, Wrong::new(message, fix));
        }
        value
    }

    /// True or false.
    pub(super) fn flag<'i>(&mut self, item: Item<'i>) -> Option<bool> {
        let DeValue::Boolean(flag) = item.value else {
            self.misshapen(item, "true or false", "write true or false, without quotes");
            return None;
        };
        Some(*flag)
    }

    /// A text that `T` reads.
    pub(super) fn parsed<T: FromStr<Err = Wrong>>(&mut self, item: Item<'_>) -> Option<T> {
        if let DeValue::Integer(number) = item.value
            && let Err(wrong) = number.to_string().parse::<T>()
        {
            // Quotes alone would not do: the type knows what is missing.
            self.misshapen(item, "a text", wrong.fix());
            return None;
        }
        let text = self.text(item)?;
        self.keep(item, text.parse())
    }

    /// The value, or the mistake noted with the name of the key.
    pub(super) fn keep<'i, T>(&mut self, item: Item<'i>, result: Result<T, Wrong>) -> Option<T> {
        result
            .map_err(|w| {
                let message = format!("`{}`: {}", item.name, w.message());
                self.refuse(item.at, Wrong::new(message, w.fix()));
            })
            .ok()
    }

    /// A word out of a set.
    pub(super) fn word<'i, W: Word>(&mut self, item: Item<'i>) -> Option<W> {
        let text = self.text(item)?;
        let word = W::from_word(text);
        if word.is_none() {
            let near = nearest(text, W::WORDS.iter().map(|w| w.as_str()));
            let fix = match near {
                Some(near) => format!("did you mean \"{near}\"?"),
                None => format!("write {}", Choice(W::WORDS)),
            };
            let message = format!("`{}` cannot be {}", item.name, quoted(text));
            self.refuse(item.at, Wrong::new(message, fix));
        }
        word
    }

    /// The entries of a list.
    pub(super) fn list<'i>(&mut self, item: Item<'i>) -> Vec<Item<'i>> {
        let DeValue::Array(entries) = item.value else {
            let fix = match item.value {
                DeValue::String(text) => format!("write {} = [{text:?}]", item.name),
                _ => format!("write {} = [...]", item.name),
            };
            self.misshapen(item, "a list", fix);
            return Vec::new();
        };
        let entry = |v: &'i Spanned<DeValue<'i>>| Item {
            name: item.name,
            value: v.get_ref(),
            at: v.span().start,
        };
        entries.iter().map(entry).collect()
    }

    /// A list of texts that `T` reads, each with its place.
    pub(super) fn parsed_list<'i, T: FromStr<Err = Wrong>>(
        &mut self,
        item: Item<'i>,
    ) -> Vec<(T, usize)> {
        let entries = self.list(item);
        entries
            .into_iter()
            .filter_map(|e| Some((self.parsed(e)?, e.at)))
            .collect()
    }

    /// A table: `[name]`.
    pub(super) fn table<'i>(
        &mut self,
        schema: &'static Table,
        item: Item<'i>,
    ) -> Option<Section<'i>> {
        if let DeValue::Table(entries) = item.value {
            return Some(self.open(schema, entries, item.at));
        }
        let fix = if TOP.has(item.name) {
            format!("write its keys below one line [{}]", item.name)
        } else {
            format!("write {} = {{ ... }}", item.name)
        };
        self.misshapen(item, "a table", fix);
        None
    }

    /// Tables under one header each: `[[name]]`, as they stand.
    pub(super) fn raw_tables<'i>(&mut self, item: Item<'i>) -> Vec<(&'i DeTable<'i>, usize)> {
        let fix = format!("write [[{}]] above the keys of each", item.name);
        let DeValue::Array(entries) = item.value else {
            self.misshapen(item, "a list of tables", fix);
            return Vec::new();
        };
        let mut tables = Vec::new();
        for entry in entries {
            match entry.get_ref() {
                DeValue::Table(table) => tables.push((table, entry.span().start)),
                value => {
                    let item = Item {
                        name: item.name,
                        value,
                        at: entry.span().start,
                    };
                    self.misshapen(item, "a list of tables", fix.clone());
                }
            }
        }
        tables
    }

    /// Tables under one header each, opened.
    pub(super) fn tables<'i>(
        &mut self,
        schema: &'static Table,
        item: Item<'i>,
    ) -> Vec<Section<'i>> {
        let tables = self.raw_tables(item);
        tables
            .into_iter()
            .map(|(entries, at)| self.open(schema, entries, at))
            .collect()
    }
}

/// What to write for a key that `schema` does not have.
fn known_instead(schema: &Table, name: &str) -> String {
    if let Some(near) = nearest(name, schema.names()) {
        return format!("did you mean `{near}`?");
    }
    // A key below the wrong header is the commonest slip of TOML.
    if TOP.has(name) {
        return format!("`{name}` belongs above the first [table] of the file");
    }
    let homes: Vec<&str> = TABLES
        .iter()
        .filter(|t| t.has(name))
        .map(|t| t.name)
        .collect();
    if !homes.is_empty() {
        return format!("`{name}` belongs in {}", homes.join(" or "));
    }
    let names: Vec<&str> = schema.names().collect();
    format!("remove it; the keys here are {}", names.join(", "))
}
