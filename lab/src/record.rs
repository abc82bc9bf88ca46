//! What an interface receives, frame by frame, as a capture holds it.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nix::errno::Errno;
use nix::net::if_::if_nametoindex;
use nix::sys::socket::{
    AddressFamily, LinkAddr, SockFlag, SockProtocol, SockType, recvfrom, setsockopt, socket,
    sockopt::{RcvBufForce, ReceiveTimeout},
};
use nix::sys::time::{TimeVal, TimeValLike};

use crate::error::{During, Result};
use crate::netns::Netns;

/// How long [`Recorder::stop`] waits for frames on their way.
const SETTLE: Duration = Duration::from_millis(100);

/// A frame, with its Ethernet header, and when it was read, in nanoseconds since 1970.
pub type Frame = (u64, Vec<u8>);

/// Keeps what an interface receives from now on.
#[derive(Debug)]
pub struct Recorder {
    interface: String,
    ended: Arc<AtomicBool>,
    reader: JoinHandle<io::Result<Vec<Frame>>>,
}

impl Recorder {
    /// Begins. In a place with XDP, received frames are those that XDP passed.
    pub fn start(place: &Netns, interface: &str) -> Result<Self> {
        let open = || -> nix::Result<_> {
            let index = if_nametoindex(interface)?;
            let socket = socket(
                AddressFamily::Packet,
                SockType::Raw,
                SockFlag::SOCK_CLOEXEC,
                SockProtocol::EthAll,
            )?;
            setsockopt(&socket, RcvBufForce, &(16 << 20))?;
            setsockopt(&socket, ReceiveTimeout, &TimeVal::milliseconds(20))?;
            Ok((index as usize, socket))
        };
        let (index, socket) = place
            .inside(open)?
            .during(format!("record {interface} in {}", place.name()))?;
        let ended = Arc::new(AtomicBool::new(false));
        let reader = thread::spawn({
            let ended = Arc::clone(&ended);
            move || read(&socket, index, &ended)
        });
        Ok(Self {
            interface: interface.to_owned(),
            ended,
            reader,
        })
    }

    /// Waits a moment for frames on their way, and gives all.
    pub fn stop(self) -> Result<Vec<Frame>> {
        thread::sleep(SETTLE);
        self.ended.store(true, Ordering::Release);
        let frames = self.reader.join();
        frames
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            .during(format!("record {}", self.interface))
    }
}

fn read(socket: &OwnedFd, index: usize, ended: &AtomicBool) -> io::Result<Vec<Frame>> {
    let (mut frames, mut buffer) = (Vec::new(), vec![0; 1 << 17]);
    loop {
        // Read before the socket is emptied, so that what came before the end is kept.
        let last = ended.load(Ordering::Acquire);
        match recvfrom::<LinkAddr>(socket.as_raw_fd(), &mut buffer) {
            Ok((length, Some(from)))
                if from.ifindex() == index && from.pkttype() != libc::PACKET_OUTGOING =>
            {
                let now = SystemTime::now().duration_since(UNIX_EPOCH);
                let now = now.map_err(io::Error::other)?.as_nanos();
                let now = u64::try_from(now).map_err(io::Error::other)?;
                frames.push((now, buffer[..length].to_vec()));
            }
            Ok(_) | Err(Errno::EINTR) => {}
            Err(Errno::EAGAIN) if last => return Ok(frames),
            Err(Errno::EAGAIN) => {}
            Err(error) => return Err(error.into()),
        }
    }
}
