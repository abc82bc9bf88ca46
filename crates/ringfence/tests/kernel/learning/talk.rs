//! Generated conversations: what is asked, and how it is answered.

use std::net::SocketAddr;

use super::Carrier;
use super::dice::Dice;
use super::message::{Message, challenge, credentials};
use crate::at;

/// Two behind one address, two in one /64, two of one /24, one from abroad, a trunk and a proxy.
pub const PEERS: [&str; 10] = [
    "8.8.8.8:5062",
    "8.8.8.8:5064",
    "8.8.8.9:5060",
    "8.8.4.4:5060",
    "77.88.8.8:5060",
    "[2600::1:2]:5062",
    "[2600::1:3]:5062",
    "[2a02:6b8::1]:5060",
    "198.51.100.129:5060",
    "198.51.100.200:5060",
];
const USERS: [&str; 6] = ["1001", "1002", "1003", "2001", "2002", "112"];
/// Users that nobody has.
const NOBODY: [&str; 4] = ["9050", "admin", "root", "7001"];

/// What a conversation is about: what is asked, and how that is answered.
type About = (&'static [&'static str], &'static [&'static str]);
const ABOUT: [About; 6] = [
    (
        &["REGISTER"],
        &["200 OK", "200 OK", "200 OK", "401 Unauthorized"],
    ),
    (
        &["REGISTER", "REGISTER", "INVITE", "OPTIONS"],
        &["200 OK", "200 OK", "404 Not Found", "403 Forbidden"],
    ),
    (
        &["INVITE", "INVITE", "ACK", "BYE", "PRACK", "INFO", "CANCEL"],
        &["100 Trying", "180 Ringing", "200 OK", "200 OK", "486 Busy"],
    ),
    (
        &["REGISTER", "INVITE"],
        &["401 Unauthorized", "403 Forbidden", "407 Proxy", "404 None"],
    ),
    (
        &["OPTIONS", "SUBSCRIBE", "NOTIFY", "REFER", "MESSAGE"],
        &["200 OK", "202 Accepted", "481 None", "999"],
    ),
    (
        &["REGISTER", "invite", "FOO", "BYE"],
        &["183 Progress", "200", "603 Decline", "4000", "-1"],
    ),
];
const EXPIRES: [&str; 10] = [
    "",
    ";expires=0",
    ";expires=60",
    ";expires=600",
    ";expires=3600",
    ";expires=7200",
    ";expires=100000",
    ";expires=4294967295",
    ";expires=99999999999999",
    ";expires=x",
];
/// What two ends say of one call.
pub struct Talk {
    pub peer: SocketAddr,
    pub carrier: Carrier,
    user: &'static str,
    about: About,
    name: String,
    /// What was asked last, and whether by this host.
    asked: Option<(Message, bool)>,
    number: u32,
}

impl Talk {
    pub fn new(dice: &mut Dice, n: usize) -> Self {
        Self {
            peer: at(dice.of(&PEERS)),
            carrier: dice.of(&[Carrier::Udp, Carrier::Udp, Carrier::Tcp]),
            user: dice.of(&USERS),
            about: dice.of(&ABOUT),
            name: format!("call{n}"),
            asked: None,
            number: 0,
        }
    }

    /// The next message, and whether this host sends it.
    pub fn next(&mut self, dice: &mut Dice) -> (Message, bool) {
        match &self.asked {
            Some((asked, ours)) if !dice.once_in(3) => {
                let more = answer_fields(dice, self.user, &self.name);
                (asked.answer(dice.of(self.about.1), &more), !ours)
            }
            _ => {
                let registers = self.about.0.contains(&"REGISTER");
                let ours = dice.once_in(if registers { 12 } else { 3 });
                let request = self.request(dice, ours);
                self.asked = Some((request.clone(), ours));
                (request, ours)
            }
        }
    }

    fn request(&mut self, dice: &mut Dice, ours: bool) -> Message {
        self.number += u32::from(!dice.once_in(6));
        let method = dice.of(self.about.0);
        let user = match dice.below(40) {
            0..4 => dice.of(&USERS),
            4 => dice.of(&NOBODY),
            _ => self.user,
        };
        let mut message = Message::request(method, user, &self.name).again(self.number);
        if method != "REGISTER" && dice.once_in(3) {
            message.to.push_str(";tag=other");
        }
        if ours && dice.once_in(2) {
            // Who was called asks in a dialogue that the peer began.
            (message.from, message.to) = (message.to, message.from);
        }
        if !dice.once_in(4) {
            let expires = dice.of(&EXPIRES);
            message.more += &format!("Contact: <sip:{user}@10.0.0.9:5062>{expires}\r\n");
        } else if dice.once_in(3) {
            message.more += "Contact: *\r\nExpires: 0\r\n";
        }
        if !dice.once_in(3) {
            let nonce = if dice.once_in(4) { "old" } else { &self.name };
            message.more += &credentials(user, nonce);
        }
        if dice.once_in(12) {
            let call = &self.name;
            message.branch = format!("z9hG4bK{call};maddr=192.0.2.77;received=8.8.8.8");
        }
        message
    }
}

/// Header fields of a response.
fn answer_fields(dice: &mut Dice, user: &str, nonce: &str) -> String {
    let mut more = String::new();
    match dice.below(6) {
        0 => more += "Expires: 1800\r\n",
        1 => more += &challenge(nonce),
        2 => more += &challenge(nonce).replace("\r\n", ", stale=true\r\n"),
        3 => more += &challenge(nonce).replace("WWW-", "Proxy-"),
        _ => {}
    }
    let listed = dice.of(&[0, 1, 1, 1, 2, 3, 5, 12, 60]);
    for n in 0..listed {
        let expires = dice.of(&EXPIRES);
        let uri = dice.of(&[
            "10.0.0.9:5062",
            "10.0.0.9:5062;ob",
            "8.8.8.8:5062",
            "8.8.4.4",
            "[2600::1:2]:5062",
        ]);
        let name = dice.of(&["", "\"a, <b>\" ", "Desk "]);
        let instance = dice.of(&["", ";+sip.instance=\"<urn:uuid:0,1>\"", ";q=0.5"]);
        let contact = format!("{name}<sip:{user}@{uri}>{instance}{expires}");
        if n == 0 || dice.once_in(2) {
            let key = dice.of(&["Contact", "m", "CONTACT"]);
            if n != 0 {
                more += "\r\n";
            }
            more += &format!("{key}: {contact}");
        } else {
            more += &format!(", {contact}");
        }
    }
    if listed != 0 {
        more += "\r\n";
    }
    more
}
