//! Packets as a source might send them, made to ask the judge.

use std::net::IpAddr;

use ringfence_core::packet::protocol;

/// A raw IP packet with a UDP or TCP header; checksums are zero, which the judge does not read.
pub(super) fn packet(
    source: IpAddr,
    destination: IpAddr,
    protocol: u8,
    port: u16,
    text: &[u8],
) -> Vec<u8> {
    let mut transport = Vec::new();
    transport.extend(40_000u16.to_be_bytes());
    transport.extend(port.to_be_bytes());
    if protocol == protocol::TCP {
        // A SYN: sequence number 1, five words of header.
        transport.extend([0, 0, 0, 1, 0, 0, 0, 0, 0x50, 0x02, 0xff, 0xff, 0, 0, 0, 0]);
    } else {
        transport.extend(length(8 + text.len()).to_be_bytes());
        transport.extend([0, 0]);
        transport.extend(text);
    }
    let mut packet = Vec::new();
    match (source, destination) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            packet.extend([0x45, 0]);
            packet.extend(length(20 + transport.len()).to_be_bytes());
            packet.extend([0, 0, 0, 0, 64, protocol, 0, 0]);
            packet.extend(source.octets());
            packet.extend(destination.octets());
        }
        (source, destination) => {
            let octets = |ip: IpAddr| match ip {
                IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
                IpAddr::V6(v6) => v6.octets(),
            };
            packet.extend([0x60, 0, 0, 0]);
            packet.extend(length(transport.len()).to_be_bytes());
            packet.extend([protocol, 64]);
            packet.extend(octets(source));
            packet.extend(octets(destination));
        }
    }
    packet.extend(transport);
    packet
}

fn length(bytes: usize) -> u16 {
    u16::try_from(bytes).unwrap_or(u16::MAX)
}

/// An OPTIONS request as a phone or provider sends it (RFC 3261, section 11.1).
pub(super) fn options(source: IpAddr, host: &str) -> Vec<u8> {
    let from = match source {
        IpAddr::V4(v4) => v4.to_string(),
        IpAddr::V6(v6) => format!("[{v6}]"),
    };
    format!(
        "OPTIONS sip:{host} SIP/2.0\r\nVia: SIP/2.0/UDP {from}:40000;branch=z9hG4bKk3jd82ls0qx\r\n\
         Max-Forwards: 70\r\nFrom: <sip:line@{host}>;tag=8d2k1x\r\nTo: <sip:{host}>\r\n\
         Call-ID: 7f3k2m9d@{from}\r\nCSeq: 1 OPTIONS\r\nContact: <sip:line@{from}:40000>\r\n\
         Content-Length: 0\r\n\r\n"
    )
    .into_bytes()
}
