//! IAX2: registrations and calls, by call numbers.

use ringfence_core::reason::Reason;
use ringfence_core::trust::account_digest;

use crate::bench::packet::{HOME, UDP, ethernet, ipv4, udp};
use crate::bench::port;
use crate::story::{ABROAD, End, OTHER, PHONE, Story};

const REGREQ: u8 = 13;
const REGACK: u8 = 15;
const REGREJ: u8 = 16;
const NEW: u8 = 1;
const ACCEPT: u8 = 7;
const PING: u8 = 2;
const PONG: u8 = 3;
const POKE: u8 = 30;
const USERNAME: u8 = 6;
const MD5_RESULT: u8 = 16;
const REFRESH: u8 = 19;
const CALLTOKEN: u8 = 54;
const ACK: u8 = 4;
const INVAL: u8 = 10;
const LAGRP: u8 = 12;
const REGAUTH: u8 = 14;
const REGREL: u8 = 17;
const VNAK: u8 = 18;
const CALLTOKEN_FRAME: u8 = 40;

fn frame(source: u16, destination: u16, control: u8, elements: &[(u8, &[u8])]) -> Vec<u8> {
    let mut bytes = (source | 0x8000).to_be_bytes().to_vec();
    bytes.extend(destination.to_be_bytes());
    bytes.extend([0, 0, 0, 9, 0, 0, 6, control]);
    for (element, value) in elements {
        bytes.extend([*element, value.len() as u8]);
        bytes.extend(*value);
    }
    bytes
}

fn hears(story: &mut Story, from: End, payload: &[u8]) -> Reason {
    let data = udp(from.port, port::IAX2, payload);
    let frame = ethernet(&[], &ipv4(from.address, UDP, &[], 0, &data));
    story.world.reason(&frame)
}

fn says(story: &mut Story, to: End, payload: &[u8]) {
    let data = udp(port::IAX2, to.port, payload);
    let mut packet = ipv4(HOME, UDP, &[], 0, &data);
    packet[16..20].copy_from_slice(&to.address);
    story.world.leaves(&ethernet(&[], &packet));
}

fn story() -> Story {
    let mut story = Story::new();
    let sip = *story.world.service(port::SIP);
    let service = story.world.service(port::IAX2);
    service.admissions = sip.admissions;
    service.countries = sip.countries;
    story
}

fn close(story: &mut Story) {
    story.world.service(port::IAX2).countries = [].into_iter().collect();
}

/// The peer tries to register `user`, and is answered.
fn registers(story: &mut Story, peer: End, user: &[u8], answer: u8) -> Reason {
    let request = frame(5, 0, REGREQ, &[(USERNAME, user), (MD5_RESULT, b"00112233")]);
    let reason = hears(story, peer, &request);
    let refresh = 300u16.to_be_bytes();
    says(
        story,
        peer,
        &frame(77, 5, answer, &[(USERNAME, user), (REFRESH, &refresh)]),
    );
    reason
}

#[test]
fn an_accepted_registration_is_learned() {
    let mut story = story();
    let phone = End::of(PHONE).port(4569);
    assert_eq!(
        registers(&mut story, phone, b"iax-1", REGACK),
        Reason::Clean
    );
    assert_eq!(story.registered_for(phone), 364);
    assert!(
        story
            .world
            .place
            .accounts
            .contains_key(&account_digest(b"iax-1"))
    );
    close(&mut story);
    assert_eq!(
        registers(&mut story, phone, b"iax-1", REGACK),
        Reason::Registered
    );
    assert_eq!(
        hears(&mut story, phone, &frame(9, 0, PING, &[])),
        Reason::Registered
    );
    assert_eq!(
        registers(&mut story, End::of(OTHER), b"iax-1", REGACK),
        Reason::Country
    );
    assert_eq!(story.registered_for(End::of(OTHER)), 0);
}

#[test]
fn refused_registrations_end_it() {
    let mut story = story();
    let thief = End::of(PHONE);
    let passed = (0..20)
        .filter(|_| registers(&mut story, thief, b"iax-1", REGREJ) == Reason::Clean)
        .count();
    assert_eq!(passed, 5);
    assert!(story.is_banned(thief.address()));
}

#[test]
fn media_of_a_call_pass_and_end_with_it() {
    let mut story = story();
    story.world.rate(
        port::IAX2,
        ringfence_core::class::Class::InDialogue,
        ringfence_core::limit::Limit::new(5, 10_000_000_000, 5),
    );
    let phone = End::of(PHONE);
    assert_eq!(
        hears(&mut story, phone, &frame(5, 0, NEW, &[(USERNAME, b"x")])),
        Reason::Clean
    );
    says(&mut story, phone, &frame(77, 5, ACCEPT, &[]));
    close(&mut story);
    let mini = [0, 5, 0, 20, 1, 2, 3, 4];
    for _ in 0..1000 {
        assert_eq!(hears(&mut story, phone, &mini), Reason::Dialogue);
    }
    assert_eq!(hears(&mut story, phone.port(1), &mini), Reason::Country);
    story.wait(299);
    says(&mut story, phone, &frame(77, 5, PING, &[]));
    story.wait(299);
    assert_eq!(hears(&mut story, phone, &mini), Reason::Dialogue);
    story.wait(2);
    assert_eq!(hears(&mut story, phone, &mini), Reason::Country);
}

#[test]
fn who_answers_us_may_call_us() {
    let mut story = story();
    let provider = End::of(ABROAD).port(4569);
    let new = frame(5, 0, NEW, &[(USERNAME, b"x")]);
    assert_eq!(hears(&mut story, provider, &new), Reason::Country);
    says(&mut story, provider, &frame(21, 0, POKE, &[]));
    assert_eq!(
        hears(&mut story, provider, &frame(3, 22, PONG, &[])),
        Reason::Country
    );
    assert_eq!(hears(&mut story, provider, &new), Reason::Country);
    assert_eq!(
        hears(&mut story, provider, &frame(3, 21, PONG, &[])),
        Reason::Solicited
    );
    assert_eq!(hears(&mut story, provider, &new), Reason::Solicited);
    assert_eq!(
        registers(&mut story, provider, b"iax-1", REGACK),
        Reason::Country
    );
}

#[test]
fn what_lies_is_no_matter() {
    let mut story = story();
    let phone = End::of(PHONE);
    for length in 0..40 {
        let mut bytes = frame(
            5,
            0,
            REGREQ,
            &[(USERNAME, b"someone"), (MD5_RESULT, b"0123456789")],
        );
        bytes.truncate(length);
        hears(&mut story, phone, &bytes);
        says(&mut story, phone, &bytes);
    }
    let lying = [&frame(5, 0, REGREQ, &[])[..], &[USERNAME, 255, 1]].concat();
    assert_eq!(hears(&mut story, phone, &lying), Reason::Clean);
}

#[test]
fn what_is_part_of_nothing_is_malformed() {
    let mut story = story();
    let stranger = End::of(PHONE);
    let mini = [0, 5, 0, 20, 1, 2, 3, 4];
    let meta = [0, 0, 1, 0, 0, 0, 0, 9];
    assert_eq!(hears(&mut story, stranger, &mini), Reason::Malformed);
    assert_eq!(hears(&mut story, stranger, &meta), Reason::Malformed);
    for control in [PING, PONG, ACK, LAGRP, VNAK, INVAL, ACCEPT, REGACK] {
        let frame = frame(5, 7, control, &[]);
        assert_eq!(hears(&mut story, stranger, &frame), Reason::Malformed);
    }
}

/// Who was refused acknowledges that, and nobody may forge it from elsewhere.
#[test]
fn what_was_asked_for_is_acknowledged() {
    let mut story = story();
    let phone = End::of(PHONE);
    let ack = frame(5, 77, ACK, &[]);
    assert_eq!(
        registers(&mut story, phone, b"iax-1", REGREJ),
        Reason::Clean
    );
    assert_eq!(hears(&mut story, phone, &ack), Reason::Clean);
    assert_eq!(hears(&mut story, phone.port(1), &ack), Reason::Malformed);
}

#[test]
fn frames_of_a_solicited_peer_pass() {
    let mut story = story();
    let provider = End::of(ABROAD).port(4569);
    says(&mut story, provider, &frame(21, 0, POKE, &[]));
    hears(&mut story, provider, &frame(3, 21, PONG, &[]));
    for control in [ACK, LAGRP, VNAK, INVAL] {
        let frame = frame(9, 9, control, &[]);
        assert_eq!(hears(&mut story, provider, &frame), Reason::Solicited);
    }
}

#[test]
fn a_call_that_was_up_before_is_known_by_its_sound() {
    let mut story = story();
    let phone = End::of(PHONE);
    let mini = [0, 5, 0, 20, 1, 2, 3, 4];
    assert_eq!(hears(&mut story, phone, &mini), Reason::Malformed);
    let mut voice = frame(77, 5, 0, &[]);
    voice[10] = 2;
    says(&mut story, phone, &voice);
    assert_eq!(hears(&mut story, phone, &mini), Reason::Dialogue);
}

/// A guess is one whether it asks for a registration or for the end of one.
#[test]
fn passwords_are_not_guessed_by_release() {
    let mut story = story();
    let thief = End::of(PHONE);
    let passed = (0..20)
        .filter(|_| {
            let elements: [(u8, &[u8]); 2] = [(USERNAME, b"iax-1"), (MD5_RESULT, b"00112233")];
            let passed = hears(&mut story, thief, &frame(5, 0, REGREL, &elements)) == Reason::Clean;
            says(&mut story, thief, &frame(77, 5, REGREJ, &elements[..1]));
            passed
        })
        .count();
    assert_eq!(passed, 5);
    assert!(story.is_banned(thief.address()));
}

#[test]
fn a_release_grants_nothing() {
    let mut story = story();
    let phone = End::of(PHONE);
    let release: [(u8, &[u8]); 2] = [(USERNAME, b"iax-1"), (MD5_RESULT, b"00112233")];
    hears(&mut story, phone, &frame(5, 0, REGREL, &release));
    says(&mut story, phone, &frame(77, 5, REGACK, &[]));
    assert_eq!(story.registered_for(phone), 0);
}

/// Challenges are no failures, and whoever sends its token back receives what it is sent.
#[test]
fn a_token_that_comes_back_proves_a_return_path() {
    for (echoed, proved) in [(b"1795?ab", 1), (b"1795?ac", 0)] {
        let (mut story, thief) = (story(), End::of(PHONE));
        let asks: [(u8, &[u8]); 2] = [(USERNAME, b"iax-1"), (CALLTOKEN, b"")];
        let token: [(u8, &[u8]); 1] = [(CALLTOKEN, b"1795?ab")];
        for _ in 0..6 {
            let reason = hears(&mut story, thief, &frame(5, 0, REGREQ, &asks));
            assert_eq!(reason, Reason::Clean);
            says(&mut story, thief, &frame(0, 5, CALLTOKEN_FRAME, &token));
            says(&mut story, thief, &frame(77, 5, REGAUTH, &asks[..1]));
        }
        assert!(!story.is_banned(thief.address()));
        let tries: [(u8, &[u8]); 3] = [
            (USERNAME, b"iax-1"),
            (MD5_RESULT, b"00112233"),
            (CALLTOKEN, echoed),
        ];
        for _ in 0..6 {
            hears(&mut story, thief, &frame(5, 0, REGREQ, &tries));
            says(&mut story, thief, &frame(77, 5, REGREJ, &[]));
        }
        assert_eq!(story.world.place.bans[&thief.address()].proved, proved);
    }
}
