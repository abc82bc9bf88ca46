//! Reads where a secret stands: in the file itself, or under one of three keys elsewhere.

use std::fs::Metadata;
use std::os::unix::fs::PermissionsExt as _;

use toml::de::DeValue;

use super::mistake::Mistake;
use super::read::path;
use super::reader::{Item, Reader, Section};
use super::secret::{Secret, SecretFrom};
use super::types::Config;
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
    if !matches!(item.value, DeValue::String(_)) {
        let message = format!("`{}` must be a text", item.name);
        reader.refuse(item.at, Wrong::new(message, "write it between quotes"));
        return None;
    }
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
        let position = reader.position(item.at);
        fits.then(|| SecretFrom::Text(Secret::new(value), position))
            .ok_or_else(|| wrong("this is not one line of text", "a secret of one line"))
    };
    reader.keep(item, read)
}

/// Who may read a file: others than its owner and its group.
const OTHERS: u32 = 0o004;

/// Refuses a secret in a file that everybody may read.
pub(super) fn exposed(config: &Config, file: &Metadata) -> Option<Mistake> {
    if file.permissions().mode() & OTHERS == 0 {
        return None;
    }
    let notify = &config.notify;
    let secrets = [
        config.asterisk.as_ref().map(|asterisk| &asterisk.secret),
        notify
            .mail
            .as_ref()
            .and_then(|mail| Some(&mail.login.as_ref()?.1)),
        notify
            .webhook
            .as_ref()
            .and_then(|hook| hook.secret.as_ref()),
        config.country.licence_key.as_ref(),
        config.country.token.as_ref(),
    ];
    let feeds = config.feeds.iter().map(|feed| feed.key.as_ref());
    let position = secrets
        .into_iter()
        .chain(feeds)
        .flatten()
        .find_map(|secret| match secret {
            SecretFrom::Text(_, position) => Some(*position),
            _ => None,
        })?;
    let wrong = Wrong::new(
        "a secret stands in a file that every user of this machine can read",
        "run chmod o-r on the file, or put the secret elsewhere: under the same key with `_credential` or `_file`",
    );
    Some(Mistake { position, wrong })
}

fn wrong(what: &str, example: &str) -> Wrong {
    Wrong::new(what, format!("write such as \"{example}\""))
}
