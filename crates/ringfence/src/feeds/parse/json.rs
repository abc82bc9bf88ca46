//! Lists in JSON: one document, or one a line.

use std::fmt;
use std::io::BufRead;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::bounded::Texts;
use super::{Full, Gathered};
use crate::config::{JsonPath, Step};
use crate::feeds::FeedError;

/// Takes every text at the path. Values there that are no text are counted as unreadable; where the path leads nowhere
/// there is no entry.
pub(super) fn json(
    reader: &mut dyn BufRead,
    path: &JsonPath,
    gathered: &mut Gathered,
) -> Result<Result<(), Full>, FeedError> {
    let mut full = false;
    while begins(reader)? {
        let mut document = serde_json::Deserializer::from_reader(Texts::new(reader));
        let seed = At {
            steps: path.steps(),
            gathered,
            full: &mut full,
        };
        match seed.deserialize(&mut document) {
            Err(_) if full => return Ok(Err(Full)),
            done => done?,
        }
    }
    Ok(Ok(()))
}

/// Whether there is another document, in front of which everything is skipped.
fn begins(reader: &mut dyn BufRead) -> Result<bool, FeedError> {
    loop {
        let buffer = reader.fill_buf().map_err(serde_json::Error::io)?;
        if buffer.is_empty() {
            return Ok(false);
        }
        let mark = |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, 0xef | 0xbb | 0xbf);
        let skipped = buffer.iter().take_while(|byte| mark(byte)).count();
        let there = skipped < buffer.len();
        reader.consume(skipped);
        if there {
            return Ok(true);
        }
    }
}

/// A place in a document, and the steps that are left to go.
struct At<'a> {
    steps: &'a [Step],
    gathered: &'a mut Gathered,
    full: &'a mut bool,
}

impl At<'_> {
    fn below<'b>(&'b mut self, steps: &'b [Step]) -> At<'b> {
        At {
            steps,
            gathered: self.gathered,
            full: self.full,
        }
    }

    /// A value that is not what the path leads to.
    fn odd<E>(self) -> Result<(), E> {
        if self.steps.is_empty() {
            self.gathered.skip(b"a value that is no text");
        }
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for At<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for At<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        if self.steps.is_empty() && self.gathered.take(text).is_err() {
            *self.full = true;
            return Err(E::custom("too many entries"));
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut values: A) -> Result<(), A::Error> {
        if let Some((Step::All, rest)) = self.steps.split_first() {
            while values.next_element_seed(self.below(rest))?.is_some() {}
            return Ok(());
        }
        while values.next_element::<IgnoredAny>()?.is_some() {}
        self.odd()
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut members: A) -> Result<(), A::Error> {
        while let Some(key) = members.next_key::<String>()? {
            match self.steps.split_first() {
                Some((Step::All, rest)) => members.next_value_seed(self.below(rest))?,
                Some((Step::Member(name), rest)) if *name == key => {
                    members.next_value_seed(self.below(rest))?;
                }
                _ => drop(members.next_value::<IgnoredAny>()?),
            }
        }
        self.odd()
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        self.odd()
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<(), E> {
        self.odd()
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<(), E> {
        self.odd()
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<(), E> {
        self.odd()
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.odd()
    }
}
