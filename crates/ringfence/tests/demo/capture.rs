//! The capture of `ringfence demo`, made packet by packet. All addresses are those of RFC 5737.

use std::net::Ipv4Addr;

use ringfence::capture::CaptureWriter;

const PBX: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 10);
const DESK: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 20);
const SOFT: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 21);
const SCANNER: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 66);
const GUESSER: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 80);
const FRAUDSTER: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 200);
const ADMINISTRATOR: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 77);
/// 2026-01-01 00:00:00 UTC.
const BEGIN: u64 = 1_767_225_600_000_000_000;
const MILLISECOND: u64 = 1_000_000;

/// The file.
pub fn build() -> Vec<u8> {
    let mut packets: Vec<(u64, Vec<u8>)> = Vec::new();
    let phone = |method, n| {
        sip(
            DESK,
            method,
            "sip.example.com",
            "1001",
            "Yealink SIP-T54W 96.86.0.70",
            n,
        )
    };
    let soft = |n| {
        sip(
            SOFT,
            "REGISTER",
            "sip.example.com",
            "1002",
            "Linphone/5.2.0",
            n,
        )
    };
    for n in 0..6 {
        packets.push((n * 1900, udp(DESK, &phone("REGISTER", n))));
    }
    for n in 0..4 {
        packets.push((n * 2800 + 700, udp(DESK, &phone("OPTIONS", 100 + n))));
    }
    for n in 0..4 {
        packets.push((n * 2900 + 300, udp(SOFT, &soft(n))));
        packets.push((n * 2900 + 900, udp(SOFT, b"\r\n\r\n")));
        packets.push((n * 2900 + 1600, udp(SOFT, &stun(n))));
    }
    for n in 0..50 {
        let user = (100 + n).to_string();
        let text = sip(
            SCANNER,
            "OPTIONS",
            "192.0.2.10",
            &user,
            "friendly-scanner",
            n,
        );
        packets.push((1000 + n * 180, udp(SCANNER, &text)));
    }
    for n in 0..80 {
        let text = sip(
            GUESSER,
            "REGISTER",
            "192.0.2.10",
            "1001",
            "SIP Client 2.1",
            n,
        );
        packets.push((2000 + n * 120, udp(GUESSER, &text)));
    }
    for n in 0..12 {
        let number = format!("00972592{:06}", n * 7919);
        let text = sip(
            FRAUDSTER,
            "INVITE",
            "192.0.2.10",
            &number,
            "Cisco-SIPGateway",
            n,
        );
        packets.push((3000 + n * 700, udp(FRAUDSTER, &text)));
    }
    for n in 0..3 {
        packets.push((1500 + n * 3000, syn(ADMINISTRATOR, 22, 40_000 + n as u16)));
    }
    packets.sort_by_key(|(time, _)| *time);
    let mut writer = CaptureWriter::new(Vec::new()).expect("memory has room");
    for (time, frame) in packets {
        writer
            .write(BEGIN + time * MILLISECOND, &frame)
            .expect("memory has room");
    }
    writer.finish().expect("memory has room")
}

fn sip(from: Ipv4Addr, method: &str, host: &str, user: &str, agent: &str, n: u64) -> Vec<u8> {
    let target = if method == "REGISTER" {
        format!("sip:{host}")
    } else {
        format!("sip:{user}@{host}")
    };
    format!(
        "{method} {target} SIP/2.0\r\n\
         Via: SIP/2.0/UDP {from}:5060;branch=z9hG4bK{n:08x};rport\r\n\
         Max-Forwards: 70\r\n\
         From: <sip:{user}@{host}>;tag=a{n:06x}\r\n\
         To: <sip:{user}@{host}>\r\n\
         Call-ID: {n:08x}@{from}\r\n\
         CSeq: {} {method}\r\n\
         Contact: <sip:{user}@{from}:5060>\r\n\
         User-Agent: {agent}\r\n\
         Content-Length: 0\r\n\r\n",
        n + 1
    )
    .into_bytes()
}

/// A binding request (RFC 5389, section 6).
fn stun(n: u64) -> Vec<u8> {
    let mut message = vec![0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42, 0, 0, 0, 0];
    message.extend(n.to_be_bytes());
    message
}

fn udp(from: Ipv4Addr, text: &[u8]) -> Vec<u8> {
    let length = u16::try_from(8 + text.len()).expect("a small packet");
    let mut segment = Vec::new();
    for word in [5060, 5060, length, 0] {
        segment.extend(u16::to_be_bytes(word));
    }
    segment.extend(text);
    frame(from, 17, segment, 6)
}

fn syn(from: Ipv4Addr, port: u16, source: u16) -> Vec<u8> {
    let mut segment = Vec::new();
    // Ports, sequence and acknowledgement numbers, 5 words and SYN, window, checksum, urgent.
    for word in [source, port, 0, source, 0, 0, 0x5002, 0xfaf0, 0, 0] {
        segment.extend(word.to_be_bytes());
    }
    frame(from, 6, segment, 16)
}

/// An Ethernet frame; the checksum of the segment belongs `at` bytes into it.
fn frame(from: Ipv4Addr, protocol: u8, mut segment: Vec<u8>, at: usize) -> Vec<u8> {
    let length = u16::try_from(segment.len()).expect("a small packet");
    let mut pseudo = [from.octets(), PBX.octets()].concat();
    pseudo.extend([0, protocol]);
    pseudo.extend(length.to_be_bytes());
    pseudo.extend(&segment);
    segment[at..at + 2].copy_from_slice(&checksum(&pseudo));
    let mut ip = vec![0x45, 0];
    ip.extend((20 + length).to_be_bytes());
    ip.extend([0, 1, 0x40, 0, 64, protocol, 0, 0]);
    ip.extend(from.octets());
    ip.extend(PBX.octets());
    let sum = checksum(&ip);
    ip[10..12].copy_from_slice(&sum);
    let mut frame = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x08, 0x00];
    frame.extend(ip);
    frame.extend(segment);
    frame
}

/// The Internet checksum (RFC 1071).
fn checksum(bytes: &[u8]) -> [u8; 2] {
    let mut sum = 0u32;
    for pair in bytes.chunks(2) {
        sum += u32::from(pair[0]) << 8 | pair.get(1).map_or(0, |byte| u32::from(*byte));
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    (!(sum as u16)).to_be_bytes()
}
