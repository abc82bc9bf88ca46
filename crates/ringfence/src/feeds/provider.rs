//! Where each provider has its lists. A `url` in the configuration takes its place.

use crate::config::{Feed, FeedFormat, FeedKind, JsonPath, Step};

use super::parse::Form;

/// <https://www.blocklist.de/en/export.html>: who attacked SIP within two days.
const BLOCKLIST_DE: &str = "https://lists.blocklist.de/lists/sip.txt";
/// <https://voipbl.org/>: networks of who attacked SIP.
const VOIPBL: &str = "https://voipbl.org/update/";
/// <https://iplists.firehol.org/>: level 1 has the fewest false alarms, level 4 the most.
const FIREHOL: &str = "https://iplists.firehol.org/files/firehol_level{level}.netset";
/// <https://www.spamhaus.org/blocklists/do-not-route-or-peer/>: networks of criminals.
const SPAMHAUS_DROP: [&str; 2] = [
    "https://www.spamhaus.org/drop/drop_v4.json",
    "https://www.spamhaus.org/drop/drop_v6.json",
];
/// <https://apiban.org/>: who attacks SIP honeypots. Below it stand the key and `banned/ID`.
const APIBAN: &str = "https://apiban.org/api";
/// CrowdSec's local interface, where it is on this host.
const CROWDSEC: &str = "http://127.0.0.1:8080";

/// The URLs of a feed, without its key; none for a file. Those of a programming interface are its root.
pub fn urls(feed: &Feed) -> Vec<String> {
    if let Some(url) = &feed.url {
        return vec![url.expose().to_owned()];
    }
    let own = match feed.kind {
        FeedKind::Plain | FeedKind::Ipset | FeedKind::Csv | FeedKind::Json | FeedKind::File => {
            return Vec::new();
        }
        FeedKind::SpamhausDrop => return SPAMHAUS_DROP.map(str::to_owned).into(),
        FeedKind::Apiban => APIBAN.to_owned(),
        FeedKind::BlocklistDe => BLOCKLIST_DE.to_owned(),
        FeedKind::Voipbl => VOIPBL.to_owned(),
        FeedKind::Firehol => FIREHOL.replace("{level}", &feed.level.to_string()),
        FeedKind::Crowdsec => CROWDSEC.to_owned(),
    };
    vec![own]
}

/// How a list of the feed is written, of which this is the first byte that is no space.
pub(super) fn form(feed: &Feed, first: Option<u8>) -> Form {
    let json = || {
        let cidr = Step::Member("cidr".to_owned());
        (FeedFormat::Json, JsonPath::of([cidr]))
    };
    let (format, path) = match feed.kind {
        // JSON a line, and as it was before.
        FeedKind::SpamhausDrop if first == Some(b'{') => json(),
        FeedKind::SpamhausDrop => (FeedFormat::Plain, feed.path.clone()),
        kind => (kind.format().unwrap_or(feed.format), feed.path.clone()),
    };
    Form {
        format,
        column: feed.column.clone(),
        path,
        max: feed.max,
    }
}
