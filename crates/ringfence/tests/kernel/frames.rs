//! Frames for tests, made by hand.

use std::net::{IpAddr, SocketAddr};

/// An Ethernet frame with a UDP datagram.
pub fn udp(source: SocketAddr, destination: SocketAddr, payload: &[u8]) -> Vec<u8> {
    let mut segment = Vec::with_capacity(8 + payload.len());
    segment.extend(source.port().to_be_bytes());
    segment.extend(destination.port().to_be_bytes());
    segment.extend(((8 + payload.len()) as u16).to_be_bytes());
    segment.extend([0, 0]);
    segment.extend(payload);
    ip(source.ip(), destination.ip(), 17, &segment)
}

/// An Ethernet frame with a TCP segment.
pub fn tcp(
    source: SocketAddr,
    destination: SocketAddr,
    sequence: u32,
    flags: u8,
    payload: &[u8],
) -> Vec<u8> {
    let mut segment = Vec::with_capacity(20 + payload.len());
    segment.extend(source.port().to_be_bytes());
    segment.extend(destination.port().to_be_bytes());
    segment.extend(sequence.to_be_bytes());
    segment.extend(1u32.to_be_bytes());
    segment.extend([0x50, flags, 0xff, 0xff, 0, 0, 0, 0]);
    segment.extend(payload);
    ip(source.ip(), destination.ip(), 6, &segment)
}

/// An Ethernet frame with an IP packet.
pub fn ip(source: IpAddr, destination: IpAddr, protocol: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];
    match (source, destination) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            frame.extend(0x0800u16.to_be_bytes());
            frame.extend([0x45, 0]);
            frame.extend(((20 + payload.len()) as u16).to_be_bytes());
            frame.extend([0, 1, 0, 0, 64, protocol, 0, 0]);
            frame.extend(source.octets());
            frame.extend(destination.octets());
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            frame.extend(0x86ddu16.to_be_bytes());
            frame.extend([0x60, 0, 0, 0]);
            frame.extend((payload.len() as u16).to_be_bytes());
            frame.extend([protocol, 64]);
            frame.extend(source.octets());
            frame.extend(destination.octets());
        }
        _ => panic!("one packet, two families"),
    }
    frame.extend(payload);
    frame
}

/// A request as a phone would send it.
pub fn request(method: &str, host: &str, user: &str, agent: &str, branch: u64) -> Vec<u8> {
    let tag = if method == "BYE" { ";tag=9f" } else { "" };
    format!(
        "{method} sip:{user}@{host} SIP/2.0\r\n\
         Via: SIP/2.0/UDP 198.51.100.7:5060;branch=z9hG4bK{branch:016x};rport\r\n\
         Max-Forwards: 70\r\n\
         From: \"Desk\" <sip:{user}@{host}>;tag=8f2c{branch:x}\r\n\
         To: <sip:{user}@{host}>{tag}\r\n\
         Call-ID: {branch:x}@198.51.100.7\r\n\
         CSeq: 1 {method}\r\n\
         Contact: <sip:{user}@198.51.100.7:5060>\r\n\
         User-Agent: {agent}\r\n\
         Content-Length: 0\r\n\r\n"
    )
    .into_bytes()
}
