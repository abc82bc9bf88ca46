//! The commands that need neither root nor a daemon, through the binary.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Output};

use ringfence::capture::CaptureWriter;
use serde_json::Value;

const POLICY: &str = r#"
mode = "enforce"
countries = ["GB"]
deny = ["198.51.100.7"]

[[service]]
name = "sip"
from = "anyone"

[[service]]
name = "ssh"
kind = "plain"
ports = ["tcp/22"]
from = "permitted"
"#;

fn ringfence(directory: &Path, args: &[&str]) -> Output {
    fs::write(directory.join("policy.toml"), POLICY).unwrap();
    Command::new(env!("CARGO_BIN_EXE_ringfence"))
        .current_dir(directory)
        .args(args)
        .args(["--config", "policy.toml", "--state", "none"])
        .output()
        .unwrap()
}

fn lines(output: &Output) -> Vec<Value> {
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// A raw IPv4 packet with a UDP header.
fn udp(source: [u8; 4], port: u16, text: &[u8]) -> Vec<u8> {
    let length = |bytes: usize| u16::try_from(bytes).unwrap().to_be_bytes();
    let mut packet = vec![0x45, 0];
    packet.extend(length(28 + text.len()));
    packet.extend([0, 0, 0, 0, 64, 17, 0, 0]);
    packet.extend(source);
    packet.extend([192, 0, 2, 1]);
    packet.extend(5070u16.to_be_bytes());
    packet.extend(port.to_be_bytes());
    packet.extend(length(8 + text.len()));
    packet.extend([0, 0]);
    packet.extend(text);
    packet
}

fn options(agent: &str) -> Vec<u8> {
    format!(
        "OPTIONS sip:pbx.example SIP/2.0\r\nVia: SIP/2.0/UDP a:5070;branch=z9hG4bKabcdef\r\n\
         From: <sip:line@pbx.example>;tag=t9x4\r\nTo: <sip:pbx.example>\r\nCall-ID: x7k2@a\r\n\
         CSeq: 1 OPTIONS\r\nUser-Agent: {agent}\r\nContent-Length: 0\r\n\r\n"
    )
    .into_bytes()
}

fn capture(path: &Path) {
    let mut writer = CaptureWriter::with_link_type(File::create(path).unwrap(), 101).unwrap();
    let second = 1_700_000_000_000_000_000;
    let packets = [
        udp([203, 0, 113, 5], 5060, &options("Yealink SIP-T46S")),
        udp([203, 0, 113, 6], 5060, &options("friendly-scanner")),
        udp([198, 51, 100, 7], 5060, &options("Yealink SIP-T46S")),
        udp([203, 0, 113, 5], 53, b"no service"),
    ];
    for (n, packet) in (0u64..).zip(&packets) {
        writer.write(second + n * 1_000_000_000, packet).unwrap();
    }
    writer.finish().unwrap();
}

#[test]
fn replay_says_what_the_policy_does() {
    let directory = tempfile::tempdir().unwrap();
    capture(&directory.path().join("a.pcap"));
    let output = ringfence(directory.path(), &["replay", "a.pcap", "--format", "json"]);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let lines = lines(&output);
    let seen: Vec<_> = lines[..4]
        .iter()
        .map(|line| ["verdict", "reason", "message"].map(|key| line[key].as_str().unwrap()))
        .collect();
    assert_eq!(
        seen,
        [
            ["pass", "clean", "OPTIONS"],
            ["drop", "signature", "OPTIONS"],
            ["drop", "denied", ""],
            ["pass", "unprotected", ""],
        ]
    );
    assert_eq!(
        (&lines[0]["n"], &lines[0]["service"]),
        (&1.into(), &"sip".into())
    );
    assert_eq!(
        (&lines[0]["src"], &lines[0]["dst_port"]),
        (&"203.0.113.5".into(), &5060.into())
    );
    let summary = &lines[4]["summary"];
    assert_eq!(
        summary["verdict"],
        serde_json::json!({ "pass": 2, "drop": 2 })
    );
    assert_eq!(summary["reason"]["denied"], 1);
}

/// A raw IPv4 packet between the host and a phone, both at port 5060.
fn between(source: [u8; 4], destination: [u8; 4], text: &str) -> Vec<u8> {
    let mut packet = udp(source, 5060, text.as_bytes());
    packet[16..20].copy_from_slice(&destination);
    packet[20..22].copy_from_slice(&5060u16.to_be_bytes());
    packet
}

/// A registration with a challenge, a guess that is refused, and OPTIONS of the host that are
/// answered.
fn conversations(path: &Path) {
    const HOST: [u8; 4] = [192, 0, 2, 1];
    const PHONE: [u8; 4] = [203, 0, 113, 5];
    const THIEF: [u8; 4] = [203, 0, 113, 9];
    const PEER: [u8; 4] = [203, 0, 113, 77];
    let text = |start: &str, call: &str, number: u32, method: &str, more: &str| {
        format!(
            "{start}\r\nVia: SIP/2.0/UDP a:5060;branch=z9hG4bK{call}{number}\r\n\
             From: <sip:1001@pbx.example>;tag=f{call}\r\nTo: <sip:1001@pbx.example>\r\n\
             Call-ID: {call}@a\r\nCSeq: {number} {method}\r\n{more}Content-Length: 0\r\n\r\n"
        )
    };
    let contact = "Contact: <sip:1001@10.0.0.9>;expires=600\r\n";
    let told = format!("{contact}Authorization: Digest username=\"1001\", nonce=\"n\"\r\n");
    let challenge = "WWW-Authenticate: Digest realm=\"x\", nonce=\"n\"\r\n";
    let ask = "REGISTER sip:pbx.example SIP/2.0";
    let options = "OPTIONS sip:peer@a SIP/2.0";
    let register = |start, call, number, more| text(start, call, number, "REGISTER", more);
    let packets = [
        between(HOST, PEER, &text(options, "o", 1, "OPTIONS", "")),
        between(PEER, HOST, &text("SIP/2.0 200 OK", "o", 1, "OPTIONS", "")),
        between(PHONE, HOST, &register(ask, "p", 1, contact)),
        between(HOST, PHONE, &register("SIP/2.0 401 No", "p", 1, challenge)),
        between(PHONE, HOST, &register(ask, "p", 2, &told)),
        between(HOST, PHONE, &register("SIP/2.0 200 OK", "p", 2, contact)),
        between(PHONE, HOST, &text(options, "q", 1, "OPTIONS", "")),
        between(THIEF, HOST, &register(ask, "t", 1, &told)),
        between(HOST, THIEF, &register("SIP/2.0 403 No", "t", 1, "")),
    ];
    let mut writer = CaptureWriter::with_link_type(File::create(path).unwrap(), 101).unwrap();
    let second = 1_700_000_000_000_000_000;
    for (n, packet) in (0u64..).zip(&packets) {
        writer.write(second + n * 1_000_000_000, packet).unwrap();
    }
    writer.finish().unwrap();
}

#[test]
fn replay_learns_from_what_the_host_sends() {
    let directory = tempfile::tempdir().unwrap();
    conversations(&directory.path().join("a.pcap"));
    let replay = |more: &[&str]| {
        let args = [&["replay", "a.pcap", "--format", "json"], more].concat();
        let output = ringfence(directory.path(), &args);
        assert!(output.status.success());
        lines(&output)
    };
    for named in [&[][..], &["--host", "192.0.2.1"]] {
        let lines = replay(named);
        let seen: Vec<_> = lines[..9]
            .iter()
            .map(|line| ["reason", "message"].map(|key| line[key].as_str().unwrap()))
            .collect();
        assert_eq!(
            seen,
            [
                ["sent", "OPTIONS"],
                ["solicited", "200"],
                ["clean", "REGISTER"],
                ["sent", "401"],
                ["clean", "REGISTER"],
                ["sent", "200"],
                ["registered", "OPTIONS"],
                ["clean", "REGISTER"],
                ["sent", "403"],
            ],
            "{named:?}"
        );
        assert_eq!(
            lines[9]["summary"]["learned"],
            serde_json::json!({ "registered": 1, "solicited": 1, "accounts": 1, "refused": 1 })
        );
    }
    // A host that is not in the capture sends nothing.
    let lines = replay(&["--host", "192.0.2.99"]);
    assert_eq!(lines[9]["summary"]["learned"]["registered"], 0);
    let explained = |packet: &str| ringfence(directory.path(), &["explain", "--pcap", packet]);
    let text = String::from_utf8(explained("a.pcap:7").stdout).unwrap();
    assert!(text.contains("=> pass registered"), "{text}");
    assert_eq!(explained("a.pcap:6").status.code(), Some(1));
}

#[test]
fn a_capture_that_is_cut_short_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.pcap");
    capture(&path);
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() - 5]).unwrap();
    let output = ringfence(directory.path(), &["replay", "a.pcap", "--format", "json"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(lines(&output).len(), 4);
    assert!(String::from_utf8_lossy(&output.stderr).contains("byte "));
}

#[test]
fn lookup_and_explain_ask_the_judge() {
    let directory = tempfile::tempdir().unwrap();
    let output = ringfence(
        directory.path(),
        &["lookup", "198.51.100.7", "--format", "json"],
    );
    let answer = &lines(&output)[0];
    assert_eq!(answer["integer"], 3_325_256_711_u64);
    assert_eq!(answer["lists"][0]["list"], "deny");
    assert_eq!(answer["services"][0]["reason"], "denied");
    let output = ringfence(directory.path(), &["explain", "203.0.113.5"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.contains("=> pass clean") && text.contains("=> drop country"),
        "{text}"
    );
    let output = ringfence(directory.path(), &["explain", "nowhere"]);
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn lookup_shows_the_autonomous_system() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("asn.csv");
    fs::write(
        &data,
        "192.0.2.0,192.0.2.255,3320,\"Example \u{1b}[2J, Inc.\"\n",
    )
    .unwrap();
    let config = format!("[asn]\ndb = {:?}\n", data.to_str().unwrap());
    fs::write(directory.path().join("asn.toml"), config).unwrap();
    let lookup = |args: &[&str]| {
        Command::new(env!("CARGO_BIN_EXE_ringfence"))
            .args([
                "lookup",
                "192.0.2.7",
                "198.51.100.1",
                "--config",
                "asn.toml",
            ])
            .args(args)
            .current_dir(directory.path())
            .output()
            .unwrap()
    };
    let text = String::from_utf8(lookup(&[]).stdout).unwrap();
    assert!(
        text.contains("  network  AS3320 Example [2J, Inc.\n"),
        "{text:?}"
    );
    assert_eq!(text.matches("network").count(), 1, "{text}");
    let answers = lines(&lookup(&["--format", "json"]));
    assert_eq!(answers[0]["asn"], 3320);
    assert_eq!(answers[0]["as_name"], "Example [2J, Inc.");
    assert!(answers[1].get("asn").is_none());
    fs::write(&data, "192.0.2.0,x\n").unwrap();
    let output = lookup(&[]);
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("asn.csv:1: "), "{told}");
}

#[test]
fn check_counts_and_refuses() {
    let directory = tempfile::tempdir().unwrap();
    let output = ringfence(directory.path(), &["check", "--format", "json"]);
    assert!(output.status.success());
    assert_eq!(lines(&output)[0]["services"], 2);
    fs::write(
        directory.path().join("bad.toml"),
        "mode = \"off\"\nports = 1\n",
    )
    .unwrap();
    let bad = Command::new(env!("CARGO_BIN_EXE_ringfence"))
        .args(["check", "--config", "bad.toml"])
        .current_dir(directory.path())
        .output()
        .unwrap();
    assert_eq!(bad.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&bad.stderr).contains("bad.toml:2:"));
}

/// Commands that show what was said by command, where no daemon runs.
#[test]
fn the_store_answers_without_a_daemon_and_is_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let state = directory.path().join("none");
    let shown = |args: &[&str]| {
        let args = [args, &["--socket", "no-socket", "--format", "json"]].concat();
        ringfence(directory.path(), &args)
    };
    let output = shown(&["bans"]);
    assert!(output.status.success());
    assert_eq!(lines(&output), [serde_json::json!([])]);
    assert!(!state.exists(), "a missing store is not made");

    let mut store = ringfence::store::Store::open(&state).unwrap().store;
    let now = jiff::Timestamp::now();
    store
        .put_ban(&ringfence::store::Ban {
            address: [192, 0, 2, 7].into(),
            prefix_len: 32,
            reason: "manual".into(),
            since: now,
            until: now + std::time::Duration::from_secs(600),
            times: 1,
            port: None,
            proved: true,
            evidence: None,
            note: String::new(),
        })
        .unwrap();
    store
        .set_country("IE", Some(ringfence::store::CountryRule::Allow))
        .unwrap();
    drop(store);
    let output = shown(&["bans"]);
    assert_eq!(lines(&output)[0][0]["address"], "192.0.2.7");
    let note = String::from_utf8(output.stderr).unwrap();
    assert!(note.contains("no daemon answers"), "{note}");
    assert_eq!(lines(&shown(&["country", "list"]))[0][0]["code"], "IE");
    assert_eq!(lines(&shown(&["deny", "list"])), [serde_json::json!([])]);
    let looked = shown(&["lookup", "192.0.2.7"]);
    assert_eq!(lines(&looked)[0]["lists"][0]["list"], "ban");
    assert_eq!(lines(&shown(&["trust"])), [serde_json::json!([])]);
    let why = &lines(&shown(&["why", "192.0.2.7"]))[0];
    assert_eq!(why["commands"][0], "ringfence unban 192.0.2.7");
    assert_eq!(lines(&shown(&["why", "1007"]))[0]["account"], "1007");
    assert_eq!(lines(&shown(&["report"]))[0]["told"], 0);
    // A change needs the daemon.
    let forget = shown(&["trust", "forget", "192.0.2.9"]);
    assert_eq!(forget.status.code(), Some(1));
    assert_eq!(shown(&["deny", "add", "192.0.2.9"]).status.code(), Some(1));

    let file = state.join("ringfence.db");
    fs::write(&file, "no database ".repeat(200)).unwrap();
    let looked = shown(&["lookup", "192.0.2.7"]);
    assert!(looked.status.success());
    let told = String::from_utf8(looked.stderr).unwrap();
    assert!(told.contains("are left out"), "{told}");
    assert_eq!(shown(&["bans"]).status.code(), Some(1));
    assert_eq!(fs::read_dir(&state).unwrap().count(), 2, "nothing is moved");
}

/// A file from elsewhere may hold what a terminal obeys.
#[test]
fn errors_quote_nothing_that_a_terminal_obeys() {
    let directory = tempfile::tempdir().unwrap();
    let evil = "mode = \"\\u001b[2J\\u009b31m\"\nx\u{9b}y = 1\n";
    fs::write(directory.path().join("evil.toml"), evil).unwrap();
    fs::write(directory.path().join("evil.csv"), "\u{1b}[2J,1.0.0.1,GB\n").unwrap();
    for args in [
        &["check", "--config", "evil.toml"][..],
        &["check", "--config", "evil.toml", "--format", "json"],
        &["lookup", "192.0.2.7", "--config", "evil.toml"],
        &["lookup", "192.0.2.7", "--country-db", "evil.csv"],
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_ringfence"))
            .current_dir(directory.path())
            .args(args)
            .output()
            .unwrap();
        assert!(!output.status.success(), "{args:?}");
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8(text).unwrap();
        let obeyed = |c: char| c.is_control() && c != '\n';
        assert!(!text.is_empty() && !text.contains(obeyed), "{text:?}");
    }
}

#[test]
fn explanations_know_whom_the_store_trusts() {
    use jiff::{SignedDuration, Timestamp};
    use ringfence::store::{Name, Registration, Store, Trust, TrustChange};

    let directory = tempfile::tempdir().unwrap();
    let (now, hour) = (Timestamp::now(), SignedDuration::from_hours(1));
    let name = Name::new("1007");
    let account = name.digest().unwrap();
    let registration = Registration {
        address: [203, 0, 113, 9].into(),
        found_by: account,
        account,
        name,
        protocol: 17,
        port: 5060,
        service: "sip".into(),
        since: now - hour,
        until: now + hour,
        granted: 7200,
    };
    let change = TrustChange {
        put: Trust {
            registrations: vec![registration],
            ..Trust::default()
        },
        ..TrustChange::default()
    };
    let mut store = Store::open(&directory.path().join("state")).unwrap().store;
    store.change_trust(&change).unwrap();
    drop(store);
    let registered = |state: &str, address: &str| {
        fs::write(directory.path().join("policy.toml"), POLICY).unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_ringfence"))
            .current_dir(directory.path())
            .args([
                "explain",
                address,
                "--config",
                "policy.toml",
                "--state",
                state,
            ])
            .output()
            .unwrap();
        assert!(output.status.success());
        String::from_utf8(output.stdout)
            .unwrap()
            .contains("registered")
    };
    assert!(registered("state", "203.0.113.9"));
    assert!(!registered("state", "203.0.113.10"));
    assert!(!registered("none", "203.0.113.9"));
}

#[test]
fn a_test_notice_says_what_became_of_each_way() {
    let directory = tempfile::tempdir().unwrap();
    let notify = |run: &str, args: &[&str]| {
        let text = format!("[notify.command]\nrun = [\"{run}\"]\n");
        fs::write(directory.path().join("notify.toml"), text).unwrap();
        Command::new(env!("CARGO_BIN_EXE_ringfence"))
            .current_dir(directory.path())
            .args(["notify", "test", "--config", "notify.toml"])
            .args(args)
            .output()
            .unwrap()
    };
    let fine = notify("/bin/true", &["--kind", "fraud"]);
    assert_eq!(fine.status.code(), Some(0), "{fine:?}");
    assert_eq!(fine.stdout, b"command /bin/true: delivered\n");
    let failed = notify("/bin/false", &["--format", "json"]);
    assert_eq!(failed.status.code(), Some(1), "{failed:?}");
    let said = lines(&failed);
    assert_eq!(
        (&said[0]["way"], &said[0]["delivered"]),
        (&"command /bin/false".into(), &false.into())
    );
    assert!(
        said[0]["error"]
            .as_str()
            .unwrap()
            .contains("exit status: 1")
    );
    assert_eq!(
        notify("/bin/true", &["--kind", "bans"]).status.code(),
        Some(2)
    );
    let nobody = ringfence(directory.path(), &["notify", "test"]);
    assert_eq!(nobody.status.code(), Some(2), "{nobody:?}");
    assert!(String::from_utf8_lossy(&nobody.stderr).contains("[notify.mail]"));
}
