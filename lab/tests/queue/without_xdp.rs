//! Where XDP cannot be had, and where queues cannot either.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use ringfence_lab::{Kamailio, Lab, Ringfence, needs_root, program};

use crate::{abroad, guard, is_answered, listed, phone, policy, said, start};

/// Ringfence as a program that runs it in another way, `%` standing for it.
fn wrapped(directory: &tempfile::TempDir, how: &str) -> PathBuf {
    let path = directory.path().join("ringfence");
    let script = format!(
        "#!/bin/sh\n{}\n",
        how.replace('%', program().to_str().unwrap())
    );
    fs::write(&path, script).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
    path
}

/// A container may change its network, and load no programs.
const CONTAINER: &str =
    "exec setpriv --bounding-set -all,+net_admin --inh-caps -all,+net_admin % \"$@\"";

#[test]
fn a_container_is_guarded_from_queues() {
    if needs_root() {
        return;
    }
    let lab = Lab::new().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let _kamailio = Kamailio::start(&lab).unwrap();
    let stranger = abroad(&lab);
    let mut fence = Ringfence::prepare_program(&lab, wrapped(&directory, CONTAINER)).unwrap();
    start(&mut fence, &policy(""), "auto");
    let log = fence.log().unwrap();
    assert!(
        log.contains("CAP_BPF") && log.contains("queues of nftables"),
        "{log}"
    );
    assert!(!is_answered(&lab, 1001, stranger, 5081));
    let one = phone(1002, 5082);
    assert!(one.register(&lab, 1, 1).unwrap().is_flawless());
    let status = said(&fence, &["status"]);
    assert!(status.contains("queued by nftables"), "{status}");
    let trust = said(&fence, &["trust"]);
    assert!(trust.contains("1002"), "{trust}");
}

#[test]
fn where_xdp_comes_the_table_goes_and_the_other_way_round() {
    if needs_root() {
        return;
    }
    let lab = Lab::new().unwrap();
    let _kamailio = Kamailio::start(&lab).unwrap();
    let stranger = abroad(&lab);
    let mut fence = guard(&lab, &policy(""));
    for engine in ["xdp", "nfqueue", "auto"] {
        fence.terminate().unwrap();
        start(&mut fence, &policy(""), engine);
        assert_eq!(listed(&lab).is_some(), engine == "nfqueue", "{engine}");
        assert!(!is_answered(&lab, 1001, stranger, 5081), "{engine}");
        let link = lab
            .pbx
            .command("ip")
            .args(["link", "show", "eth0"])
            .output()
            .unwrap();
        let link = String::from_utf8(link.stdout).unwrap();
        assert_eq!(
            link.contains("xdp"),
            engine != "nfqueue",
            "{engine}: {link}"
        );
    }
}

#[test]
fn what_is_missing_is_told() {
    if needs_root() {
        return;
    }
    let lab = Lab::new().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let refused = |how: &str, told: &[&str]| {
        let mut fence = Ringfence::prepare_program(&lab, wrapped(&directory, how)).unwrap();
        let policy = fence.write("ringfence.toml", &policy("")).unwrap();
        let started = fence.start(&["--config", policy.to_str().unwrap(), "--engine", "nfqueue"]);
        let error = started.unwrap_err().to_string();
        for words in told {
            assert!(error.contains(words), "{words}: {error}");
        }
        assert_eq!(listed(&lab), None);
    };
    let hidden =
        "exec unshare -m sh -c 'mount -t tmpfs none /usr/sbin; exec \"$0\" \"$@\"' % \"$@\"";
    refused(
        hidden,
        &["the program nft is not there", "package nftables"],
    );
    let without = "exec setpriv --bounding-set -net_admin --inh-caps -net_admin % \"$@\"";
    refused(without, &["CAP_NET_ADMIN"]);
    let other = guard(&lab, &policy(""));
    let mut fence = Ringfence::prepare(&lab).unwrap();
    let path = fence.write("ringfence.toml", &policy("")).unwrap();
    let error = fence.start(&["--config", path.to_str().unwrap(), "--engine", "nfqueue"]);
    let error = error.unwrap_err().to_string();
    assert!(
        error.contains("cannot hold queue 5060") && error.contains("`first`"),
        "{error}"
    );
    assert!(said(&other, &["status"]).contains("queued by nftables"));
    assert!(listed(&lab).is_some(), "that of the other stands");
}
