//! SHA-256 as servers publish it and as files have it.

use sha2::{Digest, Sha256};

/// The hash in the text of a `.sha256` file: `HASH`, or lines of `HASH  NAME` as `sha256sum` writes them, where the
/// line that ends with `name` counts, or the only one. In lower case; nothing where there is none.
pub fn sha256_in(text: &str, name: &str) -> Option<String> {
    let mut found: Vec<(String, &str)> = Vec::new();
    for line in text.lines().take(1000) {
        let line = line.trim();
        let (hash, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        if hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            let named = rest.trim_start().trim_start_matches('*');
            found.push((hash.to_ascii_lowercase(), named));
        }
    }
    if let [(hash, _)] = found.as_slice() {
        return Some(hash.clone());
    }
    let of_name = |named: &str| !name.is_empty() && named.rsplit('/').next() == Some(name);
    found
        .into_iter()
        .find(|(_, named)| of_name(named))
        .map(|(hash, _)| hash)
}

/// A hash in hexadecimal.
pub(super) fn hex(hash: Sha256) -> String {
    let mut text = String::with_capacity(64);
    for byte in hash.finalize() {
        text.push_str(&format!("{byte:02x}"));
    }
    text
}

/// The beginning of the hash of a text, enough to tell whether it is the same.
pub(super) fn short(text: &str) -> String {
    let mut hash = hex(Sha256::new_with_prefix(text));
    hash.truncate(16);
    hash
}
