//! Reads `[asterisk]`.

#[cfg(test)]
mod tests;

use std::fs::Metadata;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use toml::de::DeValue;

use super::asterisk::{Asterisk, SecretPlace};
use super::keys::ASTERISK;
use super::mistake::Mistake;
use super::read::path;
use super::read_trust::period;
use super::reader::{Item, Reader, Section};
use super::types::Config;
use super::wrong::{Wrong, quoted};
use crate::asterisk::ami::Secret;

/// The keys that say where the secret is; one of them is needed.
const PLACES: [&str; 4] = ["secret", "secret_env", "secret_credential", "secret_file"];

/// Who may read a file: others than its owner and its group.
const OTHERS: u32 = 0o004;

/// Reads it, if it is there.
pub(super) fn asterisk(reader: &mut Reader<'_>, top: &Section<'_>) -> Option<Asterisk> {
    let table = top
        .get("asterisk")
        .and_then(|item| reader.table(&ASTERISK, item))?;
    let ami = text(reader, &table, "ami", address).unwrap_or_else(|| "127.0.0.1:5038".into());
    let user = text(reader, &table, "user", user).unwrap_or_else(|| "ringfence".into());
    let shortest = Duration::from_secs(10);
    let longest = Duration::from_secs(86_400);
    let every = table
        .get("every")
        .and_then(|item| period(reader, item, shortest..=longest))
        .unwrap_or(Duration::from_secs(300));
    Some(Asterisk {
        ami,
        user,
        secret: secret(reader, &table)?,
        every,
    })
}

/// Refuses a secret in a file that everybody may read.
pub(super) fn exposed(config: &Config, file: &Metadata) -> Option<Mistake> {
    let SecretPlace::Here(_, position) = &config.asterisk.as_ref()?.secret else {
        return None;
    };
    if file.permissions().mode() & OTHERS == 0 {
        return None;
    }
    let wrong = Wrong::new(
        "`secret` stands in a file that every user of this machine can read",
        "run chmod o-r on the file, or put the secret elsewhere with `secret_credential` or `secret_file`",
    );
    Some(Mistake {
        position: *position,
        wrong,
    })
}

fn secret(reader: &mut Reader<'_>, table: &Section<'_>) -> Option<SecretPlace> {
    let given: Vec<Item<'_>> = PLACES.iter().filter_map(|key| table.get(key)).collect();
    let item = match given.as_slice() {
        [item] => *item,
        [] => {
            let misspelt = PLACES.iter().any(|key| table.misspelt(key));
            if !misspelt {
                reader.miss_key(
                    table,
                    "secret",
                    "secret_credential = \"ami\", or secret_env, secret_file or secret",
                );
            }
            return None;
        }
        [first, second, ..] => {
            let message = format!("[asterisk] has both `{}` and `{}`", first.name, second.name);
            reader.refuse(second.at, Wrong::new(message, "leave one of them"));
            return None;
        }
    };
    // No message may quote what was meant to be a secret.
    let (DeValue::String(text), "secret") = (item.value, item.name) else {
        return match item.name {
            "secret" => {
                let message = "`secret` must be a text";
                reader.refuse(item.at, Wrong::new(message, "write it between quotes"));
                None
            }
            "secret_env" => checked(reader, item, variable).map(SecretPlace::Env),
            "secret_credential" => checked(reader, item, credential).map(SecretPlace::Credential),
            _ => path(reader, item).map(SecretPlace::File),
        };
    };
    if text.is_empty() {
        let fix = "write the `secret` of the user in manager.conf";
        reader.refuse(item.at, Wrong::new("`secret` is empty", fix));
        return None;
    }
    let position = reader.position(item.at);
    Some(SecretPlace::Here(Secret::new(text.as_ref()), position))
}

fn text(
    reader: &mut Reader<'_>,
    table: &Section<'_>,
    key: &'static str,
    check: impl Fn(&str) -> Result<String, Wrong>,
) -> Option<String> {
    let item = table.get(key)?;
    checked(reader, item, check)
}

fn checked(
    reader: &mut Reader<'_>,
    item: Item<'_>,
    check: impl Fn(&str) -> Result<String, Wrong>,
) -> Option<String> {
    let text = reader.text(item)?;
    reader.keep(item, check(text))
}

/// Host and port.
fn address(text: &str) -> Result<String, Wrong> {
    let port = text.rsplit_once(':').filter(|(host, port)| {
        let bracketed = host.starts_with('[') && host.ends_with(']');
        let plain = |c: char| c == ':' || c == '/' || c.is_whitespace() || c.is_control();
        !host.is_empty()
            && (bracketed || !host.contains(plain))
            && port.parse::<u16>().is_ok_and(|port| port > 0)
    });
    if port.is_some() {
        return Ok(text.to_owned());
    }
    Err(Wrong::new(
        format!("{} is not a host and a port", quoted(text)),
        "write both, such as \"127.0.0.1:5038\" or \"[::1]:5038\"",
    ))
}

/// A section of manager.conf.
fn user(text: &str) -> Result<String, Wrong> {
    name(
        text,
        "be a user",
        "write the name between the [brackets] in manager.conf",
    )
}

fn variable(text: &str) -> Result<String, Wrong> {
    name(
        text,
        "be a variable",
        "write its name without \"$\", such as \"RINGFENCE_AMI\"",
    )
}

fn credential(text: &str) -> Result<String, Wrong> {
    name(
        text,
        "be a credential",
        "write its name as in LoadCredential=, such as \"ami\"",
    )
}

/// A name without what ends one in any of these places.
fn name(text: &str, what: &str, fix: &str) -> Result<String, Wrong> {
    let fits = (1..=79).contains(&text.len())
        && text != "."
        && text != ".."
        && !text.contains(|c: char| "[]/=;$".contains(c) || c.is_whitespace() || c.is_control());
    if fits {
        return Ok(text.to_owned());
    }
    Err(Wrong::new(format!("{} cannot {what}", quoted(text)), fix))
}
