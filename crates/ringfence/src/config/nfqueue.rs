//! Packets queued by nftables, where XDP cannot be had.

use std::num::NonZero;

use super::words::words;

words! {
    /// What judges packets.
    pub enum EngineChoice {
        /// XDP, or queues of nftables where XDP cannot be had.
        Auto = "auto",
        /// A program in the kernel (XDP).
        Xdp = "xdp",
        /// The daemon, over packets that nftables queues.
        Nfqueue = "nfqueue",
    }
}

words! {
    /// What becomes of packets while nobody judges them.
    pub enum Fail {
        /// They pass, but for those of banned and denied sources.
        Open = "open",
        /// Those for services of telephony are dropped, but for permitted sources and trunks.
        Closed = "closed",
    }
}

/// `[nfqueue]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nfqueue {
    /// The number of the first queue, so that the last is below 65,536.
    pub first: u16,
    /// How many queues, 1 to 64; None is one a CPU, 8 at most.
    pub queues: Option<NonZero<u16>>,
    /// Packets that may wait in each queue, 64 to 1,000,000.
    pub length: u32,
    /// What becomes of packets while nobody judges them.
    pub fail: Fail,
}

impl Default for Nfqueue {
    fn default() -> Self {
        Self {
            first: 5060,
            queues: None,
            length: 4096,
            fail: Fail::Open,
        }
    }
}
