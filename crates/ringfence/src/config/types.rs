//! The configuration as a whole.

use std::path::PathBuf;
use std::time::Duration;

use super::address::{AddressRange, ListEntry};
use super::agi::Agi;
use super::asn::Asn;
use super::asterisk::Asterisk;
use super::audit::Audit;
use super::countries::CountryCode;
use super::country::CountryOrigin;
use super::feed::Feed;
use super::fraud::Fraud;
use super::host::HostFirewall;
use super::listed::ListName;
use super::mistake::Position;
use super::name::Host;
use super::nfqueue::{EngineChoice, Nfqueue};
use super::notify::Notify;
use super::rate::{Rate, Threshold};
use super::service::Service;
use super::share::Share;
use super::user::{Tripwire, User};
use super::words::{Admission, Mode};
use crate::logs::Settings;

/// Everything that the file says, with a default for what it does not.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Whether verdicts are carried out.
    pub mode: Mode,
    /// What judges packets.
    pub engine: EngineChoice,
    /// How packets are queued, where nftables queues them.
    pub nfqueue: Nfqueue,
    /// Interfaces to guard by name; empty for the default route's.
    pub interfaces: Vec<String>,
    /// Countries that services with `from = "countries"` admit; sorted, no code twice.
    pub countries: Vec<CountryCode>,
    /// Where the country data comes from.
    pub country: CountryOrigin,
    /// Where it is said which addresses belong to which autonomous system.
    pub asn: Asn,
    /// Sources that always pass, unless denied.
    pub permit: Vec<ListEntry>,
    /// Hosts that always pass from the addresses that they have at the moment; at most 64.
    pub permit_names: Vec<ListName>,
    /// Sources that never pass, at any port.
    pub deny: Vec<ListEntry>,
    /// Hosts that never pass from the addresses that they have at the moment; at most 64.
    pub deny_names: Vec<ListName>,
    /// Whether private and link-local sources are permitted on interfaces with a route to them.
    pub permit_private: bool,
    /// Destination addresses that are guarded; empty for all.
    pub protect: Vec<AddressRange>,
    /// Users that nobody here has, none twice: at most 64 names and 32 ranges.
    pub tripwires: Vec<Tripwire>,
    /// Emergency numbers, at most 16, none twice and none a tripwire.
    pub emergency: Vec<User>,
    /// Events reported in a second, 1 to 10,000; more are counted only.
    pub events_per_second: u32,
    /// The directory for what must last.
    pub state: PathBuf,
    /// The mount point of the BPF file system.
    pub bpffs: PathBuf,
    /// When a source is believed.
    pub trust: Trust,
    /// When a source is banned.
    pub ban: Ban,
    /// Providers.
    pub trunks: Vec<Trunk>,
    /// Sources that carry others' traffic.
    pub proxies: Vec<Proxy>,
    /// Threat lists that others keep, at most 64.
    pub feeds: Vec<Feed>,
    /// What is guarded; 1 to 31.
    pub services: Vec<Service>,
    /// The signatures in use.
    pub signatures: Signatures,
    /// The file's own `[[signature]]` entries as they stand, each with the place of its header.
    pub own_signatures: Vec<(toml::Table, Position)>,
    /// The logs that are followed, none twice: at most 32.
    pub logs: Vec<Settings>,
    /// How the command line reaches the daemon.
    pub control: Control,
    /// The FastAGI server, if there is to be one.
    pub agi: Option<Agi>,
    /// Who is told of what, and how.
    pub notify: Notify,
    /// How Asterisk is reached, if it is.
    pub asterisk: Option<Asterisk>,
    /// The guard against toll fraud, which works where Asterisk's manager interface is read.
    pub fraud: Fraud,
    /// The audit of Asterisk; None where the file has no such section.
    pub audit: Option<Audit>,
    /// The host's firewall.
    pub host: HostFirewall,
    /// What others are given.
    pub share: Share,
}

/// Emergency numbers of most of the world.
const EMERGENCY: [&str; 4] = ["112", "911", "999", "000"];

impl Default for Config {
    /// The configuration without a file: shadow mode, the service `sip` from anyone.
    fn default() -> Self {
        Self {
            mode: Mode::Shadow,
            engine: EngineChoice::Auto,
            nfqueue: Nfqueue::default(),
            interfaces: Vec::new(),
            countries: Vec::new(),
            country: CountryOrigin::default(),
            asn: Asn::default(),
            permit: Vec::new(),
            permit_names: Vec::new(),
            deny: Vec::new(),
            deny_names: Vec::new(),
            permit_private: true,
            protect: Vec::new(),
            tripwires: Vec::new(),
            emergency: EMERGENCY.map(User::fixed).into(),
            events_per_second: 50,
            state: "/var/lib/ringfence".into(),
            bpffs: "/sys/fs/bpf".into(),
            trust: Trust::default(),
            ban: Ban::default(),
            trunks: Vec::new(),
            proxies: Vec::new(),
            feeds: Vec::new(),
            services: vec![Service::sip(Admission::Anyone)],
            signatures: Signatures::default(),
            own_signatures: Vec::new(),
            logs: Vec::new(),
            control: Control::default(),
            agi: None,
            notify: Notify::default(),
            asterisk: None,
            fraud: Fraud::default(),
            audit: None,
            host: HostFirewall::default(),
            share: Share::default(),
        }
    }
}

impl Config {
    /// The countries that `service` admits: its own where it has them, else the file's.
    pub fn countries_of<'c>(&'c self, service: &'c Service) -> &'c [CountryCode] {
        service.countries.as_deref().unwrap_or(&self.countries)
    }
}

/// When a source is believed, and what is held against it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trust {
    /// Refused credentials of a source, or of a net, within a time; at most 1000.
    pub failures: Threshold,
    /// Different users that a source, or a net, may ask for within a time; at most 1000.
    pub users: Threshold,
    /// Requests of an address where phones belong; each account adds as many.
    pub requests: Rate,
    /// How long one answer to a request of this host opens its sender, one second to one day.
    pub solicited: Duration,
}

impl Default for Trust {
    fn default() -> Self {
        let within = Duration::from_secs(600);
        Self {
            failures: Threshold { count: 5, within },
            users: Threshold { count: 8, within },
            requests: Rate {
                count: 10,
                per: Duration::from_secs(10),
                burst: 10,
            },
            solicited: within,
        }
    }
}

/// The most times that bans may have.
pub(super) const MAX_BAN_TIMES: usize = 8;

/// When a source is banned, and for how long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ban {
    /// Whether sources are banned at all.
    pub enable: bool,
    /// Distinct dropped transactions that lead to a ban.
    pub after: Threshold,
    /// How long the first ban lasts, the second, and so on; the last holds for all after it. One
    /// to eight, each one second to 365 days, none shorter than the one before.
    pub times: Vec<Duration>,
    /// How long a ban that is over counts, one day to 365 days.
    pub remember: Duration,
    /// How many banned addresses of a /24 or /48 ban the net, 2 to 256; 0: no number does.
    pub subnet: u32,
}

impl Default for Ban {
    fn default() -> Self {
        Self {
            enable: true,
            after: Threshold {
                count: 30,
                within: Duration::from_secs(60),
            },
            times: [600, 3600, 86_400, 604_800].map(Duration::from_secs).into(),
            remember: Duration::from_secs(30 * 86_400),
            subnet: 0,
        }
    }
}

impl Ban {
    /// How long a ban lasts after so many earlier ones.
    pub fn time(&self, earlier: u32) -> Duration {
        let place = usize::try_from(earlier).unwrap_or(usize::MAX);
        let time = self.times.get(place).or(self.times.last());
        time.copied().unwrap_or_default()
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
            socket: "/run/ringfence/ringfence.sock".into(),
        }
    }
}
