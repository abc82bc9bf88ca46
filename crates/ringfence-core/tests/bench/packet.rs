//! Frames by hand.

pub const SOURCE: [u8; 4] = [198, 51, 100, 1];
pub const HOME: [u8; 4] = [192, 0, 2, 1];
pub const SOURCE6: [u8; 16] = [0x20, 1, 0x0d, 0xb8, 0, 1, 0, 2, 0, 0, 0, 0, 0, 0, 0, 3];
pub const HOME6: [u8; 16] = [0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];

pub const UDP: u8 = 17;
pub const TCP: u8 = 6;
pub const MORE: u16 = 0x2000;

/// An Ethernet frame with these VLAN tags (their types) around a packet.
pub fn ethernet(tags: &[u16], packet: &[u8]) -> Vec<u8> {
    let mut frame = vec![2; 12];
    for tag in tags {
        frame.extend(tag.to_be_bytes());
        frame.extend([0, 100]);
    }
    frame.extend(if packet.first().is_some_and(|byte| byte >> 4 == 6) {
        [0x86, 0xdd]
    } else {
        [8, 0]
    });
    frame.extend(packet);
    frame
}

/// An IPv4 packet; `pieces` is the word of flags and fragment offset.
pub fn ipv4(source: [u8; 4], protocol: u8, options: &[u8], pieces: u16, data: &[u8]) -> Vec<u8> {
    assert!(options.len().is_multiple_of(4));
    let header = 20 + options.len();
    let mut packet = vec![0x40 | (header / 4) as u8, 0];
    packet.extend(((header + data.len()) as u16).to_be_bytes());
    packet.extend([0, 1]);
    packet.extend(pieces.to_be_bytes());
    packet.extend([64, protocol, 0, 0]);
    packet.extend(source);
    packet.extend(HOME);
    packet.extend(options);
    packet.extend(data);
    packet
}

/// An IPv6 packet with these extension headers: each its number and its bytes, of which the
/// first is filled in.
pub fn ipv6(extensions: &[(u8, Vec<u8>)], protocol: u8, data: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    for (n, (_, bytes)) in extensions.iter().enumerate() {
        let at = body.len();
        body.extend(bytes);
        body[at] = extensions.get(n + 1).map_or(protocol, |next| next.0);
    }
    body.extend(data);
    let mut packet = vec![0x60, 0, 0, 0];
    packet.extend((body.len() as u16).to_be_bytes());
    packet.push(extensions.first().map_or(protocol, |first| first.0));
    packet.push(64);
    packet.extend(SOURCE6);
    packet.extend(HOME6);
    packet.extend(body);
    packet
}

/// An extension header with a length in units of eight bytes beyond the first.
pub fn extension(number: u8, units: u8) -> (u8, Vec<u8>) {
    let mut bytes = vec![0; 8 + usize::from(units) * 8];
    bytes[1] = units;
    (number, bytes)
}

/// An authentication header: its length counts units of four bytes, less two.
pub fn authentication(bytes: usize) -> (u8, Vec<u8>) {
    let mut header = vec![0; bytes];
    header[1] = (bytes / 4 - 2) as u8;
    (51, header)
}

/// A fragment header.
pub fn piece(offset: u16, more: bool) -> (u8, Vec<u8>) {
    let mut bytes = vec![0, 0];
    bytes.extend((offset & 0xfff8 | u16::from(more)).to_be_bytes());
    bytes.extend([0, 0, 0, 9]);
    (44, bytes)
}

/// A UDP header and its payload.
pub fn udp(from: u16, to: u16, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend(from.to_be_bytes());
    bytes.extend(to.to_be_bytes());
    bytes.extend(((payload.len() + 8) as u16).to_be_bytes());
    bytes.extend([0, 0]);
    bytes.extend(payload);
    bytes
}

/// A TCP header and its payload.
pub fn tcp(from: u16, to: u16, sequence: u32, flags: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend(from.to_be_bytes());
    bytes.extend(to.to_be_bytes());
    bytes.extend(sequence.to_be_bytes());
    bytes.extend([0, 0, 0, 1, 0x50, flags, 0xff, 0xff, 0, 0, 0, 0]);
    bytes.extend(payload);
    bytes
}

/// Datagrams to a port, over IPv4.
#[derive(Clone, Copy)]
pub struct Udp {
    pub source: [u8; 4],
    pub from: u16,
    pub port: u16,
}

impl Udp {
    pub fn to(port: u16) -> Self {
        Self {
            source: SOURCE,
            from: 40_000,
            port,
        }
    }

    pub fn source(self, source: [u8; 4]) -> Self {
        Self { source, ..self }
    }

    pub fn from(self, from: u16) -> Self {
        Self { from, ..self }
    }

    pub fn frame(&self, payload: &[u8]) -> Vec<u8> {
        let data = udp(self.from, self.port, payload);
        ethernet(&[], &ipv4(self.source, UDP, &[], 0, &data))
    }
}

/// A REGISTER with what RFC 3261 asks of one.
pub fn register(branch: &str) -> Vec<u8> {
    request("REGISTER", "sip:pbx.example.org", branch, "")
}

/// A request with these further header lines.
pub fn request(method: &str, uri: &str, branch: &str, more: &str) -> Vec<u8> {
    format!(
        "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP 198.51.100.1:5060;branch={branch};rport\r\n\
         Max-Forwards: 70\r\nFrom: <sip:alice@198.51.100.1>;tag=a1\r\nTo: <sip:alice@192.0.2.1>\r\n\
         Call-ID: {branch}@198.51.100.1\r\nCSeq: 1 {method}\r\n{more}Content-Length: 0\r\n\r\n"
    )
    .into_bytes()
}
