//! A host with a registrar, and those who speak to it.

use ringfence_core::address::Address;
use ringfence_core::limit::Limit;
use ringfence_core::packet::Link;
use ringfence_core::policy::{Admission, service_flags};
use ringfence_core::reason::Reason;
use ringfence_core::trust::{Standing, account_digest};
use ringfence_core::verdict::Verdict;

use crate::bench::packet::{HOME, UDP, ethernet, ipv4, udp};
use crate::bench::{SECOND, World, port};

/// In GB, which alone is admitted.
pub const PHONE: [u8; 4] = [198, 51, 100, 10];
pub const OTHER: [u8; 4] = [198, 51, 100, 11];
/// Of a country that is not.
pub const ABROAD: [u8; 4] = [203, 0, 113, 7];

/// One end of the story: an address and port.
#[derive(Clone, Copy, Debug)]
pub struct End {
    pub address: [u8; 4],
    pub port: u16,
}

impl End {
    pub fn of(address: [u8; 4]) -> Self {
        Self {
            address,
            port: 5062,
        }
    }

    pub fn port(self, port: u16) -> Self {
        Self { port, ..self }
    }

    pub fn address(self) -> Address {
        Address::v4(self.address)
    }
}

/// A message: what differs from one to the next.
#[derive(Clone, Debug)]
pub struct Message {
    /// Request-Line or Status-Line.
    pub start: String,
    pub branch: String,
    pub call: String,
    pub from: String,
    pub to: String,
    pub sequence: String,
    pub more: String,
}

impl Message {
    pub fn request(method: &str, user: &str, call: &str) -> Self {
        Self {
            start: format!("{method} sip:{user}@pbx.example.org SIP/2.0"),
            branch: format!("z9hG4bK{call}"),
            call: call.into(),
            from: format!("<sip:{user}@pbx.example.org>;tag=f{call}"),
            to: format!("<sip:{user}@pbx.example.org>"),
            sequence: format!("1 {method}"),
            more: String::new(),
        }
    }

    pub fn register(user: &str, call: &str, more: &str) -> Self {
        Self {
            more: more.into(),
            ..Self::request("REGISTER", user, call)
        }
    }

    pub fn more(mut self, more: &str) -> Self {
        self.more.push_str(more);
        self
    }

    /// The response of whoever got the request, with its tag.
    pub fn answer(&self, status: &str, more: &str) -> Self {
        let tag = if status.starts_with("100") || self.to.contains(";tag=") {
            ""
        } else {
            ";tag=ours"
        };
        Self {
            start: format!("SIP/2.0 {status}"),
            to: format!("{}{tag}", self.to),
            more: more.into(),
            ..self.clone()
        }
    }

    pub fn text(&self) -> Vec<u8> {
        format!(
            "{}\r\nVia: SIP/2.0/UDP 10.0.0.9:5062;branch={};rport\r\nFrom: {}\r\nTo: {}\r\nCall-ID: {}\r\n\
             CSeq: {}\r\n{}Content-Length: 0\r\n\r\n",
            self.start, self.branch, self.from, self.to, self.call, self.sequence, self.more
        )
        .into_bytes()
    }
}

/// Credentials, as a phone writes them.
pub fn credentials(user: &str) -> String {
    format!(
        "Authorization: Digest username=\"{user}\", realm=\"pbx\", nonce=\"n1\", \
         uri=\"sip:pbx.example.org\", response=\"0123\"\r\n"
    )
}

pub const CHALLENGE: &str = "WWW-Authenticate: Digest realm=\"pbx\", nonce=\"n1\"\r\n";

pub struct Story {
    pub world: World,
    calls: u32,
}

impl Story {
    pub fn new() -> Self {
        let mut world = World::new();
        world.load_countries();
        world.service(port::SIP).admissions = [Admission::Countries as u8; 16];
        let gb = ringfence_core::country::Country::from_code("GB").unwrap();
        world.service(port::SIP).countries = [gb].into_iter().collect();
        let trust = &mut world.policy.trust;
        trust.failures = Limit::new(10, 600 * SECOND, 10);
        trust.users = Limit::new(8, 600 * SECOND, 8);
        trust.requests = Limit::new(10, 10 * SECOND, 10);
        trust.solicited = 600 * SECOND;
        Self { world, calls: 0 }
    }

    pub fn wait(&mut self, seconds: u64) {
        self.world.place.now += seconds * SECOND;
    }

    /// Nobody's country is admitted any more.
    pub fn close_countries(&mut self) {
        self.world.service(port::SIP).countries = [].into_iter().collect();
    }

    pub fn want_domain(&mut self) {
        self.world.service(port::SIP).flags |= service_flags::DOMAINS;
    }

    /// A Call-ID that was not used before.
    pub fn call(&mut self) -> String {
        self.calls += 1;
        format!("c{:05}", self.calls)
    }

    pub fn verdict(&mut self, from: End, message: &Message) -> Verdict {
        let data = udp(from.port, port::SIP, &message.text());
        let frame = ethernet(&[], &ipv4(from.address, UDP, &[], 0, &data));
        self.world.verdict(Link::Ethernet, &frame)
    }

    /// A message comes in from `from`.
    pub fn hears(&mut self, from: End, message: &Message) -> Reason {
        self.verdict(from, message).reason()
    }

    /// This host sends a message.
    pub fn says(&mut self, to: End, message: &Message) {
        self.says_bytes(to, &message.text());
    }

    pub fn says_bytes(&mut self, to: End, text: &[u8]) {
        let data = udp(port::SIP, to.port, text);
        let mut packet = ipv4(HOME, UDP, &[], 0, &data);
        packet[16..20].copy_from_slice(&to.address);
        self.world.leaves(&ethernet(&[], &packet));
    }

    /// A phone registers with a challenge, and is granted `expires` seconds; what became of its
    /// last request.
    pub fn registers(&mut self, phone: End, user: &str, expires: u32) -> Reason {
        let contact = contact(user, phone);
        let call = self.call();
        let first = Message::register(user, &call, &contact);
        let reason = self.hears(phone, &first);
        if reason.action() == ringfence_core::reason::Action::Drop {
            return reason;
        }
        self.says(phone, &first.answer("401 Unauthorized", CHALLENGE));
        let mut second = first.clone().more(&credentials(user));
        second.branch += "-2";
        second.sequence = "2 REGISTER".into();
        let reason = self.hears(phone, &second);
        if reason.action() == ringfence_core::reason::Action::Pass {
            let granted = contact.replace(">\r\n", &format!(">;expires={expires}\r\n"));
            self.says(phone, &second.answer("200 OK", &granted));
        }
        reason
    }

    pub fn standing(&self, of: End) -> Standing {
        let known = self.world.place.standings.get(&of.address());
        known.copied().unwrap_or_default()
    }

    /// Seconds for which the address stays registered.
    pub fn registered_for(&self, of: End) -> u64 {
        let until = self.standing(of).registered_until;
        until.saturating_sub(self.world.place.now) / SECOND
    }

    pub fn is_banned(&self, address: Address) -> bool {
        let ban = self.world.place.bans.get(&address.subject());
        ban.is_some_and(|ban| ban.until > self.world.place.now)
    }

    pub fn knows_account(&self, user: &str) -> bool {
        let digest = account_digest(user.as_bytes());
        self.world.place.accounts.contains_key(&digest)
    }
}

/// The Contact of a phone behind NAT: not the address that its packets come from.
pub fn contact(user: &str, phone: End) -> String {
    format!("Contact: <sip:{user}@10.0.0.9:{};ob>\r\n", phone.port)
}
