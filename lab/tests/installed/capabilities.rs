//! The daemon holds the three capabilities of its unit and no other, CAP_SYS_ADMIN least of all.

use std::fs;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::Duration;

use nix::sys::signal::Signal;
use ringfence_lab::{Kamailio, Lab, Phone, Ringfence, Transport, attack, needs_root, program};
use tempfile::TempDir;

use crate::{COUNTRIES, at, passed};

/// What the unit grants, read from the unit.
fn granted() -> Vec<String> {
    let unit = include_str!("../../../packaging/ringfence.service");
    let line = unit
        .lines()
        .find_map(|line| line.strip_prefix("CapabilityBoundingSet="));
    line.unwrap()
        .split(' ')
        .map(|name| name.trim_start_matches("CAP_").to_lowercase())
        .collect()
}

/// A program that runs Ringfence with what the unit grants.
fn confined(directory: &TempDir) -> PathBuf {
    let set = granted().join(",+");
    let script = format!(
        "#!/bin/sh\nexec setpriv --bounding-set -all,+{set} --inh-caps -all,+{set} --no-new-privs {} \"$@\"\n",
        program().display()
    );
    let path = directory.path().join("ringfence");
    fs::write(&path, script).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

fn said(fence: &Ringfence<'_>, arguments: &[&str]) -> String {
    let answer = fence.cli(arguments).unwrap();
    let log = fence.log().unwrap();
    assert_eq!(answer.code, 0, "{arguments:?}: {}\n{log}", answer.output());
    answer.stdout
}

fn policy(ports: &str) -> String {
    format!(
        "mode = \"enforce\"\ninterfaces = [\"eth0\"]\ncountries = [\"GB\"]\n{}\
         [[service]]\nname = \"sip\"\nports = [{ports}]\nfrom = \"countries\"\n",
        ringfence_lab::without_signatures()
    )
}

#[test]
fn three_capabilities_are_enough() {
    if needs_root() {
        return;
    }
    let mut names = granted();
    names.sort_unstable();
    assert_eq!(names, ["bpf", "net_admin", "perfmon"]);

    let directory = tempfile::tempdir().unwrap();
    let lab = Lab::new().unwrap();
    let _kamailio = Kamailio::start(&lab).unwrap();
    let mut fence = Ringfence::prepare_program(&lab, confined(&directory)).unwrap();
    let udp = policy("\"udp/5060\"");
    fence
        .guard(&udp, COUNTRIES)
        .unwrap_or_else(|error| panic!("{error}\n{}", fence.log().unwrap_or_default()));

    // It guards, and learns from what the host sends.
    let attacker = at("203.0.113.10:5060");
    let through = passed(&lab, attacker.ip());
    let flood = attack::register_flood(&lab, attacker, ringfence_lab::PBX_V4.into(), 40, 40, "x");
    let flood = flood.unwrap();
    assert_eq!((flood.sent, flood.answered), (40, 0), "{flood:?}");
    assert_eq!(through.stop().unwrap(), 0);
    let local = at("198.51.100.10:5062");
    let phone = Phone {
        user: 1001,
        address: local.ip(),
        port: local.port(),
        transport: Transport::Udp,
    };
    let report = phone.register(&lab, 1, 10).unwrap();
    assert!(report.is_flawless(), "{report:?}");
    let trusted = said(&fence, &["trust"]);
    assert!(trusted.contains("198.51.100.10"), "{trusted}");

    // It bans, and takes lists and another policy over.
    said(&fence, &["ban", "198.51.100.99"]);
    assert!(said(&fence, &["bans"]).contains("198.51.100.99"));
    said(&fence, &["permit", "add", "203.0.113.77"]);
    fence
        .write("ringfence.toml", &policy("\"udp/5060\", \"tcp/5060\""))
        .unwrap();
    said(&fence, &["reload"]);
    // A dropped connection is ended here too, and its reset does not leave.
    let tried = lab.attacker.inside(|| {
        TcpStream::connect_timeout(
            &"192.0.2.10:5060".parse().unwrap(),
            Duration::from_millis(600),
        )
    });
    assert!(tried.unwrap().is_err());
    said(&fence, &["reload", "--confirm", "60s"]);
    said(&fence, &["confirm"]);

    // It stands without the daemon, is taken over, and goes.
    let ended = fence.terminate().unwrap().unwrap();
    assert_eq!(ended.code, 0, "{}", ended.output());
    complaints(&ended.output());
    fence.guard(&udp, COUNTRIES).unwrap();
    assert!(fence.log().unwrap().contains("took over the fence"));
    assert!(said(&fence, &["bans"]).contains("198.51.100.99"));
    fence.signal(Signal::SIGHUP).unwrap();
    said(&fence, &["status"]);
    said(&fence, &["stop"]);
    let ended = fence.wait().unwrap().unwrap();
    assert_eq!(ended.code, 0, "{}", ended.output());
    complaints(&ended.output());
    assert!(!fence.bpffs().join("ringfence").exists());
}

/// Nothing was refused that the daemon then went without.
fn complaints(log: &str) {
    let refused = ["not permitted", "denied", "cannot", "NOT", "ERROR"];
    let is_one = |line: &&str| refused.iter().any(|word| line.contains(word));
    let lines: Vec<_> = log.lines().filter(is_one).collect();
    assert!(lines.is_empty(), "{lines:#?}");
}
