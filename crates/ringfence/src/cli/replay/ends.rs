//! Who sends a frame to whom, before anything is judged.

use ringfence_core::class::Class;
use ringfence_core::packet::{Bytes, Link, Network, network, protocol, transport};
use ringfence_core::verdict::{NO_CLASS, Verdict};
use zerocopy::{FromBytes, FromZeros};

/// Bytes of the Ethernet header that a raw IP packet is read behind.
const ETHERNET: u32 = 14;

/// A frame as one of Ethernet: a verdict that no judge has touched reads those.
struct Framed<'a> {
    link: Link,
    bytes: &'a [u8],
}

impl Framed<'_> {
    fn read<T: FromBytes>(&self, offset: u32) -> Option<T> {
        let offset = match self.link {
            Link::Ethernet => offset,
            Link::RawIp => offset.checked_sub(ETHERNET)?,
        };
        let rest = self.bytes.get(offset as usize..)?;
        T::read_from_prefix(rest).ok().map(|(value, _)| value)
    }

    /// Whether it is a piece of an IPv4 datagram without the ports.
    fn is_later_piece(&self) -> bool {
        let kind = self.short(12).map(u16::from_be);
        let pieces = self.short(ETHERNET + 6).map_or(0, u16::from_be);
        kind == Some(0x0800) && pieces & 0x1fff != 0
    }
}

impl Bytes for Framed<'_> {
    fn frame_length(&self) -> u32 {
        let header = if self.link == Link::RawIp {
            ETHERNET
        } else {
            0
        };
        u32::try_from(self.bytes.len()).map_or(u32::MAX, |length| length.saturating_add(header))
    }

    fn short(&self, offset: u32) -> Option<u16> {
        if self.link == Link::RawIp && offset == 12 {
            let kind: u16 = match self.bytes.first()? >> 4 {
                4 => 0x0800,
                6 => 0x86dd,
                _ => return None,
            };
            return Some(kind.to_be());
        }
        self.read(offset)
    }

    fn words<const N: usize>(&self, offset: u32) -> Option<[u32; N]> {
        self.read(offset)
    }
}

/// The ends of a frame, as a verdict tells them, its payload's place, and whether that is a SIP
/// request ([`Class::Other`]) or response. None where it is not IP,
/// or has IPv6 extension headers. Without a transport header its ports are 0.
pub(super) fn ends(link: Link, bytes: &[u8]) -> Option<Verdict> {
    let framed = Framed { link, bytes };
    let mut verdict = Verdict::new_zeroed();
    verdict.class = NO_CLASS;
    if network(&framed, &mut verdict) != Network::Ip {
        return None;
    }
    let carried = matches!(verdict.protocol, protocol::TCP | protocol::UDP);
    if carried && !framed.is_later_piece() {
        transport(&framed, &mut verdict);
    }
    if link == Link::RawIp {
        verdict.payload = verdict.payload.saturating_sub(ETHERNET);
    }
    if verdict.payload != 0 {
        verdict.class = class(bytes.get(verdict.payload as usize..).unwrap_or_default());
    }
    Some(verdict)
}

/// Of a payload, as much of its class as its name is found by.
fn class(payload: &[u8]) -> u8 {
    let line = payload
        .split(|byte| *byte == b'\r')
        .next()
        .unwrap_or_default();
    if line.starts_with(b"SIP/2.0 ") {
        Class::Response as u8
    } else if line.ends_with(b" SIP/2.0") {
        Class::Other as u8
    } else {
        NO_CLASS
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ringfence_core::address::Address;

    /// An IPv4 packet of UDP with two bytes of payload.
    const PACKET: [u8; 30] = [
        0x45, 0, 0, 30, 0, 0, 0, 0, 64, 17, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2, 0x13, 0xc4, 0x13,
        0xc6, 0, 10, 0, 0, 7, 8,
    ];

    #[test]
    fn both_links_say_the_same() {
        let framed = [&[0; 12], &[8, 0][..], &PACKET].concat();
        for (link, frame) in [(Link::RawIp, &PACKET[..]), (Link::Ethernet, &framed)] {
            let ends = ends(link, frame).unwrap();
            assert_eq!(ends.source, Address::v4([192, 0, 2, 1]));
            assert_eq!((ends.source_port, ends.destination_port), (5060, 5062));
            assert_eq!(&frame[ends.payload as usize..], [7, 8]);
        }
    }

    #[test]
    fn a_later_piece_has_no_ports() {
        let mut piece = PACKET;
        piece[7] = 1;
        let ends = ends(Link::RawIp, &piece).unwrap();
        assert_eq!(ends.destination, Address::v4([192, 0, 2, 2]));
        assert_eq!(ends.source_port, 0);
        assert!(super::ends(Link::RawIp, &piece[..10]).is_none());
        assert!(super::ends(Link::Ethernet, &[]).is_none());
    }
}
