use super::*;
use crate::store::Trust;
use crate::tables;
use crate::trust::restore;

const SECOND: u64 = 1_000_000_000;
const HOUR: u64 = 3600 * SECOND;

fn clock(second: u64) -> Clock {
    let wall = 1_700_000_000 + second.cast_signed();
    Clock {
        boot: 1000 * HOUR + second * SECOND,
        wall: Timestamp::from_second(wall).unwrap(),
    }
}

fn address(text: &str) -> Address {
    tables::address(text.parse().unwrap())
}

fn names() -> Names {
    Names {
        services: vec![String::new(), "sip".into()],
        signatures: Vec::new(),
    }
}

fn contact(name: &str, until: u64) -> Contact {
    let name = Name::new(name);
    Contact {
        until,
        since: 1000 * HOUR,
        account: name.digest().unwrap(),
        name: name.words(),
        granted: 3600,
        port: 5060,
        protocol: 17,
        service: 1,
    }
}

/// An office of two accounts behind one address, whose standing counts one of them.
fn office(until: u64) -> Snapshot {
    let here = address("203.0.113.9");
    let mut contacts = Vec::new();
    let mut accounts = Vec::new();
    for name in ["1007", "1008"] {
        let contact = contact(name, until);
        contacts.push((ContactKey::account(here, contact.account), contact));
        contacts.push((ContactKey::flow(here, 17, 5060), contact));
        accounts.push((
            contact.account,
            Account {
                last: 1000 * HOUR,
                address: here.words(),
                name: contact.name,
                ..Account::default()
            },
        ));
    }
    contacts.remove(1);
    Snapshot {
        standings: vec![(
            here,
            Standing {
                registered_until: until,
                known_until: until + 24 * HOUR,
                since: 1000 * HOUR,
                accounts: 1,
                ..Standing::default()
            },
        )],
        contacts,
        accounts,
    }
}

#[test]
fn what_is_new_is_stored_once() {
    let (snapshot, mut known) = (office(1001 * HOUR), Known::default());
    let todo = sweep(&snapshot, &known, &names(), clock(1), 100);
    assert_eq!(todo.change.put.registrations.len(), 3);
    assert_eq!((todo.change.len(), todo.longest), (6, 3600));
    assert_eq!(todo.registered.len(), 2);
    assert_eq!(todo.recount, [(address("203.0.113.9"), 1, 2)]);
    known.note(todo.change);
    let again = sweep(&snapshot, &known, &names(), clock(5), 100);
    assert!(again.change.is_empty(), "{:?}", again.change);
    assert!(again.registered.is_empty());
    // Registered anew: later, and no news.
    let renewed = office(1001 * HOUR + 30 * SECOND);
    let todo = sweep(&renewed, &known, &names(), clock(30), 100);
    assert_eq!(todo.change.put.registrations.len(), 3);
    assert_eq!((todo.change.len(), todo.registered.len()), (3, 0));
    let since = todo.change.put.registrations[0].since;
    assert_eq!(since, clock(0).wall, "it goes on");
}

#[test]
fn a_flood_of_registrations_is_stored_bit_by_bit() {
    let (snapshot, mut known) = (office(1001 * HOUR), Known::default());
    let mut rows = 0;
    for more in [true, true, false] {
        let todo = sweep(&snapshot, &known, &names(), clock(1), 2);
        assert_eq!(todo.more, more);
        rows += todo.change.len();
        known.note(todo.change);
    }
    assert_eq!(rows, 6);
}

#[test]
fn what_ran_out_goes_and_accounts_stay_for_a_month() {
    let (snapshot, mut known) = (office(1001 * HOUR), Known::default());
    known.note(sweep(&snapshot, &known, &names(), clock(1), 100).change);
    let todo = sweep(&snapshot, &known, &names(), clock(3601), 100);
    assert_eq!(todo.over.len(), 3);
    assert!(todo.idle.is_empty(), "it may still ask");
    assert_eq!(todo.recount, [(address("203.0.113.9"), 1, 0)]);
    assert_eq!(todo.change.registrations.len(), 3);
    let late = clock(26 * 3600);
    let todo = sweep(&snapshot, &known, &names(), late, 100);
    assert_eq!(todo.idle, [address("203.0.113.9")]);
    assert_eq!(todo.change.standings.len(), 1);
    assert!(todo.forgotten.is_empty() && todo.change.accounts.is_empty());
    known.note(todo.change);
    let month = clock(31 * 24 * 3600);
    let todo = sweep(&snapshot, &known, &names(), month, 100);
    assert_eq!((todo.forgotten.len(), todo.change.accounts.len()), (2, 2));
    known.note(todo.change);
    assert!(known.accounts.is_empty() && known.registrations.is_empty());
}

#[test]
fn what_the_kernel_gave_up_is_given_up() {
    let (mut snapshot, mut known) = (office(1001 * HOUR), Known::default());
    known.note(sweep(&snapshot, &known, &names(), clock(1), 100).change);
    snapshot.contacts[0].1.until = 1000 * HOUR;
    let todo = sweep(&snapshot, &known, &names(), clock(2), 100);
    assert_eq!(todo.over, [snapshot.contacts[0].0]);
    assert_eq!(todo.change.registrations.len(), 1);
}

#[test]
fn a_reboot_changes_nothing_but_the_kernels_times() {
    let (snapshot, mut known) = (office(1001 * HOUR), Known::default());
    known.note(sweep(&snapshot, &known, &names(), clock(1), 100).change);
    let stored = Trust {
        registrations: known.registrations.values().cloned().collect(),
        standings: known.standings.values().copied().collect(),
        accounts: known.accounts.values().cloned().collect(),
    };
    let known = Known::new(stored);
    let booted = Clock {
        boot: 20 * SECOND,
        wall: clock(300).wall,
    };
    let restored = restore(&known, booted, |_| 1);
    let todo = sweep(&restored, &known, &names(), booted, 100);
    assert_eq!(
        todo,
        Todo {
            longest: 3600,
            ..Todo::default()
        }
    );
}

#[test]
fn the_network_of_a_phone_needs_no_row() {
    let mut snapshot = Snapshot::default();
    let standing = Standing {
        registered_until: 1001 * HOUR,
        ..Standing::default()
    };
    snapshot.standings.push((address("2001:db8::"), standing));
    let todo = sweep(&snapshot, &Known::default(), &names(), clock(1), 100);
    assert_eq!(todo, Todo::default());
}
