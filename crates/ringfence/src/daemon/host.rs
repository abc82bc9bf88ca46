//! The host's firewall, kept by a thread of its own: nftables is slow, and nothing else waits for it.

use std::sync::mpsc;
use std::time::Duration;

use anyhow::Result;
use serde_json::{Value, json};
use tracing::{error, info, warn};

use super::beside::Word;
use super::pinholes::Holes;
use super::state::Daemon;
use super::trial::Trial;
use crate::config::{Config, Mode};
use crate::country::{CountryData, in_force};
use crate::engine::boot_time;
use crate::host::{
    Applied, Facts, HostError, Intact, Keeper, OnTrial, Ready, Seen, check_lockout, conflicts,
    near, plan,
};
use crate::net;
use crate::nft::Nft;
use crate::notify::{Notice, NoticeKind};
use crate::tables::Inputs;

const CONFIRMED: &str = "confirmed: its rules stand, also after a restart";
const LAPSED: &str = "its trial was not confirmed; what stood before is back";

/// What the thread is to do.
enum Job {
    /// At the start of the daemon; without rules those confirmed last are to stand.
    Start(Option<Box<Making>>),
    /// Rules of another policy, for good or on trial.
    Apply(Box<Making>, Option<Duration>),
    /// The same policy with other lists.
    Refresh(Box<Making>),
    Confirm,
    Remove,
    Look,
}

/// What rules are made of.
struct Making {
    config: Config,
    facts: Facts,
}

/// What the thread did.
pub(super) struct Told {
    text: String,
    how: How,
    /// What the status says from now on.
    state: Option<String>,
    looked: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum How {
    /// Nothing that anybody wants to hear.
    Silent,
    Said,
    /// It is known, and may be meant so.
    Noted,
    /// Somebody should look.
    Warned,
    /// It failed.
    Failed,
}

/// The host's firewall as the daemon sees it.
#[derive(Default)]
pub(super) struct Host {
    jobs: Option<mpsc::Sender<Job>>,
    state: String,
    /// Why the rules of the configuration are not put in force at the start.
    shut_out: Option<String>,
    looking: bool,
    pub(super) holes: Holes,
}

impl Daemon {
    /// Asks whether the rules of a configuration would shut an SSH session out. At the start that does not hold the
    /// daemon up: the rules that were confirmed last stand.
    pub(super) fn check_host(
        &mut self,
        config: &Config,
        inputs: &Inputs,
        data: &CountryData,
    ) -> Result<()> {
        self.host.shut_out = None;
        if !config.host.enable || config.mode == Mode::Shadow || self.options.yes {
            return Ok(());
        }
        let rules = plan(config, &self.facts(inputs), data);
        match check_lockout(config, &rules) {
            Err(HostError::LockedOut(why)) if self.generation == 0 => {
                self.host.shut_out = Some(why);
                Ok(())
            }
            checked => Ok(checked?),
        }
    }

    /// At the start: the rules of the configuration, or those confirmed last.
    pub(super) fn start_host(&mut self) {
        if !self.config.host.enable {
            return;
        }
        let making = match self.host.shut_out.take() {
            Some(why) => {
                let text = format!(
                    "the host's firewall of the configuration would shut an SSH session out, and is not put in force; {why}"
                );
                error!("{text}");
                self.notify(Notice::new(NoticeKind::Fence, &text));
                None
            }
            None => Some(self.making()),
        };
        match (making, self.trial_left()) {
            (Some(making), Some(time)) => self.host_job(Job::Apply(making, Some(time))),
            (making, _) => self.host_job(Job::Start(making)),
        }
    }

    /// After a reload; `told` is whether a mode was asked for. A trial that ran out holds until then.
    pub(super) fn reload_host(&mut self, was_enabled: bool, told: bool) {
        if !self.config.host.enable {
            if was_enabled {
                self.host_job(Job::Remove);
            }
        } else if self.trial != Trial::Lapsed || told {
            let time = self.trial_left();
            let making = self.making();
            self.host_job(Job::Apply(making, time));
        }
    }

    /// After a change of the lists, of the countries or of the network.
    pub(super) fn refresh_host(&mut self) {
        if self.config.host.enable && self.host.jobs.is_some() {
            let making = self.making();
            self.host_job(Job::Refresh(making));
        }
    }

    /// The trial was confirmed.
    pub(super) fn confirm_host(&mut self) {
        if self.config.host.enable {
            self.host_job(Job::Confirm);
        }
    }

    /// What is due every few seconds: whether somebody changed the table.
    pub(super) fn tend_host(&mut self) {
        if self.config.host.enable && self.host.jobs.is_some() && !self.host.looking {
            self.host.looking = true;
            self.host_job(Job::Look);
        }
    }

    /// What becomes of it when the fence is taken down.
    pub(super) fn host_stands_on(&self) -> &'static str {
        match self.host.jobs.is_some() && self.config.host.enable {
            true => "\nthe host's firewall stands on; `ringfence host remove` takes it away",
            false => "",
        }
    }

    /// Takes in what was done.
    pub(super) fn take_host(&mut self, told: Told) {
        if told.looked {
            self.host.looking = false;
        }
        let text = format!("the host's firewall: {}", told.text);
        match told.how {
            How::Silent => {}
            How::Said => info!("{text}"),
            How::Noted | How::Warned => warn!("{text}"),
            How::Failed => error!("{text}"),
        }
        // What goes wrong at every look is told once.
        let again = told.how == How::Failed && self.host.state == told.text;
        if matches!(told.how, How::Warned | How::Failed) && !again {
            self.notify(Notice::new(NoticeKind::Fence, &text));
        }
        if let Some(state) = told.state {
            self.host.state = state;
        }
    }

    /// A line for people and the same for programs, where the daemon keeps it.
    pub(super) fn host_status(&self) -> (Option<String>, Value) {
        if !self.config.host.enable {
            return (None, json!({ "enabled": false }));
        }
        let state = match self.host.state.as_str() {
            "" => "being put in force",
            state => state,
        };
        let mut line = format!("the host's firewall: {state}");
        let mut data = json!({ "enabled": true, "state": state });
        if let Some((more, holes)) = self.pinholes_status() {
            line.push_str(&format!("\n{more}"));
            data["pinholes"] = holes;
        }
        (Some(line), data)
    }

    fn trial_left(&self) -> Option<Duration> {
        let left = self.trial.end()?.saturating_sub(boot_time().ok()?);
        Some(Duration::from_nanos(left.max(1)))
    }

    fn facts(&self, inputs: &Inputs) -> Facts {
        Facts {
            inputs: inputs.clone(),
            neighbours: near(self.watch.interfaces(), self.watch.routes()),
            // Without them sessions that the connection tracking knows live all the same.
            sessions: net::tcp_sessions().unwrap_or_default(),
        }
    }

    /// Of the policy in force.
    fn making(&self) -> Box<Making> {
        Box::new(Making {
            config: self.config.clone(),
            facts: self.facts(&self.opinions.inputs),
        })
    }

    /// Gives the thread something to do; it is started where it does not run.
    fn host_job(&mut self, job: Job) {
        let Err(mpsc::SendError(job)) = (match &self.host.jobs {
            Some(jobs) => jobs.send(job),
            None => Err(mpsc::SendError(job)),
        }) else {
            return;
        };
        let (jobs, waiting) = mpsc::channel();
        let (keeper, words) = (Keeper::new(&self.config.state), self.beside.words());
        let mut worker = Worker {
            keeper,
            intact: self.host.holes.intact.clone(),
            on_trial: false,
        };
        std::thread::spawn(move || {
            while let Ok(job) = waiting.recv() {
                for told in worker.work(job) {
                    // The daemon ends: nobody wants to hear it.
                    let _ = words.blocking_send(Word::Host(told));
                }
            }
        });
        // The thread has only just begun to listen.
        let _ = jobs.send(job);
        self.host.jobs = Some(jobs);
    }
}

/// The thread.
struct Worker {
    keeper: Keeper,
    /// The generation at which the table was intact.
    intact: Intact,
    /// Whether rules were on trial when it looked last.
    on_trial: bool,
}

impl Worker {
    /// Does one thing.
    fn work(&mut self, job: Job) -> Vec<Told> {
        let looked = matches!(job, Job::Look);
        let begins = matches!(job, Job::Start(_) | Job::Apply(..));
        let mut told = match self.done(job) {
            Ok(told) => vec![told],
            Err(error) => {
                let text = format!("{error:#}");
                let state = Some(text.clone());
                vec![said(How::Failed, text, state)]
            }
        };
        if begins && let Ok(chains) = Nft::default().chains() {
            let each = conflicts(&chains).into_iter();
            told.extend(each.map(|text| said(How::Noted, text, None)));
        }
        told.iter_mut().for_each(|one| one.looked = looked);
        told
    }

    fn done(&mut self, job: Job) -> Result<Told> {
        let keeper = &self.keeper;
        Ok(match job {
            Job::Start(None) => self.applied(keeper.start(None)?, "as confirmed"),
            Job::Start(Some(making)) => {
                let mode = making.config.mode.to_string();
                self.applied(keeper.start(Some(&ready(*making)?))?, &mode)
            }
            Job::Apply(making, trial) => {
                let mode = making.config.mode.to_string();
                self.applied(keeper.apply(&ready(*making)?, trial)?, &mode)
            }
            Job::Refresh(making) => {
                keeper.refresh(&ready(*making)?)?;
                silent()
            }
            Job::Confirm => match keeper.confirm()? {
                true => {
                    self.on_trial = false;
                    stands(How::Said, CONFIRMED)
                }
                false => silent(),
            },
            Job::Remove => {
                keeper.remove()?;
                stands(How::Said, "taken away, as the configuration says")
            }
            Job::Look => self.look()?,
        })
    }

    fn applied(&mut self, applied: Applied, mode: &str) -> Told {
        self.on_trial = applied == Applied::OnTrial;
        match applied {
            Applied::Stand | Applied::Stood => stands(How::Said, &format!("it stands: {mode}")),
            Applied::OnTrial => stands(
                How::Said,
                &format!("{mode}, on trial; `ringfence confirm` keeps it"),
            ),
            Applied::Lapsed => stands(
                How::Warned,
                "the rules of the configuration were not confirmed: those confirmed last stand; `ringfence reload \
                 --confirm 60s` tries again",
            ),
        }
    }

    fn look(&mut self) -> Result<Told> {
        let mut intact = self.intact.get();
        let seen = self.keeper.look(&mut intact)?;
        self.intact.set(intact);
        // Its timer ends a trial, and the command line may confirm it.
        let on_trial = self.keeper.trial()?;
        let was = std::mem::replace(&mut self.on_trial, on_trial == OnTrial::Yes);
        Ok(match (seen, on_trial) {
            (Seen::Gone, _) => stands(
                How::Warned,
                "somebody had deleted its rules; they stand again",
            ),
            (Seen::Changed, _) => stands(
                How::Warned,
                "somebody had changed its rules; they stand as they were made",
            ),
            (Seen::Ended, _) => stands(How::Warned, LAPSED),
            (_, OnTrial::Lapsed) if was => stands(How::Warned, LAPSED),
            (_, OnTrial::No) if was => stands(How::Said, CONFIRMED),
            (Seen::Nothing | Seen::Intact, _) => silent(),
        })
    }
}

fn ready(making: Making) -> Result<Ready> {
    let data = in_force(&making.config.country, &making.config.state)?.data;
    Ok(Ready::new(&making.config, &making.facts, &data)?)
}

fn silent() -> Told {
    said(How::Silent, String::new(), None)
}

fn stands(how: How, text: &str) -> Told {
    said(how, text.to_owned(), Some(text.to_owned()))
}

fn said(how: How, text: String, state: Option<String>) -> Told {
    Told {
        text,
        how,
        state,
        looked: false,
    }
}
