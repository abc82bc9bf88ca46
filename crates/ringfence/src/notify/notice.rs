//! A notice: what somebody is to be told.

use std::net::IpAddr;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::shown::{line, lines};
use crate::config::NoticeKind;
use crate::control::listing::{excerpt, moment};
use crate::store::Ban;

/// The longest summary, in bytes.
const SUMMARY: usize = 160;
/// The longest text, in bytes.
const TEXT: usize = 8192;
/// The longest command, in bytes.
const UNDO: usize = 256;
/// The most data, in bytes of JSON.
const DATA: usize = 8192;

/// What somebody is to be told.
#[derive(Debug, Clone, PartialEq)]
pub struct Notice {
    pub(super) kind: NoticeKind,
    pub(super) summary: String,
    pub(super) text: String,
    pub(super) source: Option<IpAddr>,
    pub(super) undo: Option<String>,
    pub(super) data: Value,
    pub(super) time: Timestamp,
}

impl Notice {
    /// A notice of this moment. `summary` is its subject: what happened, in one line of at most 160 bytes.
    pub fn new(kind: NoticeKind, summary: &str) -> Self {
        Self {
            kind,
            summary: line(summary, SUMMARY),
            text: String::new(),
            source: None,
            undo: None,
            data: Value::Null,
            time: Timestamp::now(),
        }
    }

    /// What, why and where, in lines of at most 8 KiB together. A line end in it is one: text of strangers passes
    /// [`super::shown`] first.
    #[must_use]
    pub fn text(mut self, text: &str) -> Self {
        self.text = lines(text.trim_end(), TEXT);
        self
    }

    /// Whose doing it is; digests count by it.
    #[must_use]
    pub fn source(mut self, source: IpAddr) -> Self {
        self.source = Some(source.to_canonical());
        self
    }

    /// The command that undoes it.
    #[must_use]
    pub fn undo(mut self, command: &str) -> Self {
        self.undo = Some(line(command, UNDO));
        self
    }

    /// The same for programs. More than 8 KiB of JSON is left out.
    #[must_use]
    pub fn data(mut self, data: Value) -> Self {
        let fits = data.to_string().len() <= DATA;
        self.data = if fits {
            data
        } else {
            json!({ "left_out": true })
        };
        self
    }

    /// That a source was banned.
    pub fn ban(ban: &Ban) -> Self {
        let source = ban.source();
        let whole = ban.prefix_len == if ban.address.is_ipv4() { 32 } else { 128 };
        // Bans of single ports are lifted with those of their address.
        let named = match (whole, ban.port) {
            (false, None) => source.clone(),
            _ => ban.address.to_string(),
        };
        let reason = line(&ban.reason, 64);
        let mut text = format!(
            "Source: {source}\nReason: {reason}\nUntil:  {}\nBan no. {} of this source",
            moment(ban.until),
            ban.times
        );
        if !ban.proved {
            text.push_str("\nIts packets may be forged: it did not prove that it receives what is sent to it.");
        }
        if !ban.note.is_empty() {
            text.push_str(&format!("\nNote:   {}", line(&ban.note, 512)));
        }
        if let Some(evidence) = ban.evidence.as_deref().filter(|bytes| !bytes.is_empty()) {
            text.push_str(&format!("\nFor:    {}", excerpt(evidence)));
        }
        text.push_str(&format!("\n\nMore of it: ringfence why {}", ban.address));
        let mut notice = Self::new(NoticeKind::Ban, &format!("banned {source} ({reason})"))
            .text(&text)
            .source(ban.address)
            .undo(&format!("ringfence unban {named}"))
            .data(json!({
                "source": source, "address": ban.address, "prefix_len": ban.prefix_len, "port": ban.port,
                "reason": ban.reason, "since": ban.since, "until": ban.until, "times": ban.times,
                "proved": ban.proved, "note": ban.note,
                // Further down a message has credentials.
                "evidence": ban.evidence.as_deref().map(excerpt),
            }));
        notice.time = ban.since;
        notice
    }

    /// One that only tries the ways out.
    pub fn trial(kind: NoticeKind) -> Self {
        Self::new(kind, &format!("test of the notices of kind {kind}"))
            .text("Nothing happened: somebody ran `ringfence notify test`. A notice says here what happened,\nwhy and where, and below which command undoes it.")
            .data(json!({ "test": true }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn banned(address: &str, prefix_len: u8, port: Option<u16>) -> Ban {
        Ban {
            address: address.parse().unwrap(),
            prefix_len,
            port,
            reason: "failures".into(),
            since: Timestamp::from_second(1_800_000_000).unwrap(),
            until: Timestamp::from_second(1_800_000_600).unwrap(),
            times: 2,
            proved: false,
            evidence: Some(b"REGISTER sip:example.com\x1b[2J\r\nAuthorization: hush".to_vec()),
            note: String::new(),
        }
    }

    #[test]
    fn a_ban_says_why_and_how_to_lift_it() {
        let notice = Notice::ban(&banned("203.0.113.5", 32, None));
        assert_eq!(notice.summary, "banned 203.0.113.5 (failures)");
        assert_eq!(notice.undo.as_deref(), Some("ringfence unban 203.0.113.5"));
        assert_eq!(notice.source, Some("203.0.113.5".parse().unwrap()));
        for part in [
            "Until:  2027-01-15T08:10:00Z",
            "Ban no. 2 ",
            "may be forged",
            "For:    REGISTER sip:example.com\\u{1b}[2J\n",
            "ringfence why 203.0.113.5",
        ] {
            assert!(notice.text.contains(part), "{part}\n{}", notice.text);
        }
        assert!(!format!("{notice:?}").contains("hush"));
        for (ban, summary, undo) in [
            (
                banned("203.0.113.0", 24, None),
                "203.0.113.0/24",
                "203.0.113.0/24",
            ),
            (
                banned("2001:db8::", 64, None),
                "2001:db8::/64",
                "2001:db8::/64",
            ),
            (
                banned("203.0.113.5", 32, Some(5071)),
                "203.0.113.5 port 5071",
                "203.0.113.5",
            ),
        ] {
            let notice = Notice::ban(&ban);
            assert_eq!(notice.summary, format!("banned {summary} (failures)"));
            assert_eq!(notice.undo, Some(format!("ringfence unban {undo}")));
        }
    }

    #[test]
    fn a_notice_is_bounded() {
        let long = "x\n".repeat(100_000);
        let notice = Notice::new(NoticeKind::Fence, &long)
            .text(&long)
            .undo(&long)
            .data(json!(long));
        assert!(notice.summary.len() <= SUMMARY && !notice.summary.contains('\n'));
        assert!(notice.text.len() <= TEXT && notice.undo.unwrap().len() <= UNDO);
        assert_eq!(notice.data, json!({ "left_out": true }));
    }
}
