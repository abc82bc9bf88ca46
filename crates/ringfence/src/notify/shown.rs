//! Text of strangers, made fit to stand in a notice.

use crate::terminal;

/// What is cut off is shown as this.
const CUT: &str = "...";

/// One line of at most `most` bytes: what a terminal might obey, and each line end, is shown as an escape.
///
/// Whatever a stranger wrote (names, User-Agents, parts of messages) passes here before it stands in a notice.
pub fn line(text: &str, most: usize) -> String {
    let text = cut(text, most);
    cut(&terminal::line(&text), most)
}

/// Lines of at most `most` bytes together: what a terminal might obey is shown as an escape.
pub(super) fn lines(text: &str, most: usize) -> String {
    let text = cut(text, most);
    cut(&terminal::text(&text), most)
}

/// The beginning of a text, at most `most` bytes with the mark of the cut.
fn cut(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    let end = text.floor_char_boundary(most.saturating_sub(CUT.len()));
    format!("{}{CUT}", text.get(..end).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_line_is_one_line_and_no_longer_than_said(text in any::<String>(), most in 3_usize..80) {
            let line = line(&text, most);
            prop_assert!(line.len() <= most && !line.contains(char::is_control), "{line:?}");
            let lines = lines(&text, most);
            prop_assert!(lines.len() <= most);
            prop_assert!(!lines.contains(|c: char| c.is_control() && c != '\n'), "{lines:?}");
        }
    }

    #[test]
    fn plain_text_stays_as_it_is() {
        assert_eq!(line("Zoë \"x\"", 80), "Zoë \"x\"");
        assert_eq!(line("a\r\nBcc: b", 80), "a\\r\\nBcc: b");
        assert_eq!(lines("a\n\u{1b}[2J", 80), "a\n\\u{1b}[2J");
        assert_eq!(line("0123456789", 8), "01234...");
    }
}
