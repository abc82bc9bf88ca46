//! A refusal that both a packet and the server's log tell of, counted once.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// Sources whose refusals are remembered; the oldest give way.
const SOURCES: usize = 10_000;
/// Refusals of one source that are remembered.
const EACH: usize = 64;
/// Words that wait; more are not waited for.
const WAITING: usize = 10_000;
/// For how long a refusal that a packet told of is looked for in the log.
const LATE: Duration = Duration::from_secs(10);
/// For how long what the log says waits for the packet that says the same.
const EARLY: Duration = Duration::from_secs(2);

/// Refusals that packets told of, and words of a log that wait for theirs.
#[derive(Debug)]
pub struct Twice<W> {
    told: HashMap<IpAddr, VecDeque<Instant>>,
    order: VecDeque<(Instant, IpAddr)>,
    waiting: VecDeque<(Instant, IpAddr, W)>,
}

impl<W> Default for Twice<W> {
    fn default() -> Self {
        Self {
            told: HashMap::new(),
            order: VecDeque::new(),
            waiting: VecDeque::new(),
        }
    }
}

impl<W> Twice<W> {
    /// A packet said that a request of this address was refused.
    pub fn packet(&mut self, address: IpAddr, now: Instant) {
        let same = self.waiting.iter().position(|(_, of, _)| *of == address);
        if let Some(place) = same {
            self.waiting.remove(place);
            return;
        }
        self.forget(now);
        if self.told.len() >= SOURCES && !self.told.contains_key(&address) {
            return;
        }
        let times = self.told.entry(address).or_default();
        if times.len() < EACH {
            times.push_back(now);
            self.order.push_back((now, address));
        }
    }

    /// A log says so of this address. Where no packet did, it is [`due`](Self::due) after a while.
    pub fn word(&mut self, address: IpAddr, word: W, now: Instant) {
        self.forget(now);
        if let Some(times) = self.told.get_mut(&address)
            && times.pop_front().is_some()
        {
            return;
        }
        if self.waiting.len() < WAITING {
            self.waiting.push_back((now, address, word));
        }
    }

    /// Words that no packet said the same as.
    pub fn due(&mut self, now: Instant) -> Vec<W> {
        let mut due = Vec::new();
        let old = |(since, _, _): &mut (Instant, IpAddr, W)| now.duration_since(*since) >= EARLY;
        while let Some((_, _, word)) = self.waiting.pop_front_if(old) {
            due.push(word);
        }
        due
    }

    fn forget(&mut self, now: Instant) {
        let old = |(since, _): &mut (Instant, IpAddr)| now.duration_since(*since) >= LATE;
        while let Some((since, address)) = self.order.pop_front_if(old) {
            if let Some(times) = self.told.get_mut(&address) {
                times.retain(|time| *time != since);
                if times.is_empty() {
                    self.told.remove(&address);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn whichever_comes_first_it_counts_once() {
        let (mut twice, now) = (Twice::default(), Instant::now());
        let later = |seconds| now + Duration::from_secs(seconds);
        let (thief, other) = (at("203.0.113.9"), at("203.0.113.10"));
        // The packet, then the line.
        twice.packet(thief, now);
        twice.word(thief, 1, later(1));
        // The line, then the packet.
        twice.word(thief, 2, later(2));
        twice.packet(thief, later(3));
        // Two lines, one packet; and another's line.
        twice.packet(thief, later(4));
        twice.word(thief, 3, later(4));
        twice.word(thief, 4, later(4));
        twice.word(other, 5, later(4));
        assert!(twice.due(later(5)).is_empty());
        assert_eq!(twice.due(later(6)), [4, 5]);
        assert!(twice.due(later(60)).is_empty());
    }

    #[test]
    fn an_old_packet_excuses_no_line() {
        let (mut twice, now) = (Twice::default(), Instant::now());
        let thief = at("203.0.113.9");
        twice.packet(thief, now);
        let late = now + LATE;
        twice.word(thief, 1, late);
        assert_eq!(twice.due(late + EARLY), [1]);
    }

    #[test]
    fn a_flood_holds_no_more_than_there_is_room_for() {
        let (mut twice, now) = (Twice::default(), Instant::now());
        for number in 0..3 * SOURCES as u32 {
            let address = IpAddr::V4(number.into());
            twice.packet(address, now);
            twice.word(IpAddr::V4((0x8000_0000 + number).into()), number, now);
        }
        assert!(twice.told.len() <= SOURCES && twice.waiting.len() <= WAITING);
    }
}
