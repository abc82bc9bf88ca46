//! Updates against a server that plays each provider, good and bad.

use std::net::IpAddr;
use std::path::Path;

use jiff::Timestamp;
use ringfence_lab::provider::{Page, Provider, gzip, gzip_of_zeros, tar_gz, zip};
use sha2::{Digest, Sha256};

use super::fixture::{Mmdb, Value};
use super::policy::{Admitted, Subject, Who};
use super::*;
use crate::config::Config;
use crate::fetch::Silent;
use crate::tables::Inputs;

/// A server, a state directory, a configuration.
struct Bench {
    server: Provider,
    state: tempfile::TempDir,
    config: Config,
}

impl Bench {
    /// `keys` of [country]; `BASE` stands for the server.
    fn new(keys: &str) -> Self {
        let server = Provider::start().unwrap();
        let keys = keys.replace("BASE", server.url("/").trim_end_matches('/'));
        let text = format!("countries = [\"GB\"]\n[country]\n{keys}\n");
        Self {
            config: Config::parse(&text, "r.toml").unwrap(),
            state: tempfile::tempdir().unwrap(),
            server,
        }
    }

    fn run(
        &self,
        force: bool,
        dry_run: bool,
        now: &str,
        subjects: &[Subject],
    ) -> Result<Outcome, UpdateError> {
        update(&Task {
            origin: &self.config.country,
            state: self.state.path(),
            admitted: &Admitted::of(&self.config, &Inputs::default()),
            subjects,
            force,
            dry_run,
            now: now.parse().unwrap(),
            progress: &Silent,
        })
    }

    /// Takes whatever comes, as the first data of a bench is nothing like what ships.
    fn forced(&self) -> Report {
        match self.run(true, false, NOW, &[]).unwrap() {
            Outcome::New(report) => *report,
            Outcome::Unchanged => panic!("nothing new"),
        }
    }

    fn refused(&self) -> String {
        let before = self.index().current;
        let error = self.run(false, false, NOW, &[]).unwrap_err().to_string();
        let index = self.index();
        assert_eq!(index.current, before, "all is as it was");
        assert_eq!(index.failure.as_deref(), Some(error.as_str()));
        assert!(index.failures > 0);
        error
    }

    fn index(&self) -> Index {
        Shelf::of(self.state.path()).index()
    }

    fn country(&self, address: &str) -> &'static str {
        let found = in_force(&self.config.country, self.state.path()).unwrap();
        assert_eq!(found.trouble, None);
        found.data.country(address.parse().unwrap()).code()
    }
}

const NOW: &str = "2026-11-20T00:00:00Z";

/// Ranges of both families, as many as are wanted; `special` is the country of 1.0.0.0/24.
fn csv(networks: u32, special: &str) -> String {
    let mut text = format!("1.0.0.0,1.0.0.255,{special}\n");
    for n in 1..networks {
        let (a, b) = (1 + n / 200, n % 200);
        let code = ["GB", "FR", "US", "JP"][(n % 4) as usize];
        text.push_str(&format!("{a}.{b}.0.0,{a}.{b}.255.255,{code}\n"));
        text.push_str(&format!(
            "2a00:{n:x}::,2a00:{n:x}:ffff:ffff:ffff:ffff:ffff:ffff,{code}\n"
        ));
    }
    text
}

fn mmdb(code: &'static str) -> Vec<u8> {
    let record = Value::Map(vec![("country_code", Value::Text(code))]);
    let mut mmdb = Mmdb::new();
    mmdb.insert("1.0.0.0/8", &record)
        .insert("2a00::/32", &record);
    mmdb.bytes()
}

fn hash(bytes: &[u8]) -> String {
    let hash = Sha256::digest(bytes);
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn maxmind_wants_a_login_and_publishes_a_hash() {
    let bench = Bench::new(
        "source = \"maxmind\"\naccount = \"42\"\nlicence_key = \"hush\"\nbase = \"BASE\"",
    );
    let packed = tar_gz(&[
        ("GeoLite2-Country_20261117/LICENSE.txt", b"words"),
        (
            "GeoLite2-Country_20261117/GeoLite2-Country.mmdb",
            &mmdb("GB"),
        ),
    ]);
    let path = "/geoip/databases/GeoLite2-Country/download?suffix=tar.gz";
    let sums = format!("{}  GeoLite2-Country_20261117.tar.gz\n", hash(&packed));
    bench.server.put(
        path,
        Page::new(packed.clone()).login("42", "hush").etag("\"1\""),
    );
    let sum_path = format!("{path}.sha256");
    bench
        .server
        .put(&sum_path, Page::new(sums).login("42", "hush"));
    let report = bench.forced();
    assert_eq!(report.source, "MaxMind GeoLite2-Country");
    assert_eq!(
        (bench.country("1.0.0.9"), bench.country("2a00::9")),
        ("GB", "GB")
    );
    // The hash is known: nothing is downloaded again.
    bench.server.forget();
    assert!(matches!(
        bench.run(false, false, NOW, &[]),
        Ok(Outcome::Unchanged)
    ));
    assert_eq!(bench.server.asked().len(), 1);
    assert_eq!(bench.index().checked, Some(NOW.parse().unwrap()));

    bench.server.put(
        &sum_path,
        Page::new(format!("{}\n", "0".repeat(64))).login("42", "hush"),
    );
    bench
        .server
        .put(path, Page::new(packed).login("42", "hush"));
    let error = bench.refused();
    assert!(error.contains("SHA-256"), "{error}");
    bench
        .server
        .put(&sum_path, Page::new("none").login("42", "other"));
    let error = bench.refused();
    assert!(error.contains("401") && !error.contains("hush"), "{error}");
    let kept = std::fs::read_to_string(bench.state.path().join("country/index.json")).unwrap();
    assert!(!kept.contains("hush"));
    assert_eq!(bench.country("1.0.0.9"), "GB");
}

#[test]
fn dbip_is_asked_for_this_month_and_then_for_the_one_before() {
    let bench = Bench::new("source = \"dbip\"\nbase = \"BASE\"");
    let page = || Page::new(gzip(&mmdb("GB"))).etag("\"october\"");
    bench
        .server
        .put("/free/dbip-country-lite-2026-10.mmdb.gz", page());
    bench.forced();
    let asked: Vec<_> = bench
        .server
        .asked()
        .iter()
        .map(|asked| asked.path().to_owned())
        .collect();
    assert_eq!(
        asked,
        [
            "/free/dbip-country-lite-2026-11.mmdb.gz",
            "/free/dbip-country-lite-2026-10.mmdb.gz"
        ]
    );
    assert!(
        matches!(bench.run(false, false, NOW, &[]), Ok(Outcome::Unchanged)),
        "304"
    );
    bench.server.put(
        "/free/dbip-country-lite-2026-11.mmdb.gz",
        Page::new(gzip(&mmdb("FR"))),
    );
    assert_eq!(bench.forced().source, "DB-IP Lite");
    assert_eq!(bench.country("1.2.3.4"), "FR");
}

#[test]
fn ipinfo_takes_a_token_and_shows_it_to_nobody() {
    let bench = Bench::new("source = \"ipinfo\"\ntoken = \"hush-hush\"\nbase = \"BASE\"");
    let data = mmdb("GB");
    let sums = format!(
        "{{\"checksums\": {{\"md5\": \"x\", \"sha256\": \"{}\"}}}}",
        hash(&data)
    );
    bench.server.put(
        "/data/ipinfo_lite.mmdb/checksums?token=hush-hush",
        Page::new(sums).json(),
    );
    bench
        .server
        .put("/data/ipinfo_lite.mmdb?token=hush-hush", Page::new(data));
    bench.forced();
    assert_eq!(bench.country("1.0.0.1"), "GB");
    bench.server.forget();
    assert!(matches!(
        bench.run(false, false, NOW, &[]),
        Ok(Outcome::Unchanged)
    ));
    assert_eq!(bench.server.asked().len(), 1, "downloads are counted there");
    bench
        .server
        .remove("/data/ipinfo_lite.mmdb/checksums?token=hush-hush");
    bench
        .server
        .put("/data/ipinfo_lite.mmdb?token=hush-hush", Page::error(403));
    let error = bench.refused();
    assert!(error.contains("403") && !error.contains("hush"), "{error}");
    for file in std::fs::read_dir(bench.state.path().join("country")).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        assert!(!String::from_utf8_lossy(&bytes).contains("hush"));
    }
}

#[test]
fn ip_location_db_is_checked_by_its_hash() {
    let bench = Bench::new("source = \"ip-location-db\"\nbase = \"BASE\"");
    let data = mmdb("GB");
    let sums = format!("{}  user-country.mmdb\n", hash(&data));
    let path = "/releases/download/latest/user-country.mmdb";
    bench.server.put(
        "/releases/download/checksum/user-country.mmdb.sha256",
        Page::new(sums),
    );
    let elsewhere = bench.server.other_url("/asset");
    bench.server.put(path, Page::redirect(&elsewhere));
    bench.server.put("/asset", Page::new(data));
    assert_eq!(bench.forced().source, "ip-location-db user-country");
    assert_eq!(bench.country("1.0.0.1"), "GB");
}

#[test]
fn any_urls_are_read_packed_or_not() {
    let bench = Bench::new("url = [\"BASE/v4.csv.gz\", \"BASE/v6.zip\", \"BASE/plain.csv\"]");
    bench.server.put(
        "/v4.csv.gz",
        Page::new(gzip(b"1.0.0.0,1.0.0.255,GB\n")).etag("\"a\""),
    );
    let six = b"first,last,code\n2a00::,2a00:0:ffff::,IE\n";
    bench.server.put(
        "/v6.zip",
        Page::new(zip(&[("readme.txt", b"x"), ("v6.csv", six)])).etag("\"b\""),
    );
    bench.server.put(
        "/plain.csv",
        Page::new("2.0.0.0,2.0.0.255,FR\n").etag("\"c\""),
    );
    let report = bench.forced();
    assert_eq!(report.networks, [2, 1]);
    assert_eq!(
        (
            bench.country("1.0.0.1"),
            bench.country("2a00::1"),
            bench.country("2.0.0.1")
        ),
        ("GB", "IE", "FR")
    );
    assert!(matches!(
        bench.run(false, false, NOW, &[]),
        Ok(Outcome::Unchanged)
    ));
    // One of three is new: all are needed.
    bench.server.put(
        "/plain.csv",
        Page::new("2.0.0.0,2.0.0.255,BE\n").etag("\"d\""),
    );
    bench.forced();
    assert_eq!(
        (bench.country("1.0.0.1"), bench.country("2.0.0.1")),
        ("GB", "BE")
    );
}

#[test]
fn what_is_no_good_leaves_all_as_it_was() {
    let bench = Bench::new("url = \"BASE/data\"");
    bench.server.put("/data", Page::new(csv(2000, "GB")));
    bench.forced();
    let four_only: String = csv(2000, "GB")
        .lines()
        .filter(|line| !line.contains(':'))
        .map(|line| format!("{line}\n"))
        .collect();
    let shuffled = csv(2000, "GB")
        .replace("GB", "XX")
        .replace("FR", "GB")
        .replace("XX", "FR");
    for (page, expected) in [
        (
            Page::new("<html><title>Sign in</title></html>").html(),
            "a web page",
        ),
        (
            Page::new("1.0.0.0,1.0.0.255,GB\n"),
            "it holds 1 IPv4 networks, the data in force 2000",
        ),
        (
            Page::new(four_only),
            "it holds no IPv6 network, the data in force 1999",
        ),
        (Page::new(shuffled), " probe addresses "),
        (
            Page::new(csv(2000, "GB").replace("GB", "IE")),
            "admitted countries lose too many IPv4 addresses: GB from",
        ),
        (Page::new("words\nand words\n"), "is not an address"),
        (Page::new(mmdb("GB")).cut(100), "was there before stays"),
        (Page::new(gzip_of_zeros(1 << 30)), "bytes come out of it"),
        (Page::error(500), "500"),
        (Page::busy("7200"), "120 minutes"),
    ] {
        bench.server.put("/data", page);
        let error = bench.refused();
        assert!(error.contains(expected), "{expected}: {error}");
        assert_eq!(bench.country("1.0.0.1"), "GB");
    }
    let index = bench.index();
    assert_eq!(index.failures, 10);
    let later: Timestamp = "2026-11-20T02:00:00Z".parse().unwrap();
    assert_eq!(index.later, Some(later));
    assert!(next(&bench.config.country, &index, NOW.parse().unwrap(), 0).unwrap() >= later);
    let files = std::fs::read_dir(bench.state.path().join("country")).unwrap();
    let left: Vec<_> = files
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect();
    assert!(
        left.iter()
            .all(|name| !name.starts_with("download") || name.contains(".part")),
        "{left:?}"
    );
    // And once it is good again, all is well.
    bench.server.put("/data", Page::new(csv(2001, "GB")));
    assert!(matches!(
        bench.run(false, false, NOW, &[]),
        Ok(Outcome::New(_))
    ));
    assert_eq!((bench.index().failures, bench.index().failure), (0, None));
}

fn phone(address: &str) -> Subject {
    let address: IpAddr = address.parse().unwrap();
    Subject {
        range: (address, address),
        who: Who::Registered("alice".into()),
        service: Some("sip".into()),
        until: Some(NOW.parse().unwrap()),
    }
}

#[test]
fn a_dry_run_names_everybody_and_changes_nothing() {
    let bench = Bench::new("url = \"BASE/data\"");
    bench.server.put("/data", Page::new(csv(2000, "GB")));
    bench.forced();
    let before = bench.index();
    bench.server.put("/data", Page::new(csv(2000, "US")));
    let Ok(Outcome::New(report)) = bench.run(false, true, NOW, &[phone("1.0.0.7")]) else {
        panic!("there is new data");
    };
    assert_eq!(bench.index(), before);
    let text = report.text(true);
    for part in [
        "lose it: 256 addresses of IPv4, 0 /64s of IPv6",
        "GB United Kingdom: gains 0 addresses of IPv4, 0 /64s of IPv6, loses 256",
        "phone alice at 1.0.0.7: GB -> US; it is trusted until 2026-11-20T00:00:00Z, and permitted for 30 days",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
    let data = report.data();
    assert_eq!(data["countries"][0]["lose"]["ipv4"], 256);
    assert_eq!(data["affected"][0]["name"], "alice");
    // Half of all phones at once is no news, it is a mistake.
    let phones: Vec<_> = (1..=20).map(|n| phone(&format!("1.0.0.{n}"))).collect();
    let error = bench
        .run(false, false, NOW, &phones)
        .unwrap_err()
        .to_string();
    assert!(error.contains("20 of 20 registered phones"), "{error}");
}

#[test]
fn a_rollback_holds_until_other_data_comes() {
    let bench = Bench::new("url = \"BASE/data\"");
    assert!(matches!(
        rollback(bench.state.path()),
        Err(UpdateError::Nothing)
    ));
    bench
        .server
        .put("/data", Page::new(csv(2000, "GB")).etag("\"1\""));
    bench.forced();
    bench
        .server
        .put("/data", Page::new(csv(2000, "US")).etag("\"2\""));
    assert!(bench.run(false, false, NOW, &[]).is_ok());
    assert_eq!(bench.country("1.0.0.1"), "US");
    rollback(bench.state.path()).unwrap();
    assert_eq!(bench.country("1.0.0.1"), "GB");
    let error = bench.refused();
    assert!(
        error.contains("`ringfence country rollback` went back from it"),
        "{error}"
    );
    bench
        .server
        .put("/data", Page::new(csv(2000, "IE")).etag("\"3\""));
    assert!(bench.run(false, false, NOW, &[]).is_ok());
    assert_eq!(bench.country("1.0.0.1"), "IE");
}

#[test]
fn data_that_cannot_be_put_in_force_gives_way_to_that_in_force_alone() {
    let bench = Bench::new("url = \"BASE/data\"");
    let shelf = Shelf::of(bench.state.path());
    for country in ["GB", "US"] {
        bench
            .server
            .put("/data", Page::new(csv(2000, country)).etag(country));
        bench.forced();
        if country == "GB" {
            shelf.settle(bench.index().current.as_ref()).unwrap();
        }
    }
    // An update: the data in force is the one before.
    assert!(withdraw(bench.state.path()).unwrap().is_some());
    assert_eq!(bench.country("1.0.0.1"), "GB");
    assert!(bench.index().left.is_some());

    // A rollback by hand from the data in force: the older data stays on the shelf.
    bench.forced();
    shelf.settle(bench.index().current.as_ref()).unwrap();
    rollback(bench.state.path()).unwrap();
    let before = bench.index();
    assert_eq!(withdraw(bench.state.path()).unwrap(), None);
    assert_eq!(bench.index(), before);
    assert_eq!(bench.country("1.0.0.1"), "GB");
}

#[test]
fn damaged_data_gives_way_to_older_data_and_is_replaced() {
    let bench = Bench::new("url = \"BASE/data\"");
    bench
        .server
        .put("/data", Page::new(csv(2000, "GB")).etag("\"1\""));
    bench.forced();
    let current = bench.index().current.unwrap();
    let file = bench
        .state
        .path()
        .join("country")
        .join(format!("{}.bin", &current.sha256[..16]));
    std::fs::write(&file, "nothing").unwrap();
    let found = in_force(&bench.config.country, bench.state.path()).unwrap();
    assert!(found.trouble.unwrap().contains("not what was put there"));
    assert!(found.data.ranges_v4.len() > 100_000, "what ships");
    bench.forced();
    assert_eq!(bench.country("1.0.0.1"), "GB");
}

#[test]
fn two_updates_at_once_do_not_meet() {
    let bench = Bench::new("url = \"BASE/data\"");
    let shelf = Shelf::of(bench.state.path());
    let _hold = shelf.hold().unwrap();
    assert!(matches!(
        bench.run(false, false, NOW, &[]),
        Err(UpdateError::Busy)
    ));
    assert!(Path::new(shelf.directory()).is_dir());
}
