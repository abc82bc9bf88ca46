//! Generated frames in both directions.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use ringfence_core::trust::account_digest;

use super::dice::Dice;
use super::iax2::line::{Line, USERS};
use super::talk::{PEERS, Talk};
use super::{Carrier, LEARNING, host, iax2_host};
use crate::{Both, at, frames, privileged};

/// Conversations that are under way at once: of SIP, and of IAX2.
const CALLS: usize = 40;
const LINES: usize = 20;

/// Most bytes of text that leave at once: test runs of an skb take a page, less what frames it.
const LEAVING: usize = 3600;

/// Bytes changed, or some left out at the end.
fn harm(dice: &mut Dice, frame: &mut Vec<u8>, from: usize) {
    for _ in 0..dice.below(4) {
        let place = from + dice.below(frame.len() - from);
        frame[place] = dice.of(b"\r\n\0 ;,<>\"@:=5a\xff");
    }
    if dice.once_in(3) {
        let length = from + dice.below(frame.len() - from);
        frame.truncate(length.max(from));
    }
}

/// Time between two frames, in ms: mostly little, now and then until something is over.
fn pause(dice: &mut Dice) -> u64 {
    match dice.below(300) {
        0 => dice.below(4_000_000) as u64,
        1..4 => dice.below(400_000) as u64,
        4..20 => dice.below(20_000) as u64,
        _ => dice.below(100) as u64,
    }
}

#[test]
fn generated_conversations_teach_both_the_same() {
    if !privileged() {
        return;
    }
    let number = |name: &str| std::env::var(name).ok().and_then(|n| n.parse::<u64>().ok());
    let clock = SystemTime::now().duration_since(UNIX_EPOCH);
    let seed = number("RINGFENCE_SEED").unwrap_or(clock.map_or(1, |time| time.as_secs()));
    let frames = number("RINGFENCE_CASES").unwrap_or(6000);
    println!("RINGFENCE_SEED={seed}");
    let mut dice = Dice(seed);
    let mut both = Both::new(LEARNING);
    let mut talks: Vec<Talk> = (0..CALLS).map(|n| Talk::new(&mut dice, n)).collect();
    let mut lines: Vec<Line> = (0..LINES).map(|_| Line::new(&mut dice)).collect();
    let iax2 = USERS.map(|user| account_digest(user.as_bytes()));
    let mut iax2_registered = false;
    let mut reasons = BTreeMap::new();
    let mut most = [0; 4];
    for n in 0..frames {
        both.wait(pause(&mut dice));
        if dice.once_in(60) {
            let place = dice.below(CALLS);
            talks[place] = Talk::new(&mut dice, CALLS + n as usize);
        }
        if dice.once_in(60) {
            lines[dice.below(LINES)] = Line::new(&mut dice);
        }
        let (frame, ours) = if dice.once_in(2) {
            iax2_frame(&mut dice, &mut lines)
        } else {
            frame(&mut dice, &mut talks)
        };
        if ours {
            both.leaves(&frame);
        } else {
            let (service, reason) = both.judge(&frame);
            *reasons.entry((service, reason.name())).or_insert(0) += 1;
        }
        if n % 50 == 49 || n + 1 == frames {
            both.tables_are_equal(&format!("after {} frames", n + 1));
        }
        let memory = &both.memory;
        let sizes = [
            memory.standings().len(),
            memory.contacts().len(),
            memory.accounts().len(),
            memory.bans().len(),
        ];
        most = [0, 1, 2, 3].map(|n| most[n].max(sizes[n]));
        let accounts = memory.accounts();
        iax2_registered |= iax2.iter().any(|user| accounts.contains_key(user));
    }
    println!("{reasons:?}; standings, contacts, accounts, bans: {most:?}");
    let learned = most[..3].iter().all(|size| *size != 0);
    assert!(learned, "nothing was learned: {most:?}");
    assert!(iax2_registered, "nobody registered over IAX2");
}

/// The next frame of some conversation of IAX2, and whether it leaves.
fn iax2_frame(dice: &mut Dice, lines: &mut [Line]) -> (Vec<u8>, bool) {
    let line = &mut lines[dice.below(LINES)];
    let mut peer = line.peer;
    if dice.once_in(25) {
        peer = at(dice.of(&PEERS));
    }
    let (bytes, ours) = line.next(dice);
    let us = iax2_host(peer);
    let (from, to) = if ours { (us, peer) } else { (peer, us) };
    let mut frame = frames::udp(from, to, &bytes);
    if dice.once_in(12) {
        harm(dice, &mut frame, if peer.is_ipv4() { 34 } else { 54 });
    }
    (frame, ours)
}

/// The next frame of some conversation of SIP, and whether it leaves.
fn frame(dice: &mut Dice, talks: &mut [Talk]) -> (Vec<u8>, bool) {
    let talk = &mut talks[dice.below(CALLS)];
    let mut peer = talk.peer;
    if dice.once_in(25) {
        // Steered elsewhere, or forged from elsewhere.
        peer = at(dice.of(&PEERS));
    }
    let (first, ours) = talk.next(dice);
    let mut text = first.text();
    if dice.once_in(6) {
        // Others in the same segment or datagram.
        for _ in 0..=dice.below(9) {
            let (other, others) = talk.next(dice);
            if others == ours {
                text.extend(other.text());
            }
        }
    }
    if ours {
        text.truncate(LEAVING);
    }
    let us = host(peer);
    let (from, to) = if ours { (us, peer) } else { (peer, us) };
    let headers = if peer.is_ipv4() { 34 } else { 54 };
    let mut frame = if talk.carrier == Carrier::Tcp && !ours && dice.once_in(5) {
        frames::tcp(from, to, 99, 2, b"")
    } else {
        talk.carrier.frame(from, to, &text)
    };
    if dice.once_in(12) {
        harm(dice, &mut frame, headers);
    }
    (frame, ours)
}
