//! What is not newer is not downloaded.

use ringfence_lab::provider::Page;

use super::{Got, Known, Place, data};

#[test]
fn a_file_is_downloaded_and_known() {
    let place = Place::new();
    place
        .server
        .put("/a", Page::new(data(100_000)).etag("\"1\""));
    let known = place.new_data(&place.ask("/a?key=hush"));
    assert_eq!(place.held(), data(100_000));
    assert_eq!(place.names(), ["data"]);
    assert_eq!(
        (known.size, known.etag.as_deref()),
        (100_000, Some("\"1\""))
    );
    assert_eq!(known.url, place.server.url("/a"));
    let asked = place.server.asked();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].target, "/a?key=hush");
    let agent = concat!("ringfence/", env!("CARGO_PKG_VERSION"));
    assert_eq!(asked[0].header("user-agent"), Some(agent));
    let path = place.directory.path().join("data.json");
    known.save(&path).unwrap();
    assert_eq!(Known::load(&path).unwrap(), known);
    assert!(!std::fs::read_to_string(&path).unwrap().contains("hush"));
    std::fs::write(&path, "{").unwrap();
    assert_eq!(Known::load(&path), None);
}

#[test]
fn what_has_the_same_tag_or_date_is_not_sent_again() {
    let place = Place::new();
    let date = "Wed, 21 Oct 2026 07:28:00 GMT";
    place
        .server
        .put("/tag", Page::new(data(10)).etag("W/\"1\""));
    place
        .server
        .put("/date", Page::new(data(10)).last_modified(date));
    for path in ["/tag", "/date"] {
        let known = place.new_data(&place.ask(path));
        std::fs::remove_file(place.file()).unwrap();
        let got = place.fetch(&place.ask(path).known(Some(&known))).unwrap();
        let Got::Same(again) = got else {
            panic!("{got:?}")
        };
        assert_eq!(again.fetched, known.fetched);
        assert!(again.checked > known.checked);
        let asked = place.server.asked_for(path);
        assert_eq!(asked[1].status, 304);
        assert!(place.names().is_empty(), "{:?}", place.names());
    }
}

#[test]
fn the_same_content_is_nothing_new_though_the_server_cannot_tell() {
    let place = Place::new();
    place.server.put("/a", Page::new(data(10)));
    let known = place.new_data(&place.ask("/a"));
    let ask = place.ask("/a").known(Some(&known));
    assert!(matches!(place.fetch(&ask), Ok(Got::Same(_))));
    place.server.put("/a", Page::new(data(11)));
    assert_eq!(place.new_data(&ask).size, 11);
    assert_eq!(place.names(), ["data"]);
}

#[test]
fn a_tag_is_of_one_url_alone() {
    let place = Place::new();
    for target in ["/a?of=1", "/a?of=2"] {
        let page = Page::new(data(target.len() + place.server.asked().len()));
        place.server.put(target, page.etag("\"same\""));
    }
    let known = place.new_data(&place.ask("/a?of=1"));
    place
        .server
        .put("/a?of=2", Page::new(data(99)).etag("\"same\""));
    assert_eq!(
        place
            .new_data(&place.ask("/a?of=2").known(Some(&known)))
            .size,
        99
    );
    assert_eq!(place.server.asked()[1].header("if-none-match"), None);
}

#[test]
fn a_server_that_says_unchanged_unasked_is_not_believed() {
    let place = Place::new();
    place.server.put("/a", Page::new("").status(304));
    let error = place.fetch(&place.ask("/a")).unwrap_err().to_string();
    assert!(error.contains("answers what was not asked"), "{error}");
}
