//! A stock proxy relays a request with a To tag anywhere, for anybody: nobody gets in by that.

use std::net::SocketAddr;

use ringfence_lab::{Agent, Kamailio, Lab, PBX_V4, Peer, Subnets, needs_root};

use crate::{ANSWER, at, connects, guard, is_answered, passed, policy, trust, until};

/// What a stranger may ask the server to relay.
pub const METHODS: [&str; 7] = [
    "OPTIONS", "INVITE", "NOTIFY", "MESSAGE", "INFO", "UPDATE", "BYE",
];

/// Asks the server to relay a request, as if it were part of a call; what came back.
pub fn relayed(stranger: &Agent, method: &str, to: &str) -> String {
    let more = format!("To: <sip:x@{to}>;tag=2\r\nRoute: <sip:{PBX_V4};lr>\r\n");
    let request = stranger.request(method, &format!("sip:x@{to}:5060"), "1001", &more);
    let heard = stranger.ask_for_final(&request, ANSWER).unwrap();
    heard.unwrap_or_default()
}

#[test]
fn a_relayed_request_of_a_stranger_solicits_nobody() {
    if needs_root() {
        return;
    }
    let lab = Lab::new().unwrap();
    let _kamailio = Kamailio::start(&lab).unwrap();
    let fence = guard(&lab, &policy("", ""));
    let place = lab
        .add_place(
            "elsewhere",
            Subnets {
                v4: [198, 19, 9, 0].into(),
                v6: "2001:db8:9::".parse().unwrap(),
            },
        )
        .unwrap();
    let peer = Peer::start(&place, at("198.19.9.10:5060")).unwrap();
    let stranger = Agent::open(&lab.attacker, at("203.0.113.10:5070")).unwrap();
    for method in METHODS {
        relayed(&stranger, method, "198.19.9.10");
        until("it is relayed", || peer.answered(Some(method)) > 0);
    }
    // It answered each of them, and wants more than that now.
    let ports = [5070, 5071];
    let from_there = move |from: SocketAddr| {
        from.ip() == at("198.19.9.10:0").ip() && ports.contains(&from.port())
    };
    let stray = passed(&lab, from_there);
    for port in ports {
        for method in ["OPTIONS", "INVITE", "MESSAGE", "NOTIFY", "REGISTER"] {
            let local = format!("198.19.9.10:{port}");
            assert!(!is_answered(&place, &local, method), "{method}");
        }
    }
    assert!(
        !connects(&place),
        "{:?}",
        trust(&fence, at("198.19.9.10:0").ip())
    );
    assert_eq!(stray.stop().unwrap(), 0);
    assert_eq!(trust(&fence, at("198.19.9.10:0").ip()), None);
}
