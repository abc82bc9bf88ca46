//! Reads `[agi]`.

use std::net::{IpAddr, SocketAddr};

use super::agi::Agi;
use super::keys::AGI;
use super::name::Host;
use super::reader::{Item, Reader, Section};
use super::wrong::{Wrong, quoted};

/// Names at most.
const NAMES: usize = 64;

/// The FastAGI server, if the section is there.
pub(super) fn agi(reader: &mut Reader<'_>, top: &Section<'_>) -> Option<Agi> {
    let table = top.get("agi").and_then(|i| reader.table(&AGI, i))?;
    let mut agi = Agi::default();
    if let Some(item) = table.get("listen")
        && let Some(text) = reader.text(item)
        && let Some(listen) = reader.keep(item, listen(text))
    {
        agi.listen = listen;
    }
    if let Some(item) = table.get("from") {
        for (range, at) in reader.parsed_list::<super::AddressRange>(item) {
            if range.is_everything() {
                let message = format!("`from`: `{range}` lets the whole Internet ask");
                let fix = "write the addresses of the Asterisk servers";
                reader.refuse(at, Wrong::new(message, fix));
            }
            agi.from.push(range);
        }
    }
    if let Some(item) = table.get("names") {
        agi.names = names(reader, item);
    }
    Some(agi)
}

/// An address with a port.
fn listen(text: &str) -> Result<SocketAddr, Wrong> {
    let wrong = |why: &str, fix: String| Err(Wrong::new(format!("{} {why}", quoted(text)), fix));
    if let Ok(socket) = text.parse::<SocketAddr>() {
        return match socket.port() {
            0 => wrong("has no port", format!("write \"{}\"", at(socket.ip()))),
            _ => Ok(socket),
        };
    }
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    match bare.parse::<IpAddr>() {
        Ok(address) => wrong("has no port", format!("write \"{}\"", at(address))),
        Err(_) => wrong(
            "is not an address with a port",
            "write one such as \"127.0.0.1:4573\" or \"[::1]:4573\"".into(),
        ),
    }
}

fn at(address: IpAddr) -> SocketAddr {
    SocketAddr::new(address, Agi::default().listen.port())
}

fn names(reader: &mut Reader<'_>, item: Item<'_>) -> Vec<String> {
    let mut names = Vec::new();
    for (host, at) in reader.parsed_list::<Host>(item) {
        match host {
            Host::Name(name) if names.contains(&name) => {}
            Host::Name(name) if names.len() < NAMES => names.push(name),
            Host::Name(_) => {
                let message = format!("more than {NAMES} `names` of [agi]");
                let fix = "leave out those that no caller says to be";
                reader.refuse(at, Wrong::new(message, fix));
                break;
            }
            Host::Range(range) => {
                let message = format!("`names`: `{range}` is not a name");
                let fix = "write the host name that stands in From";
                reader.refuse(at, Wrong::new(message, fix));
            }
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use crate::config::{Agi, Config};

    fn read(text: &str) -> Config {
        Config::parse(text, "r.toml").unwrap_or_else(|mistakes| panic!("{mistakes}"))
    }

    #[test]
    fn without_the_section_there_is_no_server() {
        assert_eq!(read("").agi, None);
        assert_eq!(read("[agi]").agi, Some(Agi::default()));
    }

    #[test]
    fn every_key_is_read() {
        let agi = read(
            "[agi]\nlisten = \"[::1]:4574\"\nfrom = [\"192.0.2.10\", \"198.51.100.0/24\"]\n\
             names = [\"SIP.Provider.Example\", \"sip.provider.example\", \"b.example\"]",
        )
        .agi
        .unwrap();
        assert_eq!(agi.listen.to_string(), "[::1]:4574");
        assert_eq!(agi.from.len(), 2);
        assert_eq!(agi.names, ["sip.provider.example", "b.example"]);
    }

    #[test]
    fn a_mistake_names_its_place_and_the_cure() {
        let many: Vec<String> = (0..65).map(|n| format!("\"h{n}.example\"")).collect();
        let many = format!("[agi]\nnames = [{}]", many.join(", "));
        for (text, expected) in [
            (
                "[agi]\nlisten = \"127.0.0.1\"",
                "2:10: `listen`: `127.0.0.1` has no port; write \"127.0.0.1:4573\"",
            ),
            ("[agi]\nlisten = \"[::1]\"", "write \"[::1]:4573\""),
            ("[agi]\nlisten = \"127.0.0.1:0\"", "has no port"),
            (
                "[agi]\nlisten = \"localhost:4573\"",
                "is not an address with a port",
            ),
            ("[agi]\nlisten = 4573", "must be a text"),
            (
                "[agi]\nfrom = [\"0.0.0.0/0\"]",
                "lets the whole Internet ask",
            ),
            (
                "[agi]\nnames = [\"192.0.2.1\"]",
                "`192.0.2.1` is not a name",
            ),
            (
                "[agi]\nnames = [\"sip:a@b.example\"]",
                "write its host alone",
            ),
            ("[agi]\nlisen = \"x\"", "did you mean `listen`?"),
            (&many, "more than 64 `names`"),
        ] {
            let shown = Config::parse(text, "r.toml").unwrap_err().to_string();
            assert!(shown.contains(expected), "{text}\n{shown}");
        }
    }
}
