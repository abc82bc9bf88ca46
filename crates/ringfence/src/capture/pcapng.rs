//! The pcapng format: sections in either byte order, each with interfaces of its own, and blocks that may be skipped.

use std::io::Read;

use pcap_parser::pcapng::{Block, InterfaceDescriptionBlock, parse_block_be, parse_block_le};
use pcap_parser::traits::PcapNGPacketBlock;

use super::window::{MAX_RECORD, Window};
use super::{CaptureError, Record};

/// A Section Header Block, with which the file begins, reads the same in both byte orders.
pub(super) const MAGIC: [u8; 4] = [0x0a, 0x0d, 0x0d, 0x0a];

const SECTION_HEADER: u32 = 0x0a0d_0d0a;
const INTERFACE: u32 = 1;
const OBSOLETE_PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const ENHANCED_PACKET: u32 = 6;

/// The byte-order magic of a section, as a big-endian writer stores it.
const ORDER_BIG: [u8; 4] = [0x1a, 0x2b, 0x3c, 0x4d];
const ORDER_LITTLE: [u8; 4] = [0x4d, 0x3c, 0x2b, 0x1a];

/// The most interfaces that a section may describe.
const MAX_INTERFACES: usize = 65_536;

/// What the section being read has said so far.
#[derive(Debug)]
pub(super) struct Pcapng {
    big_endian: bool,
    interfaces: Vec<Interface>,
}

/// An interface of the section, from its description block.
#[derive(Debug, Clone, Copy)]
struct Interface {
    link_type: u16,
    /// The most bytes of a packet that were kept; 0 is no limit.
    snaplen: u32,
    clock: Clock,
}

/// How an interface's time stamps are counted.
#[derive(Debug, Clone, Copy)]
struct Clock {
    /// `if_tsresol`: a negative power of ten, or of two where the top bit is set, of a second.
    resolution: u8,
    /// `if_tsoffset`: seconds to add.
    offset: i64,
}

impl Pcapng {
    /// Checks the first section header; it is consumed like any other by [`Pcapng::next`].
    pub(super) fn begin<R: Read>(window: &mut Window<R>) -> Result<Self, CaptureError> {
        window.need(12, "the file header")?;
        let big_endian =
            byte_order(window.data()).ok_or_else(|| CaptureError::foreign(window.data()))?;
        Ok(Self {
            big_endian,
            interfaces: Vec::new(),
        })
    }

    /// The next packet, or None at the end of the file.
    pub(super) fn next<R: Read>(
        &mut self,
        window: &mut Window<R>,
    ) -> Result<Option<Record>, CaptureError> {
        while window.fill(1)? {
            window.need(12, "a block")?;
            let offset = window.offset();
            let damaged = |what| CaptureError::Malformed { offset, what };
            if window.data().starts_with(&MAGIC) {
                self.big_endian =
                    byte_order(window.data()).ok_or_else(|| damaged("no byte-order magic"))?;
                self.interfaces.clear();
            }
            let kind = self.number(window.data(), 0);
            let length = self.number(window.data(), 4);
            if length < 12 {
                return Err(damaged("its length is less than 12"));
            }
            let read = matches!(
                kind,
                SECTION_HEADER | INTERFACE | OBSOLETE_PACKET | SIMPLE_PACKET | ENHANCED_PACKET
            );
            if !read {
                window.skip(u64::from(length), "a block")?;
                continue;
            }
            let size = usize::try_from(length).unwrap_or(usize::MAX);
            if size > MAX_RECORD {
                return Err(CaptureError::TooLong {
                    offset,
                    claimed: u64::from(length),
                });
            }
            window.need(
                size,
                if kind == INTERFACE {
                    "a block"
                } else {
                    "a packet"
                },
            )?;
            let bytes = window.data().get(..size).unwrap_or_default();
            if let Some(record) = self.block(kind, bytes).map_err(damaged)? {
                return Ok(Some(record));
            }
            window.consume(size);
        }
        Ok(None)
    }

    /// Reads one whole block: a packet is given back, a description kept.
    fn block(&mut self, kind: u32, bytes: &[u8]) -> Result<Option<Record>, &'static str> {
        if kind == OBSOLETE_PACKET {
            return Err("it is of the obsolete packet type; convert the file with editcap");
        }
        let parse = if self.big_endian {
            parse_block_be
        } else {
            parse_block_le
        };
        let (_, block) = parse(bytes).map_err(|_| "its fields do not fit its length")?;
        match block {
            Block::InterfaceDescription(description) => {
                if self.interfaces.len() == MAX_INTERFACES {
                    return Err("its section describes more than 65,536 interfaces");
                }
                self.interfaces.push(Interface::described_by(&description));
                Ok(None)
            }
            Block::EnhancedPacket(packet) => {
                let number = usize::try_from(packet.if_id).unwrap_or(usize::MAX);
                let interface = self.interface(number)?;
                let stamp = u64::from(packet.ts_high) << 32 | u64::from(packet.ts_low);
                Ok(Some(Record {
                    size: bytes.len(),
                    start: 28,
                    len: packet.packet_data().len(),
                    time: Some(interface.clock.nanoseconds(stamp)),
                    original_len: packet.origlen,
                    link_type: interface.link_type,
                }))
            }
            Block::SimplePacket(packet) => {
                let interface = self.interface(0)?;
                let kept = match usize::try_from(interface.snaplen) {
                    Ok(limit) if limit > 0 => packet.packet_data().len().min(limit),
                    _ => packet.packet_data().len(),
                };
                Ok(Some(Record {
                    size: bytes.len(),
                    start: 12,
                    len: kept,
                    time: None,
                    original_len: packet.origlen,
                    link_type: interface.link_type,
                }))
            }
            _ => Ok(None),
        }
    }

    fn interface(&self, number: usize) -> Result<Interface, &'static str> {
        self.interfaces
            .get(number)
            .copied()
            .ok_or("its interface was not described before it")
    }

    /// The 32-bit number at `at` in the byte order of the section; 0 past the end.
    fn number(&self, data: &[u8], at: usize) -> u32 {
        let bytes = data
            .get(at..)
            .and_then(|rest| rest.first_chunk())
            .copied()
            .unwrap_or_default();
        if self.big_endian {
            u32::from_be_bytes(bytes)
        } else {
            u32::from_le_bytes(bytes)
        }
    }
}

impl Interface {
    fn described_by(description: &InterfaceDescriptionBlock<'_>) -> Self {
        Self {
            link_type: (description.linktype.0 as u32 & 0xffff) as u16,
            snaplen: description.snaplen,
            clock: Clock {
                resolution: description.if_tsresol,
                offset: description.if_tsoffset,
            },
        }
    }
}

impl Clock {
    /// A time stamp as nanoseconds since 1970, held within what 64 bits can tell.
    fn nanoseconds(self, stamp: u64) -> u64 {
        let stamp = i128::from(stamp);
        let power = u32::from(self.resolution & 0x7f);
        let nanoseconds = if self.resolution & 0x80 != 0 {
            (stamp * 1_000_000_000) >> power
        } else if power <= 9 {
            stamp * 10_i128.pow(9 - power)
        } else {
            10_i128
                .checked_pow(power - 9)
                .map_or(0, |divisor| stamp / divisor)
        };
        let shifted = nanoseconds.saturating_add(i128::from(self.offset) * 1_000_000_000);
        u64::try_from(shifted.max(0)).unwrap_or(u64::MAX)
    }
}

/// Whether the section header that `data` begins with is big-endian; None where it is neither order.
fn byte_order(data: &[u8]) -> Option<bool> {
    match data.get(8..12)? {
        order if order == ORDER_BIG => Some(true),
        order if order == ORDER_LITTLE => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_stamps_of_every_resolution() {
        for (resolution, offset, stamp, expected) in [
            (6, 0, 1_700_000_000_000_001, 1_700_000_000_000_001_000),
            (9, 0, 1_700_000_000_000_000_001, 1_700_000_000_000_000_001),
            (0, 0, 1_700_000_000, 1_700_000_000_000_000_000),
            (3, 5, 1_000, 6_000_000_000),
            (12, 0, 1_999, 1),
            (127, 0, u64::MAX, 0),
            (0x80 | 10, 0, 1_024 + 512, 1_500_000_000),
            (0x80 | 127, 0, u64::MAX, 0),
            (0, 0, u64::MAX, u64::MAX),
            (6, -10, 1_000_000, 0),
            (6, i64::MAX, 1, u64::MAX),
        ] {
            let clock = Clock { resolution, offset };
            assert_eq!(
                clock.nanoseconds(stamp),
                expected,
                "resolution {resolution}"
            );
        }
    }
}
