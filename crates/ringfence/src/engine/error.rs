//! What can go wrong between the daemon and the kernel.

use std::io;
use std::path::PathBuf;

/// Why the fence does not stand, or could not be changed.
#[derive(Debug, thiserror::Error)]
pub enum FenceError {
    /// Capabilities are missing.
    #[error("missing: {0}; run as root, or give the process these capabilities")]
    Privilege(String),
    /// The directory is not on a BPF file system.
    #[error(
        "{} is not a BPF file system; run `mount -t bpf bpf {}`, or name another with --bpffs",
        path.display(), path.display()
    )]
    NoBpffs {
        /// The directory.
        path: PathBuf,
    },
    /// Another process has loaded the fence that is pinned there.
    #[error(
        "another daemon holds the fence at {}; change it with `ringfence reload`, or end that daemon first",
        path.display()
    )]
    Held {
        /// The directory of the pins.
        path: PathBuf,
    },
    /// A directory or pin could not be made, read or removed.
    #[error("cannot {action} {}: {source}", path.display())]
    Pin {
        /// What was tried.
        action: &'static str,
        /// Where.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Somebody else may change what is pinned.
    #[error(
        "{} belongs to another user, or others may write to it; see who made it, and remove it with `rm -r {}`",
        path.display(), path.display()
    )]
    Foreign {
        /// The directory.
        path: PathBuf,
    },
    /// A pinned map is not the one that this program needs.
    #[error(
        "the pinned map {name} at {} has another layout than this program needs; \
         remove the fence with `ringfence stop` and start anew", path.display()
    )]
    Layout {
        /// The map.
        name: &'static str,
        /// Its pin.
        path: PathBuf,
    },
    /// The object could not be loaded.
    #[error("the kernel does not take the maps of the fence: {0}")]
    Object(#[from] Box<aya::EbpfError>),
    /// The verifier or the kernel refused the program.
    #[error("the kernel does not take the program of the fence: {0}")]
    Program(#[from] Box<aya::programs::ProgramError>),
    /// What this host sends is not seen.
    #[error("cannot attach to what {interface} sends: {source}")]
    Egress {
        /// The interface.
        interface: String,
        /// What the kernel answered.
        source: Box<aya::programs::ProgramError>,
    },
    /// The object lacks a map or program.
    #[error("the program inside this binary has no {0}; build it again")]
    Missing(&'static str),
    /// A map could not be read or written.
    #[error("cannot {action} the map {name}: {source}")]
    Map {
        /// The map.
        name: &'static str,
        /// What was tried.
        action: &'static str,
        /// What the kernel said.
        source: io::Error,
    },
    /// More than a map has room for.
    #[error("{count} {what} are more than the {room} that there is room for")]
    Full {
        /// What they are.
        what: &'static str,
        /// How many.
        count: usize,
        /// The room.
        room: u32,
    },
    /// Another program is in the way.
    #[error(
        "another XDP program is attached to {interface}; remove it with `ip link set dev {interface} xdp off`, \
         or its owner's own command"
    )]
    Occupied {
        /// The interface.
        interface: String,
    },
    /// The program could not be attached.
    #[error(
        "cannot attach to {interface}: in the driver: {driver}; in the network stack: {generic}"
    )]
    Attach {
        /// The interface.
        interface: String,
        /// What the kernel said to the driver's mode.
        driver: io::Error,
        /// What the kernel said to the generic mode.
        generic: io::Error,
    },
    /// A queue of nftables could not be held.
    #[error(
        "cannot hold queue {number} of nftables: {source}; where another process holds it, name others with `first` in [nfqueue]"
    )]
    Queue {
        /// Its number.
        number: u16,
        /// What the kernel said.
        source: io::Error,
    },
    /// The kernel queues no packets.
    #[error(
        "the kernel queues no packets for nftables: {0}; it needs its module nft_queue, or nft_compat and xt_NFQUEUE"
    )]
    NoQueues(#[source] io::Error),
    /// nftables could not be used.
    #[error(transparent)]
    Nft(#[from] crate::nft::NftError),
    /// There is no clock or randomness.
    #[error("the system gives no {what}: {source}")]
    System {
        /// What is missing.
        what: &'static str,
        /// What the system said.
        source: io::Error,
    },
}
