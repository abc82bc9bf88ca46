//! Trust as the daemon keeps it: learned by the kernel from a registrar's answers, stored, given back, forgotten.

use std::net::UdpSocket;
use std::time::Duration;

use serde_json::Value;

use crate::place::{Daemon, Place, privileged, wait};

/// What guards the registrar.
const CONFIG: &str = "mode = \"enforce\"";

/// The registrar behind the fence, and what a phone at 198.51.100.2 asks of it.
struct Registrar<'a> {
    place: &'a Place,
    socket: UdpSocket,
    asked: u32,
    /// The last nonce given.
    nonce: u32,
}

impl<'a> Registrar<'a> {
    fn new(place: &'a Place) -> Self {
        let socket = UdpSocket::bind("198.51.100.1:5060").unwrap();
        let patience = Some(Duration::from_millis(500));
        socket.set_read_timeout(patience).unwrap();
        Self {
            place,
            socket,
            asked: 0,
            nonce: 0,
        }
    }

    /// The phone asks with credentials, made with the nonce of the answer before, and is answered so; whether its request
    /// got through the fence.
    fn answers(&mut self, port: u16, user: &str, status: &str) -> bool {
        self.asked += 1;
        let n = self.asked;
        let common = format!(
            "Via: SIP/2.0/UDP 198.51.100.2:{port};branch=z9hG4bK{n}x{port}\r\n\
             From: <sip:{user}@pbx.example>;tag=f{n}\r\nTo: <sip:{user}@pbx.example>{{}}\r\n\
             Call-ID: {n}c{port}@phone\r\nCSeq: {n} REGISTER\r\n\
             Contact: <sip:{user}@198.51.100.2:{port}>;expires=3600\r\n"
        );
        let request = format!(
            "REGISTER sip:pbx.example SIP/2.0\r\n{}Max-Forwards: 70\r\n\
             Authorization: Digest username=\"{user}\", realm=\"pbx.example\", nonce=\"nonce{}\", \
             uri=\"sip:pbx.example\", response=\"0123456789abcdef0123456789abcdef\"\r\n\
             Content-Length: 0\r\n\r\n",
            common.replace("{}", ""),
            self.nonce
        );
        let response = format!(
            "SIP/2.0 {status}\r\n{}\
             WWW-Authenticate: Digest realm=\"pbx.example\", nonce=\"nonce{n}\"\r\n\
             Content-Length: 0\r\n\r\n",
            common.replace("{}", &format!(";tag=t{n}"))
        );
        let mut got = false;
        self.place.peer(|| {
            let phone = UdpSocket::bind(("198.51.100.2", port)).unwrap();
            phone
                .send_to(request.as_bytes(), "198.51.100.1:5060")
                .unwrap();
        });
        let mut bytes = [0; 2000];
        if let Ok((_, from)) = self.socket.recv_from(&mut bytes) {
            self.socket.send_to(response.as_bytes(), from).unwrap();
            self.nonce = n;
            got = true;
        }
        got
    }
}

fn json(daemon: &Daemon<'_>, arguments: &[&str]) -> Value {
    let text = daemon.done(&[arguments, &["--format", "json"]].concat());
    serde_json::from_str(&text).unwrap()
}

/// The accounts of the only address that is trusted.
fn accounts(daemon: &Daemon<'_>) -> Vec<String> {
    let trusted = json(daemon, &["trust"]);
    let Some(first) = trusted.get(0) else {
        return Vec::new();
    };
    assert_eq!(first["address"], "198.51.100.2", "{trusted}");
    let accounts = first["accounts"].as_array().unwrap();
    accounts
        .iter()
        .map(|name| name.as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn trust_outlasts_the_daemon_and_the_kernels_tables() {
    privileged(|place| {
        let daemon = Daemon::start(place, "d", CONFIG, &[]);
        let mut registrar = Registrar::new(place);
        assert!(registrar.answers(5062, "1007", "200 OK"));
        assert!(registrar.answers(5063, "1008", "200 OK"));
        assert_eq!(accounts(&daemon), ["1007", "1008"]);
        let trusted = json(&daemon, &["trust"]);
        assert_eq!(trusted[0]["why"][0], "registered");
        assert_eq!(trusted[0]["contacts"], 2);
        assert_eq!(trusted[0]["requests_in_10s"], 30);
        let text = daemon.done(&["status"]);
        let counted = "addresses trusted: 1 registered, 0 solicited, 0 known; accounts: 2";
        assert!(text.contains(counted), "{text}");
        let log = daemon.kill();
        assert!(
            log.contains("1007 registered from 198.51.100.2 port 5062"),
            "{log}"
        );

        // The kernel's own word, after a crash.
        let daemon = Daemon::start(place, "d", CONFIG, &[]);
        assert_eq!(accounts(&daemon), ["1007", "1008"]);
        // New tables, as after a reboot.
        daemon.done(&["stop"]);
        drop(daemon);
        let daemon = Daemon::start(place, "d", CONFIG, &[]);
        let again = json(&daemon, &["trust"]);
        assert_eq!(again[0]["accounts"], trusted[0]["accounts"]);
        assert_eq!(again[0]["contacts"], trusted[0]["contacts"]);
        assert_eq!(again[0]["requests_in_10s"], 30);
        let told = daemon.done(&["why", "1007"]);
        assert!(told.starts_with("1007 is registered from 198.51.100.2 until"));
        // No tripwire may name an account.
        place.configure("d", &format!("tripwires = [\"1000-1099\"]\n{CONFIG}"));
        let told = daemon.refused(&["reload"]);
        assert!(told.contains("the old policy stays in force"), "{told}");
        let why = "the tripwire \"1000-1099\" names an account: 100";
        assert!(told.contains(why), "{told}");
        let told = daemon.refused(&["check"]);
        assert!(told.contains(why), "{told}");
        place.configure("d", CONFIG);

        let forgotten = daemon.done(&["trust", "forget", "198.51.100.2"]);
        assert!(forgotten.starts_with("198.51.100.2 is no longer trusted"));
        assert_eq!(daemon.done(&["trust"]), "");
        daemon.done(&["stop"]);
        drop(daemon);
        let daemon = Daemon::start(place, "d", CONFIG, &[]);
        assert_eq!(daemon.done(&["trust"]), "");
        let told = daemon.done(&["why", "1007"]);
        assert!(
            told.contains("is not registered; it last was from"),
            "{told}"
        );
    });
}

#[test]
fn a_guesser_is_banned_for_longer_each_time_and_told_why() {
    privileged(|place| {
        let times = format!("{CONFIG}\n[ban]\ntimes = [\"5s\", \"1h\"]\n");
        let daemon = Daemon::start(place, "d", &times, &[]);
        let mut registrar = Registrar::new(place);
        for times in [1, 2] {
            let mut guesses = 0;
            while guesses < 20 && registrar.answers(5062, "1007", "401 Unauthorized") {
                guesses += 1;
            }
            assert!(guesses <= 10, "{guesses} got through");
            let bans = json(&daemon, &["bans"]);
            let ban = &bans[0];
            assert_eq!(ban["reason"], "failures", "{bans}");
            assert_eq!(
                (&ban["times"], &ban["proved"]),
                (&times.into(), &true.into())
            );
            let moment = |key| {
                ban[key]
                    .as_str()
                    .unwrap()
                    .parse::<jiff::Timestamp>()
                    .unwrap()
            };
            let time = moment("until").duration_since(moment("since")).as_secs();
            assert_eq!(time > 3000, times == 2, "{bans}");
            if times == 1 {
                wait("it is over", || daemon.done(&["bans"]).is_empty());
                // The kernel counts more finely than in seconds.
                std::thread::sleep(Duration::from_secs(1));
            }
        }
        let why = daemon.done(&["why", "198.51.100.2"]);
        assert!(why.contains("let it in with `ringfence unban"), "{why}");
        let account = daemon.done(&["why", "1007"]);
        assert!(account.contains("refused from 198.51.100.2"), "{account}");
        let report = daemon.done(&["report"]);
        assert!(report.contains("failures at sip"), "{report}");
        let unbanned = daemon.done(&["unban", "198.51.100.2"]);
        assert!(unbanned.contains("is no longer banned; it was:"));
        wait("it is let in", || registrar.answers(5062, "1007", "200 OK"));
        let report = json(&daemon, &["report"]);
        assert_eq!(report["false_alarms"][0]["account"], "1007", "{report}");
    });
}

#[test]
fn it_is_told_when_it_is_too_early_to_enforce() {
    privileged(|place| {
        let daemon = Daemon::start(place, "d", "", &[]);
        let told = daemon.done(&["reload", "--enforce"]);
        assert!(
            told.contains("warning: it has learned who belongs for"),
            "{told}"
        );
        let again = daemon.done(&["reload"]);
        assert!(!again.contains("warning"), "{again}");
        daemon.done(&["reload", "--shadow"]);
        let log = daemon.kill();
        assert!(log.contains("no registration was seen yet"), "{log}");
    });
}

#[test]
fn many_banned_addresses_ban_their_net_until_it_is_lifted() {
    privileged(|place| {
        let nets = format!("{CONFIG}\ntripwires = [\"admin\"]\n[ban]\nsubnet = 2\n");
        let daemon = Daemon::start(place, "d", &nets, &[]);
        let server = UdpSocket::bind("198.51.100.1:5060").unwrap();
        let patience = Some(Duration::from_millis(500));
        server.set_read_timeout(patience).unwrap();
        let got_through = |host: u8, user: &str| {
            place.peer(|| {
                let source = format!("203.0.113.{host}");
                let added = std::process::Command::new("ip")
                    .args(["addr", "replace", &format!("{source}/32"), "dev", "sip1"])
                    .status();
                assert!(added.unwrap().success());
                let socket = UdpSocket::bind((source.as_str(), 5060)).unwrap();
                let request = format!(
                    "REGISTER sip:pbx.example SIP/2.0\r\nVia: SIP/2.0/UDP {source}:5060;branch=z9hG4bK{host}\r\n\
                     Max-Forwards: 70\r\nFrom: <sip:{user}@pbx.example>;tag=f\r\nTo: <sip:{user}@pbx.example>\r\n\
                     Call-ID: {host}@x\r\nCSeq: 1 REGISTER\r\nContact: <sip:{user}@{source}>\r\n\
                     Content-Length: 0\r\n\r\n"
                );
                socket.send_to(request.as_bytes(), "198.51.100.1:5060").unwrap();
            });
            server.recv_from(&mut [0; 2000]).is_ok()
        };
        let net = || {
            let bans = json(&daemon, &["bans"]);
            let bans = bans.as_array().unwrap();
            bans.iter().find(|ban| ban["prefix_len"] == 24).cloned()
        };
        assert!(!got_through(0, "admin"));
        assert_eq!(net(), None);
        assert!(got_through(9, "1007"));
        assert!(!got_through(7, "admin"));
        let banned = net().unwrap();
        assert_eq!(banned["reason"], "tripwire", "{banned}");
        assert_eq!(banned["address"], "203.0.113.0");
        assert!(!got_through(9, "1007"));
        let why = daemon.done(&["why", "203.0.113.9"]);
        assert!(why.contains("`ringfence unban 203.0.113.0/24`"), "{why}");
        let told = daemon.done(&["unban", "203.0.113.9"]);
        assert!(
            told.contains("203.0.113.9 was not banned\nall of"),
            "{told}"
        );
        // It is read back as what it is.
        drop(daemon);
        let daemon = Daemon::start(place, "d", &nets, &[]);
        let told = daemon.done(&["bans"]);
        assert!(told.contains("203.0.113.0/24 tripwire until"), "{told}");
        assert_eq!(told.lines().count(), 3, "{told}");
        let lifted = daemon.done(&["unban", "203.0.113.0/24"]);
        assert!(
            lifted.contains("203.0.113.0/24 is no longer banned"),
            "{lifted}"
        );
        assert_eq!(daemon.done(&["bans"]), "");
        assert!(got_through(9, "1007"));
        // Somebody who is permitted spares the net.
        daemon.done(&["permit", "add", "203.0.113.200"]);
        assert!(!got_through(1, "admin") && !got_through(2, "admin"));
        let told = daemon.done(&["bans"]);
        assert_eq!(told.lines().count(), 2, "{told}");
        let log = daemon.kill();
        assert_eq!(log.matches("is not banned as a whole").count(), 1, "{log}");
    });
}
