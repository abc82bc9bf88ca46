//! Whether an answer is what was asked for.

use super::ask::{Ask, Expect};
use super::error::FetchError;

/// Refuses web pages, JSON where data is expected, and nothing at all, by the beginning of an answer.
pub(super) fn at(ask: &Ask, begin: &[u8]) -> Result<(), FetchError> {
    let text = begin.strip_prefix(b"\xef\xbb\xbf").unwrap_or(begin);
    let text = text.trim_ascii_start();
    let what = match text.first() {
        None => "nothing",
        Some(b'<') if page(text) => "a web page",
        Some(b'{' | b'[') if ask.expect == Expect::Data => "JSON",
        Some(_) => return Ok(()),
    };
    Err(FetchError::NotData {
        url: ask.shown.clone(),
        what,
        said: ask.said(text),
    })
}

/// Whether it is HTML or XML. Lists have no line that begins so.
fn page(text: &[u8]) -> bool {
    [
        &b"<!doctype"[..],
        b"<html",
        b"<head",
        b"<body",
        b"<?xml",
        b"<!--",
        b"<error",
    ]
    .iter()
    .any(|begin| {
        let there = text.get(..begin.len());
        there.is_some_and(|there| there.eq_ignore_ascii_case(begin))
    })
}
