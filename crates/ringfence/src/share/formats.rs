//! Bans as other programs read them.

use std::fmt::Write as _;

use clap::ValueEnum;
use ipnet::IpNet;
use jiff::Timestamp;
use serde_json::json;

use super::SharedBan;

/// Elements that an ipset may hold: no fewer than there can be bans.
const IPSET_ELEMENTS: u32 = 262_144;
/// The longest time that an ipset takes, in seconds.
const IPSET_TIME: u64 = 2_147_483;

/// What bans are written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum BansAs {
    /// One address or prefix a line
    Plain,
    /// What `nft -f` loads: a table with a set for each family
    Nft,
    /// What `ipset restore` reads: a set for each family, swapped whole
    Ipset,
    /// Lines of a log that a filter of fail2ban reads
    Fail2ban,
    /// JSON for `cscli decisions import`
    Crowdsec,
    /// A JSON list with all that is known of each
    Json,
    /// The same as CSV with a header
    Csv,
}

/// The names that rules of others refer to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Naming {
    /// The table of nftables, of the family `inet`.
    pub table: String,
    /// The sets, before the 4 or 6 of the family.
    pub set: String,
}

impl Default for Naming {
    fn default() -> Self {
        Self {
            table: "ringfence_shared".into(),
            set: "ringfence".into(),
        }
    }
}

impl Naming {
    /// Whether both nftables and ipset take a name: a letter or `_`, then at most 24 letters, digits and `_`, so that what
    /// is put behind it still fits the 31 bytes of an ipset.
    pub fn fits(name: &str) -> bool {
        let first = name.bytes().next();
        first.is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
            && name.len() <= 25
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
    }
}

/// Writes bans. The names in `naming` must fit ([`Naming::fits`]); bans that are over at `now` are left out.
pub fn bans_as(format: BansAs, bans: &[SharedBan], naming: &Naming, now: Timestamp) -> String {
    let bans: Vec<_> = bans.iter().filter(|ban| ban.left(now) > 0).collect();
    match format {
        BansAs::Plain => plain(&bans),
        BansAs::Nft => nft(&bans, naming, now),
        BansAs::Ipset => ipset(&bans, naming, now),
        BansAs::Fail2ban => fail2ban(&bans),
        BansAs::Crowdsec => crowdsec(&bans, now),
        BansAs::Json => json_list(&bans),
        BansAs::Csv => csv(&bans),
    }
}

fn plain(bans: &[&SharedBan]) -> String {
    let lines = bans.iter().map(|ban| ban.source() + "\n");
    lines.collect()
}

fn nft(bans: &[&SharedBan], naming: &Naming, now: Timestamp) -> String {
    let Naming { table, set } = naming;
    let mut text = format!("add table inet {table}\n");
    for (family, kind) in [("4", "ipv4_addr"), ("6", "ipv6_addr")] {
        let of_family = bans
            .iter()
            .filter(|ban| ban.net.addr().is_ipv4() == (family == "4"));
        let _ = write!(
            text,
            "add set inet {table} {set}{family} {{ type {kind}; flags interval, timeout; }}\n\
             flush set inet {table} {set}{family}\n"
        );
        // Two intervals of a set may not overlap: what lies in a banned net is left to that.
        let mut around: Option<IpNet> = None;
        let mut elements = Vec::new();
        for ban in of_family {
            if around.is_some_and(|net| net.contains(&ban.net)) {
                continue;
            }
            around = Some(ban.net);
            elements.push(format!("{} timeout {}s", ban.source(), ban.left(now)));
        }
        if !elements.is_empty() {
            let elements = elements.join(",\n  ");
            let _ = write!(
                text,
                "add element inet {table} {set}{family} {{\n  {elements}\n}}\n"
            );
        }
    }
    text
}

fn ipset(bans: &[&SharedBan], naming: &Naming, now: Timestamp) -> String {
    let mut text = String::new();
    for (number, family) in [("4", "inet"), ("6", "inet6")] {
        let name = format!("{}{number}", naming.set);
        let kind = format!("hash:net family {family} maxelem {IPSET_ELEMENTS} timeout 0");
        let _ = write!(
            text,
            "create {name} {kind} -exist\ncreate {name}_new {kind} -exist\nflush {name}_new\n"
        );
        for ban in bans
            .iter()
            .filter(|ban| ban.net.addr().is_ipv4() == (number == "4"))
        {
            let time = ban.left(now).min(IPSET_TIME);
            let _ = writeln!(
                text,
                "add {name}_new {} timeout {time} -exist",
                ban.source()
            );
        }
        let _ = write!(text, "swap {name} {name}_new\ndestroy {name}_new\n");
    }
    text
}

fn fail2ban(bans: &[&SharedBan]) -> String {
    let mut text = String::new();
    for ban in bans {
        let since = ban.since.strftime("%Y-%m-%dT%H:%M:%SZ");
        let (source, reason) = (ban.source(), word(&ban.reason));
        let _ = writeln!(text, "{since} ringfence: ban {source} for {reason}");
    }
    text
}

fn crowdsec(bans: &[&SharedBan], now: Timestamp) -> String {
    let all: Vec<_> = bans
        .iter()
        .map(|ban| {
            json!({
                "duration": format!("{}s", ban.left(now)),
                "reason": format!("ringfence/{}", word(&ban.reason)),
                "scope": if ban.is_address() { "Ip" } else { "Range" },
                "type": "ban",
                "value": ban.source(),
            })
        })
        .collect();
    format!("{}\n", json!(all))
}

fn json_list(bans: &[&SharedBan]) -> String {
    format!("{}\n", json!(bans))
}

fn csv(bans: &[&SharedBan]) -> String {
    let mut text = String::from("source,reason,since,until,times,proved,note\r\n");
    for ban in bans {
        let source = ban.source();
        let _ = write!(
            text,
            "{source},{},{},{},{},{},{}\r\n",
            field(&ban.reason),
            ban.since,
            ban.until,
            ban.times,
            ban.proved,
            field(&ban.note)
        );
    }
    text
}

/// A reason as one word, whatever it is.
fn word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    let word: String = text.chars().take(32).filter(|c| plain(*c)).collect();
    match word.is_empty() {
        true => "ban".to_owned(),
        false => word,
    }
}

/// A field of CSV (RFC 4180 section 2) in which no line ends and that no spreadsheet takes for a formula.
fn field(text: &str) -> String {
    let text: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    let formula = text.starts_with(['=', '+', '-', '@']);
    let before = if formula { "'" } else { "" };
    format!("\"{before}{}\"", text.replace('"', "\"\""))
}
