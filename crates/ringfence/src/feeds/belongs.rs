//! Addresses that no list may cut off: this host's, those of the operator's lists, of phones and providers, and those
//! that never come from the Internet.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

use crate::config::{AddressRange, Config, Host};
use crate::store::ListKind;
use crate::tables::Inputs;
use crate::trust::Holder;

/// Why an address belongs; of several the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Whose {
    /// It is this host's.
    Own,
    /// It is on the permit list.
    Permitted,
    /// It is a provider's.
    Trunk,
    /// It carries others' traffic.
    Proxy,
    /// A phone is registered from there, or was within a day.
    Registered,
    /// This host sent requests there.
    Solicited,
    /// An SSH session to this host comes from there, or it is a router or a name server of this host.
    Needed,
    /// It is private, or no address of a single host on the Internet.
    Reserved,
}

impl Whose {
    /// Its word in outputs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::Permitted => "permitted",
            Self::Trunk => "trunk",
            Self::Proxy => "proxy",
            Self::Registered => "registered",
            Self::Solicited => "solicited",
            Self::Needed => "needed",
            Self::Reserved => "reserved",
        }
    }

    /// Why an address belongs of which this is known.
    pub fn of(holder: &Holder) -> Self {
        let registered = holder
            .why
            .iter()
            .any(|why| matches!(*why, "registered" | "known"));
        if registered {
            Self::Registered
        } else {
            Self::Solicited
        }
    }

    /// Whether people must be told that a list has it. That lists have private ranges is usual, and anyone may open a
    /// connection to the port of SSH.
    pub fn is_ours(self) -> bool {
        !matches!(self, Self::Needed | Self::Reserved)
    }
}

/// IPv4 that is no stranger's on the Internet (RFC 6890). Documentation and test networks are not among them: nobody
/// belongs there.
const RESERVED_V4: [([u8; 4], u8); 8] = [
    ([0, 0, 0, 0], 8),
    ([10, 0, 0, 0], 8),
    // Carriers' phones behind shared addresses (RFC 6598).
    ([100, 64, 0, 0], 10),
    ([127, 0, 0, 0], 8),
    ([169, 254, 0, 0], 16),
    ([172, 16, 0, 0], 12),
    ([192, 168, 0, 0], 16),
    // Multicast, and what was never given out.
    ([224, 0, 0, 0], 3),
];

/// The first and the last of IPv6's global unicast (RFC 4291, section 2.5.4).
const GLOBAL: (u128, u128) = (0x2000_u128 << 112, (0x4000_u128 << 112) - 1);

/// An interval of addresses as numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Interval {
    pub(super) first: u128,
    pub(super) last: u128,
    pub(super) whose: Whose,
}

/// All that belongs: sorted, apart from each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Belongings {
    v4: Vec<Interval>,
    v6: Vec<Interval>,
}

impl Belongings {
    /// What belongs, reserved ranges included. Where ranges overlap, they count as one of the first kind.
    pub fn new(ranges: impl IntoIterator<Item = (AddressRange, Whose)>) -> Self {
        let reserved = RESERVED_V4.into_iter().filter_map(|(address, length)| {
            let net = IpNet::new(IpAddr::from(address), length).ok()?;
            AddressRange::new(net.network(), net.broadcast()).ok()
        });
        let mut all = Self {
            v4: Vec::new(),
            v6: vec![
                Interval {
                    first: 0,
                    last: GLOBAL.0 - 1,
                    whose: Whose::Reserved,
                },
                Interval {
                    first: GLOBAL.1 + 1,
                    last: u128::MAX,
                    whose: Whose::Reserved,
                },
            ],
        };
        let reserved = reserved.map(|range| (range, Whose::Reserved));
        for (range, whose) in ranges.into_iter().chain(reserved) {
            let (first, last) = (number(range.first()), number(range.last()));
            let family = if range.first().is_ipv4() {
                &mut all.v4
            } else {
                &mut all.v6
            };
            family.push(Interval { first, last, whose });
        }
        all.v4 = apart(all.v4);
        all.v6 = apart(all.v6);
        all
    }

    /// What the configuration, the operator and the host say; `registered` and `solicited` come from who is trusted.
    pub fn of(
        config: &Config,
        inputs: &Inputs,
        trusted: impl IntoIterator<Item = (IpAddr, Whose)>,
    ) -> Self {
        let mut all = Vec::new();
        for entry in &config.permit {
            all.push((entry.range, Whose::Permitted));
        }
        let permitted = inputs.ranges(ListKind::Permit);
        all.extend(permitted.map(|range| (range, Whose::Permitted)));
        for host in config.trunks.iter().flat_map(|trunk| &trunk.hosts) {
            match host {
                Host::Range(range) => all.push((*range, Whose::Trunk)),
                Host::Name(name) => all.extend(
                    inputs
                        .resolved
                        .get(name)
                        .into_iter()
                        .flatten()
                        .map(|ip| (AddressRange::from(*ip), Whose::Trunk)),
                ),
            }
        }
        for range in config.proxies.iter().flat_map(|proxy| &proxy.addresses) {
            all.push((*range, Whose::Proxy));
        }
        all.extend(config.protect.iter().map(|range| (*range, Whose::Own)));
        all.extend(
            inputs
                .own
                .iter()
                .map(|ip| (AddressRange::from(*ip), Whose::Own)),
        );
        all.extend(
            trusted
                .into_iter()
                .map(|(ip, whose)| (AddressRange::from(ip), whose)),
        );
        Self::new(all)
    }

    /// Those of the family that have an address from `first` to `last`.
    pub(super) fn within(&self, v4: bool, first: u128, last: u128) -> &[Interval] {
        let family = if v4 { &self.v4 } else { &self.v6 };
        let from = family.partition_point(|one| one.last < first);
        let rest = family.get(from..).unwrap_or_default();
        let to = rest.partition_point(|one| one.first <= last);
        rest.get(..to).unwrap_or_default()
    }

    /// Why an address belongs, if it does.
    pub fn whose(&self, address: IpAddr) -> Option<Whose> {
        let address = address.to_canonical();
        let bits = number(address);
        let found = self.within(address.is_ipv4(), bits, bits);
        found.first().map(|one| one.whose)
    }

    /// Those who belong for more than being reserved.
    pub(super) fn ours(&self) -> impl Iterator<Item = (bool, &Interval)> {
        let v4 = self.v4.iter().map(|one| (true, one));
        let all = v4.chain(self.v6.iter().map(|one| (false, one)));
        all.filter(|(_, one)| one.whose.is_ours())
    }
}

/// Joins what overlaps.
fn apart(mut all: Vec<Interval>) -> Vec<Interval> {
    all.sort_unstable();
    all.dedup_by(|next, before| {
        let overlap = next.first <= before.last;
        if overlap {
            before.last = before.last.max(next.last);
            before.whose = before.whose.min(next.whose);
        }
        overlap
    });
    all
}

/// An address as a number.
pub(super) fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => u128::from(v4.to_bits()),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

/// The address of a number; IPv4 takes its low 32 bits.
pub(super) fn address(v4: bool, bits: u128) -> IpAddr {
    if v4 {
        let bits = u32::try_from(bits & u128::from(u32::MAX)).unwrap_or(u32::MAX);
        IpAddr::V4(Ipv4Addr::from_bits(bits))
    } else {
        IpAddr::V6(Ipv6Addr::from_bits(bits))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_belongs_is_found_by_its_first_reason() {
        let range = |text: &str| text.parse::<AddressRange>().unwrap();
        let belongings = Belongings::new([
            (range("198.51.100.0/24"), Whose::Trunk),
            (range("198.51.100.7"), Whose::Registered),
            (range("203.0.113.5"), Whose::Registered),
            (range("2001:db8::5"), Whose::Solicited),
        ]);
        let whose = |text: &str| belongings.whose(text.parse().unwrap());
        assert_eq!(whose("198.51.100.7"), Some(Whose::Trunk));
        assert_eq!(whose("203.0.113.5"), Some(Whose::Registered));
        assert_eq!(whose("203.0.113.6"), None);
        assert_eq!(whose("2001:db8::5"), Some(Whose::Solicited));
        assert_eq!(whose("2001:db8::6"), None);
        for text in [
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "239.1.1.1",
            "255.255.255.255",
            "fe80::1",
            "::1",
            "fd00::1",
        ] {
            assert_eq!(whose(text), Some(Whose::Reserved), "{text}");
        }
        assert_eq!(belongings.ours().count(), 3);
    }
}
