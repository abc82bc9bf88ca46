//! Who belongs is learned from the packets themselves, and who does not is shut out: a real
//! registrar and real phones behind the fence, real guessers and forgers in front of it.

mod calls;
mod contacts;
mod control;
mod emergency;
mod flood;
mod forged;
mod guessing;
mod registered;
mod relay;
mod sharing;
mod storm;
mod trunk;

use std::net::{IpAddr, SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use ringfence_lab::{
    Agent, Lab, Netns, PBX_V4, Packet, PacketCounter, Phone, Ringfence, Transport,
    without_signatures,
};
use serde_json::Value;

/// Not a measure: nothing that a test waits for takes so long.
const LIMIT: Duration = Duration::from_secs(20);
/// Long enough for an answer to cross the laboratory, however busy the machine is.
const ANSWER: Duration = Duration::from_millis(400);

const PBX: IpAddr = IpAddr::V4(PBX_V4);

/// Phones, guessers and half of the forged sources are British, providers are Swiss.
const COUNTRIES: &str = "\
11.0.0.0,11.127.255.255,GB
11.128.0.0,11.255.255.255,RU
198.18.0.0,198.18.255.255,GB
198.19.0.0,198.19.255.255,CH
198.51.100.0,198.51.100.255,GB
203.0.113.0,203.0.113.255,GB
2001:db8:51::,2001:db8:51:ffff:ffff:ffff:ffff:ffff,GB
2001:db8:bad::,2001:db8:bad:ffff:ffff:ffff:ffff:ffff,GB
";

/// A signature that bans at once.
const SCANNER: &str = r#"
[[signature]]
id     = "scanner"
where  = "user-agent"
match  = "prefix"
value  = "friendly-scanner"
action = "ban"
"#;

/// What a scanner calls itself.
const SCANNER_AGENT: &str = "User-Agent: friendly-scanner\r\n";

/// A policy that admits Great Britain to SIP; `tables` stand behind its own, and `service` are
/// keys of the service.
fn policy(service: &str, tables: &str) -> String {
    format!(
        "mode = \"enforce\"\ninterfaces = [\"eth0\"]\ncountries = [\"GB\"]\n{}\n\
         [[service]]\nname = \"sip\"\nkind = \"sip\"\nports = [\"udp/5060\", \"tcp/5060\"]\n\
         from = \"countries\"\n{service}\n{tables}",
        without_signatures()
    )
}

/// A guarded laboratory.
fn guard<'lab>(lab: &'lab Lab, policy: &str) -> Ringfence<'lab> {
    let mut fence = Ringfence::prepare(lab).unwrap();
    if let Err(error) = fence.guard(policy, COUNTRIES) {
        panic!("{error}\n{}", fence.log().unwrap_or_default());
    }
    fence
}

/// What a command that must succeed prints.
fn said(fence: &Ringfence<'_>, arguments: &[&str]) -> String {
    let answer = fence.cli(arguments).unwrap();
    assert_eq!(answer.code, 0, "{arguments:?}: {}", answer.output());
    answer.stdout
}

/// What a listing holds.
fn listed(fence: &Ringfence<'_>, listing: &str) -> Vec<Value> {
    let text = said(fence, &[listing, "--format", "json"]);
    let listed: Value = serde_json::from_str(&text).unwrap();
    listed.as_array().unwrap().clone()
}

/// Whether all that comes from an address is banned, and not one of its ports alone.
fn banned(fence: &Ringfence<'_>, address: IpAddr) -> bool {
    let bans = listed(fence, "bans");
    let whole = |ban: &Value| ban["address"] == address.to_string() && ban["port"].is_null();
    bans.iter().any(whole)
}

/// What an address is trusted for.
fn trust(fence: &Ringfence<'_>, address: IpAddr) -> Option<Value> {
    let mut trusted = listed(fence, "trust").into_iter();
    trusted.find(|it| it["address"] == address.to_string())
}

/// Whether an account is registered from an address.
fn is_registered(fence: &Ringfence<'_>, address: IpAddr, user: u16) -> bool {
    let has = |list: &Value, word: &str| list.as_array().unwrap().iter().any(|it| it == word);
    trust(fence, address)
        .is_some_and(|it| has(&it["why"], "registered") && has(&it["accounts"], &user.to_string()))
}

/// What the fence says when a phone is not content.
fn told(fence: &Ringfence<'_>) -> String {
    let parts = [&["status"][..], &["bans"], &["events"]];
    let parts = parts.map(|part| fence.cli(part).unwrap().output());
    parts.join("\n")
}

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn at(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// A phone over UDP at an address and port of the place of phones.
fn phone(user: u16, local: &str) -> Phone {
    let local = at(local);
    Phone {
        user,
        address: local.ip(),
        port: local.port(),
        transport: Transport::Udp,
    }
}

/// Registers a phone, which must not need a second try.
fn registers(lab: &Lab, fence: &Ringfence<'_>, phone: &Phone) {
    let report = phone.register(lab, 1, 20).unwrap();
    assert!(
        report.is_flawless(),
        "{phone:?}: {report:?}\n{}",
        told(fence)
    );
}

/// Calls from one phone to another, which nothing must disturb.
fn calls(lab: &Lab, fence: &Ringfence<'_>, caller: &Phone, called: &Phone) {
    let report = caller.call(lab, called, 1, 20).unwrap();
    assert!(
        report.is_flawless(),
        "{caller:?}, {called:?}: {report:?}\n{}",
        told(fence)
    );
}

/// Counts SIP requests and responses from these sources that pass the fence.
fn passed(lab: &Lab, from: impl Fn(SocketAddr) -> bool + Send + 'static) -> PacketCounter {
    lab.count_packets(&lab.pbx, "eth0", move |packet| {
        !packet.outgoing && is_sip_from(packet, &from)
    })
    .unwrap()
}

/// Counts SIP that a place sends from these sources.
fn sent(
    lab: &Lab,
    place: &Netns,
    from: impl Fn(SocketAddr) -> bool + Send + 'static,
) -> PacketCounter {
    lab.count_packets(place, "eth0", move |packet| {
        packet.outgoing && is_sip_from(packet, &from)
    })
    .unwrap()
}

fn is_sip_from(packet: &Packet<'_>, from: &impl Fn(SocketAddr) -> bool) -> bool {
    let source = packet.ports.filter(|(_, to)| *to == 5060);
    source.is_some_and(|(port, _)| from(SocketAddr::new(packet.src, port)))
}

/// Whether a request of a kind, sent from an address of a place, is answered.
fn is_answered(place: &Netns, local: &str, method: &str) -> bool {
    let agent = Agent::open(place, at(local)).unwrap();
    let uri = if method == "REGISTER" {
        "sip:sip.example.com"
    } else {
        "sip:1001@sip.example.com"
    };
    let request = agent.request(method, uri, "1019", "");
    let heard = agent.ask(&request, ANSWER).unwrap();
    if heard.is_some() && method == "INVITE" {
        agent.send(&acknowledge(&request)).unwrap();
    }
    heard.is_some()
}

/// Whether a connection from a place to the server comes about.
fn connects(place: &Netns) -> bool {
    let server = SocketAddr::new(PBX, 5060);
    let connected = place.inside(|| TcpStream::connect_timeout(&server, ANSWER));
    connected.unwrap().is_ok()
}

/// The ACK of an INVITE that was refused: its branch is that of the INVITE.
fn acknowledge(invite: &str) -> String {
    invite
        .replace("INVITE sip:", "ACK sip:")
        .replace("1 INVITE", "1 ACK")
}

/// Waits for something that must come.
fn until(what: &str, mut ready: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !ready() {
        assert!(begun.elapsed() < LIMIT, "{what}: not so");
        thread::sleep(Duration::from_millis(20));
    }
}
