//! What a 200 to a REGISTER grants, to whom, and for how long.

use ringfence_core::reason::Reason;

use crate::story::{ABROAD, End, Message, OTHER, PHONE, Story, contact, credentials};

#[test]
fn a_registered_phone_outlives_its_country() {
    let mut story = Story::new();
    let phone = End::of(PHONE);
    assert_eq!(story.registers(phone, "1001", 300), Reason::Clean);
    assert_eq!(story.registered_for(phone), 364);
    story.close_countries();
    assert_eq!(story.registers(phone, "1001", 300), Reason::Registered);
    let call = story.call();
    let invite = Message::request("INVITE", "1002", &call);
    assert_eq!(story.hears(phone, &invite), Reason::Registered);
    let call = story.call();
    let stranger = Message::request("INVITE", "1002", &call);
    assert_eq!(story.hears(End::of(OTHER), &stranger), Reason::Country);
}

#[test]
fn trust_ends_with_the_time_granted_and_a_day_later_with_all_else() {
    let mut story = Story::new();
    let phone = End::of(PHONE);
    story.registers(phone, "1001", 60);
    story.close_countries();
    story.want_domain();
    story.wait(60 + 64 - 1);
    let call = story.call();
    let options = Message::request("OPTIONS", "1002", &call);
    assert_eq!(story.hears(phone, &options), Reason::Registered);
    story.wait(2);
    let call = story.call();
    let options = Message::request("OPTIONS", "1002", &call);
    assert_eq!(story.hears(phone, &options), Reason::Country);
    assert_eq!(story.registers(phone, "1001", 60), Reason::Clean);
    story.wait(60 + 64 + 24 * 3600 + 1);
    assert_eq!(story.registers(phone, "1001", 60), Reason::Country);
}

#[test]
fn another_port_of_a_registered_phone_is_the_same_phone() {
    let mut story = Story::new();
    let phone = End::of(PHONE);
    story.registers(phone, "1001", 300);
    story.close_countries();
    let call = story.call();
    let invite = Message::request("INVITE", "1002", &call);
    let mut own = invite.clone();
    own.from = "<sip:1001@pbx.example.org>;tag=x".into();
    assert_eq!(story.hears(phone.port(40_001), &own), Reason::Registered);
    // Others behind the address pass the country fence, and no more.
    story.want_domain();
    let call = story.call();
    let other = Message::request("INVITE", "1002", &call);
    assert_eq!(story.hears(phone.port(40_002), &other), Reason::Domain);
}

#[test]
fn a_forged_register_makes_nothing_trusted_and_removes_nothing() {
    let mut story = Story::new();
    let phone = End::of(PHONE);
    story.registers(phone, "1001", 300);
    let before = story.registered_for(phone);
    let call = story.call();
    let forged = Message::register("1001", &call, "Contact: *\r\nExpires: 0\r\n");
    story.hears(phone.port(6000), &forged);
    story.says(phone.port(6000), &forged.answer("401 Unauthorized", ""));
    assert_eq!(story.registered_for(phone), before);
    let victim = End::of(OTHER);
    let call = story.call();
    let forged = Message::register("1001", &call, &contact("1001", victim));
    story.hears(victim, &forged);
    story.says(victim, &forged.answer("401 Unauthorized", ""));
    assert_eq!(story.registered_for(victim), 0);
}

#[test]
fn the_time_is_that_of_the_own_contact() {
    let mut story = Story::new();
    let phone = End::of(PHONE);
    let call = story.call();
    let register = Message::register("1001", &call, &contact("1001", phone));
    story.hears(phone, &register);
    let list = "Contact: <sip:1001@192.168.7.7:5060>;expires=7200, \"Q, <x>\" <sip:1001@10.0.0.9:5062;ob>;q=1;\
                +sip.instance=\"<urn:uuid:1,2>\";expires=90\r\nm: <sip:1001@192.168.7.9>;expires=9000\r\n";
    story.says(phone, &register.answer("200 OK", list));
    assert_eq!(story.registered_for(phone), 90 + 64);
}

#[test]
fn without_the_own_contact_the_senders_host_and_port_or_the_least_count() {
    let mut story = Story::new();
    let phone = End::of(PHONE);
    let lists = [
        (
            "Contact: <sip:1001@192.168.7.7>;expires=7200,<sip:1001@198.51.100.10:5062>;expires=80,\
             <sip:1001@1.2.3.4>;expires=70\r\n",
            80,
        ),
        (
            "Contact: <sip:1001@192.168.7.7>;expires=7200\r\nContact: sip:1001@1.2.3.4;expires=70\r\n",
            70,
        ),
        ("Contact: <sip:1001@192.168.7.7>\r\nExpires: 75\r\n", 75),
    ];
    for (list, granted) in lists {
        story.wait(100_000);
        let call = story.call();
        let register = Message::register("1001", &call, &contact("1001", phone));
        story.hears(phone, &register);
        story.says(phone, &register.answer("200 OK", list));
        assert_eq!(story.registered_for(phone), granted + 64, "{list}");
    }
}

#[test]
fn a_register_that_asks_for_none_is_granted_none() {
    let mut story = Story::new();
    let phone = End::of(PHONE);
    let lists = "Contact: <sip:1001@192.168.7.7>;expires=7200\r\n";
    for more in [
        "",
        "Contact: *\r\nExpires: 0\r\n",
        "Contact: <sip:1001@10.0.0.9:5062>;expires=0\r\n",
        "Contact: <sip:1001@10.0.0.9:5062>\r\nExpires: 0\r\n",
    ] {
        let call = story.call();
        let register = Message::register("1001", &call, more).more(&credentials("1001"));
        assert_eq!(story.hears(phone, &register), Reason::Clean, "{more}");
        story.says(phone, &register.answer("200 OK", lists));
        assert_eq!(story.registered_for(phone), 0, "{more}");
    }
}

#[test]
fn who_sent_too_much_is_heard_as_soon_as_it_slows_down() {
    let mut story = Story::new();
    let phone = End::of(PHONE);
    story.registers(phone, "1001", 600);
    let passed = (0..200)
        .filter(|_| {
            let call = story.call();
            let invite = Message::request("INVITE", "1002", &call);
            story.hears(phone, &invite) == Reason::Registered
        })
        .count();
    assert!((15..=20).contains(&passed), "{passed}");
    story.wait(1);
    let call = story.call();
    let invite = Message::request("INVITE", "1002", &call);
    assert_eq!(story.hears(phone, &invite), Reason::Registered);
}

#[test]
fn an_answer_that_is_steered_elsewhere_teaches_nothing() {
    let mut story = Story::new();
    let (attacker, victim) = (End::of(PHONE), End::of(ABROAD));
    let call = story.call();
    let register = Message::register("1001", &call, &contact("1001", attacker));
    story.hears(attacker, &register);
    let granted = "Contact: <sip:1001@10.0.0.9:5062;ob>;expires=600\r\n";
    story.says(victim, &register.answer("200 OK", granted));
    assert_eq!(story.registered_for(victim), 0);
    assert_eq!(story.registered_for(attacker), 0);
    // Nor does one that answers nothing.
    let unasked = Message::register("1001", "never", "");
    story.says(victim, &unasked.answer("200 OK", granted));
    assert_eq!(story.registered_for(victim), 0);
}

#[test]
fn an_account_that_moved_has_credit_until_it_registers() {
    let mut story = Story::new();
    story.world.rate(
        5060,
        ringfence_core::class::Class::Register,
        ringfence_core::limit::Limit::new(10, 10_000_000_000, 10),
    );
    story.registers(End::of(PHONE), "1001", 60);
    story.wait(3 * 3600);
    assert!(story.knows_account("1001"));
    let passed = |story: &mut Story, user: &str, at: [u8; 4]| {
        (0..50)
            .filter(|_| {
                let call = story.call();
                let register = Message::register(user, &call, &contact(user, End::of(at)));
                story.hears(End::of(at), &register).action() == ringfence_core::reason::Action::Pass
            })
            .count()
    };
    assert_eq!(passed(&mut story, "1001", OTHER), 40);
    assert_eq!(passed(&mut story, "2002", [198, 51, 101, 9]), 10);
    story.wait(60);
    assert_eq!(story.registers(End::of(OTHER), "1001", 60), Reason::Clean);
    assert_eq!(
        story.registers(End::of(OTHER), "1001", 60),
        Reason::Registered
    );
}

#[test]
fn a_via_steers_nothing() {
    let mut story = Story::new();
    let (attacker, victim) = (End::of(PHONE), End::of(ABROAD));
    let call = story.call();
    let mut register = Message::register("1001", &call, &contact("1001", attacker));
    register.branch += ";maddr=203.0.113.7";
    story.hears(attacker, &register);
    // The server sends its answer to where `maddr` says (RFC 3261, section 18.2.2).
    let granted = "Contact: <sip:1001@10.0.0.9:5062;ob>;expires=600\r\n";
    story.says(victim, &register.answer("200 OK", granted));
    assert_eq!(story.standing(victim), Default::default());
    assert_eq!(story.standing(attacker), Default::default());
}

#[test]
fn a_banned_address_keeps_no_registered_flow_out() {
    let mut story = Story::new();
    let phone = End::of(PHONE);
    story.registers(phone, "1001", 600);
    let ban = ringfence_core::bench::Ban {
        until: story.world.place.now + 600_000_000_000,
        cause: ringfence_core::bench::Cause::Rate as u8,
        proved: 1,
        signature: 0,
        renews: 0,
    };
    let subject = phone.address().subject();
    story.world.place.bans.insert(subject, ban);
    let key = ringfence_core::hash::Key { words: [7, 9] };
    ringfence_core::judge::mark_banned(&mut story.world.place, &key, subject);
    assert_eq!(story.registers(phone, "1001", 600), Reason::Registered);
    // An accepted registration lifts it.
    assert!(!story.is_banned(phone.address()));
    story.world.place.bans.insert(subject, ban);
    let call = story.call();
    let other = Message::request("INVITE", "1002", &call);
    let mut stranger = other.clone();
    stranger.from = "<sip:9999@pbx.example.org>;tag=x".into();
    assert_eq!(story.hears(phone.port(7), &stranger), Reason::Banned);
}

#[test]
fn an_invite_from_beside_a_trunk_is_a_strangers() {
    use ringfence_core::bench::list_flags;
    let mut story = Story::new();
    let (trunk, sibling) = (End::of(ABROAD), End::of([203, 0, 113, 8]));
    story.world.list(trunk.address(), list_flags::TRUNK);
    let call = story.call();
    let invite = Message::request("INVITE", "1002", &call);
    assert_eq!(story.hears(trunk, &invite), Reason::Trunk);
    assert_eq!(story.hears(sibling, &invite), Reason::Country);
}
