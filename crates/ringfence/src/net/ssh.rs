//! Sessions of the administrator, which a new policy must not cut off.

use std::collections::HashSet;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use super::tcp::{self, TcpSession};
use super::{NetError, holder, sshd};

/// The names of SSH servers as the kernel shows them. OpenSSH since 9.8 serves a session by a program of its own.
const SERVERS: [&str; 3] = ["sshd", "sshd-session", "dropbear"];

/// Where an SSH server listens unless it is told otherwise.
const DEFAULT_PORT: u16 = 22;

/// The established TCP sessions with one of `ports` at this host's end. Source: sock_diag.
pub fn ssh_sessions(ports: &[u16]) -> Result<Vec<TcpSession>, NetError> {
    let sessions = tcp::established()?;
    Ok(sessions
        .iter()
        .map(tcp::session)
        .filter(|session| ports.contains(&session.local.port()))
        .collect())
}

/// The ports that SSH servers listen on, sorted; 22 where none is found. Where systemd listens in their place, a session
/// that they serve tells. It takes root with CAP_SYS_PTRACE to see whose a socket is; without, the ports are those of the
/// server's configuration and command line.
pub fn sshd_ports() -> Result<Vec<u16>, NetError> {
    let proc = Path::new("/proc");
    let inodes = inodes_of(proc, &SERVERS);
    let listening = tcp::listening()?;
    let served = tcp::established()?;
    let is_theirs = |inode: u32| inodes.contains(&u64::from(inode));
    let listened: HashSet<u16> = listening.iter().map(|s| s.socket_id.source_port).collect();
    let own = listening.iter().filter(|socket| is_theirs(socket.inode));
    let inherited = served.iter().filter(|socket| {
        // A session of a forwarded port begins at a port that nobody listens on.
        is_theirs(socket.inode) && listened.contains(&socket.socket_id.source_port)
    });
    let mut ports: Vec<u16> = own
        .chain(inherited)
        .map(|s| s.socket_id.source_port)
        .collect();
    for server in named(proc, &SERVERS).filter(|server| !holder::can_be_looked_into(server)) {
        ports.extend(sshd::ports(&server, Path::new(sshd::CONFIG)));
    }
    ports.sort_unstable();
    ports.dedup();
    if ports.is_empty() {
        ports.push(DEFAULT_PORT);
    }
    Ok(ports)
}

/// The SSH session that this process was started from, as its environment says: the variable SSH_CONNECTION holds the
/// client's address and port and the server's. None outside of one; sudo may take the variable away.
pub fn ssh_connection() -> Option<TcpSession> {
    parse_connection(&std::env::var("SSH_CONNECTION").ok()?)
}

fn parse_connection(value: &str) -> Option<TcpSession> {
    let mut words = value.split_ascii_whitespace();
    let mut end = || {
        let address = words.next()?;
        // A link-local address carries the interface after a percent sign.
        let address: IpAddr = address.split('%').next()?.parse().ok()?;
        Some(SocketAddr::new(
            address.to_canonical(),
            words.next()?.parse().ok()?,
        ))
    };
    let remote = end()?;
    let local = end()?;
    words
        .next()
        .is_none()
        .then_some(TcpSession { local, remote })
}

/// The inodes of all sockets that processes of these names hold. Processes that end meanwhile, or that may not be
/// looked into, are left out.
fn inodes_of(proc: &Path, names: &[&str]) -> HashSet<u64> {
    named(proc, names)
        .flat_map(|process| holder::sockets(&process).collect::<Vec<_>>())
        .collect()
}

/// The directories of the processes of these names.
fn named(proc: &Path, names: &[&str]) -> impl Iterator<Item = PathBuf> {
    holder::processes(proc)
        .filter(|process| holder::name(process).is_some_and(|name| names.contains(&name.as_str())))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::AsRawFd;

    use super::*;
    use crate::net::testing::{ip, namespace};

    #[test]
    fn sessions_of_the_given_ports_alone() {
        namespace(async || {
            ip("link set lo up");
            let ssh = TcpListener::bind("[::]:2222").unwrap();
            let web = TcpListener::bind("127.0.0.1:8080").unwrap();
            let client = TcpStream::connect("127.0.0.1:2222").unwrap();
            let _other = TcpStream::connect("127.0.0.1:8080").unwrap();
            let client6 = TcpStream::connect("[::1]:2222").unwrap();
            let mut remotes: Vec<_> = ssh_sessions(&[2222])
                .unwrap()
                .iter()
                .map(|session| session.remote)
                .collect();
            remotes.sort_unstable();
            let expected = [client.local_addr().unwrap(), client6.local_addr().unwrap()];
            assert_eq!(remotes, expected);
            assert_eq!(ssh_sessions(&[]).unwrap(), []);
            drop((ssh, web));
        });
    }

    #[test]
    fn the_port_of_a_process_named_so() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let own = fs::read_to_string("/proc/self/comm").unwrap();
        let link = fs::read_link(format!("/proc/self/fd/{}", listener.as_raw_fd())).unwrap();
        let inodes = inodes_of(Path::new("/proc"), &[own.trim_end()]);
        let held = inodes
            .iter()
            .any(|inode| link.to_str() == Some(&format!("socket:[{inode}]")));
        assert!(held, "{link:?}");
        assert!(inodes_of(Path::new("/proc"), &["no such process"]).is_empty());
    }

    #[test]
    fn without_a_server_the_default_port_is_meant() {
        namespace(async || assert_eq!(sshd_ports().unwrap(), [DEFAULT_PORT]));
    }

    #[test]
    fn the_environment_of_a_session() {
        let session = parse_connection("198.51.100.7 50022 192.0.2.1 22").unwrap();
        assert_eq!(session.remote, "198.51.100.7:50022".parse().unwrap());
        assert_eq!(session.local, "192.0.2.1:22".parse().unwrap());
        let session = parse_connection("fe80::2%eth0 1 fe80::1%eth0 22").unwrap();
        assert_eq!(session.remote, "[fe80::2]:1".parse().unwrap());
        for odd in [
            "",
            "198.51.100.7",
            "a b c d",
            "1.2.3.4 1 1.2.3.4 99999",
            "::1 1 ::1 2 3",
        ] {
            assert_eq!(parse_connection(odd), None, "{odd}");
        }
    }
}
