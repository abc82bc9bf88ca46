//! What the kernel tells the daemon of a packet, sampled so that no flood can drown it.

use crate::address::Address;
use crate::bench::{Cells, Store};
use crate::hash::{Key, mix};
use crate::verdict::Verdict;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Bytes of a packet's payload that an event carries as evidence.
pub const EVIDENCE: usize = 512;

/// Seconds for which a source's further drops for the same reason are only counted.
pub const QUIET_SECONDS: u64 = 10;

/// A packet that was dropped, or in shadow mode would have been.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Event {
    /// Boot time, ns.
    pub time: u64,
    /// Source address.
    pub source: Address,
    /// Destination address.
    pub destination: Address,
    /// Interface index.
    pub interface: u32,
    /// Bytes of the frame.
    pub length: u32,
    /// Source port.
    pub source_port: u16,
    /// Destination port.
    pub destination_port: u16,
    /// Number of the signature, or 0.
    pub signature: u16,
    /// Bytes of `evidence` in use.
    pub evidence_length: u16,
    /// IANA protocol number.
    pub protocol: u8,
    /// Number of the [`crate::reason::Reason`].
    pub reason: u8,
    /// Number of the service.
    pub service: u8,
    /// Number of the class; 255: none.
    pub class: u8,
    /// Number of the country.
    pub country: u8,
    /// 1: dropped; 0: passed since the policy is in shadow.
    pub enforced: u8,
    /// Number of the cause if this packet banned its source, else 0.
    pub banned: u8,
    /// 1: a TCP flow behind its handshake, to be destroyed locally.
    pub destroy: u8,
    /// The first bytes of the payload.
    pub evidence: [u8; EVIDENCE],
}

const _: () = assert!(
    size_of::<Event>() == 64 + EVIDENCE,
    "the daemon reads what the kernel wrote"
);

/// Whether an event of the verdict's source and reason is due.
#[inline(always)]
pub fn due<B: Store>(bench: &mut B, key: &Key, verdict: &Verdict, now: u64) -> bool {
    let source = match verdict.source_hash {
        0 => key.source(verdict.source),
        hash => hash,
    };
    let hash = mix(source, 0x5eed + u64::from(verdict.reason_number()));
    let index = (hash >> 32) as u32 & (Cells::Samples.words() - 1);
    let seconds = (now / 1_000_000_000 + 1) & 0xffff_ffff;
    let mark = hash << 32;
    let old = bench.cell(Cells::Samples, index);
    if old >> 32 == mark >> 32 && seconds.wrapping_sub(old & 0xffff_ffff) < QUIET_SECONDS {
        return false;
    }
    bench.swap_cell(Cells::Samples, index, old, mark | seconds)
}
