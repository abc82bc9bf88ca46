//! The first hour: a real registrar is found, and a real scanner is what would have been dropped.

use std::fs;
use std::net::IpAddr;
use std::thread;
use std::time::Duration;

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
