//! Events of the kernel in words.

use std::net::IpAddr;
use std::time::Duration;

use jiff::Timestamp;
use ringfence_core::bench::Cause;
use ringfence_core::class::Class;
use ringfence_core::country::Country;
use ringfence_core::event::{EVIDENCE, Event};
use ringfence_core::reason::Reason;
use serde::Serialize;

use crate::asn::AsnData;
use crate::store::Dropped;
use crate::tables::{self, Names};

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
    /// The number of the source's autonomous system, where there is data of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asn: Option<u32>,
    /// Its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub as_name: Option<String>,
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
            src: tables::ip(event.source),
            src_port: event.source_port,
            dst: tables::ip(event.destination),
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
            asn: None,
            as_name: None,
            verdict: "drop",
            enforced: event.enforced == 1,
            reason: reason.map_or("", Reason::name),
            detail: reason.map_or("", Reason::detail),
            signature: names.signature(event.signature).to_owned(),
            banned: Cause::from_number(event.banned).map(Cause::name),
            evidence: String::from_utf8_lossy(&event.evidence[..length]).into_owned(),
        }
    }

    /// The same with the autonomous system of its source.
    pub fn of_system(self, systems: &AsnData) -> Self {
        let system = systems.lookup(self.src);
        Self {
            asn: system.map(|(number, _)| number),
            as_name: system.map(|(_, name)| name.to_owned()),
            ..self
        }
    }

    /// The same for the summary of what was dropped.
    pub fn dropped(&self, event: &Event) -> Dropped {
        let length = usize::from(event.evidence_length).min(EVIDENCE);
        Dropped {
            address: tables::subject(self.src),
            service: self.service.clone(),
            reason: self.reason.to_owned(),
            country: self.country.to_owned(),
            class: self.class.to_owned(),
            protocol: self.proto.clone(),
            port: self.src_port,
            first: self.time,
            last: self.time,
            count: 1,
            enforced: self.enforced.into(),
            invites: u32::from(event.class == Class::Invite as u8),
            evidence: event.evidence[..length].to_vec(),
            registered: None,
            account: None,
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
        let name = self.as_name.as_deref().unwrap_or_default();
        let system = self.asn.map(|number| format!(", AS{number} {name}"));
        let system = system.as_deref().unwrap_or_default().trim_end();
        format!(
            "{} {verdict} {source} {} {}/{}{class} {}{signature}{banned}{system}",
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

#[cfg(test)]
mod tests {
    use ringfence_core::address::Address;
    use zerocopy::FromZeros;

    use super::*;

    fn record() -> Record {
        let mut event = Event::new_zeroed();
        event.source = Address::v4([192, 0, 2, 7]);
        Record::new(&event, &Names::default(), "eth0".to_owned(), 0)
    }

    #[test]
    fn the_network_stands_where_it_is_known() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("asn.csv");
        std::fs::write(&path, "192.0.2.0,192.0.2.255,3320,Example\n").unwrap();
        let systems = AsnData::open(&[path]).unwrap();
        let known = record().of_system(&systems);
        assert!(
            known.line().ends_with(", AS3320 Example"),
            "{}",
            known.line()
        );
        let json = serde_json::to_value(&known).unwrap();
        assert_eq!(
            (&json["asn"], &json["as_name"]),
            (&3320.into(), &"Example".into())
        );
        let unknown = record().of_system(&AsnData::default());
        assert!(!unknown.line().contains("AS"), "{}", unknown.line());
        assert!(serde_json::to_value(&unknown).unwrap().get("asn").is_none());
    }
}
