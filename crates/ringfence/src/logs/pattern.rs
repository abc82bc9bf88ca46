//! Patterns of log lines: TOML files that ship with the program and that users extend.

use std::fs::File;
use std::io::Read as _;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use regex_automata::meta::{Config, Regex};
use regex_automata::util::captures::Captures;
use regex_automata::util::syntax;

use super::pattern_error::PatternError;
use super::pattern_file::{Layout, LineTable, Means, Of, PatternFile};
use crate::asterisk::security::{Event, Sight, Told, kept};

/// Bytes of a file of patterns.
const LONGEST: u64 = 1 << 20;
/// Patterns of a file.
const MOST: usize = 256;
/// Memory of one compiled expression.
const COMPILED: usize = 1 << 20;

/// Patterns, ready to read lines with.
#[derive(Debug)]
pub struct Patterns {
    lines: Vec<Line>,
    pub(super) layout: Layout,
}

#[derive(Debug)]
struct Line {
    id: String,
    source: String,
    service: String,
    regex: Regex,
    once: Option<String>,
    means: Means,
}

/// What one line says.
#[derive(Debug, PartialEq, Eq)]
pub enum Says<'p> {
    /// Something about an attempt.
    Sight {
        /// The pattern.
        id: &'p str,
        /// What it says.
        sight: Sight,
    },
    /// Understood, and nothing that counts.
    Nothing {
        /// The pattern.
        id: &'p str,
    },
    /// It looks like a line that counts, but does not say whose it is: cut, or forged.
    Doubtful {
        /// The pattern.
        id: &'p str,
    },
    /// No pattern is for it.
    Unknown,
}

impl Patterns {
    /// Those that ship.
    ///
    /// # Errors
    /// None that a release has: tests hold the files.
    pub fn of(of: Of) -> Result<Self, PatternError> {
        Self::parse(of.text())
    }

    /// Those of a user's file.
    ///
    /// # Errors
    /// When the file cannot be read or a pattern in it is wrong.
    pub fn load(path: &Path) -> Result<Self, PatternError> {
        let read = |source| PatternError::Read {
            path: path.to_owned(),
            source,
        };
        let mut text = String::new();
        let file = File::open(path).map_err(read)?;
        file.take(LONGEST + 1)
            .read_to_string(&mut text)
            .map_err(read)?;
        if text.len() as u64 > LONGEST {
            return Err(PatternError::Long {
                path: path.to_owned(),
            });
        }
        Self::parse(&text)
    }

    /// Those of a text. With `extends`, the lines of the text are tried before those that ship.
    ///
    /// # Errors
    /// When a pattern is wrong.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        let file: PatternFile = toml::from_str(text).map_err(Box::new)?;
        let base: Option<PatternFile> = match file.extends {
            Some(of) => Some(toml::from_str(of.text()).map_err(Box::new)?),
            None => None,
        };
        let layout = base.as_ref().map_or(file.format, |base| base.format);
        let mut lines: Vec<Line> = Vec::new();
        let inherited = base.as_ref().map(|base| base.prefix.clone());
        let service = base.as_ref().and_then(|base| base.service.clone());
        let own = PatternFile {
            prefix: if file.prefix.is_empty() {
                inherited.unwrap_or_default()
            } else {
                file.prefix
            },
            service: file.service.or(service),
            ..file
        };
        for file in [Some(own), base].into_iter().flatten() {
            for table in file.line {
                if lines.iter().any(|line| line.id == table.id) {
                    return Err(PatternError::Twice(table.id));
                }
                if lines.len() >= MOST {
                    return Err(PatternError::Many);
                }
                let line = Line::compile(table, &file.prefix, file.service.as_deref())?;
                lines.push(line);
            }
        }
        Ok(Self { lines, layout })
    }

    /// The ids of the patterns, in the order in which they are tried.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.lines.iter().map(|line| line.id.as_str())
    }

    /// Whether they are for what went through syslog alone.
    pub(super) fn syslog(&self) -> bool {
        self.layout == Layout::Syslog
    }

    /// What a line says; the first pattern that matches decides.
    pub fn read(&self, text: &str) -> Says<'_> {
        let read = |line: &'_ Line| line.read(text);
        for line in &self.lines {
            if let Some(read) = read(line) {
                let id = line.id.as_str();
                return match read {
                    Matched::Sight(sight) => Says::Sight { id, sight },
                    Matched::Nothing => Says::Nothing { id },
                    Matched::Doubtful => Says::Doubtful { id },
                };
            }
        }
        Says::Unknown
    }
}

enum Matched {
    Sight(Sight),
    Nothing,
    Doubtful,
}

impl Line {
    fn compile(
        table: LineTable,
        prefix: &str,
        service: Option<&str>,
    ) -> Result<Self, PatternError> {
        let wrong = |why: String| PatternError::Regex {
            id: table.id.clone(),
            why,
        };
        let source: String = table
            .source
            .chars()
            .flat_map(|c| {
                let plain = c.is_ascii_alphanumeric() || c == '_';
                (!plain).then_some('\\').into_iter().chain([c])
            })
            .collect();
        let whole = format!(
            "^{}(?:{})$",
            prefix.replace("<source>", &source),
            table.regex
        )
        .replace(
            "<address>",
            r"\[?(?P<address>[0-9A-Fa-f:.]{2,45})(?:%[0-9A-Za-z]{1,16})?\]?",
        )
        .replace("<port>", "(?P<port>[0-9]{1,5})");
        let config = Config::new()
            .utf8_empty(false)
            .nfa_size_limit(Some(COMPILED));
        let regex = Regex::builder()
            .configure(config)
            .syntax(syntax::Config::new().unicode(false).utf8(false))
            .build(&whole)
            .map_err(|e| {
                let mut why = e.to_string();
                if let Some(syntax) = e.syntax_error() {
                    why = syntax.to_string();
                }
                wrong(why)
            })?;
        let names: Vec<&str> = regex
            .group_info()
            .pattern_names(regex_automata::PatternID::ZERO)
            .flatten()
            .collect();
        let needed = match table.counts_as {
            Means::Nothing => None,
            Means::Event => Some(("event", "(?P<event>SecurityEvent=.*)")),
            _ => Some(("address", "<address>")),
        };
        if let Some((group, instead)) = needed.filter(|(group, _)| !names.contains(group)) {
            return Err(PatternError::Group {
                id: table.id,
                group,
                instead,
            });
        }
        let line = Self {
            service: table
                .service
                .or(service.map(str::to_owned))
                .unwrap_or_else(|| "log".into()),
            id: table.id,
            source: table.source,
            regex,
            once: table.once,
            means: table.counts_as,
        };
        match table.example {
            Some(example) if line.read(&example).is_none() => Err(PatternError::Regex {
                id: line.id,
                why: "its own example does not match it".into(),
            }),
            _ => Ok(line),
        }
    }

    fn read(&self, text: &str) -> Option<Matched> {
        if !text.contains(&self.source) {
            return None;
        }
        let mut found = self.regex.create_captures();
        self.regex.captures(text, &mut found);
        if !found.is_match() {
            return None;
        }
        let Some(what) = self.means.what() else {
            return Some(match self.means {
                Means::Event => event(group(&found, text, "event")?),
                _ => Matched::Nothing,
            });
        };
        if let Some(once) = &self.once
            && text.matches(once.as_str()).count() > 1
        {
            return Some(Matched::Doubtful);
        }
        let ip: Option<IpAddr> = group(&found, text, "address").and_then(|ip| ip.parse().ok());
        let port = group(&found, text, "port").map_or(Some(0), |port| port.parse().ok());
        let (Some(ip), Some(port)) = (ip, port) else {
            return Some(Matched::Doubtful);
        };
        let ip = ip.to_canonical();
        // Programs of the machine itself use the manager interface.
        if self.service == "AMI" && ip.is_loopback() {
            return Some(Matched::Nothing);
        }
        let named = |name| group(&found, text, name).filter(|text| !text.is_empty());
        Some(Matched::Sight(Sight {
            what,
            told: Told::Notice,
            source: SocketAddr::new(ip, port),
            transport: None,
            local: None,
            account: named("account").map(kept),
            session: named("session").map(kept),
            service: self.service.clone(),
        }))
    }
}

/// What a security event says.
fn event(text: &str) -> Matched {
    match Event::of_log(text) {
        Ok(Some(event)) => match Sight::of_event(&event) {
            Some(sight) => Matched::Sight(sight),
            None => Matched::Nothing,
        },
        Ok(None) => Matched::Nothing,
        Err(_) => Matched::Doubtful,
    }
}

fn group<'t>(found: &Captures, text: &'t str, name: &str) -> Option<&'t str> {
    text.get(found.get_group_by_name(name)?.range())
}

#[cfg(test)]
#[path = "pattern_tests.rs"]
mod tests;
