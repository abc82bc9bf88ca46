//! Redirects, and what they may take along.

use ringfence_lab::provider::{Page, Provider};

use super::{Place, data};
use crate::config::Secret;
use crate::fetch::client::unreached;

#[test]
fn redirects_are_followed_and_secrets_stay_at_their_host() {
    let place = Place::new();
    let other = Provider::start().unwrap();
    other.put("/data", Page::new(data(1000)).etag("\"1\""));
    place.server.put("/a", Page::redirect("/b?x=1").status(301));
    place.server.put(
        "/b",
        Page::redirect(&other.url("/data?signed=1")).status(307),
    );
    let ask = place
        .ask("/a")
        .login("user", &Secret::new("hush"))
        .header("X-Api-Key", &Secret::new("hush"));
    let known = place.new_data(&ask);
    assert_eq!(place.held(), data(1000));
    assert_eq!(known.url, place.server.url("/a"));
    let here = place.server.asked();
    assert_eq!(here[1].target, "/b?x=1");
    for asked in &here {
        assert_eq!(asked.header("authorization"), Some("Basic dXNlcjpodXNo"));
        assert_eq!(asked.header("x-api-key"), Some("hush"));
    }
    // The validator of the data goes along the redirects, the secrets do not.
    assert!(place.fetch(&ask.known(Some(&known))).is_ok());
    for asked in other.asked() {
        assert_eq!(asked.header("authorization"), None);
        assert_eq!(asked.header("x-api-key"), None);
    }
    assert_eq!(other.asked()[1].status, 304);
}

#[test]
fn another_name_or_port_is_another_host() {
    let place = Place::new();
    place.server.put("/data", Page::new(data(10)));
    let to = place.server.other_url("/data");
    place.server.put("/a", Page::redirect(&to));
    place.new_data(&place.ask("/a").login("user", &Secret::new("hush")));
    let asked = place.server.asked_for("/data");
    assert_eq!(asked[0].header("authorization"), None);
}

#[test]
fn redirects_in_a_circle_and_to_nowhere_end() {
    let place = Place::new();
    place.server.put("/circle", Page::redirect("/circle"));
    place.server.put("/none", Page::new("").status(302));
    place
        .server
        .put("/file", Page::redirect("file:///etc/passwd"));
    place.server.put("/odd", Page::redirect("http://[hush"));
    for (path, why) in [
        ("/circle", "more than 5 times"),
        ("/none", "does not say where to"),
        ("/file", "no http or https URL"),
        ("/odd", "no URL"),
    ] {
        let error = place.fetch(&place.ask(path)).unwrap_err().to_string();
        assert!(error.contains(why) && !error.contains("hush"), "{error}");
    }
    assert_eq!(place.server.asked_for("/circle").len(), 6);
    assert!(place.names().is_empty(), "{:?}", place.names());
}

#[test]
fn a_redirect_takes_no_key_into_a_text() {
    let place = Place::new();
    let key = Secret::new("Hush/5ecret+key");
    let ask = place.ask("/api/{key}/banned").fill("key", &key);
    for (to, told) in [
        ("ftp://h/Hush/5ecret+key/list", "ftp://h/.../list,"),
        ("ftp://h/Hush%2F5ecret%2Bkey/list", "ftp://h/.../list,"),
        ("ftp://h/Hush%2f5ecret+%6bey/list", "ftp://h/.../list,"),
        ("ftp://h/list?key=Hush", "ftp://h/list,"),
    ] {
        let path = "/api/Hush%2F5ecret%2Bkey/banned";
        place.server.put(path, Page::redirect(to));
        let shown = place.fetch(&ask).unwrap_err().to_string();
        assert!(shown.contains(told), "{shown}");
        assert!(shown.contains("/api/{key}/banned"), "{shown}");
    }
    // A host is written in small letters.
    let ask = place.ask("/").fill("key", &Secret::new("HushKey"));
    let url = "http://HushKey.example/".parse().unwrap();
    let shown = unreached(&ask, &url, &ureq::Error::HostNotFound).to_string();
    assert!(shown.contains("no address of ....example"), "{shown}");
}
