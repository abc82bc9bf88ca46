//! Packet captures: a streaming reader of pcap and pcapng, and a small writer.
//!
//! The reader holds one record at a time, at most [`MAX_RECORD`] bytes, whatever the file claims about its lengths.
//! It tells the two formats, both byte orders and all time resolutions apart by itself, and gives each packet with its
//! time in nanoseconds since 1970 and with the place where its link header ends.

mod error;
mod link;
mod pcap;
mod pcapng;
mod window;
mod writer;

use std::fs::File;
use std::io::Read;
use std::path::Path;

pub use error::CaptureError;
pub use link::Link;
pub use window::MAX_RECORD;
pub use writer::CaptureWriter;

use window::Window;

/// One packet of a capture. It borrows the reader's buffer until the next one is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packet<'a> {
    /// The number of the packet in the file, from 1, as other tools count it.
    pub n: u64,
    /// When it was captured: nanoseconds since 1970-01-01 UTC. A pcapng Simple Packet Block has no time; it gets that
    /// of the packet before it, or 0.
    pub time: u64,
    /// What kind of link header `data` begins with.
    pub link: Link,
    /// The captured bytes, link header included.
    pub data: &'a [u8],
    /// The length of the packet on the wire, in bytes; more than `data.len()` where the capture cut it short.
    pub original_len: u32,
}

impl<'a> Packet<'a> {
    /// The bytes after a cooked or loopback header; all of them for Ethernet and raw IP, whose headers the judge reads
    /// itself.
    pub fn after_link(&self) -> &'a [u8] {
        match self.link {
            Link::Cooked { header_len, .. } => self.data.get(header_len..).unwrap_or_default(),
            Link::Ethernet | Link::RawIp | Link::Unsupported(_) => self.data,
        }
    }
}

/// How far the reader has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Bytes of the file that have been taken in as whole records.
    pub read: u64,
    /// Bytes in the file, where that is known.
    pub total: Option<u64>,
}

/// A reader of one capture.
///
/// ```no_run
/// use ringfence::capture::Capture;
/// # fn main() -> Result<(), ringfence::capture::CaptureError> {
/// let mut capture = Capture::open("attack.pcap")?;
/// while let Some(packet) = capture.next_packet() {
///     let packet = packet?;
///     println!("{} {} bytes", packet.n, packet.data.len());
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Capture<R = File> {
    window: Window<R>,
    format: Format,
    total: Option<u64>,
    packets: u64,
    last_time: u64,
    finished: bool,
}

#[derive(Debug)]
enum Format {
    Pcap(pcap::Pcap),
    Pcapng(pcapng::Pcapng),
}

/// A record as a format hands it over; its bytes stay in the window, at `start..start + len`, until they are consumed.
struct Record {
    /// Bytes that the whole record takes in the window.
    size: usize,
    start: usize,
    len: usize,
    /// None where the format stores no time.
    time: Option<u64>,
    original_len: u32,
    link_type: u16,
}

impl Capture<File> {
    /// Opens a capture file and reads its header.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, CaptureError> {
        let path = path.as_ref();
        let opened = File::open(path).and_then(|file| file.metadata().map(|meta| (file, meta)));
        let (file, meta) = opened.map_err(|source| CaptureError::Open {
            path: path.to_path_buf(),
            source,
        })?;
        // A pipe has no length to show progress against.
        let total = meta.is_file().then_some(meta.len());
        Self::from_reader(file, total)
    }
}

impl<R: Read> Capture<R> {
    /// Reads a capture from anything that gives bytes. `total` is its length in bytes, where known, for
    /// [`Capture::progress`] alone.
    pub fn from_reader(reader: R, total: Option<u64>) -> Result<Self, CaptureError> {
        let mut window = Window::new(reader);
        window.fill(4)?;
        let magic = window.data().first_chunk::<4>().copied();
        let format = match magic {
            Some(magic) if pcap::is_magic(magic) => Format::Pcap(pcap::Pcap::begin(&mut window)?),
            Some(pcapng::MAGIC) => Format::Pcapng(pcapng::Pcapng::begin(&mut window)?),
            _ => return Err(CaptureError::foreign(window.data())),
        };
        Ok(Self {
            window,
            format,
            total,
            packets: 0,
            last_time: 0,
            finished: false,
        })
    }

    /// The next packet; None at the end of the file. After an error there is no further packet.
    pub fn next_packet(&mut self) -> Option<Result<Packet<'_>, CaptureError>> {
        if self.finished {
            return None;
        }
        self.window.release();
        let next = match &mut self.format {
            Format::Pcap(pcap) => pcap.next(&mut self.window),
            Format::Pcapng(pcapng) => pcapng.next(&mut self.window),
        };
        let record = match next {
            Ok(Some(record)) => record,
            Ok(None) => {
                self.finished = true;
                return None;
            }
            Err(error) => {
                self.finished = true;
                return Some(Err(error));
            }
        };
        self.packets += 1;
        self.last_time = record.time.unwrap_or(self.last_time);
        let data = self.window.take(record.size, record.start, record.len);
        Some(Ok(Packet {
            n: self.packets,
            time: self.last_time,
            link: Link::of(record.link_type, data),
            data,
            original_len: record.original_len,
        }))
    }

    /// How many bytes were read, of how many.
    pub fn progress(&self) -> Progress {
        Progress {
            read: self.window.offset(),
            total: self.total,
        }
    }
}

#[cfg(test)]
mod tests;
