//! Ranges of addresses: `192.0.2.7`, `192.0.2.0/24`, `192.0.2.10-192.0.2.20`.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::wrong::{Wrong, quoted};

/// The addresses from a first to a last one, both included, of one family.
///
/// An IPv4 address is always written as such: the IPv4-mapped form of IPv6 (RFC 4291, section
/// 2.5.5.2) never stands on a wire and is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AddressRange {
    first: IpAddr,
    last: IpAddr,
}

/// An address range with the operator's remark.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListEntry {
    /// The addresses.
    pub range: AddressRange,
    /// Why they are on the list.
    pub comment: Option<String>,
}

impl AddressRange {
    /// The range from `first` to `last`, both included.
    ///
    /// # Errors
    /// When the families differ, `last` comes before `first`, or one is an IPv4-mapped address.
    pub fn new(first: IpAddr, last: IpAddr) -> Result<Self, Wrong> {
        for address in [first, last] {
            if let IpAddr::V6(v6) = address
                && let Some(v4) = v6.to_ipv4_mapped()
            {
                return Err(Wrong::new(
                    format!("`{address}` is an IPv4-mapped IPv6 address, which no packet carries"),
                    format!("write the IPv4 address, here {v4}"),
                ));
            }
        }
        if first.is_ipv4() != last.is_ipv4() {
            return Err(Wrong::new(
                format!("`{first}-{last}` mixes IPv4 and IPv6"),
                "write two ranges, one for each",
            ));
        }
        if last < first {
            return Err(Wrong::new(
                format!("the range `{first}-{last}` ends before it starts"),
                format!("write \"{last}-{first}\""),
            ));
        }
        Ok(Self { first, last })
    }

    /// The first address.
    pub fn first(&self) -> IpAddr {
        self.first
    }

    /// The last address.
    pub fn last(&self) -> IpAddr {
        self.last
    }

    /// Whether `address` lies in the range.
    pub fn contains(&self, address: IpAddr) -> bool {
        address.is_ipv4() == self.first.is_ipv4() && self.first <= address && address <= self.last
    }

    /// Whether the ranges have an address in common.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.contains(other.first) || other.contains(self.first)
    }

    /// Whether the range is all of IPv4 or all of IPv6.
    pub fn is_everything(&self) -> bool {
        let prefixes = self.prefixes();
        prefixes.len() == 1 && prefixes[0].prefix_len() == 0
    }

    /// The fewest prefixes that make up exactly this range, lowest first; at most 254.
    pub fn prefixes(&self) -> Vec<IpNet> {
        let (mut first, last, width) = match (self.first, self.last) {
            (IpAddr::V4(a), IpAddr::V4(b)) => {
                (u128::from(a.to_bits()), u128::from(b.to_bits()), 32)
            }
            (IpAddr::V6(a), IpAddr::V6(b)) => (a.to_bits(), b.to_bits(), 128),
            // `new` refuses a range of two families.
            _ => return Vec::new(),
        };
        let mut prefixes = Vec::new();
        loop {
            // The largest block that starts here (its low bits are zero) and does not go past the end.
            let mut bits = first.trailing_zeros().min(width);
            let end = |bits: u32| first | mask(bits);
            while end(bits) > last {
                bits -= 1;
            }
            let end = end(bits);
            prefixes.extend(prefix(first, width, width - bits));
            if end >= last {
                return prefixes;
            }
            first = end + 1;
        }
    }
}

/// The `bits` low bits set.
fn mask(bits: u32) -> u128 {
    1_u128.checked_shl(bits).map_or(u128::MAX, |b| b - 1)
}

fn prefix(first: u128, width: u32, length: u32) -> Option<IpNet> {
    let length = u8::try_from(length).ok()?;
    if width == 32 {
        let address = Ipv4Addr::from_bits(u32::try_from(first).ok()?);
        Ipv4Net::new(address, length).ok().map(IpNet::V4)
    } else {
        Ipv6Net::new(Ipv6Addr::from_bits(first), length)
            .ok()
            .map(IpNet::V6)
    }
}

impl From<IpAddr> for AddressRange {
    /// The range of one address; an IPv4-mapped address becomes its IPv4 one.
    fn from(address: IpAddr) -> Self {
        let address = address.to_canonical();
        Self {
            first: address,
            last: address,
        }
    }
}

impl FromStr for AddressRange {
    type Err = Wrong;

    fn from_str(text: &str) -> Result<Self, Wrong> {
        if let Some((network, length)) = text.split_once('/') {
            cidr(text, network, length)
        } else if let Some((first, last)) = text.split_once('-') {
            Self::new(address(first.trim(), text)?, address(last.trim(), text)?)
        } else {
            let address = address(text, text)?;
            Self::new(address, address)
        }
    }
}

fn address(text: &str, whole: &str) -> Result<IpAddr, Wrong> {
    let bare = text
        .strip_prefix('[')
        .and_then(|t| t.strip_suffix(']'))
        .unwrap_or(text);
    bare.parse().map_err(|_| {
        let no_zone = bare
            .split_once('%')
            .filter(|(a, _)| a.parse::<Ipv6Addr>().is_ok());
        let no_port = bare
            .rsplit_once(':')
            .filter(|(a, _)| a.parse::<Ipv4Addr>().is_ok());
        let fix = match (no_zone, no_port) {
            (Some((address, _)), _) => format!("write it without the interface: \"{address}\""),
            (_, Some((address, _))) => format!("write it without the port: \"{address}\""),
            _ => "write an address, a prefix such as \"192.0.2.0/24\", or \"FIRST-LAST\"".into(),
        };
        let part = if text == whole {
            String::new()
        } else {
            format!(" in {}", quoted(whole))
        };
        Wrong::new(format!("{}{part} is not an IP address", quoted(text)), fix)
    })
}

fn cidr(whole: &str, network: &str, length: &str) -> Result<AddressRange, Wrong> {
    let address = address(network, whole)?;
    let width: u8 = if address.is_ipv4() { 32 } else { 128 };
    let digits = !length.is_empty() && length.bytes().all(|b| b.is_ascii_digit());
    let parsed = length.parse::<u8>().ok().filter(|l| digits && *l <= width);
    let Some(parsed) = parsed else {
        let netmask = length
            .parse::<Ipv4Addr>()
            .ok()
            .filter(|_| address.is_ipv4());
        let fix = match netmask.and_then(|m| ipnet::ipv4_mask_to_prefix(m).ok()) {
            Some(bits) => format!("write \"{address}/{bits}\""),
            None => format!("write a length from 0 to {width}"),
        };
        return Err(Wrong::new(
            format!(
                "{} in {} is not a prefix length",
                quoted(length),
                quoted(whole)
            ),
            fix,
        ));
    };
    let net = IpNet::new(address, parsed)
        .map_err(|_| Wrong::new(format!("{} is not a prefix", quoted(whole)), "shorten it"))?;
    if net.network() != address {
        return Err(Wrong::new(
            format!("{} has bits set beyond its length", quoted(whole)),
            format!(
                "write \"{}\" for the network or \"{address}\" for the address",
                net.trunc()
            ),
        ));
    }
    AddressRange::new(address, net.broadcast())
}

impl fmt::Display for AddressRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.prefixes().as_slice() {
            _ if self.first == self.last => write!(f, "{}", self.first),
            [one] => write!(f, "{one}"),
            _ => write!(f, "{}-{}", self.first, self.last),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn range(text: &str) -> AddressRange {
        text.parse().unwrap()
    }

    #[test]
    fn ranges_are_written_back_in_their_shortest_form() {
        for (text, shown) in [
            ("192.0.2.7", "192.0.2.7"),
            ("192.0.2.7/32", "192.0.2.7"),
            ("192.0.2.0-192.0.2.255", "192.0.2.0/24"),
            ("192.0.2.1 - 192.0.2.2", "192.0.2.1-192.0.2.2"),
            ("2001:DB8::/32", "2001:db8::/32"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("::/0", "::/0"),
        ] {
            assert_eq!(range(text).to_string(), shown);
        }
    }

    #[test]
    fn prefixes_cover_the_range_and_no_more() {
        let shown = |t: &str| {
            range(t)
                .prefixes()
                .iter()
                .map(IpNet::to_string)
                .collect::<Vec<_>>()
        };
        assert_eq!(shown("0.0.0.0-255.255.255.255"), ["0.0.0.0/0"]);
        assert_eq!(
            shown("10.0.0.1-10.0.0.4"),
            ["10.0.0.1/32", "10.0.0.2/31", "10.0.0.4/32"]
        );
        assert_eq!(range("0.0.0.1-255.255.255.254").prefixes().len(), 62);
        let widest = "::1-ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe";
        assert_eq!(range(widest).prefixes().len(), 254);
        assert!(range("::/0").is_everything() && !range("::/1").is_everything());
    }

    #[test]
    fn a_wrong_range_says_what_to_write() {
        for (text, fix) in [
            ("192.0.2.7/24", "192.0.2.0/24"),
            ("192.0.2.0/255.255.255.0", "192.0.2.0/24"),
            ("::ffff:192.0.2.7", "192.0.2.7"),
            ("192.0.2.9-192.0.2.1", "192.0.2.1-192.0.2.9"),
            ("192.0.2.7:5060", "without the port"),
            ("fe80::1%eth0", "without the interface"),
            ("192.0.2.0/33", "0 to 32"),
            ("192.0.2.0/+8", "0 to 32"),
        ] {
            let wrong = text.parse::<AddressRange>().unwrap_err();
            assert!(wrong.fix().contains(fix), "{text}: {wrong}");
        }
        for text in [
            "",
            "-",
            "/",
            "a",
            "192.0.2",
            "192.0.2.1-::1",
            "1.2.3.4-5",
            "::ffff:0:0/96",
        ] {
            assert!(text.parse::<AddressRange>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn prefixes_join_up_from_first_to_last(a: u32, b: u32) {
            let (a, b) = (a.min(b), a.max(b));
            let range = AddressRange::new(Ipv4Addr::from_bits(a).into(), Ipv4Addr::from_bits(b).into())?;
            let prefixes = range.prefixes();
            prop_assert!(prefixes.len() <= 62);
            let mut next = u64::from(a);
            for net in prefixes {
                let IpNet::V4(net) = net else { panic!("an IPv6 prefix of an IPv4 range") };
                prop_assert_eq!(u64::from(net.network().to_bits()), next);
                next = u64::from(net.broadcast().to_bits()) + 1;
            }
            prop_assert_eq!(next, u64::from(b) + 1);
            prop_assert_eq!(range.to_string().parse::<AddressRange>()?, range);
        }

        #[test]
        fn ipv6_ranges_are_read_back(a: u128, bits in 0_u32..128) {
            let b = a | mask(bits);
            let range = AddressRange::new(Ipv6Addr::from_bits(a).into(), Ipv6Addr::from_bits(b).into());
            if let Ok(range) = range {
                prop_assert_eq!(range.to_string().parse::<AddressRange>()?, range);
            }
        }

        #[test]
        fn any_text_is_answered(text in "[0-9a-f:./%\\[\\] -]{0,40}") {
            let _ = text.parse::<AddressRange>();
        }
    }
}
