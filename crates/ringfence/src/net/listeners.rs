//! Every socket of this host that hears from anyone, with the program that holds it.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::Path;

use super::{NetError, holder, tcp};
use crate::config::Protocol;

/// A socket that hears from anyone: a listening TCP socket, or a bound UDP socket without a peer.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Listener {
    /// Its transport protocol.
    pub protocol: Protocol,
    /// Where it is bound; IPv4 also where it is IPv4 in IPv6 clothes.
    pub address: SocketAddr,
    /// The name of the program that holds it, as the kernel shows it; none where that may not be seen, which takes root,
    /// or where the kernel itself holds it.
    pub program: Option<String>,
}

/// All of them in this network namespace, sorted, none twice. Source: sock_diag and /proc.
///
/// # Errors
/// When the kernel cannot be asked for sockets.
pub fn listeners() -> Result<Vec<Listener>, NetError> {
    let (tcp, udp) = (tcp::listening()?, tcp::bound_udp()?);
    let tcp = tcp.iter().map(|socket| (Protocol::Tcp, socket));
    let udp = udp.iter().map(|socket| (Protocol::Udp, socket));
    let names = names(Path::new("/proc"));
    let mut found: Vec<Listener> = tcp
        .chain(udp)
        .map(|(protocol, socket)| Listener {
            protocol,
            address: tcp::session(socket).local,
            program: names.get(&u64::from(socket.inode)).cloned(),
        })
        .collect();
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

/// The names of programs by the sockets that they hold. Of a socket that several hold, the first one found.
fn names(proc: &Path) -> HashMap<u64, String> {
    let mut names = HashMap::new();
    for process in holder::processes(proc) {
        let mut sockets = holder::sockets(&process).peekable();
        if sockets.peek().is_none() {
            continue;
        }
        let Some(name) = holder::name(&process) else {
            continue;
        };
        for inode in sockets {
            names.entry(inode).or_insert_with(|| name.clone());
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream, UdpSocket};

    use super::*;
    use crate::net::testing::{ip, namespace};

    #[test]
    fn tcp_and_udp_with_their_program() {
        namespace(async || {
            ip("link set lo up");
            let own = holder::name(Path::new("/proc/self"));
            let tcp = TcpListener::bind("127.0.0.1:5061").unwrap();
            let udp = UdpSocket::bind("[::]:5060").unwrap();
            let connected = UdpSocket::bind("127.0.0.1:5070").unwrap();
            connected.connect("127.0.0.1:5060").unwrap();
            let _session = TcpStream::connect("127.0.0.1:5061").unwrap();
            let expected = [
                (Protocol::Udp, udp.local_addr().unwrap()),
                (Protocol::Tcp, tcp.local_addr().unwrap()),
            ];
            let expected = expected.map(|(protocol, address)| Listener {
                protocol,
                address,
                program: own.clone(),
            });
            assert_eq!(listeners().unwrap(), expected);
        });
    }
}
