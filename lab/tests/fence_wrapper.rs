//! The wrapper around Ringfence, held against a program that stands in for the daemon: it
//! listens on the control socket and shows how it was called. What the fence does is tested
//! where the fence is.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use ringfence_lab::{Lab, PBX_V4, Packet, Ringfence, Subnets, attack, needs_root};

const STAND_IN: &str = r#"#!/usr/bin/python3
import os, signal, socket, sys, time
arguments = sys.argv[1:]
path = arguments[arguments.index("--socket") + 1]
print(" ".join(arguments), os.readlink("/proc/self/ns/net"), flush=True)
if arguments[0] == "run":
    if "--broken" in arguments:
        sys.exit("no such interface")
    if os.path.exists(path):
        os.unlink(path)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
    while True:
        time.sleep(60)
sys.exit(3)
"#;

fn stand_in(directory: &tempfile::TempDir) -> PathBuf {
    let path = directory.path().join("ringfence");
    fs::write(&path, STAND_IN).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

#[test]
fn starts_asks_kills_and_stops() {
    if needs_root() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let lab = Lab::new().unwrap();
    let namespace = lab
        .pbx
        .inside(|| fs::read_link("/proc/thread-self/ns/net"))
        .unwrap()
        .unwrap();
    let namespace = namespace.to_string_lossy().into_owned();
    let mut fence = Ringfence::prepare_program(&lab, stand_in(&directory)).unwrap();
    let bpffs = fence.bpffs();
    let mounted = || fs::read_to_string("/proc/self/mounts").unwrap();
    assert!(mounted().contains(&format!("{} bpf ", bpffs.display())));

    fence.start(&["--enforce"]).unwrap();
    assert!(fence.is_running().unwrap());
    let log = fence.log().unwrap();
    assert!(
        log.starts_with("run --enforce --bpffs /") && log.contains(&namespace),
        "{log}"
    );

    let answer = fence.cli(&["status", "--format", "json"]).unwrap();
    assert_eq!((answer.code, answer.timed_out), (3, false));
    assert!(
        answer.stdout.starts_with("status --format json --socket /"),
        "{}",
        answer.stdout
    );

    assert_eq!(fence.kill9().unwrap().unwrap().code, 128 + 9);
    assert!(!fence.is_running().unwrap());
    fence.start(&[]).unwrap();
    assert_eq!(fence.terminate().unwrap().unwrap().code, 7);
    assert!(fence.terminate().unwrap().is_none());

    let error = fence.start(&["--broken"]).unwrap_err().to_string();
    assert!(error.contains("no such interface"), "{error}");
    drop(fence);
    assert!(!mounted().contains(&*bpffs.to_string_lossy()));
}

#[test]
fn places_and_addresses_can_be_added() {
    if needs_root() {
        return;
    }
    let lab = Lab::new().unwrap();
    let subnets = Subnets {
        v4: Ipv4Addr::new(100, 64, 9, 0),
        v6: Ipv6Addr::new(0x2001, 0xdb8, 0x99, 0, 0, 0, 0, 0),
    };
    let elsewhere = lab.add_place("abroad", subnets).unwrap();
    let foreign = IpAddr::V4(Ipv4Addr::new(100, 65, 1, 1));
    lab.add_address(&lab.attacker, foreign).unwrap();
    let arrived = lab
        .count_packets(&lab.pbx, "eth0", |packet: &Packet<'_>| {
            !packet.outgoing && packet.dst == IpAddr::V4(PBX_V4) && packet.has_port(5060)
        })
        .unwrap();
    let scan = attack::svmap(&lab, foreign, PBX_V4.into()).unwrap();
    assert!(!scan.answered, "{}", scan.finished.output());
    let sent = elsewhere
        .inside(|| {
            let socket = std::net::UdpSocket::bind((subnets.v4(10), 0))?;
            socket.send_to(b"x", (PBX_V4, 5060))
        })
        .unwrap();
    assert_eq!(sent.unwrap(), 1);
    assert_eq!(arrived.stop().unwrap(), 2);
}
