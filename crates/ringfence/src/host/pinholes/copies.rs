//! Copies of packets, from a group of netfilter's log. Source: linux/netfilter/nfnetlink_log.h.

use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use netlink_packet_core::{NetlinkMessage, NetlinkPayload};
use netlink_packet_netfilter::nflog::{
    ConfigCmd, ConfigMode, PacketNla, ULogMessage, config_request,
};
use netlink_packet_netfilter::{NetfilterMessage, NetfilterMessageInner, NetfilterProtoFamily};
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_NETFILTER};
use nix::sys::socket::{setsockopt, sockopt};
use nix::sys::time::TimeVal;

/// Room for what the kernel says at once.
const ROOM: usize = 0x1_2000;
/// Bytes of packets that may wait in the socket; what is more is lost.
const WAITING: usize = 4 << 20;

/// A group of netfilter's log, held until this value goes.
#[derive(Debug)]
pub(super) struct Copies {
    socket: Socket,
    room: Vec<u8>,
}

impl Copies {
    /// Holds the group in the thread's network namespace; a wait for packets ends after `patience`.
    ///
    /// # Errors
    /// EPERM without CAP_NET_ADMIN; EBUSY when another process holds it; EPROTONOSUPPORT or EINVAL where the kernel has
    /// no such log.
    pub fn hold(group: u16, patience: Duration) -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_NETFILTER)?;
        socket.bind_auto()?;
        socket.connect(&SocketAddr::new(0, 0))?;
        // What is lost is named again: a message with an SDP is repeated, and answered.
        socket.set_no_enobufs(true)?;
        let fd = socket.as_fd();
        setsockopt(&fd, sockopt::RcvBufForce, &WAITING)?;
        let patience = TimeVal::new(0, patience.subsec_micros().into());
        setsockopt(&fd, sockopt::ReceiveTimeout, &patience)?;
        let mut copies = Self {
            socket,
            room: Vec::with_capacity(ROOM),
        };
        let settings = vec![ConfigCmd::Bind.into(), ConfigMode::PACKET_MAX.into()];
        let request = config_request(NetfilterProtoFamily::Unspec, group, settings);
        let mut bytes = vec![0; request.buffer_len()];
        request.serialize(&mut bytes);
        copies.socket.send(&bytes, 0)?;
        loop {
            if !copies.receive(0)? {
                return Err(io::ErrorKind::TimedOut.into());
            }
            let done = messages(&copies.room).find_map(|message| match message.payload {
                NetlinkPayload::Error(error) => Some(error),
                _ => None,
            });
            match done {
                Some(error) if error.code.is_some() => return Err(error.to_io()),
                Some(_) => return Ok(copies),
                None => {}
            }
        }
    }

    /// Hands what came to `read`, each packet from the IP header on. Where nothing came yet it waits, unless it is not to.
    /// False where nothing came.
    pub fn next(&mut self, wait: bool, mut read: impl FnMut(&[u8])) -> io::Result<bool> {
        if !self.receive(if wait { 0 } else { libc::MSG_DONTWAIT })? {
            return Ok(false);
        }
        for message in messages(&self.room) {
            let NetlinkPayload::InnerMessage(NetfilterMessage {
                inner: NetfilterMessageInner::ULog(ULogMessage::Packet(attributes)),
                ..
            }) = message.payload
            else {
                continue;
            };
            for attribute in attributes {
                if let PacketNla::Payload(packet) = attribute {
                    read(&packet);
                }
            }
        }
        Ok(true)
    }

    fn receive(&mut self, flags: libc::c_int) -> io::Result<bool> {
        self.room.clear();
        loop {
            match self.socket.recv(&mut self.room, flags) {
                Ok(_) => return Ok(true),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
        }
    }
}

/// The messages in what was received at once; one that cannot be read ends them.
fn messages(mut bytes: &[u8]) -> impl Iterator<Item = NetlinkMessage<NetfilterMessage>> {
    std::iter::from_fn(move || {
        let message = NetlinkMessage::<NetfilterMessage>::deserialize(bytes).ok()?;
        let length = (message.header.length as usize).max(4).next_multiple_of(4);
        bytes = bytes.get(length..).unwrap_or_default();
        Some(message)
    })
}
