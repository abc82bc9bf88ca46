//! What is a failure and what is none, and what failures lead to.

use ringfence_core::bench::Cause;
use ringfence_core::reason::{Action, Reason};
use ringfence_core::trust::What;

use crate::bench::packet::SOURCE;
use crate::story::{CHALLENGE, End, Message, OTHER, PHONE, Story, contact, credentials};

/// `from` tries a password for `user`, and is answered; what became of the try.
fn tries(story: &mut Story, from: End, user: &str, status: &str, more: &str) -> Reason {
    let call = story.call();
    let register = Message::register(user, &call, &contact(user, from)).more(&credentials(user));
    let reason = story.hears(from, &register);
    if reason.action() == Action::Pass {
        story.says(from, &register.answer(status, more));
    }
    reason
}

/// How many of `most` tries pass.
fn passed(
    story: &mut Story,
    from: End,
    user: &str,
    status: &str,
    more: &str,
    most: usize,
) -> usize {
    (0..most)
        .filter(|_| tries(story, from, user, status, more).action() == Action::Pass)
        .count()
}

#[test]
fn five_refused_credentials_end_it() {
    for status in ["401 Unauthorized", "407 Proxy", "403 Forbidden"] {
        let mut story = Story::new();
        let thief = End::of(PHONE);
        assert_eq!(
            passed(&mut story, thief, "1001", status, "", 20),
            5,
            "{status}"
        );
        let ban = story.world.place.bans[&thief.address()];
        assert_eq!(ban.cause, Cause::Failures as u8);
        let told = &story.world.place.lessons;
        assert_eq!(told.len(), 5);
        assert_eq!(told[0].what, What::Refused as u8);
        assert_eq!(&told[0].name[0].to_le_bytes()[..5], b"1001\0");
    }
}

#[test]
fn a_refusal_that_is_repeated_counts_once() {
    let mut story = Story::new();
    let phone = End::of(PHONE);
    let call = story.call();
    let register = Message::register("1001", &call, "").more(&credentials("1001"));
    for _ in 0..10 {
        assert_eq!(story.hears(phone, &register), Reason::Clean);
        story.says(phone, &register.answer("401 Unauthorized", CHALLENGE));
        story.says(phone, &register.answer("401 Unauthorized", CHALLENGE));
    }
    assert_eq!(story.world.place.lessons.len(), 1);
    let more = passed(&mut story, phone, "1001", "401 Unauthorized", "", 9);
    assert_eq!(more, 4);
    assert!(story.is_banned(phone.address()));
}

#[test]
fn no_more_are_on_their_way_than_may_fail() {
    let mut story = Story::new();
    let thief = End::of(PHONE);
    let waiting: Vec<_> = (0..20)
        .filter_map(|_| {
            let call = story.call();
            let register = Message::register("1001", &call, "").more(&credentials("1001"));
            (story.hears(thief, &register) == Reason::Clean).then_some(register)
        })
        .collect();
    assert_eq!(waiting.len(), 5);
    assert!(!story.is_banned(thief.address()));
    for register in waiting {
        story.says(thief, &register.answer("401 Unauthorized", CHALLENGE));
    }
    assert_eq!(
        passed(&mut story, thief, "1001", "401 Unauthorized", "", 3),
        0
    );
    assert!(story.is_banned(thief.address()));
}

#[test]
fn twenty_addresses_of_a_net_are_one_guesser() {
    let mut story = Story::new();
    let passed: usize = (1..21)
        .map(|last| {
            let from = End::of([198, 51, 100, last]);
            passed(&mut story, from, "1001", "401 Unauthorized", "", 5)
        })
        .sum();
    assert_eq!(passed, 5);
}

#[test]
fn what_is_no_failure_counts_for_none() {
    let stale = "WWW-Authenticate: Digest realm=\"pbx\", nonce=\"n2\", stale=TRUE\r\n";
    let mut story = Story::new();
    let phone = End::of(PHONE);
    assert_eq!(
        passed(&mut story, phone, "1001", "401 Unauthorized", stale, 30),
        30
    );
    let mut story = Story::new();
    // A challenge without credentials.
    for _ in 0..30 {
        let call = story.call();
        let register = Message::register("1001", &call, &contact("1001", phone));
        assert_eq!(story.hears(phone, &register), Reason::Clean);
        story.says(phone, &register.answer("401 Unauthorized", CHALLENGE));
    }
    // One contact too many, for an account that registered from here.
    story.registers(phone, "1001", 60);
    story.wait(60 + 65);
    assert_eq!(
        passed(&mut story, phone, "1001", "403 Too many", "", 30),
        30
    );
    // A wrong number, and a phone that is off.
    story.registers(phone, "1001", 600);
    for _ in 0..20 {
        let call = story.call();
        let invite = Message::request("INVITE", "1999", &call).more(&credentials("1001"));
        assert_eq!(story.hears(phone, &invite), Reason::Registered);
        story.says(phone, &invite.answer("404 Not Found", ""));
        story.wait(1);
    }
}

#[test]
fn an_accepted_registration_earns_all_back() {
    let mut story = Story::new();
    let phone = End::of(PHONE);
    assert_eq!(
        passed(&mut story, phone, "1001", "401 Unauthorized", "", 4),
        4
    );
    assert_eq!(story.registers(phone, "1001", 60), Reason::Clean);
    story.wait(60 + 65);
    assert_eq!(
        passed(&mut story, phone, "1001", "401 Unauthorized", "", 9),
        5
    );
    assert!(story.is_banned(phone.address()));
}

#[test]
fn the_failing_phone_of_an_office_is_slowed_alone() {
    let mut story = Story::new();
    let office = |port| End::of(PHONE).port(port);
    for n in 0..10 {
        story.registers(office(6000 + n), &format!("10{n:02}"), 600);
    }
    let broken = office(7000);
    assert_eq!(
        passed(&mut story, broken, "1050", "401 Unauthorized", "", 50),
        5
    );
    // From another port it is the same account.
    assert_eq!(
        passed(&mut story, office(7001), "1050", "401 Unauthorized", "", 50),
        0
    );
    assert!(!story.is_banned(broken.address()));
    for n in 0..10 {
        let user = format!("10{n:02}");
        assert_eq!(
            story.registers(office(6000 + n), &user, 600),
            Reason::Registered
        );
    }
    story.wait(125);
    assert_eq!(
        passed(&mut story, broken, "1050", "401 Unauthorized", "", 50),
        1
    );
}

#[test]
fn unanswered_credentials_are_forgiven() {
    let mut story = Story::new();
    let phone = End::of(PHONE);
    for _ in 0..40 {
        let call = story.call();
        let register = Message::register("1001", &call, "").more(&credentials("1001"));
        assert_eq!(story.hears(phone, &register), Reason::Clean);
        story.wait(10);
    }
}

#[test]
fn a_ban_ends_on_time_for_who_merely_retries() {
    let mut story = Story::new();
    story.world.policy.ban_time = 600 * crate::bench::SECOND;
    let phone = End::of(PHONE);
    passed(&mut story, phone, "1001", "401 Unauthorized", "", 9);
    assert!(story.is_banned(phone.address()));
    for _ in 0..60 {
        assert_ne!(story.registers(phone, "1001", 60).action(), Action::Pass);
        story.wait(10);
    }
    assert!(!story.is_banned(phone.address()));
    assert_eq!(story.registers(phone, "1001", 60), Reason::Clean);
}

#[test]
fn a_ban_is_renewed_for_who_slams_on() {
    let mut story = Story::new();
    story.world.policy.ban_time = 600 * crate::bench::SECOND;
    let thief = End::of(OTHER);
    passed(&mut story, thief, "1001", "401 Unauthorized", "", 9);
    for _ in 0..700 {
        for _ in 0..5 {
            let call = story.call();
            story.hears(thief, &Message::register("1001", &call, ""));
        }
        story.wait(1);
    }
    assert!(story.is_banned(thief.address()));
    assert_ne!(thief.address, SOURCE);
}
