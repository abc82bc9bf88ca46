//! The judge in the daemon, over packets that nftables queues: where the kernel takes no program of ours.
//!
//! What differs from the judge in the kernel: packets are from the IP header on, put together from their fragments and
//! without segmentation offload; trust and rates live in the daemon and go with it, as over a reboot; and while the daemon
//! is away, only bans and denied sources are dropped.

mod desk;
mod engine;
mod fence;
mod keeper;
mod netlink;
mod protocol;
mod queue;
mod rules;
mod sets;
mod statistics;
mod target;
mod worker;

pub use fence::{Fence, Settings, remove, stands, works};
pub use rules::TABLE;

/// The name of this kind of fence in the configuration.
pub const NAME: &str = "nfqueue";
