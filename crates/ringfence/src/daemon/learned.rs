//! What the daemon learns of the kernel's bans, and how it makes those longer whose sources were banned before.

use std::collections::BTreeSet;

use anyhow::Result;
use jiff::{SignedDuration, Timestamp};
use ringfence_core::bench::{Ban as KernelBan, Cause};
use ringfence_core::event::Event;
use tracing::info;

use super::bans::{Source, nanoseconds, seconds, source, source_of, subject};
use super::state::Daemon;
use crate::store::{Ban, PastBans};
use crate::trust::Clock;

/// Bans that are taken into the store at a time. A flood of forged sources makes many more: they hold in the kernel, and
/// the rest is taken at the next look.
const LEARNED: usize = 10_000;
/// How far the store may lag behind, in seconds: the kernel renews bans while their sources go on.
const STEP: i64 = 5;

/// What the store is to know of a ban of the kernel.
struct Learned {
    ban: Ban,
    /// What the kernel is to know in its place, where this is not the source's first ban.
    longer: Option<KernelBan>,
}

impl Daemon {
    /// Takes the kernel's bans into the store, and forgets those that are over, or that the kernel lifted.
    pub fn scan_bans(&mut self) -> Result<()> {
        let held = self.learn_bans()?;
        self.lift_absent(&held)?;
        // The store has whole seconds: the kernel may hold what is over in the store.
        let over = Timestamp::now().checked_sub(SignedDuration::from_secs(STEP))?;
        for ban in self.store.expire_bans(over, self.config.ban.remember)? {
            self.bans.remove(&source(&ban));
        }
        self.ban_nets()
    }

    /// Takes the kernel's bans into the store; whom they are of.
    pub(super) fn learn_bans(&mut self) -> Result<BTreeSet<Source>> {
        let clock = self.clock()?;
        let (mut learned, mut held) = (Vec::new(), BTreeSet::new());
        for (subject, ban) in self.fence.scan_bans(clock.boot)? {
            let source = source_of(subject);
            held.insert(source);
            if learned.len() < LEARNED {
                learned.extend(self.learn_ban(source, &ban, clock)?);
            }
        }
        self.keep(learned)?;
        Ok(held)
    }

    /// Notes the bans that the kernel no longer holds before their time: their sources registered.
    pub(super) fn lift_absent(&mut self, held: &BTreeSet<Source>) -> Result<()> {
        let clock = self.clock()?;
        let ahead = |ban: &Ban| ban.until.duration_since(clock.wall).as_secs() > STEP;
        let absent = self
            .bans
            .iter()
            .filter(|(source, ban)| !held.contains(source) && ahead(ban));
        let absent: Vec<_> = absent.take(LEARNED).map(|(source, _)| *source).collect();
        for source in absent {
            // While bans come and go a walk may miss one.
            let found = self.fence.ban_of(subject(source))?;
            if found.is_some_and(|ban| ban.until > clock.boot) {
                continue;
            }
            if let Some(ban) = self.bans.remove(&source) {
                info!("{} registered and is no longer banned", ban.source());
                self.store
                    .lift_ban(ban.address, ban.prefix_len, ban.port, clock.wall)?;
            }
        }
        Ok(())
    }

    /// What the store does not know yet of a ban of the kernel.
    fn learn_ban(&self, of: Source, kernel: &KernelBan, clock: Clock) -> Result<Option<Learned>> {
        let until = clock.wall_of(kernel.until).unwrap_or(clock.wall);
        let known = self.bans.get(&of);
        // No phone sends from port 0, and in the store that stands for all ports.
        if of.port == Some(0)
            || known.is_some_and(|known| until.duration_since(known.until).as_secs() < STEP)
        {
            return Ok(None);
        }
        let (known, ended) = match known {
            Some(known) if known.until <= clock.wall => (None, Some(known)),
            known => (known, None),
        };
        if let Some(known) = known {
            let ban = Ban {
                until,
                ..known.clone()
            };
            return Ok(Some(Learned { ban, longer: None }));
        }
        let cause = Cause::from_number(kernel.cause).unwrap_or(Cause::Manual);
        let more = PastBans {
            all: u32::from(ended.is_some()),
            proved: u32::from(ended.is_some_and(|ended| ended.proved)),
        };
        let past = self.past(of, clock.wall)?;
        // The kernel gives everybody the first time.
        let first = nanoseconds(self.config.ban.time(0));
        let began = kernel.until.saturating_sub(first).min(clock.boot);
        let ban = Ban {
            address: of.address,
            prefix_len: of.prefix_len,
            port: of.port,
            reason: cause.name().to_owned(),
            since: clock.wall_of(began.max(1)).unwrap_or(clock.wall),
            until,
            times: past.all.saturating_add(more.all).saturating_add(1),
            proved: kernel.proved != 0,
            evidence: None,
            note: String::new(),
        };
        let time = self.time(&ban, more, clock.wall)?;
        let end = began.saturating_add(nanoseconds(time));
        if cause == Cause::Manual || end <= kernel.until {
            return Ok(Some(Learned { ban, longer: None }));
        }
        let until = clock.wall_of(end).unwrap_or(until);
        Ok(Some(Learned {
            ban: Ban { until, ..ban },
            longer: Some(KernelBan {
                until: end,
                renews: seconds(time),
                ..*kernel
            }),
        }))
    }

    /// Notes bans, and then stores them: one that cannot be stored is known nonetheless.
    fn keep(&mut self, learned: Vec<Learned>) -> Result<()> {
        let mut bans = Vec::new();
        for Learned { ban, longer } in learned {
            if let Some(longer) = longer {
                self.fence.ban(subject(source(&ban)), &longer)?;
            }
            bans.push(ban);
        }
        for ban in bans
            .iter()
            .filter(|ban| !self.bans.contains_key(&source(ban)))
        {
            self.tell_of_ban(ban);
        }
        let stored = self.store.put_bans(&bans);
        self.bans
            .extend(bans.into_iter().map(|ban| (source(&ban), ban)));
        Ok(stored?)
    }

    /// Learns what an event says of a ban: above all the packet that led to it.
    pub(super) fn bans_of_event(&mut self, event: &Event) -> Result<()> {
        let clock = self.clock()?;
        let length = usize::from(event.evidence_length).min(event.evidence.len());
        let evidence = Some(event.evidence[..length].to_vec());
        let mut learned = Vec::new();
        // It does not say whether the whole source was banned or one flow of it.
        for subject in [event.source.flow(event.source_port), event.source.subject()] {
            let source = source_of(subject);
            let Some(kernel) = self.fence.ban_of(subject)? else {
                continue;
            };
            if kernel.until <= clock.boot || kernel.cause != event.banned {
                continue;
            }
            let found = match self.learn_ban(source, &kernel, clock)? {
                Some(found) => found,
                // A walk was quicker.
                None => match self.bans.get(&source) {
                    Some(known) if known.evidence.is_none() => Learned {
                        ban: known.clone(),
                        longer: None,
                    },
                    _ => continue,
                },
            };
            let ban = Ban {
                evidence: found.ban.evidence.or_else(|| evidence.clone()),
                ..found.ban
            };
            learned.push(Learned { ban, ..found });
        }
        self.keep(learned)
    }
}
