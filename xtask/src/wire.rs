//! Raw frames on an interface: sent as they are, and seen as they come in.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::net::if_::if_nametoindex;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{AddressFamily, SockFlag, SockProtocol, SockType, socket};

/// An interface, opened for frames.
#[derive(Debug)]
pub struct Wire(OwnedFd);

impl Wire {
    /// Opens an interface of the network namespace of the calling thread.
    pub fn open(interface: &str) -> io::Result<Self> {
        let index = if_nametoindex(interface)?;
        let socket = socket(
            AddressFamily::Packet,
            SockType::Raw,
            SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC,
            SockProtocol::EthAll,
        )?;
        let address = libc::sockaddr_ll {
            sll_family: libc::AF_PACKET as u16,
            sll_protocol: (libc::ETH_P_ALL as u16).to_be(),
            sll_ifindex: index.cast_signed(),
            sll_hatype: 0,
            sll_pkttype: 0,
            sll_halen: 0,
            sll_addr: [0; 8],
        };
        // SAFETY: the address is one of a packet socket, of the length that is given.
        let result = unsafe {
            libc::bind(
                socket.as_raw_fd(),
                (&raw const address).cast(),
                size_of_val(&address) as libc::socklen_t,
            )
        };
        if result != 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(Self(socket))
    }

    /// Sends one frame.
    pub fn send(&self, frame: &[u8]) -> io::Result<()> {
        nix::unistd::write(&self.0, frame)?;
        Ok(())
    }

    /// Whether this frame comes in (or goes out) before the time is up; others are passed over.
    pub fn sees(&self, frame: &[u8], limit: Duration) -> io::Result<bool> {
        let until = Instant::now() + limit;
        let mut buffer = vec![0; 1 << 16];
        loop {
            match nix::unistd::read(&self.0, &mut buffer) {
                Ok(length) if buffer[..length] == *frame => return Ok(true),
                Ok(_) => continue,
                Err(nix::Error::EAGAIN) => {}
                Err(error) => return Err(error.into()),
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(false);
            }
            let left = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
            poll(&mut [PollFd::new(self.0.as_fd(), PollFlags::POLLIN)], left)?;
        }
    }
}
