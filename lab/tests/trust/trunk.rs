//! A provider in a country that is not admitted: whoever this host asks, and who answers, may call
//! for as long as that goes on.

use std::thread;
use std::time::{Duration, Instant};

use ringfence_lab::{Asking, Kamailio, Lab, Netns, Outside, Peer, Setup, Subnets, needs_root};

use crate::{at, guard, is_answered, passed, phone, policy, registers, told, until};

const SOLICITED: Duration = Duration::from_secs(8);
const TRUST: &str = "[trust]\nsolicited = \"8s\"\n";
const PROVIDER: &str = "198.19.7.10";
/// From where the provider calls: its registrar answers on port 5060.
const CALLS_FROM: &str = "198.19.7.10:5070";

pub fn provider(lab: &Lab) -> Netns {
    let subnets = Subnets {
        v4: [198, 19, 7, 0].into(),
        v6: "2001:db8:7::".parse().unwrap(),
    };
    lab.add_place("provider", subnets).unwrap()
}

/// How the asking ends.
enum Ends {
    /// The provider does not answer any more.
    Silence,
    /// This host asks no more.
    Restart,
}

fn solicited(asking: Asking, method: &str, ends: &Ends) {
    let lab = Lab::new().unwrap();
    let place = provider(&lab);
    let setup = Setup {
        provider: PROVIDER.parse().ok(),
        asking,
        ..Setup::default()
    };
    let mut kamailio = Some(Kamailio::start_with(&lab, &setup).unwrap());
    let fence = guard(&lab, &policy("", TRUST));
    let called = phone(1001, "198.51.100.10:5081");
    registers(&lab, &fence, &called);
    let number = "1001";
    let outside = Outside {
        place: &place,
        local: at(CALLS_FROM),
        number,
    };
    let from_provider = |from| from == at(CALLS_FROM);

    // It is asked and does not answer: that is no reason to let it in.
    let early = passed(&lab, from_provider);
    thread::sleep(Duration::from_millis(1500));
    assert!(!is_answered(&place, CALLS_FROM, "INVITE"));
    assert_eq!(early.stop().unwrap(), 0);

    let peer = Peer::start(&place, at("198.19.7.10:5060")).unwrap();
    // A challenge, and a registration; with OPTIONS, two pings.
    until("the provider is asked", || peer.answered(Some(method)) >= 2);
    let begun = Instant::now();
    while begun.elapsed() < SOLICITED + Duration::from_secs(2) {
        let call = outside.call(&lab, &called).unwrap();
        assert!(call.is_flawless(), "{call:?}\n{}", told(&fence));
        thread::sleep(Duration::from_millis(500));
    }
    // What it may do ends where a phone's rights begin.
    assert!(!is_answered(&place, CALLS_FROM, "REGISTER"));

    let answered = match ends {
        Ends::Silence => {
            drop(peer);
            None
        }
        Ends::Restart => {
            drop(kamailio.take());
            let quiet = Setup {
                asking: Asking::Nothing,
                ..setup
            };
            kamailio = Some(Kamailio::start_with(&lab, &quiet).unwrap());
            Some((peer.answered(None), peer))
        }
    };
    // That the provider goes on calling changes nothing, nor that it is answered.
    let begun = Instant::now();
    while begun.elapsed() < SOLICITED + Duration::from_secs(1) {
        is_answered(&place, CALLS_FROM, "INVITE");
    }
    let late = passed(&lab, from_provider);
    for method in ["INVITE", "OPTIONS", "MESSAGE", "NOTIFY"] {
        assert!(!is_answered(&place, CALLS_FROM, method), "{method}");
    }
    assert_eq!(late.stop().unwrap(), 0, "{}", told(&fence));
    if let Some((before, peer)) = answered {
        assert_eq!(peer.answered(None), before, "nobody asked it");
    }
    drop(kamailio);
}

#[test]
fn it_is_in_while_it_is_registered_at() {
    if !needs_root() {
        solicited(Asking::Register, "REGISTER", &Ends::Restart);
    }
}

#[test]
fn it_is_in_while_it_answers_options() {
    if !needs_root() {
        solicited(Asking::Options, "OPTIONS", &Ends::Silence);
    }
}
