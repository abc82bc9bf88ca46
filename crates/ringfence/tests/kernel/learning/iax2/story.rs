//! A server with phones of IAX2, told by hand.

use std::net::SocketAddr;

use ringfence_core::bench::Cause;
use ringfence_core::reason::{Action, Reason};

use super::super::LEARNING;
use super::frame::element::{CALLTOKEN as TOKEN, MD5_RESULT, REFRESH, USERNAME};
use super::frame::subclass::{
    ACCEPT, ACK, AUTHREP, AUTHREQ, CALLTOKEN, HANGUP, NEW, POKE, PONG, REGACK, REGAUTH, REGREJ,
    REGREQ,
};
use super::frame::{Frame, meta, mini};
use crate::{Both, at, privileged};

const PHONES: [&str; 2] = ["8.8.8.8:4569", "[2600::1:2]:4570"];
const THIEVES: [&str; 2] = ["8.8.4.4:4571", "[2600:1::3]:4571"];
/// Of countries that are not admitted.
const PEERS: [&str; 2] = ["77.88.8.8:4569", "[2a02:6b8::1]:4569"];

const USER: &[u8] = b"iax-1";

fn address(end: SocketAddr) -> ringfence_core::address::Address {
    ringfence::tables::address(end.ip()).subject()
}

/// A request with credentials of `USER`.
fn credentials(subclass: u8, number: u16, to: u16) -> Frame {
    Frame::control(subclass, number, to)
        .with(USERNAME, USER)
        .with(MD5_RESULT, b"00112233445566778899aabbccddeeff")
}

/// A phone registers with a challenge and a token.
fn registers(both: &mut Both, phone: SocketAddr) {
    let first = Frame::control(REGREQ, 5, 0).with(USERNAME, USER);
    both.hears_iax2(phone, &first.clone().with(TOKEN, b"").bytes());
    both.says_iax2(
        phone,
        &Frame::control(CALLTOKEN, 1, 5)
            .with(TOKEN, b"17?ab")
            .bytes(),
    );
    both.hears_iax2(phone, &first.with(TOKEN, b"17?ab").bytes());
    both.says_iax2(
        phone,
        &Frame::control(REGAUTH, 77, 5).with(USERNAME, USER).bytes(),
    );
    both.tables_are_equal("after a challenge");
    both.wait(40);
    let reason = both.hears_iax2(phone, &credentials(REGREQ, 5, 77).bytes());
    assert_eq!(reason.action(), Action::Pass);
    let granted = Frame::control(REGACK, 77, 5)
        .with(USERNAME, USER)
        .with(REFRESH, &[1, 44]);
    both.says_iax2(phone, &granted.bytes());
    both.tables_are_equal("after a registration");
    both.hears_iax2(phone, &Frame::control(ACK, 5, 77).bytes());
    let standing = both.memory.standings()[&address(phone)];
    assert!(standing.registered(both.now));
    assert_eq!(standing.granted, 300);
}

/// A phone calls with credentials, is heard, and hangs up.
fn calls(both: &mut Both, phone: SocketAddr) {
    let asked = both.hears_iax2(
        phone,
        &Frame::control(NEW, 6, 0).with(USERNAME, USER).bytes(),
    );
    assert_eq!(asked, Reason::Registered);
    both.says_iax2(phone, &Frame::control(AUTHREQ, 78, 6).bytes());
    both.hears_iax2(phone, &credentials(AUTHREP, 6, 78).bytes());
    both.says_iax2(phone, &Frame::control(ACCEPT, 78, 6).bytes());
    both.tables_are_equal("after a call was taken");
    for sound in [Frame::voice(6, 78).bytes(), mini(6), meta(6)] {
        both.wait(20);
        assert_eq!(both.hears_iax2(phone, &sound), Reason::Dialogue);
    }
    both.hears_iax2(phone, &Frame::control(HANGUP, 6, 78).bytes());
    both.says_iax2(phone, &Frame::control(ACK, 78, 6).bytes());
    both.tables_are_equal("after a call");
}

/// A guesser is refused until it is banned.
fn refused(both: &mut Both, thief: SocketAddr) {
    let mut passed = 0;
    for n in 0..12 {
        let guess = credentials(REGREQ, 10 + n, 0).bytes();
        if both.hears_iax2(thief, &guess).action() == Action::Pass {
            passed += 1;
            both.says_iax2(thief, &Frame::control(REGREJ, 77, 10 + n).bytes());
        }
        both.tables_are_equal("after a refusal");
        both.wait(300);
    }
    assert_eq!(passed, 5);
    assert_eq!(
        both.memory.bans()[&address(thief)].cause,
        Cause::Failures as u8
    );
}

/// A peer from abroad answers us; then it may call.
fn asked(both: &mut Both, peer: SocketAddr) {
    let new = Frame::control(NEW, 3, 0).with(USERNAME, USER).bytes();
    assert_eq!(both.hears_iax2(peer, &new), Reason::Country);
    both.says_iax2(peer, &Frame::control(POKE, 21, 0).bytes());
    both.wait(60);
    assert_eq!(
        both.hears_iax2(peer, &Frame::control(PONG, 3, 21).bytes()),
        Reason::Solicited
    );
    both.tables_are_equal("after an answer");
    assert_eq!(both.hears_iax2(peer, &new), Reason::Solicited);
}

#[test]
fn a_day_of_an_iax2_server() {
    if !privileged() {
        return;
    }
    let mut both = Both::new(LEARNING);
    for n in 0..2 {
        registers(&mut both, at(PHONES[n]));
        calls(&mut both, at(PHONES[n]));
        refused(&mut both, at(THIEVES[n]));
        asked(&mut both, at(PEERS[n]));
    }
    assert_eq!(both.hears_iax2(at(THIEVES[0]), &mini(5)), Reason::Banned);
    both.wait(4_000_000);
    let late = both.hears_iax2(at(PHONES[0]), &mini(6));
    assert_eq!(late, Reason::Malformed);
    both.tables_are_equal("at the end");
}
