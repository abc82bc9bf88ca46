//! Generated conversations of IAX2: what is asked, how it is answered, and what sounds.

use std::net::SocketAddr;

use super::super::dice::Dice;
use super::super::talk::PEERS;
use super::frame::element::{
    AUTHMETHODS, CALLTOKEN as TOKEN, CAUSE, CHALLENGE, FORMAT, MD5_RESULT, PASSWORD, REFRESH,
    RSA_RESULT, USERNAME,
};
use super::frame::subclass::{
    ACCEPT, ACK, AUTHREP, AUTHREQ, CALLTOKEN, HANGUP, INVAL, LAGRP, LAGRQ, NEW, PING, POKE, PONG,
    REGACK, REGAUTH, REGREJ, REGREL, REGREQ, REJECT, VNAK,
};
use super::frame::{Frame, meta, mini};
use crate::at;

/// Users of IAX2 alone.
pub const USERS: [&str; 4] = [
    "iax-1",
    "iax-2",
    "iax-3",
    "a-user-with-a-name-of-forty-characters--",
];
/// One of SIP as well, and some that nobody has.
const OTHERS: [&str; 5] = ["1001", "9050", "admin", "nobody", ""];
const TOKENS: [&[u8]; 3] = [b"1795?ab", b"1796?cd", b"x"];

/// What a conversation is about: what is asked, and how that is answered.
type About = (&'static [u8], &'static [u8]);
const ABOUT: [About; 6] = [
    (&[REGREQ], &[REGAUTH, REGACK, REGACK, CALLTOKEN]),
    (
        &[REGREQ, REGREQ, REGREL, REGREL],
        &[REGREJ, REGACK, REGAUTH],
    ),
    (&[REGREQ, REGREL, AUTHREP], &[REGREJ, REGREJ, CALLTOKEN]),
    (
        &[NEW, NEW, AUTHREP, ACK, LAGRQ, PING, HANGUP],
        &[AUTHREQ, ACCEPT, ACCEPT, CALLTOKEN, ACK, LAGRP, PONG],
    ),
    (&[NEW, AUTHREP, AUTHREP], &[REJECT, HANGUP, AUTHREQ, INVAL]),
    (&[POKE, POKE, PING, NEW], &[PONG, PONG, REJECT, VNAK]),
];
const ALL: [u8; 20] = [
    NEW, PING, PONG, ACK, HANGUP, REJECT, ACCEPT, AUTHREQ, AUTHREP, INVAL, LAGRQ, LAGRP, REGREQ,
    REGAUTH, REGACK, REGREJ, REGREL, VNAK, POKE, CALLTOKEN,
];

/// What two ends say over one pair of ports.
pub struct Line {
    pub peer: SocketAddr,
    user: &'static str,
    about: About,
    /// Call numbers: of the peer, of this host.
    theirs: u16,
    ours: u16,
    token: &'static [u8],
    /// What was asked last, and whether by this host.
    asked: Option<bool>,
}

impl Line {
    pub fn new(dice: &mut Dice) -> Self {
        Self {
            peer: at(dice.of(&PEERS)),
            user: dice.of(&USERS),
            about: dice.of(&ABOUT),
            theirs: number(dice),
            ours: number(dice),
            token: dice.of(&TOKENS),
            asked: None,
        }
    }

    /// The next frame, and whether this host sends it.
    pub fn next(&mut self, dice: &mut Dice) -> (Vec<u8>, bool) {
        let (mut bytes, ours) = match (dice.below(12), self.asked) {
            (0 | 1, _) => self.sound(dice),
            (2, _) => self.noise(dice),
            (3..9, Some(ours)) => (self.answer(dice, !ours).bytes(), !ours),
            _ => {
                let ours = dice.once_in(if self.about.0.contains(&REGREQ) {
                    10
                } else {
                    3
                });
                self.asked = Some(ours);
                if dice.once_in(6) {
                    self.theirs = number(dice);
                }
                (self.request(dice, ours).bytes(), ours)
            }
        };
        if dice.once_in(12) {
            let length = dice.below(bytes.len().min(48) + 1);
            bytes.truncate(length);
        }
        (bytes, ours)
    }

    /// Call numbers of who sends and of who receives.
    fn numbers(&self, ours: bool) -> (u16, u16) {
        if ours {
            (self.ours, self.theirs)
        } else {
            (self.theirs, self.ours)
        }
    }

    fn sound(&self, dice: &mut Dice) -> (Vec<u8>, bool) {
        let ours = dice.once_in(3);
        let (from, to) = self.numbers(ours);
        let bytes = match dice.below(5) {
            0 => Frame::voice(from, to).bytes(),
            1 => meta(from),
            _ => mini(from),
        };
        (bytes, ours)
    }

    /// A frame that belongs to nothing.
    fn noise(&self, dice: &mut Dice) -> (Vec<u8>, bool) {
        let ours = dice.once_in(2);
        let subclass = if dice.once_in(4) {
            dice.below(256) as u8
        } else {
            dice.of(&ALL)
        };
        let frame = Frame::control(subclass, number(dice), number(dice));
        (
            garbled(self.elements(dice, subclass, frame), dice).bytes(),
            ours,
        )
    }

    fn request(&self, dice: &mut Dice, ours: bool) -> Frame {
        let (from, to) = self.numbers(ours);
        let subclass = dice.of(self.about.0);
        let opens = matches!(subclass, NEW | REGREQ | REGREL | POKE);
        let to = if opens && !dice.once_in(12) { 0 } else { to };
        let frame = Frame::control(subclass, from, to);
        garbled(self.elements(dice, subclass, frame), dice)
    }

    fn answer(&self, dice: &mut Dice, ours: bool) -> Frame {
        let (from, to) = self.numbers(ours);
        let subclass = dice.of(self.about.1);
        let frame = Frame::control(subclass, from, to);
        garbled(self.elements(dice, subclass, frame), dice)
    }

    /// The elements that a frame of this kind has, more or less.
    fn elements(&self, dice: &mut Dice, subclass: u8, frame: Frame) -> Frame {
        let user = if dice.once_in(25) {
            dice.of(&OTHERS)
        } else {
            self.user
        };
        let frame = match subclass {
            NEW | REGREQ | REGREL | AUTHREP | REGACK | REGAUTH | AUTHREQ => {
                frame.with(USERNAME, user.as_bytes())
            }
            _ => frame,
        };
        let refresh = dice.of(&[
            &b"\x00\x3c"[..],
            b"\x01\x2c",
            b"\x00\x00",
            b"\xff\xff",
            b"\x3c",
            b"\0\0\x3c",
        ]);
        match subclass {
            NEW | REGREQ | REGREL | AUTHREP => {
                let frame = match dice.below(4) {
                    0 => frame,
                    1 => frame.with(PASSWORD, b"secret"),
                    2 => frame.with(MD5_RESULT, b"00112233445566778899aabbccddeeff"),
                    _ => frame.with(RSA_RESULT, &[7; 90]),
                };
                let frame = if subclass == REGREQ {
                    frame.with(REFRESH, refresh)
                } else {
                    frame
                };
                match dice.below(6) {
                    0 => frame.with(TOKEN, b""),
                    1 | 2 => frame.with(TOKEN, self.token),
                    3 => frame.with(TOKEN, dice.of(&TOKENS)),
                    _ => frame,
                }
            }
            REGACK if !dice.once_in(4) => frame.with(REFRESH, refresh),
            REGAUTH | AUTHREQ => frame
                .with(AUTHMETHODS, b"\0\x02")
                .with(CHALLENGE, b"123456789"),
            REGREJ | REJECT | HANGUP => frame.with(CAUSE, b"Registration Refused"),
            ACCEPT => frame.with(FORMAT, b"\0\0\0\x04"),
            CALLTOKEN => frame.with(TOKEN, self.token),
            _ => frame,
        }
    }
}

/// Few, so that conversations meet each other's; 0 is none.
fn number(dice: &mut Dice) -> u16 {
    if dice.once_in(20) {
        dice.of(&[0, 0x7fff])
    } else {
        1 + dice.below(6) as u16
    }
}

/// Now and then with elements that nobody knows, too many, too long, or cut short.
fn garbled(mut frame: Frame, dice: &mut Dice) -> Frame {
    frame.again = dice.once_in(8);
    match dice.below(40) {
        0 => frame.content.extend([USERNAME, 255, 1]),
        1 => frame.content.extend([MD5_RESULT, 0]),
        2 => frame.content.push(TOKEN),
        3 => {
            let noise = (0..dice.below(200)).map(|_| dice.below(256) as u8);
            frame.content.extend(noise.collect::<Vec<_>>());
        }
        4 => {
            let before = dice.of(&[61, 62, 63, 64, 65, 200]);
            let mut content = [0xee, 0].repeat(before);
            content.append(&mut frame.content);
            frame.content = content;
        }
        5 => frame = frame.with(0xee, &[1; 255]).with(USERNAME, b"iax-2"),
        6 => {
            let twice = frame.content.clone();
            frame.content.extend(twice);
        }
        7 => frame.content.resize(dice.of(&[600, 1000, 1200]), 0),
        _ => {}
    }
    frame
}
