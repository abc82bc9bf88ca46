use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::store::{Ban, ListEntry, ListKind};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn entry(number: u32) -> ListEntry {
    let address = std::net::Ipv4Addr::from(0x0a00_0000 + number * 2).into();
    ListEntry {
        list: ListKind::Deny,
        first: address,
        last: address,
        comment: "a comment that takes some room in its page".to_owned(),
        added: at(1_700_000_000),
        expires: None,
    }
}

/// A directory with a store of several pages, all in the main file.
fn filled() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let mut store = Store::open(directory.path()).unwrap().store;
    for number in 0..200 {
        store.add_entry(&entry(number)).unwrap();
    }
    let ban = |number: u32| Ban {
        address: std::net::Ipv4Addr::from(0xcb00_7100 + number).into(),
        prefix_len: 32,
        reason: "rate".to_owned(),
        since: at(1_700_000_000),
        until: at(1_700_000_900),
        times: 1,
        port: None,
        proved: false,
        evidence: Some(vec![b'x'; 300]),
        note: String::new(),
    };
    store
        .put_bans(&(0..50).map(ban).collect::<Vec<_>>())
        .unwrap();
    directory
}

fn damaged(directory: &Path) -> Vec<String> {
    let names = fs::read_dir(directory).unwrap();
    let mut names: Vec<_> = names
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.retain(|name| name.contains("damaged"));
    names.sort();
    names
}

#[test]
fn a_new_directory_and_file_are_private() {
    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join("a/b");
    let opened = Store::open(&directory).unwrap();
    assert!(opened.moved_aside.is_none());
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&directory), 0o700);
    assert_eq!(mode(&directory.join(FILE)), 0o600);
    let wal = format!("{FILE}-wal");
    assert_eq!(mode(&directory.join(wal)), 0o600);
}

#[test]
fn garbage_is_moved_aside_with_its_journal() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(FILE);
    let journal = directory.path().join(format!("{FILE}-journal"));
    for round in 1..=2 {
        fs::write(
            &path,
            b"this is no database at all, and longer than its header is: ".repeat(50),
        )
        .unwrap();
        fs::write(directory.path().join(format!("{FILE}-wal")), b"old").unwrap();
        let opened = Store::open(directory.path()).unwrap();
        let aside = opened.moved_aside.unwrap();
        assert!(
            fs::read(&aside)
                .unwrap()
                .starts_with(b"this is no database")
        );
        let mains = damaged(directory.path())
            .iter()
            .filter(|name| !name.ends_with("-wal"))
            .count();
        assert_eq!(mains, round, "an earlier damaged file is kept");
        let mut store = opened.store;
        store.add_entry(&entry(1)).unwrap();
        drop(store);
        let opened = Store::open(directory.path()).unwrap();
        assert!(opened.moved_aside.is_none());
        assert_eq!(opened.store.entries(ListKind::Deny).unwrap(), [entry(1)]);
    }
    assert!(!journal.exists());
}

#[test]
fn a_truncated_file_is_moved_aside() {
    let directory = filled();
    let path = directory.path().join(FILE);
    let whole = fs::read(&path).unwrap();
    assert!(whole.len() > 20_000);
    for length in [1, 50, 100, 4_096, 4_097, whole.len() / 2, whole.len() - 1] {
        fs::write(&path, &whole[..length]).unwrap();
        let opened = Store::open(directory.path()).unwrap();
        assert!(opened.moved_aside.is_some(), "{length} bytes");
        assert_eq!(opened.store.entries(ListKind::Deny).unwrap(), []);
    }
}

#[test]
fn a_flipped_bit_never_keeps_the_store_shut() {
    let directory = filled();
    let path = directory.path().join(FILE);
    let whole = fs::read(&path).unwrap();
    let mut moved = 0;
    // A step that shares no factor with the page size visits headers, cells and free space of all pages.
    for at in (0..whole.len()).step_by(641) {
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << (at % 8);
        fs::write(&path, &bytes).unwrap();
        let opened = Store::open(directory.path()).unwrap();
        moved += u32::from(opened.moved_aside.is_some());
        opened.store.entries(ListKind::Deny).unwrap();
        opened.store.bans().unwrap();
        drop(opened);
        for suffix in ["-wal", "-shm"] {
            assert!(!directory.path().join(format!("{FILE}{suffix}")).exists());
        }
    }
    assert!(moved > 0);
    // The type of each page after the first: always found.
    for page in (4_096..whole.len()).step_by(4_096) {
        let mut bytes = whole.clone();
        bytes[page] ^= 0x40;
        fs::write(&path, &bytes).unwrap();
        let opened = Store::open(directory.path()).unwrap();
        let in_use = whole[page] != 0;
        assert!(opened.moved_aside.is_some() || !in_use, "page at {page}");
    }
}

#[test]
fn a_value_that_nobody_wrote_is_damage() {
    for sql in [
        "INSERT INTO ban VALUES (x'01020304', 77, 'rate', 1, 2, 1, NULL, '', 0, 0)",
        "INSERT INTO ban VALUES (x'010203', 24, 'rate', 1, 2, 1, NULL, '', 0, 0)",
        "INSERT INTO ban VALUES (x'01020304', 32, 'rate', 1, 2, 1, NULL, '', 65536, 0)",
        "INSERT INTO registration VALUES (x'01020304', 1, 1, zeroblob(33), 17, 5060, '', 1, 2, 3)",
        "INSERT INTO standing VALUES (x'01020304', 1, 'soon', NULL)",
        "INSERT INTO account VALUES (1, x'31', 1, x'0102')",
        "INSERT INTO refusal VALUES (x'01020304', x'31', 1, 1, -1, 5060, 401, '', 0)",
        "INSERT INTO dropped VALUES
         (x'01020304', '', '', '', '', '', 1, 1, 1, 1, 0, 0, 'text', NULL, NULL)",
        "INSERT INTO fact VALUES ('learning', 1.5)",
        "INSERT INTO list_name VALUES ('deny', 'a.example', '', 'soon', NULL)",
        "INSERT INTO name_answer VALUES ('a.example', 1, x'010203')",
        "INSERT INTO list_entry VALUES ('deny', x'01020304', x'01020304', '', 1e300, NULL)",
        "DROP TABLE ban_history",
    ] {
        let directory = filled();
        let connection = Connection::open(directory.path().join(FILE)).unwrap();
        connection.execute_batch(sql).unwrap();
        drop(connection);
        assert!(
            Store::open(directory.path()).unwrap().moved_aside.is_some(),
            "{sql}"
        );
    }
}

#[test]
fn an_older_layout_is_brought_up_to_date() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(FILE);
    let connection = Connection::open(&path).unwrap();
    schema::first(&connection).unwrap();
    connection
        .execute_batch(
            "INSERT INTO ban VALUES (x'01020304', 32, 'rate', 1, 2, 3, x'00', 'why');
             INSERT INTO ban_history VALUES
             (1, x'01020304', 32, 'rate', 1, 2, 2, NULL, '', 2, 'expired');",
        )
        .unwrap();
    drop(connection);
    let error = Store::read(directory.path()).unwrap_err();
    assert!(matches!(error, StoreError::TooOld { .. }), "{error}");
    let opened = Store::open(directory.path()).unwrap();
    assert!(opened.moved_aside.is_none());
    let ban = &opened.store.bans().unwrap()[0];
    assert_eq!((ban.times, ban.port, ban.proved), (3, None, false));
    assert_eq!(ban.note, "why");
    assert_eq!(opened.store.ban_history().unwrap().len(), 1);
    drop(opened);
    assert!(Store::read(directory.path()).unwrap().is_some());
}

#[test]
fn a_newer_layout_is_refused_and_kept() {
    let directory = filled();
    let connection = Connection::open(directory.path().join(FILE)).unwrap();
    connection
        .pragma_update(None, "user_version", schema::VERSION + 1)
        .unwrap();
    drop(connection);
    let error = Store::open(directory.path()).unwrap_err();
    assert!(matches!(error, StoreError::TooNew { .. }), "{error}");
    assert_eq!(damaged(directory.path()), [""; 0]);
}

#[test]
fn a_killed_writer_loses_nothing_that_was_committed() {
    let directory = filled();
    let mut store = Store::open(directory.path()).unwrap().store;
    store.add_entry(&entry(1_000)).unwrap();
    // A copy of the files as they lie while the writer is alive is what a killed one leaves.
    let copy = tempfile::tempdir().unwrap();
    for suffix in ["", "-wal"] {
        let name = format!("{FILE}{suffix}");
        fs::copy(directory.path().join(&name), copy.path().join(&name)).unwrap();
    }
    let opened = Store::open(copy.path()).unwrap();
    assert!(opened.moved_aside.is_none());
    assert_eq!(opened.store.entries(ListKind::Deny).unwrap().len(), 201);
}

#[test]
fn two_stores_on_one_file_see_each_other() {
    let directory = tempfile::tempdir().unwrap();
    let mut one = Store::open(directory.path()).unwrap().store;
    let mut two = Store::open(directory.path()).unwrap().store;
    one.add_entry(&entry(1)).unwrap();
    two.add_entry(&entry(2)).unwrap();
    assert_eq!(one.entries(ListKind::Deny).unwrap().len(), 2);
}

#[test]
fn a_directory_that_cannot_be_used_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    fs::write(&file, b"").unwrap();
    let error = Store::open(&file.join("state")).unwrap_err();
    assert!(error.to_string().contains("--state"), "{error}");
}
