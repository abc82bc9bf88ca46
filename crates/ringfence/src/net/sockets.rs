//! The sockets of this host that hear others.

use std::collections::BTreeSet;
use std::fs;
use std::net::IpAddr;

use super::{Listener, NetError, listeners};
use crate::config::Protocol;

/// A port at which somebody here hears others.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Heard {
    /// The transport protocol.
    pub protocol: Protocol,
    /// The port.
    pub port: u16,
    /// The name of the program; None where it may not be seen, or the kernel itself listens.
    pub program: Option<String>,
}

/// The ports at which somebody here hears others than this host: TCP sockets that listen, and UDP sockets without a peer.
/// UDP ports that the system gave out for a question of its own are left out. It takes root to see whose they are.
/// Source: sock_diag and /proc.
///
/// # Errors
/// When the kernel cannot be asked.
pub fn hearing() -> Result<BTreeSet<Heard>, NetError> {
    let given_out = given_out();
    let by_others = |socket: &Listener| {
        let port = socket.address.port();
        let asked = socket.protocol == Protocol::Udp && given_out.contains(&port);
        !is_loopback(socket.address.ip()) && port != 0 && !asked
    };
    let sockets = listeners()?.into_iter().filter(by_others);
    let heard = sockets.map(|socket| Heard {
        protocol: socket.protocol,
        port: socket.address.port(),
        program: socket.program,
    });
    Ok(heard.collect())
}

fn is_loopback(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

/// The ports that the system gives to sockets that ask for none in particular.
fn given_out() -> std::ops::RangeInclusive<u16> {
    let text = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    let mut ends = text
        .split_whitespace()
        .map_while(|word| word.parse::<u16>().ok());
    match (ends.next(), ends.next()) {
        (Some(first), Some(last)) => first..=last,
        _ => 32768..=60999,
    }
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, UdpSocket};

    use super::*;
    use crate::net::testing::{ip, namespace};

    #[test]
    fn who_hears_others_is_named() {
        namespace(async || {
            ip("link set lo up");
            let _tcp = TcpListener::bind("[::]:3306").unwrap();
            let _udp = UdpSocket::bind("0.0.0.0:69").unwrap();
            let _own = TcpListener::bind("127.0.0.1:5038").unwrap();
            let _asks = UdpSocket::bind("0.0.0.0:0").unwrap();
            let heard = hearing().unwrap();
            let ports: Vec<_> = heard.iter().map(|one| (one.protocol, one.port)).collect();
            assert_eq!(ports, [(Protocol::Udp, 69), (Protocol::Tcp, 3306)]);
            assert!(heard.iter().all(|one| one.program.is_some()), "{heard:?}");
        });
    }
}
