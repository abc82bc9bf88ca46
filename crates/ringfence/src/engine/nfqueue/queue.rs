//! A queue of nftables, held.

use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_NETFILTER};
use nix::sys::socket::{setsockopt, sockopt};
use nix::sys::time::TimeVal;

use super::protocol::{self, Message, Verdict};

/// Room for what the kernel says at once: one packet, or a few small messages.
const ROOM: usize = 0x1_2000;
/// Bytes of packets that may wait in the socket.
const WAITING: usize = 16 << 20;
/// After so long without a packet the holder looks whether it is to end.
const PATIENCE: Duration = Duration::from_millis(250);

/// A queue of nftables, held until this value goes: then its packets go where the rule says.
pub struct Queue {
    socket: Socket,
    number: u16,
    room: Vec<u8>,
    answer: Vec<u8>,
}

impl Queue {
    /// Holds the queue with this number in the thread's network namespace. `length` packets may wait; beyond, packets
    /// are dropped, or pass where `open`.
    ///
    /// # Errors
    /// EPERM without CAP_NET_ADMIN; EBUSY when another process holds it; EPROTONOSUPPORT or EINVAL on a kernel without queues.
    pub fn hold(number: u16, length: u32, open: bool) -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_NETFILTER)?;
        socket.bind_auto()?;
        socket.connect(&SocketAddr::new(0, 0))?;
        // What is lost is counted by the kernel; an error would cost the packets behind it their verdicts.
        socket.set_no_enobufs(true)?;
        let fd = socket.as_fd();
        setsockopt(&fd, sockopt::RcvBufForce, &WAITING)?;
        let patience = TimeVal::new(0, PATIENCE.subsec_micros().into());
        setsockopt(&fd, sockopt::ReceiveTimeout, &patience)?;
        let mut queue = Self {
            socket,
            number,
            room: Vec::with_capacity(ROOM),
            answer: Vec::new(),
        };
        queue
            .socket
            .send(&protocol::bind(number, length, open), 0)?;
        loop {
            queue.receive(0)?;
            // No packet is there before the queue is held.
            let done = protocol::messages(&queue.room).find_map(|message| match message {
                Message::Done(code) => Some(code),
                _ => None,
            });
            match done {
                Some(0) => return Ok(queue),
                Some(code) => return Err(io::Error::from_raw_os_error(code)),
                None => {}
            }
        }
    }

    fn receive(&mut self, flags: libc::c_int) -> io::Result<()> {
        self.room.clear();
        let room = &mut self.room;
        loop {
            match self.socket.recv(room, flags) {
                Ok(_) => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Waits for packets, and hands each of what came at once to `judge`. None where nothing came for a while, or, unless
    /// it is to `wait`, at once.
    pub fn next(
        &mut self,
        wait: bool,
        mut judge: impl FnMut(protocol::Packet<'_>),
    ) -> io::Result<Option<()>> {
        match self.receive(if wait { 0 } else { libc::MSG_DONTWAIT }) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
            Err(error) => return Err(error),
        }
        for message in protocol::messages(&self.room) {
            if let Message::Packet(packet) = message {
                judge(packet);
            }
        }
        Ok(Some(()))
    }

    /// Tells the kernel verdicts on packets, in the order of their numbers.
    pub fn tell(&mut self, verdicts: &[Verdict]) -> io::Result<()> {
        protocol::verdicts(self.number, verdicts, &mut self.answer);
        self.socket.send(&self.answer, 0).map(drop)
    }
}
