//! Nobody locks himself out: rules on trial go, and what stood before comes back.

use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use ringfence_lab::{Lab, Ringfence, needs_root, program};

use crate::ssh::{PORT, Sshd, timers};
use crate::{done, host, nft, until, write};

/// SSH is open to anyone.
fn open() -> String {
    format!(
        "mode = \"enforce\"\n[[service]]\nname = \"ssh\"\nkind = \"plain\"\nports = [\"tcp/{PORT}\"]\nfrom = \"anyone\"\n"
    )
}

/// The phone, and with it the session, is denied.
fn denying() -> String {
    format!("deny = [\"198.51.100.0/24\"]\n{}", open())
}

#[test]
fn a_policy_that_cuts_ssh_is_refused_with_what_to_add() {
    if needs_root() {
        return;
    }
    let lab = Lab::new().unwrap();
    let fence = Ringfence::prepare(&lab).unwrap();
    let sshd = Sshd::start(&lab, &fence);
    let mut session = sshd.session();
    write(&fence, "mode = \"enforce\"\n");
    let refused = host(&fence, &["apply"]);
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success());
    let service = format!("ports = [\"tcp/{PORT}\"]");
    assert!(
        told.contains(&service) && told.contains("permit = [\"198.51.100.10\"]"),
        "{told}"
    );
    write(&fence, &denying());
    let refused = host(&fence, &["apply"]);
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        !refused.status.success() && told.contains("from `deny`"),
        "{told}"
    );
    assert_eq!(nft(&lab.pbx, "list ruleset"), "");
    // Also from within a session, which is the one that would be cut.
    let command = format!(
        "{} host apply --config {} --state {}",
        program().display(),
        fence
            .state()
            .parent()
            .unwrap()
            .join("ringfence.toml")
            .display(),
        fence.state().display()
    );
    let (applied, told) = sshd.run(&command);
    assert!(!applied && told.contains("SSH session"), "{told}");
    assert!(session.lives());
    // What is advised helps.
    write(&fence, &open());
    done(&fence, &["apply"]);
    assert!(session.lives() && sshd.lets_in());
}

#[test]
fn a_trial_that_cuts_ssh_gives_it_back() {
    if needs_root() {
        return;
    }
    let lab = Lab::new().unwrap();
    let fence = Ringfence::prepare(&lab).unwrap();
    let sshd = Sshd::start(&lab, &fence);
    let mut session = sshd.session();
    // First with nothing of ours before, then with rules that were confirmed.
    for before in [false, true] {
        if before {
            write(&fence, &open());
            done(&fence, &["apply"]);
        }
        let stood = nft(&lab.pbx, "-s list ruleset");
        write(&fence, &denying());
        let begun = Instant::now();
        done(&fence, &["apply", "--confirm", "5s", "--yes"]);
        assert_eq!(
            timers(&fence.state()).len(),
            1,
            "somebody waits for the end"
        );
        assert!(!session.lives(), "the session is cut");
        assert!(!sshd.lets_in(), "nobody gets in");
        assert!(
            begun.elapsed() < Duration::from_secs(5),
            "too slow a machine to tell"
        );
        assert!(
            session.lives_within(Duration::from_secs(60)),
            "the session lives again"
        );
        assert!(begun.elapsed() >= Duration::from_secs(5));
        assert!(sshd.lets_in());
        assert_eq!(nft(&lab.pbx, "-s list ruleset"), stood);
        until("nobody waits any more", || {
            timers(&fence.state()).is_empty()
        });
        let late = host(&fence, &["confirm"]);
        let told = String::from_utf8_lossy(&late.stderr).into_owned();
        assert!(told.contains("nobody confirmed in time"), "{told}");
    }
}

#[test]
fn a_trial_that_is_confirmed_stays() {
    if needs_root() {
        return;
    }
    let lab = Lab::new().unwrap();
    let fence = Ringfence::prepare(&lab).unwrap();
    let sshd = Sshd::start(&lab, &fence);
    write(&fence, "mode = \"shadow\"\n");
    let told = done(&fence, &["apply", "--confirm", "2s", "--yes"]);
    assert!(told.contains("enforce for 2s"), "{told}");
    assert!(!sshd.lets_in());
    let told = done(&fence, &["confirm"]);
    assert!(told.contains("confirmed"), "{told}");
    std::thread::sleep(Duration::from_secs(3));
    until("nobody waits any more", || {
        timers(&fence.state()).is_empty()
    });
    assert!(!sshd.lets_in());
    // A trial upon a trial goes back to what stood before both.
    write(&fence, &open());
    done(&fence, &["apply", "--confirm", "30s", "--yes"]);
    assert!(sshd.lets_in());
    done(&fence, &["apply", "--confirm", "1s", "--yes", "--enforce"]);
    until("what was confirmed is back", || !sshd.lets_in());
    for timer in timers(&fence.state()) {
        kill(Pid::from_raw(timer), Signal::SIGKILL).unwrap();
    }
}
