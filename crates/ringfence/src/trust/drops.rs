//! What was dropped since it was stored last.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::store::{Dropped, Name};

/// Rows that are gathered at most before they are stored.
const MOST: usize = 10_000;
/// Bytes of a payload that are kept as evidence.
const EVIDENCE: usize = 200;

/// What waits to be stored.
#[derive(Debug, Default)]
pub struct Drops {
    rows: BTreeMap<(IpAddr, String, String), Dropped>,
    registered: Vec<(IpAddr, Name)>,
}

impl Drops {
    /// Takes in something that was dropped. Where there is no room for another source it is left out.
    pub fn note(&mut self, mut dropped: Dropped) {
        let key = (
            dropped.address,
            dropped.service.clone(),
            dropped.reason.clone(),
        );
        if let Some(row) = self.rows.get_mut(&key) {
            dropped.first = row.first;
            dropped.count = dropped.count.saturating_add(row.count);
            dropped.enforced = dropped.enforced.saturating_add(row.enforced);
            dropped.invites = dropped.invites.saturating_add(row.invites);
            dropped.evidence = std::mem::take(&mut row.evidence);
            *row = dropped;
        } else if self.rows.len() < MOST {
            dropped.evidence.truncate(EVIDENCE);
            self.rows.insert(key, dropped);
        }
    }

    /// A source registered: what was dropped of it before was dropped wrongly.
    pub fn note_registered(&mut self, source: IpAddr, name: Name) {
        if self.registered.len() < MOST {
            self.registered.push((source, name));
        }
    }

    /// What waits, which it forgets: rows, and who registered since.
    pub fn take(&mut self) -> (Vec<Dropped>, Vec<(IpAddr, Name)>) {
        let rows = std::mem::take(&mut self.rows).into_values().collect();
        (rows, std::mem::take(&mut self.registered))
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    fn dropped(address: u32, second: i64) -> Dropped {
        let at = Timestamp::from_second(second).unwrap();
        Dropped {
            address: std::net::Ipv4Addr::from(address).into(),
            service: "sip".into(),
            reason: "rate".into(),
            country: "IE".into(),
            class: "INVITE".into(),
            protocol: "udp".into(),
            port: 5060,
            first: at,
            last: at,
            count: 1,
            enforced: 0,
            invites: 1,
            evidence: vec![b'0' + u8::try_from(second % 10).unwrap(); 300],
            registered: None,
            account: None,
        }
    }

    #[test]
    fn they_add_up_and_have_so_much_room() {
        let mut drops = Drops::default();
        drops.note(dropped(1, 10));
        drops.note(dropped(1, 25));
        for n in 0..2 * MOST as u32 {
            drops.note(dropped(100 + n, 30));
            drops.note_registered([192, 0, 2, 1].into(), Name::new("1007"));
        }
        let (rows, registered) = drops.take();
        assert_eq!((rows.len(), registered.len()), (MOST, MOST));
        let first = &rows[0];
        assert_eq!((first.count, first.invites), (2, 2));
        assert_eq!((first.first.as_second(), first.last.as_second()), (10, 25));
        assert_eq!(first.evidence, [b'0'; EVIDENCE]);
        assert!(drops.take().0.is_empty());
    }
}
