//! Text on its way to a terminal. Some of it was written by strangers: a terminal must not obey it.

use std::borrow::Cow;

/// JSON in which what a terminal might obey is written as an escape. To a reader of JSON it says the same.
pub fn json(text: &str) -> Cow<'_, str> {
    escaped(text, |c| {
        // All of them are in the first plane, so that four digits do.
        format!("\\u{:04x}", u32::from(c))
    })
}

/// Text for people, in which what a terminal might obey is shown and lines stay lines.
pub fn text(text: &str) -> Cow<'_, str> {
    escaped(text, |c| match c {
        '\n' => "\n".to_owned(),
        c => c.escape_default().to_string(),
    })
}

/// The same on one line: line ends are shown too.
pub fn line(text: &str) -> Cow<'_, str> {
    escaped(text, |c| c.escape_default().to_string())
}

fn escaped(text: &str, escape: impl Fn(char) -> String) -> Cow<'_, str> {
    if !text.contains(obeyed) {
        return Cow::Borrowed(text);
    }
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        if obeyed(c) {
            plain.push_str(&escape(c));
        } else {
            plain.push(c);
        }
    }
    Cow::Owned(plain)
}

/// Control characters of both sets (ECMA-48), and those that turn the direction of writing.
fn obeyed(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVIL: &str = "a\u{1b}]0;x\u{7}\u{9b}31m\u{7f}\u{202e}ü\r";

    #[test]
    fn json_says_the_same_without_controls() {
        let value = serde_json::json!({ "evidence": EVIL, "two\n": "lines\n" });
        let plain = value.to_string();
        assert!(plain.contains('\u{9b}'), "what JSON itself lets through");
        let safe = json(&plain);
        assert!(!safe.contains(obeyed), "{safe:?}");
        assert!(safe.contains('ü'));
        let again: serde_json::Value = serde_json::from_str(&safe).unwrap();
        assert_eq!(again, value);
        assert!(matches!(json("{}"), Cow::Borrowed(_)));
    }

    #[test]
    fn text_keeps_its_lines() {
        assert_eq!(text("one\ntwo\u{1b}[2J"), format!("one\ntwo\\u{{1b}}[2J"));
        assert!(!text(EVIL).contains(obeyed));
        assert_eq!(line("one\ntwo\u{1b}[2J"), "one\\ntwo\\u{1b}[2J");
    }
}
