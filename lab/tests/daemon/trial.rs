//! A policy on trial falls back to shadow by itself, also where nobody is left to see to it.

use std::thread;
use std::time::{Duration, Instant};

use ringfence_lab::{Lab, Ringfence, Wire, needs_root};

use crate::{COUNTRIES, passes, policy, until};

/// How long trials take. On a machine so busy that the first is over too soon the second tells.
const TRIALS: [Duration; 2] = [Duration::from_secs(6), Duration::from_secs(40)];

/// Starts a daemon that enforces for so long; its file says shadow.
fn start(fence: &mut Ringfence<'_>, time: Duration) {
    let shadow = policy("\"eth1\"", "\"GB\"").replace("\"enforce\"", "\"shadow\"");
    let config = fence.write("ringfence.toml", &shadow).unwrap();
    let countries = fence.write("countries.csv", COUNTRIES).unwrap();
    let options = [
        ("--config", config.to_str().unwrap()),
        ("--country-db", countries.to_str().unwrap()),
        ("--confirm", &format!("{}s", time.as_secs())),
    ];
    let options = options.iter().flat_map(|(option, value)| [*option, *value]);
    let options: Vec<_> = options.chain(["--enforce"]).collect();
    fence.start(&options).unwrap();
}

#[test]
fn a_trial_ends_in_time_without_its_daemon() {
    if needs_root() {
        return;
    }
    let lab = Lab::new().unwrap();
    let wire = Wire::lay(&lab.attacker, &lab.pbx, "eth1").unwrap();
    let told = TRIALS.into_iter().any(|time| {
        let mut fence = Ringfence::prepare(&lab).unwrap();
        let begun = Instant::now();
        start(&mut fence, time);
        fence.kill9().unwrap();
        let passed = passes(&lab, &wire, "eth1");
        if begun.elapsed() >= time {
            return false;
        }
        assert!(!passed, "it is enforced without the daemon");
        thread::sleep(time.saturating_sub(begun.elapsed() + Duration::from_secs(1)));
        until("it is shadow again", || passes(&lab, &wire, "eth1"));
        // Clocks of the kernel are read in steps of some milliseconds.
        assert!(begun.elapsed() + Duration::from_millis(100) >= time);
        true
    });
    assert!(told, "no trial was long enough for this machine");
}

#[test]
fn a_confirmed_trial_does_not_end() {
    if needs_root() {
        return;
    }
    let lab = Lab::new().unwrap();
    let wire = Wire::lay(&lab.attacker, &lab.pbx, "eth1").unwrap();
    let told = TRIALS.into_iter().any(|time| {
        let mut fence = Ringfence::prepare(&lab).unwrap();
        let begun = Instant::now();
        start(&mut fence, time);
        let confirmed = fence.cli(&["confirm"]).unwrap();
        assert_eq!(confirmed.code, 0, "{confirmed:?}");
        if begun.elapsed() >= time {
            return false;
        }
        assert!(confirmed.stdout.contains("confirmed"), "{confirmed:?}");
        fence.kill9().unwrap();
        thread::sleep(time.saturating_sub(begun.elapsed()) + Duration::from_secs(1));
        assert!(!passes(&lab, &wire, "eth1"), "it is enforced for good");
        true
    });
    assert!(told, "no trial was long enough for this machine");
}
