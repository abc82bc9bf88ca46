//! The list that ships with the project, and what an administrator makes of it.

use thiserror::Error;

use super::model::Signature;
use super::parse::parse;

const SHIPPED: &str = include_str!("../../../../assets/signatures.toml");

/// The project's own list.
///
/// # Panics
/// Never in a build whose tests pass: the list is part of the program.
pub fn shipped() -> Vec<Signature> {
    parse(SHIPPED).expect("the list that ships is read by a test")
}

/// Why lists cannot be joined.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum SelectError {
    /// `enable` or `disable` names nothing.
    #[error("there is no signature `{id}` to {key}; look for its id in the list of signatures")]
    Unknown {
        /// The id.
        id: String,
        /// `enable` or `disable`.
        key: &'static str,
    },
    /// Both name the same signature.
    #[error("signature `{id}` is both enabled and disabled; remove it from one of the two")]
    Both {
        /// The id.
        id: String,
    },
    /// A local signature has the id of another.
    #[error("the id `{id}` of a local signature is taken; give it another, or disable the other")]
    Taken {
        /// The id.
        id: String,
    },
}

/// Joins the shipped list and local signatures, and switches by id. Local signatures extend the
/// list and replace nothing.
pub fn select(
    shipped: Vec<Signature>,
    own: Vec<Signature>,
    enable: &[String],
    disable: &[String],
) -> Result<Vec<Signature>, Vec<SelectError>> {
    let mut errors = Vec::new();
    let mut all = shipped;
    for signature in own {
        if all.iter().any(|other| other.id == signature.id) {
            errors.push(SelectError::Taken { id: signature.id });
        } else {
            all.push(signature);
        }
    }
    for (ids, key, enabled) in [(enable, "enable", true), (disable, "disable", false)] {
        for id in ids {
            match all.iter_mut().find(|signature| signature.id == *id) {
                Some(signature) => signature.enabled = enabled,
                None => errors.push(SelectError::Unknown {
                    id: id.clone(),
                    key,
                }),
            }
        }
    }
    let both = enable.iter().filter(|id| disable.contains(id));
    errors.extend(both.map(|id| SelectError::Both { id: id.clone() }));
    if errors.is_empty() {
        Ok(all)
    } else {
        Err(errors)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signature::{Effect, Risk};

    #[test]
    fn the_shipped_list_keeps_its_promises() {
        let list = shipped();
        for signature in &list {
            let id = &signature.id;
            if signature.risk == Risk::High {
                assert!(!signature.enabled, "{id}: a high risk ships switched off");
            }
            if signature.risk >= Risk::Medium {
                assert_ne!(
                    signature.effect,
                    Effect::Ban,
                    "{id}: a medium risk never bans"
                );
            }
            if !signature.enabled {
                assert!(signature.note.is_some(), "{id}: says why it is off");
            }
        }
    }

    #[test]
    fn signatures_are_switched_by_id_and_joined() {
        let one = |id: &str| Signature {
            id: id.to_owned(),
            ..shipped()[0].clone()
        };
        let names = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>();
        let list = vec![
            one("a"),
            Signature {
                enabled: false,
                ..one("b")
            },
        ];
        let own = vec![one("c")];
        let all = select(list.clone(), own, &names(&["b"]), &names(&["a"])).unwrap();
        let state: Vec<_> = all.iter().map(|s| (s.id.as_str(), s.enabled)).collect();
        assert_eq!(state, [("a", false), ("b", true), ("c", true)]);

        let errors = select(list, vec![one("a")], &names(&["x", "b"]), &names(&["b"])).unwrap_err();
        assert_eq!(errors.len(), 3);
    }
}
