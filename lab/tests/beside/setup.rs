//! The first hour: a real registrar is found, and a real scanner is what would have been dropped.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::IpAddr;
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use nix::pty::openpty;
use ringfence_lab::{Kamailio, Lab, PBX_V4, Phone, Ringfence, Transport, attack, needs_root};
use serde_json::Value;

use crate::{COUNTRIES, lines, run};

#[test]
fn a_server_is_found_and_watched_and_nothing_is_dropped() {
    if needs_root() {
        return;
    }
    let lab = Lab::new().unwrap();
    let kamailio = Kamailio::start(&lab).unwrap();
    let fence = Ringfence::prepare(&lab).unwrap();
    let countries = fence.write("countries.csv", COUNTRIES).unwrap();
    let state = fence.state();
    let file = state.join("made.toml");
    let attacker: IpAddr = [203, 0, 113, 10].into();
    let arguments = [
        "setup",
        "--countries",
        "GB",
        "--mail",
        "admin@example.com",
        "--interface",
        "eth0",
        "--watch",
        "8s",
        "--format",
        "json",
        "--output",
        file.to_str().unwrap(),
        "--country-db",
        countries.to_str().unwrap(),
        "--state",
        state.to_str().unwrap(),
    ];
    let output = thread::scope(|scope| {
        let setup = scope.spawn(|| run(&fence, &arguments));
        // It listens a moment after its start; the file is written before.
        for _ in 0..100 {
            if file.exists() {
                break;
            }
            thread::sleep(Duration::from_millis(50));
        }
        thread::sleep(Duration::from_secs(2));
        let phone = Phone {
            user: 1001,
            address: [198, 51, 100, 10].into(),
            port: 5081,
            transport: Transport::Udp,
        };
        assert!(phone.register(&lab, 1, 20).unwrap().is_flawless());
        let scan = attack::svmap(&lab, attacker, PBX_V4.into()).unwrap();
        assert!(scan.answered, "{}", scan.finished.output());
        setup.join().unwrap()
    });
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{error}");
    let [report]: [Value; 1] = lines(&output.stdout).try_into().unwrap();
    let services = report["services"].as_array().unwrap();
    let sip = services
        .iter()
        .find(|service| service["name"] == "sip")
        .unwrap();
    let ports = sip["ports"].as_array().unwrap();
    assert!(ports.iter().any(|port| port == "udp/5060"), "{report}");
    assert!(ports.iter().any(|port| port == "tcp/5060"), "{report}");
    assert!(
        sip["why"].to_string().contains("kamailio listens there"),
        "{report}"
    );
    let watched = &report["watch"];
    let dropped = watched["dropped"].as_array().unwrap();
    let scanner = |it: &&Value| it["source"] == attacker.to_string() && it["service"] == "sip";
    assert!(dropped.iter().any(|it| scanner(&it)), "{report}");
    assert!(
        dropped.iter().all(|it| it["source"] != "198.51.100.10"),
        "{report}"
    );
    assert_eq!(watched["learned"]["registered"], 1, "{report}");
    // The scanner did reach the server: looking on is all that was done.
    let requests = kamailio.requests().unwrap();
    assert!(requests.iter().any(|request| request.src == attacker));
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.contains("mode = \"shadow\""), "{text}");
    let check = run(&fence, &["check", "--config", file.to_str().unwrap()]);
    assert!(check.status.success(), "{check:?}");
}

/// On a terminal it asks, asks again where the answer is wrong, and writes after a yes alone.
#[test]
fn on_a_terminal_it_asks() {
    if needs_root() {
        return;
    }
    let lab = Lab::new().unwrap();
    let fence = Ringfence::prepare(&lab).unwrap();
    let file = fence.write("asked.toml", "# an earlier one\n").unwrap();
    let terminal = openpty(None, None).unwrap();
    let (master, end) = (File::from(terminal.master), File::from(terminal.slave));
    let stdio = || Stdio::from(end.try_clone().unwrap());
    let mut command = fence.command();
    command
        .args(["setup", "--no-watch", "--output", file.to_str().unwrap()])
        .env("SSH_CONNECTION", "198.51.100.7 50022 192.0.2.10 22")
        .stdin(stdio())
        .stdout(stdio())
        .stderr(stdio());
    let mut running = command.spawn().unwrap();
    // This end is closed when the program has ended, and reading fails then.
    drop((command, end));
    let mut answers = [
        ("Countries that", "Britain\r"),
        (
            "there is no country",
            "\u{7f}\u{7f}\u{7f}\u{7f}\u{7f}\u{7f}\u{7f}gb\r",
        ),
        ("Names that", "sip.example.com\r"),
        ("A provider", "uk=203.0.113.0/28\r"),
        ("A provider", "\r"),
        ("by e-mail", "admin@example.com\r"),
        ("Permit 198.51.100.7", "y"),
        ("Admit SSH", "n"),
        ("is there. Replace it", "y"),
    ]
    .into_iter()
    .peekable();
    let (mut told, mut fresh) = (String::new(), String::new());
    let mut bytes = [0; 4096];
    let mut master = &master;
    while let Ok(length @ 1..) = master.read(&mut bytes) {
        let text = String::from_utf8_lossy(&bytes[..length]).into_owned();
        told.push_str(&text);
        fresh.push_str(&text);
        if let Some((_, answer)) = answers.next_if(|(asked, _)| fresh.contains(asked)) {
            // What is typed before the program listens on the terminal would be lost.
            thread::sleep(Duration::from_millis(300));
            fresh.clear();
            master.write_all(answer.as_bytes()).unwrap();
        }
    }
    assert!(running.wait().unwrap().success(), "{told}");
    assert_eq!(answers.next(), None, "{told}");
    let text = fs::read_to_string(&file).unwrap();
    for part in [
        "countries = [\"GB\"]",
        "domains = [\"sip.example.com\"]",
        "name  = \"uk\"",
        "address = \"198.51.100.7\"",
        "to = [\"admin@example.com\"]",
        "from    = \"permitted\"",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let kept = fs::read_to_string(format!("{}.bak", file.display())).unwrap();
    assert_eq!(kept, "# an earlier one\n");
}

#[test]
fn a_file_that_is_there_stays() {
    if needs_root() {
        return;
    }
    let lab = Lab::new().unwrap();
    let fence = Ringfence::prepare(&lab).unwrap();
    let file = fence
        .write("ringfence.toml", "mode = \"enforce\"\n")
        .unwrap();
    let path = file.to_str().unwrap();
    let setup = |more: &[&str]| {
        let all = [&["setup", "--no-watch", "--output", path], more].concat();
        run(&fence, &all)
    };
    let refused = setup(&[]);
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    assert!(String::from_utf8_lossy(&refused.stderr).contains("--force"));
    assert_eq!(fs::read_to_string(&file).unwrap(), "mode = \"enforce\"\n");
    let done = setup(&["--force"]);
    assert!(done.status.success(), "{done:?}");
    let told = String::from_utf8_lossy(&done.stderr);
    assert!(told.contains("no SIP server was found"), "{told}");
    assert!(
        fs::read_to_string(&file)
            .unwrap()
            .contains("mode = \"shadow\"")
    );
    let kept = fs::read_to_string(format!("{path}.bak")).unwrap();
    assert_eq!(kept, "mode = \"enforce\"\n");
    // What cannot be a country is said before anything is written.
    let wrong = setup(&["--force", "--countries", "Britain"]);
    assert_eq!(wrong.status.code(), Some(2), "{wrong:?}");
}

#[test]
fn the_daemon_that_runs_takes_it_over_with_consent() {
    if needs_root() {
        return;
    }
    let lab = Lab::new().unwrap();
    let _kamailio = Kamailio::start(&lab).unwrap();
    let mut fence = Ringfence::prepare(&lab).unwrap();
    fence
        .guard("mode = \"shadow\"\ninterfaces = [\"eth0\"]\n", COUNTRIES)
        .unwrap();
    let file = fence.state().with_file_name("ringfence.toml");
    let arguments = [
        "setup",
        "--countries",
        "GB",
        "--interface",
        "eth0",
        "--force",
        "--output",
        file.to_str().unwrap(),
        "--watch",
        "2s",
    ];
    // Without consent it is left alone, and told so.
    let beside = fence.cli(&arguments).unwrap();
    assert_eq!(beside.code, 0, "{}", beside.output());
    assert!(
        beside.stdout.contains("A daemon runs, and was left alone"),
        "{}",
        beside.output()
    );
    let services = |fence: &Ringfence<'_>| fence.cli(&["status"]).unwrap().stdout;
    assert!(
        !fence.log().unwrap().contains("reload"),
        "{}",
        fence.log().unwrap()
    );
    let through = fence
        .cli(&[&arguments[..], &["--reload"]].concat())
        .unwrap();
    assert_eq!(through.code, 0, "{}", through.output());
    assert!(
        through.stdout.contains("false alarms"),
        "{}",
        through.output()
    );
    assert!(services(&fence).contains("shadow"), "{}", services(&fence));
}
