//! Reads where a secret stands: in the file itself, or under one of three keys elsewhere.

use super::read::path;
use super::reader::{Item, Reader, Section};
use super::secret::{Secret, SecretFrom};
use super::wrong::Wrong;

/// The secret that a table names by one of four keys: as text, by a variable, by a credential of systemd, by a file.
///
/// No message quotes what stands there: it may be the secret itself under the wrong key.
pub(super) fn secret(
    reader: &mut Reader<'_>,
    table: &Section<'_>,
    [text, env, credential, file]: [&'static str; 4],
) -> Option<SecretFrom> {
    let written: Vec<Item<'_>> = [text, env, credential, file]
        .into_iter()
        .filter_map(|key| table.get(key))
        .collect();
    if let [first, second, ..] = written.as_slice() {
        let message = format!(
            "`{}` and `{}` name the same secret",
            first.name, second.name
        );
        reader.refuse(second.at, Wrong::new(message, "write one of the two"));
        return None;
    }
    let item = *written.first()?;
    if item.name == file {
        let value = reader.text(item)?;
        if !value.starts_with('/') {
            let mistake = wrong("this is not an absolute path", "/etc/ringfence/secret");
            return reader.keep(item, Err(mistake));
        }
        return path(reader, item).map(SecretFrom::File);
    }
    let value = reader.text(item)?;
    let word = |more: &[u8]| {
        (1..=255).contains(&value.len())
            && value
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || more.contains(&b))
    };
    let read = if item.name == env {
        let fits = word(b"_") && !value.starts_with(|c: char| c.is_ascii_digit());
        fits.then(|| SecretFrom::Env(value.to_owned()))
            .ok_or_else(|| wrong("this is not the name of a variable", "RINGFENCE_SECRET"))
    } else if item.name == credential {
        let fits = word(b"_-.") && !matches!(value, "." | "..");
        fits.then(|| SecretFrom::Credential(value.to_owned()))
            .ok_or_else(|| wrong("this is not the name of a credential", "ringfence-secret"))
    } else {
        let fits = !value.is_empty() && !value.contains(char::is_control);
        fits.then(|| SecretFrom::Text(Secret::new(value)))
            .ok_or_else(|| wrong("this is not one line of text", "a secret of one line"))
    };
    reader.keep(item, read)
}

fn wrong(what: &str, example: &str) -> Wrong {
    Wrong::new(what, format!("write such as \"{example}\""))
}
