//! Reads `[share]`.

use std::net::SocketAddr;
use std::time::Duration;

use super::keys::SHARE;
use super::read::path;
use super::read_trust::period;
use super::reader::{Reader, Section};
use super::share::Share;
use super::wrong::{Wrong, quoted};

/// The least and the most time between two looks.
const EVERY: std::ops::RangeInclusive<Duration> =
    Duration::from_secs(10)..=Duration::from_secs(3600);

/// The section, or its defaults.
pub(super) fn share(reader: &mut Reader<'_>, top: &Section<'_>) -> Share {
    let mut share = Share::default();
    let Some(table) = top.get("share").and_then(|i| reader.table(&SHARE, i)) else {
        return share;
    };
    if let Some(item) = table.get("allow") {
        for (range, at) in reader.parsed_list::<super::AddressRange>(item) {
            if range.is_everything() {
                let message = format!("`allow`: `{range}` lets the whole Internet ask");
                let fix = "write the addresses of the routers that fetch the lists";
                reader.refuse(at, Wrong::new(message, fix));
            }
            share.allow.push(range);
        }
    }
    if let Some(item) = table.get("http")
        && let Some(text) = reader.text(item)
        && let Some(address) = reader.keep(item, listen(text))
    {
        if !address.ip().is_loopback() && share.allow.is_empty() {
            let message =
                format!("`http`: {address} is reached from outside, and nobody may ask there");
            let fix = "add allow = [\"ADDRESS\"] with those who fetch the lists, or write \"127.0.0.1:5580\"";
            reader.refuse(item.at, Wrong::new(message, fix));
        }
        share.http = Some(address);
    }
    share.files = table.get("files").and_then(|i| path(reader, i));
    if let Some(flag) = table.get("proved_only").and_then(|i| reader.flag(i)) {
        share.proved_only = flag;
    }
    if let Some(every) = table.get("every").and_then(|i| period(reader, i, EVERY)) {
        share.every = every;
    }
    share
}

/// An address with a port.
fn listen(text: &str) -> Result<SocketAddr, Wrong> {
    match text.parse::<SocketAddr>() {
        Ok(address) if address.port() != 0 => Ok(address),
        _ => Err(Wrong::new(
            format!("{} is not an address with a port", quoted(text)),
            "write one such as \"127.0.0.1:5580\" or \"[::1]:5580\"",
        )),
    }
}

#[cfg(test)]
mod tests {
    use crate::config::{Config, Share};

    #[test]
    fn every_key_is_read() {
        let config = Config::parse(
            "[share]\nhttp = \"192.0.2.1:5580\"\nallow = [\"192.0.2.254\"]\nfiles = \"/srv/share\"\n\
             proved_only = false\nevery = \"1m\"\n",
            "r.toml",
        )
        .unwrap();
        let share = config.share;
        assert_eq!(share.http.unwrap().to_string(), "192.0.2.1:5580");
        assert_eq!((share.allow.len(), share.proved_only), (1, false));
        assert_eq!(share.every.as_secs(), 60);
        assert_eq!(share.files.unwrap().to_str(), Some("/srv/share"));
        assert_eq!(
            Config::parse("[share]", "r.toml").unwrap().share,
            Share::default()
        );
    }

    #[test]
    fn a_mistake_names_its_place_and_the_cure() {
        for (text, told) in [
            (
                "http = \"192.0.2.1:5580\"",
                "2:8: `http`: 192.0.2.1:5580 is reached from outside",
            ),
            ("http = \"[::]:5580\"", "add allow ="),
            ("http = \"127.0.0.1\"", "write one such as"),
            ("http = \"127.0.0.1:0\"", "is not an address with a port"),
            ("allow = [\"0.0.0.0/0\"]", "lets the whole Internet ask"),
            ("files = \"share\"", "is not an absolute path"),
            ("every = \"1s\"", "`every`"),
            ("path = \"/x\"", "unknown key"),
        ] {
            let shown = Config::parse(&format!("[share]\n{text}\n"), "r.toml");
            let shown = shown.unwrap_err().to_string();
            assert!(shown.contains(told), "{shown}");
        }
    }
}
