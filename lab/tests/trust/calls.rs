//! A call that is up stays up, and above all ends, whatever changes around it.

use std::time::Duration;

use ringfence_lab::{HangsUp, Kamailio, Lab, Outside, Ringfence, Setup, needs_root};

use crate::{address, at, guard, is_answered, passed, phone, policy, registers, said, told, until};

/// Who calls from outside, an unknown source of an admitted country.
const GUEST: &str = "203.0.113.10:5070";
/// Long enough for commands to be carried out while the call is up.
const TALK: Duration = Duration::from_secs(2);

/// A call from a guest, whom nobody ever registered, to a phone; `meanwhile` happens while it is up.
fn ends(service: &str, hangs_up: HangsUp, meanwhile: impl FnOnce(&Ringfence<'_>)) {
    let lab = Lab::new().unwrap();
    let setup = Setup {
        provider: "203.0.113.10".parse().ok(),
        ..Setup::default()
    };
    let mut kamailio = Kamailio::start_with(&lab, &setup).unwrap();
    let fence = guard(&lab, &policy(service, ""));
    let called = phone(1001, "198.51.100.10:5081");
    registers(&lab, &fence, &called);
    kamailio.forget().unwrap();
    // The domain gate asks the guest for the domain in the first request only.
    let guest = Outside {
        place: &lab.attacker,
        local: at(GUEST),
        number: "1001",
    };
    let call = guest.begin_call(&lab, &called, TALK, hangs_up).unwrap();
    until("the call is up", || {
        let requests = kamailio.requests().unwrap();
        requests.iter().any(|it| it.method == "ACK")
    });
    meanwhile(&fence);
    let requests = kamailio.requests().unwrap();
    assert!(
        !requests.iter().any(|it| it.method == "BYE"),
        "it was up meanwhile: {requests:?}"
    );
    let call = call.report().unwrap();
    assert!(call.is_flawless(), "{call:?}\n{}", told(&fence));
    let requests = kamailio.requests().unwrap();
    let from = match hangs_up {
        HangsUp::Caller => address("203.0.113.10"),
        HangsUp::Called => called.address,
    };
    let byes = requests.iter().filter(|it| it.method == "BYE");
    assert_eq!(byes.map(|it| it.src).collect::<Vec<_>>(), [from]);
}

#[test]
fn the_called_phone_hangs_up_and_names_no_domain() {
    if needs_root() {
        return;
    }
    let service = "domains = [\"sip.example.com\", \"192.0.2.10\"]";
    ends(service, HangsUp::Called, |fence| {
        // From now on it is a stranger, whose requests must name a domain: its BYE names none.
        said(fence, &["trust", "forget", "198.51.100.10"]);
        fence
            .write(
                "ringfence.toml",
                &policy("domains = [\"sip.example.com\"]", ""),
            )
            .unwrap();
        said(fence, &["reload"]);
    });
}

#[test]
fn a_call_ends_whose_country_was_removed() {
    if needs_root() {
        return;
    }
    for hangs_up in [HangsUp::Caller, HangsUp::Called] {
        ends("", hangs_up, |fence| {
            said(fence, &["country", "deny", "GB"]);
        });
    }
}

#[test]
fn a_call_ends_whose_caller_was_banned() {
    if needs_root() {
        return;
    }
    for hangs_up in [HangsUp::Caller, HangsUp::Called] {
        ends("", hangs_up, |fence| {
            said(fence, &["ban", "203.0.113.10"]);
        });
    }
}

#[test]
fn a_call_ends_whose_phone_was_banned() {
    if needs_root() {
        return;
    }
    for hangs_up in [HangsUp::Caller, HangsUp::Called] {
        ends("", hangs_up, |fence| {
            said(fence, &["ban", "198.51.100.10"]);
        });
    }
}

#[test]
fn a_call_of_before_opens_no_door() {
    if needs_root() {
        return;
    }
    let lab = Lab::new().unwrap();
    let setup = Setup {
        provider: "203.0.113.10".parse().ok(),
        ..Setup::default()
    };
    let _kamailio = Kamailio::start_with(&lab, &setup).unwrap();
    let fence = guard(&lab, &policy("", ""));
    let called = phone(1001, "198.51.100.10:5081");
    registers(&lab, &fence, &called);
    let guest = Outside {
        place: &lab.attacker,
        local: at(GUEST),
        number: "1001",
    };
    // The phone hangs up, so that this host sends the guest a BYE, which the guest answers.
    let call = guest.begin_call(&lab, &called, Duration::from_millis(200), HangsUp::Called);
    let call = call.unwrap().report().unwrap();
    assert!(call.is_flawless(), "{call:?}\n{}", told(&fence));
    said(&fence, &["country", "deny", "GB"]);
    let stray = passed(&lab, |from| from == at(GUEST));
    for method in ["OPTIONS", "INVITE", "MESSAGE", "NOTIFY"] {
        assert!(!is_answered(&lab.attacker, GUEST, method), "{method}");
    }
    assert_eq!(stray.stop().unwrap(), 0, "{}", told(&fence));
}
