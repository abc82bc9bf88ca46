//! What the daemon holds, and how it is put in force.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use jiff::Timestamp;
use ringfence_core::address::Address;
use ringfence_core::bench::{Ban as KernelBan, Cause};
use ringfence_core::control::Interface as Place;
use ringfence_core::country::Country;
use ringfence_core::event::Event;
use ringfence_core::packet::Link;
use tokio::sync::broadcast;
use tracing::{debug, info, warn};

use super::event::{Record, ip};
use super::trunks::Trunks;
use crate::config::{AddressRange, Config, Mode};
use crate::control::Answer;
use crate::country::CountryData;
use crate::engine::xdp::{Attached, Fence, Lists, boot_time};
use crate::net::{self, LinkType, Watch};
use crate::store::{Ban, CountryRule, ListKind, Store};
use crate::tables::{self, Generation, Inputs, Names};

/// Events kept for those who ask later.
const KEPT: usize = 1000;
/// Sources counted for the summary; more are not told apart.
const SOURCES: usize = 10_000;

/// How the daemon is started.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The configuration file; None is the usual one if it exists.
    pub config: Option<PathBuf>,
    /// Interfaces in place of the configured ones.
    pub interfaces: Vec<String>,
    /// The mode in place of the configured one.
    pub mode: Option<Mode>,
    /// For how long to enforce unless it is confirmed.
    pub confirm: Option<Duration>,
    /// Start also where it locks the administrator out.
    pub yes: bool,
    /// The control socket in place of the configured one.
    pub socket: Option<PathBuf>,
    /// The BPF file system in place of the configured one.
    pub bpffs: Option<PathBuf>,
    /// The state directory in place of the configured one.
    pub state: Option<PathBuf>,
    /// The country data in place of the configured one.
    pub country_db: Option<PathBuf>,
}

/// The usual configuration file.
pub const CONFIG: &str = "/etc/ringfence/ringfence.toml";

impl Options {
    /// The configuration that they lead to.
    pub fn load(&self) -> Result<Config, crate::config::LoadError> {
        let usual = PathBuf::from(CONFIG);
        let mut config = match &self.config {
            Some(path) => Config::load(path)?,
            None if usual.exists() => Config::load(&usual)?,
            None => Config::default(),
        };
        if !self.interfaces.is_empty() {
            config.interfaces.clone_from(&self.interfaces);
        }
        config.mode = self.mode.unwrap_or(config.mode);
        let put = |place: &mut PathBuf, given: &Option<PathBuf>| {
            if let Some(given) = given {
                place.clone_from(given);
            }
        };
        put(&mut config.control.socket, &self.socket);
        put(&mut config.bpffs, &self.bpffs);
        put(&mut config.state, &self.state);
        if self.country_db.is_some() {
            config.country_db.clone_from(&self.country_db);
        }
        Ok(config)
    }
}

/// The running fence.
pub struct Daemon {
    pub(super) options: Options,
    pub(super) config: Config,
    pub(super) fence: Fence,
    pub(super) store: Store,
    pub(super) watch: Watch,
    pub(super) names: Names,
    pub(super) trunks: Trunks,
    pub(super) generation: u64,
    pub(super) enforce_until: Option<u64>,
    /// Guarded interfaces in the order of their places, and how the program is attached where it is.
    pub(super) guarded: Vec<(String, Option<u32>, String)>,
    pub(super) bans: BTreeMap<IpAddr, Ban>,
    pub(super) events: VecDeque<Record>,
    pub(super) followers: broadcast::Sender<Answer>,
    pub(super) sources: BTreeMap<IpAddr, u64>,
    pub(super) country_date: Option<jiff::civil::Date>,
    pub(super) country_source: String,
    pub(super) started: Instant,
}

impl Daemon {
    /// Loads everything and puts it in force.
    pub async fn start(options: Options) -> Result<Self> {
        let config = options.load()?;
        let opened = Store::open(&config.state)?;
        if let Some(path) = &opened.moved_aside {
            warn!(
                "the store was damaged and moved to {}; lists and bans made by command are gone",
                path.display()
            );
        }
        let watch = Watch::start().await?;
        let fence = Fence::load(&config.bpffs, false)?;
        if fence.taken_over() {
            info!("took over the fence of an earlier daemon");
        }
        let mut daemon = Self {
            options,
            config,
            fence,
            store: opened.store,
            watch,
            names: Names::default(),
            trunks: Trunks::new(),
            generation: 0,
            enforce_until: None,
            guarded: Vec::new(),
            bans: BTreeMap::new(),
            events: VecDeque::new(),
            followers: broadcast::channel(KEPT).0,
            sources: BTreeMap::new(),
            country_date: None,
            country_source: String::new(),
            started: Instant::now(),
        };
        let trial = daemon
            .options
            .confirm
            .filter(|_| daemon.config.mode == Mode::Enforce);
        if let Some(time) = trial {
            let time = u64::try_from(time.as_nanos()).context("the trial is too long")?;
            daemon.enforce_until = Some(boot_time()?.saturating_add(time));
        }
        let config = daemon.config.clone();
        daemon.trunks.keep(&config);
        daemon.trunks.begin().await;
        match daemon.stand_up(config) {
            Ok(()) => Ok(daemon),
            Err(error) => {
                daemon.give_up();
                Err(error)
            }
        }
    }

    fn stand_up(&mut self, config: Config) -> Result<()> {
        self.apply(config, true)?;
        self.load_bans()?;
        self.attach()
    }

    /// After a start that failed: no fence stays that nobody looks after. One of an earlier daemon stands on.
    pub fn give_up(&self) {
        if !self.fence.stood()
            && let Err(error) = self.fence.take_down()
        {
            warn!("{error}");
        }
    }

    /// Puts a configuration in force. On an error the one before stays.
    pub fn apply(&mut self, config: Config, with_countries: bool) -> Result<()> {
        let names = self.interface_names(&config)?;
        let inputs = self.inputs(&config, &names)?;
        let Generation {
            policy,
            lists,
            names: words,
            ..
        } = tables::compile(&config, &inputs)?;
        let countries = if with_countries {
            let data = match &config.country_db {
                Some(path) => CountryData::open(path)?,
                None => CountryData::builtin()?,
            };
            let table = data.compile()?;
            // Which interface a session comes over is not known: a neighbour of any counts as one.
            if config.mode == Mode::Enforce && !self.options.yes {
                let trial = Inputs {
                    neighbours: inputs
                        .neighbours
                        .iter()
                        .map(|(_, net)| (31, *net))
                        .collect(),
                    ..inputs.clone()
                };
                let trial = tables::compile(&config, &trial)?;
                super::lockout::check(
                    trial,
                    data.compile()?,
                    self.fence.key(),
                    self.watch.routes(),
                )?;
            }
            if data
                .age(jiff::Zoned::now().date())
                .is_some_and(|days| days > CountryData::OLD)
            {
                warn!(
                    "the country data is more than {} days old; name newer data with `country_db`: {}",
                    CountryData::OLD,
                    data.source
                );
            }
            (self.country_date, self.country_source) = (data.date, data.source);
            Some(table)
        } else {
            None
        };
        let places: Vec<_> = names.iter().map(|name| self.place(name)).collect();
        self.fence.guard(&places, config.events_per_second)?;
        let lists: Lists = lists
            .into_iter()
            .map(|(prefix, listed)| ((prefix.address, prefix.length), listed))
            .collect();
        self.fence.put(&policy, countries.as_deref(), lists)?;
        self.generation = inputs.generation;
        self.names = words;
        self.trunks.keep(&config);
        self.config = config;
        let old = std::mem::take(&mut self.guarded);
        self.guarded = names
            .into_iter()
            .map(|name| {
                old.iter()
                    .find(|(known, ..)| *known == name)
                    .cloned()
                    .unwrap_or((name, None, String::new()))
            })
            .collect();
        Ok(())
    }

    fn place(&self, name: &str) -> Place {
        match self
            .watch
            .interfaces()
            .iter()
            .find(|found| found.name == name)
        {
            // An index that no packet has: the place stays taken while the interface is away.
            None => Place {
                index: u32::MAX,
                link: Link::Ethernet as u32,
            },
            Some(found) => {
                let raw = found.link_type == LinkType::RawIp;
                Place {
                    index: found.index,
                    link: if raw { Link::RawIp } else { Link::Ethernet } as u32,
                }
            }
        }
    }

    fn interface_names(&self, config: &Config) -> Result<Vec<String>> {
        if !config.interfaces.is_empty() {
            return Ok(config.interfaces.clone());
        }
        let default = net::default_route_interfaces(self.watch.routes());
        let mut names: Vec<_> = self
            .watch
            .interfaces()
            .iter()
            .filter(|i| default.contains(&i.index))
            .map(|i| i.name.clone())
            .collect();
        if names.is_empty() {
            // The default route may be away for a moment.
            names.extend(self.guarded.iter().map(|(name, ..)| name.clone()));
        }
        if names.is_empty() {
            bail!(
                "there is no default route; name the interface with --interface or `interfaces` in the configuration"
            );
        }
        Ok(names)
    }

    fn inputs(&self, config: &Config, names: &[String]) -> Result<Inputs> {
        let mut inputs = Inputs {
            own: net::own_addresses(self.watch.interfaces()),
            resolved: self.trunks.addresses(),
            enforce_until: self.enforce_until,
            generation: self.generation + 1,
            ..Inputs::default()
        };
        for kind in [ListKind::Permit, ListKind::Deny] {
            for entry in self.store.entries(kind)? {
                let range = AddressRange::new(entry.first, entry.last)
                    .map_err(|wrong| anyhow::anyhow!("{wrong}"))?;
                inputs.operator.push((kind, range));
            }
        }
        for said in self.store.countries()? {
            if let Some(country) = Country::from_code(&said.code) {
                inputs
                    .countries
                    .push((country, said.rule == CountryRule::Allow));
            }
        }
        if config.permit_private {
            for (place, name) in (0..).zip(names) {
                if let Some(found) = self.watch.interfaces().iter().find(|i| i.name == *name) {
                    let ranges = net::private_ranges(self.watch.routes(), found.index);
                    inputs
                        .neighbours
                        .extend(ranges.into_iter().map(|range| (place, range)));
                }
            }
        }
        Ok(inputs)
    }

    /// Follows interfaces that came and went.
    pub fn stand(&mut self) -> Result<()> {
        let places: Vec<_> = self
            .guarded
            .iter()
            .map(|(name, ..)| self.place(name))
            .collect();
        self.fence.guard(&places, self.config.events_per_second)?;
        self.attach()
    }

    /// Attaches wherever it is not, and detaches where it no longer should be.
    pub fn attach(&mut self) -> Result<()> {
        for name in self.fence.attached() {
            if !self.guarded.iter().any(|(guarded, ..)| *guarded == name) {
                info!("{name} is no longer guarded");
                self.fence.detach(&name)?;
            }
        }
        for (name, attached, how) in &mut self.guarded {
            let found = self
                .watch
                .interfaces()
                .iter()
                .find(|found| found.name == *name);
            let Some(found) = found else {
                if attached.take().is_some() || how.is_empty() {
                    warn!("the interface {name} is not there; it is guarded as soon as it comes");
                    *how = "not there".into();
                }
                continue;
            };
            if *attached == Some(found.index) {
                continue;
            }
            *how = match self.fence.attach(name, found.index)? {
                Attached::Driver => "driver".to_owned(),
                Attached::Generic { why } => {
                    format!("generic, since the driver's mode was refused: {why}")
                }
                Attached::TakenOver => match found.xdp {
                    Some(net::XdpAttachment {
                        mode: net::XdpMode::Generic,
                        ..
                    }) => "generic, taken over".to_owned(),
                    _ => "driver, taken over".to_owned(),
                },
            };
            *attached = Some(found.index);
            info!("guarding {name} ({how})");
        }
        Ok(())
    }

    /// Bans of the store go to the kernel, those of the kernel to the store.
    fn load_bans(&mut self) -> Result<()> {
        let now = Timestamp::now();
        self.store.expire_bans(now)?;
        for ban in self.store.bans()? {
            self.ban_in_kernel(&ban, now)?;
            self.bans.insert(ban.address, ban);
        }
        self.scan_bans()
    }

    pub(super) fn ban_in_kernel(&mut self, ban: &Ban, now: Timestamp) -> Result<()> {
        let left = u64::try_from(ban.until.duration_since(now).as_nanos()).unwrap_or(0);
        let cause = match ban.reason.as_str() {
            "signature" => Cause::Signature,
            "rate" => Cause::Rate,
            _ => Cause::Manual,
        };
        let value = KernelBan {
            until: boot_time()?.saturating_add(left),
            cause: cause as u8,
            reserved: [0],
            signature: 0,
            reserved_more: [0; 4],
        };
        Ok(self
            .fence
            .ban(tables::address(ban.address).subject(), &value)?)
    }

    /// Takes the kernel's bans into the store, and forgets those that are over.
    pub fn scan_bans(&mut self) -> Result<()> {
        let (boot, now) = (boot_time()?, Timestamp::now());
        for (subject, ban) in self.fence.scan_bans(boot)? {
            self.learn_ban(subject, &ban, boot, now, None)?;
        }
        for over in self.store.expire_bans(now)? {
            self.bans.remove(&over.address);
        }
        Ok(())
    }

    fn learn_ban(
        &mut self,
        subject: Address,
        kernel: &KernelBan,
        boot: u64,
        now: Timestamp,
        evidence: Option<Vec<u8>>,
    ) -> Result<()> {
        let address = ip(subject);
        let left = Duration::from_nanos(kernel.until.saturating_sub(boot));
        let until = now.checked_add(left).unwrap_or(Timestamp::MAX);
        // The kernel renews a ban while the source goes on: the store follows in steps of some seconds.
        let known = self.bans.get(&address);
        if known.is_some_and(|known| until.duration_since(known.until).as_secs() < 5) {
            return Ok(());
        }
        let prefix_len = if address.is_ipv4() { 32 } else { 64 };
        let times = match known {
            Some(known) => known.times,
            None => {
                1 + u32::try_from(self.store.ban_history_of(address, prefix_len)?.len())
                    .unwrap_or(u32::MAX - 1)
            }
        };
        let ban = Ban {
            address,
            prefix_len,
            reason: Cause::from_number(kernel.cause)
                .map_or("manual", Cause::name)
                .to_owned(),
            since: known.map_or(now, |known| known.since),
            until,
            times,
            evidence: evidence.or_else(|| known.and_then(|known| known.evidence.clone())),
            note: String::new(),
        };
        self.store.put_ban(&ban)?;
        self.bans.insert(address, ban);
        Ok(())
    }

    /// Takes in an event; the two ends of a TCP session that is to be ended, if it is.
    pub fn hear(
        &mut self,
        event: &Event,
    ) -> Result<Option<(std::net::SocketAddr, std::net::SocketAddr)>> {
        let now = boot_time()?;
        let interface = self
            .watch
            .interfaces()
            .iter()
            .find(|found| found.index == event.interface)
            .map_or_else(|| event.interface.to_string(), |found| found.name.clone());
        let record = Record::new(event, &self.names, interface, now);
        if record.banned.is_some() {
            info!("{}", record.line());
            self.bans_of_event(event, now)?;
        } else {
            debug!("{}", record.line());
        }
        if self.sources.len() < SOURCES || self.sources.contains_key(&record.src) {
            *self.sources.entry(record.src).or_default() += 1;
        }
        // Nobody may be listening.
        let _ = self
            .followers
            .send(Answer::done(record.line(), serde_json::to_value(&record)?));
        let ends = (
            std::net::SocketAddr::new(record.src, record.src_port),
            std::net::SocketAddr::new(record.dst, record.dst_port),
        );
        if self.events.len() == KEPT {
            self.events.pop_front();
        }
        self.events.push_back(record);
        Ok((event.destroy == 1 && event.enforced == 1).then_some(ends))
    }

    fn bans_of_event(&mut self, event: &Event, now: u64) -> Result<()> {
        let subject = event.source.subject();
        let time = u64::try_from(self.config.ban.time.as_nanos()).unwrap_or(u64::MAX);
        let ban = KernelBan {
            until: event.time.saturating_add(time),
            cause: event.banned,
            reserved: [0],
            signature: event.signature,
            reserved_more: [0; 4],
        };
        let length = usize::from(event.evidence_length).min(event.evidence.len());
        self.learn_ban(
            subject,
            &ban,
            now,
            Timestamp::now(),
            Some(event.evidence[..length].to_vec()),
        )
    }

    /// What is due every few seconds.
    pub fn tend(&mut self) -> Result<()> {
        self.fence.set_clock()?;
        self.scan_bans()?;
        if !self.store.expire_entries(Timestamp::now())?.is_empty() {
            self.apply(self.config.clone(), false)?;
        }
        Ok(())
    }

    /// Falls back to shadow where the trial was not confirmed in time, as the judge itself has done already.
    pub fn end_trial(&mut self) -> Result<()> {
        if let Some(end) = self.enforce_until
            && boot_time()? > end
        {
            self.enforce_until = None;
            self.config.mode = Mode::Shadow;
            self.options.mode = Some(Mode::Shadow);
            warn!(
                "the trial was not confirmed: shadow mode until the daemon is started anew; nothing is dropped"
            );
            self.apply(self.config.clone(), false)?;
        }
        Ok(())
    }
}
