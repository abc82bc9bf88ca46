//! Providers that tell only what is new.

use jiff::SignedDuration;
use ringfence_lab::provider::Page;

use super::{Place, failure, minutes, shown};

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
fn apiban_may_have_nothing_new_for_long_and_fail_at_first() {
    let mut place = Place::new();
    let feed = place.feed(APIBAN, "/api");
    place.server.put("/api/k123456/banned", Page::error(500));
    let outcome = place.update(&feed);
    assert!(outcome.nets.is_none() && place.shelf().load_about(&feed).is_none());
    place
        .server
        .put("/api/k123456/banned", banned(&["no new bans"], "none"));
    assert!(failure(&place.update(&feed)).contains("no entry"));
    place
        .server
        .put("/api/k123456/banned", banned(&["1.2.3.4"], "100"));
    place
        .server
        .put("/api/k123456/banned/100", banned(&[], "none"));
    place.update(&feed).result.unwrap();
    place.pass(minutes(50));
    place.update(&feed).result.unwrap();
    place.pass(minutes(50));
    assert!(place.update(&feed).nets.unwrap().is_empty(), "all are over");
    // By force all is asked for anew, and what is held stays until it is there.
    place
        .server
        .put("/api/k123456/banned/100", banned(&["5.6.7.8"], "200"));
    place
        .server
        .put("/api/k123456/banned/200", banned(&[], "none"));
    place.update(&feed).result.unwrap();
    place
        .server
        .put("/api/k123456/banned/100", Page::error(500));
    assert!(place.update_so(&feed, true, None).result.is_err());
    assert_eq!(place.load(&feed).unwrap().nets.len(), 1);
}

#[test]
fn the_last_page_of_apiban_may_be_written_in_several_ways() {
    for (last, entries) in [
        ("{\"ID\":\"none\",\"ipaddress\":\"no new bans\"}", 1),
        ("{\"ID\":\"none\",\"ipaddress\":[\"no new bans\"]}", 1),
        ("{\"ID\":\"none\",\"ipaddress\":[\"5.6.7.8\"]}", 2),
        ("{\"ID\":\"none\"}", 1),
        ("{\"ID\":\"100\",\"ipaddress\":[]}", 1),
    ] {
        let place = Place::new();
        let feed = place.feed(APIBAN, "/api");
        place
            .server
            .put("/api/k123456/banned", banned(&["1.2.3.4"], "100"));
        place
            .server
            .put("/api/k123456/banned/100", Page::new(last).json());
        let outcome = place.update(&feed);
        let about = outcome.result.unwrap();
        assert_eq!((about.entries, about.unreadable), (entries, 0), "{last}");
        assert_eq!(about.cursor.as_deref(), Some("100"), "{last}");
    }
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
    assert!(failure(&place.update_so(&feed, true, None)).contains("do not end"));
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
