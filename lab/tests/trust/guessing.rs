//! Guessers of passwords and extensions that look like phones are stopped at the threshold, whatever
//! the server says to them and from however many addresses of a net they come.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::thread;

use ringfence_lab::attack::Guesser;
use ringfence_lab::{Kamailio, Lab, Manner, PBX_V6, Request, Setup, needs_root};

use crate::{PBX, address, banned, guard, phone, policy, registers, told};

/// Refused credentials of a source or net.
const FAILURES: usize = 5;
/// Different users that a source or net asks for.
const USERS: usize = 8;
const WORDS: usize = 10_000;
const EXTENSIONS: &str = "1000-1999";

/// Whoever guesses sits in a net of his own.
pub fn guesser<'lab>(lab: &'lab Lab, from: Vec<IpAddr>) -> Guesser<'lab> {
    for address in &from {
        lab.add_address(&lab.attacker, *address).unwrap();
    }
    Guesser {
        place: &lab.attacker,
        from,
    }
}

/// Addresses of one /24.
pub fn net(third: u8, hosts: u8) -> Vec<IpAddr> {
    let hosts = 1..=hosts;
    hosts
        .map(|host| IpAddr::from([198, 18, third, host]))
        .collect()
}

/// Addresses of one /48, each in a /64 of its own.
pub fn net_v6(hosts: u8) -> Vec<IpAddr> {
    let hosts = 1..=hosts;
    hosts
        .map(|host| address(&format!("2001:db8:bad:{host:x}::1")))
        .collect()
}

fn of<'a>(requests: &'a [Request], from: &[IpAddr]) -> impl Iterator<Item = &'a Request> {
    let requests = requests.iter().filter(|it| from.contains(&it.src));
    requests.filter(|it| it.method == "REGISTER")
}

fn stopped(manner: Manner) {
    let lab = Lab::new().unwrap();
    let setup = Setup {
        manner,
        ..Setup::default()
    };
    let kamailio = Kamailio::start_with(&lab, &setup).unwrap();
    let fence = guard(&lab, &policy("", ""));
    let mut words: Vec<_> = (1..WORDS).map(|n| format!("w{n:04}")).collect();
    words.push(Kamailio::password(1001));
    let crackers = [net(1, 1), net(2, 20), net_v6(20)].map(|from| guesser(&lab, from));
    let walkers = [net(3, 1), net(4, 20)].map(|from| guesser(&lab, from));
    thread::scope(|scope| {
        let (lab, words) = (&lab, &words);
        for cracker in &crackers {
            scope.spawn(move || {
                let v6 = cracker.from[0].is_ipv6();
                let target = if v6 { PBX_V6.into() } else { PBX };
                let crack = cracker.svcrack(lab, target, 1001, words).unwrap();
                let found = (crack.answered, crack.found.len());
                assert_eq!(found, (true, 0), "{}", crack.finished.output());
            });
        }
        for walker in &walkers {
            scope.spawn(move || {
                let walk = walker.svwar(lab, PBX, EXTENSIONS).unwrap();
                assert!(walk.answered, "{}", walk.finished.output());
            });
        }
    });

    let requests = kamailio.requests().unwrap();
    for Guesser { from, .. } in &crackers {
        let guesses = of(&requests, from).filter(|it| !it.credentials.is_empty());
        let guesses = guesses.count();
        assert!(
            (1..=FAILURES).contains(&guesses),
            "{guesses} guesses of {from:?} reached Kamailio\n{}",
            told(&fence)
        );
    }
    for Guesser { from, .. } in &walkers {
        let users: BTreeSet<_> = of(&requests, from).map(|it| it.to.as_str()).collect();
        assert!(
            (1..=USERS).contains(&users.len()),
            "{users:?} of {from:?} reached Kamailio\n{}",
            told(&fence)
        );
    }
    for alone in ["198.18.1.1", "198.18.3.1"].map(address) {
        assert!(banned(&fence, alone), "{alone}\n{}", told(&fence));
    }
    if manner != Manner::Refusing {
        registers(&lab, &fence, &phone(1001, "198.51.100.10:5081"));
    }
}

#[test]
fn where_strangers_are_challenged() {
    if !needs_root() {
        stopped(Manner::Challenging);
    }
}

#[test]
fn where_everything_is_401() {
    if !needs_root() {
        stopped(Manner::Refusing);
    }
}

#[test]
fn where_unknown_users_are_404() {
    if !needs_root() {
        stopped(Manner::Telling);
    }
}
