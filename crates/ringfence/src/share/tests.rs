//! Each format as the program that it is for reads it, and the pages over HTTP.

use std::io::Write as _;
use std::net::SocketAddr;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;

use super::*;
use crate::net::testing::namespace;
use crate::store::Ban;

fn now() -> Timestamp {
    Timestamp::from_second(Timestamp::now().as_second()).unwrap()
}

fn ban(address: &str, prefix_len: u8) -> Ban {
    Ban {
        address: address.parse().unwrap(),
        prefix_len,
        port: None,
        reason: "rate".into(),
        since: now(),
        until: now() + SignedDuration::from_secs(600),
        times: 2,
        proved: true,
        evidence: Some(b"REGISTER".to_vec()),
        note: String::new(),
    }
}

/// Bans of all kinds, with texts that somebody made up to break out of a format.
fn bans() -> Vec<SharedBan> {
    let hostile = "=1+1\"\n}; add table inet evil\r\n' x\u{1b}[2J";
    let bans = [
        ban("203.0.113.9", 32),
        Ban {
            reason: hostile.into(),
            note: hostile.into(),
            ..ban("198.51.100.0", 24)
        },
        ban("198.51.100.7", 32),
        ban("2001:db8:1:2::", 64),
        ban("2001:db8:7::", 48),
        ban("2001:db8:7:1::", 64),
    ];
    select(&bans, &Known::default(), true, now()).0
}

fn shown(format: BansAs) -> String {
    bans_as(format, &bans(), &Naming::default(), now())
}

/// Runs a program with a text as its standard input; None where it is not installed.
fn run(program: &str, arguments: &[&str], text: &str) -> Option<Output> {
    let child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut child) = child else {
        eprintln!("skipped: {program} is not installed");
        return None;
    };
    let mut input = child.stdin.take().unwrap();
    input.write_all(text.as_bytes()).unwrap();
    drop(input);
    Some(child.wait_with_output().unwrap())
}

fn told(output: &Output) -> String {
    let streams = [&output.stdout, &output.stderr];
    streams.map(|text| String::from_utf8_lossy(text)).concat()
}

#[test]
fn what_others_are_not_given() {
    let trusted = Known::new(["192.0.2.77", "198.51.100.0/28"].map(|t| t.parse().unwrap()));
    let over = Ban {
        until: now(),
        ..ban("203.0.113.1", 32)
    };
    let bans = [
        Ban {
            port: Some(5060),
            ..ban("203.0.113.2", 32)
        },
        ban("10.0.0.1", 32),
        ban("100.64.0.1", 32),
        ban("192.0.2.77", 32),
        ban("192.0.2.0", 24),
        ban("198.51.100.3", 32),
        Ban {
            proved: false,
            ..ban("203.0.113.3", 32)
        },
        over,
        ban("203.0.113.4", 32),
    ];
    let (shared, skipped) = select(&bans, &trusted, true, now());
    let sources: Vec<_> = shared.iter().map(SharedBan::source).collect();
    assert_eq!(sources, ["203.0.113.4"]);
    let expected = Skipped {
        flows: 1,
        private: 2,
        known: 3,
        unproved: 1,
    };
    assert_eq!((skipped, skipped.all()), (expected, 7));
    let (shared, _) = select(&bans, &trusted, false, now());
    assert_eq!(shared.len(), 2);
}

#[test]
fn plain_lists_have_one_source_a_line() {
    let expected = "198.51.100.0/24\n198.51.100.7\n203.0.113.9\n2001:db8:1:2::/64\n\
                    2001:db8:7::/48\n2001:db8:7:1::/64\n";
    assert_eq!(shown(BansAs::Plain), expected);
}

#[test]
fn nft_loads_the_sets_and_replaces_them() {
    namespace(async || {
        let Some(output) = run("nft", &["-f", "-"], &shown(BansAs::Nft)) else {
            return;
        };
        assert!(output.status.success(), "{}", told(&output));
        let fewer = bans_as(BansAs::Nft, &bans()[2..4], &Naming::default(), now());
        for (text, v4, v6) in [(shown(BansAs::Nft), 2, 2), (fewer, 1, 1)] {
            let output = run("nft", &["-f", "-"], &text).unwrap();
            assert!(output.status.success(), "{}", told(&output));
            let list = run(
                "nft",
                &["-j", "list", "table", "inet", "ringfence_shared"],
                "",
            );
            let list = told(&list.unwrap());
            let list: serde_json::Value = serde_json::from_str(&list).unwrap();
            let objects = list["nftables"].as_array().unwrap();
            let sets = objects.iter().filter_map(|object| object.get("set"));
            let counts: Vec<_> = sets
                .map(|set| (set["name"].as_str(), set["elem"].as_array().map(Vec::len)))
                .collect();
            let expected = [
                (Some("ringfence4"), Some(v4)),
                (Some("ringfence6"), Some(v6)),
            ];
            assert_eq!(counts, expected);
        }
        let tables = told(&run("nft", &["list", "tables"], "").unwrap());
        assert!(!tables.contains("evil"), "{tables}");
        let empty = bans_as(BansAs::Nft, &[], &Naming::default(), now());
        let output = run("nft", &["-f", "-"], &empty).unwrap();
        assert!(output.status.success(), "{}", told(&output));
    });
}

#[test]
fn ipset_restores_the_sets_and_replaces_them() {
    namespace(async || {
        let Some(here) = run("ipset", &["list", "-n"], "") else {
            return;
        };
        if !here.status.success() {
            eprintln!("skipped: this kernel has no ipset: {}", told(&here));
            return;
        }
        let fewer = bans_as(BansAs::Ipset, &bans()[2..3], &Naming::default(), now());
        for (text, v4, v6) in [(shown(BansAs::Ipset), 3, 3), (fewer, 1, 0)] {
            let output = run("ipset", &["restore"], &text).unwrap();
            assert!(output.status.success(), "{}", told(&output));
            for (set, count) in [("ringfence4", v4), ("ringfence6", v6)] {
                let list = told(&run("ipset", &["save", set], "").unwrap());
                let added = list.lines().filter(|line| line.starts_with("add "));
                assert_eq!(added.count(), count, "{list}");
            }
            let names = told(&run("ipset", &["list", "-n"], "").unwrap());
            assert_eq!(names.split_whitespace().count(), 2, "{names}");
        }
    });
}

#[test]
fn a_filter_of_fail2ban_finds_every_ban() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("bans.log");
    std::fs::write(&path, shown(BansAs::Fail2ban)).unwrap();
    // The filter of docs/sharing.md.
    let manual = include_str!("../../../../docs/sharing.md");
    let filter = manual
        .lines()
        .find_map(|line| line.trim().strip_prefix("failregex = "))
        .unwrap();
    let Some(output) = run("fail2ban-regex", &[path.to_str().unwrap(), filter], "") else {
        return;
    };
    let told = told(&output);
    assert!(
        told.contains("6 lines, 0 ignored, 6 matched, 0 missed"),
        "{told}"
    );
}

#[test]
fn crowdsec_is_given_decisions() {
    let list: serde_json::Value = serde_json::from_str(&shown(BansAs::Crowdsec)).unwrap();
    let list = list.as_array().unwrap();
    assert_eq!(list.len(), 6);
    assert_eq!(list[2]["scope"], "Ip");
    assert_eq!(list[2]["value"], "203.0.113.9");
    assert_eq!(list[2]["reason"], "ringfence/rate");
    assert_eq!(list[2]["type"], "ban");
    let left = list[2]["duration"].as_str().unwrap().strip_suffix('s');
    assert!((590..=600).contains(&left.unwrap().parse::<u32>().unwrap()));
    assert_eq!(
        (&list[0]["scope"], &list[3]["scope"]),
        (&"Range".into(), &"Range".into())
    );
}

#[test]
fn texts_break_out_of_no_format() {
    let csv = shown(BansAs::Csv);
    assert_eq!(csv.lines().count(), 7, "{csv}");
    let note = "\"'=1+1\"\" }; add table inet evil  ' x [2J\"";
    assert!(csv.contains(&format!(",{note}\r\n")), "{csv}");
    let back: Vec<SharedBan> = serde_json::from_str(&shown(BansAs::Json)).unwrap();
    assert_eq!(back, bans());
    for format in [
        BansAs::Fail2ban,
        BansAs::Crowdsec,
        BansAs::Nft,
        BansAs::Ipset,
    ] {
        let text = shown(format);
        assert!(
            !text.contains('\u{1b}') && !text.contains("add table inet evil"),
            "{text}"
        );
    }
    for name in ["", "9a", "a b", "a;b", "x".repeat(26).as_str()] {
        assert!(!Naming::fits(name), "{name}");
    }
    assert!(Naming::fits("ringfence_shared"));
}

#[test]
fn counts_are_sums_for_both_formats() {
    let mut counts = Counts {
        mode: "enforce".into(),
        bans: 3,
        ..Counts::default()
    };
    counts.add("sip", "country", Packets { pass: 0, drop: 7 });
    counts.add("sip", "clean", Packets { pass: 5, drop: 0 });
    counts.add("a\"} 1\nb", "clean", Packets { pass: 1, drop: 0 });
    assert_eq!(counts.packets, Packets { pass: 6, drop: 7 });
    let json: serde_json::Value = serde_json::from_str(&counts.json()).unwrap();
    assert_eq!(json["services"]["sip"]["drop"], 7);
    let text = counts.prometheus();
    let line = "ringfence_packets_total{service=\"sip\",reason=\"country\",verdict=\"drop\"} 7";
    assert!(text.lines().any(|one| one == line), "{text}");
    assert!(text.contains("service=\"a___1_b\""), "{text}");
    assert!(text.ends_with(
        "ringfence_bans 3\n# HELP ringfence_enforcing Whether verdicts are carried out.\n\
                            # TYPE ringfence_enforcing gauge\nringfence_enforcing 1\n"
    ));
}

#[test]
fn files_are_written_where_they_changed() {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path().join("share");
    let mut written = Written::new();
    let published = Published::new(bans(), Counts::default());
    write(&place, &published, &mut written).unwrap();
    let read = |name: &str| std::fs::read_to_string(place.join(name)).unwrap();
    assert_eq!(read("bans.txt"), shown(BansAs::Plain));
    assert_eq!(std::fs::read_dir(&place).unwrap().count(), Page::ALL.len());
    // Nothing changed: what somebody made of the file stays.
    std::fs::write(place.join("bans.txt"), "mine").unwrap();
    write(&place, &published, &mut written).unwrap();
    assert_eq!(read("bans.txt"), "mine");
    let other = Published::new(bans()[..1].to_vec(), Counts::default());
    write(&place, &other, &mut written).unwrap();
    assert_eq!(read("bans.txt"), "198.51.100.0/24\n");
    // A link that was put in the place of a new file is not followed.
    let target = directory.path().join("target");
    std::os::unix::fs::symlink(&target, place.join(".bans.txt.new")).unwrap();
    write(&place, &published, &mut written).unwrap();
    assert!(!target.exists());
}

/// Asks as others do; the status, the entity tag and the body.
async fn get(at: SocketAddr, method: &'static str, path: &str, tag: &str) -> (u16, String, String) {
    let (url, tag) = (format!("http://{at}{path}"), tag.to_owned());
    let asked = tokio::task::spawn_blocking(move || {
        let config = ureq::Agent::config_builder().http_status_as_error(false);
        let agent = config.build().new_agent();
        let request = ureq::http::Request::builder()
            .method(method)
            .uri(url)
            .header("If-None-Match", tag)
            .body(())
            .unwrap();
        let mut response = agent.run(request).unwrap();
        let tag = response.headers().get("etag");
        let tag = tag.map_or("", |tag| tag.to_str().unwrap()).to_owned();
        let body = response.body_mut().read_to_string().unwrap();
        (response.status().as_u16(), tag, body)
    });
    asked.await.unwrap()
}

#[tokio::test]
async fn pages_are_read_over_http_with_their_tags() {
    let first = Arc::new(Published::new(bans(), Counts::default()));
    let (publish, published) = watch::channel(first);
    let bound = bind("127.0.0.1:0".parse().unwrap(), Vec::new())
        .await
        .unwrap();
    let at = bound.address().unwrap();
    let serving = tokio::spawn(bound.serve(published));
    let (status, tag, body) = get(at, "GET", "/bans.txt", "").await;
    assert_eq!((status, body), (200, shown(BansAs::Plain)));
    assert!(tag.starts_with("W/\""), "{tag}");
    let (status, again, body) = get(at, "GET", "/bans.txt", &format!("\"x\", {tag}")).await;
    assert_eq!((status, &again, body.as_str()), (304, &tag, ""));
    assert_eq!(get(at, "HEAD", "/bans.json", "").await.2, "");
    assert_eq!(get(at, "GET", "/counts.json", "").await.0, 200);
    assert_eq!(get(at, "GET", "/metrics", "").await.0, 200);
    assert_eq!(get(at, "GET", "/../etc/passwd", "").await.0, 404);
    assert_eq!(get(at, "GET", "/", "").await.0, 404);
    assert_eq!(get(at, "DELETE", "/bans.txt", "").await.0, 405);
    // What is new is there at once.
    publish.send_replace(Arc::new(Published::new(Vec::new(), Counts::default())));
    let (status, other, body) = get(at, "GET", "/bans.txt", &tag).await;
    assert_eq!((status, body.as_str()), (200, ""));
    assert_ne!(other, tag);
    serving.abort();
}

#[tokio::test]
async fn what_is_too_long_or_too_much_is_refused_and_others_are_served() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpStream;
    let (_publish, published) = watch::channel(Arc::new(Published::default()));
    let bound = bind("127.0.0.1:0".parse().unwrap(), Vec::new())
        .await
        .unwrap();
    let at = bound.address().unwrap();
    let serving = tokio::spawn(bound.serve(published));
    let fields: String = (0..100).map(|n| format!("X-{n}: y\r\n")).collect();
    let cases = [
        format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(20_000)),
        format!("GET /bans.txt HTTP/1.1\r\nHost: x\r\n{fields}\r\n"),
        "\u{16}\u{3}\u{1} no HTTP at all\r\n\r\n".to_owned(),
    ];
    for case in cases {
        let mut stream = TcpStream::connect(at).await.unwrap();
        // The server may have seen enough before all is sent.
        let _ = stream.write_all(case.as_bytes()).await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        let answer = String::from_utf8_lossy(&answer);
        assert!(!answer.contains(" 200 "), "{answer}");
    }
    // Those who say nothing take all places, and lose them.
    let mut silent = Vec::new();
    for _ in 0..16 {
        silent.push(TcpStream::connect(at).await.unwrap());
    }
    let (status, ..) = get(at, "GET", "/bans.txt", "").await;
    assert_eq!(status, 200);
    serving.abort();
}
