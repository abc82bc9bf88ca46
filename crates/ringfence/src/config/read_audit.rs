//! Reads `[audit]`.

use std::time::Duration;

use super::audit::Audit;
use super::keys::AUDIT;
use super::read_trust::period;
use super::reader::{Reader, Section};
use super::types::Config;

const SHORTEST: Duration = Duration::from_secs(10);
const LONGEST: Duration = Duration::from_secs(86_400);

/// Reads it into `config`.
pub(super) fn audit(reader: &mut Reader<'_>, top: &Section<'_>, config: &mut Config) {
    let Some(table) = top.get("audit").and_then(|i| reader.table(&AUDIT, i)) else {
        return;
    };
    let mut audit = Audit::default();
    if let Some(time) = table
        .get("every")
        .and_then(|i| period(reader, i, SHORTEST..=LONGEST))
    {
        audit.every = time;
    }
    if let Some(word) = table.get("strangers").and_then(|i| reader.word(i)) {
        audit.strangers = word;
    }
    config.audit = Some(audit);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Strangers;

    fn read(text: &str) -> Result<Option<Audit>, String> {
        let config = Config::parse(text, "r.toml").map_err(|wrong| wrong.to_string())?;
        Ok(config.audit)
    }

    #[test]
    fn without_the_section_there_is_none() {
        assert_eq!(read(""), Ok(None));
        assert_eq!(read("[audit]"), Ok(Some(Audit::default())));
        let audit = Audit {
            every: Duration::from_secs(300),
            strangers: Strangers::Ban,
        };
        assert_eq!(
            read("[audit]\nevery = \"5m\"\nstrangers = \"ban\""),
            Ok(Some(audit))
        );
    }

    #[test]
    fn mistakes_say_what_to_write() {
        for (text, expected) in [
            (
                "[audit]\nevery = \"1s\"",
                "r.toml:2:9: `every` is out of range: `1s`; write a time from \"10s\" to \"1d\"",
            ),
            (
                "[audit]\nstrangers = \"removed\"",
                "r.toml:2:13: `strangers` cannot be `removed`; did you mean \"remove\"?",
            ),
            (
                "[audit]\nstrangers = \"kill\"",
                "r.toml:2:13: `strangers` cannot be `kill`; write \"tell\", \"remove\" or \"ban\"",
            ),
        ] {
            assert_eq!(read(text), Err(expected.to_owned()), "{text}");
        }
    }
}
