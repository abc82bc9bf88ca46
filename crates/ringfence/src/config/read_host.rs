//! Reads `[host]`.

use super::host::HostFirewall;
use super::keys::HOST;
use super::port::PortRange;
use super::reader::{Item, Reader, Section};
use super::service::Service;
use super::words::Protocol;
use super::wrong::{Wrong, quoted};

/// The host's firewall; the defaults where the section is not there.
pub(super) fn host(
    reader: &mut Reader<'_>,
    top: &Section<'_>,
    services: &[Service],
) -> HostFirewall {
    let mut host = HostFirewall::default();
    let Some(table) = top.get("host").and_then(|i| reader.table(&HOST, i)) else {
        return host;
    };
    if let Some(flag) = table.get("enable").and_then(|i| reader.flag(i)) {
        host.enable = flag;
    }
    if let Some(word) = table.get("refuse").and_then(|i| reader.word(i)) {
        host.refuse = word;
    }
    host.rtp = table.get("rtp").and_then(|i| rtp(reader, i, services));
    if let Some(item) = table.get("pinholes")
        && reader.flag(item) == Some(true)
    {
        host.pinholes = true;
        // One that cannot be read is told already.
        let missing = match (host.enable, table.get("rtp")) {
            (false, _) => Some("enable = true"),
            (true, None) => Some("rtp = \"10000-20000\""),
            (true, Some(_)) => None,
        };
        if let Some(missing) = missing {
            let message = format!("`pinholes` needs `{missing}`");
            let fix = match host.enable {
                true => "name the ports of media in [host], as in rtp.conf",
                false => "add it to [host]: the daemon opens the pinholes",
            };
            reader.refuse(item.at, Wrong::new(message, fix));
        }
    }
    host
}

/// A range of UDP ports, none of which belongs to a service.
fn rtp(reader: &mut Reader<'_>, item: Item<'_>, services: &[Service]) -> Option<PortRange> {
    let text = reader.text(item)?;
    let bare = text.strip_prefix("udp/").unwrap_or(text);
    let Ok(range) = format!("udp/{bare}").parse::<PortRange>() else {
        let message = format!("`rtp`: {} is no range of ports", quoted(text));
        let fix = "write the first and the last one, such as \"10000-20000\"";
        reader.refuse(item.at, Wrong::new(message, fix));
        return None;
    };
    let taken = services.iter().find(|service| {
        let mut udp = service.ports.iter().filter(|p| p.protocol == Protocol::Udp);
        udp.any(|ports| ports.first <= range.last && range.first <= ports.last)
    });
    if let Some(service) = taken {
        let message = format!(
            "`rtp`: {bare} holds a port of the service `{}`",
            service.name
        );
        let fix = "write the ports of media alone, as in rtp.conf";
        reader.refuse(item.at, Wrong::new(message, fix));
        return None;
    }
    Some(range)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Refuse};

    fn read(text: &str) -> Result<HostFirewall, String> {
        let config = Config::parse(text, "r.toml").map_err(|wrong| wrong.to_string())?;
        Ok(config.host)
    }

    #[test]
    fn without_the_section_nothing_is_touched() {
        assert_eq!(read(""), Ok(HostFirewall::default()));
        assert!(!read("[host]\nrefuse = \"drop\"").unwrap().enable);
        let text =
            "[host]\nenable = true\nrefuse = \"drop\"\nrtp = \"10000-20000\"\npinholes = true";
        let host = HostFirewall {
            enable: true,
            refuse: Refuse::Drop,
            rtp: Some(PortRange {
                protocol: Protocol::Udp,
                first: 10000,
                last: 20000,
            }),
            pinholes: true,
        };
        assert_eq!(read(text), Ok(host));
    }

    #[test]
    fn mistakes_say_what_to_write() {
        for (text, expected) in [
            (
                "[host]\nrefuse = \"rejct\"",
                "r.toml:2:10: `refuse` cannot be `rejct`; did you mean \"reject\"?",
            ),
            (
                "[host]\nrtp = \"tcp/10000\"",
                "r.toml:2:7: `rtp`: `tcp/10000` is no range of ports; write the first and the last one, such as \
                 \"10000-20000\"",
            ),
            (
                "[host]\nrtp = \"5000-6000\"",
                "r.toml:2:7: `rtp`: 5000-6000 holds a port of the service `sip`; write the ports of media alone, \
                 as in rtp.conf",
            ),
            (
                "[host]\nrtp = \"10000-20000\"\npinholes = true",
                "r.toml:3:12: `pinholes` needs `enable = true`; add it to [host]: the daemon opens the pinholes",
            ),
            (
                "[host]\nenable = true\npinholes = true",
                "r.toml:3:12: `pinholes` needs `rtp = \"10000-20000\"`; name the ports of media in [host], as in \
                 rtp.conf",
            ),
        ] {
            assert_eq!(read(text), Err(expected.to_owned()), "{text}");
        }
    }
}
