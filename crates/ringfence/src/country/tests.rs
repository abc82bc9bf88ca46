//! Country data as a whole: sources, the compiled table, and what is refused.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use super::fixture::{Mmdb, Value};
use super::*;

fn country(code: &str) -> Country {
    Country::from_code(code).unwrap()
}

fn decode(bytes: Vec<u8>) -> Result<CountryData, CountryError> {
    CountryData::decode(bytes, Path::new("some.mmdb"))
}

fn lookup(table: &CountryTable, address: &str) -> &'static str {
    match address.parse().unwrap() {
        IpAddr::V4(address) => table.v4(address.to_bits()).code(),
        IpAddr::V6(address) => table.v6((address.to_bits() >> 64) as u64).code(),
    }
}

/// Numbers that look random and are the same in every run (xorshift64*).
fn random(mut state: u64) -> impl FnMut() -> u64 {
    move || {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        state.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }
}

fn maxmind(code: &'static str) -> Value {
    Value::Map(vec![
        ("continent", Value::Map(vec![("code", Value::Text("EU"))])),
        (
            "country",
            Value::Map(vec![
                ("geoname_id", Value::Word(2_635_167)),
                ("iso_code", Value::Text(code)),
                ("names", Value::Map(vec![("en", Value::Text("a name"))])),
            ]),
        ),
    ])
}

#[test]
fn all_four_layouts_are_read() {
    let ipinfo_free = Value::Map(vec![
        ("asn", Value::Text("AS64496")),
        ("country", Value::Text("Ireland")),
        ("country_code", Value::Text("IE")),
    ]);
    let ipinfo = Value::Map(vec![
        ("country", Value::Text("FR")),
        ("country_name", Value::Text("France")),
    ]);
    let ip_location_db = Value::Map(vec![("country_code", Value::Text("DE"))]);
    let registered = Value::Map(vec![(
        "registered_country",
        Value::Map(vec![("iso_code", Value::Text("SE"))]),
    )]);
    let continent = Value::Map(vec![(
        "continent",
        Value::Map(vec![("code", Value::Text("EU"))]),
    )]);
    let bytes = Mmdb::new()
        .insert("1.0.0.0/24", &maxmind("GB"))
        .insert("1.0.1.0/24", &ipinfo_free)
        .insert("1.0.2.0/24", &ipinfo)
        .insert("1.0.3.0/24", &ip_location_db)
        .insert("1.0.4.0/24", &registered)
        .insert("1.0.5.0/24", &continent)
        .insert("2a00:100::/32", &maxmind("GB"))
        .insert("2a00:101::/32", &ip_location_db)
        .bytes();
    let data = decode(bytes).unwrap();
    assert_eq!(data.source, "some.mmdb (Fixture-Country)");
    assert_eq!(data.date, Some(jiff::civil::date(2026, 5, 28)));
    let table = data.compile().unwrap();
    for (address, code) in [
        ("1.0.0.0", "GB"),
        ("1.0.1.9", "IE"),
        ("1.0.2.9", "FR"),
        ("1.0.3.9", "DE"),
        ("1.0.4.9", "SE"),
        ("1.0.5.9", "ZZ"),
        ("1.0.6.9", "ZZ"),
        ("2a00:100::1", "GB"),
        ("2a00:101:ffff::1", "DE"),
        ("2a00:102::", "ZZ"),
    ] {
        assert_eq!(lookup(&table, address), code, "{address}");
    }
}

#[test]
fn aliases_of_ipv4_do_not_reach_ipv6() {
    let bytes = Mmdb::new()
        .insert("1.0.0.0/8", &maxmind("GB"))
        .insert("2001:200::/32", &maxmind("JP"))
        .alias("2002::/16")
        .alias("2001::/32")
        .alias("::ffff:0:0/96")
        .bytes();
    let data = decode(bytes).unwrap();
    assert_eq!(data.ranges_v4, [(0x0100_0000, 0x01ff_ffff, country("GB"))]);
    assert_eq!(
        data.ranges_v6,
        [(0x2001_0200_0000_0000, 0x2001_0200_ffff_ffff, country("JP"))]
    );
}

#[test]
fn a_truncated_or_damaged_database_is_an_error() {
    let mut mmdb = Mmdb::new();
    for n in 0..32 {
        mmdb.insert(&format!("{n}.0.0.0/8"), &maxmind(["GB", "IE", "FR"][n % 3]));
    }
    let whole = mmdb.bytes();
    decode(whole.clone()).unwrap();
    for length in 0..whole.len() {
        // A file cut inside its metadata, or anywhere before it, never reads as a database.
        let error = decode(whole[..length].to_vec()).unwrap_err().to_string();
        assert!(error.contains("some.mmdb"), "{error}");
        // The front missing: the marker is there and nothing is where it should be.
        let _ = decode(whole[length..].to_vec());
    }
    for at in 0..whole.len() {
        for flip in [0x01, 0x80, 0xff] {
            let mut bytes = whole.clone();
            bytes[at] ^= flip;
            let _ = decode(bytes);
        }
    }
}

#[test]
fn foreign_files_are_named_and_refused() {
    let error = decode(vec![0x7f, b'E', b'L', b'F', 0, 0xff]).unwrap_err();
    assert!(matches!(error, CountryError::Foreign { .. }), "{error}");
    let asn = Value::Map(vec![("autonomous_system_number", Value::Word(64_496))]);
    let error = decode(Mmdb::new().insert("1.0.0.0/8", &asn).bytes())
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("Fixture-Country") && error.contains("no country codes"),
        "{error}"
    );
    let error = CountryData::open(Path::new("/nonexistent/x.mmdb"))
        .unwrap_err()
        .to_string();
    assert!(error.contains("/nonexistent/x.mmdb"), "{error}");
}

#[test]
fn the_builtin_data_is_whole() {
    let data = CountryData::builtin().unwrap();
    assert!(data.ranges_v4.len() > 100_000 && data.ranges_v6.len() > 30_000);
    assert!(data.unknown_codes.is_empty());
    let date = data.date.unwrap();
    assert_eq!(data.age(date.tomorrow().unwrap()), Some(1));
    assert!(data.licence.is_some() && !data.source.is_empty());
    assert!(builtin::EMBEDDED.len() <= 4_000_000);
    let again = builtin::decode(&data.encode().unwrap(), Path::new("again")).unwrap();
    assert_eq!(again, data);
}

#[test]
fn damaged_builtin_data_is_an_error() {
    for length in (0..builtin::EMBEDDED.len()).step_by(9_973) {
        let cut = builtin::EMBEDDED[..length].to_vec();
        assert!(CountryData::decode(cut, Path::new("country.bin")).is_err());
    }
}

#[test]
fn the_compiled_table_agrees_with_the_ranges() {
    let data = CountryData::builtin().unwrap();
    let table = data.compile().unwrap();
    let mut random = random(0x5eed);
    for _ in 0..100_000 {
        let address = random() as u32;
        let at = data.ranges_v4.partition_point(|range| range.0 <= address);
        let naive = at.checked_sub(1).map(|at| data.ranges_v4[at]);
        let naive = naive
            .filter(|range| address <= range.1)
            .map_or(Country::UNKNOWN, |r| r.2);
        assert_eq!(table.v4(address), naive, "{address:#x}");

        // Half of them anywhere, half inside or just after a range.
        let (first, last, _) = data.ranges_v6[random() as usize % data.ranges_v6.len()];
        let inside = first + random() % (last - first + 2);
        let top = if random() & 1 == 0 {
            random() >> 3 | 1 << 61
        } else {
            inside
        };
        let at = data.ranges_v6.partition_point(|range| range.0 <= top);
        let naive = at.checked_sub(1).map(|at| data.ranges_v6[at]);
        let naive = naive
            .filter(|range| top <= range.1)
            .map_or(Country::UNKNOWN, |r| r.2);
        assert_eq!(table.v6(top), naive, "{top:#x}");
    }
}

/// Networks of both families and many sizes, in the layout of MaxMind.
fn generated() -> Vec<u8> {
    let mut mmdb = Mmdb::new();
    let mut random = random(0x6e0);
    let codes = ["GB", "IE", "FR", "US", "JP", "BR", "ZA", "AU"];
    for n in 0..4000u32 {
        let record = maxmind(codes[random() as usize % codes.len()]);
        let (a, b) = (1 + n / 20, n % 20 * 12);
        mmdb.insert(&format!("{a}.{b}.0.0/{}", 14 + random() % 11), &record);
        mmdb.insert(&format!("2a00:{n:x}::/{}", 32 + random() % 33), &record);
    }
    mmdb.bytes()
}

/// The table answers as the database's own reader: over the database that `RINGFENCE_TEST_MMDB` names, else over a
/// generated one.
#[test]
fn the_compiled_table_agrees_with_a_database() {
    #[derive(serde::Deserialize)]
    struct Place {
        iso_code: Option<String>,
    }
    let directory = tempfile::tempdir().unwrap();
    let named = std::env::var_os("RINGFENCE_TEST_MMDB").map(PathBuf::from);
    let path = named.unwrap_or_else(|| {
        let path = directory.path().join("generated.mmdb");
        std::fs::write(&path, generated()).unwrap();
        path
    });
    let data = CountryData::open(&path).unwrap();
    let table = data.compile().unwrap();
    let reader = maxminddb::Reader::open_readfile(&path).unwrap();
    let expected = |address: IpAddr| {
        let found = reader.lookup(address).unwrap();
        let flat = found
            .decode_path::<String>(&maxminddb::path!["country_code"])
            .unwrap();
        let place =
            |path: &[maxminddb::PathElement<'_>]| found.decode_path::<Place>(path).ok()??.iso_code;
        let code = flat
            .or_else(|| place(&maxminddb::path!["country"]))
            .or_else(|| place(&maxminddb::path!["registered_country"]));
        code.and_then(|code| Country::from_code(&code))
            .unwrap_or_default()
    };
    let mut random = random(0xface);
    let mut known = [0; 2];
    for _ in 0..100_000 {
        let address = random() as u32;
        assert_eq!(
            table.v4(address),
            expected(IpAddr::V4(address.into())),
            "{address:#x}"
        );
        known[0] += usize::from(table.v4(address) != Country::UNKNOWN);
        if data.ranges_v6.is_empty() {
            continue;
        }
        let (first, last, _) = data.ranges_v6[random() as usize % data.ranges_v6.len()];
        let inside = first + random() % (last - first + 2);
        let top = if random() & 1 == 0 {
            random() >> 3 | 1 << 61
        } else {
            inside
        };
        // 6to4 and Teredo are aliases of IPv4 there, and unknown here.
        if top >> 48 == 0x2002 || top >> 32 == 0x2001_0000 {
            continue;
        }
        let address = IpAddr::V6((u128::from(top) << 64).into());
        assert_eq!(table.v6(top), expected(address), "{address}");
        known[1] += usize::from(table.v6(top) != Country::UNKNOWN);
    }
    assert!(known.iter().all(|known| *known > 1000), "{known:?}");
    println!("agreed; known countries: {known:?} of 100000");
}
