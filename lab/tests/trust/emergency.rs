//! A call for help passes, whoever makes it, and is not ended.

use std::time::Duration;

use ringfence_lab::{Agent, HangsUp, Kamailio, Lab, Outside, needs_root};

use crate::{
    ANSWER, SCANNER, SCANNER_AGENT, acknowledge, at, banned, guard, is_answered, passed, phone,
    policy, registers, said, told, until,
};

const CALLER: &str = "203.0.113.10:5070";

/// Sends what bans a stranger at once.
fn scan(lab: &Lab) {
    let agent = Agent::open(&lab.attacker, at("203.0.113.10:5099")).unwrap();
    let scan = agent.request("OPTIONS", "sip:100@192.0.2.10", "100", SCANNER_AGENT);
    agent.send(&scan).unwrap();
}

#[test]
fn a_banned_source_reaches_help_and_nothing_else() {
    if needs_root() {
        return;
    }
    let lab = Lab::new().unwrap();
    let mut kamailio = Kamailio::start(&lab).unwrap();
    let fence = guard(&lab, &policy("", SCANNER));
    let help = phone(Kamailio::EMERGENCY, "198.51.100.10:5081");
    registers(&lab, &fence, &help);
    let source = at(CALLER).ip();
    scan(&lab);
    until("the scanner is banned", || banned(&fence, source));
    kamailio.forget().unwrap();

    for method in ["REGISTER", "INVITE", "OPTIONS"] {
        assert!(!is_answered(&lab.attacker, CALLER, method), "{method}");
    }
    // 112 stands alone: not as a part of a number, and not with another method.
    let agent = Agent::open(&lab.attacker, at("203.0.113.10:5071")).unwrap();
    let stray = passed(&lab, |from| from == at("203.0.113.10:5071"));
    for (method, user) in [
        ("INVITE", "1120"),
        ("INVITE", "00112"),
        ("OPTIONS", "112"),
        ("REGISTER", "112"),
        ("MESSAGE", "112"),
    ] {
        let uri = format!("sip:{user}@sip.example.com");
        let request = agent.request(method, &uri, "1001", "");
        assert_eq!(agent.ask(&request, ANSWER).unwrap(), None, "{method}");
    }
    assert_eq!(stray.stop().unwrap(), 0);

    let call = Outside {
        place: &lab.attacker,
        local: at(CALLER),
        number: "112",
    };
    let call = call.call(&lab, &help).unwrap();
    assert!(call.is_flawless(), "{call:?}\n{}", told(&fence));
    assert!(banned(&fence, source), "it goes on for all else");
}

#[test]
fn nobody_is_banned_while_he_calls_for_help() {
    if needs_root() {
        return;
    }
    let lab = Lab::new().unwrap();
    let kamailio = Kamailio::start(&lab).unwrap();
    let fence = guard(&lab, &policy("", SCANNER));
    let help = phone(Kamailio::EMERGENCY, "198.51.100.10:5081");
    registers(&lab, &fence, &help);
    let call = Outside {
        place: &lab.attacker,
        local: at(CALLER),
        number: "112",
    };
    let talk = Duration::from_secs(2);
    let up = call.begin_call(&lab, &help, talk, HangsUp::Caller).unwrap();
    until("the call is up", || {
        let requests = kamailio.requests().unwrap();
        requests.iter().any(|it| it.method == "ACK")
    });
    scan(&lab);
    // A second call for help, and what shows that the source is not shut out.
    let agent = Agent::open(&lab.attacker, at("203.0.113.10:5072")).unwrap();
    let second = agent.request("INVITE", "sip:112@192.0.2.10", "1001", "");
    let heard = agent.ask(&second, ANSWER).unwrap();
    agent.send(&acknowledge(&second)).unwrap();
    assert!(heard.is_some(), "{}", told(&fence));
    assert!(!banned(&fence, at(CALLER).ip()), "{}", told(&fence));
    let up = up.report().unwrap();
    assert!(up.caller.is_flawless(), "{up:?}\n{}", told(&fence));
    // The phone that helps heard the second call while it was busy with the first.
    let callee = (up.callee.successful, up.callee.failed);
    assert_eq!(callee, (1, 0), "{up:?}");

    scan(&lab);
    until("it is banned after the call", || {
        banned(&fence, at(CALLER).ip())
    });
}

#[test]
fn help_is_reached_from_a_country_that_is_shut_out() {
    if needs_root() {
        return;
    }
    let lab = Lab::new().unwrap();
    let _kamailio = Kamailio::start(&lab).unwrap();
    let fence = guard(&lab, &policy("", ""));
    let help = phone(Kamailio::EMERGENCY, "198.51.100.10:5081");
    registers(&lab, &fence, &help);
    said(&fence, &["country", "deny", "GB"]);
    assert!(!is_answered(&lab.attacker, CALLER, "INVITE"));
    let call = Outside {
        place: &lab.attacker,
        local: at(CALLER),
        number: "112",
    };
    let call = call.call(&lab, &help).unwrap();
    assert!(call.is_flawless(), "{call:?}\n{}", told(&fence));
}
