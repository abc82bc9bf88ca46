//! What the daemon holds, and how it is put in force.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Result, bail};
use ipnet::IpNet;
use jiff::Timestamp;
use ringfence_core::country::Country;
use ringfence_core::event::Event;
use tokio::sync::broadcast;
use tracing::{debug, error, info, warn};

use super::asterisk::Asterisk;
use super::bans::Source;
use super::beside::Beside;
use super::country::Countries;
use super::engine::{self, Kind};
use super::event::Record;
use super::feeds::Feeds;
use super::guarded::Guarded;
use super::host::Host;
use super::options::Options;
use super::resolved::Resolved;
use super::seldom::Seldom;
use super::share::Share;
use super::survey::Desk;
use super::systems;
use super::trial::Trial;
use super::trust::Trust;
use super::witness::Witness;
use crate::asn::AsnData;
use crate::config::{AddressRange, Config, EngineChoice, Mode};
use crate::control::{Answer, serve};
use crate::country::in_force;
use crate::engine::{Engine, Lists, boot_time};
use crate::net::{self, Watch};
use crate::notify::{Notice, NoticeKind};
use crate::store::{Ban, CountryRule, ListKind, Store};
use crate::tables::{self, Generation, Inputs, Names};

/// Events kept for those who ask later.
const KEPT: usize = 1000;
/// Sources counted for the summary.
const SOURCES: usize = 10_000;
/// Of those, the ones that are kept when there is no room for another.
const LOUDEST: usize = 1_000;

/// The running fence.
pub struct Daemon {
    pub(super) options: Options,
    pub(super) config: Config,
    pub(super) fence: Box<dyn Engine>,
    pub(super) store: Store,
    pub(super) watch: Watch,
    pub(super) names: Names,
    pub(super) resolved: Resolved,
    pub(super) feeds: Feeds,
    pub(super) generation: u64,
    pub(super) trial: Trial,
    /// Guarded interfaces in the order of their places.
    pub(super) guarded: Vec<Guarded>,
    pub(super) bans: BTreeMap<Source, Ban>,
    /// Nets that were told of as spared by the subnet rule.
    pub(super) spared: BTreeSet<IpNet>,
    pub(super) trust: Trust,
    pub(super) logged: Seldom,
    pub(super) beside: Beside,
    pub(super) share: Share,
    pub(super) asterisk: Asterisk,
    pub(super) host: Host,
    pub(super) opinions: Desk,
    pub(super) witness: Witness,
    pub(super) events: VecDeque<Record>,
    pub(super) followers: broadcast::Sender<Answer>,
    pub(super) sources: BTreeMap<IpAddr, u64>,
    pub(super) countries: Countries,
    pub(super) systems: Arc<AsnData>,
    pub(super) started: Instant,
    /// What was complained of last.
    pub(super) complaint: String,
}

impl Daemon {
    /// Loads everything and puts it in force.
    pub async fn start(options: Options) -> Result<Self> {
        let config = options.load()?;
        match config.engine {
            EngineChoice::Xdp => Self::start_with(options, config, Kind::Xdp).await,
            EngineChoice::Nfqueue => Self::start_with(options, config, Kind::Nfqueue).await,
            EngineChoice::Auto => {
                let error = match Self::start_with(options.clone(), config.clone(), Kind::Xdp).await
                {
                    Err(error) if engine::is_without_xdp(&error) => error,
                    started => return started,
                };
                warn!("{error:#}");
                warn!("without XDP, packets are judged in the daemon, from queues of nftables");
                let started = Self::start_with(options, config, Kind::Nfqueue).await;
                started.map_err(|other| {
                    anyhow::anyhow!("{error:#}; nor does nftables help: {other:#}")
                })
            }
        }
    }

    /// Starts with one kind of fence.
    async fn start_with(options: Options, config: Config, kind: Kind) -> Result<Self> {
        // A second daemon would take the fence of the first over before it found the socket taken.
        let socket = &config.control.socket;
        if serve::is_answered(socket) {
            bail!(
                "a daemon runs already and answers at {}; `ringfence reload` has it read the configuration, and \
                 `ringfence reload --confirm 60s` puts that on trial",
                socket.display()
            );
        }
        let opened = Store::open(&config.state)?;
        if let Some(path) = &opened.moved_aside {
            warn!(
                "the store was damaged and moved to {}; lists and bans made by command are gone",
                path.display()
            );
        }
        let watch = Watch::start().await?;
        let fence = super::engine::load(&config, kind)?;
        let mut store = opened.store;
        let trust = Trust::load(&mut store, fence.taken_over())?;
        let asterisk = Asterisk::new(&config);
        let mut daemon = Self {
            options,
            config,
            fence,
            store,
            watch,
            names: Names::default(),
            resolved: Resolved::new(),
            feeds: Feeds::new(),
            generation: 0,
            trial: Trial::None,
            guarded: Vec::new(),
            bans: BTreeMap::new(),
            spared: BTreeSet::new(),
            trust,
            logged: Seldom::default(),
            beside: Beside::new(),
            share: Share::new(),
            asterisk,
            host: Host::default(),
            opinions: Desk::default(),
            witness: Witness::default(),
            events: VecDeque::new(),
            followers: broadcast::channel(KEPT).0,
            sources: BTreeMap::new(),
            countries: Countries::default(),
            systems: Arc::default(),
            started: Instant::now(),
            complaint: String::new(),
        };
        let config = daemon.config.clone();
        daemon.begin_names().await?;
        daemon.feeds.begin(&config, daemon.fence.lists());
        match daemon.stand_up(config) {
            Ok(()) => Ok(daemon),
            Err(error) => {
                daemon.give_up();
                Err(error)
            }
        }
    }

    fn stand_up(&mut self, config: Config) -> Result<()> {
        if let Some(time) = self.options.confirm {
            self.trial = Trial::begin(time)?;
        }
        // A start that is refused would leave no fence after a reboot.
        if let Err(error) = self.check_tripwires(&config) {
            self.complain(&error);
        }
        // Before the tables are those of a fence, so that a start that is cut off here begins anew.
        if let Err(error) = self.restore_trust() {
            self.complain(&error.context("who is trusted is not known whole"));
        }
        self.load_bans()?;
        // Data that came while no daemon ran.
        if let Err(error) = self.look_after_phones() {
            self.complain(&error.context("whom the new country data puts outside is not known"));
        }
        self.apply(config, true)?;
        self.begin_feeds()?;
        if let Err(error) = self.settle_countries() {
            self.complain(&error);
        }
        self.attach()?;
        self.start_host();
        engine::leave_others(&mut *self.fence)?;
        if let Err(error) = self.scan_bans() {
            self.complain(&error);
        }
        Ok(())
    }

    /// After a start that failed: no fence stays that nobody looks after. One of an earlier daemon stands on.
    pub fn give_up(&mut self) {
        if !self.fence.stood()
            && let Err(error) = self.fence.take_down()
        {
            warn!("{error}");
        }
    }

    /// Puts a configuration in force. On an error the one before stays.
    pub fn apply(&mut self, config: Config, with_countries: bool) -> Result<()> {
        let names = self.interface_names(&config)?;
        let systems = match with_countries {
            true => Arc::new(systems::read(&config)?),
            false => self.systems.clone(),
        };
        let mut inputs = self.inputs(&config, &names)?;
        inputs.networks = Inputs::networks(&config, &systems);
        let Generation {
            policy,
            lists,
            names: words,
            ..
        } = tables::compile(&config, &inputs)?;
        let mut country_data = None;
        let countries = if with_countries {
            let found = in_force(&config.country, &config.state)?;
            let data = &found.data;
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
                let waiting = trial.waiting().map(str::to_owned).collect::<Vec<_>>();
                let trial = tables::compile(&config, &trial)?;
                super::lockout::check(
                    trial,
                    data.compile()?,
                    self.fence.key(),
                    self.watch.routes(),
                    &waiting,
                )?;
            }
            self.check_host(&config, &inputs, data)?;
            country_data = Some(found);
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
        self.systems = systems;
        self.config = config;
        self.keep_names()?;
        if let Some(found) = country_data {
            self.note_countries(&found);
        }
        let old = std::mem::take(&mut self.guarded);
        let known = |name: &str| old.iter().find(|known| known.name == name).cloned();
        self.guarded = names
            .into_iter()
            .map(|name| known(&name).unwrap_or_else(|| Guarded::new(name)))
            .collect();
        self.beside.keep(&self.config);
        self.share.keep(&self.config.share);
        let guard = &mut self.asterisk.guard;
        guard.configure(&self.config.fraud, &self.config.emergency);
        self.wish_opinions(inputs);
        self.feeds.keep(&self.config);
        if !with_countries {
            self.refresh_host();
        }
        Ok(())
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
            names.extend(self.guarded.iter().map(|known| known.name.clone()));
        }
        if names.is_empty() {
            bail!(
                "there is no default route; name the interface with --interface or `interfaces` in the configuration"
            );
        }
        Ok(names)
    }

    pub(super) fn inputs(&mut self, config: &Config, names: &[String]) -> Result<Inputs> {
        let mut inputs = Inputs {
            own: net::own_addresses(self.watch.interfaces()),
            warned: self.feeds.wide.clone(),
            enforce_until: self.trial.end(),
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
        self.resolve(config, &mut inputs)?;
        Ok(inputs)
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
        let record = Record::new(event, &self.names, interface, now).of_system(&self.systems);
        if record.banned.is_some() {
            info!("{}", record.line());
            // A disk that is full must not end the daemon: the ban holds in the kernel.
            if let Err(error) = self.bans_of_event(event) {
                self.complain(&error);
            }
        } else {
            debug!("{}", record.line());
        }
        count_source(&mut self.sources, record.src);
        self.trust.drops.note(record.dropped(event));
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

    /// Logs what went wrong, once until something else does.
    pub(super) fn complain(&mut self, error: &anyhow::Error) {
        let complaint = format!("{error:#}");
        if self.complaint != complaint {
            error!("{complaint}");
            self.notify(Notice::new(NoticeKind::Fence, &complaint));
            self.complaint = complaint;
        }
    }

    /// What is due every few seconds.
    pub fn tend(&mut self) -> Result<()> {
        self.fence.set_clock()?;
        for alarm in self.fence.alarms() {
            self.notify(Notice::new(NoticeKind::Fence, &alarm));
        }
        // Each is done, whatever becomes of the others.
        self.tend_host();
        let done = [
            self.scan_bans(),
            self.sweep_trust(),
            self.keep_summaries(),
            self.tend_share(),
        ];
        done.into_iter().collect::<Result<()>>()?;
        self.complaint.clear();
        let now = Timestamp::now();
        let ended = self.store.expire_entries(now)?.len() + self.store.expire_names(now)?.len();
        if ended != 0 {
            self.apply(self.config.clone(), false)?;
        }
        Ok(())
    }
}

/// Counts a source. Where there is no room for a new one, the loudest are kept and the rest is forgotten: whoever forges
/// sources does not keep later ones out.
fn count_source(sources: &mut BTreeMap<IpAddr, u64>, source: IpAddr) {
    if sources.len() >= SOURCES && !sources.contains_key(&source) {
        let mut counts: Vec<_> = std::mem::take(sources).into_iter().collect();
        counts.sort_unstable_by_key(|(_, count)| std::cmp::Reverse(*count));
        counts.truncate(LOUDEST);
        sources.extend(counts);
    }
    *sources.entry(source).or_default() += 1;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forged_sources_push_no_loud_one_out() {
        let mut sources = BTreeMap::new();
        let loud: IpAddr = [192, 0, 2, 1].into();
        for _ in 0..3 {
            count_source(&mut sources, loud);
        }
        for number in 0..3 * SOURCES as u32 {
            count_source(&mut sources, IpAddr::V4((0x0a00_0000 + number).into()));
            assert!(sources.len() <= SOURCES);
        }
        assert_eq!(sources[&loud], 3);
        let late: IpAddr = [198, 51, 100, 1].into();
        for _ in 0..5 {
            count_source(&mut sources, late);
        }
        assert_eq!(sources[&late], 5);
    }
}
