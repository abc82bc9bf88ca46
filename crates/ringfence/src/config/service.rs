//! A service: ports that are fenced, and for whom they are open.

use super::asn::AsnRule;
use super::countries::CountryCode;
use super::name::Domain;
use super::port::PortRange;
use super::rate::{MessageClass, Rate, Rates};
use super::words::{Admission, DomainMatch, DomainOpens, Kind, Protocol, Sni};

/// The most services that a policy can hold.
pub const MAX_SERVICES: usize = 31;

/// Ports that are fenced, and for whom they are open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// Its name in commands, counters and events; no two services share one.
    pub name: String,
    /// What it speaks.
    pub kind: Kind,
    /// Its ports; no port belongs to two services.
    pub ports: Vec<PortRange>,
    /// Whom it admits.
    pub from: Admissions,
    /// Its own countries, in place of the file's; see `Config::countries_of`.
    pub countries: Option<Vec<CountryCode>>,
    /// The autonomous systems that it admits besides its countries, and those that it does not admit.
    pub asn: AsnRule,
    /// The domain gate; empty when there is none.
    pub domains: Vec<Domain>,
    /// Where a domain must stand.
    pub domain_match: DomainMatch,
    /// Which fences a REGISTER for one of the domains passes.
    pub domain_opens: Vec<DomainOpens>,
    /// What a missing TLS server name means.
    pub sni: Sni,
    /// The limits of a source that is not known.
    pub limits: Limits,
    /// Packets that all such sources together may get through; none is no limit.
    pub budget: Option<Rate>,
}

/// The limits of a source that is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "a policy has at most 31 of them")]
pub enum Limits {
    /// A rate for each class of message: every kind but `plain`.
    Classes(Rates),
    /// New flows of a source, for the kind `plain`; none is no limit.
    Flows(Option<Rate>),
}

/// Whom a service admits, for each class of message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Admissions {
    default: Admission,
    classes: [Option<Admission>; MessageClass::ALL.len()],
}

impl Admissions {
    /// The same for every class.
    pub const fn all(default: Admission) -> Self {
        Self {
            default,
            classes: [None; MessageClass::ALL.len()],
        }
    }

    /// Sets one class apart.
    pub fn set(&mut self, class: MessageClass, admission: Admission) {
        self.classes[class as usize] = Some(admission);
    }

    /// Whom the service admits with a message of `class`.
    ///
    /// A new TCP connection does not tell yet what it brings: it is admitted where any class is.
    pub fn of(&self, class: MessageClass) -> Admission {
        match class {
            MessageClass::NewTcp => self.each().min().unwrap_or(self.default),
            _ => self.classes[class as usize].unwrap_or(self.default),
        }
    }

    /// Whether any class is admitted by country.
    pub fn by_country(&self) -> bool {
        self.each().any(|a| a == Admission::Countries)
    }

    /// The default and every class set apart. `Admission` is ordered from the widest on.
    fn each(&self) -> impl Iterator<Item = Admission> {
        self.classes.iter().flatten().copied().chain([self.default])
    }
}

impl Service {
    /// The service `sip` that stands where the file names none.
    pub fn sip(from: Admission) -> Self {
        Self {
            name: "sip".into(),
            kind: Kind::Sip,
            ports: default_ports(Kind::Sip).to_vec(),
            from: Admissions::all(from),
            countries: None,
            asn: AsnRule::default(),
            domains: Vec::new(),
            domain_match: DomainMatch::Gate,
            domain_opens: Vec::new(),
            sni: Sni::Match,
            limits: Limits::Classes(Rates::default()),
            budget: default_budget(Kind::Sip),
        }
    }
}

/// The ports of a kind where the file names none: those registered for SIP (RFC 3261, section
/// 19.1.2) and IAX2 (RFC 5456), and those of Asterisk's HTTP server for WebSocket.
pub(super) const fn default_ports(kind: Kind) -> &'static [PortRange] {
    use PortRange as P;
    use Protocol::{Tcp, Udp};
    const SIP: &[P] = &[P::one(Udp, 5060), P::one(Tcp, 5060)];
    const SIPS: &[P] = &[P::one(Tcp, 5061)];
    const WS: &[P] = &[P::one(Tcp, 8088)];
    const WSS: &[P] = &[P::one(Tcp, 8089)];
    const IAX2: &[P] = &[P::one(Udp, 4569)];
    match kind {
        Kind::Sip => SIP,
        Kind::Sips => SIPS,
        Kind::Ws => WS,
        Kind::Wss => WSS,
        Kind::Iax2 => IAX2,
        Kind::Plain => &[],
    }
}

/// The stranger budget of a kind where the file names none. A plain service has none: it may
/// carry media, whose packets no one can tell by source.
pub(super) const fn default_budget(kind: Kind) -> Option<Rate> {
    match kind {
        Kind::Plain => None,
        _ => Some(Rate {
            count: 1000,
            per: std::time::Duration::from_secs(1),
            burst: 1000,
        }),
    }
}

/// The transport protocol that a kind is tied to, if any.
pub(super) const fn transport(kind: Kind) -> Option<Protocol> {
    match kind {
        Kind::Sip | Kind::Plain => None,
        Kind::Sips | Kind::Ws | Kind::Wss => Some(Protocol::Tcp),
        Kind::Iax2 => Some(Protocol::Udp),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_is_admitted_where_any_class_is() {
        let mut from = Admissions::all(Admission::Permitted);
        assert_eq!(from.of(MessageClass::NewTcp), Admission::Permitted);
        from.set(MessageClass::Register, Admission::Countries);
        assert!(from.by_country());
        assert_eq!(from.of(MessageClass::NewTcp), Admission::Countries);
        from.set(MessageClass::Invite, Admission::Anyone);
        assert_eq!(from.of(MessageClass::NewTcp), Admission::Anyone);
        assert_eq!(from.of(MessageClass::Register), Admission::Countries);
        assert_eq!(from.of(MessageClass::Options), Admission::Permitted);
    }
}
