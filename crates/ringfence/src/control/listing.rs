//! Bans, lists and countries as the daemon shows them, or without one the command line.

use std::net::IpAddr;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::Answer;
use crate::config::AddressRange;
use crate::store::{Ban, CountryOverride, CountryRule, ListEntry, NameEntry};

/// A host name on a list with what is known of it.
#[derive(Debug, Clone)]
pub struct ShownName {
    /// The name as it is on the list.
    pub entry: NameEntry,
    /// The addresses that it has.
    pub addresses: Vec<IpAddr>,
    /// In how many seconds it is asked for again, where a daemon does.
    pub seconds: Option<u64>,
    /// What went wrong with it the last time.
    pub failure: Option<String>,
}

impl ShownName {
    fn line(&self) -> String {
        let entry = &self.entry;
        let mut line = entry.name.clone();
        if let Some(end) = entry.expires {
            line.push_str(&format!(" until {}", moment(end)));
        }
        if !entry.comment.is_empty() {
            line.push_str(&format!(" {}", entry.comment));
        }
        let all: Vec<_> = self.addresses.iter().map(IpAddr::to_string).collect();
        line.push_str(&match all.as_slice() {
            [] => ": no address yet".to_owned(),
            all => format!(": {}", all.join(", ")),
        });
        if let Some(seconds) = self.seconds {
            line.push_str(&format!("; asked again in {seconds} s"));
        }
        if let Some(failure) = &self.failure {
            line.push_str(&format!("; {failure}"));
        }
        line
    }

    fn data(&self) -> Value {
        let entry = &self.entry;
        json!({
            "name": entry.name, "comment": entry.comment, "added": entry.added, "expires": entry.expires,
            "addresses": self.addresses, "asked_again_in": self.seconds, "failure": self.failure,
        })
    }
}

/// The entries of a list, ranges before names.
pub fn entries(entries: &[ListEntry], names: &[ShownName]) -> Answer {
    let line = |entry: &ListEntry| {
        let end = entry.expires.map(|end| format!(" until {}", moment(end)));
        let text = format!(
            "{}{} {}",
            range(entry),
            end.unwrap_or_default(),
            entry.comment
        );
        text.trim_end().to_owned()
    };
    let data = entries.iter().map(|entry| {
        json!({
            "range": range(entry), "comment": entry.comment, "added": entry.added, "expires": entry.expires,
        })
    });
    let data = data.chain(names.iter().map(ShownName::data));
    let all = entries
        .iter()
        .map(line)
        .chain(names.iter().map(ShownName::line));
    Answer::done(lines(all), data.collect())
}

/// Bans.
pub fn bans<'a>(bans: impl Iterator<Item = &'a Ban> + Clone) -> Answer {
    let data = bans.clone().map(|ban| {
        json!({
            "address": ban.address, "prefix_len": ban.prefix_len, "port": ban.port, "reason": ban.reason,
            "since": ban.since, "until": ban.until, "times": ban.times, "proved": ban.proved,
            "evidence": ban.evidence.as_deref().map(String::from_utf8_lossy), "note": ban.note,
        })
    });
    Answer::done(lines(bans.clone().map(ban_line)), data.collect())
}

/// A ban in one line for people.
pub fn ban_line(ban: &Ban) -> String {
    let (source, reason) = (ban.source(), &ban.reason);
    let (since, until) = (moment(ban.since), moment(ban.until));
    let mut line = format!(
        "{source} {reason} until {until}, since {since}, ban no. {}",
        ban.times
    );
    if !ban.proved {
        line.push_str(", on evidence that may be forged");
    }
    if !ban.note.is_empty() {
        line.push_str(&format!(", {}", ban.note.escape_debug()));
    }
    if let Some(evidence) = ban.evidence.as_deref().filter(|bytes| !bytes.is_empty()) {
        line.push_str(&format!(", for `{}`", excerpt(evidence)));
    }
    line
}

/// The first line of a payload, in which nothing is left that a terminal obeys; of what is no text, its first bytes.
pub fn excerpt(payload: &[u8]) -> String {
    const BYTES: usize = 16;
    const CHARACTERS: usize = 100;
    let text = |byte: &u8| !byte.is_ascii_control() || matches!(byte, b'\r' | b'\n' | b'\t');
    let start = payload.iter().take(BYTES);
    if !start.clone().all(text) {
        let bytes: Vec<_> = start.map(|byte| format!("{byte:02x}")).collect();
        return bytes.join(" ");
    }
    let mut lines = payload.split(|byte| matches!(byte, b'\r' | b'\n'));
    let line = lines.find(|line| !line.is_empty()).unwrap_or_default();
    let line = String::from_utf8_lossy(line);
    line.escape_debug().take(CHARACTERS).collect()
}

/// What was said of countries.
pub fn countries(said: &[CountryOverride]) -> Answer {
    let word = |rule| match rule {
        CountryRule::Allow => "allow",
        CountryRule::Deny => "deny",
    };
    let line = |said: &CountryOverride| format!("{} {}", said.code, word(said.rule));
    let data = said.iter();
    let data = data.map(|said| json!({ "code": said.code, "rule": word(said.rule) }));
    Answer::done(lines(said.iter().map(line)), data.collect())
}

/// The range of an entry as it is written.
pub fn range(entry: &ListEntry) -> String {
    AddressRange::new(entry.first, entry.last).map_or_else(
        |_| format!("{}-{}", entry.first, entry.last),
        |range| range.to_string(),
    )
}

/// A moment as it is written for people.
pub fn moment(time: Timestamp) -> String {
    time.strftime("%FT%TZ").to_string()
}

/// Lines as one text.
pub fn lines(lines: impl Iterator<Item = String>) -> String {
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_excerpt_is_one_harmless_line() {
        let told = excerpt(b"\r\nREGISTER sip:a SIP/2.0\r\nVia: x\r\n");
        assert_eq!(told, "REGISTER sip:a SIP/2.0");
        assert_eq!(excerpt(&[0x16, 3, 1, b'a']), "16 03 01 61");
        let evil = excerpt("OPTIONS sip:aaaaaaaa\u{1b}]0;\u{9b}\u{202e}".as_bytes());
        assert!(
            evil.chars().all(|c| !c.is_control() && c != '\u{202e}'),
            "{evil}"
        );
        assert_eq!(excerpt(&[b'a'; 5000]).len(), 100);
        assert_eq!(excerpt(b""), "");
    }
}
