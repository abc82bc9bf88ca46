//! Messages to netfilter, written. Source: netlink(7), linux/netfilter/nfnetlink.h.

/// A message's header, and the four bytes of netfilter's own behind it.
pub const HEADER: usize = 16;
/// Those four.
pub const NETFILTER: usize = 4;
/// Messages and attributes begin at multiples of this.
const ALIGN: usize = 4;
/// An attribute holds attributes.
const NESTED: u16 = 0x8000;

/// The message asks for something.
pub const REQUEST: u16 = 1;
/// It is to be answered, also where all went well.
pub const ACKNOWLEDGE: u16 = 4;

/// A message as it is written.
pub struct Message(Vec<u8>);

impl Message {
    /// One of a type, for a family of addresses and what netfilter calls the resource: a queue, or a subsystem.
    pub fn new(kind: u16, flags: u16, family: u8, resource: u16) -> Self {
        let mut bytes = vec![0; HEADER];
        bytes[4..6].copy_from_slice(&kind.to_ne_bytes());
        bytes[6..8].copy_from_slice(&flags.to_ne_bytes());
        bytes.extend_from_slice(&[family, 0]);
        bytes.extend_from_slice(&resource.to_be_bytes());
        Self(bytes)
    }

    /// Adds an attribute.
    pub fn attribute(&mut self, kind: u16, value: &[u8]) {
        let length = u16::try_from(4 + value.len()).unwrap_or(u16::MAX);
        self.0.extend_from_slice(&length.to_ne_bytes());
        self.0.extend_from_slice(&kind.to_ne_bytes());
        self.0.extend_from_slice(value);
        self.0.resize(aligned(self.0.len()), 0);
    }

    /// Adds a text.
    pub fn text(&mut self, kind: u16, value: &str) {
        self.attribute(kind, &[value.as_bytes(), &[0]].concat());
    }

    /// Adds an attribute that holds attributes.
    pub fn nested(&mut self, kind: u16, within: impl FnOnce(&mut Self)) {
        let at = self.0.len();
        self.attribute(kind | NESTED, &[]);
        within(self);
        let length = u16::try_from(self.0.len() - at).unwrap_or(u16::MAX);
        self.0[at..at + 2].copy_from_slice(&length.to_ne_bytes());
    }

    /// The bytes.
    pub fn end(mut self) -> Vec<u8> {
        let length = self.0.len() as u32;
        self.0[..4].copy_from_slice(&length.to_ne_bytes());
        self.0
    }
}

/// The next place where something may begin.
pub const fn aligned(length: usize) -> usize {
    length.saturating_add(ALIGN - 1) & !(ALIGN - 1)
}
