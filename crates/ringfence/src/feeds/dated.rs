//! Lists whose entries each have an end, as providers keep them who tell only what is new.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use ipnet::IpNet;
use jiff::Timestamp;

use super::Nets;

/// Networks, each with the second until which it is listed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Dated(BTreeMap<IpNet, i64>);

impl Dated {
    /// Lists a network until then, or longer where it is already.
    pub(super) fn put(&mut self, net: IpNet, until: Timestamp) {
        let until = until.as_second();
        let held = self.0.entry(net.trunc()).or_insert(until);
        *held = until.max(*held);
    }

    /// Lists it no more.
    pub(super) fn remove(&mut self, net: IpNet) {
        self.0.remove(&net.trunc());
    }

    /// Forgets what is over.
    pub(super) fn prune(&mut self, now: Timestamp) {
        let now = now.as_second();
        self.0.retain(|_, until| *until > now);
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The networks.
    pub(super) fn nets(&self) -> Nets {
        self.0.keys().copied().collect()
    }

    /// As a file has them: `SECONDS NETWORK` a line.
    pub(super) fn write(&self) -> String {
        let mut text = String::with_capacity(self.0.len() * 30);
        for (net, until) in &self.0 {
            // Writing to a text cannot fail.
            let _ = writeln!(text, "{until} {net}");
        }
        text
    }

    /// Reads what [`Self::write`] wrote; other lines are left out.
    pub(super) fn read(text: &str) -> Self {
        let entry = |line: &str| {
            let (until, net) = line.split_once(' ')?;
            Some((net.parse().ok()?, until.parse().ok()?))
        };
        Self(text.lines().filter_map(entry).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_end_and_come_back_from_a_file() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let net = |text: &str| text.parse::<IpNet>().unwrap();
        let mut dated = Dated::default();
        dated.put(net("192.0.2.7/32"), at(100));
        dated.put(net("192.0.2.7/32"), at(90));
        dated.put(net("2001:db8::/64"), at(50));
        dated.put(net("198.51.100.0/24"), at(200));
        dated.remove(net("198.51.100.0/24"));
        assert_eq!(Dated::read(&format!("rubbish\n{}", dated.write())), dated);
        dated.prune(at(50));
        assert_eq!(
            dated.nets().iter().collect::<Vec<_>>(),
            [net("192.0.2.7/32")]
        );
        dated.prune(at(100));
        assert_eq!(dated.len(), 0);
    }
}
