//! The configuration as a whole.

use std::path::PathBuf;
use std::time::Duration;

use super::address::{AddressRange, ListEntry};
use super::countries::CountryCode;
use super::mistake::Position;
use super::name::Host;
use super::rate::Threshold;
use super::service::Service;
use super::words::{Admission, Mode};

/// Everything that the file says, with a default for what it does not.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Whether verdicts are carried out.
    pub mode: Mode,
    /// Interfaces to guard by name; empty for the default route's.
    pub interfaces: Vec<String>,
    /// Countries that services with `from = "countries"` admit; sorted, no code twice.
    pub countries: Vec<CountryCode>,
    /// An MMDB file to use in place of the country data that ships in the binary.
    pub country_db: Option<PathBuf>,
    /// Sources that always pass, unless denied.
    pub permit: Vec<ListEntry>,
    /// Sources that never pass, at any port.
    pub deny: Vec<ListEntry>,
    /// Whether private and link-local sources are permitted on interfaces with a route to them.
    pub permit_private: bool,
    /// Destination addresses that are guarded; empty for all.
    pub protect: Vec<AddressRange>,
    /// Events reported in a second, 1 to 10,000; more are counted only.
    pub events_per_second: u32,
    /// The directory for what must last.
    pub state: PathBuf,
    /// The mount point of the BPF file system.
    pub bpffs: PathBuf,
    /// When a source is banned.
    pub ban: Ban,
    /// Providers.
    pub trunks: Vec<Trunk>,
    /// Sources that carry others' traffic.
    pub proxies: Vec<Proxy>,
    /// What is guarded; 1 to 31.
    pub services: Vec<Service>,
    /// The signatures in use.
    pub signatures: Signatures,
    /// The file's own `[[signature]]` entries as they stand, each with the place of its header.
    pub own_signatures: Vec<(toml::Table, Position)>,
    /// How the command line reaches the daemon.
    pub control: Control,
}

impl Default for Config {
    /// The configuration without a file: shadow mode, the service `sip` from anyone.
    fn default() -> Self {
        Self {
            mode: Mode::Shadow,
            interfaces: Vec::new(),
            countries: Vec::new(),
            country_db: None,
            permit: Vec::new(),
            deny: Vec::new(),
            permit_private: true,
            protect: Vec::new(),
            events_per_second: 50,
            state: "/var/lib/ringfence".into(),
            bpffs: "/sys/fs/bpf".into(),
            ban: Ban::default(),
            trunks: Vec::new(),
            proxies: Vec::new(),
            services: vec![Service::sip(Admission::Anyone)],
            signatures: Signatures::default(),
            own_signatures: Vec::new(),
            control: Control::default(),
        }
    }
}

impl Config {
    /// The countries that `service` admits: its own where it has them, else the file's.
    pub fn countries_of<'c>(&'c self, service: &'c Service) -> &'c [CountryCode] {
        service.countries.as_deref().unwrap_or(&self.countries)
    }
}

/// When a source is banned, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ban {
    /// Whether sources are banned at all.
    pub enable: bool,
    /// Distinct dropped transactions that lead to a ban.
    pub after: Threshold,
    /// How long a ban lasts, one second to 365 days.
    pub time: Duration,
}

impl Default for Ban {
    fn default() -> Self {
        Self {
            enable: true,
            after: Threshold {
                count: 30,
                within: Duration::from_secs(60),
            },
            time: Duration::from_secs(600),
        }
    }
}

/// A provider: its addresses meet no country, domain, budget or ban.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trunk {
    /// Its name; no two trunks share one.
    pub name: String,
    /// Where it calls from; at least one.
    pub hosts: Vec<Host>,
}

/// Sources that carry others' traffic: judged, never limited nor banned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proxy {
    /// Its name, if it has one; no two proxies share one.
    pub name: Option<String>,
    /// Its addresses; at least one range.
    pub addresses: Vec<AddressRange>,
}

/// Which signatures are in use.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Signatures {
    /// Shipped signatures to switch off, by id.
    pub disable: Vec<String>,
    /// Shipped signatures to switch on that ship off, by id.
    pub enable: Vec<String>,
    /// A file with more signatures.
    pub file: Option<PathBuf>,
}

/// How the command line reaches the daemon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Control {
    /// The daemon's Unix socket.
    pub socket: PathBuf,
}

impl Default for Control {
    fn default() -> Self {
        Self {
            socket: "/run/ringfence.sock".into(),
        }
    }
}
