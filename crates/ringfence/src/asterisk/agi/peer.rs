//! Addresses and hosts out of what channels and headers say.

use std::net::{IpAddr, SocketAddr};

/// The address in `192.0.2.1:5060`, `[2001:db8::1]:5060` or either without port, brackets or both.
pub(super) fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let bare = text.strip_prefix('[').and_then(|t| t.strip_suffix(']'));
    let address = match text.parse::<SocketAddr>() {
        Ok(socket) => socket.ip(),
        Err(_) => bare.unwrap_or(text).parse().ok()?,
    };
    (!address.is_unspecified()).then_some(address.to_canonical())
}

/// The host of a SIP URI, of a From header with one, or of a bare host; in lower case, without port and closing dot.
/// None where it is no DNS name.
pub(super) fn host(text: &str) -> Option<String> {
    // The last bracket that opens: a display name may hold others.
    let uri = match text.rsplit_once('<') {
        Some((_, uri)) => uri.split('>').next().unwrap_or_default(),
        None => text,
    };
    let bare = ["sips:", "sip:"]
        .iter()
        .find_map(|scheme| {
            let (head, rest) = uri.trim().split_at_checked(scheme.len())?;
            head.eq_ignore_ascii_case(scheme).then_some(rest)
        })
        .unwrap_or(uri.trim());
    let bare = bare.split([';', '?']).next().unwrap_or_default();
    let bare = bare.rsplit_once('@').map_or(bare, |(_, host)| host);
    let name = bare.split(':').next().unwrap_or_default();
    let name = name.strip_suffix('.').unwrap_or(name);
    let fits = (1..=253).contains(&name.len())
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
    fits.then(|| name.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_port_and_the_brackets_go() {
        for (text, expected) in [
            ("198.51.100.11:5066", "198.51.100.11"),
            ("198.51.100.11", "198.51.100.11"),
            ("[2001:db8:51::1]:5060", "2001:db8:51::1"),
            ("[2001:db8:51::1]", "2001:db8:51::1"),
            ("2001:db8:51::1", "2001:db8:51::1"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
            (" 192.0.2.1 ", "192.0.2.1"),
        ] {
            assert_eq!(address(text), expected.parse().ok(), "{text}");
        }
        for text in [
            "",
            "(null)",
            "0.0.0.0",
            "[::]:5060",
            "192.0.2.1:",
            "192.0.2.1:99999",
            "192.0.2.1, 192.0.2.2",
            "pbx.example",
            "[192.0.2.1",
        ] {
            assert_eq!(address(text), None, "{text}");
        }
    }

    #[test]
    fn the_host_of_a_uri_is_found() {
        for text in [
            "sip.provider.example",
            "SIP.Provider.Example.:5060",
            "sip:1001@sip.provider.example:5060;transport=udp",
            "SIPS:sip.provider.example",
            "\"Bob <x@evil.example>\" <sip:1001@sip.provider.example>;tag=a",
            "1001@sip.provider.example",
            "<sip:a@b@sip.provider.example?x=y>",
        ] {
            assert_eq!(
                host(text).as_deref(),
                Some("sip.provider.example"),
                "{text}"
            );
        }
        for text in [
            "",
            "sip:",
            "<>",
            "sip:[2001:db8::1]",
            "a b",
            "x\ny",
            "caf\u{e9}.example",
        ] {
            assert_eq!(host(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn an_address_is_found_however_it_is_written(ip in any::<IpAddr>(), port in any::<u16>()) {
            let expected = (!ip.is_unspecified()).then(|| ip.to_canonical());
            prop_assert_eq!(address(&ip.to_string()), expected);
            prop_assert_eq!(address(&SocketAddr::new(ip, port).to_string()), expected);
        }

        #[test]
        fn any_text_is_answered(text in ".{0,100}") {
            let _ = address(&text);
            if let Some(name) = host(&text) {
                prop_assert!(!name.contains(['@', '<', '>', ':', ' ', '\n']));
            }
        }
    }
}
