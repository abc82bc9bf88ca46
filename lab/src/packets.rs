//! Counts what is really on the wire of a namespace.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use nix::errno::Errno;
use nix::net::if_::if_nametoindex;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{
    AddressFamily, LinkAddr, SockFlag, SockProtocol, SockType, recvfrom, setsockopt, socket,
    sockopt::RcvBufForce,
};

use crate::delivered::Delivered;
use crate::error::{During, Error, Result};
use crate::netns::Netns;

/// What the kernel may hold back for a reader that is late, in bytes.
pub(crate) const BUFFER: usize = 32 << 20;
/// How long [`PacketCounter::stop`] waits for packets on their way.
const SETTLE: Duration = Duration::from_millis(100);

/// A packet seen on an interface.
#[derive(Debug)]
pub struct Packet<'a> {
    /// Whether this namespace sent it.
    pub outgoing: bool,
    /// The source address.
    pub src: IpAddr,
    /// The destination address.
    pub dst: IpAddr,
    /// The protocol number, of the first header after IP.
    pub protocol: u8,
    /// Source and destination port of UDP and TCP.
    pub ports: Option<(u16, u16)>,
    /// What follows the IP header.
    pub payload: &'a [u8],
}

impl<'a> Packet<'a> {
    pub(crate) fn parse(bytes: &'a [u8], outgoing: bool) -> Option<Self> {
        let (src, dst, protocol, payload) = match bytes.first()? >> 4 {
            4 => {
                let header = bytes.first_chunk::<20>()?;
                let src = Ipv4Addr::from_octets(*header[12..].first_chunk()?);
                let dst = Ipv4Addr::from_octets(*header[16..].first_chunk()?);
                let length = usize::from(header[0] & 15) * 4;
                (src.into(), dst.into(), header[9], bytes.get(length..)?)
            }
            6 => {
                let (header, payload) = bytes.split_first_chunk::<40>()?;
                let src = Ipv6Addr::from_octets(*header[8..].first_chunk()?);
                let dst = Ipv6Addr::from_octets(*header[24..].first_chunk()?);
                (IpAddr::V6(src), IpAddr::V6(dst), header[6], payload)
            }
            _ => return None,
        };
        Some(Self::of(src, dst, protocol, payload, outgoing))
    }

    pub(crate) fn of(
        src: IpAddr,
        dst: IpAddr,
        protocol: u8,
        payload: &'a [u8],
        outgoing: bool,
    ) -> Self {
        let ports = match (i32::from(protocol), payload) {
            (libc::IPPROTO_UDP | libc::IPPROTO_TCP, &[a, b, c, d, ..]) => {
                Some((u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])))
            }
            _ => None,
        };
        Self {
            outgoing,
            src,
            dst,
            protocol,
            ports,
            payload,
        }
    }

    /// Whether it is UDP or TCP from or to this port.
    pub fn has_port(&self, port: u16) -> bool {
        self.ports
            .is_some_and(|(src, dst)| src == port || dst == port)
    }
}

/// A running count of the packets on one interface that a filter lets through.
///
/// TCP segments may be merged by receive offload before they are counted; UDP never is.
#[derive(Debug)]
pub struct PacketCounter {
    interface: String,
    count: Arc<AtomicU64>,
    ended: Arc<AtomicBool>,
    reader: Option<JoinHandle<io::Result<u64>>>,
}

impl PacketCounter {
    pub(crate) fn open(
        place: &Netns,
        interface: &str,
        filter: impl Fn(&Packet<'_>) -> bool + Send + 'static,
    ) -> Result<Self> {
        let (index, socket) = place
            .inside(|| -> nix::Result<_> {
                let index = if_nametoindex(interface)?;
                let socket = socket(
                    AddressFamily::Packet,
                    SockType::Datagram,
                    SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC,
                    SockProtocol::EthAll,
                )?;
                setsockopt(&socket, RcvBufForce, &BUFFER)?;
                Ok((index as usize, socket))
            })?
            .during(format!("watch {interface} in {}", place.name()))?;
        Ok(Self::start(interface, move |count, ended| {
            read(&socket, index, &filter, count, ended)
        }))
    }

    /// Counts what is handed up to programs.
    pub(crate) fn open_delivered(
        place: &Netns,
        interface: &str,
        filter: impl Fn(&Packet<'_>) -> bool + Send + 'static,
    ) -> Result<Self> {
        let delivered = place
            .inside(|| Delivered::open(interface))?
            .during(format!(
                "hear what {interface} hands up in {}",
                place.name()
            ))?;
        Ok(Self::start(interface, move |count, ended| {
            delivered.read(&filter, count, ended)
        }))
    }

    fn start(
        interface: &str,
        read: impl FnOnce(&AtomicU64, &AtomicBool) -> io::Result<u64> + Send + 'static,
    ) -> Self {
        let count = Arc::new(AtomicU64::new(0));
        let ended = Arc::new(AtomicBool::new(false));
        let reader = thread::spawn({
            let (count, ended) = (Arc::clone(&count), Arc::clone(&ended));
            move || read(&count, &ended)
        });
        Self {
            interface: interface.to_owned(),
            count,
            ended,
            reader: Some(reader),
        }
    }

    /// The packets counted so far; those of the last moments may be missing.
    pub fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    /// Waits a moment for packets on their way and tells the count. Fails when packets were
    /// lost, for then the count would be too low.
    pub fn stop(mut self) -> Result<u64> {
        thread::sleep(SETTLE);
        self.ended.store(true, Ordering::Release);
        let Some(reader) = self.reader.take() else {
            return Ok(self.count());
        };
        let lost = reader
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            .during(format!("read packets of {}", self.interface))?;
        if lost > 0 {
            return Err(Error::Lost {
                interface: self.interface.clone(),
                lost,
            });
        }
        Ok(self.count())
    }
}

impl Drop for PacketCounter {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Release);
        if let Some(reader) = self.reader.take() {
            // Its error is of no use to somebody who did not ask for the count.
            let _ = reader.join();
        }
    }
}

/// Reads until told to end and nothing is left; returns how many packets the kernel dropped.
fn read(
    socket: &OwnedFd,
    index: usize,
    filter: &dyn Fn(&Packet<'_>) -> bool,
    count: &AtomicU64,
    ended: &AtomicBool,
) -> io::Result<u64> {
    let mut buffer = vec![0; 1 << 16];
    loop {
        // Read before the socket is emptied, so that what came before the end is counted.
        let last = ended.load(Ordering::Acquire);
        loop {
            match recvfrom::<LinkAddr>(socket.as_raw_fd(), &mut buffer) {
                Ok((length, Some(from))) if from.ifindex() == index => {
                    let outgoing = from.pkttype() == libc::PACKET_OUTGOING;
                    let packet = buffer
                        .get(..length)
                        .and_then(|it| Packet::parse(it, outgoing));
                    if packet.is_some_and(|packet| filter(&packet)) {
                        count.fetch_add(1, Ordering::Relaxed);
                    }
                }
                Ok(_) | Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) => break,
                Err(error) => return Err(error.into()),
            }
        }
        if last {
            return lost(socket);
        }
        let mut wanted = [PollFd::new(socket.as_fd(), PollFlags::POLLIN)];
        match poll(&mut wanted, PollTimeout::from(20u8)) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

fn lost(socket: &OwnedFd) -> io::Result<u64> {
    let mut statistics = libc::tpacket_stats {
        tp_packets: 0,
        tp_drops: 0,
    };
    let mut length = size_of::<libc::tpacket_stats>() as libc::socklen_t;
    // SAFETY: `statistics` and `length` live through the call, and `length` is the size of
    // `statistics`, which the kernel does not write beyond.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_PACKET,
            libc::PACKET_STATISTICS,
            (&raw mut statistics).cast(),
            &raw mut length,
        )
    };
    if result == 0 {
        Ok(statistics.tp_drops.into())
    } else {
        Err(io::Error::last_os_error())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_both_families() {
        let mut v4 = vec![
            0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2,
        ];
        v4.extend([0x13, 0xc4, 0, 80, 0, 8, 0, 0]);
        let packet = Packet::parse(&v4, false).unwrap();
        assert_eq!(packet.ports, Some((5060, 80)));
        assert_eq!(packet.dst.to_string(), "192.0.2.2");
        assert!(packet.has_port(80) && !packet.has_port(81));

        let mut v6 = vec![0; 40];
        (v6[0], v6[6], v6[39]) = (0x60, 6, 1);
        v6.extend([0, 1, 0, 2]);
        let packet = Packet::parse(&v6, true).unwrap();
        assert_eq!(
            (packet.ports, packet.dst),
            (Some((1, 2)), IpAddr::V6(Ipv6Addr::LOCALHOST))
        );
    }

    #[test]
    fn anything_else_is_no_packet() {
        for bytes in [&[][..], &[0x45], &[0x60; 39], &[0; 60], &[0x4f; 30]] {
            assert!(Packet::parse(bytes, false).is_none(), "{bytes:?}");
        }
    }
}
