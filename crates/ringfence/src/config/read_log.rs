//! Reads `[[log]]`: the logs that are followed.

use toml::de::DeValue;

use super::keys::LOG;
use super::read::path;
use super::reader::{Item, Reader, Section};
use super::words::Word;
use super::wrong::{Wrong, quoted};
use crate::logs::{By, Of, Settings, Source};

/// The most logs that are followed.
const MOST: usize = 32;

impl Word for Of {
    const WORDS: &'static [Self] = &[Self::Asterisk, Self::Freeswitch, Self::Kamailio];

    fn as_str(self) -> &'static str {
        Self::as_str(self)
    }
}

/// The logs of the file.
pub(super) fn logs(reader: &mut Reader<'_>, item: Item<'_>) -> Vec<Settings> {
    let tables = reader.tables(&LOG, item);
    if let Some(beyond) = tables.get(MOST) {
        let message = format!("{} logs are more than {MOST}", tables.len());
        let fix = "leave out those that say the same";
        reader.refuse(beyond.at, Wrong::new(message, fix));
    }
    let mut logs: Vec<Settings> = Vec::new();
    for table in tables {
        let (from, by) = (source(reader, &table), patterns(reader, &table));
        let (Some((from, at)), Some(by)) = (from, by) else {
            continue;
        };
        if logs.iter().any(|log| log.from == from) {
            let message = format!("{} is followed twice", quoted(&from.name()));
            reader.refuse(at, Wrong::new(message, "remove one of the two"));
        }
        logs.push(Settings { from, by });
    }
    logs
}

/// Where the log is, and the place of that in the file.
fn source(reader: &mut Reader<'_>, table: &Section<'_>) -> Option<(Source, usize)> {
    match (table.get("file"), table.get("journal")) {
        (Some(file), None) => {
            let path = path(reader, file)?;
            Some((Source::File(path), file.at))
        }
        (None, Some(journal)) => {
            let text = reader.text(journal)?;
            let unit = reader.keep(journal, unit(text))?;
            Some((Source::Journal(unit), journal.at))
        }
        (Some(_), Some(journal)) => {
            let message = "[[log]] has both `file` and `journal`";
            let fix = "remove one, or write a [[log]] for each";
            reader.refuse(journal.at, Wrong::new(message, fix));
            None
        }
        (None, None) => {
            if !table.misspelt("journal") {
                let example =
                    "file = \"/var/log/asterisk/security\", or journal = \"asterisk.service\"";
                reader.miss_key(table, "file", example);
            }
            None
        }
    }
}

fn patterns(reader: &mut Reader<'_>, table: &Section<'_>) -> Option<By> {
    match (table.get("of"), table.get("patterns")) {
        (Some(of), None) => reader.word(of).map(By::Of),
        (None, Some(file)) => path(reader, file).map(By::File),
        (Some(_), Some(file)) => {
            let message = "[[log]] has both `of` and `patterns`";
            let fix = match file.value {
                DeValue::String(_) => {
                    "remove `of`, and write extends = \"...\" into the patterns' file"
                }
                _ => "remove one",
            };
            reader.refuse(file.at, Wrong::new(message, fix));
            None
        }
        (None, None) => {
            if !table.misspelt("patterns") {
                reader.miss_key(table, "of", "of = \"asterisk\"");
            }
            None
        }
    }
}

/// The name of a systemd unit. It becomes an argument of a command: what systemd allows, and no more.
fn unit(text: &str) -> Result<String, Wrong> {
    let fits = (1..=255).contains(&text.len())
        && !text.starts_with('-')
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b":-_.\\@".contains(&b));
    if fits {
        return Ok(text.to_owned());
    }
    Err(Wrong::new(
        format!("{} cannot be a unit", quoted(text)),
        "write its name as `systemctl` shows it, such as \"asterisk.service\"",
    ))
}

#[cfg(test)]
mod tests {
    use crate::config::Config;
    use crate::logs::{By, Of, Settings, Source};

    fn mistake(text: &str) -> String {
        match Config::parse(text, "r.toml") {
            Ok(config) => panic!("no mistake found in {text}: {:?}", config.logs),
            Err(mistakes) => {
                assert_eq!(mistakes.iter().len(), 1, "{mistakes}");
                mistakes.to_string()
            }
        }
    }

    #[test]
    fn logs_are_files_or_journals_read_by_what_ships_or_own_patterns() {
        let config = Config::parse(
            "[[log]]\nfile = \"/var/log/asterisk/security\"\nof = \"asterisk\"\n\
             [[log]]\njournal = \"freeswitch.service\"\npatterns = \"/etc/ringfence/my.toml\"\n",
            "r.toml",
        );
        let own = By::File("/etc/ringfence/my.toml".into());
        assert_eq!(
            config.unwrap().logs,
            [
                Settings {
                    from: Source::File("/var/log/asterisk/security".into()),
                    by: By::Of(Of::Asterisk),
                },
                Settings {
                    from: Source::Journal("freeswitch.service".into()),
                    by: own,
                },
            ]
        );
        assert_eq!(Config::default().logs, []);
    }

    #[test]
    fn each_mistake_says_what_to_write_instead() {
        for (text, told) in [
            ("of = \"asterisk\"", "[[log]] has no `file`; add file = "),
            (
                "file = \"/a\"",
                "[[log]] has no `of`; add of = \"asterisk\"",
            ),
            (
                "file = \"/a\"\nof = \"asterix\"",
                "did you mean \"asterisk\"?",
            ),
            ("file = \"a\"\nof = \"asterisk\"", "is not an absolute path"),
            (
                "file = \"/a\"\njournal = \"b\"\nof = \"asterisk\"",
                "both `file` and `journal`",
            ),
            (
                "file = \"/a\"\nof = \"asterisk\"\npatterns = \"/b\"",
                "extends = ",
            ),
            (
                "journal = \"--x\"\nof = \"asterisk\"",
                "cannot be a unit; write its name",
            ),
            ("journal = \"a b\"\nof = \"asterisk\"", "cannot be a unit"),
            (
                "jurnal = \"a\"\nof = \"asterisk\"",
                "did you mean `journal`?",
            ),
            (
                "file = \"/a\"\npattern = \"/b\"",
                "did you mean `patterns`?",
            ),
        ] {
            let shown = mistake(&format!("[[log]]\n{text}\n"));
            assert!(shown.contains(told), "{shown}");
        }
        let one = "[[log]]\nfile = \"/a\"\nof = \"asterisk\"\n";
        assert!(mistake(&format!("{one}{one}")).contains("followed twice"));
        assert!(mistake(&many(33)).contains("33 logs are more than 32"));
        assert!(Config::parse(&many(32), "r.toml").is_ok());
    }

    fn many(count: usize) -> String {
        let log = |n| format!("[[log]]\nfile = \"/log/{n}\"\nof = \"asterisk\"\n");
        (0..count).map(log).collect()
    }
}
