//! Takes forged events out of the stream.
//!
//! Who calls can put line ends into a name, and Asterisk writes them into its events. So an event can be cut in two, with
//! whole forged events in between: a head without its last fields, the forgeries, and a rest that has no `Event:` line, or
//! that the last forgery swallowed. Asterisk writes each event in one piece, so nothing genuine stands between a head and
//! its rest. Every event is held until so much more of the stream was seen, or the stream was quiet for so long, that no
//! rest can follow any more.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use super::{Kind, Message, shape};

/// How long the stream must be quiet for one [`Sieve::idle`].
pub const TICK: Duration = Duration::from_millis(10);
/// So many quiet spells in all release what is held.
const TICKS: u64 = 5;
/// Bytes of the stream from the end of an event on, within which its rest would have begun.
const STRETCH: u64 = 8 * 1024;

/// What comes out.
#[derive(Debug, PartialEq, Eq)]
pub enum Sifted {
    /// A genuine message.
    Message {
        /// Which block of the stream it is, from 1.
        number: u64,
        /// The message.
        message: Message,
    },
    /// An event was forged, and discarded.
    Forged {
        /// Which block of the stream it began with, from 1.
        number: u64,
        /// How many blocks were discarded: its head and its rest too, and what cannot be told from forged.
        blocks: u64,
        /// Who sent what it came with, where that is certain.
        source: Option<SocketAddr>,
    },
}

/// Holds events until it is known that they are genuine. Messages leave it in their order; it holds as much as a stretch of
/// 8 KiB and one block may have.
#[derive(Debug)]
pub struct Sieve {
    token: String,
    filtered: bool,
    held: VecDeque<Held>,
    /// Blocks of the stream so far.
    blocks: u64,
    /// Bytes of the stream so far.
    offset: u64,
    /// Quiet spells so far.
    idle: u64,
}

#[derive(Debug)]
struct Held {
    what: What,
    /// Which block it is, or began with.
    number: u64,
    /// Where its block ended.
    end: u64,
    /// Quiet spells when it came.
    idle: u64,
}

#[derive(Debug)]
enum What {
    /// An answer to an action of ours.
    Ours(Message),
    /// An event that looks whole.
    Event(Message),
    /// An event that was cut; whether it was a security event.
    Cut(bool),
    /// The rest of one.
    Rest {
        source: Option<SocketAddr>,
        /// Blocks that went with it.
        blocks: u64,
    },
}

impl Sieve {
    /// For a connection whose ActionIDs begin with `token`, which nobody can guess.
    ///
    /// `filtered` says that Asterisk itself drops events in which another follows a complete one (see
    /// [`FILTERS`](super::FILTERS)): then the head of a forgery is always seen to be cut, and only what follows
    /// it is discarded; else everything that is held is.
    pub fn new(token: impl Into<String>, filtered: bool) -> Self {
        Self {
            token: token.into(),
            filtered,
            held: VecDeque::new(),
            blocks: 0,
            offset: 0,
            idle: 0,
        }
    }

    /// Takes the next block.
    pub fn take(&mut self, message: Message, out: impl FnMut(Sifted)) {
        let start = self.offset;
        self.offset = start.saturating_add(message.size());
        self.blocks = self.blocks.saturating_add(1);
        if self.ours(&message) {
            self.hold(What::Ours(message));
        } else if shape::rest(&message) {
            self.forged(shape::source(&message));
        } else if let Kind::Event(event) = message.kind() {
            let security = shape::security(event);
            if message.get("Privilege").is_none() {
                // An entry of a list, unless it wants to pass for more.
                if !shape::wanted(event) {
                    self.hold(What::Event(message));
                } else {
                    self.hold(What::Cut(security));
                }
            } else if !shape::wanted(event) {
                // Of no use to anybody, whoever wrote it.
            } else if !shape::whole(event, &message) {
                self.hold(What::Cut(security));
            } else if security && self.open() {
                // The forgery swallowed the rest and looks whole with it. Whose rest it is, is not certain.
                self.forged(None);
            } else {
                self.hold(What::Event(message));
            }
        }
        self.release(start, out);
    }

    /// Takes a block that was too long to be read.
    pub fn skip(&mut self, out: impl FnMut(Sifted)) {
        let start = self.offset;
        self.blocks = self.blocks.saturating_add(1);
        self.forged(None);
        self.release(start, out);
    }

    /// The stream was quiet for one more [`TICK`], and not within a block.
    pub fn idle(&mut self, out: impl FnMut(Sifted)) {
        self.idle = self.idle.saturating_add(1);
        self.release(self.offset, out);
    }

    /// The stream ended; `within` says that it did so in the middle of a rest.
    pub fn finish(&mut self, within: bool, out: impl FnMut(Sifted)) {
        if within {
            self.forged(None);
        }
        self.idle = self.idle.saturating_add(TICKS);
        self.release(self.offset, out);
    }

    /// Whether anything is held, so that quiet spells are worth counting.
    pub fn holds(&self) -> bool {
        !self.held.is_empty()
    }

    fn ours(&self, message: &Message) -> bool {
        let id = message.get("ActionID").unwrap_or_default();
        !self.token.is_empty() && id.starts_with(&self.token)
    }

    /// Whether a security event was cut whose rest has not come.
    fn open(&self) -> bool {
        let last = self.held.iter().rev().find_map(|held| match held.what {
            What::Cut(security) => Some(security),
            What::Rest { .. } => Some(false),
            _ => None,
        });
        last == Some(true)
    }

    fn hold(&mut self, what: What) {
        let (number, end, idle) = (self.blocks, self.offset, self.idle);
        self.held.push_back(Held {
            what,
            number,
            end,
            idle,
        });
    }

    /// A rest: what came since its head is forged, an earlier rest included.
    fn forged(&mut self, source: Option<SocketAddr>) {
        let head = self
            .held
            .iter()
            .position(|held| matches!(held.what, What::Cut(_) | What::Rest { .. }));
        let from = head.filter(|_| self.filtered).unwrap_or(0);
        // The text that a call is dialled with or sent on to stands last: it may have forged the rest as well.
        let dialled = !self.filtered
            && self.held.iter().any(|held| match &held.what {
                What::Event(event) => {
                    event.event() == Some("DialBegin") || event.get("Forward").is_some()
                }
                _ => false,
            });
        let (mut first, mut blocks) = (self.blocks, 1);
        for held in self.held.split_off(from) {
            blocks += match held.what {
                What::Ours(_) => {
                    self.held.push_back(held);
                    continue;
                }
                What::Event(_) | What::Cut(_) => 1,
                What::Rest { blocks, .. } => blocks,
            };
            first = first.min(held.number);
        }
        let source = source.filter(|_| !dialled);
        self.hold(What::Rest { source, blocks });
        if let Some(rest) = self.held.back_mut() {
            rest.number = first;
        }
    }

    /// Lets out what no rest can belong to any more; the last block began at `start`.
    fn release(&mut self, start: u64, mut out: impl FnMut(Sifted)) {
        while let Some(held) = self.held.front() {
            let seen = start.saturating_sub(held.end) > STRETCH;
            let quiet = self.idle.saturating_sub(held.idle) >= TICKS;
            if !(seen || quiet || matches!(held.what, What::Ours(_))) {
                break;
            }
            let number = held.number;
            let forged = |blocks, source| Sifted::Forged {
                number,
                blocks,
                source,
            };
            match self.held.pop_front().map(|held| held.what) {
                Some(What::Ours(message) | What::Event(message)) => {
                    out(Sifted::Message { number, message });
                }
                Some(What::Cut(_)) => out(forged(1, None)),
                Some(What::Rest { source, blocks }) => out(forged(blocks, source)),
                None => {}
            }
        }
    }
}

#[cfg(test)]
mod tests;
