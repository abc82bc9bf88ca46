//! What can be wrong with a capture.

use std::io;
use std::path::PathBuf;

use super::MAX_RECORD;

/// Why a capture, or the rest of it, cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    /// The file cannot be opened.
    #[error("cannot open the capture {}: {source}", path.display())]
    Open {
        /// The file that was asked for.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Reading failed part of the way.
    #[error("cannot read the capture at byte {offset}: {source}")]
    Read {
        /// Bytes taken in before.
        offset: u64,
        /// What the system said.
        source: io::Error,
    },
    /// The file is no capture.
    #[error(
        "not a capture: expected pcap (d4c3b2a1, a1b2c3d4, 4d3cb2a1, a1b23c4d) or pcapng (0a0d0d0a), \
         but it begins with {found}{hint}"
    )]
    Foreign {
        /// Its first bytes in hexadecimal, or that it is empty.
        found: String,
        /// What to do, where the bytes tell what it is.
        hint: &'static str,
    },
    /// The file ends inside its header or a packet.
    #[error("the capture ends inside {what} that begins at byte {offset}; all before it was read")]
    Truncated {
        /// What was being read.
        what: &'static str,
        /// Where it begins, in bytes from the start of the file.
        offset: u64,
    },
    /// A record claims more bytes than any packet has.
    #[error(
        "the record at byte {offset} claims {claimed} bytes, more than the {MAX_RECORD} that a packet may take; \
         the file is damaged there"
    )]
    TooLong {
        /// Where the record begins, in bytes from the start of the file.
        offset: u64,
        /// The length it claims, in bytes.
        claimed: u64,
    },
    /// A record contradicts itself.
    #[error("the record at byte {offset} is damaged: {what}")]
    Malformed {
        /// Where the record begins, in bytes from the start of the file.
        offset: u64,
        /// What does not fit.
        what: &'static str,
    },
    /// All packets of the file have a link header that is not read here.
    #[error(
        "link type {0} is not read; capture on an Ethernet interface, or with `tcpdump -i any -y LINUX_SLL2`"
    )]
    UnsupportedLink(u16),
}

impl CaptureError {
    /// Names what a file that is no capture begins with.
    pub(super) fn foreign(data: &[u8]) -> Self {
        let hint = match data {
            [0x1f, 0x8b, ..] => "; it is compressed: run `gunzip` on it first",
            [0x28, 0xb5, 0x2f, 0xfd, ..] => "; it is compressed: run `unzstd` on it first",
            [0xfd, b'7', b'z', b'X', ..] => "; it is compressed: run `unxz` on it first",
            _ => "",
        };
        let found = match data {
            [] => "nothing (the file is empty)".to_owned(),
            data => data
                .iter()
                .take(4)
                .map(|byte| format!("{byte:02x}"))
                .collect(),
        };
        Self::Foreign { found, hint }
    }
}
