//! The pcap format: one header, one link type, one record a packet.

use std::io::Read;

use pcap_parser::pcap::{
    LegacyPcapBlock, PcapHeader, parse_pcap_frame, parse_pcap_frame_be, parse_pcap_frame_modified,
    parse_pcap_header,
};
use pcap_parser::{PcapError, nom};

use super::link::Link;
use super::window::{MAX_RECORD, Window};
use super::{CaptureError, Record};

const FILE_HEADER: usize = 24;

/// What the header of a pcap file says about its records.
#[derive(Debug)]
pub(super) struct Pcap {
    big_endian: bool,
    modified: bool,
    /// Nanoseconds in one unit of the fraction of a second.
    unit: u64,
    link_type: u16,
}

/// Whether a file that begins so is pcap. The last of the magic numbers is that of the "modified" format, whose record
/// headers are eight bytes longer.
pub(super) fn is_magic(bytes: [u8; 4]) -> bool {
    matches!(
        u32::from_be_bytes(bytes),
        0xa1b2_c3d4 | 0xd4c3_b2a1 | 0xa1b2_3c4d | 0x4d3c_b2a1 | 0x34cd_b2a1
    )
}

impl Pcap {
    /// Reads the file header.
    pub(super) fn begin<R: Read>(window: &mut Window<R>) -> Result<Self, CaptureError> {
        window.need(FILE_HEADER, "the file header")?;
        let (_, header): (_, PcapHeader) =
            parse_pcap_header(window.data()).map_err(|_| CaptureError::foreign(window.data()))?;
        // The upper half of the field holds the length of the frame check sequence.
        let link_type = (header.network.0 as u32 & 0xffff) as u16;
        if !Link::is_supported(link_type) {
            return Err(CaptureError::UnsupportedLink(link_type));
        }
        window.consume(FILE_HEADER);
        Ok(Self {
            big_endian: header.is_bigendian(),
            modified: header.is_modified_format(),
            unit: if header.is_nanosecond_precision() {
                1
            } else {
                1_000
            },
            link_type,
        })
    }

    /// The next record, or None at the end of the file.
    pub(super) fn next<R: Read>(
        &mut self,
        window: &mut Window<R>,
    ) -> Result<Option<Record>, CaptureError> {
        if !window.fill(1)? {
            return Ok(None);
        }
        let header = if self.modified { 24 } else { 16 };
        window.need(header, "a packet")?;
        let caplen = self.captured_len(window.data());
        let size = usize::try_from(caplen)
            .unwrap_or(usize::MAX)
            .saturating_add(header);
        if size > MAX_RECORD {
            let claimed = u64::from(caplen);
            return Err(CaptureError::TooLong {
                offset: window.offset(),
                claimed,
            });
        }
        window.need(size, "a packet")?;
        let (_, frame) = self
            .parse(window.data())
            .map_err(|_| CaptureError::Malformed {
                offset: window.offset(),
                what: "its packet header cannot be read",
            })?;
        Ok(Some(Record {
            size,
            start: header,
            len: frame.data.len(),
            time: Some(
                u64::from(frame.ts_sec) * 1_000_000_000 + u64::from(frame.ts_usec) * self.unit,
            ),
            original_len: frame.origlen,
            link_type: self.link_type,
        }))
    }

    fn captured_len(&self, data: &[u8]) -> u32 {
        let bytes = data
            .get(8..)
            .and_then(|rest| rest.first_chunk())
            .copied()
            .unwrap_or_default();
        if self.big_endian {
            u32::from_be_bytes(bytes)
        } else {
            u32::from_le_bytes(bytes)
        }
    }

    fn parse<'a>(
        &self,
        data: &'a [u8],
    ) -> nom::IResult<&'a [u8], LegacyPcapBlock<'a>, PcapError<&'a [u8]>> {
        if self.modified {
            parse_pcap_frame_modified(data)
        } else if self.big_endian {
            parse_pcap_frame_be(data)
        } else {
            parse_pcap_frame(data)
        }
    }
}
