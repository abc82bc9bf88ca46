//! What comes over UDP in somebody else's name harms neither a provider nor a registered phone.

use ringfence_lab::{Agent, Kamailio, Lab, Setup, needs_root};

use crate::trunk::provider;
use crate::{
    SCANNER, SCANNER_AGENT, address, at, banned, calls, guard, passed, phone, policy, registers,
    told,
};

/// Forged packets of each kind.
const EACH: usize = 40;
const TRUNK: &str = "[[trunk]]\nname = \"provider\"\nhosts = [\"198.19.7.10\"]\n";

/// Sends scans in the name of `local`.
fn forge(lab: &Lab, local: &str) {
    lab.forge_address(&lab.attacker, at(local).ip()).unwrap();
    let agent = Agent::open(&lab.attacker, at(local)).unwrap();
    for n in 0..EACH {
        let uri = format!("sip:{n}@sip.example.com");
        for method in ["OPTIONS", "INVITE", "REGISTER"] {
            let scan = agent.request(method, &uri, "100", SCANNER_AGENT);
            agent.send(&scan).unwrap();
        }
    }
}

/// Sends what is no SIP in the name of `local`.
fn babble(lab: &Lab, local: &str) {
    lab.forge_address(&lab.attacker, at(local).ip()).unwrap();
    let agent = Agent::open(&lab.attacker, at(local)).unwrap();
    for n in 0..EACH {
        let nonsense = format!("INVITE {n} SIP/2.0\r\nVia\r\n\r\n");
        agent.send(&nonsense).unwrap();
    }
}

#[test]
fn forged_packets_of_a_trunk_are_dropped_and_it_calls_on() {
    if needs_root() {
        return;
    }
    let lab = Lab::new().unwrap();
    let place = provider(&lab);
    let setup = Setup {
        provider: "198.19.7.10".parse().ok(),
        ..Setup::default()
    };
    let _kamailio = Kamailio::start_with(&lab, &setup).unwrap();
    let fence = guard(&lab, &policy("", &format!("{TRUNK}{SCANNER}")));
    let called = phone(1001, "198.51.100.10:5081");
    registers(&lab, &fence, &called);
    let outside = ringfence_lab::Outside {
        place: &place,
        local: at("198.19.7.10:5060"),
        number: "1001",
    };
    let forged = "198.19.7.10:5099";
    let stray = passed(&lab, move |from| from == at(forged));
    for _ in 0..2 {
        forge(&lab, forged);
        let call = outside.call(&lab, &called).unwrap();
        assert!(call.is_flawless(), "{call:?}\n{}", told(&fence));
    }
    assert_eq!(stray.stop().unwrap(), 0, "{}", told(&fence));
    assert!(!banned(&fence, address("198.19.7.10")), "{}", told(&fence));
}

#[test]
fn forged_packets_of_a_phone_do_not_ban_it() {
    if needs_root() {
        return;
    }
    let lab = Lab::new().unwrap();
    let _kamailio = Kamailio::start(&lab).unwrap();
    let fence = guard(&lab, &policy("", SCANNER));
    for address in ["198.51.100.11", "198.51.100.12"].map(address) {
        lab.add_address(&lab.phone, address).unwrap();
    }
    let caller = phone(1001, "198.51.100.11:5081");
    let called = phone(1002, "198.51.100.12:5082");
    for _ in 0..2 {
        registers(&lab, &fence, &caller);
        registers(&lab, &fence, &called);
        calls(&lab, &fence, &caller, &called);
        // The forger does not know from which port it speaks.
        forge(&lab, "198.51.100.11:5099");
        babble(&lab, "198.51.100.11:5098");
        assert!(!banned(&fence, caller.address), "{}", told(&fence));
    }
    registers(&lab, &fence, &caller);
    calls(&lab, &fence, &caller, &called);
    calls(&lab, &fence, &called, &caller);
}
