//! The report of what was dropped, or in shadow mode would have been.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::Answer;
use super::listing::moment;
use crate::config::{Config, Host, Kind, Sni};
use crate::store::{Dropped, Name, Store, StoreError};
use crate::trust::{Group, Near, Offer, Report};

/// Lines of one kind that people are shown; programs are given all.
const SHOWN: usize = 30;

/// Reports what was dropped since so long. `resolved` are the addresses of trunks' host names.
///
/// # Errors
/// When the store cannot be read.
pub fn report(
    store: &Store,
    config: &Config,
    resolved: &BTreeMap<String, Vec<IpAddr>>,
    time: Duration,
    now: Timestamp,
) -> Result<Answer, StoreError> {
    let since = now.checked_sub(time).unwrap_or(Timestamp::UNIX_EPOCH);
    let dropped = store.drops_since(since)?;
    let near = near(store, config, resolved, now)?;
    Ok(told(&Report::new(&dropped, &near), config, since))
}

/// Where callers may belong to a provider.
fn near(
    store: &Store,
    config: &Config,
    resolved: &BTreeMap<String, Vec<IpAddr>>,
    now: Timestamp,
) -> Result<Near, StoreError> {
    let mut near = Near::default();
    for trunk in &config.trunks {
        let what = format!("the trunk {}", trunk.name);
        for host in &trunk.hosts {
            match host {
                Host::Range(range) => near.add_range(range, &what),
                Host::Name(name) => {
                    for address in resolved.get(name).into_iter().flatten() {
                        near.add(*address, &what);
                    }
                }
            }
        }
    }
    for peer in store.trust()?.standings {
        if peer.solicited_until.is_some_and(|until| until > now) {
            near.add(peer.address, &format!("the peer {}", peer.address));
        }
    }
    Ok(near)
}

fn told(report: &Report<'_>, config: &Config, since: Timestamp) -> Answer {
    let shadow = report.told.saturating_sub(report.enforced);
    let mut text = format!(
        "since {}: {} drops of {} sources were told of; {} were carried out, {shadow} would have been\n\
         (one that is told of stands for all of its source and reason within ten seconds)",
        moment(since),
        report.told,
        report.sources,
        report.enforced
    );
    text.push_str("\n\nfalse alarms, sources that registered afterwards: ");
    text.push_str(&report.wrong.len().to_string());
    section(&mut text, &report.wrong, |row| wrong(row));
    if !report.groups.is_empty() {
        text.push_str("\n\nby reason, service and country of the source:");
    }
    section(&mut text, &report.groups, group);
    for offer in report.offers.iter().take(SHOWN) {
        text.push_str(&format!(
            "\n\ncalls came from beside {}; if they are the provider's, add to the configuration:\n{}",
            offer.beside,
            snippet(offer)
        ));
    }
    let unknown = unknown(config);
    if let Some(unknown) = unknown {
        text.push_str(&format!("\n\n{unknown}"));
    }
    Answer::done(
        text,
        json!({
            "since": since, "sources": report.sources, "told": report.told, "enforced": report.enforced,
            "false_alarms": report.wrong.iter().map(|row| wrong_data(row)).collect::<Vec<_>>(),
            "groups": report.groups.iter().map(group_data).collect::<Vec<_>>(),
            "trunks": report.offers.iter().map(|offer| json!({
                "net": offer.net.to_string(), "beside": offer.beside, "callers": offer.callers,
                "snippet": snippet(offer),
            })).collect::<Vec<_>>(),
            "sni": unknown,
        }),
    )
}

/// Adds lines, as many as people read.
fn section<T>(text: &mut String, rows: &[T], line: impl Fn(&T) -> String) {
    for row in rows.iter().take(SHOWN) {
        text.push_str(&format!("\n  {}", line(row)));
    }
    let more = rows.len().saturating_sub(SHOWN);
    if more > 0 {
        text.push_str(&format!("\n  and {more} more: see --format json"));
    }
}

fn wrong(row: &Dropped) -> String {
    let account = row.account.as_ref().map(ToString::to_string);
    let registered = row.registered.map(moment).unwrap_or_default();
    let remedy = if row.reason == "country" {
        format!(
            "`ringfence country allow {}` or `ringfence permit add {}`",
            row.country,
            source(row.address)
        )
    } else {
        format!("`ringfence permit add {}`", source(row.address))
    };
    format!(
        "{} as {}: {} at {}, {} told of, last {}; registered {registered}; {remedy}",
        source(row.address),
        account.unwrap_or_default(),
        row.reason,
        service(&row.service),
        row.count,
        moment(row.last),
    )
}

fn wrong_data(row: &Dropped) -> Value {
    json!({
        "address": row.address, "account": row.account.as_ref().map(Name::text), "reason": row.reason,
        "service": row.service, "country": row.country, "told": row.count, "first": row.first,
        "last": row.last, "registered": row.registered,
    })
}

fn group(group: &Group<'_>) -> String {
    let mut examples: Vec<_> = group.examples.iter().map(|ip| source(*ip)).collect();
    if group.sources > examples.len() {
        examples.push("…".to_owned());
    }
    format!(
        "{:>8} told of, {:>6} sources: {} at {}, {}: {}",
        group.told,
        group.sources,
        group.reason,
        service(group.service),
        group.country,
        examples.join(", ")
    )
}

fn group_data(group: &Group<'_>) -> Value {
    json!({
        "reason": group.reason, "service": group.service, "country": group.country,
        "sources": group.sources, "told": group.told, "examples": group.examples,
    })
}

/// What an offer is written as in the configuration.
fn snippet(offer: &Offer) -> String {
    let name = offer.net.addr().to_string().replace(':', "-");
    let hosts = offer
        .callers
        .iter()
        .map(|ip| format!("\"{}\"", source(*ip)));
    let hosts: Vec<_> = hosts.collect();
    format!(
        "[[trunk]]\nname  = \"at-{name}\"\nhosts = [{}]",
        hosts.join(", ")
    )
}

/// Whom `sni = "require"` would hit, where there is a service that it could be said of.
fn unknown(config: &Config) -> Option<&'static str> {
    let tls = |kind| matches!(kind, Kind::Sips | Kind::Wss);
    let mut open = config
        .services
        .iter()
        .filter(|service| tls(service.kind) && service.sni == Sni::Match);
    open.next().map(|_| {
        "whom `sni = \"require\"` would hit is not known: who names no server passes as `undecided`, which is counted \
         (`ringfence status`) and not told of by source"
    })
}

/// A source as it may be written on a list: of IPv6 its network.
fn source(address: IpAddr) -> String {
    match address {
        IpAddr::V4(v4) => v4.to_string(),
        IpAddr::V6(v6) => format!("{v6}/64"),
    }
}

fn service(name: &str) -> &str {
    if name.is_empty() { "no service" } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + second).unwrap()
    }

    fn dropped(address: &str, reason: &str, count: u32, invites: u32) -> Dropped {
        Dropped {
            address: address.parse().unwrap(),
            service: "sip".into(),
            reason: reason.into(),
            country: "IE".into(),
            class: "INVITE".into(),
            protocol: "udp".into(),
            port: 5060,
            first: at(0),
            last: at(10),
            count,
            enforced: 0,
            invites,
            evidence: Vec::new(),
            registered: None,
            account: None,
        }
    }

    #[test]
    fn the_first_week_in_shadow_is_told() {
        let directory = tempfile::tempdir().unwrap();
        let mut store = Store::open(directory.path()).unwrap().store;
        let month = Duration::from_secs(30 * 86_400);
        let phone: IpAddr = [192, 0, 2, 7].into();
        let rows = [
            dropped("192.0.2.7", "country", 5, 0),
            dropped("198.51.100.20", "country", 9, 9),
            dropped("2001:db8:0:1::", "rate", 2, 1),
        ];
        store.add_drops(&rows, at(10), month).unwrap();
        let name = Name::new("10\u{1b}[7m");
        store.note_registered(&[(phone, name)], at(20)).unwrap();
        let config = "[[trunk]]\nname = \"provider\"\n\
            hosts = [\"198.51.100.0/28\", \"sip.provider.example\"]\n\
            [[service]]\nname = \"sips\"\nkind = \"sips\"\n";
        let config = Config::parse(config, "test").unwrap();
        let resolved = [(
            "sip.provider.example".to_owned(),
            vec!["2001:db8:0:1::9".parse().unwrap()],
        )]
        .into();
        let week = Duration::from_secs(7 * 86_400);
        let answer = report(&store, &config, &resolved, week, at(30)).unwrap();
        for part in [
            "16 drops of 3 sources were told of; 0 were carried out, 16 would have been",
            "registered afterwards: 1\n  192.0.2.7 as 10\\u{1b}[7m: country at sip, 5 told of",
            "`ringfence country allow IE` or `ringfence permit add 192.0.2.7`",
            "      14 told of,      2 sources: country at sip, IE: 198.51.100.20, 192.0.2.7",
            "beside the trunk provider",
            "hosts = [\"2001:db8:0:1::/64\"]",
            "`sni = \"require\"` would hit is not known",
        ] {
            assert!(answer.text.contains(part), "{part}: {}", answer.text);
        }
        // What is offered can be pasted.
        for offer in answer.data["trunks"].as_array().unwrap() {
            let text = offer["snippet"].as_str().unwrap();
            assert_eq!(Config::parse(text, "offer").unwrap().trunks.len(), 1);
        }
        let answer = report(&store, &config, &resolved, Duration::ZERO, at(30)).unwrap();
        assert!(answer.text.contains("0 drops of 0 sources"));
        assert!(!answer.text.contains("[[trunk]]"), "{}", answer.text);
    }
}
