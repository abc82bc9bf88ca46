//! The merged set as the judge reads it.

use std::net::IpAddr;

use ipnet::IpNet;
use ringfence_core::feed::FeedAction as Judged;

use super::Merged;
use crate::config::{Config, FeedAction};
use crate::engine::feeds::Blocks;

/// IPv6 networks that the lists of prefixes take of threat lists; the rest is left out.
pub const MOST_V6: usize = 50_000;
/// Blocks for networks beside those for the entries of a list: a /8 takes 2,048.
const FOR_NETWORKS: usize = 1 << 15;
/// Entries that there is always room for, in 4 MB.
const AT_LEAST: usize = 50_000;

impl From<FeedAction> for Judged {
    fn from(action: FeedAction) -> Self {
        match action {
            FeedAction::Deny => Self::Deny,
            FeedAction::Ban => Self::Ban,
            FeedAction::Score => Self::Score,
        }
    }
}

/// Blocks that the judge's table needs room for, as long as the lists of a configuration may grow; so many at least that
/// a first list finds room that a reload brings.
pub fn room(config: &Config) -> usize {
    let most = config.feeds.iter().map(|feed| feed.max as usize);
    most.sum::<usize>().max(AT_LEAST) + FOR_NETWORKS
}

impl Merged {
    /// The IPv4 entries.
    pub fn blocks(&self) -> Blocks {
        Blocks::new(self.iter().filter_map(|entry| match entry.range {
            IpNet::V4(net) => Some((
                net.network().to_bits(),
                net.broadcast().to_bits(),
                entry.action.into(),
            )),
            IpNet::V6(_) => None,
        }))
    }

    /// The IPv6 entries, at most [`MOST_V6`], and how many more there are.
    pub fn wide(&self) -> (Vec<(IpNet, Judged)>, usize) {
        let v6 = || {
            self.iter()
                .filter(|entry| matches!(entry.range.addr(), IpAddr::V6(_)))
        };
        let taken = v6()
            .take(MOST_V6)
            .map(|entry| (entry.range, entry.action.into()));
        (taken.collect(), v6().count().saturating_sub(MOST_V6))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Feed;
    use crate::feeds::{Belongings, Nets, Part, merge};

    fn feeds(text: &str) -> Vec<Feed> {
        Config::parse(text, "r.toml").unwrap().feeds
    }

    #[test]
    fn there_is_room_for_the_longest_lists() {
        assert_eq!(room(&Config::default()), AT_LEAST + FOR_NETWORKS);
        let text = "[[feed]]\nname = \"a\"\nkind = \"blocklist-de\"\nmax = 1000\n\
            [[feed]]\nname = \"b\"\nkind = \"voipbl\"\nmax = 500000\n";
        let config = Config::parse(text, "r.toml").unwrap();
        assert_eq!(feeds(text).len(), 2);
        assert_eq!(room(&config), 501_000 + FOR_NETWORKS);
    }

    #[test]
    fn each_family_goes_where_it_is_judged() {
        let nets: Vec<IpNet> = ["203.0.113.7/32", "198.51.100.0/24", "2001:db8:bad::/48"]
            .iter()
            .map(|net| net.parse().unwrap())
            .collect();
        let nets: Nets = nets.into_iter().collect();
        let part = Part {
            feed: 1,
            action: FeedAction::Ban,
            nets: &nets,
        };
        let (merged, _) = merge(&[part], &Belongings::new([]));
        assert_eq!(merged.blocks().len(), 2);
        let wide = merged.wide();
        assert_eq!(
            wide,
            (vec![("2001:db8:bad::/48".parse().unwrap(), Judged::Ban)], 0)
        );
    }
}
