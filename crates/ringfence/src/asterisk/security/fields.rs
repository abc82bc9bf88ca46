//! The keys and values of a security event, and which of them are the real ones where a name forged more.

use crate::asterisk::ami::Message;

/// Bytes of a name or session that are kept.
const LONGEST: usize = 256;

/// What stands in an event between its kind and its end, in its order.
pub(super) struct Fields<'e> {
    pairs: Vec<(&'e str, &'e str)>,
}

/// Which of several values with the same key is Asterisk's.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Real {
    /// What a stranger writes stands after it.
    First,
    /// What a stranger writes stands before it.
    Last,
}

impl<'e> Fields<'e> {
    /// The lines of a block.
    pub(super) fn of_message(message: &'e Message) -> Self {
        Self {
            pairs: message.fields().collect(),
        }
    }

    /// `key="value"` with commas between. None where the last value is not closed, so that something is missing.
    ///
    /// Asterisk escapes nothing: a value ends only where the quote is followed by a comma and a key, or by the end.
    pub(super) fn of_line(text: &'e str) -> Option<Self> {
        let (mut pairs, mut rest) = (Vec::new(), text);
        loop {
            let (key, after) = rest.split_once("=\"")?;
            if !is_key(key) {
                return None;
            }
            // A name that ends in `",Key=` takes the quote that ends it for one that opens a value.
            if let Some(next) = after.strip_prefix(',').filter(|next| begins_with_key(next)) {
                pairs.push((key, ""));
                rest = next;
                continue;
            }
            let Some((value, next)) = cut(after) else {
                pairs.push((key, after.strip_suffix('"')?));
                return Some(Self { pairs });
            };
            pairs.push((key, value));
            rest = next;
        }
    }

    /// The value of `key`.
    pub(super) fn get(&self, key: &str, real: Real) -> Option<&'e str> {
        let mut found = self
            .pairs
            .iter()
            .filter(|(name, _)| name.eq_ignore_ascii_case(key))
            .map(|(_, value)| *value);
        match real {
            Real::First => found.next(),
            Real::Last => found.next_back(),
        }
    }

    /// The place of the first `key`.
    pub(super) fn place(&self, key: &str) -> Option<usize> {
        self.pairs
            .iter()
            .position(|(name, _)| name.eq_ignore_ascii_case(key))
    }

    /// Whether `key` stands there more than once.
    pub(super) fn repeats(&self, key: &str) -> bool {
        let same = |(name, _): &&(&str, &str)| name.eq_ignore_ascii_case(key);
        self.pairs.iter().filter(same).count() > 1
    }

    /// The account, unless the name in it forged other keys: then nobody knows where it ends.
    pub(super) fn account(&self) -> Option<&'e str> {
        let at = self.place("AccountID")?;
        let (_, account) = self.pairs.get(at)?;
        let forged = [
            "AccountID",
            "SessionID",
            "LocalAddress",
            "RemoteAddress",
            "Service",
        ]
        .into_iter()
        .any(|key| self.repeats(key));
        let next = self.pairs.get(at + 1).map(|(key, _)| *key);
        let whole = next.is_none_or(|key| key.eq_ignore_ascii_case("SessionID"));
        let named = !account.is_empty() && *account != "<unknown>";
        (named && whole && !forged).then_some(account)
    }
}

/// The value up to the quote that ends it, and what follows from the next key on.
fn cut(text: &str) -> Option<(&str, &str)> {
    let ends = text.match_indices("\",");
    let mut ends = ends.filter_map(|(at, end)| {
        let next = text.get(at + end.len()..)?;
        begins_with_key(next).then(|| (text.get(..at).unwrap_or_default(), next))
    });
    ends.next()
}

fn begins_with_key(text: &str) -> bool {
    text.split_once("=\"").is_some_and(|(key, _)| is_key(key))
}

/// Keys are words of letters.
fn is_key(text: &str) -> bool {
    (1..=32).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphabetic())
}

/// The beginning of a text that a stranger chose, at most 256 bytes of it.
pub(crate) fn kept(text: &str) -> String {
    let mut end = text.len().min(LONGEST);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_end_where_a_key_follows() {
        let fields = Fields::of_line(r#"A="1",B="x",y",C="",D="=",E="e"#);
        assert!(fields.is_none(), "cut");
        let fields = Fields::of_line(r#"A="1",B="x",y",C="",D="=""#).unwrap();
        assert_eq!(
            fields.pairs,
            [("A", "1"), ("B", "x\",y"), ("C", ""), ("D", "=")]
        );
        for text in ["", "A", "A=1", "A=\"", " A=\"1\"", "A=\"1\",", "A1=\"1\""] {
            assert!(Fields::of_line(text).is_none(), "{text}");
        }
    }

    #[test]
    fn long_names_are_cut_between_characters() {
        assert_eq!(kept("1001"), "1001");
        let long = format!("x{}", "ü".repeat(200));
        assert_eq!(kept(&long).len(), 255);
    }
}
