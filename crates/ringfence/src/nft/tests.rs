use std::fs;
use std::os::unix::fs::PermissionsExt;

use nftables::schema::Chain;

use super::*;
use crate::net::testing::namespace;

const NAME: &str = "ringfence_test";

fn chain(table: &str) -> NfListObject<'static> {
    NfListObject::Chain(Chain {
        family: NfFamily::INet,
        table: table.to_owned().into(),
        name: "input".into(),
        ..Chain::default()
    })
}

/// An `nft` of our own, which is a shell script.
fn script(body: &str, limit: Duration) -> (tempfile::TempDir, Nft) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("nft");
    fs::write(&path, format!("#!/bin/sh\n{body}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    let program = path.into();
    (directory, Nft { program, limit })
}

#[test]
fn a_batch_holds_as_a_whole_or_not_at_all() {
    namespace(async || {
        let nft = Nft::default();
        assert!(nft.works().unwrap().contains('.'));
        assert!(!nft.has_table(NfFamily::INet, NAME).unwrap());
        let mut bad = Batch::new();
        bad.add(table(NfFamily::INet, NAME));
        bad.add(chain("nowhere"));
        let error = nft.run(&bad.to_nftables()).unwrap_err();
        assert!(matches!(error, NftError::Refused(_)), "{error}");
        assert!(!nft.has_table(NfFamily::INet, NAME).unwrap());

        let mut good = Batch::new();
        good.add(table(NfFamily::INet, NAME));
        good.add(chain(NAME));
        let good = good.to_nftables();
        nft.check(&good).unwrap();
        assert_eq!(nft.table(NfFamily::INet, NAME).unwrap(), None);
        nft.run(&good).unwrap();
        let objects = nft.table(NfFamily::INet, NAME).unwrap().unwrap();
        assert_eq!(objects.len(), 2, "{objects:?}");
        assert_eq!(objects[1]["chain"]["name"], "input");
        assert_eq!(nft.outline(NfFamily::INet, NAME).unwrap(), Some(objects));
        assert!(!nft.has_table(NfFamily::IP, NAME).unwrap());
        assert_eq!(nft.chains().unwrap().len(), 1);
        assert!(nft.delete_table(NfFamily::INet, NAME).unwrap());
        assert!(!nft.delete_table(NfFamily::INet, NAME).unwrap());
    });
}

#[test]
fn without_the_program_it_names_the_package() {
    let nft = Nft {
        program: "/nonexistent/nft".into(),
        limit: LIMIT,
    };
    let error = nft.works().unwrap_err().to_string();
    assert!(error.contains("package nftables"), "{error}");
}

#[test]
fn one_that_hangs_is_killed() {
    let (_directory, nft) = script("exec sleep 60", Duration::from_millis(200));
    let start = std::time::Instant::now();
    let error = nft.run_text(&"x".repeat(1 << 20)).unwrap_err();
    assert!(matches!(error, NftError::Late(_)), "{error}");
    assert!(start.elapsed() < Duration::from_secs(10));
}

#[test]
fn what_it_floods_us_with_is_cut_off() {
    let (_directory, nft) = script(
        "head -c 1000000 /dev/zero | tr '\\0' x >&2; exit 1",
        Duration::from_secs(20),
    );
    let error = nft.tables().unwrap_err().to_string();
    assert!(error.len() < 700, "{}", error.len());
    let (_directory, nft) = script("echo '[]'", LIMIT);
    let error = nft.tables().unwrap_err().to_string();
    assert!(error.contains("cannot be read"), "{error}");
}
