//! The frames that are judged: Ethernet, IP, UDP and SIP as real senders write it.

use std::net::IpAddr;

/// Where the source address of an IPv4 or IPv6 frame stands.
pub const SOURCE_V4: usize = 26;
const SOURCE_V6: usize = 22;
/// Where an IPv4 frame has its header.
const HEADER_V4: std::ops::Range<usize> = 14..34;
/// Where it has the checksum of that.
pub const CHECKSUM_V4: usize = 24;

/// A UDP datagram to 192.0.2.10 (or 2001:db8::10), from an address.
pub fn udp_from(source: IpAddr, port: u16, payload: &[u8]) -> Vec<u8> {
    let mut frame = udp(source.is_ipv6(), port, payload);
    match source {
        IpAddr::V4(v4) => set_source(&mut frame, v4.octets()),
        IpAddr::V6(v6) => frame[SOURCE_V6..SOURCE_V6 + 16].copy_from_slice(&v6.octets()),
    }
    frame
}

/// Writes another source into an IPv4 frame, and the checksum that belongs to it.
pub fn set_source(frame: &mut [u8], source: [u8; 4]) {
    frame[SOURCE_V4..SOURCE_V4 + 4].copy_from_slice(&source);
    frame[CHECKSUM_V4..CHECKSUM_V4 + 2].fill(0);
    let words = frame[HEADER_V4].chunks_exact(2);
    let sum: u32 = words
        .map(|word| u32::from(word[0]) << 8 | u32::from(word[1]))
        .sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    let checksum = !((folded & 0xffff) + (folded >> 16)) as u16;
    frame[CHECKSUM_V4..CHECKSUM_V4 + 2].copy_from_slice(&checksum.to_be_bytes());
}

/// A UDP datagram to 192.0.2.10 (or 2001:db8::10), from an address that is written over.
pub fn udp(v6: bool, port: u16, payload: &[u8]) -> Vec<u8> {
    let length = (8 + payload.len()) as u16;
    let mut frame = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];
    if v6 {
        frame.extend([0x86, 0xdd, 0x60, 0, 0, 0]);
        frame.extend(length.to_be_bytes());
        frame.extend([17, 64]);
        frame.extend([0x26, 1, 2, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
        frame.extend([0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10]);
    } else {
        frame.extend([8, 0, 0x45, 0]);
        frame.extend((20 + length).to_be_bytes());
        frame.extend([0, 1, 0, 0, 64, 17, 0, 0]);
        frame.extend([8, 8, 8, 8, 192, 0, 2, 10]);
    }
    frame.extend(5060u16.to_be_bytes());
    frame.extend(port.to_be_bytes());
    frame.extend(length.to_be_bytes());
    frame.extend([0, 0]);
    frame.extend(payload);
    frame
}

/// A frame as this host sends it, to whom the frame given came from.
pub fn answer_to(frame: &[u8], payload: &[u8]) -> Vec<u8> {
    let port = u16::from_be_bytes([frame[36], frame[37]]);
    let mut answer = udp(false, port, payload);
    answer[26..30].copy_from_slice(&frame[30..34]);
    answer[30..34].copy_from_slice(&frame[26..30]);
    answer[34..36].copy_from_slice(&frame[36..38]);
    answer[36..38].copy_from_slice(&frame[34..36]);
    answer
}

/// A segment of this host's web server, with so many bytes.
pub fn web(size: usize) -> Vec<u8> {
    let mut frame = answer_to(&udp(false, 443, &[]), &vec![7; 12 + size]);
    frame[23] = 6;
    frame[36..38].copy_from_slice(&50_000u16.to_be_bytes());
    // The TCP header takes the UDP header's eight bytes and twelve more.
    frame[46..54].copy_from_slice(&[0x50, 0x10, 0xff, 0xff, 0, 0, 0, 0]);
    frame
}

/// An OPTIONS of a scanner, `size` bytes.
pub fn scan(size: usize) -> Vec<u8> {
    fill(size, |pad| {
        format!(
            "OPTIONS sip:100@192.0.2.10 SIP/2.0\r\n\
             Via: SIP/2.0/UDP 203.0.113.9:5062;branch=z9hG4bKaaaaaaaa;rport\r\n\
             Max-Forwards: 70\r\n\
             To: \"sipvicious\"<sip:100@1.1.1.1>\r\n\
             From: \"sipvicious\"<sip:100@1.1.1.1>;tag={pad}\r\n\
             User-Agent: friendly-scanner\r\n\
             Call-ID: 845512300713450671320094\r\n\
             Contact: sip:100@203.0.113.9:5062\r\n\
             CSeq: 1 OPTIONS\r\n\
             Accept: application/sdp\r\n\
             Content-Length: 0\r\n\r\n"
        )
    })
}

/// A REGISTER of a phone with digest credentials, `size` bytes, at `host`.
pub fn register(host: &str, size: usize) -> Vec<u8> {
    fill(size, |pad| {
        format!(
            "REGISTER sip:{host} SIP/2.0\r\n\
             Via: SIP/2.0/UDP 198.51.100.7:5060;branch=z9hG4bKaaaaaaaa;rport\r\n\
             Max-Forwards: 70\r\n\
             From: \"Desk\" <sip:1001@{host}>;tag=8f2c31aa\r\n\
             To: <sip:1001@{host}>\r\n\
             Call-ID: 7c21f0d2a1b34@198.51.100.7\r\n\
             CSeq: 2 REGISTER\r\n\
             Contact: <sip:1001@198.51.100.7:5060>\r\n\
             User-Agent: Yealink SIP-T46S\r\n\
             Authorization: Digest username=\"1001\", realm=\"{host}\", nonce=\"{pad}\", \
             uri=\"sip:{host}\", response=\"0123456789abcdef0123456789abcdef\"\r\n\
             Expires: 3600\r\n\
             Content-Length: 0\r\n\r\n"
        )
    })
}

/// An INVITE of a phone with a session description, `size` bytes, at `host`.
pub fn invite(host: &str, size: usize) -> Vec<u8> {
    const BODY: &str = "v=0\r\no=- 1 1 IN IP4 198.51.100.7\r\ns=call\r\nc=IN IP4 198.51.100.7\r\n\
                        t=0 0\r\nm=audio 11780 RTP/AVP 9 8 0 101\r\na=rtpmap:9 G722/8000\r\n\
                        a=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\n\
                        a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\n\
                        a=sendrecv\r\n";
    fill(size, |pad| {
        format!(
            "INVITE sip:0042@{host} SIP/2.0\r\n\
             Via: SIP/2.0/UDP 198.51.100.7:5060;branch=z9hG4bKaaaaaaaa;rport\r\n\
             Max-Forwards: 70\r\n\
             From: \"Desk\" <sip:1001@{host}>;tag=8f2c31aa\r\n\
             To: <sip:0042@{host}>\r\n\
             Call-ID: 7c21f0d2a1b34@198.51.100.7\r\n\
             CSeq: 2 INVITE\r\n\
             Contact: <sip:1001@198.51.100.7:5060>\r\n\
             User-Agent: Yealink SIP-T46S\r\n\
             Allow: INVITE, ACK, BYE, CANCEL, OPTIONS, INFO, REFER, NOTIFY\r\n\
             Supported: replaces, timer\r\n\
             Authorization: Digest username=\"1001\", realm=\"{host}\", nonce=\"{pad}\", \
             uri=\"sip:0042@{host}\", response=\"0123456789abcdef0123456789abcdef\"\r\n\
             Content-Type: application/sdp\r\n\
             Content-Length: {}\r\n\r\n{BODY}",
            BODY.len()
        )
    })
}

/// An INFO of the phone that registers, within a call, `size` bytes.
pub fn info(host: &str, size: usize) -> Vec<u8> {
    fill(size, |pad| {
        format!(
            "INFO sip:pbx@192.0.2.10:5060 SIP/2.0\r\n\
             Via: SIP/2.0/UDP 198.51.100.7:5060;branch=z9hG4bKaaaaaaaa;rport\r\n\
             Max-Forwards: 70\r\n\
             From: \"Desk\" <sip:1001@{host}>;tag=8f2c31aa\r\n\
             To: <sip:0042@{host}>;tag=77ab12\r\n\
             Call-ID: 1b34a7c21f0d2@198.51.100.7\r\n\
             CSeq: 3 INFO\r\n\
             User-Agent: Yealink SIP-T46S\r\n\
             Subject: {pad}\r\n\
             Content-Type: application/dtmf-relay\r\n\
             Content-Length: 22\r\n\r\nSignal=5\r\nDuration=160"
        )
    })
}

/// The 200 of this host to the REGISTER of [`register`], `size` bytes; `answers` or not.
pub fn accepted(host: &str, answers: bool, size: usize) -> Vec<u8> {
    let branch = if answers { "aaaaaaaa" } else { "bbbbbbbb" };
    fill(size, |pad| {
        format!(
            "SIP/2.0 200 OK\r\n\
             Via: SIP/2.0/UDP 198.51.100.7:5060;branch=z9hG4bK{branch};rport=5060;received=80.0.0.1\r\n\
             From: \"Desk\" <sip:1001@{host}>;tag=8f2c31aa\r\n\
             To: <sip:1001@{host}>;tag=77ab12\r\n\
             Call-ID: 7c21f0d2a1b34@198.51.100.7\r\n\
             CSeq: 2 REGISTER\r\n\
             Contact: <sip:1001@198.51.100.9:5060>;expires=3000, \
             <sip:1001@198.51.100.7:5060>;expires=3600\r\n\
             Server: {pad}\r\n\
             Content-Length: 0\r\n\r\n"
        )
    })
}

/// The text, with so much padding that it has `size` bytes.
fn fill(size: usize, text: impl Fn(&str) -> String) -> Vec<u8> {
    let bare = text("").len();
    let filled = text(&"7d".repeat(size)[..size.saturating_sub(bare)]).into_bytes();
    assert_eq!(filled.len(), size, "the text alone has {bare} bytes");
    filled
}
