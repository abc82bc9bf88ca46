//! From the first byte of a frame to the transport header: every length checked, nothing believed.

use crate::address::Address;
use crate::bench::Bench;
use crate::policy::Policy;
use crate::scan::{Scan, Step, WINDOW};
use crate::verdict::Verdict;

/// What carries the IP header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Link {
    /// Ethernet (IEEE 802.3), up to two VLAN tags (802.1Q, 802.1ad).
    Ethernet = 0,
    /// Nothing: the frame begins with the IP header (tun, WireGuard, PPP).
    RawIp = 1,
}

/// Bytes of a frame, each read checked against its end. Words come as they lie in memory: network
/// order is [`u32::from_be`].
pub trait Bytes {
    /// Bytes in the frame.
    fn frame_length(&self) -> u32;

    /// The two bytes from `offset` on; `None` where the frame ends before. So below.
    fn short(&self, offset: u32) -> Option<u16>;

    /// The `N` words of four bytes from `offset` on.
    fn words<const N: usize>(&self, offset: u32) -> Option<[u32; N]>;
}

/// Internet protocol numbers that matter here (IANA).
pub mod protocol {
    /// TCP (RFC 9293).
    pub const TCP: u8 = 6;
    /// UDP (RFC 768).
    pub const UDP: u8 = 17;
}

/// Whether a packet is a piece of a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fragment {
    /// A whole datagram, an atomic fragment (RFC 6946) among them.
    Whole,
    /// The first piece, with the transport header.
    First,
    /// Another piece, which begins at this byte of the datagram.
    Later(u32),
}

/// What the link layer says about a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Network {
    /// IPv4 or IPv6.
    Ip,
    /// IPv6 with extension headers, which are yet to be followed.
    Extended,
    /// Not IP: ARP, spanning tree and the like.
    Other,
    /// Says it is IP and ends too early.
    Truncated,
}

const ETHERTYPE_IPV4: u16 = 0x0800;
const ETHERTYPE_IPV6: u16 = 0x86dd;
const ETHERTYPE_VLAN: u16 = 0x8100;
const ETHERTYPE_SERVICE_VLAN: u16 = 0x88a8;
const VLAN_TAGS: u32 = 2;

/// Most IPv6 extension headers that are followed.
pub const EXTENSION_HEADERS: u32 = 8;

/// Reads the headers up to the transport header, or to the first IPv6 extension header; the verdict
/// takes up what they say.
#[inline(always)]
pub fn network<B: Bytes>(frame: &B, verdict: &mut Verdict) -> Network {
    let (kind, at) = if verdict.link == Link::RawIp as u8 {
        match frame.short(0).map(u16::from_be) {
            Some(first) if first >> 12 == 4 => (ETHERTYPE_IPV4, 0),
            Some(first) if first >> 12 == 6 => (ETHERTYPE_IPV6, 0),
            Some(_) => return Network::Other,
            None => return Network::Truncated,
        }
    } else {
        let Some(mut kind) = frame.short(12).map(u16::from_be) else {
            return Network::Truncated;
        };
        let mut at = 14;
        let mut tags = 0;
        while tags < VLAN_TAGS && (kind == ETHERTYPE_VLAN || kind == ETHERTYPE_SERVICE_VLAN) {
            let Some(inner) = frame.short(at + 2).map(u16::from_be) else {
                return Network::Truncated;
            };
            kind = inner;
            at += 4;
            tags += 1;
        }
        (kind, at)
    };
    match kind {
        ETHERTYPE_IPV4 => ipv4(frame, verdict, at),
        ETHERTYPE_IPV6 => ipv6(frame, verdict, at),
        _ => Network::Other,
    }
}

#[inline(always)]
fn ipv4<B: Bytes>(frame: &B, verdict: &mut Verdict, at: u32) -> Network {
    let Some(header) = frame.words::<5>(at) else {
        return Network::Truncated;
    };
    let first = u32::from_be(header[0]);
    let length = (first >> 24 & 0x0f) * 4;
    if first >> 28 != 4 || length < 20 {
        return Network::Truncated;
    }
    let total = first & 0xffff;
    let whole = frame.frame_length() - at;
    // A length of 0 is what a packet above 64 KiB says of itself (segmentation offload).
    let (end, doubtful) = if total == 0 {
        (whole, false)
    } else {
        (total.min(whole), total > whole || total < length)
    };
    let pieces = u32::from_be(header[1]);
    let offset = (pieces & 0x1fff) * 8;
    verdict.source = Address::from_v4_word(header[3]);
    verdict.destination = Address::from_v4_word(header[4]);
    verdict.protocol = (u32::from_be(header[2]) >> 16) as u8;
    verdict.transport = at + length;
    verdict.end = at + end;
    verdict.fragment = if offset != 0 {
        offset
    } else {
        u32::from(pieces & 0x2000 != 0)
    };
    verdict.doubtful = doubtful as u8;
    Network::Ip
}

const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const AUTHENTICATION: u8 = 51;
const DESTINATION: u8 = 60;
const MOBILITY: u8 = 135;
const HOST_IDENTITY: u8 = 139;
const SHIM6: u8 = 140;
const NO_NEXT_HEADER: u32 = 59;

/// The numbers of extension headers below 64, and from 128 on.
const EXTENSIONS: [u64; 2] = [
    1 << HOP_BY_HOP | 1 << ROUTING | 1 << FRAGMENT | 1 << AUTHENTICATION | 1 << DESTINATION,
    1 << (MOBILITY - 128) | 1 << (HOST_IDENTITY - 128) | 1 << (SHIM6 - 128),
];

#[inline(always)]
const fn is_extension(next: u32) -> bool {
    let bits = if next < 64 {
        EXTENSIONS[0]
    } else {
        EXTENSIONS[1]
    };
    next & 0x40 == 0 && bits >> (next & 0x3f) & 1 == 1
}

/// Follows one IPv6 extension header (RFC 8200, section 4) in the window. The state lies in memory,
/// so that the kernel's verifier looks at one step and not at every sequence of them.
struct Extension;

impl Step for Extension {
    #[inline(always)]
    fn step(scan: &mut Scan, _: &Policy) -> bool {
        let next = u32::from(scan.verdict.protocol);
        let at = scan.position;
        if !is_extension(next) {
            return true;
        }
        if at + 8 > scan.length() || scan.extensions == EXTENSION_HEADERS {
            scan.verdict.doubtful = 1;
            return true;
        }
        let word = scan.word(at);
        let units = (word >> 8) as u32 & 0xff;
        let mut length = 8 + units * 8;
        if next == u32::from(FRAGMENT) {
            length = 8;
            let pieces = u32::from(((word >> 16) as u16).swap_bytes());
            scan.verdict.fragment |= pieces & 0xfff9;
        } else if next == u32::from(AUTHENTICATION) {
            // In units of 4 bytes, less 2 (RFC 4302, section 2.2).
            length = 8 + units * 4;
        }
        scan.verdict.protocol = word as u8;
        scan.extensions += 1;
        scan.position = at + length;
        scan.verdict.fragment & 0xfff8 != 0
    }
}

#[inline(always)]
fn ipv6<B: Bytes>(frame: &B, verdict: &mut Verdict, at: u32) -> Network {
    let Some(header) = frame.words::<10>(at) else {
        return Network::Truncated;
    };
    if u32::from_be(header[0]) >> 28 != 6 {
        return Network::Truncated;
    }
    let second = u32::from_be(header[1]);
    let payload = second >> 16;
    let next = second >> 8 & 0xff;
    let whole = frame.frame_length() - at;
    // A length of 0 is a jumbogram, or a packet above 64 KiB on its way through segmentation
    // offload.
    let (end, doubtful) = if payload == 0 && next != NO_NEXT_HEADER {
        (whole, false)
    } else {
        ((40 + payload).min(whole), 40 + payload > whole)
    };
    verdict.source = Address::from_v6_words([header[2], header[3], header[4], header[5]]);
    verdict.destination = Address::from_v6_words([header[6], header[7], header[8], header[9]]);
    verdict.protocol = next as u8;
    verdict.end = at + end;
    verdict.doubtful = doubtful as u8;
    verdict.transport = at + 40;
    if is_extension(next) {
        return Network::Extended;
    }
    Network::Ip
}

/// Follows the extension headers of an IPv6 packet whose protocol is still the first of them.
#[inline(always)]
pub fn extensions<B: Bench>(frame: &B, scan: &mut Scan, policy: &Policy) {
    let transport = scan.verdict.transport;
    let left = scan.verdict.end.saturating_sub(transport);
    let length = if left > WINDOW { WINDOW } else { left };
    if length == 0 || !frame.fill(transport, length, scan) {
        scan.verdict.doubtful = 1;
        return;
    }
    scan.begin(length);
    scan.position = 0;
    scan.extensions = 0;
    B::repeat::<Extension>(scan, policy, EXTENSION_HEADERS + 1);
    scan.verdict.transport = transport + scan.position;
}

/// Flags of a TCP header that matter here (RFC 9293, section 3.1).
pub mod tcp_flags {
    /// No more data from the sender.
    pub const FIN: u8 = 0x01;
    /// Synchronise sequence numbers.
    pub const SYN: u8 = 0x02;
    /// Reset.
    pub const RST: u8 = 0x04;
    /// Acknowledgement.
    pub const ACK: u8 = 0x10;
    /// One byte of the stream is urgent: the server reads it apart, or not at all.
    pub const URG: u8 = 0x20;
}

/// Reads a UDP or TCP header; `false` where it is truncated or lies about its length.
#[inline(always)]
pub fn transport<B: Bytes>(frame: &B, verdict: &mut Verdict) -> bool {
    let at = verdict.transport;
    let udp = verdict.protocol == protocol::UDP;
    let Some([ports, second]) = frame.words::<2>(at) else {
        return false;
    };
    let ports = u32::from_be(ports);
    let second = u32::from_be(second);
    verdict.source_port = (ports >> 16) as u16;
    verdict.destination_port = ports as u16;
    let header = if udp {
        8
    } else {
        let Some([_, third, _]) = frame.words::<3>(at + 8) else {
            return false;
        };
        let third = u32::from_be(third);
        verdict.sequence = second;
        verdict.flags = (third >> 16) as u8;
        (third >> 28) * 4
    };
    verdict.payload = at + header;
    if verdict.payload > verdict.end || (!udp && header < 20) {
        return false;
    }
    let present = verdict.end - verdict.payload;
    verdict.length = present;
    // A length of 0 is what a UDP packet above 64 KiB says of itself (segmentation offload).
    let told = second >> 16;
    if udp && told != 0 {
        let Some(told) = told.checked_sub(8) else {
            return false;
        };
        if told > present && verdict.fragment() == Fragment::Whole {
            return false;
        }
        verdict.length = told.min(present);
    }
    true
}
