//! Names of services, hosts and domains.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use super::address::AddressRange;
use super::wrong::{Wrong, quoted};

/// A domain of a service, as it stands in the host of a SIP URI (RFC 3261, section 19.1.1).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Domain {
    /// A DNS name in lower case, without a closing dot.
    Name(String),
    /// Every name below this one, written `*.example.com`; the name itself is not one of them.
    Below(String),
    /// An address.
    Address(IpAddr),
}

/// A host of a trunk.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Host {
    /// A DNS name in lower case, to be resolved by SRV, A and AAAA.
    Name(String),
    /// Addresses.
    Range(AddressRange),
}

impl FromStr for Domain {
    type Err = Wrong;

    fn from_str(text: &str) -> Result<Self, Wrong> {
        let bare = text
            .strip_prefix('[')
            .and_then(|t| t.strip_suffix(']'))
            .unwrap_or(text);
        if let Ok(address) = bare.parse::<IpAddr>() {
            return Ok(Self::Address(address.to_canonical()));
        }
        match text.strip_prefix("*.") {
            Some(rest) => dns_name(rest, text).map(Self::Below),
            None => dns_name(text, text).map(Self::Name),
        }
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Below(name) => write!(f, "*.{name}"),
            Self::Address(address) => write!(f, "{address}"),
        }
    }
}

impl FromStr for Host {
    type Err = Wrong;

    fn from_str(text: &str) -> Result<Self, Wrong> {
        // A name may hold `-`, so only what starts as an address is a range; a `/` or a last label
        // of digits belongs to an address too, and the range's message fits it better.
        let numeric = |t: &str| {
            t.rsplit('.')
                .next()
                .is_some_and(|l| l.parse::<u64>().is_ok())
        };
        let start = text
            .split('-')
            .next()
            .unwrap_or(text)
            .trim()
            .trim_start_matches('[');
        let addressed = start.trim_end_matches(']').parse::<IpAddr>().is_ok();
        let scheme = text.contains("://");
        if addressed || numeric(text) || (text.contains('/') && !scheme) {
            return text.parse().map(Self::Range);
        }
        if text.starts_with("*.") {
            return Err(Wrong::new(
                format!("{} cannot be looked up", quoted(text)),
                "write each host name of the provider",
            ));
        }
        if let Some(name) = text.strip_prefix('_').and_then(|t| t.splitn(3, '.').nth(2)) {
            return Err(Wrong::new(
                format!("{} is a service record", quoted(text)),
                format!("write the domain, \"{name}\": its service records are looked up"),
            ));
        }
        dns_name(text, text).map(Self::Name)
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Range(range) => write!(f, "{range}"),
        }
    }
}

/// Checks a DNS name (RFC 1035, section 2.3; with `_`, which the field uses) and puts it into
/// lower case without a closing dot. `whole` is what the user wrote.
fn dns_name(name: &str, whole: &str) -> Result<String, Wrong> {
    let wrong = |why: &str, fix: String| Err(Wrong::new(format!("{} {why}", quoted(whole)), fix));
    if name.is_empty() {
        return wrong(
            "is not a domain name",
            "write a name such as \"sip.example.com\"".into(),
        );
    }
    if name.contains(char::is_whitespace) {
        let mut words = whole.split_whitespace();
        let fix = match (words.next(), words.next()) {
            (Some(one), None) => format!("write {one:?}"),
            _ => "write each name as an entry of its own".into(),
        };
        return wrong("has a space in it", fix);
    }
    if let Some((_, rest)) = ["sip:", "sips:", "http://", "https://", "ws://", "wss://"]
        .iter()
        .find_map(|s| {
            name.split_at_checked(s.len())
                .filter(|(h, _)| h.eq_ignore_ascii_case(s))
        })
    {
        let host = rest.rsplit('@').next().unwrap_or(rest);
        let host = host.split([':', ';', '/', '?']).next().unwrap_or(host);
        return wrong("is a URI", format!("write its host alone: {host:?}"));
    }
    if let Some((_, host)) = name.rsplit_once('@') {
        return wrong(
            "has a user in it",
            format!("write the domain alone: {host:?}"),
        );
    }
    if let Some((host, _)) = name.rsplit_once(':') {
        return wrong(
            "has a port in it",
            format!("write it without the port: {host:?}"),
        );
    }
    if !name.is_ascii() {
        return wrong(
            "is not ASCII",
            "write the form that starts with \"xn--\"".into(),
        );
    }
    let name = name.strip_suffix('.').unwrap_or(name);
    let label = |l: &str| {
        (1..=63).contains(&l.len())
            && l.bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
            && !l.starts_with('-')
            && !l.ends_with('-')
    };
    if name.len() > 253 || !name.split('.').all(label) {
        return wrong(
            "is not a domain name",
            "write labels of letters, digits and \"-\", at most 63 each, such as \"sip.example.com\""
                .into(),
        );
    }
    if name
        .rsplit('.')
        .next()
        .is_some_and(|l| l.bytes().all(|b| b.is_ascii_digit()))
    {
        return wrong(
            "is neither an address nor a domain name",
            "write a whole address, or a name whose last label has a letter".into(),
        );
    }
    Ok(name.to_ascii_lowercase())
}

/// Checks the name of a service, trunk or proxy: it becomes a label of counters and an argument
/// of commands.
///
/// # Errors
/// When it is empty, longer than 32 bytes, or holds more than letters, digits, `.`, `-` and `_`.
pub(super) fn label(text: &str) -> Result<String, Wrong> {
    let fits = (1..=32).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
    if fits {
        return Ok(text.to_owned());
    }
    Err(Wrong::new(
        format!("{} cannot be a name", quoted(text)),
        "write 1 to 32 letters, digits, \"-\", \"_\" or \".\"",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn domains_are_read() {
        let name = |t: &str| t.parse::<Domain>().unwrap();
        assert_eq!(
            name("SIP.Example.com."),
            Domain::Name("sip.example.com".into())
        );
        assert_eq!(name("*.example.com"), Domain::Below("example.com".into()));
        assert_eq!(name("pbx"), Domain::Name("pbx".into()));
        assert_eq!(name("[2001:db8::1]").to_string(), "2001:db8::1");
        assert_eq!(name("192.0.2.1"), Domain::Address([192, 0, 2, 1].into()));
    }

    #[test]
    fn a_wrong_domain_says_what_to_write() {
        for (text, fix) in [
            ("sip example.com", "an entry of its own"),
            (" sip.example.com", "\"sip.example.com\""),
            ("sip:alice@sip.example.com:5060;lr", "\"sip.example.com\""),
            ("https://sip.example.com/x", "\"sip.example.com\""),
            ("alice@example.com", "\"example.com\""),
            ("sip.example.com:5060", "\"sip.example.com\""),
            ("192.0.2.1:5060", "\"192.0.2.1\""),
            ("bücher.example", "xn--"),
            ("*", "labels"),
            ("*.", "sip.example.com"),
            ("a..b", "labels"),
            ("-a.example", "labels"),
            ("300.1.2.3", "whole address"),
            ("", "sip.example.com"),
        ] {
            let wrong = text.parse::<Domain>().unwrap_err();
            assert!(wrong.fix().contains(fix), "{text}: {wrong}");
        }
        assert!(format!("{}.com", "a".repeat(64)).parse::<Domain>().is_err());
        assert!("a.".repeat(127).parse::<Domain>().is_ok());
        assert!("a.".repeat(128).parse::<Domain>().is_err());
    }

    #[test]
    fn hosts_are_names_or_ranges() {
        for text in [
            "sip-1.provider.example",
            "203.0.113.0/28",
            "203.0.113.1-203.0.113.9",
            "::1",
        ] {
            assert_eq!(text.parse::<Host>().unwrap().to_string(), text);
        }
        for (text, fix) in [
            ("203.0.113.1/28", "203.0.113.0/28"),
            ("203.0.113", "write an address"),
            ("_sip._udp.provider.example", "\"provider.example\""),
            ("*.provider.example", "each host name"),
            ("https://provider.example/", "\"provider.example\""),
            ("a host", "an entry of its own"),
        ] {
            let wrong = text.parse::<Host>().unwrap_err();
            assert!(wrong.fix().contains(fix), "{text}: {wrong}");
        }
    }

    #[test]
    fn labels_hold_no_surprises() {
        assert!(label("sip-tls_1.a").is_ok());
        for text in ["", "a b", "é", "a\n", &"x".repeat(33)] {
            assert!(label(text).is_err(), "{text}");
        }
    }
}
