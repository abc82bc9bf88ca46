//! `ringfence replay` and the kernel's programs say the same of every packet of a capture, and learn
//! the same from it.
//!
//! With RINGFENCE_WRITE_CAPTURES set, what the laboratory records becomes the committed capture.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use ringfence::capture::{Capture, CaptureWriter, Link};
use ringfence::config::Config;
use ringfence::country::CountryData;
use ringfence::engine::trial::Trial;
use ringfence::tables::{self, Inputs};
use ringfence_core::hash::Key;
use ringfence_core::reason::{Action, Reason};
use ringfence_lab::{
    Frame, Kamailio, Lab, PBX_V4, PBX_V6, Phone, Recorder, Transport, attack, needs_root, program,
};
use serde_json::Value;

const KEY: Key = Key {
    words: [0x0123_4567_89ab_cdef, 0xfedc_ba98_7654_3210],
};

const COUNTRIES: &str = "\
198.51.100.0,198.51.100.255,GB
203.0.113.0,203.0.113.127,GB
203.0.113.128,203.0.113.255,RU
2001:db8:51::,2001:db8:51:ffff:ffff:ffff:ffff:ffff,GB
2001:db8:bad::,2001:db8:bad:ffff:ffff:ffff:ffff:ffff,GB
";

const POLICY: &str = r#"
mode      = "enforce"
countries = ["GB"]

[[service]]
name    = "sip"
kind    = "sip"
ports   = ["udp/5060", "tcp/5060"]
from    = "countries"
domains = ["sip.example.com"]
"#;

/// Judges every packet on both; how many met each reason.
fn compare(capture: &Path) -> BTreeMap<String, u64> {
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = directory.path().join(name);
        fs::write(&path, text).unwrap();
        path
    };
    let (policy, countries) = (
        file("ringfence.toml", POLICY),
        file("countries.csv", COUNTRIES),
    );
    let replayed = Command::new(program())
        .args(["replay", "--format", "json"])
        .arg(capture)
        .arg("--config")
        .arg(&policy)
        .arg("--country-db")
        .arg(&countries)
        .output()
        .unwrap();
    assert!(replayed.status.success(), "{replayed:?}");
    let replayed = String::from_utf8(replayed.stdout).unwrap();
    let mut replayed = replayed
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());

    let config = Config::load(&policy).unwrap();
    let generation = tables::compile(&config, &Inputs::default()).unwrap();
    let data = CountryData::open(&countries).unwrap();
    let mut kernel = Trial::load(&generation, &data.compile().unwrap(), KEY, true).unwrap();
    let (mut counted, mut reasons) = (Vec::new(), BTreeMap::new());
    let mut packets = Capture::open(capture).unwrap();
    while let Some(packet) = packets.next_packet() {
        let packet = packet.unwrap();
        assert_eq!(packet.link, Link::Ethernet);
        kernel.set_clock(packet.time).unwrap();
        let said = replayed.next().expect("a line for each packet");
        assert_eq!(said["n"], packet.n);
        if said["reason"] == "sent" {
            let (dropped, _) = kernel.run_leaving(packet.data, 1).unwrap();
            assert_eq!(said["verdict"] == "drop", dropped, "{said}");
            *reasons.entry("sent".to_owned()).or_default() += 1;
            continue;
        }
        let (dropped, _) = kernel.run(packet.data, 1).unwrap();
        let now = kernel.counters().unwrap();
        let moved = now.iter().find(|cell| !counted.contains(*cell));
        let (service, reason, _) = *moved.expect("each packet is counted");
        counted = now;
        let reason = Reason::from_number(reason).unwrap();
        assert_eq!(dropped, reason.action() == Action::Drop);

        let verdict = if dropped { "drop" } else { "pass" };
        assert_eq!(
            (&said["verdict"], &said["reason"]),
            (&verdict.into(), &reason.name().into()),
            "{said}"
        );
        assert!(
            said["detail"]
                .as_str()
                .unwrap()
                .starts_with(reason.detail()),
            "{said}"
        );
        let name = generation.names.service(service);
        assert_eq!(said["service"].as_str().unwrap_or_default(), name, "{said}");
        *reasons.entry(reason.name().to_owned()).or_default() += 1;
    }
    let summary = replayed.next().expect("a summary");
    let learned = &summary["summary"]["learned"];
    println!("{learned}");
    assert_eq!(learned["accounts"], kernel.accounts().unwrap().len());
    assert!(replayed.next().is_none());
    reasons
}

/// Real phones, scanners and floods, as they reach a telephone system without a fence.
fn record() -> Vec<Frame> {
    let lab = Lab::new().unwrap();
    let _kamailio = Kamailio::start(&lab).unwrap();
    let abroad = IpAddr::from(Ipv4Addr::new(203, 0, 113, 200));
    let guesser = IpAddr::from(Ipv4Addr::new(203, 0, 113, 20));
    for address in [abroad, guesser] {
        lab.add_address(&lab.attacker, address).unwrap();
    }
    let recorder = Recorder::start(&lab.pbx, "eth0").unwrap();
    let phones = [
        IpAddr::from(Ipv4Addr::new(198, 51, 100, 10)),
        Ipv6Addr::new(0x2001, 0xdb8, 0x51, 0, 0, 0, 0, 0x10).into(),
    ];
    for address in phones {
        for transport in [Transport::Udp, Transport::Tcp] {
            let phone = |user, port| Phone {
                user,
                address,
                port,
                transport,
            };
            let (caller, callee) = (phone(1001, 5081), phone(1002, 5082));
            callee.register(&lab, 1, 1).unwrap();
            let call = caller.call(&lab, &callee, 1, 1).unwrap();
            assert_eq!(call.caller.successful, 1, "{call:?}");
        }
    }
    let attackers = [
        (Ipv4Addr::new(203, 0, 113, 10).into(), IpAddr::from(PBX_V4)),
        (
            Ipv6Addr::new(0x2001, 0xdb8, 0xbad, 0, 0, 0, 0, 0x10).into(),
            PBX_V6.into(),
        ),
    ];
    for (from, to) in attackers {
        attack::svmap(&lab, from, to).unwrap();
        attack::svwar(&lab, from, to, "1000-1005").unwrap();
        attack::svcrack(&lab, from, to, 1001, &["1001", "pw-1001"]).unwrap();
    }
    attack::sipsak(&lab, PBX_V4, Duration::from_secs(2)).unwrap();
    for (from, count) in [(guesser, 60), (abroad, 5)] {
        let from = SocketAddr::new(from, 5060);
        attack::register_flood(&lab, from, PBX_V4.into(), count, 60, "Phone").unwrap();
    }
    recorder.stop().unwrap()
}

fn write(path: &Path, frames: &[Frame]) {
    let mut writer = CaptureWriter::new(File::create(path).unwrap()).unwrap();
    for (time, frame) in frames {
        writer.write(*time, frame).unwrap();
    }
    writer.finish().unwrap();
}

fn committed() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/captures/real.pcap")
}

/// The packets of the real tools meet what they should.
fn assert_real(reasons: &BTreeMap<String, u64>) {
    println!("{reasons:?}");
    for reason in [
        "clean",
        "signature",
        "banned",
        "country",
        "domain",
        "unprotected",
    ] {
        assert!(reasons.contains_key(reason), "{reason}: {reasons:?}");
    }
}

#[test]
fn captures_get_the_same_verdicts() {
    if needs_root() {
        return;
    }
    let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("../assets/demo/attack.pcap");
    let reasons = compare(&demo);
    assert_eq!(reasons.values().sum::<u64>(), 167, "{reasons:?}");
    assert_real(&compare(&committed()));
}

#[test]
fn what_real_tools_send_gets_the_same_verdicts() {
    if needs_root() {
        return;
    }
    let frames = record();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("recorded.pcap");
    write(&path, &frames);
    assert_real(&compare(&path));
    if std::env::var_os("RINGFENCE_WRITE_CAPTURES").is_some() {
        fs::copy(&path, committed()).unwrap();
    }
}
