//! What makes a PBX easy prey.

use crate::asterisk::inventory::{Endpoint, Fault, Inventory, Kind, Technology};

/// Something that lets strangers in, or makes guessing easy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Weakness {
    /// Its name for programs.
    pub what: &'static str,
    /// What it is, in words.
    pub says: String,
    /// Whom it is of, where that is to be told; names as Asterisk has them.
    pub names: Vec<String>,
    /// What to write in which file.
    pub write: String,
}

/// All of them, the worst first.
pub(super) fn weaknesses(inventory: &Inventory) -> Vec<Weakness> {
    let mut found = Vec::new();
    strangers(inventory, &mut found);
    passwords(inventory, &mut found);
    if inventory.sip.is_some_and(|sip| !sip.always_reject) {
        found.push(Weakness {
            what: "alwaysauthreject",
            says: "chan_sip tells strangers which accounts exist".into(),
            names: Vec::new(),
            write: "sip.conf, [general]: alwaysauthreject=yes".into(),
        });
    }
    named(
        &mut found,
        "call tokens",
        "IAX2 peers without call tokens: forged sources can use up all call numbers",
        "iax.conf, in each peer: requirecalltoken=yes; [general]: no calltokenoptional",
        inventory,
        |endpoint| endpoint.call_token == Some(false),
    );
    for technology in [Technology::Pjsip, Technology::Sip, Technology::Iax2] {
        lists(inventory, technology, &mut found);
    }
    found
}

/// Who gets in without a password.
fn strangers(inventory: &Inventory, found: &mut Vec<Weakness>) {
    named(
        found,
        "anonymous",
        "endpoints that take in whoever is nobody else",
        "pjsip.conf: remove the endpoint, or give it a context without outside lines",
        inventory,
        |endpoint| endpoint.kind == Kind::Guest,
    );
    if inventory.sip.is_some_and(|sip| sip.guests) {
        found.push(Weakness {
            what: "allowguest",
            says: "chan_sip takes calls of whoever is nobody else".into(),
            names: Vec::new(),
            write: "sip.conf, [general]: allowguest=no".into(),
        });
    }
    named(
        found,
        "identify",
        "endpoints whose `identify` matches the whole Internet",
        "pjsip.conf, type=identify: match= the addresses of the provider",
        inventory,
        |endpoint| endpoint.everywhere,
    );
    named(
        found,
        "no password",
        "endpoints that whoever writes their name into From is taken for, without a password",
        "pjsip.conf, in each endpoint: identify_by=ip, or auth= a section with a password",
        inventory,
        |endpoint| endpoint.open,
    );
}

/// A weakness of those endpoints that `has` it.
fn named(
    found: &mut Vec<Weakness>,
    what: &'static str,
    says: &str,
    write: &str,
    inventory: &Inventory,
    has: impl Fn(&Endpoint) -> bool,
) {
    let having = inventory.endpoints.iter().filter(|endpoint| has(endpoint));
    let names: Vec<String> = having.map(|endpoint| endpoint.name.clone()).collect();
    if !names.is_empty() {
        found.push(Weakness {
            what,
            says: says.to_owned(),
            names,
            write: write.to_owned(),
        });
    }
}

fn passwords(inventory: &Inventory, found: &mut Vec<Weakness>) {
    for fault in Fault::ALL {
        for technology in [Technology::Pjsip, Technology::Sip, Technology::Iax2] {
            let weak = inventory.weak.iter();
            let sections = weak
                .filter(|weak| (weak.fault, weak.technology) == (fault, technology))
                .map(|weak| weak.section.clone());
            let names: Vec<String> = sections.collect();
            if !names.is_empty() {
                found.push(Weakness {
                    what: "password",
                    says: format!("sections whose password {}", fault.words()),
                    names,
                    write: format!(
                        "{}, in each section: a password of 16 characters or more, made by a machine",
                        technology.file()
                    ),
                });
            }
        }
    }
}

/// Phones that no list of addresses limits, in one line.
fn lists(inventory: &Inventory, technology: Technology, found: &mut Vec<Weakness>) {
    let phones = inventory.endpoints.iter().filter(|endpoint| {
        endpoint.technology == technology
            && matches!(endpoint.kind, Kind::Phone | Kind::Peer)
            && endpoint.acl == Some(false)
    });
    let count = phones.count();
    if count == 0 {
        return;
    }
    let (name, unseen) = match technology {
        Technology::Pjsip => (
            "acl= with",
            " (`deny` and `permit` of its own are not seen from here)",
        ),
        _ => ("deny= and permit= with", ""),
    };
    found.push(Weakness {
        what: "acl",
        says: format!(
            "{}: {count} may register from any address{unseen}",
            technology.name()
        ),
        names: Vec::new(),
        write: format!(
            "{}, in those that never move: {name} the addresses that they are at",
            technology.file()
        ),
    });
}
