//! A notice or a digest as it goes out: the subject and body of a mail, and the same as JSON.

use jiff::Timestamp;
use serde_json::json;

use super::pace::Item;
use super::shown::line;
use crate::control::listing::moment;
use crate::terminal;

/// What is delivered, the same by every way.
#[derive(Debug, Clone)]
pub(super) struct Letter {
    /// The word of the kind, or `digest`.
    pub kind: String,
    /// The name of this host.
    pub host: String,
    /// One line.
    pub summary: String,
    /// The lines below it; may be empty.
    pub text: String,
    /// The source as text; empty where there is none.
    pub source: String,
    /// When it happened, RFC 3339 in UTC.
    pub time: String,
    /// `[ringfence HOST] SUMMARY`.
    pub subject: String,
    /// The body for people.
    pub body: String,
    /// All of it for programs: one JSON object on one line, which no terminal obeys.
    pub json: String,
}

impl Letter {
    /// Writes what `host` has to tell.
    pub(super) fn new(item: &Item, host: &str) -> Self {
        let host = line(host, 64);
        let (kind, summary, text, time) = match item {
            Item::One(notice) => (
                notice.kind.to_string(),
                notice.summary.clone(),
                notice.text.clone(),
                notice.time,
            ),
            Item::Digest(digest) => (
                "digest".to_owned(),
                digest.summary(),
                digest.text(),
                Timestamp::now(),
            ),
        };
        let (source, undo, data) = match item {
            Item::One(notice) => (notice.source, notice.undo.as_deref(), notice.data.clone()),
            Item::Digest(digest) => (None, None, digest.data()),
        };
        let time = moment(time);
        let mut body = format!("{summary}\n");
        if !text.is_empty() {
            body.push_str(&format!("\n{text}\n"));
        }
        if let Some(undo) = undo {
            body.push_str(&format!("\nTo undo it: {undo}\n"));
        }
        body.push_str(&format!("\n-- \nRingfence on {host}, {time}, {kind}\n"));
        let json = json!({
            "version": 1, "kind": kind, "host": host, "time": time, "summary": summary, "text": text,
            "source": source, "undo": undo, "data": data,
        });
        Self {
            subject: format!("[ringfence {host}] {summary}"),
            source: source.map(|ip| ip.to_string()).unwrap_or_default(),
            json: terminal::json(&json.to_string()).into_owned(),
            kind,
            host,
            summary,
            text,
            time,
            body,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::config::NoticeKind;
    use crate::notify::Notice;

    #[test]
    fn a_letter_says_what_where_and_how_to_undo_it() {
        let notice = Notice::new(NoticeKind::Forged, "name \"a\u{1b}[2J\"")
            .text("one\ntwo")
            .source("203.0.113.5".parse().unwrap())
            .undo("ringfence unban 203.0.113.5")
            .data(json!({ "name": "a\u{1b}[2J\u{9b}" }));
        let letter = Letter::new(&Item::One(Arc::new(notice)), "pbx\r\nBcc: x");
        assert_eq!(
            letter.subject,
            "[ringfence pbx\\r\\nBcc: x] name \"a\\u{1b}[2J\""
        );
        assert!(
            letter
                .body
                .contains("\n\none\ntwo\n\nTo undo it: ringfence unban 203.0.113.5\n")
        );
        assert!(!letter.json.contains(char::is_control), "{}", letter.json);
        let said: serde_json::Value = serde_json::from_str(&letter.json).unwrap();
        assert_eq!(
            (&said["kind"], &said["version"]),
            (&json!("forged"), &json!(1))
        );
        assert_eq!(said["source"], "203.0.113.5");
        assert_eq!(said["data"]["name"], "a\u{1b}[2J\u{9b}");
    }
}
