//! What the fence dropped, or would have dropped, in sum: above all what it dropped wrongly.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::IpNet;

use super::Near;
use crate::store::Dropped;

/// Sources that are named as examples.
const EXAMPLES: usize = 3;

/// The report of a time.
#[derive(Debug, Default)]
pub struct Report<'a> {
    /// Sources that something was dropped of.
    pub sources: usize,
    /// Drops that were told of.
    pub told: u64,
    /// Those of them that were dropped indeed.
    pub enforced: u64,
    /// What was dropped of sources that registered afterwards, the loudest first.
    pub wrong: Vec<&'a Dropped>,
    /// Everything by reason, service and country, the loudest first.
    pub groups: Vec<Group<'a>>,
    /// Callers beside providers that are known.
    pub offers: Vec<Offer>,
}

/// What was dropped for one reason at one service from one country.
#[derive(Debug, PartialEq, Eq)]
pub struct Group<'a> {
    /// The public name of the reason.
    pub reason: &'a str,
    /// The service; empty for none.
    pub service: &'a str,
    /// The code of the country.
    pub country: &'a str,
    /// Sources.
    pub sources: usize,
    /// Drops that were told of.
    pub told: u64,
    /// The loudest sources.
    pub examples: Vec<IpAddr>,
}

/// A trunk that may be missing in the configuration.
#[derive(Debug, PartialEq, Eq)]
pub struct Offer {
    /// The network that the callers share with what is known.
    pub net: IpNet,
    /// What is known there.
    pub beside: String,
    /// The callers.
    pub callers: Vec<IpAddr>,
}

impl<'a> Report<'a> {
    /// Sums up. `dropped` has the loudest sources first.
    pub fn new(dropped: &'a [Dropped], near: &Near) -> Self {
        let mut report = Self::default();
        let mut sources = BTreeSet::new();
        let mut groups = BTreeMap::<_, Group<'a>>::new();
        let mut offers = BTreeMap::<IpNet, (String, BTreeSet<IpAddr>)>::new();
        for row in dropped {
            sources.insert(row.address);
            let told = u64::from(row.count);
            report.told += told;
            report.enforced += u64::from(row.enforced);
            if row.registered.is_some() {
                report.wrong.push(row);
            }
            let key = (&row.reason, &row.service, &row.country);
            let group = groups.entry(key).or_insert_with(|| Group {
                reason: &row.reason,
                service: &row.service,
                country: &row.country,
                sources: 0,
                told: 0,
                examples: Vec::new(),
            });
            // A source has one row for each reason and service.
            group.sources += 1;
            group.told += told;
            if group.examples.len() < EXAMPLES {
                group.examples.push(row.address);
            }
            if row.invites > 0
                && let Some((net, beside)) = near.find(row.address)
            {
                let offer = offers
                    .entry(net)
                    .or_insert_with(|| (beside.to_owned(), BTreeSet::new()));
                offer.1.insert(row.address);
            }
        }
        report.sources = sources.len();
        report.groups = groups.into_values().collect();
        report
            .groups
            .sort_by_key(|group| std::cmp::Reverse(group.told));
        report.offers = offers
            .into_iter()
            .map(|(net, (beside, callers))| Offer {
                net,
                beside,
                callers: callers.into_iter().collect(),
            })
            .collect();
        report
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::store::Name;

    fn dropped(address: &str, reason: &str, count: u32, invites: u32) -> Dropped {
        let at = Timestamp::UNIX_EPOCH;
        Dropped {
            address: address.parse().unwrap(),
            service: "sip".into(),
            reason: reason.into(),
            country: "IE".into(),
            class: "INVITE".into(),
            protocol: "udp".into(),
            port: 5060,
            first: at,
            last: at,
            count,
            enforced: 1,
            invites,
            evidence: Vec::new(),
            registered: None,
            account: None,
        }
    }

    #[test]
    fn what_belongs_together_is_summed_up() {
        let wrong = Dropped {
            registered: Some(Timestamp::UNIX_EPOCH),
            account: Some(Name::new("1007")),
            ..dropped("192.0.2.7", "country", 5, 0)
        };
        let rows = [
            dropped("198.51.100.20", "country", 9, 9),
            wrong.clone(),
            dropped("198.51.100.21", "country", 4, 1),
            dropped("198.51.100.21", "rate", 3, 0),
            dropped("203.0.113.5", "country", 1, 1),
            dropped("2001:db8::", "country", 1, 1),
        ];
        let mut near = Near::default();
        near.add([198, 51, 100, 1].into(), "the trunk provider");
        near.add("2001:db8::1".parse().unwrap(), "a peer");
        let report = Report::new(&rows, &near);
        assert_eq!((report.sources, report.told, report.enforced), (5, 23, 6));
        assert_eq!(report.wrong, [&wrong]);
        assert_eq!(report.groups.len(), 2);
        let group = &report.groups[0];
        assert_eq!(
            (group.reason, group.sources, group.told),
            ("country", 5, 20)
        );
        assert_eq!(group.examples.len(), EXAMPLES);
        let offers: Vec<_> = report
            .offers
            .iter()
            .map(|offer| (offer.net.to_string(), offer.callers.len()))
            .collect();
        assert_eq!(
            offers,
            [
                ("198.51.100.0/24".to_owned(), 2),
                ("2001:db8::/64".to_owned(), 1)
            ]
        );
        assert_eq!(report.offers[0].beside, "the trunk provider");
    }
}
