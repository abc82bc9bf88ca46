//! Looking on at the packets of an interface: nothing is attached, and nothing changes for them.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, LinkAddr, SockFlag, SockProtocol, SockType, SockaddrLike, bind, recvfrom, socket,
};

/// EtherType that stands for all (linux/if_ether.h).
const ALL: u16 = libc::ETH_P_ALL as u16;

/// A packet socket on one interface. It gives packets from their IP header on. Source: packet(7), it takes CAP_NET_RAW.
#[derive(Debug)]
pub struct Tap {
    socket: OwnedFd,
}

/// A packet that was heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Overheard {
    /// Bytes of it that are in the buffer.
    pub length: usize,
    /// Whether this host sends it.
    pub leaves: bool,
}

impl Tap {
    /// Begins to listen on an interface by its index. It does not block.
    ///
    /// # Errors
    /// What the kernel says; EPERM without CAP_NET_RAW.
    pub fn open(interface: u32) -> io::Result<Self> {
        let socket = socket(
            AddressFamily::Packet,
            SockType::Datagram,
            SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK,
            // It hears nothing before it is bound to its interface.
            None::<SockProtocol>,
        )?;
        let address = libc::sockaddr_ll {
            sll_family: libc::AF_PACKET as u16,
            sll_protocol: ALL.to_be(),
            sll_ifindex: interface.cast_signed(),
            sll_hatype: 0,
            sll_pkttype: 0,
            sll_halen: 0,
            sll_addr: [0; 8],
        };
        // SAFETY: the address is a `sockaddr_ll` of the length given.
        let address = unsafe {
            LinkAddr::from_raw(
                (&raw const address).cast(),
                Some(size_of_val(&address) as libc::socklen_t),
            )
        };
        let address = address.ok_or(io::ErrorKind::InvalidInput)?;
        bind(socket.as_raw_fd(), &address)?;
        Ok(Self { socket })
    }

    /// The next packet of IP that this host sends or that is for this host; none where there is none now. What is longer
    /// than the buffer is cut.
    ///
    /// # Errors
    /// What the kernel says, such as ENETDOWN once after the interface went down.
    pub fn next(&self, buffer: &mut [u8]) -> io::Result<Option<Overheard>> {
        loop {
            let (length, from) = match recvfrom::<LinkAddr>(self.socket.as_raw_fd(), buffer) {
                Ok((length, Some(from))) => (length, from),
                Ok((_, None)) | Err(Errno::EINTR) => continue,
                Err(Errno::EAGAIN) => return Ok(None),
                Err(error) => return Err(error.into()),
            };
            let leaves = from.pkttype() == libc::PACKET_OUTGOING;
            let protocol = u16::from_be(from.protocol());
            let ip = protocol == libc::ETH_P_IP as u16 || protocol == libc::ETH_P_IPV6 as u16;
            if ip && from.pkttype() != libc::PACKET_OTHERHOST {
                return Ok(Some(Overheard { length, leaves }));
            }
        }
    }

    /// Packets that came and were not heard, for there was no room; the counter starts anew with each call.
    pub fn missed(&self) -> u64 {
        // tpacket_stats: packets, drops (linux/if_packet.h).
        let mut counts = [0_u32; 2];
        let mut length = size_of_val(&counts) as libc::socklen_t;
        // SAFETY: the kernel writes at most `length` bytes to `counts`, and then its length.
        let answer = unsafe {
            libc::getsockopt(
                self.socket.as_raw_fd(),
                libc::SOL_PACKET,
                libc::PACKET_STATISTICS,
                (&raw mut counts).cast(),
                &raw mut length,
            )
        };
        if answer == 0 { u64::from(counts[1]) } else { 0 }
    }
}

impl AsFd for Tap {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;
    use std::time::{Duration, Instant};

    use super::*;
    use crate::net::interfaces;
    use crate::net::testing::{ip, namespace};

    #[test]
    fn both_directions_are_heard_from_the_ip_header_on() {
        namespace(async || {
            ip("link set lo up");
            let lo = interfaces().await.unwrap().remove(0);
            let tap = Tap::open(lo.index).unwrap();
            let mut buffer = [0; 2048];
            assert_eq!(tap.next(&mut buffer).unwrap(), None);
            let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
            socket.send_to(b"ringfence", "127.0.0.1:9").unwrap();
            let until = Instant::now() + Duration::from_secs(5);
            let mut seen = Vec::new();
            // On loopback each packet is sent and received.
            while seen.len() < 2 && Instant::now() < until {
                if let Some(heard) = tap.next(&mut buffer).unwrap() {
                    let packet = &buffer[..heard.length];
                    if packet.ends_with(b"ringfence") && packet[9] == 17 {
                        assert_eq!((packet[0], packet.len()), (0x45, 37));
                        seen.push(heard.leaves);
                    }
                }
            }
            seen.sort_unstable();
            assert_eq!(seen, [false, true]);
            assert_eq!(tap.missed(), 0);
        });
    }
}
