//! What the server says of the contacts of an account, and what a phone does that is merely
//! stubborn.

use std::thread;
use std::time::Duration;

use jiff::Timestamp;
use ringfence_lab::{Agent, Kamailio, Lab, Phone, Ringfence, Setup, needs_root};

use crate::{
    address, at, banned, calls, guard, passed, phone, policy, registers, told, trust, until,
};

#[test]
fn contacts_of_other_devices_grant_no_longer_time() {
    if needs_root() {
        return;
    }
    let lab = Lab::new().unwrap();
    let _kamailio = Kamailio::start(&lab).unwrap();
    let fence = guard(&lab, &policy("", ""));
    for address in ["198.51.100.11", "198.51.100.12"].map(address) {
        lab.add_address(&lab.phone, address).unwrap();
    }
    let desk = phone(1001, "198.51.100.11:5081");
    let mobile = phone(1001, "198.51.100.12:5082");
    for (device, expires) in [(desk, 3600), (mobile, 30)] {
        let report = device.register_for(&lab, expires, 1, 20).unwrap();
        assert!(report.is_flawless(), "{report:?}\n{}", told(&fence));
    }
    // The answer to the second lists both, the first with almost an hour.
    // The grace of 64 s included, and some seconds for the test.
    for (device, expires) in [(desk, 3600), (mobile, 30)] {
        let left = seconds_left(&fence, &device);
        let granted = expires + 40..=expires + 64;
        assert!(granted.contains(&left), "{device:?}: {left} s");
    }
}

/// For how many seconds a phone is registered still.
fn seconds_left(fence: &Ringfence<'_>, phone: &Phone) -> i64 {
    let trust = trust(fence, phone.address).unwrap();
    assert_eq!(trust["why"][0], "registered", "{trust}");
    let until: Timestamp = trust["until"].as_str().unwrap().parse().unwrap();
    until.duration_since(Timestamp::now()).as_secs()
}

#[test]
fn one_contact_too_many_is_no_guess() {
    if needs_root() {
        return;
    }
    let lab = Lab::new().unwrap();
    let setup = Setup {
        contacts: 1,
        ..Setup::default()
    };
    let mut kamailio = Kamailio::start_with(&lab, &setup).unwrap();
    let fence = guard(&lab, &policy("", ""));
    let first = phone(1001, "198.51.100.10:5081");
    let second = phone(1001, "198.51.100.10:5082");
    let other = phone(1002, "198.51.100.10:5083");
    registers(&lab, &fence, &first);
    registers(&lab, &fence, &other);
    kamailio.forget().unwrap();
    let refused = second.register(&lab, 6, 6).unwrap();
    let seen = (refused.successful, refused.failed);
    assert_eq!(seen, (0, 6), "{refused:?}\n{}", told(&fence));
    let requests = kamailio.requests().unwrap();
    let right = requests.iter().filter(|it| !it.credentials.is_empty());
    assert_eq!(right.count(), 6, "{}", told(&fence));
    assert!(!banned(&fence, first.address), "{}", told(&fence));
    registers(&lab, &fence, &first);
    calls(&lab, &fence, &first, &other);
}

#[test]
fn a_request_sent_again_and_again_leads_to_no_ban() {
    if needs_root() {
        return;
    }
    let lab = Lab::new().unwrap();
    let _kamailio = Kamailio::start(&lab).unwrap();
    let strict = "[ban]\nafter = \"3/60s\"\n";
    let fence = guard(&lab, &policy("domains = [\"sip.example.com\"]", strict));
    let stubborn = address("203.0.113.31");
    let guessing = address("203.0.113.32");
    for address in [stubborn, guessing] {
        lab.add_address(&lab.attacker, address).unwrap();
    }
    let stray = passed(&lab, move |from| [stubborn, guessing].contains(&from.ip()));

    // As RFC 3261, 17.1.2.1, has it: the first and ten more.
    let phone = Agent::open(&lab.attacker, at("203.0.113.31:5060")).unwrap();
    let request = phone.request("REGISTER", "sip:192.0.2.10", "1001", "");
    for _ in 0..11 {
        phone.send(&request).unwrap();
        thread::sleep(Duration::from_millis(20));
    }
    // Others of the same kind do, which proves that the first could have.
    let guesser = Agent::open(&lab.attacker, at("203.0.113.32:5060")).unwrap();
    for _ in 0..11 {
        let request = guesser.request("REGISTER", "sip:192.0.2.10", "1001", "");
        guesser.send(&request).unwrap();
    }
    until("the other is banned", || banned(&fence, guessing));
    assert!(!banned(&fence, stubborn), "{}", told(&fence));
    assert_eq!(stray.stop().unwrap(), 0);

    // Once it names the domain it is in.
    let request = phone.request("REGISTER", "sip:sip.example.com", "1001", "");
    let heard = phone.ask(&request, crate::ANSWER).unwrap();
    assert!(heard.is_some_and(|it| it.starts_with("SIP/2.0 401 ")));
}
