//! Lists of bad addresses that others keep.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use super::secret::SecretFrom;
use super::web::WebAddress;
use super::words::words;
use super::wrong::{Wrong, quoted};

/// The most feeds that a configuration may have.
pub const MAX_FEEDS: usize = 64;

/// `[[feed]]`: a list, where it comes from and what becomes of its entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Feed {
    /// Its name; no two feeds share one, and it is the name of a directory.
    pub name: String,
    /// Whose list it is, or how it is written.
    pub kind: FeedKind,
    /// Where it is fetched in place of the provider's own address; required where the kind has none.
    pub url: Option<WebAddress>,
    /// The file of a feed of kind `file`.
    pub file: Option<PathBuf>,
    /// How that file is written.
    pub format: FeedFormat,
    /// The key that the provider gave.
    pub key: Option<SecretFrom>,
    /// How often it is asked for; never more often than the provider allows.
    pub interval: Duration,
    /// For how long its last good state holds where no newer one can be had, or an entry of a provider that tells
    /// only what is new.
    pub expiry: Duration,
    /// The most entries; a longer list is refused whole.
    pub max: u32,
    /// What its entries meet.
    pub action: FeedAction,
    /// Where a CSV has the address.
    pub column: Column,
    /// Where JSON has the addresses.
    pub path: JsonPath,
    /// FireHOL's level, 1 to 4.
    pub level: u8,
    /// Origins of CrowdSec's decisions; empty for all.
    pub origins: Vec<String>,
    /// Words of which a scenario of CrowdSec has one; empty for all.
    pub scenarios: Vec<String>,
    /// Whether an empty or much shorter list is believed.
    pub may_be_empty: bool,
}

words! {
    /// Whose list a feed is, or how it is written.
    pub enum FeedKind {
        /// An address, a prefix or a range a line; the netsets of FireHOL too.
        Plain = "plain",
        /// What `ipset save` writes.
        Ipset = "ipset",
        /// A column of a CSV.
        Csv = "csv",
        /// JSON, or JSON a line.
        Json = "json",
        /// APIBAN's list of those who attack SIP.
        Apiban = "apiban",
        /// blocklist.de's list of those who attack SIP.
        BlocklistDe = "blocklist-de",
        /// VoIPBL.
        Voipbl = "voipbl",
        /// A level of FireHOL's IP lists.
        Firehol = "firehol",
        /// Networks that belong to criminals, by Spamhaus.
        SpamhausDrop = "spamhaus-drop",
        /// The decisions of a CrowdSec on this host or nearby.
        Crowdsec = "crowdsec",
        /// A file of this host.
        File = "file",
    }
}

words! {
    /// How a list is written.
    pub enum FeedFormat {
        /// An address, a prefix or a range a line.
        Plain = "plain",
        /// What `ipset save` writes.
        Ipset = "ipset",
        /// A column of a CSV.
        Csv = "csv",
        /// JSON, or JSON a line.
        Json = "json",
    }
}

words! {
    /// What the entries of a feed meet, the strongest first.
    pub enum FeedAction {
        /// Nothing passes, at any service.
        Deny = "deny",
        /// Nothing passes at the services of telephony, but a registration that names one of our domains.
        Ban = "ban",
        /// The first thing that is held against them bans them.
        Score = "score",
    }
}

/// Where a CSV has the address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Column {
    /// By number, from 1.
    Number(usize),
    /// By the word in the first line, whatever its case.
    Name(String),
}

impl Default for Column {
    fn default() -> Self {
        Self::Number(1)
    }
}

/// The most columns of a CSV.
const COLUMNS: usize = 256;

impl FromStr for Column {
    type Err = Wrong;

    fn from_str(text: &str) -> Result<Self, Wrong> {
        let text = text.trim();
        match text.parse::<usize>() {
            Ok(number) if (1..=COLUMNS).contains(&number) => Ok(Self::Number(number)),
            Err(_) if (1..=64).contains(&text.len()) => Ok(Self::Name(text.to_owned())),
            _ => Err(Wrong::new(
                format!("{} is not a column", quoted(text)),
                format!("write its number from 1 to {COLUMNS}, or the word above it, as \"ip\""),
            )),
        }
    }
}

/// Where JSON has the addresses: `$`, then `.name` for a member and `[*]` for all of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonPath(Vec<Step>);

/// A step of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// The member of this name.
    Member(String),
    /// Every entry of a list, or every value of an object.
    All,
}

/// The most steps of a path.
const STEPS: usize = 16;

impl JsonPath {
    /// Its steps from the outside in.
    pub fn steps(&self) -> &[Step] {
        &self.0
    }

    /// The path of these steps.
    pub fn of(steps: impl IntoIterator<Item = Step>) -> Self {
        Self(steps.into_iter().take(STEPS).collect())
    }
}

impl Default for JsonPath {
    /// `$[*]`: a list of addresses.
    fn default() -> Self {
        Self(vec![Step::All])
    }
}

impl FromStr for JsonPath {
    type Err = Wrong;

    fn from_str(text: &str) -> Result<Self, Wrong> {
        let wrong = || {
            Wrong::new(
                format!("{} is not a path", quoted(text)),
                "write \"$\", then \".name\" for a member and \"[*]\" for all of a list, such as \"$.data[*].ip\"",
            )
        };
        let mut rest = text.strip_prefix('$').ok_or_else(wrong)?;
        let mut steps = Vec::new();
        while !rest.is_empty() {
            if let Some(after) = rest.strip_prefix("[*]") {
                steps.push(Step::All);
                rest = after;
            } else if let Some(after) = rest.strip_prefix('.') {
                let end = after.find(['.', '[']).unwrap_or(after.len());
                let (name, after) = after.split_at_checked(end).ok_or_else(wrong)?;
                if name.is_empty() || name.contains([']', '$', '*', '"', '\'']) {
                    return Err(wrong());
                }
                steps.push(Step::Member(name.to_owned()));
                rest = after;
            } else {
                return Err(wrong());
            }
        }
        if steps.len() > STEPS {
            return Err(wrong());
        }
        Ok(Self(steps))
    }
}

/// What a kind needs and allows.
#[derive(Debug, Clone, Copy)]
pub struct Terms {
    /// How often it is asked for where the file does not say.
    pub interval: Duration,
    /// No more often than this.
    pub least: Duration,
    /// For how long its last good state holds.
    pub expiry: Duration,
}

const MINUTE: u64 = 60;
const HOUR: u64 = 3600;
const DAY: u64 = 86_400;

impl FeedKind {
    /// How often the provider lets itself be asked, and what is usual.
    pub fn terms(self) -> Terms {
        let (interval, least, expiry) = match self {
            Self::Plain | Self::Ipset | Self::Csv | Self::Json => (HOUR, 5 * MINUTE, 7 * DAY),
            // The API asks for pauses of minutes, and keeps an address for a week.
            Self::Apiban => (15 * MINUTE, 4 * MINUTE, 7 * DAY),
            // Made anew every half an hour.
            Self::BlocklistDe => (HOUR, 30 * MINUTE, 2 * DAY),
            Self::Voipbl => (4 * HOUR, HOUR, 7 * DAY),
            Self::Firehol => (6 * HOUR, HOUR, 7 * DAY),
            // Its terms: once a day is enough, and who asks more often is shut out.
            Self::SpamhausDrop => (DAY, DAY, 7 * DAY),
            Self::Crowdsec => (MINUTE, 10, DAY),
            Self::File => (5 * MINUTE, 10, 7 * DAY),
        };
        let seconds = Duration::from_secs;
        Terms {
            interval: seconds(interval),
            least: seconds(least),
            expiry: seconds(expiry),
        }
    }

    /// How its lists are written, where that is not for the file to say.
    pub fn format(self) -> Option<FeedFormat> {
        match self {
            Self::Plain | Self::BlocklistDe | Self::Voipbl | Self::Firehol => {
                Some(FeedFormat::Plain)
            }
            Self::Ipset => Some(FeedFormat::Ipset),
            Self::Csv => Some(FeedFormat::Csv),
            Self::Json => Some(FeedFormat::Json),
            Self::Apiban | Self::SpamhausDrop | Self::Crowdsec | Self::File => None,
        }
    }

    /// Whether the provider wants a key.
    pub fn wants_key(self) -> bool {
        matches!(self, Self::Apiban | Self::Crowdsec)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_columns_are_read_or_refused_with_an_example() {
        let path: JsonPath = "$.data[*].ip".parse().unwrap();
        let member = |name: &str| Step::Member(name.into());
        assert_eq!(path.steps(), [member("data"), Step::All, member("ip")]);
        assert_eq!("$".parse::<JsonPath>().unwrap().steps(), []);
        for text in ["", "data", "$data", "$.", "$[0]", "$.a[", "$..a", "$.a]"] {
            let wrong = text.parse::<JsonPath>().unwrap_err();
            assert!(wrong.fix().contains("$.data[*].ip"), "{text}");
        }
        assert!("$[*]".repeat(2).parse::<JsonPath>().is_err());
        assert!(
            format!("${}", "[*]".repeat(17))
                .parse::<JsonPath>()
                .is_err()
        );
        assert_eq!("3".parse::<Column>().unwrap(), Column::Number(3));
        assert_eq!("ip".parse::<Column>().unwrap(), Column::Name("ip".into()));
        for text in ["", "0", "257"] {
            assert!(text.parse::<Column>().is_err(), "{text}");
        }
    }

    /// The page about threat lists has every kind with its times.
    #[test]
    fn the_documentation_has_the_terms_of_each_kind() {
        use crate::config::{Period, Word};

        const PAGE: &str = include_str!("../../../../docs/feeds.md");
        for kind in FeedKind::ALL {
            let row = format!("\n| `{}` |", kind.as_str());
            let (_, rest) = PAGE.split_once(&row).unwrap_or_else(|| panic!("{row}"));
            let row = rest.lines().next().unwrap_or_default();
            let terms = kind.terms();
            let [interval, least] = [terms.interval, terms.least].map(Period::from);
            let end = format!("| {interval} | {least} |");
            assert!(row.ends_with(&end), "{kind}: {row} {end}");
        }
    }

    #[test]
    fn nobody_is_asked_more_often_than_allowed_by_default() {
        for kind in FeedKind::ALL {
            let terms = kind.terms();
            assert!(
                terms.least <= terms.interval && terms.interval < terms.expiry,
                "{kind}"
            );
        }
    }
}
