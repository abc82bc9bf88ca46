//! Where an event came from, as Asterisk writes it: `IPV4/UDP/192.0.2.7/5060`.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use serde::{Serialize, Serializer};

/// What carries the signalling.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Transport {
    /// Datagrams: the sender's address can be forged.
    Udp,
    /// A connection.
    Tcp,
    /// TLS over TCP.
    Tls,
    /// WebSocket.
    Ws,
    /// WebSocket over TLS.
    Wss,
}

impl Transport {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Udp, Self::Tcp, Self::Tls, Self::Ws, Self::Wss];

    /// The name that Asterisk writes.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Udp => "UDP",
            Self::Tcp => "TCP",
            Self::Tls => "TLS",
            Self::Ws => "WS",
            Self::Wss => "WSS",
        }
    }

    /// The transport of this name, whatever its case.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|transport| transport.as_str().eq_ignore_ascii_case(name))
    }

    /// Whether whoever sent over it must have had answers from us, so that the address is no forgery.
    pub fn proves_address(self) -> bool {
        self != Self::Udp
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Transport {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.as_str())
    }
}

/// One end of the signalling.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Peer {
    /// What carried it.
    pub transport: Transport,
    /// Address and port; an IPv4 address is never written as IPv6.
    pub address: SocketAddr,
}

impl Peer {
    /// Reads family, transport, address and port; None where it is anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('/');
        let (family, transport) = (parts.next()?, parts.next()?);
        let (address, port) = (parts.next()?, parts.next()?);
        if parts.next().is_some() {
            return None;
        }
        // The interface of a link-local address.
        let bare = address.split_once('%').map_or(address, |(bare, _)| bare);
        let ip: IpAddr = bare.parse().ok()?;
        let fits = match family {
            "IPV4" => ip.is_ipv4(),
            "IPV6" => ip.is_ipv6(),
            _ => false,
        };
        let number = port.bytes().all(|b| b.is_ascii_digit());
        let port = port.parse().ok().filter(|_| fits && number)?;
        Some(Self {
            transport: Transport::named(transport)?,
            address: SocketAddr::new(ip.to_canonical(), port),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_read_strictly() {
        let peer = |text| Peer::parse(text).map(|p| (p.transport, p.address.to_string()));
        let is = |transport, address: &str| Some((transport, address.to_owned()));
        assert_eq!(
            peer("IPV4/UDP/192.0.2.7/5060"),
            is(Transport::Udp, "192.0.2.7:5060")
        );
        assert_eq!(
            peer("IPV6/TLS/2001:db8::1/5061"),
            is(Transport::Tls, "[2001:db8::1]:5061")
        );
        assert_eq!(
            peer("IPV6/WSS/::ffff:192.0.2.7/1"),
            is(Transport::Wss, "192.0.2.7:1")
        );
        assert_eq!(
            peer("IPV6/UDP/fe80::1%eth0/5060"),
            is(Transport::Udp, "[fe80::1]:5060")
        );
        for text in [
            "",
            "IPV4/UDP/192.0.2.7",
            "IPV4/UDP/192.0.2.7/",
            "IPV4/UDP/192.0.2.7/+5060",
            "IPV4/UDP/192.0.2.7/65536",
            "IPV4/UDP/192.0.2.7/5060/1",
            "IPV6/UDP/192.0.2.7/5060",
            "IPV4/UDP/2001:db8::1/5060",
            "IPV4/SCTP/192.0.2.7/5060",
            "UNKNOWN/UDP/192.0.2.7/5060",
            "IPV4/UDP/host/5060",
            " IPV4/UDP/192.0.2.7/5060",
        ] {
            assert_eq!(peer(text), None, "{text}");
        }
    }
}
