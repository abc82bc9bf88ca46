//! Hosts that are permitted by name: their packets pass while the name has their address, also after a restart without a
//! name server, and their bans are not shared.

use std::fs;
use std::net::{Ipv4Addr, UdpSocket};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use ringfence_lab::{Lab, Ringfence, Wire, needs_root, program};

use crate::{COUNTRIES, passes, policy, until};

/// The stranger whose packets are sent.
const STRANGER: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 9);

/// A name server that knows one name and its one address, until it is to end.
fn name_server(socket: &UdpSocket, ended: &AtomicBool) {
    let mut bytes = [0; 512];
    while !ended.load(Ordering::Relaxed) {
        let Ok((length, from)) = socket.recv_from(&mut bytes) else {
            continue;
        };
        let asked = &bytes[..length];
        // RFC 1035 section 4.1: the name begins behind the header; type and class stand behind it.
        let end = asked[12..].iter().position(|byte| *byte == 0).unwrap() + 13;
        let known = asked[12..end].eq_ignore_ascii_case(b"\x04boss\x07example\x00");
        let address = known && asked[end..end + 2] == [0, 1];
        let mut reply = asked[..2].to_vec();
        reply.extend([0x81, if known { 0x80 } else { 0x83 }, 0, 1]);
        reply.extend([0, u8::from(address), 0, 0, 0, 0]);
        reply.extend(&asked[12..end + 4]);
        if address {
            reply.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
            reply.extend(STRANGER.octets());
        }
        socket.send_to(&reply, from).unwrap();
    }
}

/// The program under test, with loopback as its name server whatever this machine's are.
fn asking_loopback(place: &Path) -> PathBuf {
    let servers = place.join("resolv.conf");
    fs::write(
        &servers,
        "nameserver 127.0.0.1\noptions attempts:1 timeout:1\n",
    )
    .unwrap();
    let script = place.join("ringfence");
    let text = format!(
        "#!/bin/sh\nexec unshare --mount --propagation slave sh -c 'mount --bind {} /etc/resolv.conf && exec {} \"$@\"' \
         sh \"$@\"\n",
        servers.display(),
        fs::canonicalize(program()).unwrap().display()
    );
    fs::write(&script, text).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    script
}

fn said(fence: &Ringfence<'_>, arguments: &[&str]) -> String {
    let answer = fence.cli(arguments).unwrap();
    assert_eq!(answer.code, 0, "{arguments:?}: {}", answer.output());
    answer.output()
}

#[test]
fn a_host_that_is_permitted_by_name_passes_as_long_as_it_is() {
    if needs_root() {
        return;
    }
    let lab = Lab::new().unwrap();
    let wire = Wire::lay(&lab.attacker, &lab.pbx, "eth1").unwrap();
    let place = tempfile::tempdir().unwrap();
    let mut fence = Ringfence::prepare_program(&lab, asking_loopback(place.path())).unwrap();
    let socket = lab.pbx.inside(|| UdpSocket::bind("127.0.0.1:53").unwrap());
    let socket = socket.unwrap();
    let patience = Some(Duration::from_millis(100));
    socket.set_read_timeout(patience).unwrap();
    let ended = AtomicBool::new(false);
    let policy = policy("\"eth1\"", "\"GB\"");
    thread::scope(|scope| {
        scope.spawn(|| name_server(&socket, &ended));
        fence.guard(&policy, COUNTRIES).unwrap();
        assert!(!passes(&lab, &wire, "eth1"), "nobody named it");
        let told = said(
            &fence,
            &["permit", "add", "Boss.Example", "--comment", "travels"],
        );
        assert!(
            told.contains("boss.example is now on the permit list"),
            "{told}"
        );
        let list = || said(&fence, &["permit", "list"]);
        until("the name is looked up", || list().contains("203.0.113.9"));
        until("it passes", || passes(&lab, &wire, "eth1"));
        let why = said(&fence, &["why", "203.0.113.9"]);
        assert!(why.contains("permitted as boss.example"), "{why}");
        // A ban of whoever belongs here goes to nobody else.
        said(&fence, &["ban", "203.0.113.9"]);
        said(&fence, &["ban", "203.0.113.77"]);
        assert_eq!(said(&fence, &["export", "bans"]).trim(), "203.0.113.77");
        ended.store(true, Ordering::Relaxed);
    });
    drop(socket);
    // Nobody answers any more: what the name had before holds.
    fence.guard(&policy, COUNTRIES).unwrap();
    assert!(passes(&lab, &wire, "eth1"), "{}", fence.log().unwrap());
    said(&fence, &["permit", "remove", "boss.example"]);
    until("it is a stranger", || !passes(&lab, &wire, "eth1"));
}
