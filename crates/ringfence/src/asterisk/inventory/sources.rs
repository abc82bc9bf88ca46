//! Where contacts really are: what the packets taught.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use jiff::Timestamp;

use super::{Contact, Inventory};
use crate::store::{Name, Registration};

/// Registrations as the packets taught them, by account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Learned(BTreeMap<Name, BTreeSet<SocketAddr>>);

impl Learned {
    /// Those of the registrations that hold at `now`.
    pub fn new<'r>(rows: impl IntoIterator<Item = &'r Registration>, now: Timestamp) -> Self {
        let mut learned = Self::default();
        for row in rows.into_iter().filter(|row| row.until > now) {
            learned.note(row.name.clone(), SocketAddr::new(row.address, row.port));
        }
        learned
    }

    /// Adds one, such as that of a SuccessfulAuth.
    pub fn note(&mut self, account: Name, source: SocketAddr) {
        let ip = source.ip().to_canonical();
        let source = SocketAddr::new(ip, source.port());
        self.0.entry(account).or_default().insert(source);
    }

    /// The sources of an account.
    pub fn of(&self, account: &str) -> impl Iterator<Item = SocketAddr> + '_ {
        let found = self.0.get(&Name::new(account));
        found.into_iter().flatten().copied()
    }

    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = (&Name, SocketAddr)> {
        self.0
            .iter()
            .flat_map(|(name, sources)| sources.iter().map(move |source| (name, *source)))
    }
}

impl Inventory {
    /// Tells contacts where their packets come from, as far as that is certain: an account's source that its contact
    /// names, by address and port or by address alone, or the one that is left for the one contact that is left, where no
    /// other contact of the account is at that address.
    pub fn fill_sources(&mut self, learned: &Learned) {
        let mut by_aor: BTreeMap<String, Account<'_>> = BTreeMap::new();
        let endpoints = self.endpoints.iter_mut();
        for contact in endpoints.flat_map(|endpoint| &mut endpoint.contacts) {
            let account = by_aor.entry(contact.aor.clone()).or_default();
            match contact.source {
                Some(source) => account.told.push(source),
                None => account.contacts.push(contact),
            }
        }
        for (aor, Account { contacts, told }) in by_aor {
            let sources = learned.of(&aor).filter(|source| !told.contains(source));
            fill(contacts, sources.collect(), told);
        }
    }
}

/// The contacts of an account whose sources are looked for, and the sources of its others.
#[derive(Default)]
struct Account<'i> {
    contacts: Vec<&'i mut Contact>,
    told: Vec<SocketAddr>,
}

fn fill(mut contacts: Vec<&mut Contact>, mut sources: Vec<SocketAddr>, mut told: Vec<SocketAddr>) {
    type Same = fn(&Contact, &SocketAddr) -> bool;
    let ways: [Same; 3] = [
        |contact, source| {
            contact.address == Some(source.ip()) && contact.port == Some(source.port())
        },
        |contact, source| contact.address == Some(source.ip()),
        |contact, source| contact.via == Some(source.ip()),
    ];
    for same in ways {
        contacts.retain_mut(|contact| {
            let Some(place) = sources.iter().position(|source| same(contact, source)) else {
                return true;
            };
            let source = sources.remove(place);
            contact.source = Some(source);
            told.push(source);
            false
        });
    }
    sources.retain(|source| told.iter().all(|other| other.ip() != source.ip()));
    if let ([contact], [source]) = (contacts.as_mut_slice(), sources.as_slice()) {
        contact.source = Some(*source);
    }
}
