//! Data of autonomous systems, from files of every layout.

use std::io::Write;
use std::net::IpAddr;
use std::path::PathBuf;

use proptest::prelude::*;
use ringfence_lab::provider::{gzip, zip};
use tempfile::TempDir;

use super::{AsnData, AsnError};
use crate::country::fixture::{Mmdb, Value};

fn file(name: &str, bytes: &[u8]) -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    (directory, path)
}

fn open(bytes: &[u8]) -> Result<AsnData, AsnError> {
    let (_directory, path) = file("asn.dat", bytes);
    AsnData::open(&[path])
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn nets(data: &AsnData, number: u32) -> Vec<String> {
    let nets = data.prefixes(number);
    nets.iter().map(ToString::to_string).collect()
}

const CSV: &str = "1.0.0.0,1.0.0.255,13335,\"Cloudflare, Inc.\"\n\
    1.0.1.0,1.0.1.255,13335,\"Cloudflare, Inc.\"\n\
    # two lines of one system, and a name with quotes\n\
    16778240,16778751,AS38803,\"The \"\"G\"\" Co\"\n\
    2001:200::,2001:200:1b9:ffff:ffff:ffff:ffff:ffff,2500,WIDE Project\n\
    42540488161975842760550356425300246528,42540488241204005274814694018844196863,6939,Hurricane\n\
    3.0.0.0,3.0.0.255,0,Nobody\n3.0.1.0,3.0.1.255,-,\n";

#[test]
fn a_csv_is_read() {
    let data = open(CSV.as_bytes()).unwrap();
    assert_eq!(
        data.lookup(ip("1.0.1.9")),
        Some((13335, "Cloudflare, Inc."))
    );
    assert_eq!(data.lookup(ip("::ffff:1.0.1.9")).unwrap().0, 13335);
    assert_eq!(data.lookup(ip("1.0.4.0")), Some((38803, "The \"G\" Co")));
    assert_eq!(data.lookup(ip("1.0.6.0")), None);
    assert_eq!(data.lookup(ip("0.255.255.255")), None);
    assert_eq!(data.lookup(ip("3.0.0.1")), None);
    assert_eq!(
        data.lookup(ip("2001:200:1b9::1")),
        Some((2500, "WIDE Project"))
    );
    assert_eq!(data.lookup(ip("2001::1")), Some((6939, "Hurricane")));
    assert_eq!(nets(&data, 13335), ["1.0.0.0/23"]);
    assert_eq!(nets(&data, 6939), ["2001::/32"]);
    assert_eq!(nets(&data, 64496), [""; 0]);
    assert_eq!(data.name(2500), Some("WIDE Project"));
    assert_eq!(data.name(0), None);
    assert_eq!((data.systems(), data.ranges()), (4, (2, 2)));
    assert_eq!(data.source, "asn.dat");
}

#[test]
fn a_header_is_passed_over_and_packed_files_are_read() {
    let text = format!("first,last,number,name\r\n{}", CSV.replace('\n', "\r\n"));
    let plain = open(CSV.as_bytes()).unwrap();
    assert_eq!(open(text.as_bytes()).unwrap(), plain);
    assert_eq!(open(&gzip(text.as_bytes())).unwrap(), plain);
    let both: [(&str, &[u8]); 2] = [("asn/README", b"x"), ("asn/asn.csv", text.as_bytes())];
    assert_eq!(open(&zip(&both)).unwrap(), plain);
}

#[test]
fn mistakes_name_the_line() {
    for (text, line, part) in [
        (
            "1.0.0.0,1.0.0.1,13335,A\nhello,x\n",
            2,
            "\"hello\" is not an address",
        ),
        ("1.0.0.0,1.0.0.1,X,A\n", 1, "\"X\" is no number of an AS"),
        ("1.0.0.0,1.0.0.1,4294967296,A\n", 1, "is no number of an AS"),
        (
            "1.0.0.0,1.0.0.1,1,A\n1.0.0.9,1.0.0.1,1,A\n",
            2,
            "before the first",
        ),
        ("1.0.0.0,1.0.0.1,0,A\n", 1, "no autonomous system"),
        ("", 1, "no autonomous system"),
        ("\u{fffd}\0", 1, "not an address"),
    ] {
        let error = open(text.as_bytes()).unwrap_err().to_string();
        assert!(error.contains(&format!("asn.dat:{line}: ")), "{error}");
        assert!(error.contains(part) && error.contains("64496"), "{error}");
    }
    let error = open(b"\xff\xfe,1").unwrap_err().to_string();
    assert!(error.contains("UTF-8"), "{error}");
}

fn maxmind(number: u32, name: &'static str) -> Value {
    Value::Map(vec![
        ("autonomous_system_number", Value::Word(number)),
        ("autonomous_system_organization", Value::Text(name)),
    ])
}

#[test]
fn databases_of_every_layout_are_read() {
    let ipinfo = Value::Map(vec![
        ("asn", Value::Text("AS680")),
        ("as_name", Value::Text("DFN")),
        ("country_code", Value::Text("DE")),
    ]);
    let older = Value::Map(vec![
        ("asn", Value::Text("AS64500")),
        ("name", Value::Text("Older")),
    ]);
    let none = Value::Map(vec![("country_code", Value::Text("DE"))]);
    let mut mmdb = Mmdb::new();
    mmdb.insert("1.0.0.0/24", &maxmind(13335, "Cloudflare"))
        .insert("1.0.1.0/24", &ipinfo)
        .insert("1.0.2.0/24", &older)
        .insert("1.0.3.0/24", &none)
        .insert("2001:db8::/32", &ipinfo);
    let data = open(&mmdb.bytes()).unwrap();
    assert_eq!(data.lookup(ip("1.0.0.1")), Some((13335, "Cloudflare")));
    assert_eq!(data.lookup(ip("1.0.1.1")), Some((680, "DFN")));
    assert_eq!(data.lookup(ip("1.0.2.1")), Some((64500, "Older")));
    assert_eq!(data.lookup(ip("1.0.3.1")), None);
    assert_eq!(nets(&data, 680), ["1.0.1.0/24", "2001:db8::/32"]);
    assert_eq!(data.date.unwrap().year(), 2026);
    assert!(data.source.contains("Fixture"), "{}", data.source);
}

#[test]
fn a_database_of_countries_alone_is_refused() {
    let country = Value::Map(vec![("country_code", Value::Text("DE"))]);
    let bytes = Mmdb::new().insert("1.0.3.0/24", &country).bytes();
    let error = open(&bytes).unwrap_err().to_string();
    assert!(error.contains("no autonomous systems"), "{error}");
    for cut in (0..bytes.len()).step_by(7) {
        // A tail of the file without the rest, and the file without its tail.
        assert!(open(&bytes[cut..]).is_err());
        assert!(open(&bytes[..cut]).is_err());
    }
}

#[test]
fn of_several_files_the_narrower_range_holds() {
    let (_a, v4) = file("wide.csv", b"1.0.0.0,1.255.255.255,1,Wide\n");
    let (_b, narrow) = file("narrow.csv", b"1.2.0.0,1.2.255.255,2,Narrow\n");
    let mut mmdb = Mmdb::new();
    let bytes = mmdb.insert("2001:db8::/32", &maxmind(3, "Six")).bytes();
    let (_c, v6) = file("six.mmdb", &bytes);
    let data = AsnData::open(&[narrow, v4, v6]).unwrap();
    assert_eq!(data.lookup(ip("1.2.3.4")), Some((2, "Narrow")));
    assert_eq!(data.lookup(ip("1.3.0.0")), Some((1, "Wide")));
    assert_eq!(data.lookup(ip("2001:db8::1")), Some((3, "Six")));
    assert!(
        data.prefixes(1)
            .iter()
            .all(|net| !net.contains(&ip("1.2.0.0")))
    );
    assert_eq!(data.date, None);
    assert_eq!(AsnData::open::<PathBuf>(&[]).unwrap(), AsnData::default());
    assert!(AsnData::open(&["/nonexistent/asn.mmdb"]).is_err());
}

#[test]
fn names_are_bounded() {
    let text = format!("1.0.0.0,1.0.0.255,1,{}\n", "ä".repeat(1000));
    let name = open(text.as_bytes()).unwrap().name(1).unwrap().to_owned();
    assert_eq!(name, "ä".repeat(60));
}

proptest! {
    #[test]
    fn prefixes_hold_what_lookup_says(
        ranges in prop::collection::vec((0_u32..512, 0_u32..512, 0_u32..5), 1..30),
    ) {
        let mut text = Vec::new();
        for (a, b, number) in &ranges {
            writeln!(text, "{},{},{number},x", a.min(b), a.max(b)).unwrap();
        }
        writeln!(text, "9.0.0.0,9.0.0.0,9,y").unwrap();
        let data = open(&text).unwrap();
        for number in 1..5 {
            let nets = data.prefixes(number);
            for bits in 0..520_u32 {
                let ip = IpAddr::from(std::net::Ipv4Addr::from_bits(bits));
                let held = nets.iter().filter(|net| net.contains(&ip)).count();
                let belongs = data.lookup(ip).is_some_and(|(own, _)| own == number);
                prop_assert_eq!(held, usize::from(belongs), "{} {}", ip, number);
            }
        }
    }

    #[test]
    fn no_bytes_are_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = open(&bytes);
    }
}
