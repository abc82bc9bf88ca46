//! A writer of pcap files with nanosecond times.

use std::io::{self, Write};

/// Writes packets as a pcap file: little-endian, nanoseconds.
#[derive(Debug)]
pub struct CaptureWriter<W: Write> {
    out: W,
}

impl<W: Write> CaptureWriter<W> {
    /// Begins a file of Ethernet packets.
    pub fn new(out: W) -> io::Result<Self> {
        Self::with_link_type(out, 1)
    }

    /// Begins a file of packets with another LINKTYPE_ value.
    pub fn with_link_type(mut out: W, link_type: u16) -> io::Result<Self> {
        let mut header = Vec::with_capacity(24);
        header.extend(0xa1b2_3c4d_u32.to_le_bytes());
        header.extend(2_u16.to_le_bytes());
        header.extend(4_u16.to_le_bytes());
        header.extend([0; 8]);
        header.extend(262_144_u32.to_le_bytes());
        header.extend(u32::from(link_type).to_le_bytes());
        out.write_all(&header)?;
        Ok(Self { out })
    }

    /// Writes one whole packet. `time` is in nanoseconds since 1970; the format ends in the year 2106, and a later time
    /// is an error, as is a packet of 4 GiB.
    pub fn write(&mut self, time: u64, data: &[u8]) -> io::Result<()> {
        let too_large = |what| move |_| io::Error::new(io::ErrorKind::InvalidInput, what);
        let seconds = u32::try_from(time / 1_000_000_000)
            .map_err(too_large("a pcap file cannot tell a time after 2106-02-07"))?;
        let length = u32::try_from(data.len())
            .map_err(too_large("a pcap file cannot hold a packet of 4 GiB"))?;
        let fraction = (time % 1_000_000_000) as u32;
        let mut header = [0; 16];
        for (field, value) in header
            .chunks_exact_mut(4)
            .zip([seconds, fraction, length, length])
        {
            field.copy_from_slice(&value.to_le_bytes());
        }
        self.out.write_all(&header)?;
        self.out.write_all(data)
    }

    /// Flushes and gives back what was written to.
    pub fn finish(mut self) -> io::Result<W> {
        self.out.flush()?;
        Ok(self.out)
    }
}
