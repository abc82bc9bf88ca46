//! Peers that this host asks: providers without an entry of their own.

use ringfence_core::reason::Reason;

use crate::story::{ABROAD, End, Message, PHONE, Story};

/// This host asks `peer`, which answers with `status`.
fn asks(story: &mut Story, peer: End, request: &Message, status: &str) -> Reason {
    story.says(peer, request);
    story.hears(peer, &request.answer(status, ""))
}

/// Whether an INVITE of `peer` passes.
fn invites(story: &mut Story, peer: End) -> Reason {
    let call = story.call();
    let invite = Message::request("INVITE", "1002", &call);
    story.hears(peer, &invite)
}

#[test]
fn who_answers_us_may_call_us_as_long_as_that_goes_on() {
    let mut story = Story::new();
    let provider = End::of(ABROAD);
    assert_eq!(invites(&mut story, provider), Reason::Country);
    for method in ["REGISTER", "OPTIONS"] {
        let call = story.call();
        let request = Message::request(method, "trunk", &call);
        story.says(provider, &request);
        assert_eq!(
            invites(&mut story, provider),
            Reason::Country,
            "not answered yet"
        );
        let answer = request.answer("200 OK", "");
        assert_eq!(story.hears(provider, &answer), Reason::Solicited);
        assert_eq!(invites(&mut story, provider), Reason::Solicited);
        let call = story.call();
        let register = Message::request("REGISTER", "1001", &call);
        assert_eq!(story.hears(provider, &register), Reason::Country);
        story.wait(601);
        assert_eq!(invites(&mut story, provider), Reason::Country);
    }
}

#[test]
fn nothing_that_a_stranger_brought_opens_anything() {
    let mut story = Story::new();
    let (stranger, victim) = (End::of(PHONE), End::of(ABROAD));
    let call = story.call();
    let options = Message::request("OPTIONS", "x", &call);
    assert_eq!(story.hears(stranger, &options), Reason::Clean);
    let mut relayed = options.clone();
    relayed.branch = "z9hG4bKproxy".into();
    asks(&mut story, victim, &relayed, "200 OK");
    assert_eq!(invites(&mut story, victim), Reason::Country);
}

#[test]
fn a_relayed_call_opens_nothing_for_whoever_answers_it() {
    for tag in ["", ";tag=claimed"] {
        let mut story = Story::new();
        let (stranger, target) = (End::of(PHONE), End::of(ABROAD));
        let call = story.call();
        let mut invite = Message::request("INVITE", "x", &call);
        invite.to += tag;
        assert_eq!(story.hears(stranger, &invite), Reason::Clean);
        let mut relayed = invite.clone();
        relayed.branch = "z9hG4bKproxy".into();
        asks(&mut story, target, &relayed, "200 OK");
        assert_eq!(story.standing(target), Default::default(), "{tag}");
        assert_eq!(invites(&mut story, target), Reason::Country, "{tag}");
    }
}

#[test]
fn requests_within_a_call_open_nothing() {
    for (method, tag) in [
        ("BYE", ""),
        ("NOTIFY", ""),
        ("OPTIONS", ";tag=theirs"),
        ("INVITE", ";tag=theirs"),
        ("ACK", ""),
        ("CANCEL", ""),
    ] {
        let mut story = Story::new();
        let peer = End::of(ABROAD);
        let call = story.call();
        let mut request = Message::request(method, "x", &call);
        request.to += tag;
        asks(&mut story, peer, &request, "200 OK");
        assert_eq!(invites(&mut story, peer), Reason::Country, "{method}{tag}");
    }
}

#[test]
fn an_answer_from_elsewhere_opens_nobody() {
    let mut story = Story::new();
    let call = story.call();
    let request = Message::request("OPTIONS", "x", &call);
    story.says(End::of([203, 0, 113, 8]), &request);
    story.hears(End::of(ABROAD), &request.answer("200 OK", ""));
    assert_eq!(invites(&mut story, End::of(ABROAD)), Reason::Country);
}

#[test]
fn a_response_to_nothing_is_dropped_once_we_are_sure() {
    let mut story = Story::new();
    let peer = End::of(PHONE);
    let asked = Message::request("OPTIONS", "x", "asked");
    story.says(peer, &asked);
    let leak = Message::request("INVITE", "x", "leak").answer("407 Proxy Authentication", "");
    assert_eq!(
        story.hears(peer, &leak),
        Reason::Clean,
        "too little is remembered"
    );
    story.wait(301);
    assert_eq!(story.hears(peer, &leak), Reason::Unsolicited);
    let again = Message::request("OPTIONS", "x", "again");
    story.says(peer, &again);
    let answer = again.answer("200 OK", "");
    assert_eq!(story.hears(peer, &answer), Reason::Solicited);
    // From another address of a cluster, too.
    let other = End::of([198, 51, 100, 99]);
    assert_eq!(story.hears(other, &answer), Reason::Solicited);
}
