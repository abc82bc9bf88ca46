//! An entry of a list: an address, a network or a range, as lists have them.

use std::net::{IpAddr, Ipv4Addr};

use ipnet::{IpNet, ipv4_mask_to_prefix};

use crate::config::AddressRange;

/// The longest text of an entry, in bytes.
const LONGEST: usize = 128;

/// Reads an entry. Bits behind a prefix's length do not count, since lists have them; an IPv4 address may be written in
/// its mapped form. Nothing else is guessed.
pub fn range(text: &str) -> Option<AddressRange> {
    let text = text.trim().trim_matches(['"', '\'']).trim();
    if text.is_empty() || text.len() > LONGEST {
        return None;
    }
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some(AddressRange::from(address));
    }
    if let Some((address, length)) = text.split_once('/') {
        return network(address.trim(), length.trim());
    }
    let (first, last) = text.split_once('-')?;
    let (first, last) = (address(first)?, address(last)?);
    AddressRange::new(first, last).ok()
}

fn address(text: &str) -> Option<IpAddr> {
    let address = text.trim().parse::<IpAddr>().ok()?;
    Some(address.to_canonical())
}

fn network(address: &str, length: &str) -> Option<AddressRange> {
    let address = address.parse::<IpAddr>().ok()?;
    let digits = length.bytes().all(|byte| byte.is_ascii_digit());
    let length = match length.parse::<u8>() {
        Ok(length) if digits => length,
        _ => ipv4_mask_to_prefix(length.parse::<Ipv4Addr>().ok()?).ok()?,
    };
    let (address, length) = match address.to_canonical() {
        // The length counts the bits before the IPv4 address too.
        v4 @ IpAddr::V4(_) if address.is_ipv6() => (v4, length.checked_sub(96)?),
        same => (same, length),
    };
    let net = IpNet::new(address, length).ok()?;
    AddressRange::new(net.network(), net.broadcast()).ok()
}
