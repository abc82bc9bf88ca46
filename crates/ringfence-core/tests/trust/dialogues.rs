//! Calls stay up and, above all, end, whatever changes around them.

use ringfence_core::bench::{Ban, Cause};
use ringfence_core::judge::mark_banned;
use ringfence_core::reason::{Action, Reason};

use crate::bench::SECOND;
use crate::story::{ABROAD, End, Message, OTHER, PHONE, Story};

/// A call that `phone` makes and that is answered; its INVITE.
fn call_from(story: &mut Story, phone: End) -> Message {
    let call = story.call();
    let invite = Message::request("INVITE", "1002", &call);
    assert_eq!(story.hears(phone, &invite).action(), Action::Pass);
    story.says(phone, &invite.answer("180 Ringing", ""));
    story.says(phone, &invite.answer("200 OK", ""));
    invite
}

/// A request of the caller within the call.
fn within(invite: &Message, method: &str) -> Message {
    Message {
        start: format!("{method} sip:pbx@192.0.2.1:5060 SIP/2.0"),
        branch: format!("{}-{method}", invite.branch),
        to: format!("{};tag=ours", invite.to),
        sequence: format!("7 {method}"),
        ..invite.clone()
    }
}

fn ban(story: &mut Story, end: End) {
    let ban = Ban {
        until: story.world.place.now + 600 * SECOND,
        cause: Cause::Manual as u8,
        proved: 0,
        signature: 0,
        renews: 0,
    };
    let subject = end.address().subject();
    story.world.place.bans.insert(subject, ban);
    let key = ringfence_core::hash::Key { words: [7, 9] };
    mark_banned(&mut story.world.place, &key, subject);
}

#[test]
fn a_call_ends_after_its_country_is_gone() {
    let mut story = Story::new();
    let phone = End::of(PHONE);
    let invite = call_from(&mut story, phone);
    story.close_countries();
    for method in ["ACK", "INFO", "INVITE", "BYE"] {
        let reason = story.hears(phone, &within(&invite, method));
        assert_eq!(reason, Reason::Dialogue, "{method}");
    }
    // Also from the network that the phone moved to.
    let elsewhere = End::of(ABROAD);
    assert_eq!(
        story.hears(elsewhere, &within(&invite, "BYE")),
        Reason::Dialogue
    );
    // A dialogue of nobody's opens nothing.
    let mut forged = within(&invite, "BYE");
    forged.to = forged.to.replace("ours", "guess");
    assert_eq!(story.hears(elsewhere, &forged), Reason::Country);
}

#[test]
fn a_call_ends_while_its_source_is_banned() {
    let mut story = Story::new();
    let phone = End::of(PHONE);
    let invite = call_from(&mut story, phone);
    ban(&mut story, phone);
    assert_eq!(
        story.hears(phone, &within(&invite, "INVITE")),
        Reason::Banned
    );
    assert_eq!(
        story.hears(phone, &within(&invite, "BYE")),
        Reason::Dialogue
    );
    story.says(phone, &within(&invite, "BYE").answer("200 OK", ""));
    // What is still on its way passes; then no call is up, and its packets are not even read.
    assert_eq!(
        story.hears(phone, &within(&invite, "BYE")),
        Reason::Dialogue
    );
    story.wait(65);
    assert_eq!(story.hears(phone, &within(&invite, "BYE")), Reason::Banned);
    let none = End::of(OTHER);
    ban(&mut story, none);
    assert_eq!(story.hears(none, &within(&invite, "BYE")), Reason::Banned);
}

#[test]
fn the_called_phone_may_hang_up_whatever_the_domain() {
    let mut story = Story::new();
    story.want_domain();
    let phone = End::of(PHONE);
    let call = story.call();
    let invite = Message::request("INVITE", "1001", &call);
    story.says(phone, &invite);
    story.hears(phone, &invite.answer("180 Ringing", ""));
    story.hears(phone, &invite.answer("200 OK", ""));
    let bye = Message {
        start: "BYE sip:pbx@192.0.2.1:5060 SIP/2.0".into(),
        branch: "z9hG4bKbye".into(),
        from: format!("{};tag=theirs", invite.to),
        to: invite.from.clone(),
        sequence: "1 BYE".into(),
        ..invite
    };
    assert_eq!(story.hears(phone, &bye), Reason::Dialogue);
}

#[test]
fn what_follows_an_admitted_invite_passes() {
    let mut story = Story::new();
    let phone = End::of(PHONE);
    let call = story.call();
    let invite = Message::request("INVITE", "1002", &call);
    story.hears(phone, &invite);
    story.close_countries();
    for method in ["CANCEL", "ACK"] {
        let follows = Message {
            start: invite.start.replace("INVITE", method),
            sequence: format!("1 {method}"),
            ..invite.clone()
        };
        assert_eq!(story.hears(phone, &follows), Reason::Dialogue, "{method}");
        assert_eq!(
            story.hears(End::of(OTHER), &follows),
            Reason::Country,
            "{method}"
        );
    }
}

#[test]
fn tags_in_failures_prove_nothing() {
    let mut story = Story::new();
    let phone = End::of(PHONE);
    let call = story.call();
    let invite = Message::request("INVITE", "1002", &call);
    story.hears(phone, &invite);
    story.says(phone, &invite.answer("486 Busy Here", ""));
    story.close_countries();
    assert_eq!(story.hears(phone, &within(&invite, "BYE")), Reason::Country);
}

#[test]
fn a_claimed_dialogue_begins_none() {
    let mut story = Story::new();
    let stranger = End::of(PHONE);
    let call = story.call();
    let mut claim = Message::request("INVITE", "1002", &call);
    claim.to += ";tag=ours";
    assert_eq!(story.hears(stranger, &claim), Reason::Clean);
    story.says(stranger, &claim.answer("200 OK", ""));
    story.close_countries();
    assert_eq!(
        story.hears(stranger, &within(&claim, "BYE")),
        Reason::Country
    );
}

#[test]
fn emergency_calls_pass_whatever_else_holds() {
    let mut story = Story::new();
    let trust = &mut story.world.policy.trust;
    trust.emergency[0] = ringfence_core::trust::account_digest(b"112");
    trust.emergency_count = 1;
    let phone = End::of(PHONE);
    ban(&mut story, phone);
    story.close_countries();
    for from in [phone, End::of(ABROAD)] {
        let call = story.call();
        let invite = Message::request("INVITE", "112", &call);
        assert_eq!(story.hears(from, &invite), Reason::Emergency);
        let call = story.call();
        let invite = Message::request("INVITE", "1122", &call);
        assert_eq!(story.hears(from, &invite).action(), Action::Drop);
    }
    // Strangers together may not make a flood of it.
    let passed = (0..2000u32)
        .filter(|n| {
            let call = story.call();
            let from = End::of([203, 0, (n >> 8) as u8, *n as u8]);
            story.hears(from, &Message::request("INVITE", "112", &call)) == Reason::Emergency
        })
        .count();
    assert!((40..60).contains(&passed), "{passed}");
}
