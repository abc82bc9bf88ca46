//! Reloads and trials: a policy that is enforced for a while, and kept only if somebody confirms it.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::json;
use tracing::{info, warn};

use super::state::Daemon;
use crate::config::{Config, Mode};
use crate::control::Answer;
use crate::engine::boot_time;

/// What to do once a trial is over.
const AGAIN: &str = "`ringfence reload --confirm 60s` begins another";

/// Whether the policy in force is on trial.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Trial {
    /// It is not.
    #[default]
    None,
    /// Up to this boot time, in ns; the kernel's judge knows it too.
    Until(u64),
    /// One ran out, and the fence is in shadow mode until it is told to enforce.
    Lapsed,
}

impl Trial {
    /// One that begins now.
    pub fn begin(time: Duration) -> Result<Self> {
        let time = u64::try_from(time.as_nanos()).context("the trial is too long")?;
        Ok(Self::Until(boot_time()?.saturating_add(time)))
    }

    /// When it ends, if one is going on.
    pub fn end(self) -> Option<u64> {
        match self {
            Self::Until(end) => Some(end),
            Self::None | Self::Lapsed => None,
        }
    }

    /// For programs.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Until(_) => "running",
            Self::Lapsed => "lapsed",
        }
    }

    /// What stands behind the mode in words for people; empty without a trial.
    pub fn tell(self) -> Result<String> {
        Ok(match self {
            Self::None => String::new(),
            Self::Until(end) => {
                let left = end.saturating_sub(boot_time()?) / 1_000_000_000;
                format!(", on trial for another {left} s; keep it with `ringfence confirm`")
            }
            Self::Lapsed => format!(", since the trial was not confirmed; {AGAIN}"),
        })
    }
}

impl Daemon {
    /// Reads the configuration again; with a mistake in it the old policy stays. A mode that is given holds until the
    /// daemon ends. Without one a trial goes on as it stands, and one that is over has its shadow mode kept.
    pub fn reload(
        &mut self,
        yes: bool,
        mode: Option<Mode>,
        trial: Option<Duration>,
    ) -> Result<Answer> {
        let before = (self.options.clone(), self.trial);
        let was = self.config.mode;
        let had_host = self.config.host.enable;
        // It takes in country data that the daemon was not told of.
        if let Err(error) = self.look_after_phones() {
            self.complain(&error.context("whom the new country data puts outside is not known"));
        }
        self.options.yes = yes;
        let applied = self.apply_anew(mode, trial);
        self.options.yes = before.0.yes;
        if applied.is_err() {
            (self.options, self.trial) = before;
        }
        applied.context("the old policy stays in force")?;
        self.settle_countries()?;
        self.attach()?;
        self.reload_host(had_host, mode.is_some());
        info!("reloaded; generation {}", self.generation);
        let enforced = self.config.mode == Mode::Enforce && (mode.is_some() || was == Mode::Shadow);
        let early = enforced.then(|| self.too_early()).flatten();
        let warnings: Vec<_> = early
            .into_iter()
            .chain(self.short_of_room())
            .chain(self.listed_sessions())
            .collect();
        let warning = (!warnings.is_empty()).then(|| warnings.join("\n"));
        let mode = self.config.mode.to_string();
        let mut text = format!(
            "reloaded: {mode}{}\nservices: {}, prefixes listed: {}",
            self.trial.tell()?,
            self.config.services.len(),
            self.fence.lists().len()
        );
        if let Some(warning) = &warning {
            text.push_str(&format!("\nwarning: {warning}"));
        }
        Ok(Answer::done(
            text,
            json!({
                "generation": self.generation, "mode": mode, "trial": self.trial.name(),
                "warning": warning,
            }),
        ))
    }

    fn apply_anew(&mut self, mode: Option<Mode>, trial: Option<Duration>) -> Result<()> {
        if mode.is_some() {
            self.options.mode = mode;
            self.trial = Trial::None;
        }
        let mut config = self.options.load()?;
        self.check_tripwires(&config)?;
        self.stay(&mut config);
        match (config.mode, trial) {
            (Mode::Enforce, Some(time)) => self.trial = Trial::begin(time)?,
            (Mode::Shadow, Some(_)) => bail!("a trial is for a policy that is enforced"),
            // The file was changed to shadow: nothing is on trial any more.
            (Mode::Shadow, None) if self.trial.end().is_some() => self.trial = Trial::None,
            _ => {}
        }
        self.apply(config, true)
    }

    /// Keeps what a running daemon cannot change: where its files are.
    fn stay(&self, config: &mut Config) {
        let places = [
            ("bpffs", &mut config.bpffs, &self.config.bpffs),
            ("state", &mut config.state, &self.config.state),
            (
                "socket",
                &mut config.control.socket,
                &self.config.control.socket,
            ),
        ];
        for (key, new, old) in places {
            if new != old {
                warn!("`{key}` stays {} until the next start", old.display());
                new.clone_from(old);
            }
        }
    }

    pub(super) fn confirm(&mut self) -> Result<Answer> {
        // The judge may have fallen back a moment before the daemon looked.
        self.end_trial()?;
        match self.trial {
            Trial::None => Ok(Answer::done(
                "no policy is on trial",
                json!({ "confirmed": false }),
            )),
            Trial::Lapsed => bail!("nobody confirmed in time: the trial is over; {AGAIN}"),
            Trial::Until(_) => {
                let before = std::mem::take(&mut self.trial);
                if let Err(error) = self.apply(self.config.clone(), false) {
                    self.trial = before;
                    return Err(error);
                }
                self.confirm_host();
                info!("the policy is confirmed");
                Ok(Answer::done(
                    "confirmed: the policy is enforced until it is changed; with `mode = \"enforce\"` in the \
                     configuration also after a restart",
                    json!({ "confirmed": true }),
                ))
            }
        }
    }

    /// Falls back to shadow where the trial was not confirmed in time, as the judge itself has done already.
    pub fn end_trial(&mut self) -> Result<()> {
        if let Trial::Until(end) = self.trial
            && boot_time()? > end
        {
            self.trial = Trial::Lapsed;
            self.config.mode = Mode::Shadow;
            self.options.mode = Some(Mode::Shadow);
            warn!(
                "the trial was not confirmed: shadow mode, nothing is dropped, whatever the configuration says, \
                 until the daemon is started anew or told to enforce; {AGAIN}"
            );
            self.apply(self.config.clone(), false)?;
        }
        Ok(())
    }
}
