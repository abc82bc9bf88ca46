//! Puts the rules in force, on trial or for good, and keeps them so.
//!
//! Whoever changes the table holds the lock of the state directory and writes there what he did: the daemon, the command
//! line and the timer of a trial know from it what is to stand. The rules of the next boot are written only when they are
//! confirmed, or applied without a trial.

use std::path::{Path, PathBuf};
use std::time::Duration;

use nftables::types::NfFamily;

use super::files::{Confirmed, Files, Lapsed, Rules, Standing, Trial};
use super::model::TABLE;
use super::outcome::{Applied, OnTrial, Ready, Seen};
use super::{HostError, json, print, timer};
use crate::nft::{self, Nft};

/// How much longer than its time a trial may stand before somebody else than its timer ends it, in ns.
const LATE: u64 = 3_000_000_000;

/// Keeps the host's firewall of a state directory.
#[derive(Debug, Clone)]
pub struct Keeper {
    pub(super) nft: Nft,
    pub(super) state: PathBuf,
    pub(super) arm: timer::Arm,
}

impl Keeper {
    /// With the state directory of the daemon.
    pub fn new(state: &Path) -> Self {
        Self {
            nft: Nft::default(),
            state: state.to_owned(),
            arm: timer::arm,
        }
    }

    /// Puts rules in the place of those that stand, for good or, with a time, on trial.
    ///
    /// # Errors
    /// When nftables refuses, or what must last cannot be written. Then what stood stands.
    pub fn apply(&self, rules: &Ready, trial: Option<Duration>) -> Result<Applied, HostError> {
        let files = Files::lock(&self.state)?;
        let Some(time) = trial else {
            let applied = self.put(&files, rules)?;
            self.settle(&files)?;
            return Ok(applied);
        };
        let running: Option<Trial> = files.get()?;
        let boot = timer::boot()?;
        // One of an earlier boot is over, whoever has not noticed it.
        let running = running.filter(|trial| trial.boot == boot);
        // What a trial replaces that was never confirmed is not what comes back.
        let before = match &running {
            Some(trial) => trial.before.clone(),
            None => self.standing(&files)?,
        };
        let trial = Trial {
            id: timer::id()?,
            boot,
            until: timer::after(time)?,
            policy: rules.policy.clone(),
            before,
        };
        files.put(Some(&trial))?;
        // Before anything changes: else nobody might be left to take it back.
        let done = (self.arm)(&self.state, &trial.id, time)
            .map_err(HostError::Timer)
            .and_then(|()| self.put(&files, rules));
        match done {
            Ok(_) => {
                // The time begins once the rules stand: large sets take a while. Its timer reads it before it acts.
                let until = timer::after(time)?;
                files.put(Some(&Trial { until, ..trial }))?;
                Ok(Applied::OnTrial)
            }
            Err(error) => {
                files.put(running.as_ref())?;
                Err(error)
            }
        }
    }

    /// The same rules with other lists, countries or neighbours: a trial goes on, and what was tried in vain is not
    /// put in force. False where rules of another policy stand.
    ///
    /// # Errors
    /// As [`Keeper::apply`].
    pub fn refresh(&self, rules: &Ready) -> Result<bool, HostError> {
        let files = Files::lock(&self.state)?;
        let standing: Option<Standing> = files.get()?;
        if standing.is_none_or(|standing| standing.0.policy != rules.policy) {
            return Ok(false);
        }
        self.put(&files, rules)?;
        if files.get::<Trial>()?.is_none() {
            self.settle(&files)?;
        }
        Ok(true)
    }

    /// Puts rules in force at the start of the daemon. Where there are none to be put in force, or where they, or a trial that a power cut ended, were never
    /// confirmed, the rules that were confirmed last stand instead; a trial that is going on goes on.
    ///
    /// # Errors
    /// As [`Keeper::apply`].
    pub fn start(&self, rules: Option<&Ready>) -> Result<Applied, HostError> {
        let files = Files::lock(&self.state)?;
        if let Some(trial) = files.get::<Trial>()? {
            if trial.boot == timer::boot()? && trial.until > timer::now()? && self.intact(&files)? {
                return Ok(Applied::OnTrial);
            }
            let policy = trial.policy;
            files.put(Some(&Lapsed { policy }))?;
            files.put::<Trial>(None)?;
            self.back(
                &files,
                files.get::<Confirmed>()?.map(|confirmed| confirmed.0),
            )?;
        }
        let lapsed: Option<Lapsed> = files.get()?;
        let tried = |rules: &&Ready| {
            let lapsed = lapsed.as_ref();
            lapsed.is_none_or(|lapsed| lapsed.policy != rules.policy)
        };
        let Some(rules) = rules.filter(tried) else {
            if !self.intact(&files)? {
                self.back(
                    &files,
                    files.get::<Confirmed>()?.map(|confirmed| confirmed.0),
                )?;
            }
            return Ok(Applied::Lapsed);
        };
        let applied = self.put(&files, rules)?;
        self.settle(&files)?;
        Ok(applied)
    }

    /// Keeps the rules that are on trial. False where none are.
    ///
    /// # Errors
    /// When the trial is over, or what must last cannot be written.
    pub fn confirm(&self) -> Result<bool, HostError> {
        let files = Files::lock(&self.state)?;
        let Some(trial) = files.get::<Trial>()? else {
            return match files.get::<Lapsed>()? {
                Some(_) => Err(HostError::Over),
                None => Ok(false),
            };
        };
        if trial.boot != timer::boot()? || trial.until <= timer::now()? {
            self.end(&files, trial)?;
            return Err(HostError::Over);
        }
        self.settle(&files).map(|()| true)
    }

    /// Ends a trial that was not confirmed: what stood before is back. False where this trial is over.
    ///
    /// # Errors
    /// When nftables refuses; then the trial is not over.
    pub fn expire(&self, id: &str) -> Result<bool, HostError> {
        let files = Files::lock(&self.state)?;
        match files.get::<Trial>()?.filter(|trial| trial.id == id) {
            Some(trial) => self.end(&files, trial).map(|()| true),
            None => Ok(false),
        }
    }

    /// Whether a trial is going on, or ran out.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn trial(&self) -> Result<OnTrial, HostError> {
        let files = Files::lock(&self.state)?;
        if files.get::<Trial>()?.is_some() {
            return Ok(OnTrial::Yes);
        }
        Ok(match files.get::<Lapsed>()? {
            Some(_) => OnTrial::Lapsed,
            None => OnTrial::No,
        })
    }

    /// When a trial ends, in ns of boot time; None where it is over.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn ends(&self, id: &str) -> Result<Option<u64>, HostError> {
        let trial: Option<Trial> = Files::lock(&self.state)?.get()?;
        Ok(trial
            .filter(|trial| trial.id == id)
            .map(|trial| trial.until))
    }

    /// Deletes the table, and forgets all that was kept. False where there was no table.
    ///
    /// # Errors
    /// When nftables refuses.
    pub fn remove(&self) -> Result<bool, HostError> {
        let files = Files::lock(&self.state)?;
        let removed = self.nft.delete_table(NfFamily::INet, TABLE)?;
        files.clear()?;
        Ok(removed)
    }

    /// Whether the table is as it was made; if not, it is made again. `intact` is the generation of the rules at which it
    /// was found so last: while that holds nothing is listed.
    ///
    /// # Errors
    /// When nftables cannot list, or refuses.
    pub fn look(&self, intact: &mut Option<u32>) -> Result<Seen, HostError> {
        let files = Files::lock(&self.state)?;
        if let Some(trial) = files.get::<Trial>()?
            && (trial.boot != timer::boot()? || trial.until.saturating_add(LATE) < timer::now()?)
        {
            self.end(&files, trial)?;
            return Ok(Seen::Ended);
        }
        let Some(Standing(standing)) = files.get()? else {
            return Ok(Seen::Nothing);
        };
        // Asked before the table: what changes meanwhile is seen at the next look.
        let generation = nft::generation()?;
        if *intact == Some(generation) {
            return Ok(Seen::Intact);
        }
        let found = self.nft.table(NfFamily::INet, TABLE)?;
        let seen = match found {
            Some(objects) if print::table(&objects) == standing.table => {
                *intact = Some(generation);
                return Ok(Seen::Intact);
            }
            Some(_) => Seen::Changed,
            None => Seen::Gone,
        };
        self.back(&files, Some(standing))?;
        Ok(seen)
    }

    /// Makes the table of these rules, unless it is so already, and notes it.
    fn put(&self, files: &Files, rules: &Ready) -> Result<Applied, HostError> {
        let standing: Option<Standing> = files.get()?;
        let same = standing.is_some_and(|standing| standing.0.rules == rules.rules);
        if same && self.intact(files)? {
            return Ok(Applied::Stood);
        }
        self.nft.run_text(&rules.batch)?;
        self.note(files, rules.clone())?;
        Ok(Applied::Stand)
    }

    /// Brings rules back, or none.
    fn back(&self, files: &Files, rules: Option<Rules>) -> Result<(), HostError> {
        match rules {
            Some(kept) => {
                self.nft.run_text(&kept.batch)?;
                let Rules {
                    batch,
                    rules,
                    policy,
                    ..
                } = kept;
                let ready = Ready {
                    batch,
                    rules,
                    policy,
                };
                self.note(files, ready)
            }
            None => {
                self.nft.run(&json::removal())?;
                files.put::<Standing>(None)
            }
        }
    }

    /// Writes down what was made.
    fn note(&self, files: &Files, made: Ready) -> Result<(), HostError> {
        let objects = self.nft.table(NfFamily::INet, TABLE)?.unwrap_or_default();
        let table = print::table(&objects);
        files.put(Some(&Standing(Rules {
            batch: made.batch,
            rules: made.rules,
            policy: made.policy,
            table,
        })))
    }

    /// What stands is what shall stand from now on.
    fn settle(&self, files: &Files) -> Result<(), HostError> {
        if let Some(Standing(rules)) = files.get()? {
            files.put(Some(&Confirmed(rules)))?;
        }
        files.put::<Lapsed>(None)?;
        files.put::<Trial>(None)
    }

    fn end(&self, files: &Files, trial: Trial) -> Result<(), HostError> {
        // A trial of an earlier boot: what it replaced went with that boot, what was confirmed did not.
        let back = match trial.boot == timer::boot()? {
            true => trial.before,
            false => files.get::<Confirmed>()?.map(|confirmed| confirmed.0),
        };
        self.back(files, back)?;
        let policy = trial.policy;
        files.put(Some(&Lapsed { policy }))?;
        files.put::<Trial>(None)
    }

    /// What stands now and was made by us.
    fn standing(&self, files: &Files) -> Result<Option<Rules>, HostError> {
        let standing: Option<Standing> = files.get()?;
        let there = self.nft.has_table(NfFamily::INet, TABLE)?;
        Ok(standing.filter(|_| there).map(|standing| standing.0))
    }

    fn intact(&self, files: &Files) -> Result<bool, HostError> {
        let standing: Option<Standing> = files.get()?;
        let found = self.nft.table(NfFamily::INet, TABLE)?;
        Ok(match (standing, found) {
            (Some(standing), Some(objects)) => print::table(&objects) == standing.0.table,
            _ => false,
        })
    }
}
