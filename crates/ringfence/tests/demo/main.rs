//! `ringfence demo` through the binary, and the capture that it plays.

mod capture;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// With RINGFENCE_WRITE_DEMO set it writes the file, else it compares.
#[test]
fn the_capture_is_what_it_is_made_from() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../assets/demo/attack.pcap");
    let made = capture::build();
    if std::env::var_os("RINGFENCE_WRITE_DEMO").is_some() {
        fs::write(&path, &made).expect("the capture is written");
    }
    assert!(
        fs::read(&path).expect("the capture is read") == made,
        "run this test with RINGFENCE_WRITE_DEMO=1"
    );
}

fn privileged() -> bool {
    let root = nix::unistd::geteuid().is_root();
    if !root {
        println!("skipped: needs root");
    }
    root
}

fn demo(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ringfence"));
    command.arg("demo").args(arguments);
    command
}

/// Interfaces, named namespaces and pins of this host.
fn traces() -> BTreeSet<String> {
    ["/sys/class/net", "/run/netns", "/sys/fs/bpf"]
        .iter()
        .filter_map(|directory| fs::read_dir(directory).ok())
        .flatten()
        .map(|entry| entry.expect("an entry").path().display().to_string())
        // Laboratories that run beside this test make namespaces too.
        .filter(|path| !path.contains("/rf-"))
        .collect()
}

fn text(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout.clone()).expect("text")
}

#[test]
fn everyone_meets_what_is_meant_for_them() {
    if !privileged() {
        return;
    }
    let before = traces();
    let output = text(&demo(&["--seconds", "3"]).output().expect("it runs"));
    println!("{output}");
    let row = |who: &str| {
        let mut lines = output.lines().skip_while(|line| !line.starts_with(who));
        lines.nth(1).expect("a row of two lines").to_owned()
    };
    for (who, reasons) in [
        ("desk phone", &["clean"][..]),
        ("softphone", &["clean"]),
        ("scanner", &["signature", "banned"]),
        ("password guesser", &["domain", "banned"]),
        ("toll fraudster", &["country"]),
        ("administrator", &["unprotected"]),
    ] {
        for reason in reasons {
            assert!(row(who).contains(reason), "{who}: {reason}");
        }
    }
    assert!(!output.contains('\x1b'), "no terminal, no redrawing");
    assert_eq!(traces(), before);
}

#[test]
fn programs_get_one_object_a_line() {
    if !privileged() {
        return;
    }
    let output = text(
        &demo(&["--seconds", "1", "--format", "json"])
            .output()
            .expect("it runs"),
    );
    for line in output.lines() {
        let player: serde_json::Value = serde_json::from_str(line).expect("JSON");
        let number = |key: &str| player[key].as_u64().expect("a number");
        assert_eq!(number("sent"), number("passed") + number("dropped"));
        assert!(number("sent") > 0);
    }
    assert_eq!(output.lines().count(), 6);
}

#[test]
fn an_interrupt_leaves_nothing_behind() {
    if !privileged() {
        return;
    }
    let before = traces();
    let mut child = demo(&[]).stdout(Stdio::null()).spawn().expect("it runs");
    std::thread::sleep(Duration::from_millis(1500));
    let pid = i32::try_from(child.id()).expect("a process number");
    kill(Pid::from_raw(pid), Signal::SIGINT).expect("it can be interrupted");
    assert!(!child.wait().expect("it ends").success());
    assert_eq!(traces(), before);
}

#[test]
fn without_root_it_names_what_is_missing() {
    if !privileged() {
        return;
    }
    let output = Command::new("setpriv")
        .args(["--bounding-set=-sys_admin", "--inh-caps=-sys_admin"])
        .arg(env!("CARGO_BIN_EXE_ringfence"))
        .arg("demo")
        .output()
        .expect("setpriv runs");
    assert_eq!(output.status.code(), Some(1));
    let message = String::from_utf8(output.stderr).expect("text");
    assert!(message.contains("CAP_SYS_ADMIN"), "{message}");
    assert_eq!(message.lines().count(), 1, "{message}");
}
