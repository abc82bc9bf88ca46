//! What strangers send, slow and strange clients, a full disk, early signals.

use std::fs;
use std::io::{Read, Write};
use std::net::UdpSocket;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use nix::mount::{MsFlags, mount};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::place::{Daemon, Place, privileged, wait};

/// A scanner's name, with what a terminal obeys: set its title, clear it, turn the writing.
const AGENT: &str = "friendly-scanner\u{1b}]0;owned\u{7}\u{9b}2J\u{202e}\"\\";

fn scan(number: u32, agent: &str) -> String {
    format!(
        "OPTIONS sip:100@198.51.100.1 SIP/2.0\r\nVia: SIP/2.0/UDP 198.51.100.2;branch=z9hG4bK{number}\r\n\
         From: <sip:a@198.51.100.2>;tag=1\r\nTo: <sip:b@198.51.100.1>\r\nCall-ID: {number}\r\nCSeq: 1 OPTIONS\r\n\
         User-Agent: {agent}\r\nContent-Length: 0\r\n\r\n"
    )
}

/// Sends messages from 198.51.100.2.
fn send(place: &Place, messages: Vec<String>) {
    place.peer(move || {
        let socket = UdpSocket::bind("198.51.100.2:5060").unwrap();
        for message in messages {
            let _ = socket.send_to(message.as_bytes(), "198.51.100.1:5060");
        }
    });
}

#[test]
fn a_terminal_gets_nothing_to_obey() {
    privileged(|place| {
        let daemon = Daemon::start(place, "d", "", &[]);
        send(place, vec![scan(1, AGENT)]);
        for command in ["events", "bans"] {
            let mut text = String::new();
            wait("it is told", || {
                text = daemon.done(&[command, "--format", "json"]);
                text.contains("owned")
            });
            let hostile = |c: char| c.is_control() && c != '\n' || c == '\u{202e}';
            assert!(!text.contains(hostile), "{command}: {text:?}");
            let line: serde_json::Value =
                serde_json::from_str(text.lines().next().unwrap()).unwrap();
            let record = if command == "bans" { &line[0] } else { &line };
            assert!(record["evidence"].as_str().unwrap().contains(AGENT));
            let plain = daemon.done(&[command]);
            assert!(plain.contains("198.51.100.2") && !plain.contains(hostile));
        }
    });
}

#[test]
fn a_full_disk_ends_no_daemon() {
    privileged(|place| {
        let daemon = Daemon::start(place, "d", "", &[]);
        daemon.done(&["stop"]);
        let state = place.write("d", "state/full", "");
        let state = state.parent().unwrap();
        let size = Some("size=300k");
        mount(Some("tmpfs"), state, Some("tmpfs"), MsFlags::empty(), size).unwrap();
        let daemon = Daemon::start(place, "d", "", &[]);
        let fill = fs::write(state.join("full"), vec![0; 1 << 20]);
        assert!(fill.is_err(), "the disk is full");
        send(place, vec![scan(1, AGENT)]);
        wait("the ban is known", || {
            daemon.done(&["bans"]).contains("198.51.100.2 signature")
        });
        std::thread::sleep(Duration::from_secs(1));
        daemon.done(&["status"]);
        let log = daemon.kill();
        assert_eq!(log.matches("ERROR").count(), 1, "{log}");
        assert!(log.contains("full"), "{log}");
    });
}

#[test]
fn strange_clients_hold_nobody_up() {
    privileged(|place| {
        let daemon = Daemon::start(place, "d", "", &[]);
        let socket = place.write("d", "unused", "").with_file_name("socket");
        let mode = fs::metadata(&socket).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let client = || UnixStream::connect(&socket).unwrap();
        let silent = client();
        for garbage in [
            &b"{}\n"[..],
            b"\xff\xfe\n",
            b"null",
            &[b'['; 200_000],
            b"\n",
        ] {
            let mut client = client();
            // The daemon may have hung up before all of it was written.
            let _ = client.write_all(garbage);
            let _ = client.shutdown(std::net::Shutdown::Write);
            let mut answer = Vec::new();
            let _ = client.read_to_end(&mut answer);
            let text = String::from_utf8_lossy(&answer);
            assert!(answer.is_empty() || text.contains("\"ok\":false"), "{text}");
        }
        daemon.done(&["status"]);
        drop(silent);
    });
}

#[test]
fn a_signal_during_the_start_waits() {
    privileged(|place| {
        let daemon = Daemon::spawn(place, "d", "", &[]);
        let id = daemon.id();
        wait("it catches SIGHUP", || {
            let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap();
            let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
            u64::from_str_radix(caught.unwrap().trim(), 16).unwrap() & 1 == 1
        });
        kill(Pid::from_raw(id.cast_signed()), Signal::SIGHUP).unwrap();
        wait("it answers", || daemon.ask(&["status"]).status.success());
        let log = daemon.kill();
        assert!(log.contains("reloaded"), "{log}");
    });
}
