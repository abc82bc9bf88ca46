//! A cable that carries nothing but the frames that a test puts on it.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::net::if_::if_nametoindex;
use nix::sys::socket::{
    AddressFamily, LinkAddr, MsgFlags, SockFlag, SockProtocol, SockType, SockaddrLike, bind, send,
    socket,
};

use crate::error::{During, Error, Result};
use crate::netns::Netns;
use crate::process::must;

/// The sending end of a cable. Its interfaces have no addresses, and the kernel says nothing on
/// them by itself: what the other end receives is what was sent.
#[derive(Debug)]
pub struct Wire {
    name: String,
    to: String,
    socket: OwnedFd,
}

impl Wire {
    /// Lays a cable between two places; both ends are called `name`.
    pub fn lay(from: &Netns, to: &Netns, name: &str) -> Result<Self> {
        must(from.ip().args(["link", "add", name, "type", "veth"]).args([
            "peer",
            "name",
            name,
            "netns",
            to.name(),
        ]))?;
        for place in [from, to] {
            place.set(&format!("net/ipv6/conf/{name}/disable_ipv6"), "1")?;
            must(place.ip().args(["link", "set", name, "up"]))?;
        }
        let socket = from
            .inside(|| packet_socket(name))?
            .during(format!("send on {name} in {}", from.name()))?;
        Ok(Self {
            name: name.to_owned(),
            to: to.name().to_owned(),
            socket,
        })
    }

    /// Sends one Ethernet frame. While the other end has no room it tries again: a frame that
    /// was accepted has arrived.
    pub fn send(&self, frame: &[u8]) -> Result<()> {
        loop {
            match send(self.socket.as_raw_fd(), frame, MsgFlags::empty()) {
                Ok(_) => return Ok(()),
                Err(Errno::ENOBUFS | Errno::EAGAIN | Errno::EINTR) => std::thread::yield_now(),
                Err(error) => return Err(error).during(format!("send on {}", self.name)),
            }
        }
    }

    /// Frames that the interface at the other end has received, dropped by XDP or not.
    pub fn received(&self) -> Result<u64> {
        let mut command = std::process::Command::new("ip");
        command.args(["-n", &self.to, "-s", "-o", "link", "show", &self.name]);
        let text = must(&mut command)?;
        received(&text).ok_or_else(|| Error::Failed {
            command: format!("{command:?}"),
            output: text,
        })
    }
}

fn packet_socket(interface: &str) -> io::Result<OwnedFd> {
    let index = if_nametoindex(interface)?;
    let socket = socket(
        AddressFamily::Packet,
        SockType::Raw,
        SockFlag::SOCK_CLOEXEC,
        // No protocol: it sends and hears nothing.
        None::<SockProtocol>,
    )?;
    let address = libc::sockaddr_ll {
        sll_family: libc::AF_PACKET as u16,
        sll_protocol: 0,
        sll_ifindex: index.cast_signed(),
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
    Ok(socket)
}

/// The packets received, from the statistics that `ip -s -o link` prints.
fn received(text: &str) -> Option<u64> {
    let (_, numbers) = text.split_once("RX:")?.1.split_once('\\')?;
    numbers.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::received;

    #[test]
    fn reads_statistics() {
        let text = "2: eth1@if2: <UP> mtu 1500\\    link/ether 0a brd ff\\    \
                    RX:  bytes packets errors dropped  missed   mcast           \\         \
                    646       9      0       0       0       0 \\    TX:  bytes packets\\ 1 2\n";
        assert_eq!(received(text), Some(9));
        assert_eq!(received("2: eth1"), None);
    }
}
