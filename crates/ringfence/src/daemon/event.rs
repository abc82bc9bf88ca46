//! Events of the kernel in words.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use jiff::Timestamp;
use ringfence_core::address::Address;
use ringfence_core::bench::Cause;
use ringfence_core::class::Class;
use ringfence_core::country::Country;
use ringfence_core::event::{EVIDENCE, Event};
use ringfence_core::reason::Reason;
use serde::Serialize;

use crate::tables::Names;

/// An event as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Record {
    /// When.
    pub time: Timestamp,
    /// Source address.
    pub src: IpAddr,
    /// Source port.
    pub src_port: u16,
    /// Destination address.
    pub dst: IpAddr,
    /// Destination port.
    pub dst_port: u16,
    /// "udp", "tcp" or the IANA number.
    pub proto: String,
    /// The interface's name, or its index.
    pub interface: String,
    /// The service; empty for none.
    pub service: String,
    /// The class of the message; empty for none.
    #[serde(rename = "class")]
    pub class: &'static str,
    /// The country's code.
    pub country: &'static str,
    /// "drop".
    pub verdict: &'static str,
    /// Whether it was carried out.
    pub enforced: bool,
    /// Why.
    pub reason: &'static str,
    /// What the reason leaves open.
    pub detail: &'static str,
    /// The signature that hit; empty for none.
    pub signature: String,
    /// Why its source was banned by this packet, if it was.
    pub banned: Option<&'static str>,
    /// The beginning of the payload.
    pub evidence: String,
}

impl Record {
    /// Puts an event in words; `now` is boot time in ns.
    pub fn new(event: &Event, names: &Names, interface: String, now: u64) -> Self {
        let age = Duration::from_nanos(now.saturating_sub(event.time));
        let reason = Reason::from_number(event.reason);
        let length = usize::from(event.evidence_length).min(EVIDENCE);
        Self {
            time: Timestamp::now()
                .checked_sub(age)
                .unwrap_or(Timestamp::UNIX_EPOCH),
            src: ip(event.source),
            src_port: event.source_port,
            dst: ip(event.destination),
            dst_port: event.destination_port,
            proto: match event.protocol {
                6 => "tcp".into(),
                17 => "udp".into(),
                other => other.to_string(),
            },
            interface,
            service: names.service(event.service).to_owned(),
            class: Class::from_number(event.class).map_or("", Class::name),
            country: Country::from_number(event.country).code(),
            verdict: "drop",
            enforced: event.enforced == 1,
            reason: reason.map_or("", Reason::name),
            detail: reason.map_or("", Reason::detail),
            signature: names.signature(event.signature).to_owned(),
            banned: Cause::from_number(event.banned).map(Cause::name),
            evidence: String::from_utf8_lossy(&event.evidence[..length]).into_owned(),
        }
    }

    /// One line for people.
    pub fn line(&self) -> String {
        let verdict = if self.enforced {
            "dropped"
        } else {
            "would drop"
        };
        let source = std::net::SocketAddr::new(self.src, self.src_port);
        let banned = self
            .banned
            .map(|cause| format!(", banned ({cause})"))
            .unwrap_or_default();
        let signature = if self.signature.is_empty() {
            String::new()
        } else {
            format!(" {}", self.signature)
        };
        let class = if self.class.is_empty() {
            String::new()
        } else {
            format!(" {}", self.class)
        };
        format!(
            "{} {verdict} {source} {} {}/{}{class} {}{signature}{banned}",
            self.time.strftime("%FT%TZ"),
            self.country,
            self.proto,
            self.dst_port,
            why(self.reason, self.detail)
        )
    }
}

/// A reason in words: its name, and what that leaves open.
pub fn why(name: &str, detail: &str) -> String {
    if name == detail {
        name.to_owned()
    } else {
        format!("{name} ({detail})")
    }
}

/// The address in its usual form.
pub fn ip(address: Address) -> IpAddr {
    match address.as_v4() {
        Some(v4) => Ipv4Addr::from_bits(v4).into(),
        None => Ipv6Addr::from(address.octets()).into(),
    }
}
