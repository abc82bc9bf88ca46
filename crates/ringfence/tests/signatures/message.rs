//! SIP messages with given texts at given places, and what else a message needs.

use ringfence_core::automaton::{Counted, Location};

/// What messages are made of where nothing else is wanted.
const AGENT: &str = "Yealink SIP-T46S 66.86.0.15";

/// A request with these texts at these places.
pub fn with(parts: &[(Location, &str)]) -> Vec<u8> {
    let given = |location| parts.iter().find(|part| part.0 == location).map(|p| p.1);
    let or = |location, usual: &str| given(location).unwrap_or(usual).to_owned();
    let user = or(Location::RequestUriUser, "2002");
    let uri = format!(
        "sip:{user}@{}",
        or(Location::RequestUriHost, "sip.example.com")
    );
    let uri = or(Location::RequestUri, &uri);
    let method = given(Location::CSeq).and_then(|value| value.split(' ').nth(1));
    let line = format!("{} {uri} SIP/2.0", method.unwrap_or("INVITE"));
    let line = or(Location::RequestLine, &line);
    let method = line.split(' ').next().unwrap_or_default();
    let from = format!(
        "\"{}\" <sip:{}@{}>;tag={}",
        or(Location::FromDisplay, "Pat O'Brien"),
        or(Location::FromUser, "2001"),
        or(Location::FromHost, "sip.example.com"),
        or(Location::FromTag, "1928301774"),
    );
    let tag = given(Location::ToTag).map(|tag| format!(";tag={tag}"));
    let to = format!(
        "<sip:{}@sip.example.com>{}",
        or(Location::ToUser, "2002"),
        tag.unwrap_or_default()
    );
    let contact = format!(
        "<sip:{}@{}:5060>",
        or(Location::ContactUser, "2001"),
        or(Location::ContactHost, "192.0.2.7"),
    );
    let branch = or(Location::ViaBranch, "z9hG4bK776asdhds");
    let mut headers = vec![
        line.clone(),
        format!("Via: SIP/2.0/UDP 192.0.2.7:5060;branch={branch}"),
        "Max-Forwards: 70".to_owned(),
        format!("From: {}", or(Location::From, &from)),
        format!("To: {}", or(Location::To, &to)),
        format!(
            "Call-ID: {}",
            or(Location::CallId, "a84b4c76e66710@192.0.2.7")
        ),
        format!("CSeq: {}", or(Location::CSeq, &format!("1 {method}"))),
        format!("Contact: {}", or(Location::Contact, &contact)),
        format!("User-Agent: {}", or(Location::UserAgent, AGENT)),
    ];
    for (name, location) in [("Subject", Location::Subject), ("Accept", Location::Accept)] {
        headers.extend(given(location).map(|value| format!("{name}: {value}")));
    }
    headers.extend(given(Location::AnyHeader).map(str::to_owned));
    headers.extend(given(Location::WholeMessage).map(|text| format!("X-Text: {text}")));
    let body = format!(
        "v=0\r\no={}\r\ns={}\r\nc=IN IP4 192.0.2.7\r\nt=0 0\r\n",
        or(Location::SdpOrigin, "- 20 20 IN IP4 192.0.2.7"),
        or(Location::SdpSession, "-"),
    );
    headers.push("Content-Type: application/sdp".to_owned());
    headers.push(format!("Content-Length: {}", body.len()));
    format!("{}\r\n\r\n{body}", headers.join("\r\n")).into_bytes()
}

/// A request in which a header stands so many times.
pub fn repeating(header: Counted, times: usize) -> Vec<u8> {
    let name = match header {
        Counted::From => "From: ",
        Counted::To => "To: ",
        Counted::CallId => "Call-ID: ",
        Counted::CSeq => "CSeq: ",
    };
    let text = String::from_utf8(with(&[])).unwrap();
    let (before, after) = text.split_once(&format!("\r\n{name}")).unwrap();
    let (value, rest) = after.split_once("\r\n").unwrap();
    let lines = format!("{name}{value}\r\n").repeat(times);
    format!("{before}\r\n{lines}{rest}").into_bytes()
}

/// The UDP packet that carries a message from an address to a fence's port 5060.
pub fn packet(source: [u8; 4], message: &[u8]) -> Vec<u8> {
    let length = |bytes: usize| u16::try_from(bytes).unwrap().to_be_bytes();
    let mut packet = vec![0x45, 0];
    packet.extend(length(28 + message.len()));
    packet.extend([0, 0, 0, 0, 64, 17, 0, 0]);
    packet.extend(source);
    packet.extend([192, 0, 2, 1]);
    packet.extend(5070u16.to_be_bytes());
    packet.extend(5060u16.to_be_bytes());
    packet.extend(length(8 + message.len()));
    packet.extend([0, 0]);
    packet.extend(message);
    packet
}
