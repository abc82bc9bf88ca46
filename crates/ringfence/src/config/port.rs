//! Ports of a service: `udp/5060`, `tcp/5060-5069`.

use std::fmt;
use std::str::FromStr;

use super::words::{Protocol, Word};
use super::wrong::{Wrong, quoted};

/// The ports from a first to a last one, both included, of one transport protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortRange {
    /// The transport protocol.
    pub protocol: Protocol,
    /// The first port, at least 1.
    pub first: u16,
    /// The last port, at least `first`.
    pub last: u16,
}

impl PortRange {
    /// The range of one port.
    pub const fn one(protocol: Protocol, port: u16) -> Self {
        Self {
            protocol,
            first: port,
            last: port,
        }
    }

    /// Whether it holds this port of this protocol.
    pub fn contains(&self, protocol: Protocol, port: u16) -> bool {
        self.protocol == protocol && (self.first..=self.last).contains(&port)
    }
}

impl FromStr for PortRange {
    type Err = Wrong;

    fn from_str(text: &str) -> Result<Self, Wrong> {
        let wrong = |fix: String| Wrong::new(format!("{} is not a port", quoted(text)), fix);
        let Some((protocol, ports)) = text.split_once('/') else {
            return Err(wrong(match port(text) {
                Some(n) => format!("write \"udp/{n}\" or \"tcp/{n}\""),
                None => "write a protocol and a port, such as \"udp/5060\"".into(),
            }));
        };
        let Some(protocol) = Protocol::from_word(protocol) else {
            // `5060/udp` is how /etc/services has it.
            let fix = match (Protocol::from_word(&ports.to_lowercase()), port(protocol)) {
                (Some(p), Some(n)) => format!("write \"{p}/{n}\""),
                _ => "the protocol is udp or tcp, such as \"udp/5060\"".into(),
            };
            return Err(wrong(fix));
        };
        let (first, last) = ports.split_once('-').unwrap_or((ports, ports));
        let (Some(first), Some(last)) = (port(first), port(last)) else {
            return Err(wrong(format!(
                "write a port from 1 to 65535, such as \"{protocol}/5060\""
            )));
        };
        if last < first {
            return Err(wrong(format!(
                "write the lower port first: \"{protocol}/{last}-{first}\""
            )));
        }
        Ok(Self {
            protocol,
            first,
            last,
        })
    }
}

fn port(text: &str) -> Option<u16> {
    // `parse` would take a sign.
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|n| digits && *n > 0)
}

impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.protocol, self.first)?;
        if self.first != self.last {
            write!(f, "-{}", self.last)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_read_and_written_back() {
        for text in ["udp/5060", "tcp/5060-5069", "tcp/1-65535"] {
            assert_eq!(text.parse::<PortRange>().unwrap().to_string(), text);
        }
        assert_eq!(
            "udp/7-7".parse::<PortRange>().unwrap(),
            PortRange::one(Protocol::Udp, 7)
        );
    }

    #[test]
    fn a_wrong_port_says_what_to_write() {
        for (text, fix) in [
            ("5060", "udp/5060"),
            ("5060/UDP", "\"udp/5060\""),
            ("sctp/5060", "udp or tcp"),
            ("udp/0", "1 to 65535"),
            ("udp/65536", "1 to 65535"),
            ("udp/+5", "1 to 65535"),
            ("udp/", "1 to 65535"),
            ("tcp/5069-5060", "tcp/5060-5069"),
            ("", "udp/5060"),
        ] {
            let wrong = text.parse::<PortRange>().unwrap_err();
            assert!(wrong.fix().contains(fix), "{text}: {wrong}");
        }
    }
}
