//! Link types: what stands before the IP header of a captured packet.

/// IPv4 as an EtherType.
const IPV4: u16 = 0x0800;
/// IPv6 as an EtherType.
const IPV6: u16 = 0x86dd;

/// The link-layer header of a packet, in the terms that the judge needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Link {
    /// An Ethernet header, VLAN tags included.
    Ethernet,
    /// No header: the IP header comes first.
    RawIp,
    /// A header of fixed length that names the protocol behind it: Linux cooked v1 and v2, BSD null and loop.
    Cooked {
        /// The EtherType of what follows; 0 where it is no network protocol or the header is cut short.
        protocol: u16,
        /// Bytes before the network header.
        header_len: usize,
    },
    /// A link type (LINKTYPE_ value) that is not read; met in pcapng files beside others.
    Unsupported(u16),
}

impl Link {
    /// The link of a packet with this LINKTYPE_ value.
    pub(super) fn of(link_type: u16, data: &[u8]) -> Self {
        match link_type {
            1 => Self::Ethernet,
            // 12 and 14 are what some systems wrote for raw IP before 101 was given out.
            12 | 14 | 101 | 228 | 229 => Self::RawIp,
            113 => Self::Cooked {
                protocol: big_endian_at(data, 14, 16),
                header_len: 16,
            },
            276 => Self::Cooked {
                protocol: big_endian_at(data, 0, 20),
                header_len: 20,
            },
            0 | 108 => Self::Cooked {
                protocol: family(data),
                header_len: 4,
            },
            other => Self::Unsupported(other),
        }
    }

    /// Whether packets with this LINKTYPE_ value can be read.
    pub(super) fn is_supported(link_type: u16) -> bool {
        !matches!(Self::of(link_type, &[]), Self::Unsupported(_))
    }
}

/// The 16-bit protocol at `at`, or 0 where the header of `header_len` bytes is not all there.
fn big_endian_at(data: &[u8], at: usize, header_len: usize) -> u16 {
    if data.len() < header_len {
        return 0;
    }
    data.get(at..)
        .and_then(|rest| rest.first_chunk())
        .map_or(0, |bytes| u16::from_be_bytes(*bytes))
}

/// The EtherType for the address family that begins a null or loop header. Null is in the byte order of the capturing
/// machine, which the file does not tell; families are small, so that the order shows. IPv6 has a number per system.
fn family(data: &[u8]) -> u16 {
    let Some(bytes) = data.first_chunk::<4>() else {
        return 0;
    };
    match u32::from_be_bytes(*bytes).min(u32::from_le_bytes(*bytes)) {
        2 => IPV4,
        10 | 24 | 28 | 30 => IPV6,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cooked(protocol: u16, header_len: usize) -> Link {
        Link::Cooked {
            protocol,
            header_len,
        }
    }

    #[test]
    fn each_link_type_tells_where_ip_begins() {
        let mut v1 = [0u8; 17];
        v1[14..16].copy_from_slice(&[0x86, 0xdd]);
        let mut v2 = [0u8; 21];
        v2[..2].copy_from_slice(&[0x08, 0x00]);
        for (link_type, data, expected) in [
            (1, &[][..], Link::Ethernet),
            (12, &[], Link::RawIp),
            (14, &[], Link::RawIp),
            (101, &[], Link::RawIp),
            (228, &[], Link::RawIp),
            (229, &[], Link::RawIp),
            (113, &v1, cooked(IPV6, 16)),
            (113, &v1[..15], cooked(0, 16)),
            (276, &v2, cooked(IPV4, 20)),
            (276, &v2[..19], cooked(0, 20)),
            (0, &[2, 0, 0, 0], cooked(IPV4, 4)),
            (0, &[0, 0, 0, 2], cooked(IPV4, 4)),
            (0, &[30, 0, 0, 0, 0x60], cooked(IPV6, 4)),
            (108, &[0, 0, 0, 24], cooked(IPV6, 4)),
            (108, &[0, 0, 0], cooked(0, 4)),
            (108, &[0, 0, 0, 7], cooked(0, 4)),
            (105, &[], Link::Unsupported(105)),
        ] {
            assert_eq!(Link::of(link_type, data), expected, "link type {link_type}");
        }
    }
}
