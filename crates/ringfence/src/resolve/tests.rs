//! Against a name server on loopback that knows one small zone.

use super::*;
use std::net::{Ipv4Addr, SocketAddr};

use hickory_resolver::config::{
    ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts,
};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::op::{Message, ResponseCode};
use hickory_resolver::proto::rr::Record;
use hickory_resolver::proto::rr::rdata::{A, AAAA, PTR, SRV};
use tokio::net::UdpSocket;

/// The records of a name, and their TTL in seconds; `None`: the server fails.
fn zone(name: &str, kind: RecordType) -> Option<(Vec<RData>, u32)> {
    let target = |text| RData::SRV(SRV::new(10, 5, 5060, Name::from_ascii(text).unwrap()));
    let v4 = |last| RData::A(A(Ipv4Addr::new(192, 0, 2, last)));
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
        ("part.example.", RecordType::A) => (vec![v4(5)], 900),
        ("part.example.", RecordType::AAAA) | ("down.example.", _) => return None,
        _ => (Vec::new(), 0),
    })
}

async fn serve(socket: UdpSocket) {
    let mut bytes = [0; 1500];
    loop {
        let (length, from) = socket.recv_from(&mut bytes).await.unwrap();
        let asked = Message::from_vec(&bytes[..length]).unwrap();
        let query = asked.queries[0].clone();
        let mut reply = Message::response(asked.metadata.id, asked.metadata.op_code);
        reply.metadata.recursion_available = true;
        match zone(&query.name().to_ascii().to_lowercase(), query.query_type()) {
            Some((records, ttl)) => {
                for data in records {
                    reply.add_answer(Record::from_rdata(query.name().clone(), ttl, data));
                }
            }
            None => reply.metadata.response_code = ResponseCode::ServFail,
        }
        reply.add_query(query);
        socket
            .send_to(&reply.to_vec().unwrap(), from)
            .await
            .unwrap();
    }
}

async fn resolver() -> Resolver {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address: SocketAddr = socket.local_addr().unwrap();
    tokio::spawn(serve(socket));
    let mut server = NameServerConfig::udp(address.ip());
    let mut connection = ConnectionConfig::udp();
    connection.port = address.port();
    server.connections = vec![connection];
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

#[tokio::test]
async fn targets_and_the_host_itself() {
    let answer = resolver().await.lookup("provider.example").await.unwrap();
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
    let brief = resolver.lookup("brief.example.").await.unwrap();
    assert_eq!(brief.valid_for, SHORTEST);
    let many = resolver.lookup("many.example").await.unwrap();
    assert_eq!(
        (many.addresses.len(), many.valid_for),
        (MOST_ADDRESSES, LONGEST)
    );
    assert_eq!((many.left_out, brief.left_out), (6, 0));
}

#[tokio::test]
async fn what_was_not_answered_is_told() {
    let resolver = resolver().await;
    let part = resolver.lookup("part.example").await.unwrap();
    assert_eq!((part.addresses.len(), part.whole), (1, false));
    let down = resolver.lookup("down.example").await.unwrap_err();
    assert!(matches!(down, Error::Unanswered { .. }), "{down}");
    let nothing = resolver.lookup("nothing.example").await.unwrap_err();
    assert!(matches!(nothing, Error::Nothing(_)), "{nothing}");
    let long = "a".repeat(64);
    let wrong = resolver.lookup(&long).await.unwrap_err();
    assert!(matches!(wrong, Error::Name { .. }), "{wrong}");
}

#[tokio::test]
async fn addresses_that_no_packet_comes_from_are_left_out() {
    let resolver = resolver().await;
    let odd = resolver.lookup("odd.example").await.unwrap();
    let expected = ["10.0.0.5", "192.0.2.9"].map(|text| text.parse::<IpAddr>().unwrap());
    assert_eq!(odd.addresses, expected);
    let here = resolver.lookup("here.example").await.unwrap_err();
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
