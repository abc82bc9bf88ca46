//! Whether Asterisk and the packets tell of the same registrations.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::{IpAddr, SocketAddr};

use super::inventory::{Contact, Inventory, Learned};
use crate::opinion::Transport;
use crate::store::Name;

/// Differences that are told one by one.
const TOLD: usize = 50;

/// A registration that one of the two tells otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Difference {
    /// Asterisk has it, and the packets taught nothing: it is inside TLS or WebSocket, or was missed.
    NotLearned {
        /// The account.
        account: Name,
        /// Where its Contact says that it is.
        address: Option<IpAddr>,
        /// How it is reached.
        transport: Transport,
    },
    /// The packets taught it, and Asterisk has it no more.
    Gone {
        /// The account.
        account: Name,
        /// Where it registered from.
        source: SocketAddr,
    },
    /// Its Contact names another public address than its packets come from.
    Elsewhere {
        /// The account.
        account: Name,
        /// Where its Contact says that it is.
        address: IpAddr,
        /// Where its packets come from.
        source: SocketAddr,
    },
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotLearned {
                account,
                address,
                transport,
            } => {
                write!(f, "{account} is registered in Asterisk")?;
                if let Some(address) = address {
                    write!(f, " at {address}")?;
                }
                let why = match transport {
                    Transport::Tls | Transport::Ws | Transport::Wss => {
                        "inside TLS or WebSocket the packets do not tell"
                    }
                    _ => "the packets did not tell",
                };
                write!(f, ", and {why}")
            }
            Self::Gone { account, source } => {
                write!(
                    f,
                    "{account} at {source} is trusted as registered, and Asterisk has it no more"
                )
            }
            Self::Elsewhere {
                account,
                address,
                source,
            } => write!(
                f,
                "{account} is at {address} by its Contact, and its packets come from {source}"
            ),
        }
    }
}

/// Where they differ.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Differences {
    /// The first of them, by account.
    pub told: Vec<Difference>,
    /// How many more there are.
    pub more: usize,
}

impl Differences {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.told.is_empty()
    }

    fn note(&mut self, difference: Difference) {
        if self.told.len() < TOLD {
            self.told.push(difference);
        } else {
            self.more += 1;
        }
    }
}

/// Compares the live contacts of Asterisk with what the packets taught. Where Asterisk did not tell of all its contacts,
/// none is said to be gone.
pub fn differences(inventory: &Inventory, learned: &Learned) -> Differences {
    let mut accounts: BTreeMap<Name, (Vec<&Contact>, BTreeSet<SocketAddr>)> = BTreeMap::new();
    for (_, contact) in inventory.contacts() {
        let (contacts, _) = accounts.entry(Name::new(&contact.aor)).or_default();
        contacts.push(contact);
    }
    let whole = inventory.has_all_contacts();
    for (account, source) in learned.all() {
        if !whole && !accounts.contains_key(account) {
            continue;
        }
        let (_, sources) = accounts.entry(account.clone()).or_default();
        sources.insert(source);
    }
    let mut differences = Differences::default();
    for (account, (contacts, sources)) in accounts {
        compare(&account, contacts, sources, whole, &mut differences);
    }
    differences
}

fn compare(
    account: &Name,
    mut contacts: Vec<&Contact>,
    mut sources: BTreeSet<SocketAddr>,
    whole: bool,
    differences: &mut Differences,
) {
    let places: BTreeSet<IpAddr> = sources.iter().map(SocketAddr::ip).collect();
    contacts.retain(|contact| {
        let told = [
            contact.source.map(|source| source.ip()),
            contact.address,
            contact.via,
        ];
        sources.retain(|source| !told.contains(&Some(source.ip())));
        let mut told = told.into_iter().flatten();
        !told.any(|ip| places.contains(&ip))
    });
    let mut left = sources.into_iter();
    for contact in contacts {
        let address = contact.address;
        let account = account.clone();
        match (left.next(), address) {
            (Some(source), Some(address)) if !crate::net::is_private(address) => {
                differences.note(Difference::Elsewhere {
                    account,
                    address,
                    source,
                });
            }
            // A phone behind NAT that knows no better.
            (Some(_), _) => {}
            (None, _) => differences.note(Difference::NotLearned {
                account,
                address,
                transport: contact.transport,
            }),
        }
    }
    for source in left.filter(|_| whole) {
        let account = account.clone();
        differences.note(Difference::Gone { account, source });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::asterisk::inventory::recorded::{Recorded, asked};

    fn learned(rows: &[(&str, &str)]) -> Learned {
        let mut learned = Learned::default();
        for (account, source) in rows {
            learned.note(Name::new(account), source.parse().unwrap());
        }
        learned
    }

    const ALL: [(&str, &str); 8] = [
        ("1001", "198.51.100.41:5060"),
        ("1002", "198.51.100.42:5060"),
        ("1003", "198.51.100.43:5060"),
        ("1004", "198.51.100.44:5060"),
        ("1006", "198.51.100.46:40022"),
        ("1006", "198.51.100.47:5060"),
        ("1013", "[2001:db8:51::3]:5060"),
        ("iaxpeer1", "198.51.100.61:4569"),
    ];

    #[test]
    fn where_both_agree_nothing_is_told() {
        let mut inventory = asked(&Recorded::new_pbx());
        assert!(differences(&inventory, &learned(&ALL)).is_empty());
        inventory.fill_sources(&learned(&ALL));
        assert!(differences(&inventory, &learned(&ALL)).is_empty());
    }

    #[test]
    fn what_one_of_them_does_not_know_is_told() {
        let inventory = asked(&Recorded::new_pbx());
        let mut rows = ALL.to_vec();
        rows[0].1 = "203.0.113.9:1024";
        rows.remove(1);
        rows.push(("1019", "203.0.113.10:5060"));
        let found = differences(&inventory, &learned(&rows));
        let told: Vec<_> = found.told.iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            [
                "1001 is at 198.51.100.41 by its Contact, and its packets come from 203.0.113.9:1024",
                "1002 is registered in Asterisk at 198.51.100.42, and the packets did not tell",
                "1019 at 203.0.113.10:5060 is trusted as registered, and Asterisk has it no more",
            ]
        );
    }

    #[test]
    fn where_asterisk_did_not_tell_nothing_is_gone() {
        let denied = "Response: Error\nMessage: Permission denied\n\n";
        let pbx = Recorded::new_pbx().with("PJSIPShowContacts", "", denied);
        let found = differences(&asked(&pbx), &learned(&ALL));
        assert!(found.is_empty(), "{found:?}");
    }

    #[test]
    fn many_are_counted_and_hostile_names_escaped() {
        let rows: Vec<_> = (0..200).map(|n| format!("a\u{1b}[2J{n}")).collect();
        let rows: Vec<_> = rows
            .iter()
            .map(|n| (n.as_str(), "203.0.113.9:5060"))
            .collect();
        let found = differences(&Inventory::default(), &learned(&rows));
        assert_eq!((found.told.len(), found.more), (TOLD, 150));
        assert!(
            found
                .told
                .iter()
                .all(|of| !of.to_string().contains('\u{1b}'))
        );
    }
}
