//! From what was seen to attempts: each counts once, however many events and lines tell of it.

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use super::event::{Event, Proof};
use super::finding::{CountsAs, Finding};
use super::sight::{Sight, Told, What};

/// Sessions that are held; the oldest give way.
const SESSIONS: usize = 10_000;
/// How long a session is held: as long as a SIP transaction can last twice over (64 times T1 is 32 s).
const HELD: Duration = Duration::from_secs(64);
/// How long credentials are waited for after an unknown account was named.
const SETTLES: Duration = Duration::from_secs(5);
/// Answers of a session that are remembered, so that a repeated packet counts once.
const ANSWERS: usize = 32;

/// Groups what was seen by sender and session, within bounds whatever strangers do.
#[derive(Debug, Default)]
pub struct Attempts {
    sessions: HashMap<Key, Session>,
    /// The sessions by age.
    order: VecDeque<(Instant, Key)>,
    /// Sessions in which credentials are waited for, by age.
    waiting: VecDeque<(Instant, Key)>,
    /// Probes of sessions that gave way before their time.
    early: VecDeque<Finding>,
}

/// What holds an attempt together. PJSIP names sessions by Call-ID. chan_sip uses its sessions' names again, and the
/// notices of chan_sip and the manager interface name none: there it is the sender, whose port the latter hides. Logs of
/// others hide the port too: there it is the account.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Key {
    Session(IpAddr, String),
    Sender(SocketAddr, String),
    Account(IpAddr, String, Option<String>),
}

impl Key {
    fn of(sight: &Sight) -> Self {
        let service = || sight.service.clone();
        let ip = sight.source.ip();
        match (&sight.session, sight.service.as_str()) {
            (_, "AMI") => Self::Sender((ip, 0).into(), service()),
            (_, "SIP") => Self::Sender(sight.source, service()),
            (Some(session), _) => Self::Session(ip, session.clone()),
            (None, _) => Self::Account(ip, service(), sight.account.clone()),
        }
    }
}

#[derive(Debug, Default)]
struct Session {
    /// The account that was named; a refused answer does not name it again.
    account: Option<String>,
    /// The probe that counts if no credentials come.
    probe: Option<Finding>,
    probed: bool,
    /// An access list refuses the sender.
    refused: bool,
    answers: VecDeque<Proof>,
    /// Failures told by events, and by other lines: the larger number is how many there were.
    by_event: u32,
    by_notice: u32,
    suspicious: bool,
}

impl Attempts {
    /// Takes in an event, at `now` of a clock that does not go back. What it completes is given back.
    pub fn note(&mut self, event: &Event, now: Instant) -> Option<Finding> {
        self.see(&Sight::of_event(event)?, now)
    }

    /// Takes in what an event or a line says. What it completes is given back; a named account that does not exist is
    /// not held against anybody before it is [`settled`](Self::settled).
    pub fn see(&mut self, sight: &Sight, now: Instant) -> Option<Finding> {
        self.forget(now);
        let key = Key::of(sight);
        if !self.sessions.contains_key(&key) {
            while self.sessions.len() >= SESSIONS {
                let Some((_, oldest)) = self.order.pop_front() else {
                    break;
                };
                self.end(&oldest);
            }
            self.order.push_back((now, key.clone()));
        }
        let session = self.sessions.entry(key.clone()).or_default();
        let waits = session.probe.is_some();
        let finding = session.see(sight);
        if session.probe.is_some() && !waits {
            self.wait(now, key);
        }
        finding
    }

    /// The probes that no credentials followed within five seconds. To be asked about once a second.
    pub fn settled(&mut self, now: Instant) -> Vec<Finding> {
        self.forget(now);
        let mut settled: Vec<Finding> = self.early.drain(..).collect();
        while let Some((_, key)) = self
            .waiting
            .pop_front_if(|(since, _)| now.saturating_duration_since(*since) >= SETTLES)
        {
            settled.extend(self.sessions.get_mut(&key).and_then(|s| s.probe.take()));
        }
        settled
    }

    /// All probes, waited for or not: for the end of a recording.
    pub fn finish(&mut self) -> Vec<Finding> {
        let mut all: Vec<Finding> = self.early.drain(..).collect();
        for (_, key) in std::mem::take(&mut self.waiting) {
            all.extend(self.sessions.get_mut(&key).and_then(|s| s.probe.take()));
        }
        all
    }

    fn wait(&mut self, now: Instant, key: Key) {
        if self.waiting.len() >= SESSIONS
            && let Some((_, oldest)) = self.waiting.pop_front()
        {
            let probe = self.sessions.get_mut(&oldest).and_then(|s| s.probe.take());
            self.keep(probe);
        }
        self.waiting.push_back((now, key));
    }

    fn forget(&mut self, now: Instant) {
        let old = |(since, _): &mut (Instant, Key)| now.saturating_duration_since(*since) >= HELD;
        while let Some((_, key)) = self.order.pop_front_if(old) {
            self.end(&key);
        }
    }

    fn end(&mut self, key: &Key) {
        let probe = self.sessions.remove(key).and_then(|s| s.probe);
        self.keep(probe);
    }

    fn keep(&mut self, probe: Option<Finding>) {
        if self.early.len() < SESSIONS {
            self.early.extend(probe);
        }
    }
}

impl Session {
    fn see(&mut self, sight: &Sight) -> Option<Finding> {
        let finding = |counts_as, account: Option<String>| Finding {
            counts_as,
            source: sight.source,
            transport: sight.transport,
            local: sight.local,
            account,
            session: sight.session.clone(),
            service: sight.service.clone(),
        };
        if sight.account.is_some() {
            self.account.clone_from(&sight.account);
        }
        let account = sight.account.clone().or_else(|| self.account.clone());
        match sight.what {
            What::Challenged => None,
            What::UnknownAccount => {
                if !std::mem::replace(&mut self.probed, true) {
                    self.probe = Some(finding(CountsAs::Probe, account));
                }
                None
            }
            What::AccessList => {
                let before = std::mem::replace(&mut self.refused, true);
                (!before).then(|| finding(CountsAs::Refused, account))
            }
            What::AnswerRefused(answer) if self.refused => {
                let number = self.failed(sight.told, answer)?;
                // The first is part of what the list refused.
                (number > 1).then(|| finding(CountsAs::Refused, account))
            }
            What::AnswerRefused(answer) | What::PasswordRefused(answer) => {
                self.probe = None;
                let failed = self.failed(sight.told, answer);
                failed.map(|_| finding(CountsAs::Failure, account))
            }
            What::Suspicious => {
                let before = std::mem::replace(&mut self.suspicious, true);
                (!before).then(|| finding(CountsAs::Suspicious, account))
            }
            What::Accepted { password } => {
                self.probe = None;
                Some(finding(CountsAs::Authenticated { password }, account))
            }
        }
    }

    /// The number of the failure that this tells of, if nobody told of it yet.
    fn failed(&mut self, told: Told, answer: Option<Proof>) -> Option<u32> {
        let (mine, others) = match told {
            Told::Event if !self.fresh(answer) => return None,
            Told::Event => (&mut self.by_event, self.by_notice),
            Told::Notice => (&mut self.by_notice, self.by_event),
        };
        *mine = mine.saturating_add(1);
        (*mine > others).then_some(*mine)
    }

    /// Whether this answer is a new one. Where none is given, each event is an attempt.
    fn fresh(&mut self, answer: Option<Proof>) -> bool {
        let Some(answer) = answer else { return true };
        if self.answers.contains(&answer) {
            return false;
        }
        if self.answers.len() >= ANSWERS {
            self.answers.pop_front();
        }
        self.answers.push_back(answer);
        true
    }
}

#[cfg(test)]
#[path = "attempts_tests.rs"]
mod tests;
