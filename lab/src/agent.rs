//! Ends of SIP over UDP that say what a test tells them to, and peers that answer by themselves.

use std::io::ErrorKind;
use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::error::{During, Result};
use crate::netns::Netns;
use crate::topology::{PBX_V4, PBX_V6};

/// How long a reader waits before it looks whether it is wanted any longer.
const TICK: Duration = Duration::from_millis(20);

static NEXT: AtomicU64 = AtomicU64::new(1);

/// A socket that sends the telephone system what a test gives it.
#[derive(Debug)]
pub struct Agent {
    socket: UdpSocket,
    local: SocketAddr,
}

impl Agent {
    /// Opens a socket in a place, which must have the address.
    pub fn open(place: &Netns, local: SocketAddr) -> Result<Self> {
        let socket = place
            .inside(|| UdpSocket::bind(local))?
            .during(format!("bind {local} in {}", place.name()))?;
        Ok(Self { socket, local })
    }

    /// Sends a message as it is.
    pub fn send(&self, message: &str) -> Result<()> {
        let server = if self.local.is_ipv6() {
            SocketAddr::from((PBX_V6, 5060))
        } else {
            SocketAddr::from((PBX_V4, 5060))
        };
        self.socket
            .send_to(message.as_bytes(), server)
            .during(format!("send from {}", self.local))
            .map(drop)
    }

    /// A request with a branch, a tag and a Call-ID of its own; `more` is header lines.
    pub fn request(&self, method: &str, uri: &str, user: &str, more: &str) -> String {
        let (local, n) = (self.local, NEXT.fetch_add(1, Ordering::Relaxed));
        let unlike = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let to = if more.contains("\r\nTo:") || more.starts_with("To:") {
            String::new()
        } else {
            format!("To: <sip:{user}@{}>\r\n", host(uri))
        };
        let agent = if more.contains("User-Agent:") {
            ""
        } else {
            "User-Agent: Yealink SIP-T46S 66.86.0.15\r\n"
        };
        format!(
            "{method} {uri} SIP/2.0\r\n\
             Via: SIP/2.0/UDP {local};rport;branch=z9hG4bK{unlike:016x}\r\n\
             Max-Forwards: 70\r\n\
             From: <sip:{user}@{}>;tag={unlike:x}\r\n{to}\
             Call-ID: {unlike:x}@{}\r\n\
             CSeq: 1 {method}\r\n\
             Contact: <sip:{user}@{local}>\r\n{agent}{more}\
             Content-Length: 0\r\n\r\n",
            host(uri),
            local.ip(),
        )
    }

    /// Waits for the next message.
    pub fn hear(&self, within: Duration) -> Result<Option<String>> {
        self.socket
            .set_read_timeout(Some(within))
            .during("set a timeout")?;
        receive(&self.socket).map(|heard| heard.map(|(text, _)| text))
    }

    /// Sends a request and gives its first response, provisional or not.
    pub fn ask(&self, request: &str, within: Duration) -> Result<Option<String>> {
        self.await_response(request, within, |_| true)
    }

    /// Sends a request and gives its final response.
    pub fn ask_for_final(&self, request: &str, within: Duration) -> Result<Option<String>> {
        let is_final = |response: &str| !response.starts_with("SIP/2.0 1");
        self.await_response(request, within, is_final)
    }

    /// What answers an earlier request from this port has another branch.
    fn await_response(
        &self,
        request: &str,
        within: Duration,
        wanted: impl Fn(&str) -> bool,
    ) -> Result<Option<String>> {
        let via = header(request, "Via").unwrap_or_default();
        let branch = via.rsplit("branch=").next().unwrap_or_default();
        self.send(request)?;
        let until = Instant::now() + within;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(None);
            }
            match self.hear(left)? {
                Some(heard) if heard.contains(branch) && wanted(&heard) => return Ok(Some(heard)),
                _ => {}
            }
        }
    }
}

/// A peer that answers each request with 200, but a REGISTER without credentials with 401.
#[derive(Debug)]
pub struct Peer {
    heard: Arc<Mutex<Vec<String>>>,
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<Result<()>>>,
}

impl Peer {
    /// Begins to answer at an address of a place.
    pub fn start(place: &Netns, local: SocketAddr) -> Result<Self> {
        let agent = Agent::open(place, local)?;
        let (heard, ended) = (Arc::<Mutex<Vec<_>>>::default(), Arc::default());
        let thread = thread::spawn({
            let (heard, ended) = (Arc::clone(&heard), Arc::clone(&ended));
            move || answer(&agent.socket, &heard, &ended)
        });
        Ok(Self {
            heard,
            ended,
            thread: Some(thread),
        })
    }

    /// The requests of a method that it answered so far, or of all methods.
    pub fn answered(&self, method: Option<&str>) -> usize {
        let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        let of = heard
            .iter()
            .filter(|it| method.is_none_or(|method| it.as_str() == method));
        of.count()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            // A test that asks for nothing more has no use for its error.
            let _ = thread.join();
        }
    }
}

fn answer(socket: &UdpSocket, heard: &Mutex<Vec<String>>, ended: &AtomicBool) -> Result<()> {
    socket
        .set_read_timeout(Some(TICK))
        .during("set a timeout")?;
    while !ended.load(Ordering::Acquire) {
        let Some((request, from)) = receive(socket)? else {
            continue;
        };
        let Some(response) = response(&request) else {
            continue;
        };
        // Before the answer: whoever has that may ask at once what was heard.
        let method = request.split(' ').next().unwrap_or_default().to_owned();
        heard
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(method);
        socket
            .send_to(response.as_bytes(), from)
            .during("answer a request")?;
    }
    Ok(())
}

/// What a peer says to a request; nothing to an ACK or to a response.
fn response(request: &str) -> Option<String> {
    let first = request.lines().next()?;
    if !first.ends_with("SIP/2.0") || first.starts_with("ACK ") {
        return None;
    }
    let challenged = first.starts_with("REGISTER ") && header(request, "Authorization").is_none();
    let (status, more) = if challenged {
        let challenge = "WWW-Authenticate: Digest realm=\"provider.example\", nonce=\"5a3c\"\r\n";
        ("401 Unauthorized", challenge.to_owned())
    } else if first.starts_with("REGISTER ") {
        let contact = header(request, "Contact")?;
        let expires = header(request, "Expires").unwrap_or("4");
        let granted = if contact.contains("expires=") {
            format!("Contact: {contact}\r\n")
        } else {
            format!("Contact: {contact};expires={expires}\r\n")
        };
        ("200 OK", granted)
    } else {
        ("200 OK", String::new())
    };
    let mut text = format!("SIP/2.0 {status}\r\n");
    for line in request.lines().skip(1).take_while(|line| !line.is_empty()) {
        let name = line.split(':').next().unwrap_or_default();
        let kept = ["Via", "From", "To", "Call-ID", "CSeq"];
        if kept.iter().any(|it| it.eq_ignore_ascii_case(name.trim())) {
            text += line;
            if name == "To" && !line.contains(";tag=") {
                text += ";tag=peer";
            }
            text += "\r\n";
        }
    }
    Some(text + &more + "Content-Length: 0\r\n\r\n")
}

/// The value of a header in its long form.
fn header<'a>(message: &'a str, name: &str) -> Option<&'a str> {
    let lines = message.lines().skip(1).take_while(|line| !line.is_empty());
    lines
        .filter_map(|line| line.split_once(':'))
        .find(|(found, _)| found.trim().eq_ignore_ascii_case(name))
        .map(|(_, value)| value.trim())
}

/// The host of a URI, without its port.
fn host(uri: &str) -> &str {
    let host = uri.rsplit(['@', ' ']).next().unwrap_or_default();
    let host = host.strip_prefix("sip:").unwrap_or(host);
    host.split([';', ':']).next().unwrap_or_default()
}

fn receive(socket: &UdpSocket) -> Result<Option<(String, SocketAddr)>> {
    let mut buffer = vec![0; 1 << 16];
    match socket.recv_from(&mut buffer) {
        Ok((length, from)) => {
            let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
            Ok(Some((text, from)))
        }
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
            Ok(None)
        }
        // What an ICMP error said of an earlier packet.
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => Ok(None),
        Err(error) => Err(error).during("receive"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_challenges_registrations_and_grants_them() {
        let asked = "REGISTER sip:provider.example SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=b\r\n\
                     To: <sip:a@b>\r\nContact: <sip:a@c>\r\nExpires: 7\r\n\r\n";
        let challenge = response(asked).unwrap();
        assert!(challenge.starts_with("SIP/2.0 401 ") && challenge.contains("branch=b"));
        let asked = asked.replace("Expires", "Authorization: Digest x\r\nExpires");
        let granted = response(&asked).unwrap();
        assert!(granted.starts_with("SIP/2.0 200 ") && granted.contains("<sip:a@c>;expires=7"));
        assert!(granted.contains("To: <sip:a@b>;tag=peer"));
        assert!(response("ACK sip:a SIP/2.0\r\n\r\n").is_none());
        assert!(response("SIP/2.0 200 OK\r\n\r\n").is_none());
    }

    #[test]
    fn hosts_of_uris() {
        assert_eq!(host("sip:1001@192.0.2.10:5060;lr"), "192.0.2.10");
        assert_eq!(host("sip:sip.example.com"), "sip.example.com");
    }
}
