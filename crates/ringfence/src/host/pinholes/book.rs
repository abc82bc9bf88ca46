//! What is open, and what has to be told to nftables so that its live sets hold it.

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::super::model::{Family, Range, TABLE};
use super::rules::{ADDRESSES, STREAMS};
use crate::tables;

/// Addresses that may send media from any port, at most.
const MOST_ADDRESSES: usize = 131_072;
/// Places that are open at a time.
const MOST_STREAMS: usize = 65_536;
/// Those of them that strangers may have opened: a flood of them leaves the rest to who is known.
const MOST_OF_STRANGERS: usize = MOST_STREAMS / 2;
/// Places that one stranger (an IPv6 /64) has open at a time.
const MOST_OF_ONE: usize = 64;
/// The same for one who is known, such as a provider that sends all its calls from one address.
const MOST_OF_KNOWN: usize = 4_096;
/// How long a place is open after it was named last.
const STREAM: Duration = Duration::from_secs(300);
/// A place that is named again is told to the kernel where that gives it so much more time.
const STEP: Duration = Duration::from_secs(30);
/// How long an address stays when the daemon is gone.
const ADDRESS: Duration = Duration::from_secs(86_400);

/// What is open.
#[derive(Debug, Default)]
pub(super) struct Book {
    /// Whom the daemon named, and until when the kernel has them.
    addresses: HashMap<IpAddr, Option<Instant>>,
    /// Whether they have to be looked through for what is to be told.
    unseen: bool,
    /// Addresses that are to be taken away.
    gone: Vec<IpAddr>,
    streams: HashMap<SocketAddr, Open>,
    /// Places by who opened them.
    by: HashMap<IpAddr, usize>,
    of_strangers: usize,
    /// Places that are to be told.
    new: HashSet<SocketAddr>,
    /// Who is known by a list.
    known: Vec<Range>,
    /// This host's addresses.
    own: HashSet<IpAddr>,
}

#[derive(Debug)]
struct Open {
    until: Instant,
    by: IpAddr,
    stranger: bool,
}

impl Book {
    /// Takes in who may send media from any port, from now on these alone; who is known by a list; and this host's own
    /// addresses.
    pub fn know(&mut self, addresses: Vec<IpAddr>, known: Vec<Range>, own: Vec<IpAddr>) {
        let wanted: HashSet<_> = addresses.into_iter().take(MOST_ADDRESSES).collect();
        let gone = &mut self.gone;
        self.addresses.retain(|address, held| {
            let stays = wanted.contains(address);
            if !stays && held.is_some() {
                gone.push(*address);
            }
            stays
        });
        for address in wanted {
            self.addresses.entry(address).or_default();
        }
        self.unseen = true;
        self.known = known;
        self.own = own.into_iter().collect();
    }

    /// One more may send media from any port.
    pub fn add(&mut self, address: IpAddr) {
        if self.addresses.len() < MOST_ADDRESSES {
            self.addresses.entry(address).or_default();
            self.unseen = true;
        }
    }

    /// Opens places that a message of `from` named, as far as it may.
    pub fn open(&mut self, from: IpAddr, places: &[SocketAddr], now: Instant) {
        let listed = |(first, last): &Range| {
            first.is_ipv4() == from.is_ipv4() && (first..=last).contains(&&from)
        };
        let stranger = !self.addresses.contains_key(&from) && !self.known.iter().any(listed);
        let by = tables::subject(from);
        let most = if stranger { MOST_OF_ONE } else { MOST_OF_KNOWN };
        for place in places {
            if !is_public(place.ip()) || self.own.contains(&place.ip()) {
                continue;
            }
            let until = now + STREAM;
            if let Some(open) = self.streams.get_mut(place) {
                if until.saturating_duration_since(open.until) > STEP {
                    open.until = until;
                    self.new.insert(*place);
                }
                continue;
            }
            let count = self.by.get(&by).copied().unwrap_or(0);
            let full = self.streams.len() >= MOST_STREAMS
                || stranger && self.of_strangers >= MOST_OF_STRANGERS;
            if count >= most || full {
                return;
            }
            self.by.insert(by, count + 1);
            self.of_strangers += usize::from(stranger);
            let open = Open {
                until,
                by,
                stranger,
            };
            self.streams.insert(*place, open);
            self.new.insert(*place);
        }
    }

    /// Forgets the places that are over: the kernel closes them by itself.
    pub fn expire(&mut self, now: Instant) {
        let (by, of_strangers) = (&mut self.by, &mut self.of_strangers);
        self.streams.retain(|_, open| {
            let stays = open.until > now;
            if !stays {
                if let Some(count) = by.get_mut(&open.by) {
                    *count = count.saturating_sub(1);
                }
                *of_strangers = of_strangers.saturating_sub(usize::from(open.stranger));
            }
            stays
        });
        by.retain(|_, count| *count > 0);
    }

    /// How many addresses, and how many places, are open.
    pub fn count(&self) -> (usize, usize) {
        (self.addresses.len(), self.streams.len())
    }

    /// What makes the sets of the kernel hold all this, as commands for nft, which count as done; empty where nothing is
    /// to be done. With `anew` nothing is known of what they hold. Places that were opened before stay until their end.
    pub fn changes(&mut self, now: Instant, anew: bool) -> Vec<Value> {
        let mut commands = Vec::new();
        if anew {
            self.addresses.values_mut().for_each(|held| *held = None);
            self.gone.clear();
            self.unseen = true;
            self.new = self.streams.keys().copied().collect();
            commands.extend(Family::ALL.map(|family| {
                json!({ "flush": { "set": { "family": "inet", "table": TABLE, "name": name(ADDRESSES, family) } } })
            }));
        }
        let gone: Vec<_> = std::mem::take(&mut self.gone)
            .into_iter()
            .filter(|address| !self.addresses.contains_key(address))
            .map(|address| (Family::of(address), json!(address.to_string()), None))
            .collect();
        write(&mut commands, ADDRESSES, gone);
        let mut fresh = Vec::new();
        let unseen = std::mem::take(&mut self.unseen);
        for (address, held) in self.addresses.iter_mut().filter(|_| unseen) {
            let left = held.map(|until| until.saturating_duration_since(now));
            if left.is_none_or(|left| left < ADDRESS / 2) {
                *held = Some(now + ADDRESS);
                let value = json!(address.to_string());
                fresh.push((Family::of(*address), value, Some(ADDRESS)));
            }
        }
        write(&mut commands, ADDRESSES, fresh);
        let mut streams = Vec::new();
        for place in self.new.drain() {
            let Some(open) = self.streams.get(&place) else {
                continue;
            };
            let left = open.until.saturating_duration_since(now);
            let value = json!({ "concat": [place.ip().to_string(), place.port()] });
            streams.push((Family::of(place.ip()), value, Some(left)));
        }
        write(&mut commands, STREAMS, streams);
        commands
    }
}

type Element = (Family, Value, Option<Duration>);

/// Commands that give elements the time that they are to have, or take those without any away, whether they are there or
/// not: each is added, so that it can be deleted, and then added anew.
fn write(commands: &mut Vec<Value>, set: &str, all: Vec<Element>) {
    for family in Family::ALL {
        let of = || all.iter().filter(|(of, ..)| *of == family);
        if of().next().is_none() {
            continue;
        }
        let mut command = |command: &str, elements: Vec<Value>| {
            if !elements.is_empty() {
                commands.push(json!({ command: { "element": {
                    "family": "inet", "table": TABLE, "name": name(set, family), "elem": elements,
                } } }));
            }
        };
        let bare: Vec<_> = of().map(|(_, value, _)| value.clone()).collect();
        command("add", bare.clone());
        command("delete", bare);
        let timed = of().filter_map(|(_, value, time)| {
            // A set takes whole seconds, and none for no end at all.
            let seconds = time.as_ref()?.as_millis().div_ceil(1_000).max(1);
            Some(json!({ "elem": { "val": value, "timeout": seconds } }))
        });
        command("add", timed.collect());
    }
}

fn name(set: &str, family: Family) -> String {
    format!("{set}{}", family.number())
}

/// Whether packets of the Internet can come from an address: whoever is nearer is a neighbour, or registered.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, ..] = v4.octets();
            let shared = a == 100 && (64..128).contains(&b);
            !(a == 0
                || a >= 224
                || shared
                || v4.is_private()
                || v4.is_loopback()
                || v4.is_link_local())
        }
        // Global unicast (RFC 4291, section 2.4, as IANA gives it out).
        IpAddr::V6(v6) => v6.segments()[0] & 0xe000 == 0x2000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn places(all: impl IntoIterator<Item = String>) -> Vec<SocketAddr> {
        all.into_iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn only_places_of_the_internet_are_opened_and_never_ours() {
        let (mut book, now) = (Book::default(), Instant::now());
        book.know(Vec::new(), Vec::new(), vec![ip("192.0.2.10")]);
        let shut = [
            "10.0.0.1:4000",
            "172.16.0.1:4000",
            "100.64.0.1:4000",
            "127.0.0.1:4000",
            "0.0.0.0:4000",
            "224.0.0.1:4000",
            "255.255.255.255:4000",
            "192.0.2.10:4000",
            "[::1]:4000",
            "[fe80::1]:4000",
            "[fd00::1]:4000",
            "[ff02::1]:4000",
            "[::ffff:10.0.0.1]:4000",
        ];
        book.open(ip("203.0.113.9"), &places(shut.map(str::to_owned)), now);
        assert_eq!(book.count(), (0, 0));
        let open = ["198.51.100.1:4000", "[2001:db8::1]:4000"];
        book.open(ip("203.0.113.9"), &places(open.map(str::to_owned)), now);
        assert_eq!(book.count(), (0, 2));
    }

    #[test]
    fn strangers_open_few_and_leave_room() {
        let (mut book, now) = (Book::default(), Instant::now());
        let range = |range: std::ops::Range<u16>, host: &str| {
            places(range.map(|port| format!("{host}:{port}")))
        };
        let ports = || range(2000..2200, "198.51.100.1");
        // All of a /64 is one.
        book.open(ip("2001:db8::1"), &ports(), now);
        book.open(ip("2001:db8::2"), &range(4000..4010, "198.51.100.1"), now);
        assert_eq!(book.count().1, MOST_OF_ONE);
        // A provider has as many calls as it has.
        let provider = ip("198.51.100.77");
        book.know(
            vec![ip("203.0.113.5")],
            vec![(provider, provider)],
            Vec::new(),
        );
        book.open(provider, &range(6000..6200, "198.51.100.2"), now);
        book.open(ip("203.0.113.5"), &range(6000..6200, "198.51.100.3"), now);
        assert_eq!(book.count().1, MOST_OF_ONE + 400);
        // Strangers together.
        for n in 0..1_000_u16 {
            let from = IpAddr::from([203, 1, (n >> 8) as u8, n as u8]);
            book.open(
                from,
                &range(2000..2064, &format!("203.2.{}.{}", n >> 8, n & 255)),
                now,
            );
        }
        assert_eq!(book.count().1, MOST_OF_STRANGERS + 400);
        book.open(provider, &range(8000..8001, "198.51.100.2"), now);
        assert_eq!(book.count().1, MOST_OF_STRANGERS + 401);
        // When they are over there is room again.
        let later = now + STREAM;
        book.expire(later);
        assert_eq!(book.count(), (1, 0));
        book.open(ip("2001:db8::1"), &ports(), later);
        assert_eq!(book.count().1, MOST_OF_ONE);
    }

    #[test]
    fn only_what_changed_is_told() {
        let (mut book, now) = (Book::default(), Instant::now());
        let place = places(["198.51.100.1:4000".to_owned()]);
        book.know(vec![ip("203.0.113.5")], Vec::new(), Vec::new());
        book.open(ip("203.0.113.9"), &place, now);
        assert_eq!(book.changes(now, true).len(), 2 + 3 + 3);
        assert_eq!(book.changes(now, false).len(), 0);
        // Named again a moment later, and a while later.
        book.open(ip("203.0.113.9"), &place, now + STEP);
        assert_eq!(book.changes(now, false).len(), 0);
        book.open(ip("203.0.113.9"), &place, now + 2 * STEP);
        assert_eq!(book.changes(now, false).len(), 3);
        // Who went is taken away; who stays for long is told again.
        book.know(vec![ip("203.0.113.5")], Vec::new(), Vec::new());
        assert_eq!(book.changes(now + ADDRESS / 3, false).len(), 0);
        book.know(vec![ip("203.0.113.5")], Vec::new(), Vec::new());
        assert_eq!(book.changes(now + ADDRESS * 2 / 3, false).len(), 3);
        book.know(Vec::new(), Vec::new(), Vec::new());
        assert_eq!(book.changes(now, false).len(), 2);
        assert_eq!(book.changes(now, true).len(), 2 + 3);
    }
}
