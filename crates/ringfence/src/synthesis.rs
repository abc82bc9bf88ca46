//! Packets as a source might send them, made to ask the judge.

use std::net::IpAddr;

use ringfence_core::packet::protocol;

use crate::config::{AddressRange, Config, Domain, Service};

/// The port that requests come from where no other is known.
const PORT: u16 = 40_000;

/// A raw IP packet with a UDP or TCP header; checksums are zero, which the judge does not read.
pub fn packet(
    source: IpAddr,
    destination: IpAddr,
    protocol: u8,
    port: u16,
    text: &[u8],
) -> Vec<u8> {
    Way {
        source,
        source_port: PORT,
        destination,
        port,
    }
    .first(protocol, text)
}

/// Where packets come from and go to.
#[derive(Clone, Copy, Debug)]
pub struct Way {
    /// The source.
    pub source: IpAddr,
    /// Its port.
    pub source_port: u16,
    /// The destination, of the source's family.
    pub destination: IpAddr,
    /// Its port.
    pub port: u16,
}

impl Way {
    /// The first packet: a datagram, or the SYN of a connection, which carries no text.
    pub fn first(&self, protocol: u8, text: &[u8]) -> Vec<u8> {
        if protocol == protocol::TCP {
            return self.segment(1, 0x02, &[]);
        }
        let mut transport = self.ports();
        transport.extend(length(8 + text.len()).to_be_bytes());
        transport.extend([0, 0]);
        transport.extend(text);
        ip(self.source, self.destination, protocol, &transport)
    }

    /// The segment that follows the SYN.
    pub fn second(&self, text: &[u8]) -> Vec<u8> {
        self.segment(2, 0x18, text)
    }

    fn segment(&self, sequence: u32, flags: u8, text: &[u8]) -> Vec<u8> {
        let mut transport = self.ports();
        transport.extend(sequence.to_be_bytes());
        // What it acknowledges, five words of header, the flags, the window, no urgent data.
        transport.extend([0, 0, 0, 1, 0x50, flags, 0xff, 0xff, 0, 0, 0, 0]);
        transport.extend(text);
        ip(self.source, self.destination, protocol::TCP, &transport)
    }

    fn ports(&self) -> Vec<u8> {
        [self.source_port.to_be_bytes(), self.port.to_be_bytes()].concat()
    }
}

/// An IP packet around a transport header.
fn ip(source: IpAddr, destination: IpAddr, protocol: u8, transport: &[u8]) -> Vec<u8> {
    let mut packet = Vec::new();
    match (source, destination) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            packet.extend([0x45, 0]);
            packet.extend(length(20 + transport.len()).to_be_bytes());
            packet.extend([0, 0, 0, 0, 64, protocol, 0, 0]);
            packet.extend(source.octets());
            packet.extend(destination.octets());
        }
        (source, destination) => {
            let octets = |ip: IpAddr| match ip {
                IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
                IpAddr::V6(v6) => v6.octets(),
            };
            packet.extend([0x60, 0, 0, 0]);
            packet.extend(length(transport.len()).to_be_bytes());
            packet.extend([protocol, 64]);
            packet.extend(octets(source));
            packet.extend(octets(destination));
        }
    }
    packet.extend(transport);
    packet
}

fn length(bytes: usize) -> u16 {
    u16::try_from(bytes).unwrap_or(u16::MAX)
}

/// An OPTIONS request as a phone or provider sends it (RFC 3261, section 11.1).
pub fn options(source: IpAddr, host: &str) -> Vec<u8> {
    let from = bracketed(source);
    format!(
        "OPTIONS sip:{host} SIP/2.0\r\nVia: SIP/2.0/UDP {from}:40000;branch=z9hG4bKk3jd82ls0qx\r\n\
         Max-Forwards: 70\r\nFrom: <sip:line@{host}>;tag=8d2k1x\r\nTo: <sip:{host}>\r\n\
         Call-ID: 7f3k2m9d@{from}\r\nCSeq: 1 OPTIONS\r\nContact: <sip:line@{from}:40000>\r\n\
         Content-Length: 0\r\n\r\n"
    )
    .into_bytes()
}

/// Requests as a registrar or a PBX is sent them.
#[derive(Clone, Copy, Debug)]
pub struct Request<'r> {
    /// "REGISTER" or "INVITE".
    pub method: &'r str,
    /// The account, as the user of From and To; of an INVITE, of From.
    pub user: &'r str,
    /// The domain that is asked.
    pub host: &'r str,
    /// What the sender calls itself; may be empty.
    pub agent: &'r str,
    /// No two requests of one number: it makes the transaction.
    pub number: u64,
}

impl Request<'_> {
    /// The request as it comes over this way (RFC 3261, sections 10.2 and 13.2). What users and agents may not hold
    /// is left out.
    pub fn text(&self, way: &Way, transport: &str) -> Vec<u8> {
        let Self {
            method,
            host,
            number,
            ..
        } = self;
        let from = format!("{}:{}", bracketed(way.source), way.source_port);
        let user = kept(self.user, 64, |c| {
            c.is_ascii_alphanumeric() || "-_.+".contains(c)
        });
        let agent = kept(self.agent, 128, |c| c == ' ' || c.is_ascii_graphic());
        let (target, to) = if *method == "REGISTER" {
            (format!("sip:{host}"), format!("sip:{user}@{host}"))
        } else {
            (format!("sip:line@{host}"), format!("sip:line@{host}"))
        };
        let agent = if agent.is_empty() {
            String::new()
        } else {
            format!("User-Agent: {agent}\r\n")
        };
        format!(
            "{method} {target} SIP/2.0\r\nVia: SIP/2.0/{transport} {from};branch=z9hG4bKk3jd{number:x}ls0qx\r\n\
             Max-Forwards: 70\r\nFrom: <sip:{user}@{host}>;tag=8d2k{number:x}x\r\nTo: <{to}>\r\n\
             Call-ID: 7f3k{number:x}m9d@{from}\r\nCSeq: 1 {method}\r\nContact: <sip:{user}@{from}>\r\n\
             {agent}Content-Length: 0\r\n\r\n"
        )
        .into_bytes()
    }
}

/// A REGREQ of IAX2 (RFC 5456, section 6.1.1), or its NEW (section 6.2.2): a full frame that names the account.
pub fn iax2(method: &str, user: &str, number: u64) -> Vec<u8> {
    const IAX: u8 = 6;
    const USERNAME: u8 = 6;
    let subclass = if method == "REGISTER" { 0x0d } else { 0x01 };
    let call = u16::try_from(number % 0x7fff).unwrap_or(0) + 1;
    let user = user.as_bytes();
    let user = user.get(..64).unwrap_or(user);
    let mut frame = (0x8000 | call).to_be_bytes().to_vec();
    // The other side's call number, a timestamp, both sequence numbers.
    frame.extend([0, 0, 0, 0, 0, 3, 0, 0, IAX, subclass]);
    frame.extend([USERNAME, u8::try_from(user.len()).unwrap_or(0)]);
    frame.extend(user);
    frame
}

fn kept(text: &str, most: usize, keep: impl Fn(char) -> bool) -> String {
    text.chars().filter(|c| keep(*c)).take(most).collect()
}

fn bracketed(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(v4) => v4.to_string(),
        IpAddr::V6(v6) => format!("[{v6}]"),
    }
}

/// Where packets of a source go to: the first protected address of its family, where addresses are protected.
pub fn destination(config: &Config, source: IpAddr) -> IpAddr {
    let mut protected = config.protect.iter().map(AddressRange::first);
    protected
        .find(|ip| ip.is_ipv4() == source.is_ipv4())
        .unwrap_or(match source {
            IpAddr::V4(_) => [192, 0, 2, 1].into(),
            IpAddr::V6(_) => [0x2001, 0xdb8, 0, 0, 0, 0, 0, 1].into(),
        })
}

/// A name of the service that a request may ask for.
pub fn host(service: Option<&Service>) -> String {
    let domains = service.map_or(&[][..], |service| &service.domains);
    match domains.first() {
        Some(Domain::Name(name)) => name.clone(),
        Some(Domain::Below(name)) => format!("pbx.{name}"),
        Some(Domain::Address(address)) => bracketed(*address),
        None => "pbx.example.com".to_owned(),
    }
}
