//! Against a name server on loopback that knows one small zone.

use super::*;
use std::net::{Ipv4Addr, SocketAddr};

use hickory_resolver::config::{NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::op::{Message, ResponseCode};
use hickory_resolver::proto::rr::Record;
use hickory_resolver::proto::rr::rdata::{A, AAAA, CNAME, NAPTR, PTR, SRV};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, UdpSocket};

/// The records of a name, and their TTL in seconds; `None`: the server fails.
fn zone(name: &str, kind: RecordType) -> Option<(Vec<RData>, u32)> {
    let target = |text| RData::SRV(SRV::new(10, 5, 5060, Name::from_ascii(text).unwrap()));
    let v4 = |last| RData::A(A(Ipv4Addr::new(192, 0, 2, last)));
    let alias = |text| vec![RData::CNAME(CNAME(Name::from_ascii(text).unwrap()))];
    let naptr = |flags: &str, services: &str, regexp: &str, replacement: &str| {
        let bytes = |text: &str| text.as_bytes().into();
        let replacement = Name::from_ascii(replacement).unwrap();
        let (flags, services, regexp) = (bytes(flags), bytes(services), bytes(regexp));
        RData::NAPTR(NAPTR::new(10, 50, flags, services, regexp, replacement))
    };
    Some(match (name, kind) {
        ("_sip._udp.provider.example.", RecordType::SRV) => (
            vec![
                target("one.provider.example."),
                target("two.provider.example."),
            ],
            600,
        ),
        ("_sips._tcp.provider.example.", RecordType::SRV) => (vec![target(".")], 600),
        ("one.provider.example.", RecordType::A) => (vec![v4(1)], 120),
        ("two.provider.example.", RecordType::AAAA) => {
            (vec![RData::AAAA(AAAA("2001:db8::2".parse().unwrap()))], 900)
        }
        ("provider.example.", RecordType::A) => (vec![v4(3), v4(1)], 86_400),
        ("7.2.0.192.in-addr.arpa.", RecordType::PTR) => {
            let name = Name::from_ascii("sip.example.com.").unwrap();
            (vec![RData::PTR(PTR(name))], 60)
        }
        ("8.2.0.192.in-addr.arpa.", _) => return None,
        ("brief.example.", RecordType::A) => (vec![v4(4)], 1),
        ("many.example.", RecordType::A) => ((1..=70).map(v4).collect(), 86_400),
        ("odd.example.", RecordType::A) => (
            [
                "127.0.0.1",
                "0.0.0.0",
                "224.0.0.1",
                "255.255.255.255",
                "10.0.0.5",
            ]
            .map(|text| RData::A(A(text.parse().unwrap())))
            .to_vec(),
            60,
        ),
        ("odd.example.", RecordType::AAAA) => (
            [
                "::1",
                "::",
                "ff02::1",
                "::ffff:127.0.0.1",
                "::ffff:192.0.2.9",
            ]
            .map(|text| RData::AAAA(AAAA(text.parse().unwrap())))
            .to_vec(),
            60,
        ),
        ("here.example.", RecordType::A) => (vec![RData::A(A(Ipv4Addr::LOCALHOST))], 60),
        ("pointed.example.", RecordType::NAPTR) => (
            vec![
                naptr("S", "SIP+D2U", "", "_sip._udp.elsewhere.example."),
                naptr("s", "sips+d2t", "", "_sips._tcp.elsewhere.example."),
                // Not of SIP, not leading to SRV records, or with an expression.
                naptr("s", "AAA+D2T", "", "_a._tcp.wrong.example."),
                naptr("a", "SIP+D2T", "", "_b._tcp.wrong.example."),
                naptr("s", "SIP+D2S", "!^.*$!x!", "_c._sctp.wrong.example."),
            ],
            600,
        ),
        ("_sip._udp.elsewhere.example.", RecordType::SRV) => {
            (vec![target("one.provider.example.")], 600)
        }
        ("_sips._tcp.elsewhere.example.", RecordType::SRV) => {
            (vec![target("two.provider.example.")], 600)
        }
        // Those are in the usual place, which a NAPTR record makes nobody look at.
        ("_sip._udp.pointed.example." | "_a._tcp.wrong.example.", RecordType::SRV)
        | ("_b._tcp.wrong.example." | "_c._sctp.wrong.example.", RecordType::SRV) => {
            (vec![target("brief.example.")], 600)
        }
        ("round.example.", _) => (alias("about.example."), 60),
        ("about.example.", _) => (alias("round.example."), 60),
        ("self.example.", _) => (alias("self.example."), 60),
        ("alias.example.", _) => (alias("one.provider.example."), 60),
        (chain, _) if chain.starts_with("chain") => {
            let next: u32 = chain[5..].split('.').next().unwrap().parse().unwrap();
            (alias(&format!("chain{}.example.", next + 1)), 60)
        }
        ("crowd.example.", RecordType::A) => (
            (0..1000)
                .map(|n| RData::A(A(Ipv4Addr::from_bits(0xc633_6400 + n))))
                .collect(),
            60,
        ),
        ("targets.example.", RecordType::NAPTR) => (
            (0..100)
                .map(|n| naptr("s", "SIP+D2U", "", &format!("_sip._udp.t{n}.example.")))
                .collect(),
            60,
        ),
        ("part.example.", RecordType::A) => (vec![v4(5)], 900),
        ("part.example.", RecordType::AAAA) | ("down.example." | "gone.example.", _) => {
            return None;
        }
        _ => (Vec::new(), 0),
    })
}

/// The reply to a question; over UDP it is cut where it does not fit, which is told.
fn reply(bytes: &[u8], datagram: bool) -> Vec<u8> {
    let asked = Message::from_vec(bytes).unwrap();
    let query = asked.queries[0].clone();
    let mut reply = Message::response(asked.metadata.id, asked.metadata.op_code);
    reply.metadata.recursion_available = true;
    match zone(&query.name().to_ascii().to_lowercase(), query.query_type()) {
        Some((records, ttl)) => {
            let cut = datagram && records.len() > 80;
            reply.metadata.truncation = cut;
            for data in records.into_iter().take(if cut { 20 } else { usize::MAX }) {
                reply.add_answer(Record::from_rdata(query.name().clone(), ttl, data));
            }
        }
        None if query.name().to_ascii().starts_with("gone.") => {
            reply.metadata.response_code = ResponseCode::NXDomain;
        }
        None => reply.metadata.response_code = ResponseCode::ServFail,
    }
    reply.add_query(query);
    reply.to_vec().unwrap()
}

async fn serve(socket: UdpSocket) {
    let mut bytes = [0; 1500];
    loop {
        let (length, from) = socket.recv_from(&mut bytes).await.unwrap();
        let reply = reply(&bytes[..length], true);
        socket.send_to(&reply, from).await.unwrap();
    }
}

async fn serve_tcp(listener: TcpListener) {
    loop {
        let (mut stream, _) = listener.accept().await.unwrap();
        tokio::spawn(async move {
            while let Ok(length) = stream.read_u16().await {
                let mut bytes = vec![0; usize::from(length)];
                stream.read_exact(&mut bytes).await.unwrap();
                let reply = reply(&bytes, false);
                let length = u16::try_from(reply.len()).unwrap();
                stream.write_u16(length).await.unwrap();
                stream.write_all(&reply).await.unwrap();
            }
        });
    }
}

async fn resolver() -> Resolver {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address: SocketAddr = socket.local_addr().unwrap();
    let listener = TcpListener::bind(address).await.unwrap();
    tokio::spawn(serve(socket));
    tokio::spawn(serve_tcp(listener));
    let mut server = NameServerConfig::udp_and_tcp(address.ip());
    for connection in &mut server.connections {
        connection.port = address.port();
    }
    let config = ResolverConfig::from_name_servers(vec![server]);
    let mut options = ResolverOpts::default();
    options.cache_size = 0;
    options.use_hosts_file = ResolveHosts::Never;
    options.timeout = Duration::from_secs(2);
    let builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
    Resolver {
        inner: builder.with_options(options).build().unwrap(),
    }
}

async fn sip(resolver: &Resolver, name: &str) -> Result<Answer, Error> {
    resolver.lookup(&Question::sip(name)).await
}

#[tokio::test]
async fn targets_and_the_host_itself() {
    let answer = sip(&resolver().await, "provider.example").await.unwrap();
    let expected: Vec<IpAddr> = ["192.0.2.1", "192.0.2.3", "2001:db8::2"]
        .map(|text| text.parse().unwrap())
        .to_vec();
    assert_eq!(answer.addresses, expected);
    assert!(answer.whole);
    let seconds = answer.valid_for.as_secs();
    assert!((115..=120).contains(&seconds), "{seconds} s");
}

#[tokio::test]
async fn bounds() {
    let resolver = resolver().await;
    let brief = sip(&resolver, "brief.example.").await.unwrap();
    assert_eq!(brief.valid_for, SHORTEST);
    let many = sip(&resolver, "many.example").await.unwrap();
    assert_eq!(
        (many.addresses.len(), many.valid_for),
        (MOST_ADDRESSES, LONGEST)
    );
    assert_eq!((many.left_out, brief.left_out), (6, 0));
}

#[tokio::test]
async fn what_was_not_answered_is_told() {
    let resolver = resolver().await;
    let part = sip(&resolver, "part.example").await.unwrap();
    assert_eq!((part.addresses.len(), part.whole), (1, false));
    let down = sip(&resolver, "down.example").await.unwrap_err();
    assert!(matches!(down, Error::Unanswered { .. }), "{down}");
    let nothing = sip(&resolver, "nothing.example").await.unwrap_err();
    assert!(matches!(nothing, Error::Nothing(_)), "{nothing}");
    let gone = sip(&resolver, "gone.example").await.unwrap_err();
    assert!(matches!(gone, Error::Nothing(_)), "{gone}");
    let long = "a".repeat(64);
    let wrong = sip(&resolver, &long).await.unwrap_err();
    assert!(matches!(wrong, Error::Name { .. }), "{wrong}");
}

#[tokio::test]
async fn addresses_that_no_packet_comes_from_are_left_out() {
    let resolver = resolver().await;
    let odd = sip(&resolver, "odd.example").await.unwrap();
    let expected = ["10.0.0.5", "192.0.2.9"].map(|text| text.parse::<IpAddr>().unwrap());
    assert_eq!(odd.addresses, expected);
    let here = sip(&resolver, "here.example").await.unwrap_err();
    assert!(matches!(here, Error::Useless(_)), "{here}");
}

#[tokio::test]
async fn an_address_has_names_or_none_or_nobody_says() {
    let resolver = resolver().await;
    let names = |last| resolver.reverse([192, 0, 2, last].into());
    assert_eq!(names(7).await, Some(vec!["sip.example.com.".to_owned()]));
    assert_eq!(names(9).await, Some(Vec::new()));
    assert_eq!(names(8).await, None);
}

#[tokio::test]
async fn naptr_records_say_where_the_srv_records_are() {
    let answer = sip(&resolver().await, "pointed.example").await.unwrap();
    let expected = ["192.0.2.1", "2001:db8::2"].map(|text| text.parse::<IpAddr>().unwrap());
    assert_eq!(answer.addresses, expected);
    assert!(answer.whole);
}

#[tokio::test]
async fn a_host_on_a_list_is_not_asked_for_its_servers() {
    let question = Question::host("provider.example");
    let answer = resolver().await.lookup(&question).await.unwrap();
    let expected = ["192.0.2.1", "192.0.2.3"].map(|text| text.parse::<IpAddr>().unwrap());
    assert_eq!(answer.addresses, expected);
}

#[tokio::test]
async fn aliases_are_followed_and_circles_end() {
    let resolver = resolver().await;
    let alias = resolver.lookup(&Question::host("alias.example")).await;
    assert_eq!(alias.unwrap().addresses.len(), 1);
    for name in ["round.example", "self.example", "chain0.example"] {
        let before = Instant::now();
        let circle = resolver.lookup(&Question::host(name)).await;
        assert!(circle.is_err(), "{circle:?}");
        assert!(before.elapsed() < Duration::from_secs(10), "{name}");
    }
}

#[tokio::test]
async fn a_thousand_addresses_come_over_tcp_and_are_bounded() {
    let resolver = resolver().await;
    let crowd = resolver.lookup(&Question::host("crowd.example")).await;
    let crowd = crowd.unwrap();
    assert_eq!(
        (crowd.addresses.len(), crowd.left_out),
        (MOST_ADDRESSES, 1000 - MOST_ADDRESSES)
    );
    assert!(crowd.whole);
    let targets = sip(&resolver, "targets.example").await.unwrap_err();
    assert!(matches!(targets, Error::Nothing(_)), "{targets}");
}
