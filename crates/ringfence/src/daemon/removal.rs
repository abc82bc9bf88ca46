//! Has Asterisk forget where phones are.

use std::collections::BTreeMap;

use tracing::{debug, warn};

use super::state::Daemon;
use crate::asterisk::ami::Action;
use crate::asterisk::inventory::{Inventory, Technology, is_word};
use crate::store::Name;

/// Keys of contacts in Asterisk's database, by channel driver and endpoint.
pub(super) type Keys = BTreeMap<(Technology, String), Vec<String>>;

/// Which contacts of an endpoint are removed. chan_sip and IAX2 have one of each.
#[derive(Clone, Copy, Debug)]
pub(super) enum What<'k> {
    /// The one of this key; None where it has none.
    One(Option<&'k str>),
    /// All of them.
    All,
}

/// The keys of all contacts.
pub(super) fn keys(inventory: &Inventory) -> Keys {
    let mut all = Keys::new();
    for (endpoint, contact) in inventory.contacts() {
        let of = (endpoint.technology, endpoint.name.clone());
        all.entry(of).or_default().extend(contact.key.clone());
    }
    all
}

/// What Asterisk is to be asked; None where it cannot be asked to.
fn actions(of: Technology, endpoint: &str, what: What<'_>, known: &Keys) -> Option<Vec<Action>> {
    if of == Technology::Pjsip {
        let place = (of, endpoint.to_owned());
        let keys = match what {
            What::One(key) => vec![key?],
            What::All => {
                let known = known.get(&place).into_iter().flatten();
                known.map(String::as_str).collect()
            }
        };
        let remove = |key| {
            let remove = Action::new("DBDel").with("Family", "registrar/contact");
            remove.with("Key", key)
        };
        return Some(keys.into_iter().map(remove).collect());
    }
    if !is_word(endpoint) {
        return None;
    }
    let driver = of.name().to_lowercase();
    let command = format!("{driver} unregister {endpoint}");
    Some(vec![Action::new("Command").with("Command", command)])
}

impl Daemon {
    /// Has Asterisk forget contacts of an endpoint. It does not wait; where too much is under way already, the next
    /// survey or alarm comes back to it.
    pub(super) fn remove_contact(&self, of: Technology, endpoint: &str, what: What<'_>) {
        let Some(held) = &self.beside.asterisk else {
            return;
        };
        let name = Name::new(endpoint);
        let Some(actions) = actions(of, endpoint, what, &self.asterisk.contacts) else {
            debug!("the contact of {name} has no name that can be asked for: it is not removed");
            return;
        };
        let Ok(place) = held.removals.clone().try_acquire_owned() else {
            debug!("the contact of {name} is not removed yet: others are");
            return;
        };
        let link = held.link.clone();
        tokio::spawn(async move {
            for action in actions {
                if let Err(error) = link.ask(action).await {
                    warn!("the contact of {name} is not removed: {error}");
                }
            }
            drop(place);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(of: Technology, endpoint: &str, what: What<'_>) -> Option<Vec<String>> {
        let place = (Technology::Pjsip, "1001".to_owned());
        let known = Keys::from([(place, vec!["sales;@a".into(), "sales;@b".into()])]);
        let actions = actions(of, endpoint, what, &known)?;
        let said = actions.iter().map(|action| action.block("1").unwrap());
        Some(said.collect())
    }

    #[test]
    fn one_contact_is_removed_and_never_another_in_its_place() {
        let one = asked(Technology::Pjsip, "1001", What::One(Some("sales;@b"))).unwrap();
        assert_eq!(one.len(), 1);
        assert!(one[0].contains("Key: sales;@b\r\n"), "{one:?}");
        assert_eq!(asked(Technology::Pjsip, "1001", What::One(None)), None);
        let all = asked(Technology::Pjsip, "1001", What::All).unwrap();
        assert_eq!(all.len(), 2);
        assert_eq!(asked(Technology::Pjsip, "1002", What::All), Some(vec![]));
    }

    #[test]
    fn a_name_is_one_word_of_a_command() {
        let one = asked(Technology::Sip, "1001", What::All).unwrap();
        assert!(one[0].contains("Command: sip unregister 1001\r\n"));
        for name in ["", "1001 1002", "1001\r\nAction: x", "a;b"] {
            assert_eq!(asked(Technology::Iax2, name, What::One(None)), None);
        }
    }
}
