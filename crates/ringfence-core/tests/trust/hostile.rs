//! What lies: bounded work, no panic, and the safe choice, which is no trust.

use proptest::prelude::*;

use crate::story::{End, Message, PHONE, Story, contact};

/// What a 200 with these lines grants to a phone that asked.
fn granted(lines: &str) -> u64 {
    let mut story = Story::new();
    let phone = End::of(PHONE);
    let register = Message::register("1001", "c1", &contact("1001", phone));
    story.hears(phone, &register);
    story.says(phone, &register.answer("200 OK", lines));
    story.registered_for(phone)
}

#[test]
fn a_200_that_lies_grants_nothing() {
    for lines in [
        "",
        "Contact: <sip:1001@10.0.0.9:5062;ob>\r\n",
        "Contact: <sip:1001@10.0.0.9:5062;ob>;expires=4294967296\r\n",
        "Contact: <sip:1001@10.0.0.9:5062;ob>;expires=99999999999999999999\r\n",
        "Contact: <sip:1001@10.0.0.9:5062;ob>;expires=-1\r\n",
        "Contact: <sip:1001@10.0.0.9:5062;ob>;expires=\r\n",
        "Contact: <sip:1001@10.0.0.9:5062;ob>;expires=0\r\n",
        "Contact: *\r\nExpires: 0\r\n",
        "Contact: \"<sip:1001@10.0.0.9:5062;ob>;expires=900\r\n",
        "Contact:\r\nExpires: x\r\n",
    ] {
        assert_eq!(granted(lines), 0, "{lines}");
    }
}

#[test]
fn the_longest_is_a_day() {
    let lines = "Contact: <sip:1001@10.0.0.9:5062;ob>;expires=4294967294\r\n";
    assert_eq!(granted(lines), 24 * 3600 + 64);
}

#[test]
fn hundreds_of_contacts_are_looked_through_as_far_as_they_are_there() {
    let mut lines: String = (0..15)
        .map(|n| format!("Contact: <sip:a@192.0.2.{n}>;expires=600\r\n"))
        .collect();
    lines += "Contact: <sip:1001@10.0.0.9:5062;ob>;expires=77\r\n";
    assert_eq!(granted(&lines), 77 + 64);
    let many: String = (0..300)
        .map(|n| format!("m:<sip:{n}@a>;expires=9\r\n"))
        .collect();
    assert_eq!(granted(&many), 0);
    let list: Vec<_> = (0..60)
        .map(|n| format!("<sip:{n}@a>;expires=8{n}"))
        .collect();
    assert_eq!(
        granted(&format!("Contact: {}\r\n", list.join(","))),
        80 + 64
    );
}

#[test]
fn addresses_in_brackets_and_more_vias_confuse_nobody() {
    let lines =
        "Contact: <sip:1001@[2001:db8::1]:5062>;expires=50\r\nVia: SIP/2.0/UDP x;branch=other\r\n";
    assert_eq!(granted(lines), 50 + 64);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn nothing_that_is_sent_or_heard_panics(
        lines in "[ -~\r\n\"<>;,=]{0,400}", status in "[0-9]{1,4}", method in "[A-Z]{1,9}", cut in 0usize..900,
    ) {
        let mut story = Story::new();
        let phone = End::of(PHONE);
        let request = Message::request(&method, "1001", "c1").more(&lines);
        story.hears(phone, &request);
        let answer = request.answer(&status, &lines);
        story.says(phone, &answer);
        let text = answer.text();
        story.says_bytes(phone, &text[..cut.min(text.len())]);
        story.hears(phone, &answer);
        story.says(phone, &request);
    }
}
