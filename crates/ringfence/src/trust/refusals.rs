//! Whose credentials were refused lately: guessing from many places, and phones with a wrong password.

use std::collections::BTreeMap;
use std::net::IpAddr;

use jiff::{SignedDuration, Timestamp};

use super::minutes::Minutes;
use super::recent::Recent;
use crate::store::{Name, Refusal};
use crate::tables;

/// Sources, and as many accounts, that are remembered; the quietest go.
const ROOM: usize = 10_000;
/// Places that are remembered of an account.
const PLACES: usize = 16;
/// Sources within ten minutes from which an account is guessed at.
const GUESSED: usize = 5;
/// Refusals within ten minutes of a phone that is broken.
const BROKEN: u32 = 5;
/// How often it is warned of an account that is guessed at.
const WARN: SignedDuration = SignedDuration::from_hours(1);
/// Pairs of a source and an account that wait to be stored at most.
const PENDING: usize = 10_000;

/// A request that the server refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// When.
    pub time: Timestamp,
    /// Who asked.
    pub address: IpAddr,
    /// From which port.
    pub port: u16,
    /// For which account.
    pub name: Name,
    /// The status code of the response.
    pub status: u16,
    /// The class of the request.
    pub class: &'static str,
    /// Whether there is no such account; else its credentials were refused.
    pub nobody: bool,
}

/// What a refusal came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Noted {
    /// The first of its source within ten minutes.
    pub first: bool,
    /// From how many sources the account is guessed at, where it is time to warn of it.
    pub guessed: Option<usize>,
}

/// An account that is guessed at from many places.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guessed {
    /// The account.
    pub name: Name,
    /// Sources within ten minutes, as far as they are remembered.
    pub sources: usize,
    /// Refusals within ten minutes.
    pub refused: u32,
}

/// A phone that is refused all the time, beside others that are not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// Its account.
    pub name: Name,
    /// Its address.
    pub address: IpAddr,
    /// Its port.
    pub port: u16,
    /// Refusals within ten minutes.
    pub refused: u32,
    /// Whether there is no such account; else its password is wrong.
    pub nobody: bool,
}

/// Refusals of the last ten minutes, and those that wait to be stored.
#[derive(Debug)]
pub struct Refusals {
    sources: Recent<IpAddr, Minutes>,
    accounts: Recent<Name, Account>,
    pending: BTreeMap<(IpAddr, Name), Refusal>,
}

#[derive(Debug, Default)]
struct Account {
    places: Vec<Place>,
    warned: Option<Timestamp>,
}

#[derive(Debug)]
struct Place {
    address: IpAddr,
    port: u16,
    last: Timestamp,
    nobody: bool,
    minutes: Minutes,
}

impl Default for Refusals {
    fn default() -> Self {
        Self {
            sources: Recent::new(ROOM),
            accounts: Recent::new(ROOM),
            pending: BTreeMap::new(),
        }
    }
}

impl Refusals {
    /// Takes in a refusal.
    pub fn note(&mut self, refused: &Refused) -> Noted {
        let now = refused.time;
        self.keep(refused);
        let source = self.sources.touch(&tables::subject(refused.address));
        let first = source.total(now) == 0;
        source.note(now);
        let account = self.accounts.touch(&refused.name);
        account.place(refused).minutes.note(now);
        let sources = account.sources(now);
        let due = account
            .warned
            .is_none_or(|warned| now.duration_since(warned) >= WARN);
        let guessed = (sources >= GUESSED && due).then_some(sources);
        if guessed.is_some() {
            account.warned = Some(now);
        }
        Noted { first, guessed }
    }

    /// Adds a refusal to those that wait to be stored.
    fn keep(&mut self, refused: &Refused) {
        let address = tables::subject(refused.address);
        let key = (address, refused.name.clone());
        if self.pending.len() >= PENDING && !self.pending.contains_key(&key) {
            return;
        }
        let row = self.pending.entry(key).or_insert_with(|| Refusal {
            address,
            name: refused.name.clone(),
            first: refused.time,
            last: refused.time,
            count: 0,
            port: 0,
            status: 0,
            class: String::new(),
            nobody: false,
        });
        row.last = refused.time;
        row.count = row.count.saturating_add(1);
        (row.port, row.status, row.nobody) = (refused.port, refused.status, refused.nobody);
        refused.class.clone_into(&mut row.class);
    }

    /// What waits to be stored, which it forgets.
    pub fn take(&mut self) -> Vec<Refusal> {
        std::mem::take(&mut self.pending).into_values().collect()
    }

    /// The accounts that are guessed at from many places.
    pub fn guessed(&self, now: Timestamp) -> Vec<Guessed> {
        let all = self.accounts.iter().map(|(name, account)| Guessed {
            name: name.clone(),
            sources: account.sources(now),
            refused: account.guesses(now).map(|(_, count)| count).sum(),
        });
        all.filter(|guessed| guessed.sources >= GUESSED).collect()
    }

    /// The phones that are refused all the time at addresses where others are not; `others` says of an address and an
    /// account whether another one is registered from there.
    pub fn broken(&self, now: Timestamp, others: impl Fn(IpAddr, &Name) -> bool) -> Vec<Broken> {
        let mut broken = Vec::new();
        for (name, account) in self.accounts.iter() {
            for place in &account.places {
                let refused = place.minutes.total(now);
                if refused >= BROKEN && others(place.address, name) {
                    broken.push(Broken {
                        name: name.clone(),
                        address: place.address,
                        port: place.port,
                        refused,
                        nobody: place.nobody,
                    });
                }
            }
        }
        broken
    }
}

impl Account {
    /// The place that a request came from; where there is no room, the quietest one goes.
    fn place(&mut self, refused: &Refused) -> &mut Place {
        let (address, port) = (refused.address, refused.port);
        let known = |place: &Place| (place.address, place.port) == (address, port);
        let at = self.places.iter().position(known).unwrap_or_else(|| {
            let place = Place {
                address,
                port,
                last: refused.time,
                nobody: refused.nobody,
                minutes: Minutes::default(),
            };
            if self.places.len() < PLACES {
                self.places.push(place);
                return self.places.len() - 1;
            }
            let quiet = (0..self.places.len()).min_by_key(|at| self.places[*at].last);
            let quiet = quiet.unwrap_or(0);
            self.places[quiet] = place;
            quiet
        });
        let place = &mut self.places[at];
        (place.last, place.nobody) = (refused.time, refused.nobody);
        place
    }

    /// The sources of refused credentials within ten minutes, with how often.
    fn guesses(&self, now: Timestamp) -> impl Iterator<Item = (IpAddr, u32)> {
        self.places
            .iter()
            .filter(|place| !place.nobody)
            .map(move |place| (tables::subject(place.address), place.minutes.total(now)))
            .filter(|(_, count)| *count > 0)
    }

    fn sources(&self, now: Timestamp) -> usize {
        let sources: std::collections::BTreeSet<_> =
            self.guesses(now).map(|(source, _)| source).collect();
        sources.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + second).unwrap()
    }

    fn refused(address: &str, port: u16, name: &str, second: i64) -> Refused {
        Refused {
            time: at(second),
            address: address.parse().unwrap(),
            port,
            name: Name::new(name),
            status: 401,
            class: "REGISTER",
            nobody: false,
        }
    }

    #[test]
    fn guessing_from_many_places_is_told_once_an_hour() {
        let mut refusals = Refusals::default();
        let mut told = Vec::new();
        for round in 0..3 {
            for host in 1..=6 {
                let source = format!("198.51.100.{host}");
                let noted = refusals.note(&refused(&source, 5060, "1007", round * 1500 + host));
                assert!(noted.first, "ten minutes have passed");
                told.extend(noted.guessed.map(|sources| (round, sources)));
            }
        }
        assert_eq!(told, [(0, 5)]);
        let guessed = refusals.guessed(at(3010));
        assert_eq!(guessed.len(), 1);
        assert_eq!((guessed[0].sources, guessed[0].refused), (6, 6));
        assert!(refusals.guessed(at(4000)).is_empty());
        for host in 1..=6 {
            let source = format!("198.51.100.{host}");
            let noted = refusals.note(&refused(&source, 5060, "1007", 3700));
            assert_eq!(noted.guessed.is_some(), host == 5);
        }
        // Several ports, or addresses of one network, are one source.
        let mut refusals = Refusals::default();
        for n in 1..=9 {
            let one = refusals.note(&refused("192.0.2.1", 5000 + n, "1", 0));
            let net = refusals.note(&refused(&format!("2001:db8::{n}"), 5060, "2", 0));
            assert_eq!((one.guessed, net.guessed), (None, None));
        }
    }

    #[test]
    fn a_broken_phone_is_named_beside_good_ones() {
        let mut refusals = Refusals::default();
        for second in 0..34 {
            refusals.note(&refused("203.0.113.9", 5071, "1007", second));
        }
        refusals.note(&refused("203.0.113.9", 5072, "1008", 0));
        let office: IpAddr = [203, 0, 113, 9].into();
        let broken = refusals.broken(at(40), |address, _| address == office);
        assert_eq!(broken.len(), 1);
        assert_eq!((broken[0].port, broken[0].refused), (5071, 34));
        assert!(refusals.broken(at(40), |_, _| false).is_empty());
        let stored = refusals.take();
        assert_eq!((stored.len(), stored[0].count), (2, 34));
        assert!(refusals.take().is_empty());
    }

    #[test]
    fn a_flood_of_refusals_grows_nothing() {
        let mut refusals = Refusals::default();
        for n in 0..3 * ROOM as u32 {
            let address = std::net::Ipv4Addr::from(n).to_string();
            refusals.note(&refused(&address, 5060, &n.to_string(), 0));
            refusals.note(&refused(&address, 5060, "1007", 0));
        }
        assert_eq!(refusals.sources.iter().count(), ROOM);
        assert_eq!(refusals.accounts.iter().count(), ROOM);
        assert!(refusals.take().len() <= PENDING);
        let guessed = refusals.guessed(at(0));
        assert_eq!((guessed.len(), guessed[0].sources), (1, PLACES));
    }
}
