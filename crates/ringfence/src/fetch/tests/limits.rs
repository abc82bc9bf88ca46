//! Bounds in time and size.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use ringfence_lab::provider::Page;

use super::{Ask, FetchError, Limits, Place, data, quick};
use crate::fetch::text;

#[test]
fn a_server_that_drips_is_left() {
    let place = Place::new();
    let drip = Page::new(data(10_000)).drip(1, Duration::from_millis(20));
    place.server.put("/a", drip.etag("\"1\""));
    let begun = Instant::now();
    let error = place.fetch(&place.ask("/a")).unwrap_err();
    assert!(error.to_string().contains("too slow"), "{error}");
    assert!(
        begun.elapsed() < Duration::from_secs(3),
        "{:?}",
        begun.elapsed()
    );
}

#[test]
fn a_server_that_falls_silent_is_left() {
    let place = Place::new();
    let page = Page::new(data(10_000));
    place
        .server
        .put("/late", page.clone().delay(Duration::from_secs(20)));
    place
        .server
        .put("/stall", page.drip(5000, Duration::from_secs(20)));
    for (path, why) in [("/late", "no answer in time"), ("/stall", "fell silent")] {
        let begun = Instant::now();
        let error = place.fetch(&place.ask(path)).unwrap_err();
        assert!(error.to_string().contains(why), "{error}");
        assert!(error.passes());
        assert!(
            begun.elapsed() < Duration::from_secs(4),
            "{:?}",
            begun.elapsed()
        );
    }
}

#[test]
fn the_whole_has_an_end() {
    let place = Place::new();
    let page = Page::new(data(1_000_000)).drip(2000, Duration::from_millis(50));
    place.server.put("/a", page);
    let limits = Limits {
        whole: Duration::from_secs(1),
        ..quick()
    };
    let begun = Instant::now();
    let error = place.fetch(&place.ask("/a").limits(limits)).unwrap_err();
    assert!(error.passes(), "{error}");
    assert!(
        begun.elapsed() < Duration::from_secs(3),
        "{:?}",
        begun.elapsed()
    );
}

#[test]
fn an_answer_that_is_too_large_is_not_kept() {
    let place = Place::new();
    let page = Page::new(data(100_000)).etag("\"1\"");
    place.server.put("/told", page.clone());
    place.server.put("/chunked", page.clone().chunked());
    place.server.put("/close", page.no_length());
    for path in ["/told", "/chunked", "/close"] {
        let error = place.fetch(&place.ask(path).most(99_999)).unwrap_err();
        assert!(matches!(error, FetchError::TooLarge { .. }), "{error}");
        assert!(error.to_string().contains("99999 bytes"), "{error}");
        assert!(place.names().is_empty(), "{:?}", place.names());
        place.new_data(&place.ask(path).most(100_000));
        std::fs::remove_file(place.file()).unwrap();
    }
    let error = text(&place.ask("/chunked").most(99_999)).unwrap_err();
    assert!(matches!(error, FetchError::TooLarge { .. }), "{error}");
}

#[test]
fn nobody_there_is_told() {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = socket.local_addr().unwrap().port();
    drop(socket);
    let place = Place::new();
    let ask = Ask::new(&format!("http://127.0.0.1:{port}/hush?key=hush")).limits(quick());
    let error = place.fetch(&ask).unwrap_err();
    assert!(error.passes());
    assert!(error.to_string().contains("refused"), "{error}");
    let ask = Ask::new("http://nobody.invalid/a").limits(quick());
    let shown = place.fetch(&ask).unwrap_err().to_string();
    assert!(
        shown.contains("nobody.invalid") && shown.contains("DNS"),
        "{shown}"
    );
    for url in [
        "",
        "list.txt",
        "ftp://127.0.0.1/a",
        "file:///etc/passwd",
        "http://",
        "http:?hush",
    ] {
        let error = place.fetch(&Ask::new(url)).unwrap_err();
        assert!(matches!(error, FetchError::Url { .. }), "{url} {error}");
        assert!(
            !error.passes() && !error.to_string().contains("hush"),
            "{error}"
        );
    }
    assert!(place.names().is_empty(), "{:?}", place.names());
}
