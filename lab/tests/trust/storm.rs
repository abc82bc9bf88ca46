//! After a restart of the server all phones of an office register at once, and not one is refused.

use std::net::SocketAddr;
use std::thread;

use ringfence_lab::{Kamailio, Lab, Office, Setup, attack, needs_root};

use crate::{PBX, address, at, banned, guard, passed, policy, said, sent, told};

/// Registrations a second: all are done within ten.
const RATE: u32 = 20;
/// Different users that a stranger may ask for.
const USERS: u64 = 8;

#[test]
fn a_hundred_phones_register_at_once_and_an_attacker_does_not() {
    if needs_root() {
        return;
    }
    let lab = Lab::new().unwrap();
    let setup = Setup {
        users: 1001..=1199,
        ..Setup::default()
    };
    let kamailio = Kamailio::start_with(&lab, &setup).unwrap();
    let office = Office {
        users: 1100..=1199,
        address: address("198.51.100.10"),
    };
    let enforcing = policy("", "");
    let fence = guard(&lab, &enforcing.replace("\"enforce\"", "\"shadow\""));
    let before = office.register(&lab, 1, 3 * RATE).unwrap();
    assert_eq!((before.successful, before.failed), (100, 0), "{before:?}");
    fence.write("ringfence.toml", &enforcing).unwrap();
    said(&fence, &["reload"]);

    drop(kamailio);
    let kamailio = Kamailio::start_with(&lab, &setup).unwrap();
    let intruder: SocketAddr = at("203.0.113.20:5060");
    lab.add_address(&lab.attacker, intruder.ip()).unwrap();
    let phones = |from: SocketAddr| from.ip() == address("198.51.100.10");
    let (left, arrived) = (sent(&lab, &lab.phone, phones), passed(&lab, phones));
    let (storm, flood) = thread::scope(|scope| {
        let flood = scope.spawn(|| {
            attack::register_flood(&lab, intruder, PBX, 100, RATE, "Yealink SIP-T46S").unwrap()
        });
        let storm = office.register(&lab, 1, RATE).unwrap();
        (storm, flood.join().unwrap())
    });

    let refused = (storm.failed, storm.unexpected, storm.total("401", "Recv"));
    assert_eq!(refused, (0, 0, 100), "{storm:?}\n{}", told(&fence));
    assert_eq!(storm.successful, 100, "{storm:?}");
    let left = left.stop().unwrap();
    assert!(left >= 200, "{left}");
    assert_eq!(arrived.stop().unwrap(), left, "{}", told(&fence));

    assert_eq!(flood.sent, 100, "{flood:?}");
    assert!(
        (1..=USERS).contains(&flood.answered),
        "{} were answered\n{}",
        flood.answered,
        told(&fence)
    );
    let requests = kamailio.requests().unwrap();
    let met = requests.iter().filter(|it| it.src == intruder.ip());
    assert_eq!(met.count() as u64, flood.answered);
    assert!(banned(&fence, intruder.ip()), "{}", told(&fence));
}
