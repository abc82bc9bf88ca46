//! Answers that are not the data.

use std::time::Duration;

use ringfence_lab::provider::Page;
use sha2::{Digest, Sha256};

use super::{FetchError, Place, data};
use crate::config::Secret;
use crate::fetch::{Expect, sha256_in, text};

#[test]
fn a_busy_server_says_when_to_come_again() {
    let place = Place::new();
    place.server.put("/busy", Page::busy("120"));
    place.server.put("/down", Page::error(503));
    place.server.put("/never", Page::busy("999999999"));
    for (path, seconds) in [("/busy", 120), ("/down", 900), ("/never", 86_400)] {
        let error = place.fetch(&place.ask(path)).unwrap_err();
        assert_eq!(error.after(), Some(Duration::from_secs(seconds)), "{error}");
        assert!(error.passes());
    }
}

#[test]
fn a_status_is_told_with_what_to_do() {
    let place = Place::new();
    let key = Secret::new("5ecret+key");
    let said =
        "{\"code\":\"LICENSE_KEY_INVALID\",\"error\":\"no key 5ecret+key, 5ecret%2Bkey\u{1b}[2J\"}";
    place.server.put("/key", Page::new(said).json().status(401));
    place.server.put("/gone", Page::error(404));
    place.server.put("/wrong", Page::error(500));
    for (path, status, remedy, passes) in [
        ("/key", 401, "look at the key", false),
        ("/gone", 404, "look at the URL", false),
        ("/wrong", 500, "asked again later", true),
    ] {
        let ask = place.ask(&format!("{path}?key={{key}}")).fill("key", &key);
        let error = place.fetch(&ask).unwrap_err();
        let shown = error.to_string();
        assert_eq!(error.passes(), passes);
        assert!(shown.contains(&format!("HTTP {status}")), "{shown}");
        assert!(shown.contains(remedy), "{shown}");
        assert!(
            !format!("{shown} {error:?} {ask:?}").contains("5ecret"),
            "{error:?}"
        );
        assert!(!shown.contains('\u{1b}'), "{shown}");
        let asked = place.server.asked_for(path);
        assert_eq!(asked[0].target, format!("{path}?key=5ecret%2Bkey"));
    }
    let ask = place.ask("/key");
    let shown = place.fetch(&ask).unwrap_err().to_string();
    assert!(shown.contains("LICENSE_KEY_INVALID"), "{shown}");
}

#[test]
fn a_key_in_the_path_is_shown_by_its_name() {
    let place = Place::new();
    let ask = place
        .ask("/api/{key}/banned")
        .fill("key", &Secret::new("hush/hush"));
    let shown = text(&ask).unwrap_err().to_string();
    assert!(shown.contains("/api/{key}/banned"), "{shown}");
    assert_eq!(place.server.asked()[0].target, "/api/hush%2Fhush/banned");
}

#[test]
fn a_login_is_sent_at_once() {
    let place = Place::new();
    place
        .server
        .put("/a", Page::new(data(10)).login("user", "hush"));
    place
        .server
        .put("/b", Page::new("{}").json().needs("X-Api-Key", "hush"));
    let hush = Secret::new("hush");
    place.new_data(&place.ask("/a").login("user", &hush));
    let json = place.ask("/b").expect(Expect::Json);
    assert_eq!(
        text(&json.clone().header("X-Api-Key", &hush)).unwrap(),
        "{}"
    );
    assert!(matches!(
        text(&json),
        Err(FetchError::Status { status: 403, .. })
    ));
}

#[test]
fn a_web_page_is_no_list() {
    let place = Place::new();
    let html = "\u{feff}\n <!DOCTYPE html><html><head><title>Log in, please</title></head>";
    place.server.put("/html", Page::new(html).html());
    place
        .server
        .put("/json", Page::new("{\"error\": \"quota exceeded\"}"));
    place.server.put(
        "/xml",
        Page::new("<?xml version=\"1.0\"?><Error><Code>NoSuchKey</Code></Error>"),
    );
    place.server.put("/empty", Page::new(" \n"));
    for (path, what, said) in [
        (
            "/html",
            "a web page in place of data: Log in, please;",
            true,
        ),
        (
            "/json",
            "JSON in place of data: {\"error\": \"quota exceeded\"};",
            false,
        ),
        ("/xml", "a web page", true),
        ("/empty", "nothing", true),
    ] {
        let error = place.fetch(&place.ask(path)).unwrap_err();
        assert!(error.to_string().contains(what), "{error}");
        assert!(!error.passes());
        assert!(place.names().is_empty(), "{:?}", place.names());
        let json = place.ask(path).expect(Expect::Json);
        assert_eq!(text(&json).is_err(), said, "{path}");
    }
}

#[test]
fn a_hash_must_be_right() {
    let place = Place::new();
    place
        .server
        .put("/a", Page::new("192.0.2.1\n").etag("\"1\""));
    let hash = super::super::checksum::hex(Sha256::new_with_prefix("192.0.2.1\n"));
    let wrong = "0".repeat(64);
    let error = place
        .fetch(&place.ask("/a").sha256(Some(&wrong)))
        .unwrap_err();
    let shown = error.to_string();
    assert!(shown.contains(&hash) && shown.contains(&wrong), "{shown}");
    assert!(place.names().is_empty(), "{:?}", place.names());
    let upper = hash.to_uppercase();
    assert_eq!(
        place.new_data(&place.ask("/a").sha256(Some(&upper))).sha256,
        hash
    );
}

#[test]
fn hashes_are_read_as_they_are_published() {
    let (a, b) = ("a".repeat(64), "B".repeat(64));
    for (text, name, found) in [
        (a.clone(), "x", Some("a")),
        (format!("{a}\r\n"), "", Some("a")),
        (format!("{a}  x.tar.gz\n"), "y.tar.gz", Some("a")),
        (format!("{a}  x.zip\n{b} *dir/y.zip\n"), "y.zip", Some("b")),
        (format!("{a}  x.zip\n{b}  y.zip\n"), "zip", None),
        (format!("{a}  x.zip\n{b}  y.zip\n"), "", None),
        ("<html>".to_owned(), "x", None),
        ("ä".repeat(32), "x", None),
        (String::new(), "x", None),
    ] {
        let found = found.map(|letter| letter.repeat(64));
        assert_eq!(sha256_in(&text, name), found, "{text} {name}");
    }
}
