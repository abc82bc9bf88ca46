//! What the command line is told of the country data.

use anyhow::{Context as _, Result};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Daemon, NAMED};
use crate::control::Answer;
use crate::country;

impl Daemon {
    /// Answers the command line, which cannot read the key that the daemon has.
    pub(in crate::daemon) fn country_asked(&mut self, force: bool) -> Result<Answer> {
        country::key(&self.config.country)?;
        self.countries.asked = Some(force);
        let text = "the daemon has the key and asks for newer data now; `ringfence country data` tells how it went";
        Ok(Answer::done(text, json!({ "asked": true })))
    }

    /// Answers the command line, which has changed what is on the shelf.
    pub(in crate::daemon) fn country_renewed(&mut self) -> Result<Answer> {
        let affected = self
            .renew_countries()
            .context("the daemon did not take it")?;
        self.countries.told.clear();
        let lines: Vec<_> = affected.iter().map(country::affected_line).collect();
        let mut text = format!("in force: {}", self.countries.source);
        for line in lines.iter().take(NAMED) {
            text.push_str(&format!("\n  {line}"));
        }
        Ok(Answer::done(
            text,
            json!({ "source": self.countries.source, "affected": lines }),
        ))
    }

    /// A line about the country data, and the same for programs.
    pub(in crate::daemon) fn country_status(&self) -> (String, Value) {
        let (age, source) = (self.countries.age(), &self.countries.source);
        let mut line = match age {
            Some(days) => format!("country data: {source}, {days} days old"),
            None => format!("country data: {source}, of no known age"),
        };
        let index = match self.config.country.is_fetched() {
            true => self.shelf().index(),
            false => country::Index::default(),
        };
        let moment = |time: Timestamp| time.strftime("%FT%TZ").to_string();
        if let Some(checked) = index.checked {
            line.push_str(&format!("; asked for newer {}", moment(checked)));
        }
        if let Some(next) = self.countries.next() {
            line.push_str(&format!("; next {}", moment(next)));
        }
        if let Some(failure) = &index.failure {
            line.push_str(&format!(
                "\nthe country data could not be renewed: {failure}"
            ));
        }
        if self.countries.is_old() {
            line.push_str("\nthe country data is old; `source` of [country] names where newer data comes from");
        }
        let data = json!({
            "source": source, "date": self.countries.date, "age_days": age, "checked": index.checked,
            "next": self.countries.next(), "failure": index.failure, "failures": index.failures,
        });
        (line, data)
    }
}
