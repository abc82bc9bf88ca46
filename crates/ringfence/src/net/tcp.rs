//! TCP sessions of this host, by sock_diag: listing them, and ending one.

use std::io;
use std::net::{IpAddr, SocketAddr};

use netlink_packet_core::{
    NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload,
    NetlinkSerializable,
};
use netlink_packet_sock_diag::constants::{
    AF_INET, AF_INET6, IPPROTO_TCP, IPPROTO_UDP, TCP_LISTEN, TCP_TIME_WAIT,
};
use netlink_packet_sock_diag::inet::{
    ExtensionFlags, InetRequest, InetResponseHeader, SocketId, StateFlags,
};
use netlink_packet_sock_diag::{SockDiagDestroy, SockDiagMessage};
use netlink_sys::protocols::NETLINK_SOCK_DIAG;
use netlink_sys::{Socket, SocketAddr as KernelAddr};

use super::NetError;

/// The cookie that stands for any socket.
const ANY_COOKIE: [u8; 8] = [0xff; 8];

/// A TCP session of this host. Addresses of IPv4 sessions are IPv4, also where the socket is an IPv6 one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TcpSession {
    /// This host's end.
    pub local: SocketAddr,
    /// The other end.
    pub remote: SocketAddr,
}

/// Ends the TCP session that packets from `src` to `dst` belong to: `dst` is this host's end. Its owner is told by an
/// error; the reset that the kernel sends the peer leaves only where the fence lets it. False where there is no such
/// session, or it is already closing in TIME-WAIT. A listening socket is never touched.
///
/// Source: SOCK_DESTROY, Linux 4.5; it takes CAP_NET_ADMIN and CONFIG_INET_DIAG_DESTROY.
pub fn destroy_tcp(src: SocketAddr, dst: SocketAddr) -> Result<bool, NetError> {
    let wanted = TcpSession {
        local: unmapped(dst),
        remote: unmapped(src),
    };
    let mut diag = Diag::open()?;
    let found = match diag.look_up(&wanted)? {
        Some(found) => Some(found),
        // A socket that is bound to a device or a VRF is not met by its addresses alone.
        None => diag
            .list(IPPROTO_TCP, sessions())?
            .into_iter()
            .find(|found| session(found) == wanted),
    };
    match found {
        Some(found) => diag.destroy(&found),
        None => Ok(false),
    }
}

/// The established TCP sessions of this host with others, in no order.
///
/// # Errors
/// When the kernel cannot be asked.
pub fn tcp_sessions() -> Result<Vec<TcpSession>, NetError> {
    let all = established()?;
    let sessions = all.iter().map(session);
    let with_others = |session: &TcpSession| {
        let local = session.local.ip();
        !local.is_loopback() && local != session.remote.ip()
    };
    Ok(sessions.filter(with_others).collect())
}

/// The established sessions of this network namespace.
pub(super) fn established() -> Result<Vec<InetResponseHeader>, NetError> {
    Diag::open()?.list(IPPROTO_TCP, StateFlags::ESTABLISHED)
}

/// The listening sockets of this network namespace.
pub(super) fn listening() -> Result<Vec<InetResponseHeader>, NetError> {
    Diag::open()?.list(IPPROTO_TCP, StateFlags::LISTEN)
}

/// The UDP sockets of this network namespace that hear from anyone: those that are bound and not connected.
pub(super) fn bound_udp() -> Result<Vec<InetResponseHeader>, NetError> {
    // A UDP socket is in no state of TCP; the kernel shows the one without a peer as closed.
    Diag::open()?.list(IPPROTO_UDP, StateFlags::CLOSE)
}

/// The two ends of a socket.
pub(super) fn session(socket: &InetResponseHeader) -> TcpSession {
    let id = &socket.socket_id;
    TcpSession {
        local: unmapped(SocketAddr::new(id.source_address, id.source_port)),
        remote: unmapped(SocketAddr::new(id.destination_address, id.destination_port)),
    }
}

/// Every state in which a session can be ended.
fn sessions() -> StateFlags {
    StateFlags::all() - StateFlags::LISTEN - StateFlags::TIME_WAIT - StateFlags::CLOSE
}

/// The address without a scope, and as IPv4 where it is one in IPv6 clothes.
fn unmapped(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// A blocking socket to sock_diag.
struct Diag {
    socket: Socket,
}

impl Diag {
    fn open() -> Result<Self, NetError> {
        let open = || {
            let mut socket = Socket::new(NETLINK_SOCK_DIAG)?;
            socket.bind_auto()?;
            socket.connect(&KernelAddr::new(0, 0))?;
            Ok(socket)
        };
        match open() {
            Ok(socket) => Ok(Self { socket }),
            Err(source) => Err(NetError::Socket {
                what: "TCP sessions",
                source,
            }),
        }
    }

    /// All sockets of a protocol, of both families, in these states.
    fn list(
        &mut self,
        protocol: u8,
        states: StateFlags,
    ) -> Result<Vec<InetResponseHeader>, NetError> {
        let mut found = Vec::new();
        for (family, socket_id) in [
            (AF_INET, SocketId::new_v4()),
            (AF_INET6, SocketId::new_v6()),
        ] {
            let mut question = request(family, socket_id, states.clone());
            question.protocol = protocol;
            self.send(
                NLM_F_REQUEST | NLM_F_DUMP,
                SockDiagMessage::InetRequest(question),
            )
            .and_then(|()| self.receive(|socket| found.push(socket)))
            .map_err(NetError::from_listing)?;
        }
        Ok(found)
    }

    /// The socket of this session, by its addresses; None where there is none that can be ended.
    fn look_up(&mut self, wanted: &TcpSession) -> Result<Option<InetResponseHeader>, NetError> {
        let question = request(
            family(wanted.local.ip()),
            SocketId {
                source_port: wanted.local.port(),
                destination_port: wanted.remote.port(),
                source_address: wanted.local.ip(),
                destination_address: wanted.remote.ip(),
                interface_id: 0,
                cookie: ANY_COOKIE,
            },
            StateFlags::all(),
        );
        let mut found = None;
        let asked = self
            .send(
                NLM_F_REQUEST | NLM_F_ACK,
                SockDiagMessage::InetRequest(question),
            )
            .and_then(|()| self.receive(|socket| found = Some(socket)));
        match asked {
            Err(Refusal::Kernel(error)) if error.raw_os_error() == Some(libc::ENOENT) => Ok(None),
            Err(refusal) => Err(NetError::from_listing(refusal)),
            // Where no session matches, the kernel answers with the listening socket of the port.
            Ok(()) => Ok(found.filter(|socket| {
                session(socket) == *wanted && ![TCP_LISTEN, TCP_TIME_WAIT].contains(&socket.state)
            })),
        }
    }

    /// Ends a session that was found; its cookie keeps a later socket on the same addresses safe.
    fn destroy(&mut self, found: &InetResponseHeader) -> Result<bool, NetError> {
        let question = request(found.family, found.socket_id.clone(), StateFlags::all());
        let destroy = SockDiagDestroy::new(SockDiagMessage::InetRequest(question));
        let asked = self
            .send(NLM_F_REQUEST | NLM_F_ACK, destroy)
            .and_then(|()| self.receive(|_| {}));
        match asked {
            Ok(()) => Ok(true),
            Err(Refusal::Kernel(error)) if error.raw_os_error() == Some(libc::ENOENT) => Ok(false),
            Err(Refusal::Kernel(source) | Refusal::Socket(source)) => {
                Err(NetError::Destroy { source })
            }
            Err(Refusal::Unreadable(detail)) => Err(NetError::Answer {
                what: "the end of a TCP session",
                detail,
            }),
        }
    }

    fn send<M>(&mut self, flags: u16, message: M) -> Result<(), Refusal>
    where
        M: NetlinkSerializable,
        NetlinkPayload<M>: From<M>,
    {
        let mut header = NetlinkHeader::default();
        header.flags = flags;
        let mut message = NetlinkMessage::new(header, message.into());
        message.finalize();
        let mut bytes = vec![0; message.buffer_len()];
        message.serialize(&mut bytes);
        self.socket
            .send(&bytes, 0)
            .map(|_| ())
            .map_err(Refusal::Socket)
    }

    /// Reads answers until the last one: the end of a list, or an acknowledgement.
    fn receive(&mut self, mut each: impl FnMut(InetResponseHeader)) -> Result<(), Refusal> {
        loop {
            let (bytes, _) = self.socket.recv_from_full().map_err(Refusal::Socket)?;
            let mut rest = &bytes[..];
            while !rest.is_empty() {
                let message = NetlinkMessage::<SockDiagMessage>::deserialize(rest)
                    .map_err(|error| Refusal::Unreadable(error.to_string()))?;
                match message.payload {
                    NetlinkPayload::InnerMessage(SockDiagMessage::InetResponse(socket)) => {
                        each(socket.header);
                    }
                    NetlinkPayload::Done(_) => return Ok(()),
                    NetlinkPayload::Error(error) if error.code.is_none() => return Ok(()),
                    NetlinkPayload::Error(error) => return Err(Refusal::Kernel(error.to_io())),
                    _ => {}
                }
                let length = usize::try_from(message.header.length).unwrap_or(usize::MAX);
                rest = rest
                    .get(length.next_multiple_of(4).max(4)..)
                    .unwrap_or_default();
            }
        }
    }
}

/// Why a question was not answered.
enum Refusal {
    Socket(io::Error),
    Kernel(io::Error),
    Unreadable(String),
}

impl NetError {
    fn from_listing(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Socket(source) | Refusal::Kernel(source) => Self::Sessions { source },
            Refusal::Unreadable(detail) => Self::Answer {
                what: "TCP sockets",
                detail,
            },
        }
    }
}

fn request(family: u8, socket_id: SocketId, states: StateFlags) -> InetRequest {
    InetRequest {
        family,
        protocol: IPPROTO_TCP,
        extensions: ExtensionFlags::empty(),
        states,
        socket_id,
    }
}

fn family(address: IpAddr) -> u8 {
    if address.is_ipv4() { AF_INET } else { AF_INET6 }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::net::{Ipv4Addr, Ipv6Addr, TcpListener, TcpStream};
    use std::time::Duration;

    use super::*;
    use crate::net::testing::{ip, namespace};

    /// A session between a client and a listener at `bound`, reached at `reached`.
    fn connect(bound: IpAddr, reached: IpAddr) -> (TcpListener, TcpStream, TcpStream) {
        let listener = TcpListener::bind((bound, 0)).unwrap();
        let client = TcpStream::connect((reached, listener.local_addr().unwrap().port())).unwrap();
        let (server, _) = listener.accept().unwrap();
        for end in [&client, &server] {
            end.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        }
        (listener, client, server)
    }

    #[test]
    fn a_session_is_ended_and_its_listener_is_not() {
        namespace(async || {
            ip("link set lo up");
            let v4 = IpAddr::from(Ipv4Addr::LOCALHOST);
            let v6 = IpAddr::from(Ipv6Addr::LOCALHOST);
            // The third is a dual-stack listener reached over IPv4.
            for (bound, reached) in [(v4, v4), (v6, v6), (Ipv6Addr::UNSPECIFIED.into(), v4)] {
                let (listener, mut client, mut server) = connect(bound, reached);
                let (src, dst) = (client.local_addr().unwrap(), client.peer_addr().unwrap());
                assert!(destroy_tcp(src, dst).unwrap(), "{src} to {dst}");
                let error = server.read(&mut [0]).unwrap_err();
                assert_eq!(error.kind(), io::ErrorKind::ConnectionAborted);
                let error = client.read(&mut [0]).unwrap_err();
                assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
                assert!(!destroy_tcp(src, dst).unwrap(), "it is gone");
                assert!(TcpStream::connect(dst).is_ok(), "the listener lives");
                drop(listener);
            }
        });
    }

    #[test]
    fn a_mapped_address_means_the_ipv4_session() {
        namespace(async || {
            ip("link set lo up");
            let (_listener, client, _server) =
                connect(Ipv6Addr::UNSPECIFIED.into(), Ipv4Addr::LOCALHOST.into());
            let mapped = |address: SocketAddr| {
                let IpAddr::V4(v4) = address.ip() else {
                    panic!("{address}")
                };
                SocketAddr::new(v4.to_ipv6_mapped().into(), address.port())
            };
            let (src, dst) = (client.local_addr().unwrap(), client.peer_addr().unwrap());
            assert!(destroy_tcp(mapped(src), mapped(dst)).unwrap());
        });
    }

    #[test]
    fn a_session_that_is_not_there_is_no_error() {
        namespace(async || {
            ip("link set lo up");
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let dst = listener.local_addr().unwrap();
            assert!(!destroy_tcp("127.0.0.1:9".parse().unwrap(), dst).unwrap());
            assert!(TcpStream::connect(dst).is_ok());
        });
    }
}
