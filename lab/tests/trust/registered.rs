//! A phone whose registration was accepted stays in, whatever becomes of its country, and is known
//! by its account when it comes from elsewhere.

use std::net::SocketAddr;

use ringfence_lab::{Kamailio, Lab, Phone, Transport, needs_root};

use crate::{
    address, at, banned, calls, guard, is_answered, is_registered, passed, phone, policy,
    registers, said, told,
};

/// What a phone asks for, in seconds.
const EXPIRES: u32 = 20;

/// Pairs of phones, each at addresses of its own.
fn pairs() -> [(Phone, Phone); 4] {
    let pair = |user: u16, caller: &str, called: &str, transport| {
        let phone = |user, local: &str| {
            let local = at(local);
            Phone {
                user,
                address: local.ip(),
                port: local.port(),
                transport,
            }
        };
        (phone(user, caller), phone(user + 1, called))
    };
    let (udp, tcp) = (Transport::Udp, Transport::Tcp);
    [
        pair(1001, "198.51.100.11:5081", "198.51.100.12:5082", udp),
        pair(1003, "198.51.100.13:5081", "198.51.100.14:5082", tcp),
        pair(
            1005,
            "[2001:db8:51::11]:5081",
            "[2001:db8:51::12]:5082",
            udp,
        ),
        pair(
            1007,
            "[2001:db8:51::13]:5081",
            "[2001:db8:51::14]:5082",
            tcp,
        ),
    ]
}

#[test]
fn a_registered_phone_outlives_its_country() {
    if needs_root() {
        return;
    }
    let lab = Lab::new().unwrap();
    let kamailio = Kamailio::start(&lab).unwrap();
    let fence = guard(&lab, &policy("", ""));
    let pairs = pairs();
    // Beside the phones: in the same /24, and in the next /64.
    let strangers = ["198.51.100.77", "2001:db8:51:1::77"].map(address);
    for phone in pairs.iter().flat_map(|(caller, called)| [caller, called]) {
        lab.add_address(&lab.phone, phone.address).unwrap();
        let report = phone.register_for(&lab, EXPIRES, 1, 20).unwrap();
        assert!(report.is_flawless(), "{report:?}\n{}", told(&fence));
        assert!(is_registered(&fence, phone.address, phone.user));
    }
    for stranger in strangers {
        lab.add_address(&lab.phone, stranger).unwrap();
        let local = SocketAddr::new(stranger, 5091).to_string();
        assert!(is_answered(&lab.phone, &local, "REGISTER"), "{stranger}");
    }

    said(&fence, &["country", "deny", "GB"]);
    let stray = passed(&lab, move |from| strangers.contains(&from.ip()));
    for (caller, called) in &pairs {
        for phone in [caller, called] {
            let report = phone.register_for(&lab, EXPIRES, 1, 20).unwrap();
            assert!(report.is_flawless(), "{report:?}\n{}", told(&fence));
        }
        calls(&lab, &fence, caller, called);
    }
    for stranger in strangers {
        for method in ["REGISTER", "INVITE", "OPTIONS", "MESSAGE"] {
            let local = SocketAddr::new(stranger, 5092).to_string();
            assert!(!is_answered(&lab.phone, &local, method), "{stranger}");
        }
    }
    assert_eq!(stray.stop().unwrap(), 0, "strangers get nothing");
    let requests = kamailio.requests().unwrap();
    let met = requests.iter().filter(|it| strangers.contains(&it.src));
    assert_eq!(met.count(), strangers.len(), "those of before");
}

#[test]
fn a_privacy_address_of_a_registered_phone_passes_the_country_fence() {
    if needs_root() {
        return;
    }
    let lab = Lab::new().unwrap();
    let _kamailio = Kamailio::start(&lab).unwrap();
    let fence = guard(&lab, &policy("domains = [\"sip.example.com\"]", ""));
    for address in ["2001:db8:51::11", "2001:db8:51::9999"].map(address) {
        lab.add_address(&lab.phone, address).unwrap();
    }
    registers(&lab, &fence, &phone(1005, "[2001:db8:51::11]:5081"));
    said(&fence, &["country", "deny", "GB"]);
    registers(&lab, &fence, &phone(1005, "[2001:db8:51::9999]:5082"));
    // No more than that: a request that names no domain is a stranger's.
    let near = passed(&lab, |from| from == at("[2001:db8:51::9998]:5083"));
    lab.add_address(&lab.phone, address("2001:db8:51::9998"))
        .unwrap();
    let agent = ringfence_lab::Agent::open(&lab.phone, at("[2001:db8:51::9998]:5083")).unwrap();
    let request = agent.request("REGISTER", "sip:192.0.2.10", "1006", "");
    assert_eq!(agent.ask(&request, crate::ANSWER).unwrap(), None);
    assert_eq!(near.stop().unwrap(), 0);
}

#[test]
fn an_account_that_comes_back_in_a_storm_is_in() {
    if needs_root() {
        return;
    }
    let lab = Lab::new().unwrap();
    let mut kamailio = Kamailio::start(&lab).unwrap();
    let fence = guard(&lab, &policy("", ""));
    let elsewhere = address("203.0.113.30");
    for address in [
        elsewhere,
        address("198.51.100.11"),
        address("198.51.100.12"),
    ] {
        lab.add_address(&lab.phone, address).unwrap();
    }
    let called = phone(1002, "198.51.100.12:5082");
    registers(&lab, &fence, &called);
    registers(&lab, &fence, &phone(1001, "198.51.100.11:5081"));

    // Fifty requests in about a second: each registration is two.
    kamailio.forget().unwrap();
    let moved = phone(1001, "203.0.113.30:5081");
    let storm = moved.register(&lab, 25, 25).unwrap();
    let first = kamailio.requests().unwrap();
    let first = first.iter().position(|it| !it.credentials.is_empty());
    assert!(storm.successful >= 1, "{storm:?}\n{}", told(&fence));
    assert!(first.is_some_and(|n| n < 20), "{first:?}");
    // It may have to ask twice, for it has just asked very often.
    let call = moved.call(&lab, &called, 1, 20).unwrap();
    let made = (call.caller.successful, call.callee.successful);
    assert_eq!(made, (1, 1), "{call:?}\n{}", told(&fence));
    assert!(!banned(&fence, elsewhere), "{}", told(&fence));
    assert!(is_registered(&fence, elsewhere, 1001));
}
