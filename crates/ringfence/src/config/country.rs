//! Where country data comes from, and what groups of countries the file names.

use std::path::PathBuf;
use std::time::Duration;

use ringfence_core::country::CountrySet;

use super::secret::SecretFrom;
use super::web::WebAddress;
use super::words::words;

const DAY: Duration = Duration::from_secs(86_400);

/// `[country]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CountryOrigin {
    /// Who makes the data.
    pub source: CountrySource,
    /// How often newer data is asked for.
    pub update: Update,
    /// MaxMind: the number of the account. With neither it nor a key, `GeoIP.conf` of geoipupdate is read.
    pub account: Option<String>,
    /// MaxMind: the licence key.
    pub licence_key: Option<SecretFrom>,
    /// MaxMind: the edition; None: that of `GeoIP.conf`, else `GeoLite2-Country`.
    pub edition: Option<String>,
    /// IPinfo: the token.
    pub token: Option<SecretFrom>,
    /// ip-location-db: which of its data sets.
    pub variant: String,
    /// `url`: where it is downloaded from; of several, the later outranks the earlier where equal ranges differ.
    pub urls: Vec<WebAddress>,
    /// `file`: the files, absolute paths, in the same order.
    pub files: Vec<PathBuf>,
    /// A mirror of the provider: its paths below this URL.
    pub base: Option<WebAddress>,
    /// The file's own groups of countries, by name.
    pub groups: Vec<CountryGroup>,
}

impl Default for CountryOrigin {
    fn default() -> Self {
        Self {
            source: CountrySource::Builtin,
            update: Update::Daily,
            account: None,
            licence_key: None,
            edition: None,
            token: None,
            variant: "user-country".into(),
            urls: Vec::new(),
            files: Vec::new(),
            base: None,
            groups: Vec::new(),
        }
    }
}

impl CountryOrigin {
    /// Whether the data is downloaded.
    pub fn is_fetched(&self) -> bool {
        !matches!(self.source, CountrySource::Builtin | CountrySource::File)
    }

    /// Takes the data from this file and nowhere else.
    pub fn use_file(&mut self, file: PathBuf) {
        self.source = CountrySource::File;
        self.files = vec![file];
    }
}

/// A group of countries of the user's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CountryGroup {
    /// Its name: 3 to 32 letters, digits and `-`.
    pub name: String,
    /// Its countries.
    pub countries: CountrySet,
}

words! {
    /// Who makes the country data.
    pub enum CountrySource {
        /// What ships inside the binary. Nothing is fetched.
        Builtin = "builtin",
        /// MaxMind's GeoLite2 or GeoIP2, with an account.
        MaxMind = "maxmind",
        /// DB-IP's monthly free file.
        DbIp = "dbip",
        /// One of ip-location-db's public sets.
        IpLocationDb = "ip-location-db",
        /// IPinfo Lite, with a token.
        Ipinfo = "ipinfo",
        /// Any URL.
        Url = "url",
        /// A file of this host that somebody else keeps fresh.
        File = "file",
    }
}

words! {
    /// How often newer data is asked for.
    pub enum Update {
        /// Once a day.
        Daily = "daily",
        /// Once in seven days.
        Weekly = "weekly",
        /// Once in thirty days.
        Monthly = "monthly",
        /// Only by `ringfence country update`.
        Never = "never",
    }
}

impl Update {
    /// The time from one question to the next; None for never.
    pub fn every(self) -> Option<Duration> {
        match self {
            Self::Daily => Some(DAY),
            Self::Weekly => Some(7 * DAY),
            Self::Monthly => Some(30 * DAY),
            Self::Never => None,
        }
    }
}
