//! What no change of name evades: many users, prefixes before one number, decoys, sweeps.

use ringfence_core::bench::Cause;
use ringfence_core::reason::{Action, Reason};
use ringfence_core::trust::account_digest;

use crate::story::{CHALLENGE, End, Message, OTHER, PHONE, Story, contact};

/// `from` asks for each user once, and all are answered alike; how many passed.
fn asks(
    story: &mut Story,
    from: End,
    method: &str,
    users: std::ops::Range<u32>,
    status: &str,
) -> usize {
    users
        .filter(|user| {
            let call = story.call();
            let request = Message::request(method, &user.to_string(), &call);
            let passed = story.hears(from, &request).action() == Action::Pass;
            if passed {
                story.says(from, &request.answer(status, CHALLENGE));
            }
            passed
        })
        .count()
}

#[test]
fn many_users_are_an_enumeration_however_they_are_answered() {
    for status in ["401 Unauthorized", "404 Not Found", "403 Forbidden"] {
        for method in ["REGISTER", "INVITE", "OPTIONS"] {
            let mut story = Story::new();
            let scanner = End::of(PHONE);
            let passed = asks(&mut story, scanner, method, 1000..1100, status);
            assert!(passed <= 8, "{passed} of {method} with {status}");
            let ban = story.world.place.bans[&scanner.address()];
            let cause = Cause::from_number(ban.cause).unwrap();
            assert!(
                matches!(cause, Cause::Enumeration | Cause::Failures),
                "{cause:?}"
            );
        }
    }
}

#[test]
fn twenty_addresses_of_a_net_are_one_scanner() {
    let mut story = Story::new();
    let passed: usize = (1..21)
        .map(|n| {
            let from = End::of([198, 51, 100, n]);
            asks(
                &mut story,
                from,
                "REGISTER",
                u32::from(n) * 100..u32::from(n) * 100 + 50,
                "401 X",
            )
        })
        .sum();
    assert_eq!(passed, 8);
}

#[test]
fn one_user_challenged_again_and_again_is_none() {
    let mut story = Story::new();
    let phone = End::of(PHONE);
    for _ in 0..100 {
        assert_eq!(
            asks(
                &mut story,
                phone,
                "REGISTER",
                1001..1002,
                "401 Unauthorized"
            ),
            1
        );
    }
}

#[test]
fn an_office_that_registers_is_none() {
    let mut story = Story::new();
    for n in 0..60 {
        let phone = End::of(PHONE).port(6000 + n);
        let reason = story.registers(phone, &format!("10{n:02}"), 600);
        assert_eq!(reason.action(), Action::Pass, "{n}: {reason:?}");
    }
}

#[test]
fn who_reaches_people_is_none() {
    let mut story = Story::new();
    let caller = End::of(PHONE);
    assert_eq!(
        asks(&mut story, caller, "INVITE", 1000..1060, "486 Busy Here"),
        60
    );
    assert_eq!(
        asks(&mut story, caller, "INVITE", 2000..2060, "180 Ringing"),
        60
    );
}

#[test]
fn prefixes_before_one_number() {
    let mut story = Story::new();
    let caller = End::of(PHONE);
    let prefixes = [
        "", "0", "00", "900", "+", "9", "000", "011", "810", "8", "7", "1",
    ];
    let passed = prefixes
        .iter()
        .filter(|prefix| {
            let call = story.call();
            let invite = Message::request("INVITE", &format!("{prefix}441632960123"), &call);
            let passed = story.hears(caller, &invite).action() == Action::Pass;
            if passed {
                // The server says of each that it rings, so that users alone do not tell.
                story.says(caller, &invite.answer("180 Ringing", ""));
            }
            passed
        })
        .count();
    assert_eq!(passed, 4);
}

#[test]
fn decoys_ban_at_once_but_not_for_options() {
    let mut story = Story::new();
    let trust = &mut story.world.policy.trust;
    trust.tripwires[0] = account_digest(b"admin");
    trust.tripwire_count = 1;
    trust.ranges[0] = [9000, 9099];
    trust.range_count = 1;
    for (method, user, hit) in [
        ("REGISTER", "admin", true),
        ("INVITE", "admin", true),
        ("REGISTER", "9000", true),
        ("INVITE", "9099", true),
        ("OPTIONS", "admin", false),
        ("REGISTER", "9100", false),
        ("REGISTER", "09000", false),
        ("REGISTER", "9000x", false),
        ("INVITE", "administrator", false),
    ] {
        let call = story.call();
        let from = End::of([198, 51, call.as_bytes()[4], call.as_bytes()[5]]);
        let reason = story.hears(from, &Message::request(method, user, &call));
        assert_eq!(
            reason == Reason::Tripwire,
            hit,
            "{method} {user}: {reason:?}"
        );
        assert_eq!(story.is_banned(from.address()), hit, "{method} {user}");
    }
    // By the user name of the credentials, too.
    let call = story.call();
    let register = Message::register("1001", &call, &crate::story::credentials("9050"));
    assert_eq!(story.hears(End::of(OTHER), &register), Reason::Tripwire);
}

#[test]
fn what_one_forged_packet_says_bans_nobody_who_belongs() {
    let mut story = Story::new();
    let trust = &mut story.world.policy.trust;
    trust.tripwires[0] = account_digest(b"admin");
    trust.tripwire_count = 1;
    let phone = End::of(PHONE);
    story.registers(phone, "1001", 600);
    let call = story.call();
    let forged = Message::request("INVITE", "admin", &call);
    assert_eq!(story.hears(phone.port(6666), &forged), Reason::Tripwire);
    assert!(!story.is_banned(phone.address()));
    // What slams from another port of the address is kept out by itself.
    let call = story.call();
    let register = Message::register("1002", &call, &contact("1002", phone));
    assert_eq!(story.hears(phone.port(6666), &register), Reason::Banned);
    assert_eq!(story.registers(phone, "1001", 600), Reason::Registered);
    assert_eq!(story.hears(phone.port(6667), &register), Reason::Clean);
}

/// The budget of strangers as it is by default, and their rates.
fn limited() -> Story {
    use ringfence_core::class::Class;
    use ringfence_core::limit::Limit;
    let second = crate::bench::SECOND;
    let mut story = Story::new();
    let service = story.world.service(5060);
    service.budget = Limit::new(1000, second, 1000);
    service.source_budget = Limit::new(20, second, 20);
    service.rates[Class::Register as usize] = Limit::new(10, 10 * second, 20);
    story.world.place.now += 100 * second;
    story
}

#[test]
fn one_loud_source_leaves_the_others_what_is_theirs() {
    let mut story = limited();
    let loud = End::of(PHONE);
    let mut heard = 0;
    // One source at 50,000 a second, and a thousand at one a second.
    for n in 0..2000u32 {
        for _ in 0..50 {
            story.hears(loud, &Message::register("1001", "same", ""));
            story.world.place.now += 20_000;
        }
        let quiet = End::of([198, 51, (n % 250) as u8, 20 + (n % 1000 / 250) as u8]);
        let call = story.call();
        let register = Message::register(&format!("u{}", n % 1000), &call, "");
        heard += u32::from(story.hears(quiet, &register).action() == Action::Pass);
    }
    assert!(heard >= 1980, "{heard} of 2000");
}

#[test]
fn a_flood_from_everywhere_takes_nothing_from_who_belongs() {
    let mut story = limited();
    let phone = End::of(OTHER);
    story.registers(phone, "1001", 600);
    let mut passed = 0;
    for n in 0..60_000u32 {
        let [_, a, b, c] = n.wrapping_mul(2_654_435_761).to_be_bytes();
        let forged = End {
            address: [198, 51, a, b],
            port: u16::from(c) + 1024,
        };
        let call = story.call();
        let register = Message::register("1001", &call, "");
        passed += u32::from(story.hears(forged, &register).action() == Action::Pass);
        story.world.place.now += 20_000;
        if n % 6000 == 0 {
            assert_eq!(story.registers(phone, "1001", 600), Reason::Registered);
        }
    }
    assert!(passed <= 2300, "{passed} of strangers in 1.2 s");
    assert!(!story.is_banned(phone.address()));
    assert_eq!(story.world.place.standings.len(), 1);
    assert_eq!(story.world.place.accounts.len(), 1);
}
