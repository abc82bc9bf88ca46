//! A packet that was copied: who sent it, and what its SDP names.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::sdp;

/// Numbers of IANA.
const TCP: u8 = 6;
const UDP: u8 = 17;
const IPV6_HEADER: usize = 40;

/// Who sent a packet and the places of media that it names, where it is a SIP message with an SDP; `packet` is from the
/// IP header on and may be cut off.
pub(super) fn named(packet: &[u8]) -> Option<(IpAddr, Vec<SocketAddr>)> {
    let (from, protocol, transport) = network(packet)?;
    let payload = match protocol {
        UDP => transport.get(8..)?,
        TCP => transport.get(usize::from(transport.get(12)? >> 4) * 4..)?,
        _ => return None,
    };
    let places = sdp::places(body(payload)?);
    (!places.is_empty()).then_some((from, places))
}

/// The source, the number of the protocol, and what follows the IP header.
fn network(packet: &[u8]) -> Option<(IpAddr, u8, &[u8])> {
    match packet.first()? >> 4 {
        4 => {
            let length = usize::from(packet.first()? & 0xf) * 4;
            // Later pieces of a datagram have no header of the transport.
            let offset = u16::from_be_bytes(*packet.get(6..)?.first_chunk()?) & 0x1fff;
            let from = Ipv4Addr::from(*packet.get(12..)?.first_chunk::<4>()?);
            let rest = packet.get(length.max(20)..)?;
            (offset == 0).then_some((from.into(), *packet.get(9)?, rest))
        }
        6 => {
            let from = Ipv6Addr::from(*packet.get(8..)?.first_chunk::<16>()?);
            Some((from.into(), *packet.get(6)?, packet.get(IPV6_HEADER..)?))
        }
        _ => None,
    }
}

/// The body of a message that may carry an offer or an answer: requests, and responses 180 to 299. Of TCP only a message
/// that begins with its segment is read.
fn body(message: &[u8]) -> Option<&[u8]> {
    let end = message.windows(4).position(|four| four == b"\r\n\r\n")?;
    let (head, body) = message.split_at_checked(end + 4)?;
    let line = head.split(|byte| *byte == b'\r').next()?;
    let fits = match line.strip_prefix(b"SIP/2.0 ") {
        Some(status) => matches!(status, [b'1', b'8', ..] | [b'2', ..]),
        None => line.ends_with(b" SIP/2.0"),
    };
    fits.then_some(body)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SDP: &str = "v=0\r\nc=IN IP4 198.51.100.1\r\nm=audio 4000 RTP/AVP 0\r\n";

    /// A datagram from 203.0.113.9 or 2001:db8::9, or a segment.
    fn packet(v6: bool, protocol: u8, payload: &str) -> Vec<u8> {
        let mut bytes = match v6 {
            true => {
                let mut header = vec![0; IPV6_HEADER];
                (header[0], header[6]) = (0x60, protocol);
                header[8..24].copy_from_slice(&"2001:db8::9".parse::<Ipv6Addr>().unwrap().octets());
                header
            }
            false => {
                let mut header = vec![0; 24];
                (header[0], header[9]) = (0x46, protocol);
                header[12..16].copy_from_slice(&[203, 0, 113, 9]);
                header
            }
        };
        let mut transport = vec![0; if protocol == UDP { 8 } else { 24 }];
        if protocol == TCP {
            transport[12] = 0x60;
        }
        bytes.extend(transport);
        bytes.extend(payload.as_bytes());
        bytes
    }

    #[test]
    fn offers_and_answers_are_read_whatever_carries_them() {
        for line in [
            "INVITE sip:1@a SIP/2.0",
            "SIP/2.0 200 OK",
            "SIP/2.0 183 Session Progress",
        ] {
            let message = format!("{line}\r\nTo: x\r\n\r\n{SDP}");
            for (v6, protocol) in [(false, UDP), (false, TCP), (true, UDP), (true, TCP)] {
                let (from, places) = named(&packet(v6, protocol, &message)).unwrap();
                let expected = if v6 { "2001:db8::9" } else { "203.0.113.9" };
                assert_eq!(
                    (from.to_string(), places.len()),
                    (expected.to_owned(), 2),
                    "{line}"
                );
            }
        }
        for message in [
            format!("SIP/2.0 488 No\r\n\r\n{SDP}"),
            format!("GET / HTTP/1.1\r\n\r\n{SDP}"),
            format!("INVITE sip:1@a SIP/2.0\r\nTo: x\r\n{SDP}"),
            "INVITE sip:1@a SIP/2.0\r\n\r\n".into(),
        ] {
            assert_eq!(named(&packet(false, UDP, &message)), None, "{message}");
        }
        let mut later = packet(false, UDP, &format!("INVITE a SIP/2.0\r\n\r\n{SDP}"));
        later[7] = 1;
        assert_eq!(named(&later), None);
    }

    proptest! {
        #[test]
        fn whatever_is_copied_is_read_to_its_end(bytes in prop::collection::vec(any::<u8>(), 0..200), at in 0usize..120, cut in 0usize..300) {
            let _ = named(&bytes);
            let mut whole = packet(false, TCP, &format!("INVITE a SIP/2.0\r\n\r\n{SDP}"));
            let place = at.min(whole.len() - 1);
            whole[place] ^= 0xff;
            let _ = named(&whole[..cut.min(whole.len())]);
        }
    }
}
