//! One day of a host with a registrar, told by hand.

use std::net::SocketAddr;

use ringfence_core::bench::Cause;
use ringfence_core::reason::{Action, Reason};

use super::message::{Message, challenge, credentials};
use super::{Carrier, LEARNING};
use crate::{Both, at, privileged};

const PHONE: &str = "8.8.8.8:5062";
const PHONE_V6: &str = "[2600::1:2]:5062";
const THIEF: &str = "8.8.4.4:5071";
/// Of a country that is not admitted.
const PEER: &str = "77.88.8.8:5060";

fn address(end: SocketAddr) -> ringfence_core::address::Address {
    ringfence::tables::address(end.ip())
}

/// A phone registers with a challenge; `granted` are the contacts of the 200.
fn registers(
    both: &mut Both,
    carrier: Carrier,
    phone: SocketAddr,
    user: &str,
    call: &str,
    granted: &str,
) {
    let contact = format!("Contact: <sip:{user}@10.0.0.9:5062;ob>\r\n");
    let first = Message::request("REGISTER", user, call).more(&contact);
    both.hears(carrier, phone, &first.text());
    both.wait(3);
    let nonce = format!("n{call}");
    let text = first.answer("401 Unauthorized", &challenge(&nonce)).text();
    both.says(carrier, phone, &text);
    both.tables_are_equal("after a challenge");
    both.wait(40);
    let second = first.again(2).more(&credentials(user, &nonce));
    assert_eq!(
        both.hears(carrier, phone, &second.text()).action(),
        Action::Pass
    );
    both.wait(5);
    both.says(carrier, phone, &second.answer("200 OK", granted).text());
    both.tables_are_equal("after a registration");
}

#[test]
fn a_day_of_a_registrar() {
    if !privileged() {
        return;
    }
    let mut both = Both::new(LEARNING);
    let (phone, six) = (at(PHONE), at(PHONE_V6));
    let udp = Carrier::Udp;
    let own = "Contact: <sip:1001@10.0.0.9:5062;ob>;expires=3600\r\n";
    registers(&mut both, udp, phone, "1001", "c1", own);
    let standing = both.memory.standings()[&address(phone)];
    assert!(standing.registered(both.now) && standing.granted == 3600);
    both.wait(1_800_000);
    registers(&mut both, udp, phone, "1001", "c2", own);

    a_call(&mut both, udp, phone);

    // Other devices' contacts, with longer times: its own counts.
    let many = "Contact: \"Desk, 2\" <sip:1002@10.0.0.7:5060>;expires=86400, \
                <sip:1002@10.0.0.9:5062;ob>;expires=120;+sip.instance=\"<urn:uuid:a,b>\"\r\n\
                m: <sip:1002@10.1.1.1>;expires=99999999999\r\n";
    registers(&mut both, udp, phone, "1002", "c3", many);
    let contacts = both.memory.contacts();
    assert!(contacts.values().any(|contact| contact.granted == 120));
    let own = "Contact: <sip:1003@[2600::1:2]:5062>;expires=600\r\n";
    registers(&mut both, udp, six, "1003", "c4", own);
    assert!(both.memory.standings()[&address(six).subject()].registered(both.now));

    refused(&mut both, at(THIEF));
    asked(&mut both, at(PEER));
    both.wait(4_000_000);
    // It ran out: only a new registration may follow.
    let call = Message::request("INVITE", "1002", "c9");
    both.hears(udp, phone, &call.text());
    both.tables_are_equal("at the end");
}

/// The phone calls, is answered, and hangs up.
fn a_call(both: &mut Both, carrier: Carrier, phone: SocketAddr) {
    let invite = Message::request("INVITE", "1009", "i1");
    assert_eq!(
        both.hears(carrier, phone, &invite.text()),
        Reason::Registered
    );
    for status in ["100 Trying", "180 Ringing", "200 OK"] {
        both.wait(700);
        both.says(carrier, phone, &invite.answer(status, "").text());
        both.tables_are_equal(status);
    }
    assert_eq!(both.memory.standings()[&address(phone)].calls, 1);
    both.hears(carrier, phone, &invite.within("ACK").text());
    both.wait(9000);
    let bye = invite.within("BYE");
    both.hears(carrier, phone, &bye.text());
    both.says(carrier, phone, &bye.answer("200 OK", "").text());
    both.tables_are_equal("after a call");
    assert_eq!(both.memory.standings()[&address(phone)].calls, 0);
}

/// A guesser is refused until it is banned.
fn refused(both: &mut Both, thief: SocketAddr) {
    let mut passed = 0;
    for n in 0..12 {
        let call = format!("g{n}");
        let guess =
            Message::request("REGISTER", "1001", &call).more(&credentials("1001", "nothing"));
        if both.hears(Carrier::Udp, thief, &guess.text()).action() == Action::Pass {
            passed += 1;
            both.wait(2);
            let text = guess.answer("403 Forbidden", "").text();
            both.says(Carrier::Udp, thief, &text);
        }
        both.tables_are_equal("after a refusal");
        both.wait(300);
    }
    assert_eq!(passed, 5);
    let ban = both.memory.bans()[&address(thief)];
    assert_eq!(ban.cause, Cause::Failures as u8);
}

/// We ask a peer from abroad, and it answers; then it may call.
fn asked(both: &mut Both, peer: SocketAddr) {
    let options = Message::request("OPTIONS", "peer", "o1");
    both.says(Carrier::Udp, peer, &options.text());
    both.wait(60);
    let text = options.answer("200 OK", "").text();
    both.hears(Carrier::Udp, peer, &text);
    both.tables_are_equal("after an answer");
    assert!(both.memory.standings()[&address(peer)].solicited(both.now));
    let invite = Message::request("INVITE", "1001", "p1");
    let reason = both.hears(Carrier::Udp, peer, &invite.text());
    assert_eq!(reason, Reason::Solicited);
}

#[test]
fn two_messages_in_a_segment() {
    if !privileged() {
        return;
    }
    let mut both = Both::new(LEARNING);
    let phone = at(PHONE);
    both.judge(&crate::frames::tcp(phone, super::host(phone), 99, 2, b""));
    let register = |user: &str, call: &str| {
        Message::request("REGISTER", user, call)
            .more(&format!("Contact: <sip:{user}@10.0.0.9:5062>\r\n"))
            .more("Authorization: Digest username=\"x\", nonce=\"n\"\r\n")
    };
    let asked = [register("1001", "s1"), register("1002", "s2")];
    both.hears(
        Carrier::Tcp,
        phone,
        &asked.each_ref().map(Message::text).concat(),
    );
    let granted = |request: &Message| request.answer("200 OK", "Expires: 900\r\n").more(CONTACT);
    let answered = asked.each_ref().map(|request| granted(request).text());
    both.says(Carrier::Tcp, phone, &answered.concat());
    both.tables_are_equal("after both answers");
    let learned = both.memory.accounts().len();
    println!("{learned} accounts learned from a segment with two answers");
    assert!(learned >= 1);
}

const CONTACT: &str = "Contact: <sip:any@10.0.0.9:5062>\r\n";
