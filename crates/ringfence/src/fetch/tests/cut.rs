//! Downloads that end early.

use std::time::Duration;

use ringfence_lab::provider::Page;

use super::{FetchError, Place, data, fetch};
use crate::fetch::Progress;

#[test]
fn a_download_goes_on_where_it_was_cut() {
    let place = Place::new();
    std::fs::write(place.file(), "in force").unwrap();
    let page = Page::new(data(300_000)).etag("\"1\"");
    place
        .server
        .turns("/a", vec![page.clone().cut(100_000), page]);
    let error = place.fetch(&place.ask("/a")).unwrap_err();
    assert!(
        matches!(error, FetchError::Cut { got: 100_000, .. }),
        "{error}"
    );
    assert!(error.passes());
    assert_eq!(place.held(), b"in force");
    assert_eq!(place.new_data(&place.ask("/a")).size, 300_000);
    assert_eq!(place.held(), data(300_000));
    let asked = place.server.asked();
    assert_eq!(asked[1].header("range"), Some("bytes=100000-"));
    assert_eq!(asked[1].header("if-range"), Some("\"1\""));
    assert_eq!(asked[1].status, 206);
    assert_eq!(place.names(), ["data"]);
}

#[test]
fn a_file_that_changed_meanwhile_is_downloaded_whole() {
    let new = || Page::new(data(200_000)).etag("\"2\"");
    // Servers that heed `If-Range`, that know no ranges, and that send the rest of the wrong file; the last asks twice.
    for (second, requests) in [
        (new(), 2),
        (new().no_ranges(), 2),
        (new().blind_ranges(), 3),
    ] {
        let place = Place::new();
        let cut = Page::new(vec![b'x'; 100_000]).etag("\"1\"").cut(50_000);
        place.server.turns("/a", vec![cut, second]);
        assert!(place.fetch(&place.ask("/a")).is_err());
        place.new_data(&place.ask("/a"));
        assert_eq!(place.held(), data(200_000));
        assert_eq!(place.server.asked().len(), requests);
        assert_eq!(place.names(), ["data"]);
    }
}

#[test]
fn a_file_that_shrank_below_the_part_is_downloaded_whole() {
    let place = Place::new();
    let cut = Page::new(data(100_000)).etag("\"1\"").cut(50_000);
    let small = Page::new(data(10)).etag("\"2\"").blind_ranges();
    place.server.turns("/a", vec![cut, small]);
    assert!(place.fetch(&place.ask("/a")).is_err());
    assert_eq!(place.new_data(&place.ask("/a")).size, 10);
    assert_eq!(place.server.asked()[1].status, 416);
}

#[test]
fn what_cannot_be_resumed_or_is_of_another_url_begins_anew() {
    let place = Place::new();
    let plain = Page::new(data(1000));
    let weak = Page::new(data(1000)).etag("W/\"1\"");
    let tagged = Page::new(data(1000)).etag("\"1\"");
    for (path, page) in [("/plain", &plain), ("/weak", &weak), ("/tagged", &tagged)] {
        let turns = vec![page.clone().cut(500), page.clone()];
        place.server.turns(path, turns);
        assert!(place.fetch(&place.ask(path)).is_err());
        let kept = !place.names().is_empty();
        assert_eq!(kept, path == "/tagged", "{path}");
    }
    place.new_data(&place.ask("/plain"));
    assert_eq!(place.server.asked_for("/plain")[1].header("range"), None);
    assert_eq!(place.held(), data(1000));
}

#[test]
fn a_chunked_answer_without_its_end_is_cut() {
    let place = Place::new();
    let page = Page::new(data(1000)).chunked().etag("\"1\"");
    place.server.turns("/a", vec![page.clone().cut(500), page]);
    let error = place.fetch(&place.ask("/a")).unwrap_err();
    assert!(matches!(error, FetchError::Cut { got: 500, .. }), "{error}");
    assert_eq!(place.new_data(&place.ask("/a")).size, 1000);
}

#[test]
fn two_downloads_do_not_write_the_same_file() {
    let place = Place::new();
    let pause = Duration::from_millis(100);
    place
        .server
        .put("/a", Page::new(data(10_000)).drip(2000, pause));
    std::thread::scope(|scope| {
        let first = scope.spawn(|| place.new_data(&place.ask("/a")));
        while place.server.asked().is_empty() {
            std::thread::sleep(Duration::from_millis(5));
        }
        let error = place.fetch(&place.ask("/a")).unwrap_err();
        assert!(matches!(error, FetchError::Busy { .. }), "{error}");
        assert_eq!(first.join().unwrap().size, 10_000);
    });
    assert_eq!(place.held(), data(10_000));
    assert_eq!(place.server.asked().len(), 1);
}

#[test]
fn the_caller_can_end_it() {
    struct Enough;
    impl Progress for Enough {
        fn begin(&self, _what: &str, all: Option<u64>) {
            assert_eq!(all, Some(100_000));
        }
        fn at(&self, done: u64) {
            assert!(done <= 100_000);
        }
        fn end(&self) {}
        fn stop(&self) -> bool {
            true
        }
    }
    let place = Place::new();
    let page = Page::new(data(100_000)).etag("\"1\"");
    let pause = Duration::from_millis(50);
    place
        .server
        .turns("/a", vec![page.clone().drip(10_000, pause), page]);
    let error = fetch(&place.ask("/a"), &place.file(), &Enough).unwrap_err();
    assert!(matches!(error, FetchError::Stopped { .. }), "{error}");
    assert_eq!(place.new_data(&place.ask("/a")).size, 100_000);
    assert_eq!(place.server.asked()[1].status, 206);
}
