//! The daemon keeps the host's firewall.

use std::thread;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use ringfence_lab::{Lab, Ringfence, needs_root, without_signatures};

use crate::ssh::{PORT, Sshd, timers};
use crate::{COUNTRIES, Met, PBX, answer, host, nft, tcp, udp, until, write};

fn policy(more: &str) -> String {
    format!(
        "mode = \"enforce\"\ninterfaces = [\"eth0\"]\ncountries = [\"GB\"]\n{}{more}\
         [[service]]\nname = \"sip\"\n[[service]]\nname = \"provisioning\"\nkind = \"plain\"\nports = [\"udp/69\"]\n\
         [host]\nenable = true\n",
        without_signatures()
    )
}

/// The same with SSH for anyone.
fn with_ssh(more: &str) -> String {
    let ssh = format!(
        "[[service]]\nname = \"ssh\"\nkind = \"plain\"\nports = [\"tcp/{PORT}\"]\nfrom = \"anyone\"\n[host]"
    );
    policy(more).replace("[host]", &ssh)
}

fn stands(lab: &Lab) -> bool {
    nft(&lab.pbx, "list tables").contains("ringfence_host")
}

fn reload(fence: &Ringfence<'_>, words: &[&str]) -> String {
    let done = fence.cli(&[&["reload"], words].concat()).unwrap();
    assert_eq!(done.code, 0, "{done:?}");
    done.stdout
}

#[test]
fn it_follows_the_lists_and_restores_what_others_change() {
    if needs_root() {
        return;
    }
    let lab = Lab::new().unwrap();
    let mut fence = Ringfence::prepare(&lab).unwrap();
    answer(&lab.pbx, &[3306, 5060], &[69]);
    fence.guard(&policy(""), COUNTRIES).unwrap();
    until("it stands", || {
        tcp(&lab.phone, PBX[0], 3306) == Met::Refused
    });
    for to in PBX {
        assert_eq!(tcp(&lab.phone, to, 5060), Met::Open);
        assert_eq!(udp(&lab.phone, to, 69), Met::Open);
        assert_ne!(udp(&lab.attacker, to, 69), Met::Open);
    }
    let status = fence.cli(&["status"]).unwrap().stdout;
    assert!(
        status.contains("the host's firewall: it stands: enforce"),
        "{status}"
    );
    // The operator's lists and countries.
    assert_eq!(
        fence
            .cli(&["permit", "add", "203.0.113.0/24"])
            .unwrap()
            .code,
        0
    );
    until("a permitted source gets in", || {
        udp(&lab.attacker, PBX[0], 69) == Met::Open
    });
    assert_eq!(fence.cli(&["country", "allow", "RU"]).unwrap().code, 0);
    until("a country gets in", || {
        udp(&lab.attacker, PBX[1], 69) == Met::Open
    });
    // Somebody flushes, deletes, and changes a little.
    let before = nft(&lab.pbx, "-s list table inet ringfence_host");
    let again = || nft(&lab.pbx, "-s list ruleset") == before;
    for (words, told) in [
        ("flush ruleset", "deleted"),
        ("flush table inet ringfence_host", "changed"),
        (
            "delete element inet ringfence_host permitted4 { 203.0.113.0/24 }",
            "changed",
        ),
        ("insert rule inet ringfence_host input accept", "changed"),
    ] {
        let said = format!("somebody had {told}");
        let count = || fence.log().unwrap().matches(&said).count();
        let counted = count();
        nft(&lab.pbx, words);
        until(words, again);
        until("it is told", || count() == counted + 1);
    }
    // Switched off, it is gone.
    fence
        .write(
            "ringfence.toml",
            &policy("").replace("enable = true", "enable = false"),
        )
        .unwrap();
    reload(&fence, &[]);
    until("it is taken away", || !stands(&lab));
    assert_eq!(tcp(&lab.phone, PBX[0], 3306), Met::Open);
}

#[test]
fn a_trial_ends_without_the_daemon_and_a_power_cut_brings_the_confirmed_back() {
    if needs_root() {
        return;
    }
    let lab = Lab::new().unwrap();
    let mut fence = Ringfence::prepare(&lab).unwrap();
    let sshd = Sshd::start(&lab, &fence);
    fence.guard(&with_ssh(""), COUNTRIES).unwrap();
    until("it stands", || stands(&lab));
    assert!(sshd.lets_in());
    // The route of the link itself comes some time after the interface, and a session that ends may be up or not.
    let listed = || {
        let text = nft(&lab.pbx, "-s list table inet ringfence_host");
        let passing = |line: &str| {
            line.contains("fe80::/64") || (line.contains("elements") && line.contains(" . 2222"))
        };
        let lines = text.lines().filter(|line| !passing(line));
        lines.collect::<Vec<_>>().join("\n")
    };
    let stood = listed();

    // Killed in between: the trial ends all the same.
    write(&fence, &policy(""));
    reload(&fence, &["--confirm", "5s", "--yes"]);
    until("SSH is cut", || {
        tcp(&lab.phone, PBX[0], PORT) == Met::Refused
    });
    fence.kill9().unwrap();
    assert_eq!(timers(&fence.state()).len(), 1);
    until("SSH is back", || sshd.lets_in());
    assert_eq!(listed(), stood);

    // Started anew with that file, the daemon does not cut it again.
    fence.guard(&policy(""), COUNTRIES).unwrap();
    until("it is told", || {
        fence.log().unwrap().contains("were not confirmed")
    });
    assert!(sshd.lets_in());
    assert_eq!(listed(), stood);

    // A power cut during another trial: no process is left, nor any rule.
    reload(&fence, &["--confirm", "60s", "--yes"]);
    until("SSH is cut", || {
        tcp(&lab.phone, PBX[0], PORT) == Met::Refused
    });
    fence.kill9().unwrap();
    for timer in timers(&fence.state()) {
        kill(Pid::from_raw(timer), Signal::SIGKILL).unwrap();
    }
    nft(&lab.pbx, "flush ruleset");
    fence.guard(&policy(""), COUNTRIES).unwrap();
    until("what was confirmed stands", || stands(&lab));
    assert_eq!(listed(), stood);
    assert!(sshd.lets_in());

    // Confirmed at last, it is the state of the next boot.
    reload(&fence, &["--confirm", "20s", "--yes"]);
    until("SSH is cut", || {
        tcp(&lab.phone, PBX[0], PORT) == Met::Refused
    });
    assert_eq!(fence.cli(&["confirm"]).unwrap().code, 0);
    until("it is confirmed", || {
        fence.log().unwrap().contains("firewall: confirmed")
    });
    fence.kill9().unwrap();
    nft(&lab.pbx, "flush ruleset");
    fence.guard(&policy(""), COUNTRIES).unwrap();
    until("it stands", || stands(&lab));
    assert_eq!(tcp(&lab.phone, PBX[0], PORT), Met::Refused);
    thread::sleep(Duration::from_millis(300));
    assert!(!host(&fence, &["confirm"]).stdout.is_empty());
}

#[test]
fn a_start_that_would_cut_a_session_leaves_what_was_confirmed() {
    if needs_root() {
        return;
    }
    let lab = Lab::new().unwrap();
    let mut fence = Ringfence::prepare(&lab).unwrap();
    let sshd = Sshd::start(&lab, &fence);
    let mut session = sshd.session();
    fence.guard(&with_ssh(""), COUNTRIES).unwrap();
    until("it stands", || stands(&lab));
    write(&fence, &policy(""));
    let refused = fence.cli(&["reload"]).unwrap();
    assert_ne!(refused.code, 0);
    assert!(refused.output().contains("add a service"), "{refused:?}");
    assert!(session.lives() && sshd.lets_in());
    fence.guard(&policy(""), COUNTRIES).unwrap();
    until("it is told", || {
        fence
            .log()
            .unwrap()
            .contains("would shut an SSH session out")
    });
    assert!(session.lives() && sshd.lets_in());
    // A trial that runs out is told, and no reload brings its rules back by itself.
    reload(&fence, &["--confirm", "3s", "--yes"]);
    until("SSH is cut", || {
        tcp(&lab.phone, PBX[0], PORT) == Met::Refused
    });
    until("it is told", || {
        fence.log().unwrap().contains("its trial was not confirmed")
    });
    assert!(session.lives() && sshd.lets_in());
    reload(&fence, &[]);
    let status = fence.cli(&["status"]).unwrap().stdout;
    assert!(status.contains("what stood before is back"), "{status}");
    assert!(sshd.lets_in());
}
