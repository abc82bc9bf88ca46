//! What Asterisk has: its endpoints and peers, who is registered, and where it registers itself. Read from the answers
//! of the manager interface; passwords are looked at and not kept.

mod gather;
mod iax2;
mod password;
mod pjsip;
#[cfg(test)]
pub(crate) mod recorded;
mod sip;
mod sources;
#[cfg(test)]
mod tests;
mod uri;

use std::net::{IpAddr, SocketAddr};

use jiff::Timestamp;

use crate::config::Host;
use crate::opinion::Transport;

pub(crate) use gather::is_word;
pub use gather::{Ask, gather, gather_lists};
pub use password::Fault;
pub use sources::Learned;
pub(super) use uri::address;

/// Entries of one kind that are taken in; Asterisk has fewer.
const MOST: usize = 100_000;
/// Characters of a text that are kept.
const LONGEST: usize = 200;

/// The channel driver that an entry is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Technology {
    /// chan_pjsip.
    Pjsip,
    /// chan_sip.
    Sip,
    /// chan_iax2.
    Iax2,
}

impl Technology {
    /// As Asterisk writes it in the names of channels.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pjsip => "PJSIP",
            Self::Sip => "SIP",
            Self::Iax2 => "IAX2",
        }
    }

    /// The file that it is configured in.
    pub fn file(self) -> &'static str {
        match self {
            Self::Pjsip => "pjsip.conf",
            Self::Sip => "sip.conf",
            Self::Iax2 => "iax.conf",
        }
    }
}

/// What an endpoint is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// It registers here.
    Phone,
    /// It is found at fixed hosts, or asks for no password: a provider.
    Trunk,
    /// A peer of IAX2.
    Peer,
    /// It takes in whoever is nobody else.
    Guest,
}

/// All that was told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inventory {
    /// Endpoints and peers, in Asterisk's order.
    pub endpoints: Vec<Endpoint>,
    /// Where Asterisk registers itself.
    pub outbound: Vec<Outbound>,
    /// Sections with passwords that are easily guessed.
    pub weak: Vec<WeakPassword>,
    /// What chan_sip says of itself, where it is loaded and says so.
    pub sip: Option<SipSettings>,
    /// What could not be asked, and why, for people. A module that is not loaded has nothing to be asked for.
    pub unasked: Vec<(String, String)>,
}

/// An endpoint of PJSIP, or a peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Whose it is.
    pub technology: Technology,
    /// Its name.
    pub name: String,
    /// What it is for.
    pub kind: Kind,
    /// Where it is, by Asterisk's configuration: what `identify` matches, fixed contacts, the host of a peer.
    pub hosts: Vec<Host>,
    /// Where it registered from.
    pub contacts: Vec<Contact>,
    /// Whether a list of addresses limits it; None where that is not told. PJSIP tells of named lists (`acl`) alone.
    pub acl: Option<bool>,
    /// Whether whoever writes its name into From is taken for it, without a password.
    pub open: bool,
    /// Whether `identify` takes all addresses for it.
    pub everywhere: bool,
    /// Of IAX2: whether call tokens are asked for; None where that is not told.
    pub call_token: Option<bool>,
}

/// A registration that Asterisk holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contact {
    /// The address of record, or the peer.
    pub aor: String,
    /// The Contact's URI, as the phone wrote it; empty where none is told.
    pub uri: String,
    /// The address in the URI.
    pub address: Option<IpAddr>,
    /// The port in the URI.
    pub port: Option<u16>,
    /// How it is reached, by the URI.
    pub transport: Transport,
    /// What the phone says of itself in Via.
    pub via: Option<IpAddr>,
    /// When it runs out.
    pub expires: Option<Timestamp>,
    /// As Asterisk writes it: "Reachable", "Unreachable", "NonQualified".
    pub status: String,
    /// What the phone calls itself.
    pub user_agent: String,
    /// Where its packets come from: of the peers of IAX2 Asterisk tells it; others are filled in by
    /// [`Inventory::fill_sources`].
    pub source: Option<SocketAddr>,
    /// The Call-ID of the REGISTER that made it (PJSIP): the session of its SuccessfulAuth.
    pub call_id: Option<String>,
    /// The key of Asterisk's database below `registrar/contact`, where PJSIP keeps it.
    pub key: Option<String>,
}

/// A registration of Asterisk at another server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outbound {
    /// Whose it is.
    pub technology: Technology,
    /// Its name, or the user where it has none.
    pub name: String,
    /// The server, as it is configured.
    pub uri: String,
    /// The hosts of the server and of the proxy on the way to it.
    pub hosts: Vec<Host>,
    /// How they are reached.
    pub transport: Transport,
    /// As Asterisk writes it: "Registered", "Rejected".
    pub status: String,
}

/// A section with a password that is easily guessed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct WeakPassword {
    /// Whose it is.
    pub technology: Technology,
    /// The section with the password.
    pub section: String,
    /// What is wrong with it.
    pub fault: Fault,
}

/// What chan_sip says of itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SipSettings {
    /// `allowguest`: callers without an account are let in.
    pub guests: bool,
    /// `alwaysauthreject`: an unknown account is refused as a wrong password is.
    pub always_reject: bool,
}

impl Endpoint {
    fn new(technology: Technology, name: &str, kind: Kind) -> Self {
        Self {
            technology,
            name: kept(name),
            kind,
            hosts: Vec::new(),
            contacts: Vec::new(),
            acl: None,
            open: false,
            everywhere: false,
            call_token: None,
        }
    }

    fn add_host(&mut self, host: Host) {
        if !self.hosts.contains(&host) && self.hosts.len() < MOST {
            self.hosts.push(host);
        }
    }
}

impl Inventory {
    /// Whether every list of registrations was answered, so that what is not here is nowhere.
    pub fn has_all_contacts(&self) -> bool {
        const LISTS: [&str; 3] = ["PJSIPShowContacts", "SIPpeers", "IAXpeers"];
        let mut unasked = self.unasked.iter();
        !unasked.any(|(what, _)| LISTS.contains(&what.as_str()))
    }

    /// Registrations that Asterisk holds, each with its endpoint.
    pub fn contacts(&self) -> impl Iterator<Item = (&Endpoint, &Contact)> {
        self.endpoints
            .iter()
            .flat_map(|endpoint| endpoint.contacts.iter().map(move |of| (endpoint, of)))
    }
}

/// The beginning of a text, as much of it as is kept.
fn kept(text: &str) -> String {
    text.chars().take(LONGEST).collect()
}
