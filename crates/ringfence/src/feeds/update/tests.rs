//! Updates from servers that play providers, well and badly.

use std::path::PathBuf;
use std::time::Duration;

use jiff::SignedDuration;
use ringfence_lab::provider::{Page, Provider, gzip, gzip_of_zeros};
use tempfile::TempDir;

use super::*;
use crate::config::Config;
use crate::feeds::Good;
use crate::fetch::Silent;

/// A server, a shelf and a clock.
struct Place {
    server: Provider,
    directory: TempDir,
    now: Timestamp,
}

impl Place {
    fn new() -> Self {
        Self {
            server: Provider::start().unwrap(),
            directory: tempfile::tempdir().unwrap(),
            now: Timestamp::from_second(1_800_000_000).unwrap(),
        }
    }

    fn feed(&self, keys: &str, path: &str) -> Feed {
        let url = self.server.url(path);
        let text = format!("[[feed]]\nname = \"a\"\nurl = \"{url}\"\n{keys}\n");
        let config = Config::parse(&text, "r.toml");
        config
            .unwrap_or_else(|wrong| panic!("{wrong}"))
            .feeds
            .remove(0)
    }

    fn shelf(&self) -> Shelf {
        Shelf::at(self.directory.path())
    }

    fn update(&self, feed: &Feed) -> Outcome {
        self.update_so(feed, false)
    }

    fn update_so(&self, feed: &Feed, force: bool) -> Outcome {
        let how = How {
            force,
            now: self.now,
            progress: &Silent,
        };
        update(feed, &self.shelf(), &how)
    }

    fn load(&self, feed: &Feed) -> Option<Good> {
        self.shelf().load(feed, self.now).unwrap()
    }

    fn pass(&mut self, time: Duration) {
        self.now = self.now.checked_add(time).unwrap();
    }

    fn files(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.directory.path()).unwrap();
        let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        files.sort();
        files
    }
}

fn shown(nets: Option<Nets>) -> Vec<String> {
    let nets = nets.expect("entries");
    nets.iter().map(|net| net.to_string()).collect()
}

fn failure(outcome: &Outcome) -> String {
    outcome.result.as_ref().unwrap_err().to_string()
}

fn minutes(minutes: u64) -> Duration {
    Duration::from_secs(minutes * 60)
}

#[test]
fn a_list_is_asked_for_conditionally_and_survives_a_restart() {
    let mut place = Place::new();
    let feed = place.feed("", "/list.txt");
    let list = b"192.0.2.1\n198.51.100.0/24\nnonsense\n";
    place
        .server
        .put("/list.txt", Page::new(gzip(list)).etag("\"1\""));
    let outcome = place.update(&feed);
    let about = outcome.result.unwrap();
    assert_eq!(shown(outcome.nets), ["192.0.2.1/32", "198.51.100.0/24"]);
    assert_eq!((about.entries, about.unreadable), (2, 1));
    place.pass(minutes(60));
    let again = place.update(&feed);
    assert!(again.nets.is_none());
    assert_eq!(again.result.unwrap().checked, place.now);
    let asked = place.server.asked();
    assert_eq!((asked[0].status, asked[1].status), (200, 304));
    assert_eq!(asked[1].header("if-none-match"), Some("\"1\""));
    let good = place.load(&feed).unwrap();
    assert_eq!((good.nets.len(), good.about.checked), (2, place.now));
    // The list of another URL is another list.
    let other = place.feed("", "/other.txt");
    assert!(place.load(&other).is_none());
}

#[test]
fn what_is_no_list_changes_nothing() {
    let place = Place::new();
    let feed = place.feed("max = 1000", "/list.txt");
    let put = |page: Page| place.server.put("/list.txt", page);
    let lines: String = (0..200).map(|n| format!("192.0.2.{n}\n")).collect();
    put(Page::new(lines.clone()));
    assert_eq!(place.update(&feed).nets.unwrap().len(), 200);
    let long: String = (0..1001)
        .map(|n| format!("1.2.{}.{}\n", n / 256, n % 256))
        .collect();
    let words = "these are words\nand no addresses\n";
    let nets: String = (20..100).map(|n| format!("{n}.0.0.0/8\n")).collect();
    for (page, why) in [
        (
            Page::new("<!DOCTYPE html><title>Please log in</title>").html(),
            "a web page",
        ),
        (Page::new(lines.clone()).cut(100), "ended early"),
        (Page::error(500), "HTTP 500"),
        (Page::error(404), "HTTP 404"),
        (Page::new(gzip_of_zeros(64 << 20)), "more than"),
        (Page::new(words), "cannot be read"),
        (Page::new(nets), "% of IPv4"),
        (Page::new(long), "more than 1000 entries"),
        (Page::new("192.0.2.1\n"), "it has 1 entries and had 200"),
        (Page::new("# nothing\n"), "it has no entry"),
        (Page::new(""), "it has no entry"),
    ] {
        put(page);
        let outcome = place.update(&feed);
        let error = failure(&outcome);
        assert!(error.contains(why), "{why}: {error}");
        assert!(outcome.nets.is_none());
        assert_eq!(place.load(&feed).unwrap().nets.len(), 200, "{why}");
    }
    let names = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().into_owned();
    let left: Vec<_> = place
        .files()
        .iter()
        .map(names)
        .filter(|name| !name.contains(".part"))
        .collect();
    assert_eq!(left, ["about.json", "list.0"]);
    put(Page::new("192.0.2.1\n"));
    assert_eq!(shown(place.update_so(&feed, true).nets), ["192.0.2.1/32"]);
    put(Page::new(""));
    let may = place.feed("max = 1000\nmay_be_empty = true", "/list.txt");
    assert!(place.update(&may).nets.unwrap().is_empty());
}

#[test]
fn a_server_that_is_busy_says_when() {
    let place = Place::new();
    let feed = place.feed("", "/list.txt");
    place.server.put("/list.txt", Page::busy("7200"));
    let error = place.update(&feed).result.unwrap_err();
    assert_eq!(error.after(), Some(Duration::from_secs(7200)));
}

#[test]
fn a_list_is_over_when_nobody_stands_by_it() {
    let mut place = Place::new();
    let feed = place.feed("expiry = \"3h\"", "/list.txt");
    place.server.put("/list.txt", Page::new("192.0.2.1\n"));
    place.update(&feed).result.unwrap();
    place.server.put("/list.txt", Page::error(503));
    place.pass(minutes(179));
    place.update(&feed).result.unwrap_err();
    assert!(place.load(&feed).is_some());
    place.pass(minutes(2));
    assert!(place.load(&feed).is_none());
    assert!(
        place
            .shelf()
            .load_about(&feed)
            .unwrap()
            .is_over(&feed, place.now)
    );
}

#[test]
fn both_lists_of_spamhaus_are_one() {
    let mut place = Place::new();
    let feed = place.feed("kind = \"spamhaus-drop\"", "/drop.json");
    place.server.put("/drop.json", Page::new("{\"cidr\":\"1.10.16.0/20\",\"sblid\":\"SBL1\"}\n{\"type\":\"metadata\",\"records\":1}\n"));
    assert_eq!(shown(place.update(&feed).nets), ["1.10.16.0/20"]);
    place.pass(minutes(1440));
    place.server.put(
        "/drop.json",
        Page::new("; Spamhaus DROP List\n1.10.32.0/20 ; SBL2\n"),
    );
    assert_eq!(shown(place.update(&feed).nets), ["1.10.32.0/20"]);
}

#[test]
fn a_key_in_the_url_is_in_no_file_and_no_error() {
    let place = Place::new();
    let feed = place.feed("key = \"hush-hush\"", "/{key}/list.txt?again={key}");
    place.server.put(
        "/hush-hush/list.txt?again=hush-hush",
        Page::new("192.0.2.1\n"),
    );
    assert_eq!(shown(place.update(&feed).nets), ["192.0.2.1/32"]);
    for file in place.files() {
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(!text.contains("hush"), "{}", file.display());
    }
    place.server.put(
        "/hush-hush/list.txt?again=hush-hush",
        Page::new("hush-hush is wrong").status(403),
    );
    let error = failure(&place.update(&feed));
    assert!(error.contains("403") && !error.contains("hush"), "{error}");
}

#[test]
fn a_file_of_this_host_is_read_when_it_changes() {
    let place = Place::new();
    let path = place.directory.path().join("mine");
    std::fs::write(&path, "1.2.3.4\n").unwrap();
    let text = format!(
        "[[feed]]\nname = \"a\"\nkind = \"file\"\nfile = \"{}\"\n",
        path.display()
    );
    let feed = Config::parse(&text, "r.toml").unwrap().feeds.remove(0);
    assert_eq!(shown(place.update(&feed).nets), ["1.2.3.4/32"]);
    assert!(place.update(&feed).nets.is_none());
    std::fs::write(&path, "1.2.3.4\n5.6.7.8\n").unwrap();
    assert_eq!(place.update(&feed).nets.unwrap().len(), 2);
    std::fs::remove_file(&path).unwrap();
    assert!(failure(&place.update(&feed)).contains("mine"));
    assert_eq!(place.load(&feed).unwrap().nets.len(), 2);
}

fn banned(addresses: &[&str], id: &str) -> Page {
    let body = serde_json::json!({ "ipaddress": addresses, "ID": id });
    Page::new(body.to_string()).json()
}

const APIBAN: &str = "kind = \"apiban\"\nkey = \"k123456\"\ninterval = \"4m\"\nexpiry = \"1h\"";

#[test]
fn apiban_is_asked_page_by_page_and_then_for_what_is_new() {
    let mut place = Place::new();
    let feed = place.feed(APIBAN, "/api/");
    let none = || banned(&["no new bans"], "none").status(400);
    place.server.put(
        "/api/k123456/banned",
        banned(&["1.2.3.4", "1.2.3.5"], "100"),
    );
    place.server.put(
        "/api/k123456/banned/100",
        banned(&["2001:db8::7", "x"], "200"),
    );
    place.server.put("/api/k123456/banned/200", none());
    let outcome = place.update(&feed);
    assert_eq!(
        outcome.result.as_ref().unwrap().cursor.as_deref(),
        Some("200")
    );
    assert_eq!(
        shown(outcome.nets),
        ["1.2.3.4/32", "1.2.3.5/32", "2001:db8::7/128"]
    );
    assert_eq!(place.load(&feed).unwrap().nets.len(), 3);
    place.pass(minutes(40));
    place.server.put(
        "/api/k123456/banned/200",
        banned(&["1.2.3.5", "9.9.9.9"], "300"),
    );
    place
        .server
        .put("/api/k123456/banned/300", banned(&[], "none"));
    place.server.forget();
    assert_eq!(place.update(&feed).nets.unwrap().len(), 4);
    assert_eq!(place.server.asked()[0].path(), "/api/k123456/banned/200");
    // The first ones end, though nothing more can be had.
    place
        .server
        .put("/api/k123456/banned/300", Page::error(500));
    place.pass(minutes(25));
    let outcome = place.update(&feed);
    assert!(
        failure(&outcome).contains("{key}/banned/300: the server answered HTTP 500"),
        "{}",
        failure(&outcome)
    );
    assert_eq!(shown(outcome.nets), ["1.2.3.5/32", "9.9.9.9/32"]);
}

#[test]
fn apiban_keeps_what_came_before_a_failure() {
    let place = Place::new();
    let feed = place.feed(APIBAN, "/api");
    place
        .server
        .put("/api/k123456/banned", banned(&["1.2.3.4"], "100"));
    place.server.put(
        "/api/k123456/banned/100",
        banned(&["rate limit exceeded"], "none").status(429),
    );
    let outcome = place.update(&feed);
    assert!(failure(&outcome).contains("429"));
    assert_eq!(shown(outcome.nets), ["1.2.3.4/32"]);
    place.server.forget();
    place
        .server
        .put("/api/k123456/banned/100", banned(&[], "none"));
    place.update(&feed).result.unwrap();
    assert_eq!(place.server.asked()[0].path(), "/api/k123456/banned/100");
}

#[test]
fn pages_that_lead_in_a_circle_end() {
    let place = Place::new();
    let feed = place.feed(APIBAN, "/api");
    place
        .server
        .put("/api/k123456/banned", banned(&["1.2.3.4"], "1"));
    place
        .server
        .put("/api/k123456/banned/1", banned(&["1.2.3.5"], "2"));
    place
        .server
        .put("/api/k123456/banned/2", banned(&["1.2.3.6"], "1"));
    assert!(failure(&place.update(&feed)).contains("do not end"));
    assert_eq!(place.server.asked().len(), 3);
    place
        .server
        .put("/api/k123456/banned", banned(&["1.2.3.4"], "../../x"));
    assert!(failure(&place.update_so(&feed, true)).contains("do not end"));
}

const CROWDSEC: &str = "kind = \"crowdsec\"\nkey = \"lapikey\"\norigins = [\"crowdsec\", \"cscli\"]\nscenarios = [\"sip\"]";

fn decision(value: &str, duration: &str) -> serde_json::Value {
    let scope = if value.contains('/') { "Range" } else { "Ip" };
    serde_json::json!({
        "id": 1, "origin": "crowdsec", "scenario": "crowdsecurity/sip-bf", "type": "ban", "uuid": "0-0",
        "scope": scope, "value": value, "duration": duration,
    })
}

fn stream(new: serde_json::Value, deleted: serde_json::Value) -> Page {
    Page::new(serde_json::json!({ "new": new, "deleted": deleted }).to_string()).json()
}

#[test]
fn crowdsec_tells_all_and_then_what_changed() {
    let mut place = Place::new();
    let feed = place.feed(CROWDSEC, "");
    let target = |startup| {
        format!(
            "/v1/decisions/stream?startup={startup}&scopes=ip,range&origins=crowdsec,cscli&scenarios_containing=sip"
        )
    };
    let mut captcha = decision("7.7.7.7", "4h");
    captcha["type"] = "captcha".into();
    let mut user = decision("bob", "4h");
    user["scope"] = "username".into();
    let all = serde_json::json!([
        decision("1.2.3.4", "3h59m49.9s"),
        decision("5.6.7.0/24", "10m"),
        decision("2001:db8::9", "1h0m0s"),
        decision("8.8.8.8", "-5s"),
        decision("nonsense", "1h"),
        captcha,
        user,
    ]);
    place
        .server
        .put(&target(true), stream(all, serde_json::Value::Null));
    let outcome = place.update(&feed);
    assert_eq!(outcome.result.unwrap().unreadable, 1);
    assert_eq!(
        shown(outcome.nets),
        ["1.2.3.4/32", "5.6.7.0/24", "2001:db8::9/128"]
    );
    assert_eq!(place.server.asked()[0].header("x-api-key"), Some("lapikey"));
    place.pass(minutes(1));
    let new = serde_json::json!([decision("9.9.9.9", "4h")]);
    let deleted = serde_json::json!([decision("1.2.3.4", "-2s")]);
    place.server.put(&target(false), stream(new, deleted));
    assert_eq!(
        shown(place.update(&feed).nets),
        ["9.9.9.9/32", "5.6.7.0/24", "2001:db8::9/128"]
    );
    // It does not answer: decisions end by themselves.
    place.server.put(&target(false), Page::error(502));
    place.pass(minutes(15));
    let outcome = place.update(&feed);
    assert!(failure(&outcome).contains("502"));
    assert_eq!(shown(outcome.nets), ["9.9.9.9/32", "2001:db8::9/128"]);
    // After an hour all is asked for again, and what is not told is over.
    place.pass(minutes(60));
    place.server.put(
        &target(true),
        stream(serde_json::Value::Null, serde_json::Value::Null),
    );
    assert!(place.update(&feed).nets.unwrap().is_empty());
}

#[test]
fn crowdsec_with_a_wrong_key_is_told() {
    let place = Place::new();
    let feed = place.feed(CROWDSEC, "/");
    let page = Page::new("{\"message\":\"access forbidden\"}")
        .json()
        .status(403);
    place.server.put("/v1/decisions/stream", page);
    let error = failure(&place.update(&feed));
    assert!(
        error.contains("403") && !error.contains("lapikey"),
        "{error}"
    );
}

#[test]
fn durations_of_go_are_read() {
    for (text, seconds) in [
        ("3h59m49.9s", 14_389),
        ("-5s", -5),
        ("1h", 3600),
        ("300ms", 0),
        ("168h0m0s", 604_800),
    ] {
        let read: SignedDuration = text.parse().unwrap();
        assert_eq!(read.as_secs(), seconds, "{text}");
    }
}
