//! SIGHUP reloads, SIGTERM leaves the fence standing, Ctrl-C and `stop` take it down.

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use nix::pty::openpty;
use nix::sys::signal::Signal;
use ringfence_lab::{Lab, needs_root};

use crate::{guarded, passes, policy, until, xdp};

#[test]
fn a_hangup_reloads_and_a_bad_file_changes_nothing() {
    if needs_root() {
        return;
    }
    let lab = Lab::new().unwrap();
    let (wire, mut fence) = guarded(&lab);
    assert!(!passes(&lab, &wire, "eth1"));

    fence.write("ringfence.toml", "mode = \"open\"\n").unwrap();
    fence.signal(Signal::SIGHUP).unwrap();
    until("the daemon refuses the file", || {
        fence
            .log()
            .unwrap()
            .contains("the old policy stays in force")
    });
    let log = fence.log().unwrap();
    assert!(
        log.contains("ringfence.toml:1:") && !log.contains("reloaded"),
        "{log}"
    );
    assert!(!passes(&lab, &wire, "eth1"));
    let asked = fence.cli(&["reload"]).unwrap();
    assert!(
        asked.code == 1 && asked.stderr.contains("the old policy stays in force"),
        "{asked:?}"
    );

    fence
        .write("ringfence.toml", &policy("\"eth1\"", "\"RU\""))
        .unwrap();
    fence.signal(Signal::SIGHUP).unwrap();
    until("the daemon reloads", || {
        fence.log().unwrap().contains("reloaded; generation")
    });
    assert!(passes(&lab, &wire, "eth1"));
    assert!(fence.is_running().unwrap());
    fence.terminate().unwrap();
}

#[test]
fn the_fence_outlasts_the_daemon_until_it_is_stopped() {
    if needs_root() {
        return;
    }
    let lab = Lab::new().unwrap();
    let (wire, mut fence) = guarded(&lab);
    let attached = xdp(&lab, "eth1");
    assert!(attached.contains("prog/xdp"), "{attached}");

    let ended = fence.terminate().unwrap().unwrap();
    assert_eq!((ended.code, ended.timed_out), (0, false), "{ended:?}");
    assert!(ended.stderr.contains("the fence stands"), "{ended:?}");
    assert!(!fence.socket().exists());
    assert_eq!(xdp(&lab, "eth1"), attached);
    assert!(!passes(&lab, &wire, "eth1"));

    // With nobody to ask, the command does it itself.
    let bpffs = fence.bpffs();
    let stop = ["stop", "--bpffs", bpffs.to_str().unwrap()];
    let stopped = fence.cli(&stop).unwrap();
    assert_eq!(stopped.code, 0, "{stopped:?}");
    assert!(
        stopped.stdout.contains("the fence is taken down"),
        "{stopped:?}"
    );
    assert_eq!(xdp(&lab, "eth1"), "");
    assert!(passes(&lab, &wire, "eth1"));
    assert!(
        fence
            .cli(&stop)
            .unwrap()
            .stdout
            .contains("there is no fence")
    );
}

#[test]
fn stop_detaches_and_ends_the_daemon() {
    if needs_root() {
        return;
    }
    let lab = Lab::new().unwrap();
    let (wire, mut fence) = guarded(&lab);
    assert!(!passes(&lab, &wire, "eth1"));

    let stopped = fence.cli(&["stop"]).unwrap();
    assert_eq!(stopped.code, 0, "{stopped:?}");
    assert_eq!(xdp(&lab, "eth1"), "");
    assert!(!fence.bpffs().join("ringfence").exists());
    assert!(passes(&lab, &wire, "eth1"));
    let ended = fence.wait().unwrap().unwrap();
    assert_eq!((ended.code, ended.timed_out), (0, false), "{ended:?}");
}

#[test]
fn an_interrupt_detaches_at_a_terminal_only() {
    if needs_root() {
        return;
    }
    let lab = Lab::new().unwrap();
    let (wire, mut fence) = guarded(&lab);
    fence.signal(Signal::SIGINT).unwrap();
    let ended = fence.wait().unwrap().unwrap();
    assert_eq!((ended.code, ended.timed_out), (0, false), "{ended:?}");
    assert!(!passes(&lab, &wire, "eth1"), "it was no terminal");

    // Another path in the file moves no fence that stands.
    let policy = policy("\"eth1\"", "\"GB\"");
    let file = |bpffs: PathBuf| {
        let text = format!("bpffs = {bpffs:?}\n{policy}");
        fence.write("ringfence.toml", &text).unwrap()
    };
    let path = file(fence.bpffs());
    let mut run = fence.command();
    run.arg("run").arg("--config").arg(path);
    run.arg("--state").arg(fence.state());
    run.arg("--socket").arg(fence.socket());
    let pty = openpty(None, None).unwrap();
    let mut daemon = Command::new("setsid")
        .arg("--ctty")
        .arg(run.get_program())
        .args(run.get_args())
        .stdin(pty.slave)
        .stdout(Stdio::null())
        // What is written to a terminal at an interrupt may be lost there.
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    until("the daemon answers", || {
        daemon.try_wait().unwrap().is_some() || fence.cli(&["status"]).unwrap().code == 0
    });
    file(PathBuf::from("/nowhere"));
    let reloaded = fence.cli(&["reload"]).unwrap();
    assert_eq!(reloaded.code, 0, "{reloaded:?}");
    assert!(!passes(&lab, &wire, "eth1"));

    let mut keyboard = File::from(pty.master);
    keyboard.write_all(b"\x03").unwrap();
    until("the daemon ends", || daemon.try_wait().unwrap().is_some());
    let ended = daemon.wait_with_output().unwrap();
    let log = String::from_utf8(ended.stderr).unwrap();
    assert!(ended.status.success(), "{log}");
    assert!(log.contains("the fence is taken down"), "{log}");
    assert_eq!(xdp(&lab, "eth1"), "");
    assert!(passes(&lab, &wire, "eth1"));
}
