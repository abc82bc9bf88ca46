//! Many behind one address: a proxy in front of phones, and a carrier's NAT with a phone and a
//! guesser behind it.

use std::collections::BTreeSet;
use std::thread;
use std::time::Duration;

use ringfence_lab::attack::Guesser;
use ringfence_lab::{Agent, Kamailio, Lab, Office, Setup, needs_root};

use crate::{
    PBX, SCANNER, SCANNER_AGENT, address, at, banned, calls, guard, passed, phone, policy,
    registers, sent, told,
};

const PROXY: &str = "[[proxy]]\nname = \"edge\"\naddresses = [\"198.51.100.20\"]\n";

#[test]
fn a_proxy_in_front_of_two_hundred_phones_is_never_limited() {
    if needs_root() {
        return;
    }
    let lab = Lab::new().unwrap();
    let setup = Setup {
        users: 1100..=1299,
        ..Setup::default()
    };
    let _kamailio = Kamailio::start_with(&lab, &setup).unwrap();
    let fence = guard(&lab, &policy("", &format!("{PROXY}{SCANNER}")));
    let proxy = address("198.51.100.20");
    lab.add_address(&lab.phone, proxy).unwrap();
    let office = Office {
        users: 1100..=1299,
        address: proxy,
    };
    // Nobody registered before, so that the first comes as a stranger. One of the phones scans.
    let scanner = at("198.51.100.20:5099");
    let phones = move |from: std::net::SocketAddr| from != scanner && from.ip() == proxy;
    let (left, arrived) = (sent(&lab, &lab.phone, phones), passed(&lab, phones));
    let scans = passed(&lab, move |from| from == scanner);
    let agent = Agent::open(&lab.phone, scanner).unwrap();
    for rate in [50, 100] {
        let report = office.register(&lab, 1, rate).unwrap();
        let faults = (report.failed, report.unexpected, report.successful);
        assert_eq!(faults, (0, 0, 200), "{report:?}\n{}", told(&fence));
        for n in 0..40 {
            let uri = format!("sip:{n}@sip.example.com");
            let scan = agent.request("OPTIONS", &uri, "100", SCANNER_AGENT);
            agent.send(&scan).unwrap();
        }
    }
    let left = left.stop().unwrap();
    assert!(left >= 800, "{left}");
    assert_eq!(arrived.stop().unwrap(), left, "{}", told(&fence));
    assert_eq!(scans.stop().unwrap(), 0, "{}", told(&fence));
    assert!(!banned(&fence, proxy), "{}", told(&fence));
}

#[test]
fn a_guesser_behind_the_address_of_a_phone_is_stopped_alone() {
    if needs_root() {
        return;
    }
    let lab = Lab::new().unwrap();
    let kamailio = Kamailio::start(&lab).unwrap();
    let fence = guard(&lab, &policy("", ""));
    let shared = address("198.51.100.30");
    for address in [shared, address("198.51.100.12")] {
        lab.add_address(&lab.phone, address).unwrap();
    }
    let neighbour = phone(1001, "198.51.100.30:5081");
    let called = phone(1002, "198.51.100.12:5082");
    registers(&lab, &fence, &neighbour);
    registers(&lab, &fence, &called);
    let guesser = Guesser {
        place: &lab.phone,
        from: vec![shared],
    };
    let words: Vec<_> = (0..2_000).map(|n| format!("w{n:04}")).collect();
    thread::scope(|scope| {
        let (lab, guesser, words) = (&lab, &guesser, &words);
        let guessing = scope.spawn(move || {
            let crack = guesser.svcrack(lab, PBX, 1005, words).unwrap();
            assert!(crack.answered, "{}", crack.finished.output());
            guesser.svwar(lab, PBX, "1100-1299").unwrap();
        });
        while !guessing.is_finished() {
            registers(lab, &fence, &neighbour);
            calls(lab, &fence, &neighbour, &called);
            // Four requests: it stays within the twenty that a phone has in ten seconds.
            thread::sleep(Duration::from_millis(2500));
        }
        guessing.join().unwrap();
    });
    let requests = kamailio.requests().unwrap();
    let guesser = |port| port != neighbour.port;
    let of = || {
        let of = requests.iter().filter(|it| it.src == shared);
        of.filter(|it| guesser(it.src_port))
    };
    let guesses = of().filter(|it| !it.credentials.is_empty()).count();
    assert!((1..=5).contains(&guesses), "{guesses}\n{}", told(&fence));
    let users: BTreeSet<_> = of().map(|it| it.to.as_str()).collect();
    assert!(
        (1..=8).contains(&users.len()),
        "{users:?}\n{}",
        told(&fence)
    );
    registers(&lab, &fence, &neighbour);
    calls(&lab, &fence, &neighbour, &called);
    calls(&lab, &fence, &called, &neighbour);
}
