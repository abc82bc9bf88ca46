//! The name of an account, as strangers may have written it.

use std::fmt;

use ringfence_core::trust::{NAME, account_digest, name_bytes};
use rusqlite::ToSql;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSqlOutput, Value, ValueRef};

/// The first [`NAME`] bytes of the name of an account. Shown to people, what a terminal might obey is escaped.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(Vec<u8>);

impl Name {
    /// From what somebody typed; what is too long is cut off.
    pub fn new(text: &str) -> Self {
        let bytes = text.as_bytes();
        Self(bytes.get(..NAME).unwrap_or(bytes).to_vec())
    }

    /// From what the kernel keeps.
    pub fn of_words(words: &[u64; NAME / 8]) -> Self {
        let (bytes, length) = name_bytes(words);
        Self(bytes[..length].to_vec())
    }

    /// As the kernel keeps it.
    pub fn words(&self) -> [u64; NAME / 8] {
        let mut bytes = [0; NAME];
        for (to, from) in bytes.iter_mut().zip(&self.0) {
            *to = *from;
        }
        let (words, _) = bytes.as_chunks::<8>();
        let mut all = [0; NAME / 8];
        for (to, from) in all.iter_mut().zip(words) {
            *to = u64::from_le_bytes(*from);
        }
        all
    }

    /// The digest that the kernel finds it by; None of one that was cut off.
    pub fn digest(&self) -> Option<u64> {
        (self.0.len() < NAME).then(|| account_digest(&self.0))
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// As text for programs. It may hold what a terminal obeys.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.0).into_owned()
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("(no name)");
        }
        write!(f, "{}", String::from_utf8_lossy(&self.0).escape_debug())
    }
}

impl ToSql for Name {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Owned(Value::Blob(self.0.clone())))
    }
}

impl FromSql for Name {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        match value.as_blob()? {
            bytes if bytes.len() <= NAME => Ok(Self(bytes.to_vec())),
            bytes => Err(FromSqlError::InvalidBlobSize {
                expected_size: NAME,
                blob_size: bytes.len(),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_back_from_the_kernel() {
        for text in ["", "1007", "a name of thirty-one characters", "é\u{1b}[2J"] {
            let name = Name::new(text);
            assert_eq!(Name::of_words(&name.words()), name);
            assert_eq!(name.digest(), Some(account_digest(text.as_bytes())));
            assert_eq!(name.text(), text);
        }
        let long = Name::new("a name of many more than thirty-two characters");
        assert_eq!(Name::of_words(&long.words()), long);
        assert_eq!(long.digest(), None);
    }

    #[test]
    fn no_terminal_obeys_a_name() {
        let evil = Name::new("a\u{1b}]0;x\u{7}\n\u{202e}").to_string();
        assert!(
            evil.chars().all(|c| !c.is_control() && c != '\u{202e}'),
            "{evil}"
        );
        assert_eq!(Name::new("").to_string(), "(no name)");
    }
}
