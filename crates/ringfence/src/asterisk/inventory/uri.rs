//! SIP URIs as phones and administrators write them (RFC 3261, section 19.1.1).

use std::net::IpAddr;

use crate::config::{AddressRange, Host};
use crate::opinion::Transport;

/// What is read of a URI.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Uri {
    /// The host; None of one that is no host, or where more than one could be meant.
    pub host: Option<Host>,
    /// The port.
    pub port: Option<u16>,
    /// The transport.
    pub transport: Transport,
}

impl Uri {
    /// The host, where it is an address.
    pub(super) fn address(&self) -> Option<IpAddr> {
        self.host.as_ref().and_then(address)
    }
}

/// The address of a host that is one.
pub(in crate::asterisk) fn address(host: &Host) -> Option<IpAddr> {
    match host {
        Host::Range(range) if range.first() == range.last() => Some(range.first()),
        _ => None,
    }
}

/// Reads a URI, with or without angle brackets. What cannot be one has no host.
pub(super) fn read(text: &str) -> Uri {
    let text = text.trim().trim_start_matches('<').trim_end_matches('>');
    let Some((secure, rest)) = scheme(text) else {
        return Uri::default();
    };
    // A second `@` could make another host of it.
    let mut parts = rest.split('@');
    let (first, second, more) = (parts.next(), parts.next(), parts.next());
    let rest = match (first, second, more) {
        (_, Some(rest), None) | (Some(rest), None, _) => rest,
        _ => return Uri::default(),
    };
    let end = rest.find([';', '?', '>', '\\']).unwrap_or(rest.len());
    let (place, parameters) = rest.split_at(end);
    let (host, port) = host_port(place);
    Uri {
        host,
        port,
        transport: transport(parameters, secure),
    }
}

/// Whether it is `sips`, and what stands behind the scheme.
fn scheme(text: &str) -> Option<(bool, &str)> {
    [("sips:", true), ("sip:", false)]
        .iter()
        .find_map(|(scheme, secure)| {
            let (head, rest) = text.split_at_checked(scheme.len())?;
            head.eq_ignore_ascii_case(scheme).then_some((*secure, rest))
        })
}

fn transport(parameters: &str, secure: bool) -> Transport {
    let named = parameters.split(';').find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.eq_ignore_ascii_case("transport").then_some(value)
    });
    match named.unwrap_or_default().to_ascii_lowercase().as_str() {
        "tls" => Transport::Tls,
        "ws" if secure => Transport::Wss,
        "ws" => Transport::Ws,
        "wss" => Transport::Wss,
        _ if secure => Transport::Tls,
        "tcp" => Transport::Tcp,
        _ => Transport::Udp,
    }
}

/// A host with or without a port: `192.0.2.1:5060`, `[2001:db8::1]:5060`, `sip.example.com`.
pub(super) fn host_port(text: &str) -> (Option<Host>, Option<u16>) {
    if let Ok(ip) = text.parse::<IpAddr>() {
        return (of_address(ip), None);
    }
    let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, port)) => (host, port.strip_prefix(':')),
        None => match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    let port = port
        .and_then(|port| port.parse().ok())
        .filter(|port| *port != 0);
    let host = match host.parse::<IpAddr>() {
        Ok(ip) => of_address(ip),
        // Of a range no packet comes.
        Err(_) => host
            .parse()
            .ok()
            .filter(|host| matches!(host, Host::Name(_))),
    };
    (host, port)
}

/// An address as a host; None of one that is no place on a network.
pub(super) fn of_address(ip: IpAddr) -> Option<Host> {
    let ip = ip.to_canonical();
    (!ip.is_unspecified() && !ip.is_multicast()).then(|| Host::Range(AddressRange::from(ip)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(text: &str) -> (String, Option<u16>, Transport) {
        let uri = read(text);
        let host = uri.host.map_or("-".into(), |host| host.to_string());
        (host, uri.port, uri.transport)
    }

    #[test]
    fn uris_of_phones_and_providers() {
        use Transport::{Tcp, Tls, Udp, Ws, Wss};
        for (text, host, port, transport) in [
            (
                "sip:1001@198.51.100.41:5060",
                "198.51.100.41",
                Some(5060),
                Udp,
            ),
            (
                "sip:1006@10.0.0.5:5060;transport=udp;ob",
                "10.0.0.5",
                Some(5060),
                Udp,
            ),
            (
                "sip:1013@[2001:db8:51::3]:5060",
                "2001:db8:51::3",
                Some(5060),
                Udp,
            ),
            ("sip:[2001:db8:51::3]", "2001:db8:51::3", None, Udp),
            ("sip:198.51.100.200", "198.51.100.200", None, Udp),
            ("<SIP:a@b.example;transport=TCP>", "b.example", None, Tcp),
            ("sips:a@b.example:5061", "b.example", Some(5061), Tls),
            ("sip:a;b=c@192.0.2.1;transport=tls", "192.0.2.1", None, Tls),
            ("sip:x@192.0.2.1;transport=ws", "192.0.2.1", None, Ws),
            ("sip:x@192.0.2.1;transport=wss", "192.0.2.1", None, Wss),
        ] {
            let expected = (host.to_owned(), port, transport);
            assert_eq!(shown(text), expected, "{text}");
        }
    }

    #[test]
    fn what_cannot_be_a_host_is_none() {
        for text in [
            "",
            "sip:",
            "tel:+4420",
            "sip:a@192.0.2.1@203.0.113.9",
            "sip:a@192.0.2.0/24",
            "sip:a@192.0.2.1-192.0.2.9",
            "sip:a@0.0.0.0",
            "sip:a@\u{1b}[2J",
            "sip:a@b c",
            "sip:a@[2001:db8::1",
            "sip:a@-",
        ] {
            assert_eq!(read(text).host, None, "{text}");
        }
        assert_eq!(read("sip:a@192.0.2.1:99999").port, None);
    }

    proptest! {
        #[test]
        fn any_text_is_answered(text in "(sip:|sips:)?.{0,60}") {
            if let Some(Host::Name(name)) = read(&text).host {
                prop_assert!(name.chars().all(|c| c.is_ascii_graphic()));
            }
        }
    }
}
