//! Reads `[asterisk]`.

#[cfg(test)]
mod tests;

use std::time::Duration;

use super::asterisk::Asterisk;
use super::keys::ASTERISK;
use super::read_secret;
use super::read_trust::period;
use super::reader::{Item, Reader, Section};
use super::secret::SecretFrom;
use super::wrong::{Wrong, quoted};

/// The keys that say where the secret is; one of them is needed.
const PLACES: [&str; 4] = ["secret", "secret_env", "secret_credential", "secret_file"];

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

fn secret(reader: &mut Reader<'_>, table: &Section<'_>) -> Option<SecretFrom> {
    if PLACES.iter().all(|key| table.get(key).is_none()) {
        if !PLACES.iter().any(|key| table.misspelt(key)) {
            reader.miss_key(
                table,
                "secret",
                "secret_credential = \"ami\", or secret_env, secret_file or secret",
            );
        }
        return None;
    }
    read_secret::secret(reader, table, PLACES)
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
