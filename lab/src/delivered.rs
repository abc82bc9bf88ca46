//! Counts what the kernel hands to the programs of a namespace: what passed netfilter as well.

use std::io;
use std::net::{IpAddr, Ipv6Addr};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::sockopt::{BindToDevice, RcvBufForce};
use nix::sys::socket::{
    AddressFamily, SockFlag, SockProtocol, SockType, SockaddrIn6, SockaddrStorage, recvfrom,
    setsockopt, socket,
};

use crate::packets::{BUFFER, Packet};

/// Sockets that hear every UDP and TCP packet which an interface hands up.
pub(crate) struct Delivered {
    sockets: Vec<Raw>,
}

struct Raw {
    socket: OwnedFd,
    protocol: u8,
    is_v6: bool,
}

impl Delivered {
    /// Opens them in the namespace of the calling thread.
    pub(crate) fn open(interface: &str) -> nix::Result<Self> {
        let mut sockets = Vec::new();
        for (family, is_v6) in [(AddressFamily::Inet, false), (AddressFamily::Inet6, true)] {
            for (kind, protocol) in [
                (SockProtocol::Udp, libc::IPPROTO_UDP),
                (SockProtocol::Tcp, libc::IPPROTO_TCP),
            ] {
                let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
                let socket = socket(family, SockType::Raw, flags, kind)?;
                setsockopt(&socket, RcvBufForce, &BUFFER)?;
                setsockopt(&socket, BindToDevice, &interface.into())?;
                sockets.push(Raw {
                    socket,
                    protocol: protocol as u8,
                    is_v6,
                });
            }
        }
        Ok(Self { sockets })
    }

    /// Counts until told to end and nothing is left.
    pub(crate) fn read(
        &self,
        filter: &dyn Fn(&Packet<'_>) -> bool,
        count: &AtomicU64,
        ended: &AtomicBool,
    ) -> io::Result<u64> {
        let mut buffer = vec![0; 1 << 16];
        loop {
            // Read before the sockets are emptied, so that what came before the end is counted.
            let last = ended.load(Ordering::Acquire);
            for raw in &self.sockets {
                while raw.next(&mut buffer, filter, count)? {}
            }
            if last {
                return Ok(0);
            }
            let mut wanted: Vec<_> = self
                .sockets
                .iter()
                .map(|raw| PollFd::new(raw.socket.as_fd(), PollFlags::POLLIN))
                .collect();
            match poll(&mut wanted, PollTimeout::from(20u8)) {
                Ok(_) | Err(Errno::EINTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

impl Raw {
    /// Takes a packet in; whether there was one.
    fn next(
        &self,
        buffer: &mut [u8],
        filter: &dyn Fn(&Packet<'_>) -> bool,
        count: &AtomicU64,
    ) -> io::Result<bool> {
        let (length, from) = match recvfrom::<SockaddrStorage>(self.socket.as_raw_fd(), buffer) {
            Ok(received) => received,
            Err(Errno::EINTR) => return Ok(true),
            Err(Errno::EAGAIN) => return Ok(false),
            Err(error) => return Err(error.into()),
        };
        let bytes = buffer.get(..length).unwrap_or_default();
        // Over IPv6 the socket leaves the header out.
        let packet = match self.is_v6 {
            false => Packet::parse(bytes, false),
            true => {
                let from = from.as_ref().and_then(SockaddrStorage::as_sockaddr_in6);
                let from = from.map_or(Ipv6Addr::UNSPECIFIED, SockaddrIn6::ip);
                let to = IpAddr::V6(Ipv6Addr::UNSPECIFIED);
                Some(Packet::of(from.into(), to, self.protocol, bytes, false))
            }
        };
        if packet.is_some_and(|packet| filter(&packet)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        Ok(true)
    }
}
