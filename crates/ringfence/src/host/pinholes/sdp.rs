//! Where media will come from, as an SDP says. Source: RFC 8866 (c=, m=), RFC 3605 (a=rtcp), RFC 5761 (a=rtcp-mux),
//! RFC 8839 (a=candidate).
//!
//! What a side names is where it receives; a symmetric one (RFC 4961) sends from there.

use std::net::{IpAddr, SocketAddr};

/// Places that one message may name; more are left out.
pub(super) const MOST: usize = 8;
/// Lines that are read of a body at most.
const LINES: usize = 512;
/// Ports below are those of system services, which answer whoever forges a question.
const LEAST_PORT: u16 = 1024;

/// The places that a body names, in the order of the file: each media's own with that of its RTCP, and ICE candidates
/// behind them. A body of several parts may have the SDP as any of them. At most [`MOST`], each once.
pub(super) fn places(body: &[u8]) -> Vec<SocketAddr> {
    let mut reading = Reading::default();
    let mut begun = false;
    for line in body.split(|byte| *byte == b'\n').take(LINES) {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if !begun {
            begun = line == b"v=0";
            continue;
        }
        let [kind, b'=', value @ ..] = line else {
            // The end of this part, or what was cut off.
            break;
        };
        let Ok(value) = std::str::from_utf8(value) else {
            continue;
        };
        reading.line(*kind, value);
    }
    reading.end()
}

#[derive(Default)]
struct Reading {
    /// The address that holds for all media without one.
    session: Option<IpAddr>,
    media: Option<Media>,
    named: Vec<SocketAddr>,
    candidates: Vec<SocketAddr>,
}

struct Media {
    address: Option<IpAddr>,
    port: u16,
    count: u16,
    rtcp: Option<(u16, Option<IpAddr>)>,
    multiplexed: bool,
}

impl Reading {
    fn line(&mut self, kind: u8, value: &str) {
        match kind {
            b'c' => match &mut self.media {
                Some(media) => media.address = connection(value),
                None => self.session = connection(value),
            },
            b'm' => {
                self.close();
                self.media = Some(media(value));
            }
            b'a' => self.attribute(value),
            _ => {}
        }
    }

    fn attribute(&mut self, value: &str) {
        let Some(media) = self.media.as_mut().filter(|media| media.port != 0) else {
            return;
        };
        if value == "rtcp-mux" {
            media.multiplexed = true;
        } else if let Some(of) = value.strip_prefix("rtcp:") {
            let (port, rest) = of.split_once(' ').unwrap_or((of, ""));
            media.rtcp = port.parse().ok().map(|port| (port, connection(rest)));
        } else if let Some(place) = value.strip_prefix("candidate:").and_then(candidate) {
            note(&mut self.candidates, place);
        }
    }

    /// Ends the media that is being read.
    fn close(&mut self) {
        let Some(media) = self.media.take().filter(|media| media.port != 0) else {
            return;
        };
        let Some(address) = media.address.or(self.session) else {
            return;
        };
        for n in 0..media.count {
            let Some(port) = n.checked_mul(2).and_then(|n| media.port.checked_add(n)) else {
                return;
            };
            note(&mut self.named, SocketAddr::new(address, port));
            match media.rtcp {
                _ if media.multiplexed => {}
                Some((port, of)) if n == 0 => {
                    let place = SocketAddr::new(of.unwrap_or(address), port);
                    note(&mut self.named, place);
                }
                _ => {
                    if let Some(port) = port.checked_add(1) {
                        note(&mut self.named, SocketAddr::new(address, port));
                    }
                }
            }
        }
    }

    fn end(mut self) -> Vec<SocketAddr> {
        self.close();
        let mut all = self.named;
        for place in self.candidates {
            note(&mut all, place);
        }
        all
    }
}

fn note(places: &mut Vec<SocketAddr>, place: SocketAddr) {
    if places.len() < MOST && place.port() >= LEAST_PORT && !places.contains(&place) {
        places.push(place);
    }
}

/// `IN IP4 192.0.2.1`, with a TTL or a count behind a slash; None where it is no address.
fn connection(value: &str) -> Option<IpAddr> {
    let mut words = value.split_ascii_whitespace();
    let (net, kind, address) = (words.next()?, words.next()?, words.next()?);
    let address: IpAddr = address.split('/').next()?.parse().ok()?;
    let fits = match kind {
        "IP4" => address.is_ipv4(),
        "IP6" => address.is_ipv6(),
        _ => false,
    };
    (net == "IN" && fits).then_some(address)
}

/// `audio 10000/2 RTP/AVP 0`; port 0 where it is none that datagrams come from.
fn media(value: &str) -> Media {
    let mut words = value.split_ascii_whitespace().skip(1);
    let ports = words.next().unwrap_or_default();
    let protocol = words.next().unwrap_or_default();
    let (port, count) = ports.split_once('/').unwrap_or((ports, "1"));
    let datagrams = protocol.starts_with("RTP/")
        || protocol.starts_with("UDP/")
        || protocol.eq_ignore_ascii_case("udptl");
    Media {
        address: None,
        port: port.parse().ok().filter(|_| datagrams).unwrap_or(0),
        count: count.parse().unwrap_or(1).min(MOST as u16),
        rtcp: None,
        multiplexed: false,
    }
}

/// `1 1 UDP 2130706431 192.0.2.1 10000 typ host`
fn candidate(value: &str) -> Option<SocketAddr> {
    let mut words = value.split_ascii_whitespace().skip(2);
    let transport = words.next()?;
    let mut words = words.skip(1);
    let (address, port) = (words.next()?, words.next()?);
    let place = SocketAddr::new(address.parse().ok()?, port.parse().ok()?);
    transport.eq_ignore_ascii_case("udp").then_some(place)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(lines: &[&str]) -> Vec<String> {
        let body = format!("v=0\r\n{}\r\n", lines.join("\r\n"));
        places(body.as_bytes())
            .iter()
            .map(SocketAddr::to_string)
            .collect()
    }

    #[test]
    fn media_is_where_the_session_or_it_says() {
        let c = "c=IN IP4 198.51.100.1";
        for (lines, expected) in [
            (
                &[c, "m=audio 4000 RTP/AVP 0"][..],
                &["198.51.100.1:4000", "198.51.100.1:4001"][..],
            ),
            (
                &[
                    c,
                    "m=audio 4000 RTP/AVP 0",
                    "c=IN IP6 2001:db8::5",
                    "a=rtcp-mux",
                    "m=video 5000 RTP/SAVPF 9",
                ],
                &[
                    "[2001:db8::5]:4000",
                    "198.51.100.1:5000",
                    "198.51.100.1:5001",
                ],
            ),
            (
                &[
                    c,
                    "m=audio 4000 RTP/AVP 0",
                    "a=rtcp:5555 IN IP4 198.51.100.9",
                    "m=image 6000 udptl t38",
                ],
                &[
                    "198.51.100.1:4000",
                    "198.51.100.9:5555",
                    "198.51.100.1:6000",
                    "198.51.100.1:6001",
                ],
            ),
            (
                &[c, "m=audio 4000/2 RTP/AVP 0"],
                &[
                    "198.51.100.1:4000",
                    "198.51.100.1:4001",
                    "198.51.100.1:4002",
                    "198.51.100.1:4003",
                ],
            ),
            (
                &[
                    c,
                    "m=audio 4000 UDP/TLS/RTP/SAVPF 0",
                    "a=rtcp-mux",
                    "a=candidate:1 1 UDP 2130706431 203.0.113.3 7000 typ host",
                    "a=candidate:2 1 tcp 2130706431 203.0.113.4 7000 typ host tcptype active",
                    "a=candidate:3 1 udp 21 x.local 7000 typ host",
                ],
                &["198.51.100.1:4000", "203.0.113.3:7000"],
            ),
            // Nothing is sent: no port, no datagrams, no address, the port of a system service, what names no address.
            (
                &[
                    c,
                    "m=audio 0 RTP/AVP 0",
                    "a=candidate:1 1 UDP 1 203.0.113.3 7000 typ host",
                ],
                &[],
            ),
            (&[c, "m=message 4000 TCP/MSRP *"], &[]),
            (&["m=audio 4000 RTP/AVP 0"], &[]),
            (&[c, "m=audio 53 RTP/AVP 0", "a=rtcp-mux"], &[]),
            (&["c=IN IP4 pbx.example", "m=audio 4000 RTP/AVP 0"], &[]),
            (&["c=IN IP6 198.51.100.1", "m=audio 4000 RTP/AVP 0"], &[]),
            (&[c, "m=audio 65535 RTP/AVP 0"], &["198.51.100.1:65535"]),
        ] {
            assert_eq!(read(lines), expected, "{lines:?}");
        }
    }

    #[test]
    fn one_part_of_several_is_read_and_a_message_names_few() {
        let body = "--b\r\nContent-Type: application/sdp\r\n\r\nv=0\r\nc=IN IP4 198.51.100.1\r\nm=audio 4000 RTP/AVP 0\r\n\
                    --b\r\nm=audio 5000 RTP/AVP 0\r\n";
        assert_eq!(places(body.as_bytes()).len(), 2);
        let many: Vec<_> = (0..100)
            .map(|n| format!("m=audio {} RTP/AVP 0", 4000 + 2 * n))
            .collect();
        let mut lines = vec!["c=IN IP4 198.51.100.1"];
        lines.extend(many.iter().map(String::as_str));
        assert_eq!(read(&lines).len(), MOST);
        assert_eq!(
            read(&["c=IN IP4 198.51.100.1", "m=audio 4000/65535 RTP/AVP 0"]).len(),
            MOST
        );
    }

    proptest! {
        #[test]
        fn whatever_stands_there_is_read_to_its_end(
            lines in prop::collection::vec("[cma]=(IN IP4 |audio |rtcp:|candidate:1 1 udp 1 )?[0-9a-f:./ ]{0,40}( RTP/AVP)?", 0..600),
            bytes in prop::collection::vec(any::<u8>(), 0..400),
        ) {
            let mut body = format!("v=0\n{}", lines.join("\n")).into_bytes();
            body.extend(bytes);
            let found = places(&body);
            prop_assert!(found.len() <= MOST);
            prop_assert!(found.iter().all(|place| place.port() >= LEAST_PORT));
        }
    }
}
