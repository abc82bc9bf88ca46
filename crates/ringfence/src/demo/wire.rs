//! Two network namespaces joined by one cable. They have no names: the kernel removes them, the
//! cable and the program on it with the last descriptor, however the process ends.

use std::fs::{self, File};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, send, socket,
};
use rtnetlink::{LinkUnspec, LinkVeth};

const OUTSIDE: &str = "outside";
const PBX: &str = "pbx";
/// More than a frame of the demonstration has.
const FRAME: usize = 2048;

/// The cable, with a raw socket at each end.
pub(super) struct Wire {
    outside: OwnedFd,
    pbx: OwnedFd,
    /// The index of the interface at the PBX, in its namespace.
    pub(super) index: u32,
    /// The thread is in the second; only there does the index stand for the interface.
    _namespaces: [File; 2],
}

impl Wire {
    /// Moves the calling thread into the namespace of the PBX. Use a thread of its own: there is
    /// no way back.
    pub(super) fn lay() -> Result<Self> {
        let outside = fresh().context("cannot make a network namespace")?;
        let pbx = fresh().context("cannot make a network namespace")?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .build()
            .context("cannot wait for the kernel")?;
        runtime
            .block_on(join(&outside))
            .context("cannot join two network namespaces with a veth pair")?;
        // A socket that is bound before its interface is up begins with an error.
        let index = runtime.block_on(raise(PBX))?;
        let received = packet_socket(index).context("cannot listen at the PBX")?;
        setns(&outside, CloneFlags::CLONE_NEWNET).context("cannot go outside")?;
        let sent = runtime.block_on(raise(OUTSIDE)).and_then(|index| {
            packet_socket(index).context("cannot open a socket to send packets with")
        });
        setns(&pbx, CloneFlags::CLONE_NEWNET).context("cannot return to the PBX")?;
        Ok(Self {
            outside: sent?,
            pbx: received,
            index,
            _namespaces: [outside, pbx],
        })
    }

    /// Sends a frame from outside.
    pub(super) fn send(&self, frame: &[u8]) -> Result<()> {
        send(self.outside.as_raw_fd(), frame, MsgFlags::empty())
            .map(drop)
            .context("cannot send a packet into the demonstration's namespace")
    }

    /// The next frame that reached the PBX, if there is one.
    pub(super) fn received(&self) -> Result<Option<Vec<u8>>> {
        let mut frame = vec![0; FRAME];
        match recv(self.pbx.as_raw_fd(), &mut frame, MsgFlags::MSG_DONTWAIT) {
            Ok(length) => {
                frame.truncate(length);
                Ok(Some(frame))
            }
            Err(Errno::EAGAIN | Errno::EINTR) => Ok(None),
            Err(error) => Err(error).context("cannot read what reached the PBX"),
        }
    }
}

/// A new namespace for this thread, in which the kernel says nothing of its own.
fn fresh() -> Result<File> {
    unshare(CloneFlags::CLONE_NEWNET)?;
    for scope in ["all", "default"] {
        let path = format!("/proc/sys/net/ipv6/conf/{scope}/disable_ipv6");
        match fs::write(&path, "1") {
            // A kernel without IPv6 is as quiet.
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(error).context(path);
            }
            _ => {}
        }
    }
    Ok(File::open("/proc/thread-self/ns/net")?)
}

/// Makes the cable, with one end here and one in the other namespace.
async fn join(other: &File) -> Result<()> {
    let (connection, handle, _) = rtnetlink::new_connection()?;
    let task = tokio::spawn(connection);
    let cable = LinkVeth::new(PBX, OUTSIDE).build();
    handle.link().add(cable).execute().await?;
    let moved = LinkUnspec::new_with_name(OUTSIDE).setns_by_fd(other.as_raw_fd());
    handle.link().set(moved.build()).execute().await?;
    task.abort();
    Ok(())
}

/// Puts the interface up; its index.
async fn raise(interface: &str) -> Result<u32> {
    let failed = || format!("cannot put the interface {interface} up");
    let index = nix::net::if_::if_nametoindex(interface).with_context(failed)?;
    let (connection, handle, _) = rtnetlink::new_connection().with_context(failed)?;
    let task = tokio::spawn(connection);
    let up = LinkUnspec::new_with_index(index).up().build();
    handle.link().set(up).execute().await.with_context(failed)?;
    task.abort();
    Ok(index)
}

/// A socket for whole frames on one interface.
fn packet_socket(interface: u32) -> Result<OwnedFd> {
    let socket = socket(
        AddressFamily::Packet,
        SockType::Raw,
        SockFlag::SOCK_CLOEXEC,
        SockProtocol::EthAll,
    )?;
    // SAFETY: all-zero bytes are a valid `sockaddr_ll`.
    let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
    address.sll_family = libc::AF_PACKET as u16;
    address.sll_protocol = (libc::ETH_P_ALL as u16).to_be();
    address.sll_ifindex = libc::c_int::try_from(interface)?;
    // SAFETY: the address lives through the call, and the length is its size.
    let bound = unsafe {
        libc::bind(
            socket.as_raw_fd(),
            (&raw const address).cast(),
            size_of::<libc::sockaddr_ll>() as libc::socklen_t,
        )
    };
    if bound != 0 {
        return Err(io::Error::last_os_error().into());
    }
    Ok(socket)
}
