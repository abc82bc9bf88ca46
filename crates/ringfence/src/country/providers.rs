//! Where each source of country data is downloaded, and how it is asked. The URLs are those that the providers document:
//!
//! | source | document |
//! |---|---|
//! | MaxMind | dev.maxmind.com/geoip/updating-databases, "Direct downloads" |
//! | DB-IP | db-ip.com/db/lite.php: one file a month, put there within its first days |
//! | ip-location-db | github.com/sapics/ip-location-db: releases; its npm packages, and so jsDelivr, rest since June 2026 |
//! | IPinfo | ipinfo.io/developers/database-download |

use std::path::Path;

use jiff::Timestamp;
use jiff::ToSpan as _;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::geoip_conf::GeoIpConf;
use super::update::UpdateError;
use crate::config::{CountryOrigin, CountrySource, Secret};

const MAXMIND: &str = "https://download.maxmind.com";
const DBIP: &str = "https://download.db-ip.com";
const IPINFO: &str = "https://ipinfo.io";
const RELEASES: &str = "https://github.com/sapics/ip-location-db";
const JSDELIVR: &str = "https://cdn.jsdelivr.net/npm/@ip-location-db";

/// A source as it is asked now.
#[derive(Clone, Debug)]
pub(super) struct Provider {
    /// What tells it from every other source: data of another one may see the world otherwise.
    pub origin: String,
    /// What people call it; None: what the data says.
    pub name: Option<String>,
    /// The licence of the data, where it is known.
    pub licence: Option<&'static str>,
    /// What is downloaded: one file or several.
    pub files: Vec<FileOf>,
    /// User and password of HTTP.
    pub login: Option<(String, Secret)>,
    /// What stands for `{token}` in URLs.
    pub token: Option<Secret>,
}

/// One file, and the places where it may be: of several the first that has it.
#[derive(Clone, Debug)]
pub(super) struct FileOf {
    pub places: Vec<Place>,
}

/// A place of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub url: String,
    pub checksum: Option<Checksum>,
}

/// Where the hash of a file is published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Checksum {
    /// As `sha256sum` writes it.
    Text(String),
    /// As JSON: `{"checksums": {"sha256": ...}}`.
    Json(String),
}

impl Provider {
    /// The source of a configuration at a moment.
    ///
    /// # Errors
    /// When nothing is downloaded, or a key cannot be had.
    pub(super) fn of(origin: &CountryOrigin, now: Timestamp) -> Result<Self, UpdateError> {
        Self::with_conf(origin, now, &GeoIpConf::PATHS.map(Path::new))
    }

    /// The same where geoipupdate's configuration may be at `conf`.
    pub(super) fn with_conf(
        origin: &CountryOrigin,
        now: Timestamp,
        conf: &[&Path],
    ) -> Result<Self, UpdateError> {
        let base = |usual: &str| match &origin.base {
            Some(base) => base.expose().trim_end_matches('/').to_owned(),
            None => usual.to_owned(),
        };
        let today = now.to_zoned(TimeZone::UTC).date();
        Ok(match origin.source {
            CountrySource::Builtin | CountrySource::File => return Err(UpdateError::NotFetched),
            CountrySource::MaxMind => Self::maxmind(origin, base, conf)?,
            CountrySource::DbIp => Self {
                licence: Some("CC-BY-4.0, DB-IP.com"),
                ..Self::plain("dbip country-lite", "DB-IP Lite", dbip(&base(DBIP), today))
            },
            CountrySource::IpLocationDb => {
                let set = &origin.variant;
                let places = ip_location_db(origin, set);
                let name = format!("ip-location-db {set}");
                Self {
                    licence: licence(set),
                    ..Self::plain(&name, &name, places)
                }
            }
            CountrySource::Ipinfo => {
                let url = format!("{}/data/ipinfo_lite.mmdb", base(IPINFO));
                let place = Place {
                    checksum: Some(Checksum::Json(format!("{url}/checksums?token={{token}}"))),
                    url: format!("{url}?token={{token}}"),
                };
                let token = origin.token.as_ref().ok_or(UpdateError::NoToken)?;
                Self {
                    licence: Some("CC-BY-SA-4.0, IPinfo"),
                    token: Some(token.read()?),
                    ..Self::plain("ipinfo lite", "IPinfo Lite", vec![place])
                }
            }
            CountrySource::Url => {
                let file = |url: &str| FileOf {
                    places: vec![Place {
                        url: url.to_owned(),
                        checksum: None,
                    }],
                };
                let shown = origin.urls.iter().map(ToString::to_string);
                Self {
                    origin: format!("url {}", shown.collect::<Vec<_>>().join(" ")),
                    name: None,
                    licence: None,
                    files: origin.urls.iter().map(|url| file(url.expose())).collect(),
                    login: None,
                    token: None,
                }
            }
        })
    }

    fn plain(origin: &str, name: &str, places: Vec<Place>) -> Self {
        Self {
            origin: origin.to_owned(),
            name: Some(name.to_owned()),
            licence: None,
            files: vec![FileOf { places }],
            login: None,
            token: None,
        }
    }

    fn maxmind(
        origin: &CountryOrigin,
        base: impl Fn(&str) -> String,
        conf: &[&Path],
    ) -> Result<Self, UpdateError> {
        let mut host = MAXMIND.to_owned();
        let mut edition = origin.edition.clone();
        let login = match (&origin.account, &origin.licence_key) {
            (Some(account), Some(key)) => (account.clone(), key.read()?),
            _ => {
                let found = GeoIpConf::find(conf)?;
                edition = edition.or_else(|| found.country_edition().map(str::to_owned));
                host = found.host.unwrap_or(host);
                (found.account, found.key)
            }
        };
        let edition = edition.unwrap_or_else(|| "GeoLite2-Country".into());
        let url = format!(
            "{}/geoip/databases/{edition}/download?suffix=tar.gz",
            base(&host)
        );
        let place = Place {
            checksum: Some(Checksum::Text(format!("{url}.sha256"))),
            url,
        };
        let name = format!("MaxMind {edition}");
        Ok(Self {
            login: Some(login),
            ..Self::plain(&format!("maxmind {edition}"), &name, vec![place])
        })
    }
}

/// This month's file, and that of the month before where it is not there yet.
fn dbip(base: &str, today: Date) -> Vec<Place> {
    let months = [Some(today), today.checked_sub(1.month()).ok()];
    let place = |month: Date| Place {
        url: format!(
            "{base}/free/dbip-country-lite-{}.mmdb.gz",
            month.strftime("%Y-%m")
        ),
        checksum: None,
    };
    months.into_iter().flatten().map(place).collect()
}

fn ip_location_db(origin: &CountryOrigin, set: &str) -> Vec<Place> {
    let base = origin
        .base
        .as_ref()
        .map(|base| base.expose().trim_end_matches('/'));
    let downloads = format!("{}/releases/download", base.unwrap_or(RELEASES));
    let mut places = vec![Place {
        url: format!("{downloads}/latest/{set}.mmdb"),
        checksum: Some(Checksum::Text(format!(
            "{downloads}/checksum/{set}.mmdb.sha256"
        ))),
    }];
    if base.is_none() {
        places.push(Place {
            url: format!("{JSDELIVR}/{set}-mmdb/{set}.mmdb"),
            checksum: None,
        });
    }
    places
}

/// The licence of a set of ip-location-db.
fn licence(set: &str) -> Option<&'static str> {
    match set {
        "user-country" | "server-country" | "iptoasn-country" => Some("PDDL-1.0"),
        "asn-country" | "geo-asn-country" | "geo-whois-asn-country" => Some("CC0-1.0"),
        _ if set.starts_with("dbip-") => Some("CC-BY-4.0, DB-IP.com"),
        _ if set.starts_with("geolite2-") => Some("CC-BY-SA-4.0, MaxMind"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn provider(text: &str) -> Result<Provider, UpdateError> {
        let config = Config::parse(&format!("[country]\n{text}\n"), "r.toml").unwrap();
        let now: Timestamp = "2026-03-31T00:00:00Z".parse().unwrap();
        Provider::with_conf(
            &config.country,
            now,
            &[Path::new("/nonexistent/GeoIP.conf")],
        )
    }

    fn urls(text: &str) -> Vec<String> {
        let files = provider(text).unwrap().files.into_iter();
        files
            .flat_map(|file| file.places)
            .map(|place| place.url)
            .collect()
    }

    #[test]
    fn each_provider_is_asked_as_it_documents() {
        assert_eq!(
            urls("source = \"maxmind\"\naccount = \"1\"\nlicence_key = \"k\""),
            [
                "https://download.maxmind.com/geoip/databases/GeoLite2-Country/download?suffix=tar.gz"
            ]
        );
        assert_eq!(
            urls("source = \"dbip\""),
            [
                "https://download.db-ip.com/free/dbip-country-lite-2026-03.mmdb.gz",
                "https://download.db-ip.com/free/dbip-country-lite-2026-02.mmdb.gz"
            ]
        );
        assert_eq!(
            urls("source = \"ip-location-db\""),
            [
                "https://github.com/sapics/ip-location-db/releases/download/latest/user-country.mmdb",
                "https://cdn.jsdelivr.net/npm/@ip-location-db/user-country-mmdb/user-country.mmdb"
            ]
        );
        assert_eq!(
            urls("source = \"ip-location-db\"\nbase = \"http://m.example/x/\""),
            ["http://m.example/x/releases/download/latest/user-country.mmdb"]
        );
        let ipinfo = provider("source = \"ipinfo\"\ntoken = \"hush\"").unwrap();
        assert_eq!(
            ipinfo.files[0].places[0].url,
            "https://ipinfo.io/data/ipinfo_lite.mmdb?token={token}"
        );
        assert!(!format!("{ipinfo:?}").contains("hush"));
        assert_eq!(
            urls("url = [\"https://a.example/4\", \"https://a.example/6\"]").len(),
            2
        );
    }

    #[test]
    fn what_cannot_be_asked_says_why() {
        for (text, expected) in [
            ("", "is not downloaded"),
            ("source = \"maxmind\"", "GeoIP.conf"),
            (
                "source = \"ipinfo\"\ntoken_file = \"/nonexistent\"",
                "/nonexistent",
            ),
        ] {
            let error = provider(text).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
