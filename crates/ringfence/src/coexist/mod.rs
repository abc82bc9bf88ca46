//! Other firewalls and XDP programs on this host: what they are, and what they hold that Ringfence can take over. They
//! are read, never changed.

mod chains;
mod csf;
mod error;
mod fail2ban;
mod freepbx;
mod program;
mod xdp;

use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;

pub use chains::{Chains, chains};
pub use csf::csf;
pub use error::ImportError;
pub use fail2ban::{Fail2ban, fail2ban};
pub use freepbx::freepbx;
pub use program::output;
pub use xdp::{DISPATCHER, Program, attached_program};

use crate::config::AddressRange;

/// Entries that are taken of one firewall; the rest is left out.
const MOST: usize = 20_000;

/// What another firewall holds.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// How it was read, for people.
    pub way: String,
    /// What can be taken over.
    pub items: Vec<Item>,
    /// What cannot, and why.
    pub left_out: Vec<String>,
}

/// Something to take over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// What becomes of it.
    pub take: Take,
    /// Where it is from, as a comment.
    pub comment: String,
}

/// What becomes of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Take {
    /// A ban of an address, for so long.
    Ban(IpAddr, Duration),
    /// An entry of the permit list, for so long or for ever.
    Permit(AddressRange, Option<Duration>),
    /// An entry of the deny list, for so long or for ever.
    Deny(AddressRange, Option<Duration>),
}

impl Taken {
    fn new(way: impl Into<String>) -> Self {
        Self {
            way: way.into(),
            ..Self::default()
        }
    }

    /// Adds what another firewall keeps out: an address for a time is a ban; a net, and what has no end, is denied.
    fn keep_out(&mut self, text: &str, left: Option<Duration>, comment: &str) {
        match (text.parse::<IpAddr>(), left) {
            (Ok(address), Some(left)) => {
                self.add(Take::Ban(address.to_canonical(), left), comment);
            }
            _ => self.add_range(text, comment, |range| Take::Deny(range, left)),
        }
    }

    /// Adds what another firewall lets in.
    fn let_in(&mut self, text: &str, left: Option<Duration>, comment: &str) {
        self.add_range(text, comment, |range| Take::Permit(range, left));
    }

    fn add_range(&mut self, text: &str, comment: &str, take: impl FnOnce(AddressRange) -> Take) {
        match range(text) {
            // This host itself is always let in, and never kept out.
            Ok(range) if range.first().is_loopback() => {}
            Ok(range) => self.add(take(range), comment),
            Err(why) => self.left_out.push(format!("{text}: {why} ({comment})")),
        }
    }

    fn add(&mut self, take: Take, comment: &str) {
        let item = Item {
            take,
            comment: comment.to_owned(),
        };
        // The same may be said by several jails or files.
        if self.items.iter().any(|known| known.take == item.take) {
            return;
        }
        if self.items.len() < MOST {
            self.items.push(item);
        } else if self
            .left_out
            .last()
            .is_none_or(|last| !last.starts_with("more than"))
        {
            self.left_out
                .push(format!("more than {MOST} entries: the rest"));
        }
    }
}

/// An address or net, with or without bits behind its length.
fn range(text: &str) -> Result<AddressRange, String> {
    let net = match text.parse::<IpAddr>() {
        Ok(address) => IpNet::from(address.to_canonical()),
        Err(_) => text
            .parse::<IpNet>()
            .map_err(|_| "no address or net".to_owned())?
            .trunc(),
    };
    if net.prefix_len() == 0 {
        return Err("that is everybody".to_owned());
    }
    let range: Result<AddressRange, _> = net.to_string().parse();
    range.map_err(|wrong| wrong.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_an_address_and_what_is_not() {
        let mut taken = Taken::new("test");
        let hour = Some(Duration::from_secs(3600));
        taken.keep_out("192.0.2.1", hour, "a");
        taken.keep_out("192.0.2.1", hour, "b");
        taken.keep_out("192.0.2.7/24", hour, "a");
        taken.keep_out("192.0.2.2", None, "a");
        taken.let_in("127.0.0.1/8", None, "a");
        taken.let_in("::1", None, "a");
        taken.let_in("office.example.com", None, "a");
        taken.let_in("0.0.0.0/0", None, "a");
        let net = |text: &str| text.parse::<AddressRange>().unwrap();
        let takes: Vec<_> = taken.items.iter().map(|item| item.take.clone()).collect();
        assert_eq!(
            takes,
            [
                Take::Ban("192.0.2.1".parse().unwrap(), Duration::from_secs(3600)),
                Take::Deny(net("192.0.2.0/24"), hour),
                Take::Deny(net("192.0.2.2"), None),
            ]
        );
        assert_eq!(taken.left_out.len(), 2, "{taken:?}");
    }
}
