//! `GeoIP.conf`, the configuration of MaxMind's geoipupdate: lines of a word and its value, `#` begins a remark.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::update::UpdateError;
use crate::config::Secret;

/// What it says that is of use here.
#[derive(Debug)]
pub(super) struct GeoIpConf {
    /// `AccountID`, once `UserId`.
    pub account: String,
    /// `LicenseKey`.
    pub key: Secret,
    /// `EditionIDs`, once `ProductIds`.
    pub editions: Vec<String>,
    /// `Host`, as a URL.
    pub host: Option<String>,
}

/// More is no such file.
const MOST: u64 = 64 << 10;

impl GeoIpConf {
    /// Where it is looked for, in order.
    pub(super) const PATHS: [&str; 2] = ["/etc/GeoIP.conf", "/usr/local/etc/GeoIP.conf"];

    /// Reads the first of `paths` that is there.
    ///
    /// # Errors
    /// When there is none, it cannot be read, or lacks the account or the key.
    pub(super) fn find(paths: &[&Path]) -> Result<Self, UpdateError> {
        for path in paths {
            let text = match read(path) {
                Ok(text) => text,
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                Err(source) => {
                    return Err(UpdateError::GeoIpConf {
                        path: path.to_path_buf(),
                        why: source.to_string(),
                    });
                }
            };
            return Self::parse(&text, path);
        }
        Err(UpdateError::NoKey)
    }

    fn parse(text: &str, path: &Path) -> Result<Self, UpdateError> {
        let (mut account, mut key, mut editions, mut host) = (None, None, Vec::new(), None);
        for line in text.lines() {
            let line = line.split('#').next().unwrap_or_default().trim();
            let Some((word, value)) = line.split_once(char::is_whitespace) else {
                continue;
            };
            let value = value.trim();
            match word {
                "AccountID" | "UserId" => account = Some(value.to_owned()),
                "LicenseKey" => key = Some(Secret::new(value)),
                "EditionIDs" | "ProductIds" => {
                    editions = value.split_whitespace().map(str::to_owned).collect();
                }
                "Host" => host = Some(url(value)),
                _ => {}
            }
        }
        let lacks = |what: &str| UpdateError::GeoIpConf {
            path: PathBuf::from(path),
            why: format!("it has no {what}; MaxMind shows it beside the licence key"),
        };
        // The account and key that MaxMind's own sample file has.
        let account =
            account.filter(|account| !matches!(account.as_str(), "0" | "YOUR_ACCOUNT_ID_HERE"));
        Ok(Self {
            account: account.ok_or_else(|| lacks("AccountID"))?,
            key: key.ok_or_else(|| lacks("LicenseKey"))?,
            editions,
            host: host.filter(|host| !host.ends_with("//updates.maxmind.com")),
        })
    }

    /// The first of the editions that has countries; those of countries alone first.
    pub(super) fn country_edition(&self) -> Option<&str> {
        let with = |word: &str| self.editions.iter().find(|edition| edition.contains(word));
        let found = with("-Country").or_else(|| with("-City"));
        found.or_else(|| with("-Enterprise")).map(String::as_str)
    }
}

/// `Host` may stand there without a scheme.
fn url(host: &str) -> String {
    let host = host.trim_end_matches('/');
    match host.contains("://") {
        true => host.to_owned(),
        false => format!("https://{host}"),
    }
}

fn read(path: &Path) -> std::io::Result<String> {
    use std::io::Read as _;
    let mut text = String::new();
    std::fs::File::open(path)?
        .take(MOST)
        .read_to_string(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<GeoIpConf, UpdateError> {
        GeoIpConf::parse(text, Path::new("/etc/GeoIP.conf"))
    }

    #[test]
    fn what_geoipupdate_reads_is_read() {
        let conf = parse(
            "# GeoIP.conf\nAccountID 123456 # mine\nLicenseKey  hush\n\
             EditionIDs GeoLite2-ASN GeoLite2-City GeoLite2-Country\nHost updates.maxmind.com\nPreserveFileTimes 0\n",
        )
        .unwrap();
        assert_eq!(conf.account, "123456");
        assert_eq!(conf.key.expose(), "hush");
        assert_eq!(conf.country_edition(), Some("GeoLite2-Country"));
        assert_eq!(conf.host, None, "that is the provider itself");
        assert!(!format!("{conf:?}").contains("hush"));
        let old =
            parse("UserId 1\nLicenseKey k\nProductIds GeoIP2-City\nHost http://mirror.example/\n");
        let old = old.unwrap();
        assert_eq!(old.host.as_deref(), Some("http://mirror.example"));
        assert_eq!(old.country_edition(), Some("GeoIP2-City"));
    }

    #[test]
    fn what_is_missing_is_named() {
        let error = parse("AccountID 1\n").unwrap_err().to_string();
        assert!(
            error.contains("/etc/GeoIP.conf") && error.contains("LicenseKey"),
            "{error}"
        );
        let error = parse("AccountID YOUR_ACCOUNT_ID_HERE\nLicenseKey k\n").unwrap_err();
        assert!(error.to_string().contains("AccountID"), "{error}");
        let error = GeoIpConf::find(&[Path::new("/nonexistent")])
            .unwrap_err()
            .to_string();
        assert!(error.contains("licence_key"), "{error}");
    }
}
