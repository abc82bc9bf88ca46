//! Asterisk's `[json]` log format, and the parts of its lines that the sieve looks at.

use std::net::SocketAddr;

use serde::Deserialize;

use crate::asterisk::security::Peer;

#[derive(Deserialize)]
struct Json {
    identifiers: Identifiers,
    logmsg: Logged,
}

#[derive(Deserialize)]
struct Identifiers {
    lwp: i64,
}

#[derive(Deserialize)]
struct Logged {
    location: Location,
    level: String,
    message: String,
}

#[derive(Deserialize)]
struct Location {
    filename: String,
}

/// A line of the JSON format as the default format has it, without its date; None where it is no such line.
pub(super) fn of_json(line: &str) -> Option<String> {
    let line = line.trim_start();
    if !line.starts_with('{') {
        return None;
    }
    let json: Json = serde_json::from_str(line).ok()?;
    let (logged, id) = (json.logmsg, json.identifiers.lwp);
    Some(format!(
        "{}[{id}] {}: {}",
        logged.level,
        logged.location.filename,
        logged.message.trim_end()
    ))
}

/// What a line is to the sieve.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Sort<'l> {
    /// A security event that is whole, or looks so: its thread and its sender.
    Event {
        /// The thread that wrote it; the sender does not know it.
        thread: &'l str,
    },
    /// The beginning of a security event that lacks its end.
    Cut {
        /// The thread that wrote it.
        thread: &'l str,
    },
    /// The end of a security event without its beginning, from the session on.
    Rest {
        /// The end: session, our address, the sender's, and what follows.
        tail: &'l str,
    },
    /// Any other line.
    Other,
}

const FILE: &str = "res_security_log.c";

/// What a line is.
pub(super) fn sort(line: &str) -> Sort<'_> {
    if let Some((thread, text)) = start(line)
        && let Some(rest) = text.strip_prefix(FILE)
        // The line and function of the [plain] format stand between.
        && rest.split_once(": SecurityEvent=\"").is_some_and(|(between, _)| between.len() <= 64)
    {
        return match sender(line) {
            Some(_) => Sort::Event { thread },
            None => Sort::Cut { thread },
        };
    }
    match (line.rfind("\",SessionID=\""), sender(line)) {
        (Some(at), Some(_)) => Sort::Rest {
            tail: line.get(at + 2..).unwrap_or_default(),
        },
        _ => Sort::Other,
    }
}

/// The thread of a line's beginning, `[date] LEVEL[thread]` with or without a date, and what follows it.
fn start(line: &str) -> Option<(&str, &str)> {
    let rest = match line.strip_prefix('[') {
        Some(dated) => dated.split_once("] ")?.1,
        None => line,
    };
    let (level, rest) = rest.split_once('[')?;
    let (thread, rest) = rest.split_once(']')?;
    let (_, text) = rest.split_once(' ')?;
    let word = !level.is_empty() && level.bytes().all(|b| b.is_ascii_uppercase());
    let number = !thread.is_empty() && thread.bytes().all(|b| b.is_ascii_digit());
    (word && number).then_some((thread, text))
}

/// The sender at the end of an event: only keys with quoted values stand behind it.
pub(super) fn sender(line: &str) -> Option<SocketAddr> {
    const KEY: &str = "\",RemoteAddress=\"";
    let (_, after) = line.split_at_checked(line.rfind(KEY)? + KEY.len())?;
    let (address, mut rest) = after.split_once('"')?;
    while !rest.is_empty() {
        let (key, after) = rest.strip_prefix(',')?.split_once("=\"")?;
        if !key.bytes().all(|b| b.is_ascii_alphabetic()) {
            return None;
        }
        // A value may hold quotes; it ends where a key follows or the line does.
        let end = after
            .match_indices('"')
            .find(|(at, _)| matches!(after.as_bytes().get(at + 1), None | Some(b',')));
        rest = after.get(end?.0 + 1..)?;
    }
    Peer::parse(address).map(|peer| peer.address)
}

/// The beginning of an event up to the account, which is the sender's.
pub(super) fn up_to_account(line: &str) -> &str {
    let at = line.find(",AccountID=\"").unwrap_or(line.len());
    line.get(..at).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TAIL: &str = "\",SessionID=\"s\",LocalAddress=\"IPV4/UDP/192.0.2.10/5060\",RemoteAddress=\"IPV4/UDP/203.0.113.7/5062\"";
    const HEAD: &str = "[Nov 21 02:06:11] SECURITY[16128] res_security_log.c: SecurityEvent=\"InvalidAccountID\",\
                        Service=\"PJSIP\",AccountID=\"x";

    #[test]
    fn lines_are_told_apart() {
        let whole = format!("{HEAD}{TAIL}");
        assert_eq!(sort(&whole), Sort::Event { thread: "16128" });
        let more = format!("{HEAD}{TAIL},Challenge=\"a\\\"b\",Response=\"\"");
        assert_eq!(sort(&more), Sort::Event { thread: "16128" });
        assert_eq!(sort(HEAD), Sort::Cut { thread: "16128" });
        let tail = &TAIL[2..];
        for before in ["", "y", "[Nov 21 02:06:11] NOTICE[1] chan_sip.c: "] {
            assert_eq!(sort(&format!("{before}{TAIL}")), Sort::Rest { tail });
        }
        for other in [
            "",
            "[Nov 21 02:06:11] NOTICE[1] chan_sip.c: res_security_log.c: SecurityEvent=\"x",
            "[",
            "[] []",
        ] {
            assert_eq!(sort(other), Sort::Other, "{other}");
        }
        let plain = whole
            .replace("]: ", "] ")
            .replace("res_security_log.c: ", "res_security_log.c:114 cb: ");
        assert_eq!(sort(&plain), Sort::Event { thread: "16128" });
        assert!(!sort(&format!("{whole},")).eq(&Sort::Event { thread: "16128" }));
    }
}
