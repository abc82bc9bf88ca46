//! Where strangers may learn the domain that they are asked for: reverse names, and what our own servers tell everybody.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::config::{Config, Domain, Kind, Protocol};
use crate::resolve::Resolver;

/// Public addresses whose names are looked up.
const ADDRESSES: usize = 8;
/// Places that are asked with OPTIONS.
const PROBES: usize = 32;
/// How long the name servers have.
const NAMES: Duration = Duration::from_secs(3);
/// How long a server has.
const PATIENCE: Duration = Duration::from_secs(1);
/// Bytes of an answer that are read.
const ANSWER: usize = 8192;

/// What was found in one place.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Looked {
    pub(super) what: &'static str,
    pub(super) fine: bool,
    pub(super) found: String,
    pub(super) remedy: &'static str,
}

/// Looks in all places, where domains are asked for.
pub(super) async fn look(config: &Config, own: &[IpAddr]) -> Vec<Looked> {
    let services = config.services.iter();
    let domains: BTreeSet<_> = services.flat_map(|service| &service.domains).collect();
    let domains: Vec<_> = domains
        .into_iter()
        .filter(|domain| !matches!(domain, Domain::Address(_)))
        .collect();
    if domains.is_empty() {
        return Vec::new();
    }
    let names = async {
        match Resolver::new() {
            Ok(resolver) => reverse(&resolver, &domains, own).await,
            Err(error) => unknown(error.to_string()),
        }
    };
    let (names, answers) = tokio::join!(names, answers(config, &domains, own));
    let mut looked = vec![names];
    looked.extend(answers);
    looked.extend(certificates(config));
    looked
}

fn unknown(found: String) -> Looked {
    Looked {
        what: "domain in reverse names",
        fine: false,
        found,
        remedy: "see yourself: dig -x ADDRESS, of the address that the world sees",
    }
}

async fn reverse(resolver: &Resolver, domains: &[&Domain], own: &[IpAddr]) -> Looked {
    let public: Vec<_> = own.iter().copied().filter(is_public).collect();
    let public: Vec<_> = public.into_iter().take(ADDRESSES).collect();
    if public.is_empty() {
        return unknown("this host has no public address of its own".into());
    }
    let mut names = Vec::new();
    let all = async {
        for address in &public {
            names.push((*address, resolver.reverse(*address).await));
        }
    };
    let in_time = timeout(NAMES, all).await.is_ok();
    for (address, name) in &names {
        let leak = name
            .iter()
            .flatten()
            .find(|name| stands_in(name, domains).is_some());
        if let Some(name) = leak {
            return Looked {
                what: "domain in reverse names",
                fine: false,
                found: format!("{address} is named {}", name.escape_debug()),
                remedy: "have whoever keeps the reverse zone name the address something else",
            };
        }
    }
    if !in_time || names.iter().any(|(_, name)| name.is_none()) {
        return unknown("the name servers do not answer".into());
    }
    Looked {
        what: "domain in reverse names",
        fine: true,
        found: "not in those of this host's public addresses".into(),
        remedy: "",
    }
}

fn is_public(address: &IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            !(v4.is_private() || v4.is_loopback() || v4.is_link_local() || v4.is_unspecified())
        }
        IpAddr::V6(v6) => v6.segments()[0] & 0xe000 == 0x2000,
    }
}

/// Asks our own servers as a stranger would, who does not know the domain.
async fn answers(config: &Config, domains: &[&Domain], own: &[IpAddr]) -> Option<Looked> {
    let mut asked = JoinSet::new();
    for (protocol, place) in places(config, own) {
        asked.spawn(async move {
            let answer = timeout(PATIENCE, ask(protocol, place)).await;
            let answer = answer.ok().and_then(Result::ok).unwrap_or_default();
            (place, String::from_utf8_lossy(&answer).into_owned())
        });
    }
    if asked.is_empty() {
        return None;
    }
    let mut answered = 0;
    let mut leaks = BTreeSet::new();
    while let Some(done) = asked.join_next().await {
        let Ok((place, answer)) = done else { continue };
        answered += usize::from(!answer.is_empty());
        for line in answer.lines() {
            if let Some(domain) = stands_in(line, domains) {
                let header = line.split(':').next().unwrap_or_default();
                let header: String = header.escape_debug().take(32).collect();
                leaks.insert(format!("{header} of {place} has {domain}"));
            }
        }
    }
    let (fine, found, remedy) = match (leaks.is_empty(), answered) {
        (true, 0) => (
            false,
            "no server here answers OPTIONS".to_owned(),
            "start the telephone system and ask again, to see what it tells strangers",
        ),
        (true, answered) => (
            true,
            format!("not in the answers to OPTIONS; places that answered: {answered}"),
            "",
        ),
        (false, _) => (
            false,
            leaks.into_iter().collect::<Vec<_>>().join("; "),
            "give the server a realm and a name of its own that are not the domain",
        ),
    };
    Some(Looked {
        what: "domain in answers",
        fine,
        found,
        remedy,
    })
}

/// Where SIP is spoken without TLS, over loopback and our own addresses.
fn places(config: &Config, own: &[IpAddr]) -> Vec<(Protocol, SocketAddr)> {
    let mut hosts = vec![IpAddr::V4(Ipv4Addr::LOCALHOST)];
    hosts.extend(
        own.iter()
            .filter(|ip| !ip.is_loopback() && !is_link_local(ip)),
    );
    let services = config.services.iter();
    let services = services.filter(|service| service.kind == Kind::Sip);
    let ports = services.flat_map(|service| &service.ports);
    let places = ports.flat_map(|range| {
        let hosts = &hosts;
        (range.first..=range.last).flat_map(move |port| {
            let place = move |host: &IpAddr| (range.protocol, SocketAddr::new(*host, port));
            hosts.iter().map(place)
        })
    });
    places.take(PROBES).collect()
}

fn is_link_local(address: &IpAddr) -> bool {
    matches!(address, IpAddr::V6(v6) if v6.is_unicast_link_local())
}

async fn ask(protocol: Protocol, place: SocketAddr) -> std::io::Result<Vec<u8>> {
    let mut answer = vec![0; ANSWER];
    let length = match protocol {
        Protocol::Udp => {
            let here = SocketAddr::new(place.ip(), 0);
            let socket = UdpSocket::bind(here).await?;
            socket.connect(place).await?;
            let request = options("UDP", socket.local_addr()?, place);
            socket.send(request.as_bytes()).await?;
            socket.recv(&mut answer).await?
        }
        Protocol::Tcp => {
            let mut stream = TcpStream::connect(place).await?;
            let request = options("TCP", stream.local_addr()?, place);
            stream.write_all(request.as_bytes()).await?;
            stream.read(&mut answer).await?
        }
    };
    answer.truncate(length);
    Ok(answer)
}

/// A request in which no domain stands, so that none can be copied from it.
fn options(transport: &str, here: SocketAddr, place: SocketAddr) -> String {
    let (port, seed) = (here.port(), std::process::id());
    format!(
        "OPTIONS sip:{place} SIP/2.0\r\nVia: SIP/2.0/{transport} {here};branch=z9hG4bKrf{seed}x{port};rport\r\n\
         Max-Forwards: 70\r\nFrom: <sip:ringfence@{here}>;tag={seed}\r\nTo: <sip:{place}>\r\n\
         Call-ID: {seed}x{port}@ringfence\r\nCSeq: 1 OPTIONS\r\nContact: <sip:ringfence@{here}>\r\n\
         Content-Length: 0\r\n\r\n"
    )
}

fn certificates(config: &Config) -> Option<Looked> {
    let mut services = config.services.iter();
    let tls = |kind| matches!(kind, Kind::Sips | Kind::Wss);
    services.any(|service| tls(service.kind)).then(|| Looked {
        what: "domain in certificates",
        fine: false,
        found: "not looked at: every certificate tells its names to whoever connects".into(),
        remedy: "see yourself: openssl s_client -connect 127.0.0.1:5061 </dev/null | openssl x509 -noout -ext \
                 subjectAltName; with `sni = \"require\"` only who says the name gets that far",
    })
}

/// The domain that a text holds as a whole name, or as the end of one.
fn stands_in<'d>(text: &str, domains: &[&'d Domain]) -> Option<&'d Domain> {
    let text = text.to_ascii_lowercase();
    let part = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let found = |domain: &&&Domain| {
        let (name, below) = match domain {
            Domain::Name(name) => (name, false),
            Domain::Below(name) => (name, true),
            Domain::Address(_) => return false,
        };
        text.match_indices(name.as_str()).any(|(at, _)| {
            let (before, after) = (&text[..at], &text[at + name.len()..]);
            let begins = if below {
                before.ends_with('.')
            } else {
                !before.ends_with(part)
            };
            begins && !after.starts_with(part)
        })
    };
    domains.iter().find(found).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(port: u16) -> Config {
        let text = format!(
            "[[service]]\nname = \"sip\"\nports = [\"udp/{port}\"]\nfrom = \"anyone\"\n\
             domains = [\"sip.example.com\", \"*.example.net\"]\n"
        );
        Config::parse(&text, "leak").unwrap()
    }

    #[test]
    fn a_domain_stands_in_a_text_as_a_whole_name() {
        let config = config(5060);
        let domains: Vec<_> = config.services[0].domains.iter().collect();
        for (text, holds) in [
            ("WWW-Authenticate: Digest realm=\"SIP.example.com\"", true),
            ("pbx.sip.example.com.", true),
            ("sip.example.com", true),
            ("mail.example.com.", false),
            ("xsip.example.com", false),
            ("sip.example.community", false),
            ("host.example.net.", true),
            ("example.net.", false),
            ("realm=\"asterisk\"", false),
        ] {
            assert_eq!(stands_in(text, &domains).is_some(), holds, "{text}");
        }
    }

    #[tokio::test]
    async fn what_our_server_tells_everybody_is_found() {
        for (realm, told) in [
            ("sip.example.com", "WWW-Authenticate of 127.0.0.1:"),
            (
                "asterisk",
                "not in the answers to OPTIONS; places that answered: 1",
            ),
        ] {
            let server = UdpSocket::bind("127.0.0.1:0").await.unwrap();
            let config = config(server.local_addr().unwrap().port());
            tokio::spawn(async move {
                let mut bytes = [0; 2000];
                let (length, from) = server.recv_from(&mut bytes).await.unwrap();
                let asked = String::from_utf8_lossy(&bytes[..length]).into_owned();
                let copied: Vec<_> = asked.lines().skip(1).collect();
                let answer = format!(
                    "SIP/2.0 401 Unauthorized\r\nWWW-Authenticate: Digest realm=\"{realm}\"\r\n{}",
                    copied.join("\r\n")
                );
                server.send_to(answer.as_bytes(), from).await.unwrap();
            });
            let domains: Vec<_> = config.services[0].domains.iter().collect();
            let looked = answers(&config, &domains, &[]).await.unwrap();
            assert!(looked.found.starts_with(told), "{looked:?}");
            assert_eq!(looked.fine, realm == "asterisk");
        }
    }

    #[tokio::test]
    async fn who_asks_for_no_domain_has_none_to_leak() {
        assert_eq!(look(&Config::default(), &[]).await, []);
    }
}
