//! What is asked of a server.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::known::Known;
use crate::config::Secret;

/// One request, and what its answer may be.
#[derive(Debug, Clone)]
pub struct Ask {
    pub(super) url: Secret,
    pub(super) shown: String,
    pub(super) headers: Vec<(String, Secret)>,
    pub(super) login: Option<(String, Secret)>,
    pub(super) filled: Vec<Secret>,
    pub(super) known: Option<Known>,
    pub(super) sha256: Option<String>,
    pub(super) expect: Expect,
    pub(super) ca: Option<PathBuf>,
    pub(super) most: u64,
    pub(super) limits: Limits,
}

/// What kind of content is asked for. Another is an error page, however it is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Expect {
    /// Data: tables, lists, archives. Neither a web page nor JSON.
    #[default]
    Data,
    /// JSON, or lines of it, as well as data. No web page.
    Json,
}

/// How long a request may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Until the server is found and a connection stands, TLS with it.
    pub connect: Duration,
    /// Until the server begins to answer, and between two pieces of its answer.
    pub silence: Duration,
    /// In every such time at least [`least`](Self::least) bytes arrive.
    pub pace: Duration,
    /// Bytes that arrive in every [`pace`](Self::pace).
    pub least: u64,
    /// From the first step to the last byte.
    pub whole: Duration,
}

impl Default for Limits {
    /// 15 seconds to connect, 30 of silence, 32 KiB in 32 seconds, an hour in all.
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(15),
            silence: Duration::from_secs(30),
            pace: Duration::from_secs(32),
            least: 32 << 10,
            whole: Duration::from_secs(3600),
        }
    }
}

impl Ask {
    /// The most bytes of an answer unless [`most`](Self::most) says otherwise: 256 MiB.
    pub const MOST: u64 = 256 << 20;

    /// Asks for an http or https URL. Places in it that are filled with secrets are written `{name}`: see
    /// [`fill`](Self::fill). Texts show it without its query.
    pub fn new(url: &str) -> Self {
        Self {
            url: Secret::new(url),
            shown: shown(url),
            headers: Vec::new(),
            login: None,
            filled: Vec::new(),
            known: None,
            sha256: None,
            expect: Expect::Data,
            ca: None,
            most: Self::MOST,
            limits: Limits::default(),
        }
    }

    /// Puts `secret`, percent-encoded, where `{name}` stands in the URL; texts go on to show `{name}`.
    #[must_use]
    pub fn fill(mut self, name: &str, secret: &Secret) -> Self {
        let place = format!("{{{name}}}");
        let url = self.url.expose().replace(&place, &encoded(secret.expose()));
        self.url = Secret::new(url);
        self.filled.push(secret.clone());
        self
    }

    /// Sends a header field. No field that is set here goes to another host than that of the URL.
    #[must_use]
    pub fn header(mut self, name: &str, value: &Secret) -> Self {
        self.headers.push((name.to_owned(), value.clone()));
        self
    }

    /// Logs in with `Authorization: Basic`, at the host of the URL alone.
    #[must_use]
    pub fn login(mut self, user: &str, password: &Secret) -> Self {
        self.login = Some((user.to_owned(), password.clone()));
        self
    }

    /// Asks whether there is anything newer than this, if it came from the same URL.
    #[must_use]
    pub fn known(mut self, known: Option<&Known>) -> Self {
        self.known = known.cloned();
        self
    }

    /// The answer must have this SHA-256, in hexadecimal; [`sha256_in`](super::sha256_in) reads it from a file's text.
    #[must_use]
    pub fn sha256(mut self, hash: Option<&str>) -> Self {
        self.sha256 = hash.map(str::to_ascii_lowercase);
        self
    }

    /// The kind of content.
    #[must_use]
    pub fn expect(mut self, expect: Expect) -> Self {
        self.expect = expect;
        self
    }

    /// Believes the authorities in this PEM file as well as those of the system.
    #[must_use]
    pub fn ca(mut self, ca: Option<&Path>) -> Self {
        self.ca = ca.map(Path::to_owned);
        self
    }

    /// The most bytes on the wire.
    #[must_use]
    pub fn most(mut self, bytes: u64) -> Self {
        self.most = bytes;
        self
    }

    /// How long it may take.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// The URL as texts show it: without its query, its user and what [`fill`](Self::fill) put into it.
    pub fn shown(&self) -> &str {
        &self.shown
    }

    /// The beginning of what a server wrote, after a colon and on one line; of a page its title. No secret of the
    /// request is in it, and nothing that a terminal obeys.
    pub(super) fn said(&self, begin: &[u8]) -> String {
        const MOST: usize = 120;
        let text = String::from_utf8_lossy(begin);
        let lower = text.to_ascii_lowercase();
        let title = lower.find("<title>").map(|at| at + "<title>".len());
        let title = title.and_then(|at| text.get(at..)?.split('<').next());
        if title.is_none() && (text.contains('\u{fffd}') || text.trim_start().starts_with('<')) {
            return String::new();
        }
        let text = title.unwrap_or(&text);
        let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let line = self.hide(&line);
        match line.is_empty() {
            true => String::new(),
            false => {
                let begin: String = line.chars().take(MOST).collect();
                format!(": {}", crate::terminal::line(&begin))
            }
        }
    }

    /// A text of a server with `...` for each secret of the request, as it is or percent-encoded, in capitals or not.
    pub(super) fn hide(&self, text: &str) -> String {
        let headers = self.headers.iter().map(|(_, value)| value);
        let login = self.login.iter().map(|(_, password)| password);
        let secrets = self.filled.iter().chain(headers).chain(login);
        // A word of a header field such as `Bearer KEY` is a secret as well.
        let words = secrets.map(Secret::expose).flat_map(|secret| {
            let words = secret.split_whitespace();
            std::iter::once(secret).chain(words)
        });
        let mut words: Vec<&str> = words.filter(|word| word.len() >= 4).collect();
        words.sort_by_key(|word| std::cmp::Reverse(word.len()));
        let mut hidden = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            let length = match words.iter().find_map(|word| begins(rest, word)) {
                Some(length) => {
                    hidden.push_str("...");
                    length
                }
                None => {
                    hidden.push(first);
                    first.len_utf8()
                }
            };
            rest = rest.get(length..).unwrap_or_default();
        }
        hidden
    }
}

/// The length in bytes of `word` at the beginning of `text`, where any byte of it may be percent-encoded.
fn begins(text: &str, word: &str) -> Option<usize> {
    let (text, word) = (text.as_bytes(), word.as_bytes());
    let plain = text.get(..word.len());
    if plain.is_some_and(|plain| plain.eq_ignore_ascii_case(word)) {
        return Some(word.len());
    }
    let mut at = 0;
    for byte in word {
        let rest = text.get(at..)?;
        let (found, length) = decoded(rest).map_or((*rest.first()?, 1), |found| (found, 3));
        if !found.eq_ignore_ascii_case(byte) {
            return None;
        }
        at += length;
    }
    Some(at)
}

/// The byte that `%` and two digits at the beginning stand for.
fn decoded(text: &[u8]) -> Option<u8> {
    let [b'%', high, low, ..] = text else {
        return None;
    };
    let digit = |byte: u8| char::from(byte).to_digit(16);
    u8::try_from(digit(*high)? << 4 | digit(*low)?).ok()
}

/// A URL without user, query and fragment.
pub(super) fn shown(url: &str) -> String {
    let end = url.find(['?', '#']).unwrap_or(url.len());
    let url = url.get(..end).unwrap_or_default();
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.escape_default().to_string();
    };
    let (authority, path) = match rest.find('/') {
        Some(slash) => rest.split_at(slash),
        None => (rest, ""),
    };
    let host = authority.rsplit('@').next().unwrap_or_default();
    let shown = format!("{scheme}://{host}{path}");
    shown.escape_default().to_string()
}

/// RFC 3986, section 2.3: all but the unreserved characters as `%` and two digits.
fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(char::from(byte));
            }
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}
