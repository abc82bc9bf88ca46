//! Mutated frames of IAX2 (RFC 5456), which come in and which leave.

use std::time::Instant;

use ringfence_core::limit::Limit;
use ringfence_core::packet::Link;
use ringfence_core::reason::Action;

use crate::bench::packet::{SOURCE, UDP, ethernet, ipv4, ipv6, udp};
use crate::bench::{SECOND, World, port};
use crate::{Random, busy, limit, run};

const USERNAME: u8 = 6;
const PASSWORD: u8 = 7;
const MD5_RESULT: u8 = 16;
const RSA_RESULT: u8 = 17;
const REFRESH: u8 = 19;
const CAUSE: u8 = 22;
const CALLTOKEN: u8 = 54;
/// Subclasses of frames that tell no more than their number: PING, PONG, ACK, INVAL, LAGRQ, LAGRP, VNAK, POKE.
const PLAIN: [u8; 8] = [2, 3, 4, 10, 11, 12, 18, 30];
/// The phone's port.
const FROM: u16 = 4570;
/// Bytes of Ethernet, IP and UDP before a frame over IPv4, and over IPv6.
const HEADERS: usize = 42;
const HEADERS6: usize = 62;

fn full(kind: u8, subclass: u8, numbers: [u16; 2], elements: &[(u8, &[u8])]) -> Vec<u8> {
    let mut bytes = (numbers[0] | 0x8000).to_be_bytes().to_vec();
    bytes.extend(numbers[1].to_be_bytes());
    bytes.extend([0, 0, 0, 9, 0, 0, kind, subclass]);
    for (element, value) in elements {
        bytes.extend([*element, value.len() as u8]);
        bytes.extend(*value);
    }
    bytes
}

/// What a phone with call number 5 says to call number 77 of this host.
fn asked() -> Vec<Vec<u8>> {
    let user: (u8, &[u8]) = (USERNAME, b"iax-1");
    let password: [(u8, &[u8]); 3] = [
        (PASSWORD, b"secret"),
        (MD5_RESULT, b"00112233445566778899aabbccddeeff"),
        (RSA_RESULT, &[7; 90]),
    ];
    let mut frames = vec![
        full(6, 1, [5, 0], &[user, (CALLTOKEN, b"")]),
        full(
            6,
            13,
            [5, 0],
            &[user, (REFRESH, b"\x01\x2c"), (CALLTOKEN, b"17?ab")],
        ),
        full(6, 5, [5, 77], &[(CAUSE, b"bye")]),
        full(2, 4, [5, 77], &[(1, &[9; 160])]),
        full(6, 13, [5, 0], &[(0xee, &b""[..]); 64]),
        [&[0, 5, 0, 20][..], &[9; 160]].concat(),
        [&[0, 0, 1, 1, 0, 0, 0, 9, 0, 4, 0, 5, 0, 20][..], &[9; 4]].concat(),
    ];
    for password in password {
        for subclass in [1, 9, 13, 17] {
            let to = if subclass == 9 { 77 } else { 0 };
            frames.push(full(6, subclass, [5, to], &[user, password]));
        }
    }
    frames.extend(PLAIN.map(|subclass| full(6, subclass, [5, 77], &[])));
    frames
}

/// What this host says to the phone.
fn answered() -> Vec<Vec<u8>> {
    let user: (u8, &[u8]) = (USERNAME, b"iax-1");
    let mut frames = vec![
        full(6, 40, [1, 5], &[(CALLTOKEN, b"17?ab")]),
        full(6, 14, [77, 5], &[user, (15, b"123456789")]),
        full(6, 15, [77, 5], &[user, (REFRESH, b"\xff\xff")]),
        full(6, 16, [77, 5], &[(CAUSE, b"Registration Refused")]),
        full(6, 8, [77, 5], &[user, (15, b"123456789")]),
        full(6, 7, [77, 5], &[(9, &[0, 0, 0, 4])]),
        full(6, 6, [77, 5], &[(CAUSE, b"No authority found")]),
        full(2, 4, [77, 5], &[(1, &[9; 160])]),
        full(6, 1, [77, 0], &[user]),
        full(6, 13, [77, 0], &[user]),
        [&[0, 77, 0, 20][..], &[9; 160]].concat(),
    ];
    frames.extend(PLAIN.map(|subclass| full(6, subclass, [77, 5], &[])));
    frames
}

/// The same over IPv4, where the lengths of the headers leave that of the frame open, and over IPv6.
fn comes(frames: &[Vec<u8>]) -> [Vec<Vec<u8>>; 2] {
    let over = |pack: fn(&[u8]) -> Vec<u8>| frames.iter().map(|bytes| pack(bytes)).collect();
    [
        over(|bytes| {
            let mut data = udp(FROM, port::IAX2, bytes);
            data[4..6].fill(0);
            let mut frame = ethernet(&[], &ipv4(SOURCE, UDP, &[], 0, &data));
            frame[16..18].fill(0);
            frame
        }),
        over(|bytes| ethernet(&[], &ipv6(&[], UDP, &udp(FROM, port::IAX2, bytes)))),
    ]
}

fn leaves(frames: &[Vec<u8>]) -> [Vec<Vec<u8>>; 2] {
    let turned = |headers: usize, addresses: usize, length: usize| {
        move |mut frame: Vec<u8>| {
            let (ours, peer) = frame[addresses..addresses + 2 * length].split_at_mut(length);
            ours.swap_with_slice(peer);
            frame[headers - 8..headers - 6].copy_from_slice(&port::IAX2.to_be_bytes());
            frame[headers - 6..headers - 4].copy_from_slice(&FROM.to_be_bytes());
            frame
        }
    };
    let [over4, over6] = comes(frames);
    [
        over4.into_iter().map(turned(HEADERS, 26, 4)).collect(),
        over6.into_iter().map(turned(HEADERS6, 22, 16)).collect(),
    ]
}

fn learning() -> World {
    let mut world = busy();
    let trust = &mut world.policy.trust;
    trust.failures = Limit::new(100_000, SECOND, 100_000);
    trust.users = Limit::new(100_000, SECOND, 100_000);
    trust.requests = Limit::new(100_000, SECOND, 100_000);
    trust.solicited = 600 * SECOND;
    world
}

/// Whatever is sent to this host, nobody is trusted who was not answered.
#[test]
fn what_comes_in_alone_teaches_nothing() {
    let [over4, over6] = comes(&asked());
    for (seeds, headers) in [(over4, HEADERS), (over6, HEADERS6)] {
        let mut world = learning();
        run(&mut world, &seeds, headers);
        assert!(world.place.accounts.is_empty() && world.place.contacts.is_empty());
        for standing in world.place.standings.values() {
            assert_eq!(standing.registered_until, 0);
            assert_eq!(standing.solicited_until, 0);
            assert_eq!((standing.accounts, standing.calls), (0, 0));
        }
    }
}

/// What leaves is never dropped, and what it grants is for no longer than an element can say.
#[test]
fn both_directions() {
    let ([asked4, asked6], [said4, said6]) = (comes(&asked()), leaves(&answered()));
    for (asked, said, headers) in [(asked4, said4, HEADERS), (asked6, said6, HEADERS6)] {
        let mut world = learning();
        let end = Instant::now() + limit();
        let mut random = Random(0x1a2);
        let (mut count, mut accounts) = (0, 0);
        while Instant::now() < end {
            for _ in 0..100 {
                let ours = random.below(2) == 0;
                let seeds = if ours { &said } else { &asked };
                let mut frame = seeds[random.below(seeds.len())].clone();
                if random.below(2) == 0 {
                    random.mutate(&mut frame, headers);
                }
                if ours {
                    assert_eq!(world.leaves(&frame), Action::Pass);
                } else {
                    let verdict = world.verdict(Link::Ethernet, &frame);
                    let end = verdict.payload + verdict.length;
                    assert!(verdict.length == 0 || end <= frame.len() as u32);
                }
                world.place.now += random.next() & 0xff_ffff;
                count += 1;
            }
            let longest = world.place.now + (u64::from(u16::MAX) + 64) * SECOND;
            for standing in world.place.standings.values() {
                assert!(standing.registered_until <= longest);
            }
            accounts = accounts.max(world.place.accounts.len());
            world.place.bans.clear();
            world.place.accounts.clear();
            world.place.contacts.clear();
            world.place.lessons.clear();
        }
        println!("{count} frames, {accounts} accounts at most");
        assert!(accounts > 0, "nobody was ever registered");
    }
}
