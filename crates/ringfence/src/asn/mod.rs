//! Autonomous systems: whose network an address is in, by number (RFC 6793) and name.
//!
//! [`AsnData::open`] reads files by their content, packed or not: MMDB databases of MaxMind, DB-IP, IPinfo and
//! ip-location-db, and CSV files of ranges, `first,last,number,name`, as ip-location-db publishes them.

mod csv;
mod error;
mod gather;
mod mmdb;
#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::path::Path;

use ipnet::IpNet;
use jiff::civil::Date;

pub use self::error::AsnError;
use self::gather::Gathered;
use crate::config::AddressRange;
use crate::country::mmdb::has_marker;
use crate::fetch::{Want, unpacked};

/// The most bytes of a file, unpacked.
const MOST: u64 = 512 << 20;

/// Which addresses belong to which autonomous system. 12 bytes a range of IPv4, 24 of IPv6, and each name once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AsnData {
    /// First and last address in host order, and the number; ascending, apart, never 0.
    v4: Vec<(u32, u32, u32)>,
    /// The same over the upper 64 bits of IPv6 addresses. A /64 that a source divides belongs to the system of its
    /// first address.
    v6: Vec<(u64, u64, u32)>,
    /// Numbers, ascending, and where their names begin in `names`; a name ends where the next begins.
    systems: Vec<(u32, u32)>,
    names: String,
    /// What the data is and where it came from, to be shown to people.
    pub source: String,
    /// The day the data was made, where the source states it; of several the oldest.
    pub date: Option<Date>,
}

impl AsnData {
    /// Reads files as one. Where two disagree about an address, the narrower range holds, and of equal ranges the
    /// later file's.
    ///
    /// # Errors
    /// When a file cannot be read or unpacked, or has no autonomous systems.
    pub fn open<P: AsRef<Path>>(paths: &[P]) -> Result<Self, AsnError> {
        let mut all = Gathered::default();
        for path in paths {
            let path = path.as_ref();
            let bytes = unpacked(path, Want::Ending(&[".mmdb", ".csv"]), MOST)?;
            match has_marker(&bytes) {
                true => mmdb::read(bytes, path, &mut all)?,
                false => csv::read(&bytes, path, &mut all)?,
            }
        }
        Ok(all.finish())
    }

    /// The number and the name of the system that an address belongs to. The name may be empty, and was written by
    /// strangers.
    pub fn lookup(&self, ip: IpAddr) -> Option<(u32, &str)> {
        let number = match ip.to_canonical() {
            IpAddr::V4(v4) => holder(&self.v4, v4.to_bits()),
            IpAddr::V6(v6) => holder(&self.v6, (v6.to_bits() >> 64) as u64),
        }?;
        Some((number, self.name(number).unwrap_or_default()))
    }

    /// The same for people: `AS680 Verein zur Foerderung eines Deutschen Forschungsnetzes e.V.`.
    pub fn shown(&self, ip: IpAddr) -> Option<String> {
        let (number, name) = self.lookup(ip)?;
        Some(format!("AS{number} {name}").trim_end().to_owned())
    }

    /// The name of a system, if the data has addresses of it.
    pub fn name(&self, number: u32) -> Option<&str> {
        let at = self.systems.binary_search_by_key(&number, |(own, _)| *own);
        let at = at.ok()?;
        let (_, begin) = self.systems.get(at)?;
        let end = self.systems.get(at + 1).map(|(_, end)| *end as usize);
        self.names
            .get(*begin as usize..end.unwrap_or(self.names.len()))
    }

    /// The fewest prefixes that hold the addresses of a system, IPv4 first, ascending. Of IPv6 none is longer than
    /// /64.
    pub fn prefixes(&self, number: u32) -> Vec<IpNet> {
        let wanted = self.prefixes_of(move |own| own == number);
        wanted.map(|(_, net)| net).collect()
    }

    /// The same of all systems that are wanted, each prefix with its number, in one pass over the data.
    pub fn prefixes_of(
        &self,
        wanted: impl Fn(u32) -> bool + Copy,
    ) -> impl Iterator<Item = (u32, IpNet)> {
        let v4 = self.v4.iter().filter(move |range| wanted(range.2));
        let v4 = v4.map(|(first, last, number)| (*number, ip4(*first), ip4(*last)));
        let v6 = self.v6.iter().filter(move |range| wanted(range.2));
        let v6 = v6.map(|(first, last, number)| (*number, ip6(*first, 0), ip6(*last, u64::MAX)));
        // The only ranges that are refused are of mapped addresses, which no packet carries.
        v4.chain(v6)
            .filter_map(|(number, first, last)| {
                Some((number, AddressRange::new(first, last).ok()?))
            })
            .flat_map(|(number, range)| range.prefixes().into_iter().map(move |net| (number, net)))
    }

    /// Systems that have addresses.
    pub fn systems(&self) -> usize {
        self.systems.len()
    }

    /// Ranges of IPv4 and of IPv6.
    pub fn ranges(&self) -> (usize, usize) {
        (self.v4.len(), self.v6.len())
    }
}

/// Whose range holds `address`.
fn holder<T: Ord + Copy>(ranges: &[(T, T, u32)], address: T) -> Option<u32> {
    let after = ranges.partition_point(|(first, _, _)| *first <= address);
    let (_, last, number) = ranges.get(after.checked_sub(1)?)?;
    (address <= *last).then_some(*number)
}

fn ip4(bits: u32) -> IpAddr {
    std::net::Ipv4Addr::from_bits(bits).into()
}

fn ip6(top: u64, rest: u64) -> IpAddr {
    std::net::Ipv6Addr::from_bits(u128::from(top) << 64 | u128::from(rest)).into()
}
