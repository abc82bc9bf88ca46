//! The audit: everything that Asterisk has, with what the policy says of it; what makes it easy prey; and the trunks that
//! are missing from the configuration. Pure: the inventory and the judge are given.

mod proposals;
mod rows;
#[cfg(test)]
mod tests;
mod weaknesses;

use std::net::IpAddr;

use ringfence_core::country::Country;

use super::inventory::{Inventory, Kind, Technology};
use crate::opinion::Opinions;

pub use proposals::TrunkProposal;
pub use weaknesses::Weakness;

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Audit {
    /// Endpoints, peers, contacts and registrations, sorted by kind; within a kind in Asterisk's order.
    pub rows: Vec<Row>,
    /// What makes it easy prey, the worst first.
    pub weaknesses: Vec<Weakness>,
    /// `[[trunk]]` sections that are missing.
    pub proposals: Vec<TrunkProposal>,
}

/// What a row is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// A live registration here.
    Contact,
    /// A fixed host of an endpoint.
    Host,
    /// A registration of Asterisk at another server.
    Registration,
    /// An endpoint that is nowhere now.
    Absent,
}

impl What {
    /// Its name for programs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Contact => "contact",
            Self::Host => "host",
            Self::Registration => "registration",
            Self::Absent => "absent",
        }
    }
}

/// Whether it may speak to this host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Its packets pass.
    Ok,
    /// They are dropped.
    Ko,
    /// It has no address, or its address is not known.
    Unknown,
}

impl Verdict {
    /// Its name for programs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Ko => "ko",
            Self::Unknown => "unknown",
        }
    }
}

/// An endpoint, peer, contact or registration with what the policy says of it. Its texts may be strangers' own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// What the endpoint is for.
    pub kind: Kind,
    /// What the row is of.
    pub what: What,
    /// The channel driver.
    pub technology: Technology,
    /// The endpoint, peer or registration.
    pub name: String,
    /// The address that was judged.
    pub address: Option<IpAddr>,
    /// The port that it sends from, where that is known.
    pub port: Option<u16>,
    /// Whether its packets were seen to come from there; else the Contact or Via says so, and may say anything.
    pub learned: bool,
    /// The URI of the contact, or the host as it is configured; may be empty.
    pub uri: String,
    /// The country of the address.
    pub country: Option<Country>,
    /// Whether it may speak to this host.
    pub verdict: Verdict,
    /// Why, by the public name of the judge's reason; or "local", "unknown source", "not registered", "not looked up".
    pub reason: &'static str,
    /// What the name leaves open.
    pub detail: String,
    /// The service that it was judged for; may be empty.
    pub service: String,
    /// The reason for which it would be dropped if it were not known: it is once its registration is a day over.
    pub stranger: Option<&'static str>,
    /// Whether something is known of the address that lets it in whatever the rest says.
    pub trusted: bool,
    /// What lets it in: a command, or what to write.
    pub remedy: Option<String>,
    /// The key below `registrar/contact` of Asterisk's database, of a contact that can be removed by it.
    pub contact_key: Option<String>,
}

/// How many rows have which verdict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// That pass.
    pub ok: usize,
    /// That are dropped.
    pub ko: usize,
    /// Of which the address is not known.
    pub unknown: usize,
    /// That are nowhere now.
    pub absent: usize,
}

impl Audit {
    /// How many rows have which verdict.
    pub fn count(&self) -> Count {
        let mut count = Count::default();
        for row in &self.rows {
            match (row.verdict, row.what) {
                (Verdict::Ok, _) => count.ok += 1,
                (Verdict::Ko, _) => count.ko += 1,
                (Verdict::Unknown, What::Absent) => count.absent += 1,
                (Verdict::Unknown, _) => count.unknown += 1,
            }
        }
        count
    }

    /// Live contacts that the policy does not let in and nobody knows: somebody registered past the fence. Only those
    /// whose packets were seen to come from the address: what a Contact says may name anybody.
    pub fn strangers(&self) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(|row| {
            row.what == What::Contact && row.verdict == Verdict::Ko && row.learned && !row.trusted
        })
    }
}

/// Looks at everything in the inventory under the policy of `opinions`.
pub fn audit(inventory: &Inventory, opinions: &mut Opinions) -> Audit {
    let mut rows = rows::rows(inventory, opinions);
    rows.sort_by_key(|row| row.kind);
    Audit {
        rows,
        weaknesses: weaknesses::weaknesses(inventory),
        proposals: proposals::proposals(inventory, opinions.config(), opinions.inputs()),
    }
}
