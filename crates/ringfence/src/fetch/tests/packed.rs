//! What is packed, and what is a trap.

use std::path::PathBuf;

use ringfence_lab::provider::{gzip, gzip_of_zeros, tar_gz, zip, zip_of_zeros};
use tempfile::TempDir;

use super::{data, names};
use crate::fetch::{Want, unpack, unpacked};

/// The most that comes out in these tests.
const MOST: u64 = 100_000;

struct Packed {
    directory: TempDir,
    file: PathBuf,
    into: PathBuf,
}

fn packed(bytes: &[u8]) -> Packed {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("packed");
    let into = directory.path().join("data");
    std::fs::write(&file, bytes).unwrap();
    Packed {
        directory,
        file,
        into,
    }
}

impl Packed {
    fn unpack(&self, want: Want<'_>) -> Result<(Option<String>, Vec<u8>), String> {
        let memory = unpacked(&self.file, want, MOST);
        match unpack(&self.file, want, MOST, &self.into) {
            Ok(unpacked) => {
                let bytes = std::fs::read(&self.into).unwrap();
                assert_eq!(memory.unwrap(), bytes);
                assert_eq!(unpacked.size, bytes.len() as u64);
                Ok((unpacked.name, bytes))
            }
            Err(error) => {
                assert_eq!(memory.unwrap_err().to_string(), error.to_string());
                // Nothing stays, and nothing is beside.
                assert_eq!(names(self.directory.path()), ["packed"]);
                Err(error.to_string())
            }
        }
    }
}

const MMDB: Want<'_> = Want::Ending(&[".mmdb", ".csv"]);

#[test]
fn data_is_unpacked_by_its_content() {
    let bytes = data(MOST as usize);
    let named = |name: &str| Some(name.to_owned());
    let files: [(&str, &[u8]); 3] = [
        ("GeoLite2_1/LICENSE.txt", b"free"),
        ("GeoLite2_1/GeoLite2-Country.mmdb", &bytes),
        ("GeoLite2_1/other.csv", b"x"),
    ];
    let mut two = gzip(&bytes[..500]);
    two.extend(gzip(&bytes[500..]));
    for (file, name) in [
        (bytes.clone(), None),
        (gzip(&bytes), None),
        (two, None),
        (zip(&files), named("GeoLite2-Country.mmdb")),
        (tar_gz(&files), named("GeoLite2-Country.mmdb")),
        (zip(&[("a/B.CSV", &bytes)]), named("B.CSV")),
    ] {
        assert_eq!(packed(&file).unpack(MMDB).unwrap(), (name, bytes.clone()));
    }
    let only = zip(&[("any", &bytes)]);
    assert_eq!(packed(&only).unpack(Want::Only).unwrap().0, named("any"));
    assert_eq!(packed(b"").unpack(MMDB).unwrap(), (None, Vec::new()));
}

#[test]
fn an_archive_without_what_is_wanted_is_told() {
    let two: [(&str, &[u8]); 2] = [("a.csv", b"1"), ("b.csv", b"2")];
    for file in [zip(&two), tar_gz(&two)] {
        let error = packed(&file).unpack(MMDB).unwrap_err();
        assert!(error.contains("2 files in it will do"), "{error}");
        let error = packed(&file).unpack(Want::Only).unwrap_err();
        assert!(error.contains("2 files in it will do"), "{error}");
        let error = packed(&file).unpack(Want::Ending(&[".json"])).unwrap_err();
        assert!(error.contains("no file that ends in .json"), "{error}");
    }
    let empty = zip(&[]);
    let error = packed(&empty).unpack(Want::Only).unwrap_err();
    assert!(error.contains("there is no file"), "{error}");
}

#[test]
fn bombs_end_at_the_limit() {
    for bomb in [
        gzip_of_zeros(50 << 20),
        zip_of_zeros("a.mmdb", 50 << 20),
        tar_gz(&[("a.mmdb", &vec![0; 200_000])]),
    ] {
        let error = packed(&bomb).unpack(MMDB).unwrap_err();
        assert!(error.contains("more than 100000 bytes"), "{error}");
    }
    // What is not wanted is a bomb.
    let large = vec![0; 40 << 20];
    let hidden = tar_gz(&[("a.txt", &large), ("a.mmdb", b"x")]);
    let error = packed(&hidden).unpack(MMDB).unwrap_err();
    assert!(error.contains("damaged or cut"), "{error}");
    let hidden = zip(&[("a.txt", &large), ("a.mmdb", b"x")]);
    assert_eq!(packed(&hidden).unpack(MMDB).unwrap().1, b"x");
}

#[test]
fn names_are_never_paths() {
    let evil: [(&str, &[u8]); 1] = [("../../../../tmp/\u{1b}evil.mmdb", b"x")];
    for file in [zip(&evil), tar_gz(&evil)] {
        let packed = packed(&file);
        let (name, bytes) = packed.unpack(MMDB).unwrap();
        assert_eq!(name.unwrap(), "\\u{1b}evil.mmdb");
        assert_eq!(bytes, b"x");
        assert_eq!(names(packed.directory.path()), ["data", "packed"]);
    }
}

#[test]
fn an_archive_of_very_many_members_is_refused() {
    let many: Vec<String> = (0..1001).map(|n| format!("{n}.txt")).collect();
    let mut files: Vec<(&str, &[u8])> = many.iter().map(|name| (name.as_str(), &b""[..])).collect();
    files[0].0 = "a.mmdb";
    for file in [zip(&files), tar_gz(&files)] {
        let error = packed(&file).unpack(MMDB).unwrap_err();
        assert!(error.contains("more than 1000 members"), "{error}");
    }
}

#[test]
fn damage_is_told_and_never_a_panic() {
    let bytes = data(5000);
    let files: [(&str, &[u8]); 2] = [("a.mmdb", &bytes), ("b", b"b")];
    for whole in [gzip(&bytes), zip(&files), tar_gz(&files)] {
        for cut in (10..whole.len()).step_by(97) {
            let packed = packed(&whole[..cut]);
            let done = packed.unpack(MMDB);
            assert!(done.is_err(), "{cut} of {}", whole.len());
        }
        for at in (0..whole.len()).step_by(61) {
            let mut wrong = whole.clone();
            wrong[at] ^= 0x55;
            // Some bytes say nothing of the data; it must come out whole then, or be plain.
            let packed = packed(&wrong);
            if let Ok((_, out)) = packed.unpack(MMDB) {
                assert!(out == bytes || out == wrong, "{at}");
            }
        }
    }
}
