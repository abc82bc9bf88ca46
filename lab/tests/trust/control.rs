//! The control experiment: without the fence the guessers guess, the relay relays and the server
//! does what the tests need it to do. It proves that the tests with the fence can fail.

use std::collections::BTreeSet;
use std::time::Duration;

use ringfence_lab::{
    Agent, Asking, HangsUp, Kamailio, Lab, Manner, Office, Outside, PBX_V4, PBX_V6, Peer, Setup,
    needs_root,
};

use crate::trunk::provider;
use crate::{ANSWER, PBX, address, at, passed, phone, until};

/// Twenty words, the last of which is right.
fn words() -> Vec<String> {
    let words = (0..19).map(|n| format!("w{n:02}"));
    words.chain([Kamailio::password(1001)]).collect()
}

#[test]
fn a_disguised_guesser_finds_the_password_from_twenty_addresses() {
    if needs_root() {
        return;
    }
    let lab = Lab::new().unwrap();
    let kamailio = Kamailio::start(&lab).unwrap();
    for (from, target) in [
        (crate::guessing::net(1, 20), PBX),
        (crate::guessing::net_v6(20), PBX_V6.into()),
    ] {
        let guesser = crate::guessing::guesser(&lab, from.clone());
        let crack = guesser.svcrack(&lab, target, 1001, &words()).unwrap();
        let found = [("1001".to_owned(), "pw-1001".to_owned())];
        assert_eq!(crack.found, found, "{}", crack.finished.output());
        let requests = kamailio.requests().unwrap();
        let guesses = requests.iter().filter(|it| from.contains(&it.src));
        let guesses: Vec<_> = guesses.filter(|it| !it.credentials.is_empty()).collect();
        assert!(guesses.len() >= 20);
        assert!(guesses.iter().all(|it| it.ua.starts_with("Yealink")));
        let sources: BTreeSet<_> = guesses.iter().map(|it| it.src).collect();
        assert!(sources.len() > 5, "{sources:?}");
    }
}

#[test]
fn a_disguised_walker_asks_for_every_extension() {
    if needs_root() {
        return;
    }
    for manner in [Manner::Challenging, Manner::Refusing, Manner::Telling] {
        let lab = Lab::new().unwrap();
        let setup = Setup {
            manner,
            ..Setup::default()
        };
        let kamailio = Kamailio::start_with(&lab, &setup).unwrap();
        let guesser = crate::guessing::guesser(&lab, crate::guessing::net(1, 3));
        let walk = guesser.svwar(&lab, PBX, "1000-1039").unwrap();
        assert!(walk.answered, "{}", walk.finished.output());
        let requests = kamailio.requests().unwrap();
        let users: BTreeSet<_> = requests.iter().map(|it| it.to.as_str()).collect();
        assert!(users.len() >= 40, "{users:?}");
        let found = walk.found.len();
        match manner {
            // Where unknown users are told apart, it learns those who exist.
            Manner::Telling => assert_eq!(found, 20, "{walk:?}"),
            Manner::Challenging | Manner::Refusing => assert_eq!(found, 0, "{walk:?}"),
        }
    }
}

#[test]
fn an_office_registers_and_calls_from_many_ports() {
    if needs_root() {
        return;
    }
    let lab = Lab::new().unwrap();
    let setup = Setup {
        users: 1001..=1199,
        ..Setup::default()
    };
    let kamailio = Kamailio::start_with(&lab, &setup).unwrap();
    let office = Office {
        users: 1100..=1199,
        address: address("198.51.100.10"),
    };
    let registered = office.register(&lab, 1, 50).unwrap();
    assert!(registered.is_flawless(), "{registered:?}");
    assert_eq!(registered.successful, 100);
    let requests = kamailio.requests().unwrap();
    let ports: BTreeSet<_> = requests.iter().map(|it| it.src_port).collect();
    let users: BTreeSet<_> = requests.iter().map(|it| it.to.as_str()).collect();
    assert!(ports.len() >= 90 && users.len() == 100, "{ports:?}");
    let called = phone(1002, "198.51.100.10:5082");
    assert!(called.register(&lab, 1, 20).unwrap().is_flawless());
    let calls = office.call(&lab, &called, 10, 10).unwrap();
    assert!(calls.is_flawless(), "{calls:?}");
    assert_eq!(calls.caller.successful, 10);
}

#[test]
fn an_outside_call_ends_at_either_end() {
    if needs_root() {
        return;
    }
    let lab = Lab::new().unwrap();
    let setup = Setup {
        provider: "203.0.113.10".parse().ok(),
        ..Setup::default()
    };
    let mut kamailio = Kamailio::start_with(&lab, &setup).unwrap();
    for (number, user) in [("1001", 1001), ("112", Kamailio::EMERGENCY)] {
        let called = phone(user, "198.51.100.10:5081");
        assert!(called.register(&lab, 1, 20).unwrap().is_flawless());
        for (hangs_up, from) in [
            (HangsUp::Caller, "203.0.113.10"),
            (HangsUp::Called, "198.51.100.10"),
        ] {
            kamailio.forget().unwrap();
            let outside = Outside {
                place: &lab.attacker,
                local: at("203.0.113.10:5070"),
                number,
            };
            let talk = Duration::from_millis(700);
            let call = outside.begin_call(&lab, &called, talk, hangs_up);
            let call = call.unwrap().report().unwrap();
            assert!(call.is_flawless(), "{call:#?}");
            let requests = kamailio.requests().unwrap();
            let byes = requests.iter().filter(|it| it.method == "BYE");
            assert_eq!(byes.map(|it| it.src).collect::<Vec<_>>(), [address(from)]);
            // Nothing in it names the domain of the place.
            let named = |it: &ringfence_lab::Request| {
                it.to.contains(Kamailio::DOMAIN) || it.ruri.contains(Kamailio::DOMAIN)
            };
            assert!(!requests.iter().any(named), "{requests:?}");
        }
    }
}

#[test]
fn it_asks_its_provider() {
    if needs_root() {
        return;
    }
    for (asking, method) in [(Asking::Register, "REGISTER"), (Asking::Options, "OPTIONS")] {
        let lab = Lab::new().unwrap();
        let place = provider(&lab);
        let peer = Peer::start(&place, at("198.19.7.10:5060")).unwrap();
        let setup = Setup {
            provider: "198.19.7.10".parse().ok(),
            asking,
            ..Setup::default()
        };
        let _kamailio = Kamailio::start_with(&lab, &setup).unwrap();
        let begun = std::time::Instant::now();
        // A registration of four seconds is a challenge and an answer to it, and then again.
        until("it asks again and again", || {
            peer.answered(Some(method)) >= 4
        });
        println!("{method}: four after {:?}", begun.elapsed());
    }
}

#[test]
fn one_contact_too_many_is_403() {
    if needs_root() {
        return;
    }
    let lab = Lab::new().unwrap();
    let setup = Setup {
        contacts: 1,
        ..Setup::default()
    };
    let _kamailio = Kamailio::start_with(&lab, &setup).unwrap();
    let first = phone(1001, "198.51.100.10:5081");
    for _ in 0..2 {
        assert!(first.register(&lab, 1, 20).unwrap().is_flawless());
    }
    let second = phone(1001, "198.51.100.10:5082");
    let refused = second.register(&lab, 2, 2).unwrap();
    assert_eq!(refused.failed, 2, "{refused:?}");
    assert!(refused.finished.output().contains("SIP/2.0 403 "));
}

#[test]
fn it_relays_for_anybody() {
    if needs_root() {
        return;
    }
    let lab = Lab::new().unwrap();
    let _kamailio = Kamailio::start(&lab).unwrap();
    let place = provider(&lab);
    let peer = Peer::start(&place, at("198.19.7.10:5060")).unwrap();
    let stranger = Agent::open(&lab.attacker, at("203.0.113.10:5070")).unwrap();
    for method in crate::relay::METHODS {
        let heard = crate::relay::relayed(&stranger, method, "198.19.7.10");
        assert!(heard.starts_with("SIP/2.0 200 "), "{method}: {heard}");
        assert_eq!(peer.answered(Some(method)), 1, "{method}");
    }
}

#[test]
fn whoever_forges_an_address_is_believed() {
    if needs_root() {
        return;
    }
    let lab = Lab::new().unwrap();
    let kamailio = Kamailio::start(&lab).unwrap();
    let phone = Agent::open(&lab.phone, at("198.51.100.10:5081")).unwrap();
    lab.forge_address(&lab.attacker, address("198.51.100.10"))
        .unwrap();
    let forged = passed(&lab, |from| from == at("198.51.100.10:5081"));
    let forger = Agent::open(&lab.attacker, at("198.51.100.10:5081")).unwrap();
    let request = forger.request("OPTIONS", "sip:sip.example.com", "1001", "");
    forger.send(&request).unwrap();
    let heard = phone.hear(ANSWER).unwrap();
    assert!(heard.is_some_and(|it| it.starts_with("SIP/2.0 200 ")));
    assert_eq!(forged.stop().unwrap(), 1);

    let mut forger = ringfence_lab::Forger::open(&lab.attacker).unwrap();
    let target = std::net::SocketAddrV4::new(PBX_V4, 5060);
    for host in 0..100 {
        let source = format!("11.0.0.{host}:5060").parse().unwrap();
        forger.send(source, target, request.as_bytes()).unwrap();
    }
    until("all forged sources are heard", || {
        let requests = kamailio.requests().unwrap();
        let sources = requests.iter().map(|it| it.src);
        sources.collect::<BTreeSet<_>>().len() == 101
    });
}
