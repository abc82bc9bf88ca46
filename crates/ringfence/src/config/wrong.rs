//! What is wrong with a value and what to write instead.

use serde::Serialize;

/// A value that cannot be used: what is wrong with it, and what to write instead.
///
/// Every text form of this module's types (`FromStr`) fails with it, so that the configuration
/// and the command line explain the same mistake in the same words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{message}; {fix}")]
pub struct Wrong {
    message: String,
    fix: String,
}

impl Wrong {
    /// Joins what is wrong (`message`) and what to write instead (`fix`), neither ending in a stop.
    pub fn new(message: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            fix: fix.into(),
        }
    }

    /// What is wrong.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What to write instead.
    pub fn fix(&self) -> &str {
        &self.fix
    }
}

/// `text` between backticks, fit to be shown on a terminal: control characters escaped, cut after
/// 60 characters.
pub(super) fn quoted(text: &str) -> String {
    const SHOWN: usize = 60;
    let mut out = String::from("`");
    for c in text.chars().take(SHOWN) {
        if c.is_control() {
            out.extend(c.escape_unicode());
        } else {
            out.push(c);
        }
    }
    if text.chars().nth(SHOWN).is_some() {
        out.push_str("...");
    }
    out.push('`');
    out
}

/// The one of `known` that `text` was most likely meant to be, if any is near enough.
///
/// Case, `_` for `-` and a plural do not count; beyond that one edit in three characters does.
pub(super) fn nearest<'k>(text: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let plain = |s: &str| s.to_lowercase().replace('_', "-");
    // Longer names are no key of ours, and the distance costs the product of the lengths.
    if text.len() > 40 {
        return None;
    }
    let text = plain(text);
    known
        .into_iter()
        .map(|k| (distance(&text, &plain(k)), k))
        .filter(|(d, k)| *d <= 1.max(k.len().min(text.len()) / 3))
        .min_by_key(|(d, _)| *d)
        .map(|(_, k)| k)
}

/// Edits (insert, delete, replace, swap of neighbours) that lead from `a` to `b`.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let change = usize::from(a[i - 1] != b[j - 1]);
            let mut best = (above[j] + 1)
                .min(row[j - 1] + 1)
                .min(above[j - 1] + change);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(before[j - 2] + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut above, row);
    }
    above[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_near_name_is_offered_and_a_far_one_is_not() {
        let keys = ["ports", "protect", "from", "REGISTER", "in-dialogue"];
        assert_eq!(nearest("prots", keys), Some("ports"));
        assert_eq!(nearest("port", keys), Some("ports"));
        assert_eq!(nearest("form", keys), Some("from"));
        assert_eq!(nearest("register", keys), Some("REGISTER"));
        assert_eq!(nearest("in_dialog", keys), Some("in-dialogue"));
        assert_eq!(nearest("zebra", keys), None);
        assert_eq!(nearest("", keys), None);
    }

    #[test]
    fn shown_text_cannot_steer_a_terminal_or_fill_it() {
        assert_eq!(quoted("a\x1b[2Jb"), "`a\\u{1b}[2Jb`");
        assert_eq!(quoted(&"x".repeat(100)), format!("`{}...`", "x".repeat(60)));
    }
}
