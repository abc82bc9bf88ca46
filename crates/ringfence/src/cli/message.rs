//! What a packet is called in answers: a SIP method or status, or the class of what is no SIP.

use ringfence_core::class::Class;
use ringfence_core::verdict::Verdict;

/// The method, status or class of what a packet carries; empty where it has none.
pub(super) fn name(verdict: &Verdict, frame: &[u8]) -> String {
    let payload = payload(verdict, frame);
    let Some(class) = Class::from_number(verdict.class) else {
        return String::new();
    };
    let line = payload
        .iter()
        .position(|byte| !matches!(byte, b'\r' | b'\n' | 0))
        .and_then(|start| payload.get(start..))
        .unwrap_or_default();
    let mut words = line.split(|byte| matches!(byte, b' ' | b'\r' | b'\n'));
    let shown = match class {
        Class::Response => words.nth(1),
        Class::InDialogue => words.next(),
        Class::Other if !line.starts_with(&[0x16]) => words.next(),
        _ => None,
    };
    shown
        .filter(|word| (1..=32).contains(&word.len()) && word.iter().all(u8::is_ascii_alphanumeric))
        .map_or_else(
            || class.name().to_owned(),
            |word| String::from_utf8_lossy(word).to_ascii_uppercase(),
        )
}

/// The payload of a packet, as far as it was captured.
fn payload<'f>(verdict: &Verdict, frame: &'f [u8]) -> &'f [u8] {
    let rest = frame.get(verdict.payload as usize..).unwrap_or_default();
    rest.get(..verdict.length as usize).unwrap_or(rest)
}

/// An address as people write it; empty for a packet without an IP header.
pub(super) fn ip(address: ringfence_core::address::Address) -> Option<std::net::IpAddr> {
    let ip = std::net::Ipv6Addr::from(address.octets());
    let ip = std::net::IpAddr::V6(ip).to_canonical();
    (!ip.is_unspecified() || address.is_v4()).then_some(ip)
}

/// A protocol by name, or by its IANA number.
pub(super) fn protocol(number: u8) -> String {
    match number {
        0 => String::new(),
        1 => "icmp".into(),
        6 => "tcp".into(),
        17 => "udp".into(),
        58 => "icmpv6".into(),
        number => number.to_string(),
    }
}
