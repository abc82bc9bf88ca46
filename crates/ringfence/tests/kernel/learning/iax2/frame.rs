//! IAX2 frames (RFC 5456), by what differs from one to the next.

/// Subclasses of control frames (section 8.4).
pub mod subclass {
    pub const NEW: u8 = 1;
    pub const PING: u8 = 2;
    pub const PONG: u8 = 3;
    pub const ACK: u8 = 4;
    pub const HANGUP: u8 = 5;
    pub const REJECT: u8 = 6;
    pub const ACCEPT: u8 = 7;
    pub const AUTHREQ: u8 = 8;
    pub const AUTHREP: u8 = 9;
    pub const INVAL: u8 = 10;
    pub const LAGRQ: u8 = 11;
    pub const LAGRP: u8 = 12;
    pub const REGREQ: u8 = 13;
    pub const REGAUTH: u8 = 14;
    pub const REGACK: u8 = 15;
    pub const REGREJ: u8 = 16;
    pub const REGREL: u8 = 17;
    pub const VNAK: u8 = 18;
    pub const POKE: u8 = 30;
    pub const CALLTOKEN: u8 = 40;
}

/// Information elements (section 8.6).
pub mod element {
    pub const USERNAME: u8 = 6;
    pub const PASSWORD: u8 = 7;
    pub const FORMAT: u8 = 9;
    pub const AUTHMETHODS: u8 = 14;
    pub const CHALLENGE: u8 = 15;
    pub const MD5_RESULT: u8 = 16;
    pub const RSA_RESULT: u8 = 17;
    pub const REFRESH: u8 = 19;
    pub const CAUSE: u8 = 22;
    pub const CALLTOKEN: u8 = 54;
}

const VOICE: u8 = 2;
const CONTROL: u8 = 6;

/// A full frame (section 8.1.1).
#[derive(Clone, Debug)]
pub struct Frame {
    /// Call numbers of who sends it and of who receives it.
    pub source: u16,
    pub destination: u16,
    /// Whether it was sent before.
    pub again: bool,
    kind: u8,
    subclass: u8,
    /// What follows the header.
    pub content: Vec<u8>,
}

impl Frame {
    /// A control frame without elements.
    pub fn control(subclass: u8, source: u16, destination: u16) -> Self {
        Self {
            source,
            destination,
            again: false,
            kind: CONTROL,
            subclass,
            content: vec![],
        }
    }

    /// Twenty milliseconds of sound.
    pub fn voice(source: u16, destination: u16) -> Self {
        Self {
            kind: VOICE,
            content: vec![0x7f; 160],
            ..Self::control(4, source, destination)
        }
    }

    /// With one more element.
    pub fn with(mut self, element: u8, value: &[u8]) -> Self {
        let value = &value[..value.len().min(255)];
        self.content.extend([element, value.len() as u8]);
        self.content.extend(value);
        self
    }

    /// As it goes over the wire.
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = (self.source | 0x8000).to_be_bytes().to_vec();
        let again = if self.again { 0x8000 } else { 0 };
        bytes.extend((self.destination | again).to_be_bytes());
        bytes.extend([0, 0, 0, 9, 0, 1, self.kind, self.subclass]);
        bytes.extend(&self.content);
        bytes
    }
}

/// A mini frame (section 8.1.2).
pub fn mini(source: u16) -> Vec<u8> {
    let mut bytes = source.to_be_bytes().to_vec();
    bytes.extend([0, 20]);
    bytes.extend([0x7f; 160]);
    bytes
}

/// A meta trunk frame with one entry (section 8.1.3.2).
pub fn meta(source: u16) -> Vec<u8> {
    let mut bytes = vec![0, 0, 1, 1, 0, 0, 0, 9, 0, 4];
    bytes.extend(source.to_be_bytes());
    bytes.extend([0, 20, 1, 2, 3, 4]);
    bytes
}
