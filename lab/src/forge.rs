//! Datagrams with a source that is not the sender's.

use std::mem;
use std::net::SocketAddrV4;
use std::os::fd::{AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, SockaddrIn, sendto, socket,
};

use crate::error::{During, Result};
use crate::netns::Netns;

/// Sends UDP over IPv4 from any source, by way of the router.
#[derive(Debug)]
pub struct Forger {
    socket: OwnedFd,
    packet: Vec<u8>,
}

impl Forger {
    /// Opens a raw socket in a place.
    pub fn open(place: &Netns) -> Result<Self> {
        let open = || {
            socket(
                AddressFamily::Inet,
                SockType::Raw,
                SockFlag::SOCK_CLOEXEC,
                // A whole packet is sent, with the header that it brings.
                SockProtocol::Raw,
            )
        };
        let socket = place
            .inside(open)?
            .during(format!("open a raw socket in {}", place.name()))?;
        Ok(Self {
            socket,
            packet: Vec::new(),
        })
    }

    /// Sends one datagram. Where there is no room it tries again.
    pub fn send(&mut self, from: SocketAddrV4, to: SocketAddrV4, payload: &[u8]) -> Result<()> {
        let mut packet = mem::take(&mut self.packet);
        datagram(&mut packet, from, to, payload);
        let sent = loop {
            let to = SockaddrIn::from(to);
            match sendto(self.socket.as_raw_fd(), &packet, &to, MsgFlags::empty()) {
                Ok(_) => break Ok(()),
                Err(Errno::ENOBUFS | Errno::EAGAIN | Errno::EINTR) => std::thread::yield_now(),
                Err(error) => break Err(error).during("send a forged packet"),
            }
        };
        self.packet = packet;
        sent
    }
}

/// An IP packet; the kernel writes the checksum of its header, and UDP needs none over IPv4.
fn datagram(packet: &mut Vec<u8>, from: SocketAddrV4, to: SocketAddrV4, payload: &[u8]) {
    let length = |bytes: usize| u16::try_from(bytes).unwrap_or(u16::MAX).to_be_bytes();
    packet.clear();
    packet.extend([0x45, 0]);
    packet.extend(length(28 + payload.len()));
    packet.extend([0, 0, 0, 0, 64, 17, 0, 0]);
    packet.extend(from.ip().octets());
    packet.extend(to.ip().octets());
    packet.extend(from.port().to_be_bytes());
    packet.extend(to.port().to_be_bytes());
    packet.extend(length(8 + payload.len()));
    packet.extend([0, 0]);
    packet.extend(payload);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_and_addresses() {
        let mut packet = Vec::new();
        let (from, to) = ("198.18.0.1:5060", "192.0.2.10:5061");
        datagram(
            &mut packet,
            from.parse().unwrap(),
            to.parse().unwrap(),
            b"abc",
        );
        assert_eq!(packet.len(), 31);
        assert_eq!((packet[3], packet[25]), (31, 11));
        assert_eq!(packet[12..20], [198, 18, 0, 1, 192, 0, 2, 10]);
    }
}
