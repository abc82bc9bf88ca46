//! The country data in force: how old it is.

use serde_json::{Value, json};
use tracing::warn;

use super::state::Daemon;
use crate::country::{CountryData, InForce};
use crate::notify::{Notice, NoticeKind};

/// What the daemon knows of its country data.
#[derive(Default)]
pub(super) struct Countries {
    date: Option<jiff::civil::Date>,
    source: String,
    /// What was last said of it.
    told: String,
}

impl Countries {
    fn age(&self) -> Option<i64> {
        let today = jiff::Zoned::now().date();
        self.date
            .map(|date| today.duration_since(date).as_hours() / 24)
    }

    /// What is to be said of data that is too old.
    fn old(&self) -> Option<String> {
        let days = self.age().filter(|days| *days > CountryData::OLD)?;
        Some(format!(
            "the country data is {days} days old; have `source` of [country] name where newer data comes from"
        ))
    }
}

impl Daemon {
    /// Takes note of the data that was put in force.
    pub(super) fn note_countries(&mut self, found: &InForce) {
        self.countries.date = found.data.date;
        self.countries.source.clone_from(&found.data.source);
        if let Some(text) = found.trouble.clone().or_else(|| self.countries.old()) {
            self.tell_of_countries(&text);
        }
    }

    /// Says something of the country data, once until something else is to be said.
    fn tell_of_countries(&mut self, text: &str) {
        if self.countries.told != text {
            warn!("{text}");
            self.notify(Notice::new(NoticeKind::Country, text));
            self.countries.told = text.to_owned();
        }
    }

    /// A line about the country data, and the same for programs.
    pub(super) fn country_status(&self) -> (String, Value) {
        let age = self.countries.age();
        let source = &self.countries.source;
        let mut line = match age {
            Some(days) => format!("country data: {source}, {days} days old"),
            None => format!("country data: {source}, of no known age"),
        };
        if let Some(old) = self.countries.old() {
            line.push_str(&format!("\n{old}"));
        }
        (line, json!({ "source": source, "age_days": age }))
    }
}
