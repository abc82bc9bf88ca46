//! Updates from servers that play providers, well and badly.

mod providers;

use std::path::PathBuf;
use std::time::Duration;

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
        self.update_so(feed, false, None)
    }

    /// By one that has what is on the shelf.
    fn update_held(&self, feed: &Feed) -> Outcome {
        let about = self.shelf().load_about(feed).unwrap();
        self.update_so(feed, false, Some(about.changed))
    }

    fn update_so(&self, feed: &Feed, force: bool, holds: Option<Timestamp>) -> Outcome {
        let how = How {
            force,
            now: self.now,
            holds,
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
    let again = place.update_held(&feed);
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
    assert_eq!(
        shown(place.update_so(&feed, true, None).nets),
        ["192.0.2.1/32"]
    );
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
fn what_the_caller_has_not_is_given_though_it_is_unchanged() {
    let mut place = Place::new();
    let feed = place.feed("", "/list.txt");
    let list = "192.0.2.1\n198.51.100.0/24\n203.0.113.9\n";
    place.server.put("/list.txt", Page::new(list).etag("\"1\""));
    let first = place.update(&feed).result.unwrap();
    place.pass(minutes(60));
    let again = place.update(&feed);
    assert_eq!(place.server.asked()[1].status, 304);
    assert_eq!(again.nets.unwrap().len(), 3);
    assert_eq!(again.result.unwrap().changed, first.changed);
    let older = Some(Timestamp::UNIX_EPOCH);
    assert_eq!(place.update_so(&feed, false, older).nets.unwrap().len(), 3);
    assert!(place.update_held(&feed).nets.is_none());
    // It is not taken for good where it is longer than it may be by now.
    let short = place.feed("max = 2", "/list.txt");
    assert!(failure(&place.update(&short)).contains("more than 2 entries"));
    assert_eq!(place.shelf().load_about(&feed).unwrap().entries, 3);
}

#[test]
fn a_million_narrow_networks_change_nothing() {
    let place = Place::new();
    let feed = place.feed("", "/list.txt");
    place.server.put("/list.txt", Page::new("192.0.2.1\n"));
    place.update(&feed).result.unwrap();
    let half = |n: u32| format!("50.{}.{}.{}/25\n", n >> 9, n >> 1 & 255, (n & 1) * 128);
    let halves: String = (0..40_000).map(half).collect();
    place.server.put("/list.txt", Page::new(halves));
    let error = failure(&place.update(&feed));
    assert!(error.contains("/25 to /31"), "{error}");
    assert_eq!(place.load(&feed).unwrap().nets.len(), 1);
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
    assert!(place.update_held(&feed).nets.is_none());
    assert_eq!(shown(place.update(&feed).nets), ["1.2.3.4/32"]);
    std::fs::write(&path, "1.2.3.4\n5.6.7.8\n").unwrap();
    assert_eq!(place.update(&feed).nets.unwrap().len(), 2);
    std::fs::remove_file(&path).unwrap();
    assert!(failure(&place.update(&feed)).contains("mine"));
    assert_eq!(place.load(&feed).unwrap().nets.len(), 2);
}
