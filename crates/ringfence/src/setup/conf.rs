//! Asterisk's configuration files, as far as a look at them needs: sections, `key = value`, templates and comments.
//! What is not understood is left out; `#include` is not followed, but named.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

/// Bytes of a file that are read; a longer one is cut there.
const MOST: u64 = 1 << 20;

/// A configuration file.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Conf {
    /// Its sections in their order. What stands before the first header is in one without a name.
    pub(super) sections: Vec<Section>,
    /// The files that `#include`, `#tryinclude` and `#exec` name.
    pub(super) includes: Vec<String>,
}

/// A section.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Section {
    /// Its name, between the brackets.
    pub(super) name: String,
    /// Whether it is only there for others to inherit from.
    template: bool,
    entries: Vec<(String, String)>,
}

impl Section {
    /// The last value of a key, whatever its capitals.
    pub(super) fn get(&self, key: &str) -> Option<&str> {
        let entries = self.entries.iter().rev();
        let mut found = entries.filter(|(known, _)| known.eq_ignore_ascii_case(key));
        found.next().map(|(_, value)| value.as_str())
    }

    /// Whether a key says yes, in one of Asterisk's words for it.
    pub(super) fn is_true(&self, key: &str) -> bool {
        const YES: [&str; 6] = ["yes", "true", "y", "t", "1", "on"];
        self.get(key)
            .is_some_and(|value| YES.iter().any(|yes| value.eq_ignore_ascii_case(yes)))
    }
}

impl Conf {
    /// Reads a file; none where it is not there or may not be read.
    pub(super) fn read(path: &Path) -> Option<Self> {
        let mut bytes = Vec::new();
        let file = File::open(path).ok()?;
        if !file.metadata().ok()?.is_file() {
            return None;
        }
        file.take(MOST).read_to_end(&mut bytes).ok()?;
        Some(Self::parse(&String::from_utf8_lossy(&bytes)))
    }

    /// Reads a text.
    pub(super) fn parse(text: &str) -> Self {
        let mut conf = Self::default();
        let mut commented = false;
        for line in text.lines() {
            let line = plain(line, &mut commented);
            let line = line.trim();
            if let Some(rest) = line.strip_prefix('[') {
                conf.begin(rest);
            } else if let Some(rest) = line.strip_prefix('#') {
                let (word, file) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
                if matches!(word, "include" | "tryinclude" | "exec") {
                    let file = file.trim().trim_matches(['"', '<', '>', '\'']);
                    conf.includes.push(file.to_owned());
                }
            } else if let Some((key, value)) = line.split_once('=') {
                // `key => value` is the same to Asterisk.
                let value = value.strip_prefix('>').unwrap_or(value);
                let entry = (key.trim().to_owned(), value.trim().to_owned());
                if conf.sections.is_empty() {
                    conf.sections.push(Section::default());
                }
                if let Some(section) = conf.sections.last_mut() {
                    section.entries.push(entry);
                }
            }
        }
        conf.sections.retain(|section| !section.template);
        conf
    }

    /// Begins a section: `name]` or `name](!,base)`.
    fn begin(&mut self, rest: &str) {
        let Some((name, options)) = rest.split_once(']') else {
            return;
        };
        let options = options.trim().trim_start_matches('(').trim_end_matches(')');
        let mut section = Section {
            name: name.trim().to_owned(),
            ..Section::default()
        };
        for option in options.split(',').map(str::trim) {
            if option == "!" {
                section.template = true;
            } else if let Some(base) = self.sections.iter().find(|known| known.name == option) {
                section.entries.extend(base.entries.iter().cloned());
            }
        }
        self.sections.push(section);
    }
}

/// A line without its comments: from `;` on, and between `;--` and `--;`, which may go over lines. `\;` is no comment.
fn plain(line: &str, commented: &mut bool) -> String {
    let mut kept = String::new();
    let mut rest = line;
    loop {
        if *commented {
            let Some((_, behind)) = rest.split_once("--;") else {
                return kept;
            };
            *commented = false;
            rest = behind;
        }
        let Some((before, behind)) = rest.split_once(';') else {
            kept.push_str(rest);
            return kept;
        };
        if let Some(before) = before.strip_suffix('\\') {
            kept.push_str(before);
            kept.push(';');
            rest = behind;
        } else if behind.starts_with("--") && !behind.starts_with("---") {
            kept.push_str(before);
            *commented = true;
            rest = behind.get(2..).unwrap_or_default();
        } else {
            kept.push_str(before);
            return kept;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_templates_and_comments() {
        let conf = Conf::parse(
            "bindport=5160 ; before any section\n\
             #include \"sip_custom.conf\"\n#tryinclude <x.conf>\n\
             [base](!)\ntype = transport ; a comment\nbind => 0.0.0.0\n\
             ;-- [gone]\nprotocol=tcp --; protocol = udp\n\
             [one](base)\nBIND=[::]:5062\nname=a\\;b\n[two](base,+)\n\
             [broken\nno equals sign\n=",
        );
        assert_eq!(conf.includes, ["sip_custom.conf", "x.conf"]);
        let names: Vec<_> = conf.sections.iter().map(|s| s.name.as_str()).collect();
        assert_eq!(names, ["", "one", "two"]);
        assert_eq!(conf.sections[0].get("bindport"), Some("5160"));
        let one = &conf.sections[1];
        assert_eq!(one.get("type"), Some("transport"));
        assert_eq!(one.get("bind"), Some("[::]:5062"));
        assert_eq!(one.get("protocol"), Some("udp"));
        assert_eq!(one.get("name"), Some("a;b"));
        assert_eq!(conf.sections[2].get("bind"), Some("0.0.0.0"));
        assert!(!one.is_true("bind"));
        assert!(Conf::parse("enabled = Yes\n").sections[0].is_true("enabled"));
    }

    #[test]
    fn any_text_is_read() {
        for text in [
            "",
            ";--",
            "[",
            "[]",
            "](!)",
            "#",
            "#include",
            "\u{0}=\u{0}",
            ";---- x",
        ] {
            Conf::parse(text);
        }
        assert_eq!(Conf::read(Path::new("/nonexistent")), None);
        assert_eq!(Conf::read(Path::new("/")), None);
    }
}
